#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "sweep/space.h"

#define MANY 4000

static const char *const widths[] = {"16", "32", "64"};
static const char *const kinds[] = {"adamw", "sgd"};

static const dip_sweep_parameter lr = {
    .name = "lr", .key = "train.lr", .low = 1e-5, .high = 1e-1, .log = true};
static const dip_sweep_parameter decay = {
    .name = "decay", .key = "train.weight_decay", .low = 0, .high = 2};
static const dip_sweep_parameter depth = {
    .name = "depth", .key = "depth", .low = 1, .high = 8, .integer = true};
static const dip_sweep_parameter log_depth = {.name = "depth",
                                              .key = "depth",
                                              .low = 1,
                                              .high = 8,
                                              .integer = true,
                                              .log = true};
static const dip_sweep_parameter width = {
    .name = "width", .key = "width", .choices = widths, .choice_count = 3};
static const dip_sweep_parameter kind = {
    .name = "kind", .key = "kind", .choices = kinds, .choice_count = 2};

static void draw(dip_sweep_points *out, const dip_sweep_parameter *parameters,
                 size_t count, size_t trials, uint64_t seed)
{
    const dip_sweep_space space = {parameters, count, seed};
    assert_int_equal(dip_sweep_draw(out, &space, trials, NULL), DIP_OK);
}

static double number(const dip_sweep_points *points, size_t trial, size_t p)
{
    char *end;
    double value = strtod(dip_sweep_value(points, trial, p), &end);
    assert_int_equal(*end, '\0');
    return value;
}

static int ascending(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* The statistic of Kolmogorov and Smirnov against the uniform distribution. */
static double distance_to_uniform(double *values, size_t n)
{
    double most = 0;
    qsort(values, n, sizeof *values, ascending);
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs(values[i] - (double)i / (double)n));
        most = fmax(most, fabs(values[i] - (double)(i + 1) / (double)n));
    }
    return most;
}

static void test_space_log_ranges_are_uniform_in_the_logarithm(void **state)
{
    (void)state;
    static double in_log[MANY], plain[MANY];
    const double critical = 1.63 / sqrt(MANY); /* at 1 % */
    dip_sweep_points points;
    draw(&points, (dip_sweep_parameter[]){lr, decay}, 2, MANY, 1);
    for (size_t t = 0; t < MANY; t++) {
        double value = number(&points, t, 0);
        assert_true(value >= lr.low && value <= lr.high);
        in_log[t] = log(value / lr.low) / log(lr.high / lr.low);
        plain[t] = (value - lr.low) / (lr.high - lr.low);
    }
    assert_true(distance_to_uniform(in_log, MANY) < critical);
    assert_true(distance_to_uniform(plain, MANY) > .5);
    for (size_t t = 0; t < MANY; t++) {
        plain[t] = number(&points, t, 1) / 2;
        assert_true(plain[t] >= 0 && plain[t] <= 1);
    }
    assert_true(distance_to_uniform(plain, MANY) < critical);
    dip_sweep_points_free(&points);
}

/* Chi-square of the counts of 1 to 8 against the expected shares, 7 degrees of
 * freedom: 18.48 at 1 %. `lr` beside it makes all points different. */
static double spread(const dip_sweep_parameter *p, const double *shares)
{
    double counts[9] = {0}, sum = 0;
    dip_sweep_points points;
    draw(&points, (dip_sweep_parameter[]){*p, lr}, 2, MANY, 2);
    for (size_t t = 0; t < MANY; t++) {
        double value = number(&points, t, 0);
        assert_true(value == rint(value) && value >= 1 && value <= 8);
        counts[(int)value]++;
    }
    for (int i = 1; i <= 8; i++)
        sum += pow(counts[i] - MANY * shares[i], 2) / (MANY * shares[i]);
    dip_sweep_points_free(&points);
    return sum;
}

static void test_space_whole_numbers_have_both_ends(void **state)
{
    (void)state;
    double even[9], falling[9];
    for (int i = 1; i <= 8; i++) {
        even[i] = 1. / 8;
        falling[i] = log((i + 1.) / i) / log(9);
    }
    assert_true(spread(&depth, even) < 18.48);
    assert_true(spread(&log_depth, falling) < 18.48);
    assert_true(spread(&log_depth, even) > 100);
}

