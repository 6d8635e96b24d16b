/* Several runs of one config: the borders at which runs or queries alone
 * decide, with values of scipy 1.17.1 there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <omp.h>

#include "base/rng.h"
#include "eval/seeds.h"

enum { N = 40, RUNS = 3 };

static void assert_close(double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance))
        fail_msg("got %.9g, not %.9g", got, expected);
}

/* Runs whose queries all have the run's mean. */
static void fill(double *values, const double *means, int runs)
{
    for (int i = 0; i < runs * N; i++)
        values[i] = means[i / N];
}

static const double means_a[RUNS] = {.50, .52, .49};
static const double means_b[RUNS] = {.55, .58, .54};

/* Student's t test of the means, within 5 standard errors of the resampling. */
static void test_seeds_alone_are_a_t_test(void **state)
{
    (void)state;
    double a[RUNS * N], b[RUNS * N];
    fill(a, means_a, RUNS);
    fill(b, means_b, RUNS);
    dip_stats_options options = dip_stats_defaults();
    dip_runs_difference d;
    assert_int_equal(dip_runs_compare(&d, &(dip_runs){a, RUNS},
                                      &(dip_runs){b, RUNS}, NULL, N, &options,
                                      NULL),
                     DIP_OK);
    assert_int_equal(d.df, 4);
    assert_close(d.p, .0232151580, 5 * sqrt(.0232151580 / 10000));
    assert_close(d.interval.mean, -.16 / 3, 1e-12);
    assert_close(d.interval.low, -.0947221333, .005);
    assert_close(d.interval.high, -.0119445334, .005);
    /* A side of one run spreads as the other. */
    assert_int_equal(dip_runs_compare(&d, &(dip_runs){a, RUNS},
                                      &(dip_runs){b, 1}, NULL, N, &options,
                                      NULL),
                     DIP_OK);
    assert_int_equal(d.df, 2);
}

static void test_seeds_summary_of_runs(void **state)
{
    (void)state;
    double a[RUNS * N];
    fill(a, means_a, RUNS);
    dip_stats_options options = dip_stats_defaults();
    dip_runs_summary s;
    assert_int_equal(
        dip_runs_summarise(&s, &(dip_runs){a, RUNS}, NULL, N, &options, NULL),
        DIP_OK);
    assert_close(s.interval.mean, .503333333, 1e-9);
    assert_close(s.deviation, .0152752523, 1e-9);
    assert_close(s.interval.low, .465387503, .007);
    assert_close(s.interval.high, .541279164, .007);
    assert_int_equal(
        dip_runs_summarise(&s, &(dip_runs){a, 1}, NULL, N, &options, NULL),
        DIP_OK);
    assert_true(isnan(s.deviation));
    assert_close(s.interval.low, .5, 1e-12);
}

/* Equal runs: what is left is the bootstrap over groups of queries. */
static void test_seeds_that_are_equal_leave_the_queries(void **state)
{
    (void)state;
    double a[2 * N], b[RUNS * N];
    int64_t groups[N];
    dip_rng rng = dip_rng_stream(3, 1, 0, 0);
    for (int i = 0; i < N; i++) {
        groups[i] = i / 3;
        a[i] = a[N + i] = dip_rng_uniform(&rng);
        b[i] = b[N + i] = b[2 * N + i] = dip_rng_uniform(&rng);
    }
    dip_stats_options options = dip_stats_defaults();
    dip_runs_difference d;
    dip_interval queries;
    assert_int_equal(dip_runs_compare(&d, &(dip_runs){a, 2},
                                      &(dip_runs){b, RUNS}, groups, N, &options,
                                      NULL),
                     DIP_OK);
    assert_int_equal(
        dip_bootstrap_paired(&queries, a, b, groups, N, &options, NULL),
        DIP_OK);
    assert_close(d.interval.low, queries.low, 1e-12);
    assert_close(d.interval.high, queries.high, 1e-12);
    /* Rounding in the means of the runs is no difference. */
    assert_int_equal(dip_runs_compare(&d, &(dip_runs){a, 2}, &(dip_runs){a, 1},
                                      groups, N, &options, NULL),
                     DIP_OK);
    assert_close(d.p, 1, 0);
}

