#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "eval/areas.h"
#include "eval/matching.h"

#define NEAR(got, wanted) assert_true(fabs((got) - (wanted)) < 1e-9)

static dip_stats_options few_resamples(void)
{
    dip_stats_options options = dip_stats_defaults();
    options.resamples = 500;
    options.seed = 3;
    return options;
}

/* scikit-learn 1.9.1, roc_auc_score and average_precision_score with
 * sample_weight. */
static void test_areas_of_rows_that_stand_several_times(void **state)
{
    (void)state;
    const double scores[] = {.9, .5, .5, .1, 2, .5, -1, .9};
    const int32_t labels[] = {1, 0, 1, 0, 1, 0, 1, 7};
    const int32_t once[] = {1, 1, 1, 1, 1, 1, 1, 1};
    const int32_t some[] = {2, 1, 3, 0, 1, 2, 1, 1};
    const int32_t one_class[] = {1, 0, 2, 0, 1, 0, 3, 0};
    const int32_t no_positive[] = {0, 1, 0, 1, 0, 1, 0, 1};
    dip_score_order order;
    double auc, precision;
    assert_int_equal(dip_score_order_make(&order, scores, 8, NULL), DIP_OK);
    dip_score_order_areas(&auc, &precision, &order, labels, 1, once);
    NEAR(auc, 0.59375);
    NEAR(precision, 0.666666666667);
    dip_score_order_areas(&auc, &precision, &order, labels, 1, some);
    NEAR(auc, 0.553571428571);
    NEAR(precision, 0.705194805195);
    dip_score_order_areas(&auc, &precision, &order, labels, 1, one_class);
    assert_true(isnan(auc) && precision == 1);
    dip_score_order_areas(&auc, &precision, &order, labels, 1, no_positive);
    assert_true(isnan(auc) && isnan(precision));
    dip_score_order_free(&order);
}

/* The middle of an interval's name is that of dip_class_scores. */
static void test_areas_of_classes_are_those_of_the_scores(void **state)
{
    (void)state;
    const int32_t labels[] = {0, 1, 2, -1, 1, 3, 0, 2};
    const float probabilities[] = {
        .5f, .25f, .25f, .5f,  .5f, 0,    .25f, 0,   .75f, .5f, .25f, .25f,
        0,   1,    0,    .25f, .5f, .25f, .25f, .5f, .25f, .5f, 0,    .5f};
    const dip_class_probabilities p = {labels, probabilities, 8, 3};
    const int64_t together[] = {4, 4, 4, 9, 4, 4, 4, 4};
    const dip_stats_options options = few_resamples();
    dip_class_scores scores;
    dip_interval out[2];
    assert_int_equal(dip_class_scores_evaluate(&scores, &p, NULL), DIP_OK);
    assert_int_equal(dip_class_area_intervals(out, &p, NULL, &options, NULL),
                     DIP_OK);
    NEAR(out[0].mean, scores.macro.roc_auc);
    NEAR(out[1].mean, scores.macro.average_precision);
    assert_true(out[0].low < out[0].mean && out[0].mean < out[0].high);
    assert_true(out[1].low < out[1].mean && out[1].high <= 1);
    /* What is drawn together only comes as it is. */
    assert_int_equal(
        dip_class_area_intervals(out, &p, together, &options, NULL), DIP_OK);
    NEAR(out[0].low, scores.macro.roc_auc);
    NEAR(out[0].high, scores.macro.roc_auc);
    dip_class_scores_free(&scores);
    const int32_t none[] = {-1, -1, -1, -1, -1, -1, -1, -1};
    const dip_class_probabilities unlabelled = {none, probabilities, 8, 3};
    assert_int_equal(
        dip_class_area_intervals(out, &unlabelled, NULL, &options, NULL),
        DIP_EDATA);
}

static void test_areas_of_too_much_are_left_out(void **state)
{
    (void)state;
    const int32_t label = 0;
    const float probability = 1;
    const dip_class_probabilities huge = {&label, &probability, 10000001, 5};
    const dip_stats_options options = few_resamples();
    dip_interval out[2];
    assert_int_equal(dip_class_area_intervals(out, &huge, NULL, &options, NULL),
                     DIP_OK);
    assert_true(isnan(out[0].mean) && isnan(out[1].high));
}

