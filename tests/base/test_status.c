#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/status.h"

static void test_status_fail_writes_code_and_words(void **state)
{
    (void)state;
    dip_err err = {0};
    assert_int_equal(dip_fail(&err, DIP_EIO, "cannot open '%s'", "a"), DIP_EIO);
    assert_int_equal(err.code, DIP_EIO);
    assert_string_equal(err.msg, "cannot open 'a'");
    assert_int_equal(dip_fail(NULL, DIP_EDATA, "unheard"), DIP_EDATA);
}

static void test_status_fail_may_quote_its_own_message(void **state)
{
    (void)state;
    dip_err err = {0};
    (void)dip_fail(&err, DIP_EIO, "inner");
    (void)dip_fail(&err, DIP_EDATA, "outer (%s)", err.msg);
    assert_string_equal(err.msg, "outer (inner)");
    assert_int_equal(dip_fail_context(&err, "row %d", 7), DIP_EDATA);
    assert_string_equal(err.msg, "row 7: outer (inner)");
}

static void test_status_fail_cuts_long_messages(void **state)
{
    (void)state;
    char words[2 * DIP_ERR_SIZE];
    memset(words, 'x', sizeof words);
    words[sizeof words - 1] = '\0';
    dip_err err = {0};
    (void)dip_fail(&err, DIP_FAIL, "%s", words);
    assert_int_equal(strlen(err.msg), DIP_ERR_SIZE - 1);
}

/* The table of exit codes that the documentation promises. */
static void test_status_names_and_exit_codes(void **state)
{
    (void)state;
    assert_string_equal(dip_status_name(DIP_EFORMAT), "EFORMAT");
    assert_int_equal(dip_status_exit_code(DIP_OK), 0);
    assert_int_equal(dip_status_exit_code(DIP_EUSAGE), 2);
    assert_int_equal(dip_status_exit_code(DIP_ECONFIG), 2);
    assert_int_equal(dip_status_exit_code(DIP_EIO), 3);
    assert_int_equal(dip_status_exit_code(DIP_ENUMERIC), 6);
    assert_int_equal(dip_status_exit_code(DIP_EINTERRUPT), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_fail_writes_code_and_words),
        cmocka_unit_test(test_status_fail_may_quote_its_own_message),
        cmocka_unit_test(test_status_fail_cuts_long_messages),
        cmocka_unit_test(test_status_names_and_exit_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
