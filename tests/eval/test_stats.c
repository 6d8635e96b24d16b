/* The values of docs/metrics.md, "Statistics", and the edges around them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <omp.h>

#include "base/rng.h"
#include "eval/stats.h"

enum { N = 10 };
static const double A[N] = {1, .5, .333333, 1, 0, .25, 1, .2, .5, 1};
static const double B[N] = {.5, .5, .25, 1, 0, .2, 1, .1, .333333, .5};

static void assert_close(double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance))
        fail_msg("got %.9g, not %.9g", got, expected);
}

static void test_stats_paired_t_test(void **state)
{
    (void)state;
    dip_t_test t;
    assert_int_equal(dip_paired_t_test(&t, A, B, NULL, N, NULL), DIP_OK);
    assert_close(t.p, .051751, 5e-7);
    assert_int_equal(t.df, 9);
    assert_int_equal(dip_paired_t_test(&t, A, A, NULL, N, NULL), DIP_OK);
    assert_true(isnan(t.p));
    static const double shifted[] = {1, 2, 3}, base[] = {0, 1, 2};
    assert_int_equal(dip_paired_t_test(&t, shifted, base, NULL, 3, NULL),
                     DIP_OK);
    assert_close(t.p, 0, 0); /* equal differences: t is infinite */
    dip_err err = {0};
    assert_int_equal(dip_paired_t_test(&t, A, B, NULL, 1, &err), DIP_EDATA);
}

/* statsmodels 0.15.0: OLS of the differences on a constant, cov_type
 * "cluster", use_t. */
static void test_stats_t_test_of_groups(void **state)
{
    (void)state;
    static const int64_t groups[N] = {1, 1, 2, 2, 3, 3, 3, 4, 5, 6};
    dip_t_test t;
    assert_int_equal(dip_paired_t_test(&t, A, B, groups, N, NULL), DIP_OK);
    assert_close(t.t, 2.14229911, 5e-9);
    assert_close(t.p, .08506953, 5e-9);
    assert_int_equal(t.df, 5);
}

/* A comparison without tolerance loses patterns to the last bit. */
static void test_stats_sign_flip_is_exact(void **state)
{
    (void)state;
    dip_stats_options options = dip_stats_defaults();
    double p;
    assert_int_equal(dip_sign_flip_test(&p, A, B, NULL, N, &options, NULL),
                     DIP_OK);
    assert_close(p, 32. / 1024, 0);
    assert_int_equal(dip_sign_flip_test(&p, B, A, NULL, N, &options, NULL),
                     DIP_OK);
    assert_close(p, 32. / 1024, 0);
    assert_int_equal(dip_sign_flip_test(&p, A, A, NULL, N, &options, NULL),
                     DIP_OK);
    assert_close(p, 1, 0);
}

/* Twenty pairs are exact: one pattern and its mirror image of 2^20. With 21
 * equal differences no sample of 999 comes near: 1 / 1000. */
static void test_stats_sign_flip_samples_above_twenty(void **state)
{
    (void)state;
    double ones[21], zeros[21] = {0}, p;
    for (int i = 0; i < 21; i++)
        ones[i] = 1;
    dip_stats_options options = dip_stats_defaults();
    options.resamples = 999;
    assert_int_equal(
        dip_sign_flip_test(&p, ones, zeros, NULL, 20, &options, NULL), DIP_OK);
    assert_close(p, 2. / 1048576, 0);
    assert_int_equal(
        dip_sign_flip_test(&p, ones, zeros, NULL, 21, &options, NULL), DIP_OK);
    assert_close(p, 1. / 1000, 0);
}

/* 55 of 100 equal differences are positive: the p value is that of the
 * two-sided binomial test, within 5 standard errors of the sampling. */