static void test_space_draws_are_a_function_of_seed_and_trial(void **state)
{
    (void)state;
    const dip_sweep_parameter all[] = {lr, width, depth};
    dip_sweep_points few, many, other;
    size_t same = 0;
    draw(&few, all, 3, 20, 7);
    draw(&many, all, 3, 50, 7);
    draw(&other, all, 3, 20, 8);
    for (size_t t = 0; t < 20; t++) {
        for (size_t p = 0; p < 3; p++)
            assert_string_equal(dip_sweep_value(&few, t, p),
                                dip_sweep_value(&many, t, p));
        same += strcmp(dip_sweep_value(&few, t, 0),
                       dip_sweep_value(&other, t, 0)) == 0;
    }
    assert_int_equal(same, 0);
    dip_sweep_points_free(&few);
    dip_sweep_points_free(&many);
    dip_sweep_points_free(&other);
}

/* All 48 points of a space that has so many. */
static void test_space_never_draws_a_point_twice(void **state)
{
    (void)state;
    const dip_sweep_parameter all[] = {width, kind, depth};
    const dip_sweep_space space = {all, 3, 3};
    bool seen[3][2][9] = {{{false}}};
    dip_sweep_points points;
    assert_int_equal(dip_sweep_space_size(&space), 48);
    draw(&points, all, 3, 48, 3);
    for (size_t t = 0; t < 48; t++) {
        size_t w = 0, k = 0;
        while (strcmp(widths[w], dip_sweep_value(&points, t, 0)) != 0)
            w++;
        while (strcmp(kinds[k], dip_sweep_value(&points, t, 1)) != 0)
            k++;
        bool *at = &seen[w][k][(int)number(&points, t, 2)];
        assert_false(*at);
        *at = true;
    }
    dip_sweep_points_free(&points);
}

static void test_space_rounds_no_number_out_of_its_range(void **state)
{
    (void)state;
    const dip_sweep_parameter narrow = {
        .name = "x", .key = "x", .low = 1.00001234, .high = 1.00001235};
    dip_sweep_points points;
    draw(&points, &narrow, 1, 100, 4);
    for (size_t t = 0; t < 100; t++) {
        double value = number(&points, t, 0);
        assert_true(value >= narrow.low && value <= narrow.high);
    }
    dip_sweep_points_free(&points);
}

static void test_space_grid_has_every_combination_in_order(void **state)
{
    (void)state;
    const dip_sweep_parameter all[] = {width, kind};
    const dip_sweep_space space = {all, 2, 0};
    dip_sweep_points points;
    assert_int_equal(dip_sweep_grid(&points, &space, NULL), DIP_OK);
    assert_int_equal(points.trials, 6);
    for (size_t t = 0; t < 6; t++) {
        assert_string_equal(dip_sweep_value(&points, t, 0), widths[t / 2]);
        assert_string_equal(dip_sweep_value(&points, t, 1), kinds[t % 2]);
    }
    dip_sweep_points_free(&points);
}

static void test_space_size_is_known_of_whole_numbers_alone(void **state)
{
    (void)state;
    const dip_sweep_parameter huge = {
        .name = "x", .key = "x", .low = 0, .high = 9e15, .integer = true};
    const dip_sweep_parameter two[] = {huge, huge}, one[] = {width, lr};
    assert_true(dip_sweep_space_size(&(dip_sweep_space){two, 2, 0}) ==
                SIZE_MAX);
    assert_true(dip_sweep_space_size(&(dip_sweep_space){one, 2, 0}) ==
                SIZE_MAX);
    assert_int_equal(dip_sweep_space_size(&(dip_sweep_space){one, 1, 0}), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_space_log_ranges_are_uniform_in_the_logarithm),
        cmocka_unit_test(test_space_whole_numbers_have_both_ends),
        cmocka_unit_test(test_space_draws_are_a_function_of_seed_and_trial),
        cmocka_unit_test(test_space_never_draws_a_point_twice),
        cmocka_unit_test(test_space_rounds_no_number_out_of_its_range),
        cmocka_unit_test(test_space_grid_has_every_combination_in_order),
        cmocka_unit_test(test_space_size_is_known_of_whole_numbers_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
