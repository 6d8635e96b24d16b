#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/sampler.h"
#include "tests/data/small_catalog.h"

enum { COUNT = 23 };

static dip_sampler *sampler_of(int64_t batch_size, bool shuffle, bool drop_last,
                               uint64_t seed)
{
    int64_t rows[COUNT];
    for (int64_t i = 0; i < COUNT; i++)
        rows[i] = 100 + 3 * i;
    dip_sampler_options options = {rows, COUNT, batch_size, shuffle, drop_last,
                                   seed, NULL,  0,          0};
    dip_sampler *sampler;
    dip_err err = {0};
    small_ok(dip_sampler_create(&sampler, &options, &err), &err);
    return sampler;
}

/* All rows of an epoch in their order; returns how many. */
static int64_t epoch_rows(int64_t *out, dip_sampler *sampler, int64_t epoch)
{
    int64_t n = 0;
    dip_sampler_set_epoch(sampler, epoch);
    for (int64_t b = 0; b < dip_sampler_batches(sampler); b++) {
        const int64_t *rows;
        int64_t size = dip_sampler_batch(sampler, b, &rows);
        memcpy(out + n, rows, (size_t)size * sizeof *out);
        n += size;
    }
    return n;
}

static void test_sampler_batches_cover_the_rows_in_order(void **state)
{
    (void)state;
    dip_sampler *sampler = sampler_of(5, false, false, 1);
    int64_t got[COUNT];
    assert_int_equal(dip_sampler_batches(sampler), 5);
    assert_int_equal(epoch_rows(got, sampler, 3), COUNT);
    for (int64_t i = 0; i < COUNT; i++)
        assert_int_equal(got[i], 100 + 3 * i);
    const int64_t *rows;
    assert_int_equal(dip_sampler_batch(sampler, 4, &rows), 3);
    dip_sampler_free(sampler);
}

static void test_sampler_drops_the_incomplete_batch(void **state)
{
    (void)state;
    int64_t got[COUNT];
    dip_sampler *sampler = sampler_of(5, false, true, 1);
    assert_int_equal(dip_sampler_batches(sampler), 4);
    assert_int_equal(epoch_rows(got, sampler, 0), 20);
    dip_sampler_free(sampler);
    sampler = sampler_of(23, false, true, 1);
    assert_int_equal(dip_sampler_batches(sampler), 1);
    dip_sampler_free(sampler);
}

static void test_sampler_shuffles_all_rows(void **state)
{
    (void)state;
    dip_sampler *sampler = sampler_of(4, true, false, 1);
    int64_t got[COUNT];
    int seen[COUNT] = {0}, moved = 0;
    assert_int_equal(epoch_rows(got, sampler, 0), COUNT);
    for (int64_t i = 0; i < COUNT; i++) {
        seen[(got[i] - 100) / 3]++;
        moved += got[i] != 100 + 3 * i;
    }
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(seen[i], 1);
    assert_true(moved > COUNT / 2);
    dip_sampler_free(sampler);
}

static void test_sampler_order_depends_on_seed_and_epoch_alone(void **state)
{
    (void)state;
    dip_sampler *walked = sampler_of(4, true, false, 1);
    dip_sampler *direct = sampler_of(4, true, false, 1);
    dip_sampler *other = sampler_of(4, true, false, 2);
    int64_t a[COUNT], b[COUNT], c[COUNT];
    for (int64_t epoch = 0; epoch < 3; epoch++)
        epoch_rows(a, walked, epoch);
    epoch_rows(b, direct, 2);
    assert_memory_equal(a, b, sizeof a);
    epoch_rows(c, other, 2);
    assert_memory_not_equal(a, c, sizeof a);
    epoch_rows(c, direct, 1);
    assert_memory_not_equal(a, c, sizeof a);
    dip_sampler_free(walked);
    dip_sampler_free(direct);
    dip_sampler_free(other);
}

