#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"

/* Known-answer vectors of philox4x32 with 10 rounds, as published with the
 * authors' Random123 library (kat_vectors). */
static void test_rng_philox_matches_published_vectors(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], expected[4];
    } cases[] = {
        {{0, 0, 0, 0},
         {0, 0},
         {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < 3; i++) {
        uint32_t out[4];
        dip_philox(out, cases[i].counter, cases[i].key);
        assert_memory_equal(out, cases[i].expected, sizeof out);
    }
}

static void test_rng_streams_are_pure_and_distinct(void **state)
{
    (void)state;
    dip_rng a = dip_rng_stream(7, 1, 2, 3);
    dip_rng b = dip_rng_stream(7, 1, 2, 3);
    dip_rng other_row = dip_rng_stream(7, 1, 2, 4);
    dip_rng other_purpose = dip_rng_stream(7, 2, 2, 3);
    uint64_t first = dip_rng_u64(&a);
    assert_int_equal(first, dip_rng_u64(&b));
    assert_int_not_equal(first, dip_rng_u64(&other_row));
    assert_int_not_equal(first, dip_rng_u64(&other_purpose));
}

static void test_rng_below_stays_in_range_and_is_even(void **state)
{
    (void)state;
    dip_rng rng = dip_rng_stream(1, 0, 0, 0);
    int counts[6] = {0};
    for (int i = 0; i < 60000; i++)
        counts[dip_rng_below(&rng, 6)]++;
    for (int i = 0; i < 6; i++) /* 10000 +- 6 standard deviations */
        assert_in_range(counts[i], 9450, 10550);
}

static void test_rng_shuffle_permutes(void **state)
{
    (void)state;
    int64_t items[100];
    for (int64_t i = 0; i < 100; i++)
        items[i] = i;
    dip_rng rng = dip_rng_stream(1, 0, 0, 0);
    dip_rng_shuffle(&rng, items, 100);
    int seen[100] = {0}, moved = 0;
    for (int64_t i = 0; i < 100; i++) {
        seen[items[i]]++;
        moved += items[i] != i;
    }
    for (int i = 0; i < 100; i++)
        assert_int_equal(seen[i], 1);
    assert_true(moved > 80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rng_philox_matches_published_vectors),
        cmocka_unit_test(test_rng_streams_are_pure_and_distinct),
        cmocka_unit_test(test_rng_below_stays_in_range_and_is_even),
        cmocka_unit_test(test_rng_shuffle_permutes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
