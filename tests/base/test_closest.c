#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/closest.h"
#include "base/mem.h"

static const char *const names[] = {"title", "colour", "price", "articleType",
                                    "id"};

static const char *closest(const char *word)
{
    return dip_closest(word, names, DIP_ARRAY_LEN(names));
}

static void test_closest_finds_what_was_meant(void **state)
{
    (void)state;
    assert_string_equal(closest("titel"), "title"); /* neighbours swapped */
    assert_string_equal(closest("color"), "colour");
    assert_string_equal(closest("Price"), "price");
    assert_string_equal(closest("article_type"), "articleType");
    assert_string_equal(closest("ids"), "id");
}

static void test_closest_does_not_guess_wildly(void **state)
{
    (void)state;
    assert_null(closest("brand"));
    assert_null(closest("x"));
    assert_null(closest(""));
    assert_null(dip_closest("title", names, 0));
    assert_null(closest("titletitletitletitletitletitletitletitletitletitle"
                        "titletitletitletitle"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closest_finds_what_was_meant),
        cmocka_unit_test(test_closest_does_not_guess_wildly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