static void test_stats_sign_flip_samples_the_binomial(void **state)
{
    (void)state;
    double a[100], zeros[100] = {0}, p;
    for (int i = 0; i < 100; i++)
        a[i] = i < 55 ? 1 : -1;
    dip_stats_options options = dip_stats_defaults();
    assert_int_equal(
        dip_sign_flip_test(&p, a, zeros, NULL, 100, &options, NULL), DIP_OK);
    double exact = 0, term = pow(.5, 100); /* C(100, k) / 2^100 */
    for (int k = 0; k <= 100; k++) {
        if (k <= 45 || k >= 55)
            exact += term;
        term *= (100. - k) / (k + 1.);
    }
    assert_close(p, exact, 5 * sqrt(exact * (1 - exact) / 10000));
}

/* Flipping groups as one: three groups leave 8 patterns. */
static void test_stats_sign_flip_of_groups(void **state)
{
    (void)state;
    static const double a[] = {1, 1, 1, 1, 1, 1, 1}, zeros[7] = {0};
    static const int64_t groups[] = {5, 9, 5, 9, 2, 5, 5};
    dip_stats_options options = dip_stats_defaults();
    double p;
    assert_int_equal(
        dip_sign_flip_test(&p, a, zeros, groups, 7, &options, NULL), DIP_OK);
    assert_close(p, 2. / 8, 0);
}

static void test_stats_bootstrap_interval(void **state)
{
    (void)state;
    dip_stats_options options = dip_stats_defaults();
    dip_interval i;
    assert_int_equal(options.resamples, 10000);
    assert_int_equal(dip_bootstrap_mean(&i, A, NULL, N, &options, NULL),
                     DIP_OK);
    assert_close(i.mean, .5783333, 1e-6);
    assert_close(i.low, .348, .012);
    assert_close(i.high, .803, .012);
    dip_interval narrow;
    options.level = .5;
    assert_int_equal(dip_bootstrap_mean(&narrow, A, NULL, N, &options, NULL),
                     DIP_OK);
    assert_true(narrow.low > i.low && narrow.high < i.high);
}

static void test_stats_bootstrap_of_differences(void **state)
{
    (void)state;
    double d[N];
    for (int i = 0; i < N; i++)
        d[i] = A[i] - B[i];
    dip_stats_options options = dip_stats_defaults();
    dip_interval paired, single;
    assert_int_equal(
        dip_bootstrap_paired(&paired, A, B, NULL, N, &options, NULL), DIP_OK);
    assert_int_equal(dip_bootstrap_mean(&single, d, NULL, N, &options, NULL),
                     DIP_OK);
    assert_close(paired.mean, single.mean, 0);
    assert_close(paired.low, single.low, 0);
    assert_close(paired.high, single.high, 0);
    assert_true(paired.low < paired.mean && paired.mean < paired.high);
}

/* One group has one resample; two of 1 and 3 rows have means 0, 3/4 and 1. */
static void test_stats_bootstrap_of_groups(void **state)
{
    (void)state;
    static const double values[] = {1, 0, 1, 1};
    static const int64_t same[] = {4, 4, 4, 4}, two[] = {8, 3, 8, 8};
    dip_stats_options options = dip_stats_defaults();
    dip_interval i;
    assert_int_equal(dip_bootstrap_mean(&i, values, same, 4, &options, NULL),
                     DIP_OK);
    assert_close(i.low, .75, 0);
    assert_close(i.high, .75, 0);
    assert_int_equal(dip_bootstrap_mean(&i, values, two, 4, &options, NULL),
                     DIP_OK);
    assert_close(i.low, 0, 0);
    assert_close(i.high, 1, 0);
    options.level = .4; /* the middle half of the resamples is 3/4 */
    assert_int_equal(dip_bootstrap_mean(&i, values, two, 4, &options, NULL),
                     DIP_OK);
    assert_close(i.low, .75, 0);
    assert_close(i.high, .75, 0);
}