/* A test over queries alone sees a difference; with the spread of the runs
 * there is none. */
static void test_seeds_are_not_taken_for_a_difference(void **state)
{
    (void)state;
    static const double up[] = {.0, .1, -.1}, down[] = {-.12, .08, -.1};
    double a[RUNS * N], b[RUNS * N], p;
    dip_rng rng = dip_rng_stream(4, 1, 0, 0);
    for (int i = 0; i < RUNS * N; i++) {
        a[i] = up[i / N] + .05 * dip_rng_normal(&rng);
        b[i] = down[i / N] + .05 * dip_rng_normal(&rng);
    }
    dip_stats_options options = dip_stats_defaults();
    dip_runs_difference d;
    assert_int_equal(dip_sign_flip_test(&p, a, b, NULL, N, &options, NULL),
                     DIP_OK);
    assert_true(p < .001);
    assert_int_equal(dip_runs_compare(&d, &(dip_runs){a, RUNS},
                                      &(dip_runs){b, RUNS}, NULL, N, &options,
                                      NULL),
                     DIP_OK);
    assert_true(d.p > .3);
    assert_true(d.interval.low < 0 && d.interval.high > 0);
}

/* Two runs that agree in the mean but in no query are not sure of it. */
static void test_seeds_of_equal_means_still_differ(void **state)
{
    (void)state;
    double a[2 * N], b[N];
    for (int i = 0; i < N; i++) {
        a[i] = b[i] = i % 2;
        a[N + i] = 1 - i % 2;
    }
    b[1] = 0;
    dip_stats_options options = dip_stats_defaults();
    dip_runs_difference d;
    assert_int_equal(dip_runs_compare(&d, &(dip_runs){a, 2}, &(dip_runs){b, 1},
                                      NULL, N, &options, NULL),
                     DIP_OK);
    assert_true(d.p > .5);
}

static void test_seeds_do_not_depend_on_threads(void **state)
{
    (void)state;
    double a[RUNS * N], b[RUNS * N];
    dip_rng rng = dip_rng_stream(5, 1, 0, 0);
    for (int i = 0; i < RUNS * N; i++) {
        a[i] = dip_rng_uniform(&rng);
        b[i] = dip_rng_uniform(&rng);
    }
    dip_stats_options options = dip_stats_defaults();
    dip_runs_difference d[2];
    int before = omp_get_max_threads();
    for (int i = 0; i < 2; i++) {
        omp_set_num_threads(i == 0 ? 1 : 3);
        assert_int_equal(dip_runs_compare(&d[i], &(dip_runs){a, RUNS},
                                          &(dip_runs){b, RUNS}, NULL, N,
                                          &options, NULL),
                         DIP_OK);
    }
    omp_set_num_threads(before);
    assert_memory_equal(&d[0], &d[1], sizeof d[0]);
}

static void test_seeds_need_two_runs_of_a_side(void **state)
{
    (void)state;
    double a[N] = {0};
    dip_stats_options options = dip_stats_defaults();
    dip_runs_difference d;
    dip_err err = {0};
    assert_int_equal(dip_runs_compare(&d, &(dip_runs){a, 1}, &(dip_runs){a, 1},
                                      NULL, N, &options, &err),
                     DIP_EDATA);
    assert_string_equal(err.msg, "one run a side tells nothing of seeds");
    double wrong[2 * N] = {0};
    wrong[N + 4] = NAN;
    assert_int_equal(dip_runs_compare(&d, &(dip_runs){wrong, 2},
                                      &(dip_runs){a, 1}, NULL, N, &options,
                                      &err),
                     DIP_ENUMERIC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seeds_alone_are_a_t_test),
        cmocka_unit_test(test_seeds_summary_of_runs),
        cmocka_unit_test(test_seeds_that_are_equal_leave_the_queries),
        cmocka_unit_test(test_seeds_are_not_taken_for_a_difference),
        cmocka_unit_test(test_seeds_of_equal_means_still_differ),
        cmocka_unit_test(test_seeds_do_not_depend_on_threads),
        cmocka_unit_test(test_seeds_need_two_runs_of_a_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
