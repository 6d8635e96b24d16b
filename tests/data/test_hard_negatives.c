#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/hard_negatives.h"
#include "tests/data/small_catalog.h"

static const struct small_row rows[] = {
    {.id = "a"}, {.id = "b"}, {.id = "c"}, {.id = "d e"}};

static dip_status read_text(dip_hard_negatives *out,
                            const struct small_catalog *small, const char *text,
                            dip_err *err)
{
    char path[96];
    (void)snprintf(path, sizeof path, "%s/n.tsv", small->dir);
    small_ok(dip_file_write(path, text, strlen(text), err), err);
    return dip_hard_negatives_read(out, small->catalog, path, err);
}

static void test_hard_negatives_are_rows_in_their_order(void **state)
{
    (void)state;
    static const int64_t wanted[] = {3, 1, -1, -1, 1, -1, -1, -1};
    static const char *const texts[] = {"a\td e\tb\nc\tb\n",
                                        "c\tb\r\na\td e\tb"};
    struct small_catalog small;
    small_write(&small, rows, 4);
    small_open(&small);
    for (size_t i = 0; i < DIP_ARRAY_LEN(texts); i++) {
        dip_err err = {0};
        dip_hard_negatives n;
        small_ok(read_text(&n, &small, texts[i], &err), &err);
        assert_int_equal(n.rows, 4);
        assert_int_equal(n.width, 2);
        assert_memory_equal(n.values, wanted, sizeof wanted);
        dip_hard_negatives_free(&n);
    }
    small_close(&small);
}

static void test_hard_negatives_names_the_line_that_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"a\tb\nx\tb\n", "no product 'x' of line 2 of '"},
        {"a\tb\tx\n", "no product 'x' of line 1 of '"},
        {"a\tb\n\n", "no product '' of line 2 of '"},
        {"a\tb\t\n", "no product '' of line 1 of '"},
        {"a\tb\nb\ta\na\tc\n", "'a' leads a second line, 3, of '"},
        {"c\tb\tc\n", "'c' is its own wrong answer in line 1 of '"},
    };
    struct small_catalog small;
    small_write(&small, rows, 4);
    small_open(&small);
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_err err = {0};
        dip_hard_negatives n;
        assert_int_equal(read_text(&n, &small, cases[i].text, &err), DIP_EDATA);
        if (strncmp(err.msg, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s", err.msg);
        dip_hard_negatives_free(&n);
    }
    dip_err err = {0};
    dip_hard_negatives n;
    assert_int_not_equal(
        dip_hard_negatives_read(&n, small.catalog, "tests/none", &err), DIP_OK);
    dip_hard_negatives_free(&n);
    small_close(&small);
}

static void test_hard_negatives_bounds_the_width(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_hard_negatives n;
    struct small_catalog small;
    char text[4096] = "a";
    small_write(&small, rows, 4);
    small_open(&small);
    for (size_t i = 1; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\tb", 3);
    assert_int_equal(read_text(&n, &small, text, &err), DIP_EDATA);
    assert_non_null(
        strstr(err.msg, " has 2047 wrong answers, and 1024 are possible"));
    dip_hard_negatives_free(&n);
    small_close(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hard_negatives_are_rows_in_their_order),
        cmocka_unit_test(test_hard_negatives_names_the_line_that_is_wrong),
        cmocka_unit_test(test_hard_negatives_bounds_the_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
