#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"

static void test_utf8_finds_the_first_bad_byte(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bad; /* the length when all is well */
    } cases[] = {
        {"", 0},
        {"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x91\x97", 10},
        {"a\xff", 1},
        {"ab\xc3", 2},           /* cut short */
        {"\xc0\xaf", 0},         /* overlong */
        {"x\xed\xa0\x80", 1},    /* surrogate */
        {"\xf4\x90\x80\x80", 0}, /* above U+10FFFF */
        {"\xe2\x82", 0},         /* cut short */
        {"ok\x80", 2},           /* continuation alone */
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        size_t n = strlen(cases[i].text), bad = n;
        bool valid = dip_utf8_valid(cases[i].text, n, &bad);
        assert_int_equal(valid, cases[i].bad == n);
        assert_int_equal(bad, cases[i].bad);
    }
}

static void test_utf8_walks_code_points(void **state)
{
    (void)state;
    const char text[] = "a\xc3\xa9\xff\xf0\x9f\x91\x97";
    static const int32_t codes[] = {'a', 0xe9, 0xfffd, 0x1f457};
    size_t at = 0;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(dip_utf8_next(text, strlen(text), &at), codes[i]);
    assert_int_equal(at, strlen(text));
}

static void test_utf8_normalises_like_python(void **state)
{
    (void)state;
    json_t *pairs;
    assert_int_equal(dip_json_load(&pairs,
                                   "tests/golden/normalised_titles.json",
                                   1 << 20, NULL),
                     DIP_OK);
    assert_true(json_array_size(pairs) > 200);
    size_t i;
    json_t *pair;
    json_array_foreach (pairs, i, pair) {
        const json_t *text = json_array_get(pair, 0);
        char *form;
        assert_int_equal(dip_utf8_normalise(&form, json_string_value(text),
                                            json_string_length(text), NULL),
                         DIP_OK);
        assert_string_equal(form, json_string_value(json_array_get(pair, 1)));
        free(form);
    }
    json_decref(pairs);
}

static void test_utf8_normalise_names_the_bad_byte(void **state)
{
    (void)state;
    char *form;
    dip_err err = {0};
    assert_int_equal(dip_utf8_normalise(&form, "ab\xff", 3, &err), DIP_EFORMAT);
    assert_null(form);
    assert_string_equal(err.msg, "malformed utf-8 at byte 2");
}

static void test_utf8_fits_text_into_columns(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t width;
        const char *fitted;
        size_t used;
    } cases[] = {
        {"dress", 5, "dress", 5},
        {"dress", 4, "dre\xe2\x80\xa6", 4},
        {"dress", 1, "\xe2\x80\xa6", 1},
        {"dress", 0, "", 0},
        {"\xe8\xbf\x9e\xe8\xa1\xa3", 4, "\xe8\xbf\x9e\xe8\xa1\xa3", 4},
        {"\xe8\xbf\x9e\xe8\xa1\xa3", 3, "\xe8\xbf\x9e\xe2\x80\xa6", 3},
        {"\xe8\xbf\x9e\xe8\xa1\xa3", 2, "\xe2\x80\xa6", 1},
        {"e\xcc\x81t", 2, "e\xcc\x81t", 2}, /* a combining accent */
        {"a\x1b[2J\nb", 9, "a [2J b", 7},
        {"a\xffz", 9, "a\xef\xbf\xbdz", 3},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_str out = {0};
        size_t used = dip_utf8_fit(&out, cases[i].text, strlen(cases[i].text),
                                   cases[i].width);
        assert_string_equal(dip_str_text(&out), cases[i].fitted);
        assert_int_equal(used, cases[i].used);
        assert_int_equal(dip_utf8_width(dip_str_text(&out), out.len), used);
        dip_str_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_finds_the_first_bad_byte),
        cmocka_unit_test(test_utf8_walks_code_points),
        cmocka_unit_test(test_utf8_normalises_like_python),
        cmocka_unit_test(test_utf8_normalise_names_the_bad_byte),
        cmocka_unit_test(test_utf8_fits_text_into_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
