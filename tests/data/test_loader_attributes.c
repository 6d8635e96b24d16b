#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "data/loader.h"
#include "tests/data/small_catalog.h"

#define ROWS 60

static struct small_catalog small;

/* Row i is red, blue, green or of no colour, and costs i, or has no price. */
static int set_up(void **state)
{
    (void)state;
    static const char *const colours[] = {"red", "blue", "green", NULL};
    static struct small_row rows[ROWS];
    static char ids[ROWS][16];
    for (int i = 0; i < ROWS; i++) {
        snprintf(ids[i], sizeof ids[i], "%d", i);
        rows[i] = (struct small_row){.id = ids[i],
                                     .group = ids[i],
                                     .title = "thing",
                                     .colour = colours[i % 4],
                                     .price = i % 5 == 0 ? NAN : (float)i};
    }
    small_write(&small, rows, ROWS);
    small_open(&small);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    small_close(&small);
    return 0;
}

/* The run knows green as 0 and red as 1; all else is 2. */
static void read_all(int64_t labels[ROWS], float numbers[ROWS], bool train,
                     double unknown_dropout)
{
    static const int64_t run_ids[] = {1, 2, 0};
    const dip_attribute_source sources[] = {
        {.column = small.column[SMALL_COLOUR],
         .ids = run_ids,
         .unknown = 2,
         .unknown_dropout = unknown_dropout},
        {.column = small.column[SMALL_PRICE]}};
    int64_t rows[ROWS];
    for (int64_t i = 0; i < ROWS; i++)
        rows[i] = i;
    dip_loader_options o = dip_loader_defaults();
    o.catalog = small.catalog;
    o.rows = rows;
    o.row_count = ROWS;
    o.batch_size = ROWS;
    o.train = train;
    o.seed = 3;
    o.attributes = sources;
    o.attribute_count = 2;
    dip_loader *loader;
    const dip_batch *batch;
    dip_err err = {0};
    small_ok(dip_loader_create(&loader, &o, &err), &err);
    small_ok(dip_loader_start(loader, 0, 0, 1, &err), &err);
    small_ok(dip_loader_next(&batch, loader, &err), &err);
    for (int64_t i = 0; i < ROWS; i++) {
        labels[i] = batch->attributes[0].labels[i];
        numbers[i] = batch->attributes[1].numbers[i];
        assert_int_equal(dip_batch_attribute_present(&batch->attributes[0], i),
                         i % 4 != 3);
        assert_int_equal(dip_batch_attribute_present(&batch->attributes[1], i),
                         i % 5 != 0);
    }
    assert_null(batch->attributes[0].numbers);
    assert_null(batch->attributes[1].labels);
    dip_loader_free(loader);
}

static void test_loader_attributes_have_the_ids_of_the_run(void **state)
{
    (void)state;
    static const int64_t wanted[] = {1, 2, 0, -1};
    int64_t labels[ROWS];
    float numbers[ROWS];
    read_all(labels, numbers, false, 1);
    for (int i = 0; i < ROWS; i++) {
        assert_int_equal(labels[i], wanted[i % 4]);
        assert_true(i % 5 == 0 ? isnan(numbers[i]) : numbers[i] == (float)i);
    }
}

static void
test_loader_attributes_are_unknown_at_times_in_training(void **state)
{
    (void)state;
    int64_t labels[ROWS], again[ROWS];
    float numbers[ROWS];
    int hidden = 0;
    read_all(labels, numbers, true, .5);
    read_all(again, numbers, true, .5);
    assert_memory_equal(labels, again, sizeof labels);
    for (int i = 0; i < ROWS; i++) {
        assert_true(i % 4 != 3 || labels[i] == -1);
        hidden += i % 4 == 0 && labels[i] == 2;
    }
    assert_in_range(hidden, 2, 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loader_attributes_have_the_ids_of_the_run),
        cmocka_unit_test(
            test_loader_attributes_are_unknown_at_times_in_training),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
