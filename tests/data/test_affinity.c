#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/affinity.h"

static void test_affinity_is_1_of_a_product_and_itself(void **state)
{
    (void)state;
    for (int kind = 0; kind < DIP_AFFINITY_COUNT; kind++) {
        for (int64_t n = 1; n <= 5; n++) {
            dip_affinity_counts counts = {n, n, n, 5};
            double found = dip_affinity_of((dip_affinity)kind, &counts);
            assert_float_equal(found, 1, 1e-12);
        }
    }
}

/* Stays in [0, 1] and grows with the users of both. */
static void test_affinity_grows_with_the_users_of_both(void **state)
{
    (void)state;
    for (int kind = 0; kind < DIP_AFFINITY_COUNT; kind++) {
        double before = 0;
        for (int64_t both = 1; both <= 20; both++) {
            dip_affinity_counts counts = {20, 30, both, 100};
            double found = dip_affinity_of((dip_affinity)kind, &counts);
            assert_true(found >= before && found <= 1);
            before = found;
        }
        assert_true(before > 0.5);
    }
}

static void test_affinity_knows_its_words(void **state)
{
    (void)state;
    dip_affinity kind;
    assert_true(dip_affinity_parse(&kind, "npmi"));
    assert_int_equal(kind, DIP_AFFINITY_NPMI);
    assert_false(dip_affinity_parse(&kind, "pmi"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_affinity_is_1_of_a_product_and_itself),
        cmocka_unit_test(test_affinity_grows_with_the_users_of_both),
        cmocka_unit_test(test_affinity_knows_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