/* Row i wants the rows i + 30 and i + 33, as far as there are such. */
static dip_sampler *near_sampler(uint64_t seed)
{
    enum { NEAR_ROWS = 100 + 3 * COUNT, WIDTH = 2 };
    static int64_t near[NEAR_ROWS * WIDTH];
    int64_t rows[COUNT];
    for (int64_t i = 0; i < NEAR_ROWS; i++) {
        near[i * WIDTH] = i + 30 < NEAR_ROWS ? i + 30 : -1;
        near[i * WIDTH + 1] = i + 33 < NEAR_ROWS ? i + 33 : -1;
    }
    for (int64_t i = 0; i < COUNT; i++)
        rows[i] = 100 + 3 * i;
    dip_sampler_options options = {rows, COUNT, 4,         true, false,
                                   seed, near,  NEAR_ROWS, WIDTH};
    dip_sampler *sampler;
    dip_err err = {0};
    small_ok(dip_sampler_create(&sampler, &options, &err), &err);
    memset(near, 0, sizeof near); /* they were copied */
    return sampler;
}

/* All rows come once, and behind a row those of its own that did not come. */
static void test_sampler_lets_near_rows_follow(void **state)
{
    (void)state;
    dip_sampler *sampler = near_sampler(3), *again = near_sampler(3);
    for (int64_t epoch = 0; epoch < 4; epoch++) {
        int64_t got[COUNT], same[COUNT];
        bool came[COUNT] = {0};
        assert_int_equal(epoch_rows(got, sampler, epoch), COUNT);
        for (int64_t at = 0; at < COUNT;) {
            int64_t i = (got[at++] - 100) / 3;
            assert_false(came[i]);
            came[i] = true;
            for (int64_t next = i + 10; next <= i + 11; next++) {
                if (next >= COUNT || came[next])
                    continue;
                assert_int_equal(got[at++], 100 + 3 * next);
                came[next] = true;
            }
        }
        epoch_rows(same, again, epoch);
        assert_memory_equal(got, same, sizeof got);
    }
    dip_sampler_free(sampler);
    dip_sampler_free(again);
}

static void check_refused(dip_sampler_options options, const char *message)
{
    dip_sampler *sampler;
    dip_err err = {0};
    assert_int_equal(dip_sampler_create(&sampler, &options, &err), DIP_ERANGE);
    assert_null(sampler);
    assert_string_equal(err.msg, message);
}

static void test_sampler_refuses_what_makes_no_batch(void **state)
{
    (void)state;
    const int64_t rows[] = {1, 2, 3};
    check_refused(
        (dip_sampler_options){rows, 0, 4, false, false, 0, NULL, 0, 0},
        "no rows to take batches from");
    check_refused(
        (dip_sampler_options){rows, 3, 0, false, false, 0, NULL, 0, 0},
        "batch size is not positive: 0");
    check_refused((dip_sampler_options){rows, 3, 4, false, true, 0, NULL, 0, 0},
                  "3 rows make no whole batch of 4");
    const int64_t near[] = {-1, -1, -1};
    check_refused((dip_sampler_options){rows, 3, 1, true, false, 0, near, 3, 1},
                  "row 3 has no place among 3");
}

static void test_sampler_lists_the_rows_of_a_split(void **state)
{
    (void)state;
    static const struct small_row rows[] = {
        {.id = "a", .split = DIP_SPLIT_TEST},
        {.id = "b", .split = DIP_SPLIT_TRAIN},
        {.id = "c", .split = DIP_SPLIT_TEST},
    };
    struct small_catalog small;
    small_write(&small, rows, 3);
    small_open(&small);
    int64_t *list, count;
    assert_int_equal(
        dip_split_rows(&list, &count, small.catalog, DIP_SPLIT_TEST, NULL),
        DIP_OK);
    assert_int_equal(count, 2);
    assert_memory_equal(list, ((int64_t[]){0, 2}), 16);
    free(list);
    assert_int_equal(
        dip_split_rows(&list, &count, small.catalog, DIP_SPLIT_VAL, NULL),
        DIP_OK);
    assert_int_equal(count, 0);
    free(list);
    small_close(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sampler_batches_cover_the_rows_in_order),
        cmocka_unit_test(test_sampler_drops_the_incomplete_batch),
        cmocka_unit_test(test_sampler_shuffles_all_rows),
        cmocka_unit_test(test_sampler_order_depends_on_seed_and_epoch_alone),
        cmocka_unit_test(test_sampler_lets_near_rows_follow),
        cmocka_unit_test(test_sampler_refuses_what_makes_no_batch),
        cmocka_unit_test(test_sampler_lists_the_rows_of_a_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
