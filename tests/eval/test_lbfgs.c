#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "eval/lbfgs.h"

/* Rosenbrock, Computer Journal 1960: its minimum is 0, at (1, 1), the end of a
 * bent valley. */
static double valley(double *gradient, const double *at, void *context)
{
    double a = 1 - at[0], b = at[1] - at[0] * at[0];
    (*(int *)context)++;
    gradient[0] = -2 * a - 400 * at[0] * b;
    gradient[1] = 200 * b;
    return a * a + 100 * b * b;
}

/* Half the sum of 10^i (x_i - i)^2. */
static double bowl(double *gradient, const double *at, void *context)
{
    double sum = 0;
    (void)context;
    for (int i = 0; i < 6; i++) {
        gradient[i] = pow(10, i) * (at[i] - i);
        sum += gradient[i] * (at[i] - i) / 2;
    }
    return sum;
}

static void test_lbfgs_finds_the_end_of_a_valley(void **state)
{
    (void)state;
    double x[2] = {-1.2, 1};
    int calls = 0;
    dip_lbfgs_result result;
    const dip_lbfgs_options options = {200, 1e-8, 0};
    assert_int_equal(
        dip_lbfgs_minimise(&result, x, 2, valley, &calls, &options, NULL),
        DIP_OK);
    assert_true(fabs(x[0] - 1) < 1e-6 && fabs(x[1] - 1) < 1e-6);
    assert_true(result.value < 1e-12 && result.gradient < 1e-6);
    assert_true(result.iterations < 60 && calls < 120);
}

static void test_lbfgs_finds_the_bottom_of_a_narrow_bowl(void **state)
{
    (void)state;
    double x[6] = {5, 5, 5, 5, 5, 5};
    dip_lbfgs_result result;
    const dip_lbfgs_options options = {200, 1e-7, 0};
    assert_int_equal(
        dip_lbfgs_minimise(&result, x, 6, bowl, NULL, &options, NULL), DIP_OK);
    for (int i = 0; i < 6; i++)
        assert_true(fabs(x[i] - i) < 1e-4);
}

static void test_lbfgs_ends_where_it_is_told_to(void **state)
{
    (void)state;
    double x[2] = {-1.2, 1}, best[2] = {1, 1};
    int calls = 0;
    dip_lbfgs_result result;
    dip_lbfgs_options options = {3, 1e-8, 0};
    assert_int_equal(
        dip_lbfgs_minimise(&result, x, 2, valley, &calls, &options, NULL),
        DIP_OK);
    assert_int_equal(result.iterations, 3);
    assert_true(result.value > 1 && result.value < 24.2);
    calls = 0;
    assert_int_equal(
        dip_lbfgs_minimise(&result, best, 2, valley, &calls, &options, NULL),
        DIP_OK);
    assert_int_equal(result.iterations, 0);
    assert_int_equal(calls, 1);
    options = (dip_lbfgs_options){200, 1, 0};
    double y[2] = {-1.2, 1};
    assert_int_equal(
        dip_lbfgs_minimise(&result, y, 2, valley, &calls, &options, NULL),
        DIP_OK);
    assert_true(result.gradient <= 1 && result.value > 1e-12);
    options = (dip_lbfgs_options){200, 0, .5}; /* of 24.2 at the start */
    double z[2] = {-1.2, 1};
    assert_int_equal(
        dip_lbfgs_minimise(&result, z, 2, valley, &calls, &options, NULL),
        DIP_OK);
    assert_true(result.iterations < 10 && result.value > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lbfgs_finds_the_end_of_a_valley),
        cmocka_unit_test(test_lbfgs_finds_the_bottom_of_a_narrow_bowl),
        cmocka_unit_test(test_lbfgs_ends_where_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