static void test_areas_median_and_its_interval(void **state)
{
    (void)state;
    const double four[] = {7, 1, 3, 2}, three[] = {5, 1, (double)INFINITY};
    const int64_t pairs[] = {1, 1, 2, 2}; /* {7, 1} and {3, 2} */
    const double lost[] = {(double)INFINITY, (double)INFINITY, 1};
    dip_stats_options options = few_resamples();
    dip_interval interval;
    assert_int_equal(
        dip_bootstrap_median(&interval, four, NULL, 4, &options, NULL), DIP_OK);
    NEAR(interval.mean, 2.5);
    assert_true(interval.low >= 1 && interval.low <= 2);
    assert_true(interval.high >= 3 && interval.high <= 7);
    /* Of the three samples of two pairs the medians are 4, 2.5 and 2.5. */
    assert_int_equal(
        dip_bootstrap_median(&interval, four, pairs, 4, &options, NULL),
        DIP_OK);
    NEAR(interval.low, 2.5);
    NEAR(interval.high, 4);
    assert_int_equal(
        dip_bootstrap_median(&interval, three, NULL, 3, &options, NULL),
        DIP_OK);
    NEAR(interval.mean, 5);
    assert_int_equal(
        dip_bootstrap_median(&interval, lost, NULL, 3, &options, NULL), DIP_OK);
    assert_true(isinf(interval.mean) && !isfinite(interval.high));
    const double bad[] = {1, (double)NAN};
    assert_int_equal(
        dip_bootstrap_median(&interval, bad, NULL, 2, &options, NULL),
        DIP_ENUMERIC);
}

/* Three groups of two queries and two products each, on a line. */
static void test_areas_of_matching(void **state)
{
    (void)state;
    const float queries[] = {1, 1.1f, 2, 2.1f, 3, -1},
                products[] = {1, .9f, 2, 2.2f, 3, 3};
    const int64_t groups[] = {1, 1, 2, 2, 3, 3}, one[] = {1, 1, 1, 1, 1, 2};
    dip_matching_split split = {
        .queries = {.data = queries, .rows = 6, .dim = 1},
        .products = {.data = products, .rows = 6, .dim = 1},
        .query_group = groups,
        .product_group = groups};
    dip_stats_options options = few_resamples();
    dip_matching m;
    dip_interval out[DIP_MATCHING_INTERVALS];
    assert_int_equal(
        dip_matching_evaluate(&m, &split, &split, options.seed, NULL), DIP_OK);
    assert_int_equal(
        dip_matching_intervals(out, &split, m.threshold, &options, NULL),
        DIP_OK);
    const double wanted[] = {m.accuracy, m.precision, m.recall, m.f1, m.auc};
    const char *const names[] = {"accuracy", "precision", "recall", "f1",
                                 "auc"};
    bool wide = false;
    for (int i = 0; i < DIP_MATCHING_INTERVALS; i++) {
        NEAR(out[i].mean, wanted[i]);
        assert_true(out[i].low <= out[i].mean && out[i].mean <= out[i].high);
        assert_string_equal(dip_matching_interval_name(i), names[i]);
        wide |= out[i].low < out[i].high - .1;
    }
    assert_true(wide);
    /* With all queries of a positive pair but one in one group, two units. */
    split.query_group = split.product_group = one;
    assert_int_equal(dip_matching_intervals(out, &split, -100, &options, NULL),
                     DIP_OK);
    NEAR(out[0].low, .5); /* all are taken for matches */
    NEAR(out[0].high, .5);
    NEAR(out[2].low, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_areas_of_rows_that_stand_several_times),
        cmocka_unit_test(test_areas_of_classes_are_those_of_the_scores),
        cmocka_unit_test(test_areas_of_too_much_are_left_out),
        cmocka_unit_test(test_areas_median_and_its_interval),
        cmocka_unit_test(test_areas_of_matching),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
