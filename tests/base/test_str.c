#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static void test_str_grows_and_keeps_its_end(void **state)
{
    (void)state;
    dip_str s = {0};
    assert_string_equal(dip_str_text(&s), "");
    for (int i = 0; i < 100; i++)
        dip_str_addf(&s, "%02d,", i);
    dip_str_add_n(&s, "a\0b", 3);
    assert_int_equal(s.len, 303);
    assert_memory_equal(s.data, "00,01,02,", 9);
    assert_memory_equal(s.data + 297, "99,a\0b", 7);
    dip_str_clear(&s);
    assert_string_equal(dip_str_text(&s), "");
    dip_str_add(&s, "x");
    assert_string_equal(dip_str_text(&s), "x");
    assert_int_equal(dip_str_status(&s, NULL), DIP_OK);
    dip_str_free(&s);
    assert_null(s.data);
}

static void test_str_failure_sticks(void **state)
{
    (void)state;
    dip_str s = {0};
    dip_err err = {0};
    dip_str_add(&s, "kept");
    dip_str_add_n(&s, "", SIZE_MAX); /* more than there can be */
    assert_int_equal(dip_str_status(&s, &err), DIP_ENOMEM);
    assert_string_equal(err.msg, "out of memory");
    dip_str_add(&s, "x");
    assert_string_equal(dip_str_text(&s), "kept");
    assert_int_equal(dip_str_status(&s, NULL), DIP_ENOMEM);
    dip_str_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_str_grows_and_keeps_its_end),
        cmocka_unit_test(test_str_failure_sticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