static void test_stats_do_not_depend_on_threads(void **state)
{
    (void)state;
    double a[200], b[200], p[2];
    dip_rng rng = dip_rng_stream(1, 1, 0, 0);
    for (int i = 0; i < 200; i++) {
        a[i] = dip_rng_uniform(&rng);
        b[i] = dip_rng_uniform(&rng);
    }
    dip_stats_options options = dip_stats_defaults();
    dip_interval interval[2];
    int threads = omp_get_max_threads();
    for (int i = 0; i < 2; i++) {
        omp_set_num_threads(i == 0 ? 1 : 4);
        assert_int_equal(
            dip_bootstrap_paired(&interval[i], a, b, NULL, 200, &options, NULL),
            DIP_OK);
        assert_int_equal(
            dip_sign_flip_test(&p[i], a, b, NULL, 200, &options, NULL), DIP_OK);
    }
    omp_set_num_threads(threads);
    assert_close(interval[0].low, interval[1].low, 0);
    assert_close(interval[0].high, interval[1].high, 0);
    assert_close(p[0], p[1], 0);
    options.seed = 1;
    assert_int_equal(
        dip_bootstrap_paired(&interval[1], a, b, NULL, 200, &options, NULL),
        DIP_OK);
    assert_true(interval[0].low != interval[1].low);
}

static void test_stats_holm(void **state)
{
    (void)state;
    static const double p[] = {.01, .04, .03, .005};
    static const double expected[] = {.03, .06, .06, .02};
    double adjusted[4];
    assert_int_equal(dip_holm_adjust(adjusted, p, 4, NULL), DIP_OK);
    for (int i = 0; i < 4; i++)
        assert_close(adjusted[i], expected[i], 1e-12);
    const double bad[] = {.5, 1.5}, nan[] = {NAN};
    dip_err err = {0};
    assert_int_equal(dip_holm_adjust(adjusted, bad, 2, &err), DIP_ERANGE);
    assert_string_equal(err.msg, "p value 1 is 1.5");
    assert_int_equal(dip_holm_adjust(adjusted, nan, 1, &err), DIP_ERANGE);
}

static void test_stats_refuse_bad_values(void **state)
{
    (void)state;
    const double bad[] = {1, NAN, 2}, good[] = {1, 2, 3};
    dip_stats_options options = dip_stats_defaults();
    dip_interval i;
    dip_t_test t;
    double p;
    dip_err err = {0};
    assert_int_equal(dip_bootstrap_mean(&i, bad, NULL, 3, &options, &err),
                     DIP_ENUMERIC);
    assert_string_equal(err.msg, "value 1 is not finite");
    assert_int_equal(
        dip_bootstrap_paired(&i, good, bad, NULL, 3, &options, &err),
        DIP_ENUMERIC);
    assert_int_equal(dip_sign_flip_test(&p, good, bad, NULL, 3, &options, &err),
                     DIP_ENUMERIC);
    assert_int_equal(dip_paired_t_test(&t, good, bad, NULL, 3, &err),
                     DIP_ENUMERIC);
    assert_int_equal(dip_bootstrap_mean(&i, good, NULL, 0, &options, &err),
                     DIP_EDATA);
    options.resamples = 0;
    assert_int_equal(dip_bootstrap_mean(&i, good, NULL, 3, &options, &err),
                     DIP_ERANGE);
    options = dip_stats_defaults();
    options.level = 1;
    assert_int_equal(dip_bootstrap_mean(&i, good, NULL, 3, &options, &err),
                     DIP_ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stats_paired_t_test),
        cmocka_unit_test(test_stats_t_test_of_groups),
        cmocka_unit_test(test_stats_sign_flip_is_exact),
        cmocka_unit_test(test_stats_sign_flip_samples_above_twenty),
        cmocka_unit_test(test_stats_sign_flip_samples_the_binomial),
        cmocka_unit_test(test_stats_sign_flip_of_groups),
        cmocka_unit_test(test_stats_bootstrap_interval),
        cmocka_unit_test(test_stats_bootstrap_of_differences),
        cmocka_unit_test(test_stats_bootstrap_of_groups),
        cmocka_unit_test(test_stats_do_not_depend_on_threads),
        cmocka_unit_test(test_stats_holm),
        cmocka_unit_test(test_stats_refuse_bad_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
