#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/table.h"

static const dip_table_column columns[] = {
    {"score", DIP_ALIGN_RIGHT},
    {"id", DIP_ALIGN_LEFT},
    {"title", DIP_ALIGN_LEFT},
};

static dip_table *products(void)
{
    dip_table *table;
    assert_int_equal(dip_table_new(&table, columns, 3, NULL), DIP_OK);
    dip_table_cellf(table, "%.2f", 0.9);
    dip_table_cell(table, "a1");
    dip_table_cell(table, "blue summer dress");
    dip_table_cellf(table, "%.2f", -10.25);
    dip_table_cell(table, "b");
    dip_table_cell(table, "\xe8\x93\x9d\xe8\x89\xb2\xe8\xbf\x9e\xe8\xa1\xa3"
                          "\xe8\xa3\x99\nx");
    return table;
}

static void expect_table(const dip_table *table, int width, const char *text)
{
    dip_str out = {0};
    assert_int_equal(dip_table_render(&out, table, width, NULL), DIP_OK);
    assert_string_equal(out.data, text);
    dip_str_free(&out);
}

static void test_table_aligns_columns(void **state)
{
    (void)state;
    dip_table *table = products();
    expect_table(table, 0,
                 " score  id  title\n"
                 "------  --  -----------------\n"
                 "  0.90  a1  blue summer dress\n"
                 "-10.25  b   \xe8\x93\x9d\xe8\x89\xb2\xe8\xbf\x9e\xe8\xa1\xa3"
                 "\xe8\xa3\x99 x\n");
    dip_table_free(table);
}

static void test_table_shortens_the_widest_text(void **state)
{
    (void)state;
    dip_table *table = products();
    expect_table(table, 22,
                 " score  id  title\n"
                 "------  --  ----------\n"
                 "  0.90  a1  blue summ\xe2\x80\xa6\n"
                 "-10.25  b   \xe8\x93\x9d\xe8\x89\xb2\xe8\xbf\x9e\xe8\xa1\xa3"
                 "\xe2\x80\xa6\n");
    expect_table(
        table, 5, /* cannot be had: no column goes below 8 */
        " score  id  title\n"
        "------  --  --------\n"
        "  0.90  a1  blue su\xe2\x80\xa6\n"
        "-10.25  b   \xe8\x93\x9d\xe8\x89\xb2\xe8\xbf\x9e\xe2\x80\xa6\n");
    dip_table_free(table);
}

static void test_table_evens_out_wide_columns(void **state)
{
    (void)state;
    static const dip_table_column two[] = {
        {"a", DIP_ALIGN_LEFT},
        {"b", DIP_ALIGN_LEFT},
    };
    dip_table *table;
    assert_int_equal(dip_table_new(&table, two, 2, NULL), DIP_OK);
    dip_table_cell(table, "0123456789012345");
    dip_table_cell(table, "0123456789");
    expect_table(table, 20,
                 "a          b\n"
                 "---------  ---------\n"
                 "01234567\xe2\x80\xa6  01234567\xe2\x80\xa6\n");
    dip_table_free(table);
}

static void test_table_takes_a_short_last_row(void **state)
{
    (void)state;
    dip_table *table;
    assert_int_equal(dip_table_new(&table, columns, 3, NULL), DIP_OK);
    expect_table(table, 80, "score  id  title\n-----  --  -----\n");
    dip_table_cell(table, "1");
    expect_table(table, 80, "score  id  title\n-----  --  -----\n    1\n");
    dip_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_aligns_columns),
        cmocka_unit_test(test_table_shortens_the_widest_text),
        cmocka_unit_test(test_table_evens_out_wide_columns),
        cmocka_unit_test(test_table_takes_a_short_last_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
