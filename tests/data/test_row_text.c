#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/row_text.h"
#include "tests/data/small_catalog.h"

static const struct small_row rows[] = {
    {.id = "a1",
     .title = "Blue  Shirt",
     .gender = "Men",
     .colour = "Navy Blue",
     .type = "Shirts",
     .price = 19.99f},
    {.id = "b2", .title = "Bag", .type = "Handbags", .price = 2012},
    {.id = "c3", .title = "", .price = NAN},
};

static struct small_catalog small;

static int setup(void **state)
{
    (void)state;
    small_write(&small, rows, DIP_ARRAY_LEN(rows));
    small_open(&small);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    small_close(&small);
    return 0;
}

static void check(const char *source, int64_t row, const char *expected)
{
    dip_row_text *text;
    dip_err err = {0};
    small_ok(dip_row_text_compile(&text, source, small.catalog, &err), &err);
    dip_str out = {0};
    dip_str_add(&out, "what was there before");
    dip_row_text_render(&out, text, row);
    assert_string_equal(dip_str_text(&out), expected);
    assert_int_equal(out.len, strlen(expected));
    dip_str_free(&out);
    dip_row_text_free(text);
}

static void test_row_text_puts_values_in(void **state)
{
    (void)state;
    check("{gender} {colour} {type}", 0, "Men Navy Blue Shirts");
    check("{id}: {title}", 1, "b2: Bag");
    check("{{{gender}}}", 0, "{Men}");
    check("plain {title} end", 1, "plain Bag end");
}

static void test_row_text_takes_a_bare_name_for_a_field(void **state)
{
    (void)state;
    check("title", 1, "Bag");
    check("type", 0, "Shirts");
    check("id", 2, "c3");
}

static void test_row_text_leaves_no_trace_of_missing_values(void **state)
{
    (void)state;
    check("{gender} {colour} {type}", 1, "Handbags");
    check("{type} {gender} {colour}", 1, "Handbags");
    check("{gender} {price} {title} {colour}", 2, "");
    check("a {gender} b", 2, "a b");
    check("title", 0, "Blue Shirt");
}

static void test_row_text_writes_numbers_shortly(void **state)
{
    (void)state;
    check("price", 0, "19.99");
    check("{price} model", 1, "2012 model");
}

static void check_refused(const char *source, dip_status st,
                          const char *message)
{
    dip_row_text *text;
    dip_err err = {0};
    assert_int_equal(dip_row_text_compile(&text, source, small.catalog, &err),
                     st);
    assert_null(text);
    assert_string_equal(err.msg, message);
}

static void test_row_text_refuses_what_it_cannot_mean(void **state)
{
    (void)state;
    check_refused("{title} {color}", DIP_ENOTFOUND,
                  "in '{title} {color}': no column 'color' (did you mean "
                  "'colour'?); columns: title, gender, colour, type, price, "
                  "id");
    check_refused("photo", DIP_ENOTFOUND,
                  "in '{photo}': no column 'photo'; columns: title, gender, "
                  "colour, type, price, id");
    check_refused("{title", DIP_EDATA, "in '{title': '{' without a '}'");
    check_refused("title}", DIP_EDATA, "in 'title}': '}' without a '{'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_text_puts_values_in),
        cmocka_unit_test(test_row_text_takes_a_bare_name_for_a_field),
        cmocka_unit_test(test_row_text_leaves_no_trace_of_missing_values),
        cmocka_unit_test(test_row_text_writes_numbers_shortly),
        cmocka_unit_test(test_row_text_refuses_what_it_cannot_mean),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
