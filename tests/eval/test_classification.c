/* The hard cases of docs/metrics.md by number, and bad input. The golden
 * values are in test_golden.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "eval/classification.h"

static void assert_close(double got, double expected)
{
    if (!(fabs(got - expected) < 5e-7))
        fail_msg("got %.9g, not %.9g", got, expected);
}

static void assert_prf(dip_prf got, double precision, double recall, double f1)
{
    assert_close(got.precision, precision);
    assert_close(got.recall, recall);
    assert_close(got.f1, f1);
}

static void test_classification_case_8_averages(void **state)
{
    (void)state;
    static const int32_t labels[] = {0, 0, 1, 1}, predicted[] = {0, 3, 1, 1};
    static const struct {
        dip_classification_options options;
        double precision, recall, f1;
    } cases[] = {
        {{0}, 2. / 3, .5, 5. / 9},
        {{.all_classes = true}, .5, .375, 5. / 12},
        {{.all_classes = true, .zero_division = 1}, .75, .875, 2. / 3},
    };
    for (size_t i = 0; i < 3; i++) {
        dip_classification c;
        assert_int_equal(dip_classification_evaluate(&c, labels, predicted, 4,
                                                     4, &cases[i].options,
                                                     NULL),
                         DIP_OK);
        assert_prf(c.macro, cases[i].precision, cases[i].recall, cases[i].f1);
        assert_prf(c.micro, .75, .75, .75);
        assert_prf(c.weighted, 1, .75, 5. / 6);
        assert_close(c.accuracy, .75);
        assert_int_equal(c.present, 3);
        assert_null(c.confusion);
        dip_classification_free(&c);
    }
}

static void test_classification_case_9_ties_and_one_class(void **state)
{
    (void)state;
    static const int32_t labels[] = {0, 1, 0, 1}, other[] = {1, 0, 1, 0};
    static const int32_t same[] = {1, 1, 1, 1}, none[] = {0, 0, 0, 0};
    static const double scores[] = {.5, .5, .1, .9}, tied[] = {.5, .5, .5, .1};
    dip_binary b;
    assert_int_equal(dip_binary_evaluate(&b, labels, scores, 4, NULL), DIP_OK);
    assert_close(b.auc, .875);
    assert_int_equal(dip_binary_evaluate(&b, other, tied, 4, NULL), DIP_OK);
    assert_close(b.average_precision, 2. / 3);
    assert_int_equal(dip_binary_evaluate(&b, same, scores, 4, NULL), DIP_OK);
    assert_true(isnan(b.auc));
    assert_close(b.average_precision, 1);
    assert_int_equal(dip_binary_evaluate(&b, none, scores, 4, NULL), DIP_OK);
    assert_true(isnan(b.auc));
    assert_true(isnan(b.average_precision));
    assert_true(isnan(b.best_f1));
}

static void test_classification_case_10_scores_are_not_squashed(void **state)
{
    (void)state;
    static const int32_t labels[] = {1, 0, 0, 1};
    static const double scores[] = {2, -1, 30, 31};
    const double infinite[] = {2, -INFINITY, 30, INFINITY};
    dip_binary b;
    assert_int_equal(dip_binary_evaluate(&b, labels, scores, 4, NULL), DIP_OK);
    assert_close(b.auc, .75);
    assert_int_equal(dip_binary_evaluate(&b, labels, infinite, 4, NULL),
                     DIP_OK);
    assert_close(b.auc, .75);
}

/* F1 is 2/3 with only the first taken, and again with all four. */
static void test_classification_best_threshold_is_the_highest(void **state)
{
    (void)state;
    static const int32_t labels[] = {1, 0, 0, 1};
    static const double scores[] = {.9, .5, .4, .1};
    dip_binary b;
    assert_int_equal(dip_binary_evaluate(&b, labels, scores, 4, NULL), DIP_OK);
    assert_close(b.best_f1, 2. / 3);
    assert_close(b.best_threshold, .9);
}

static void test_classification_case_11_calibration(void **state)
{
    (void)state;
    static const double confidence[] = {1, .8, .8, .6, .2, .9};
    static const int32_t correct[] = {1, 1, 0, 1, 0, -1};
    dip_calibration c;
    assert_int_equal(
        dip_calibration_evaluate(&c, confidence, correct, 6, 10, NULL), DIP_OK);
    assert_int_equal(c.rows, 5);
    assert_close(c.ece, .24);
    assert_close(c.ece_l2, .275681);
    assert_close(c.ece_max, .4);
    assert_close(c.brier, .176);
}

/* .3 ends the third of ten bins; with two rows at it and one just above, the
 * gaps are |1 - .3| and |0 - .31|. */
static void test_classification_bins_are_closed_above(void **state)
{
    (void)state;
    static const double confidence[] = {.3, .3, .31, 0};
    static const int32_t correct[] = {1, 1, 0, 0};
    dip_calibration c;
    assert_int_equal(
        dip_calibration_evaluate(&c, confidence, correct, 4, 10, NULL), DIP_OK);
    assert_close(c.ece_max, .7);
    assert_close(c.ece, (.7 * 2 + .31) / 4);
}

static void test_classification_case_12_nan_scores(void **state)
{
    (void)state;
    const double scores[] = {1, 2, NAN};
    static const int32_t labels[] = {1, 0, 0}, missing[] = {1, 0, -1};
    dip_binary b;
    dip_err err = {0};
    assert_int_equal(dip_binary_evaluate(&b, labels, scores, 3, &err),
                     DIP_ENUMERIC);
    assert_string_equal(err.msg, "the score of row 2 is NaN");
    assert_int_equal(dip_binary_evaluate(&b, missing, scores, 3, &err), DIP_OK);
    assert_int_equal(b.missing, 1);

    const float table[] = {1, 2, 3, NAN, 2, 1};
    int32_t best[2];
    double top;
    assert_int_equal(dip_classification_argmax(best, table, 2, 3, &err),
                     DIP_ENUMERIC);
    assert_string_equal(err.msg, "the score of row 1 for class 0 is NaN");
    assert_int_equal(
        dip_classification_top_k(&top, labels, table, 2, 3, 1, &err),
        DIP_ENUMERIC);
    assert_string_equal(err.msg, "the score of row 1 for class 0 is NaN");
}

static void test_classification_top_k_is_pessimistic_in_ties(void **state)
{
    (void)state;
    static const int32_t labels[] = {0, 2, -1};
    static const float scores[] = {1, 1, 0, 0, 1, 2, 9, 9, 9};
    double top;
    assert_int_equal(
        dip_classification_top_k(&top, labels, scores, 3, 3, 1, NULL), DIP_OK);
    assert_close(top, .5);
    assert_int_equal(
        dip_classification_top_k(&top, labels, scores, 3, 3, 2, NULL), DIP_OK);
    assert_close(top, 1);
    assert_int_equal(
        dip_classification_top_k(&top, labels + 2, scores, 1, 3, 1, NULL),
        DIP_OK);
    assert_true(isnan(top));
}

static void test_classification_without_labels_is_nan(void **state)
{
    (void)state;
    static const int32_t labels[] = {-1, -1}, predicted[] = {0, 1};
    dip_classification_options options = {.all_classes = true};
    dip_classification c;
    assert_int_equal(dip_classification_evaluate(&c, labels, predicted, 2, 2,
                                                 &options, NULL),
                     DIP_OK);
    assert_int_equal(c.missing, 2);
    assert_int_equal(c.rows, 0);
    assert_true(isnan(c.accuracy) && isnan(c.macro.f1) && isnan(c.micro.f1) &&
                isnan(c.weighted.f1));
    dip_classification_free(&c);

    dip_calibration calibration;
    assert_int_equal(
        dip_calibration_evaluate(&calibration, NULL, NULL, 0, 5, NULL), DIP_OK);
    assert_true(isnan(calibration.ece) && isnan(calibration.brier));
}

static void assert_labels_refused(const int32_t *labels,
                                  const int32_t *predicted, const char *message)
{
    dip_classification_options options = {.confusion = true};
    dip_classification c;
    dip_err err = {0};
    assert_int_equal(dip_classification_evaluate(&c, labels, predicted, 2, 3,
                                                 &options, &err),
                     DIP_EDATA);
    assert_string_equal(err.msg, message);
    assert_null(c.per_class);
    assert_null(c.confusion);
}

static void test_classification_refuses_unknown_labels(void **state)
{
    (void)state;
    static const int32_t good[] = {0, 2}, above[] = {0, 3}, below[] = {-2, 0};
    assert_labels_refused(above, good, "row 1 has label 3 of 3 classes");
    assert_labels_refused(below, good, "row 0 has label -2 of 3 classes");
    assert_labels_refused(good, above, "row 1 has prediction 3 of 3 classes");
    assert_labels_refused(good, below, "row 0 has prediction -2 of 3 classes");
}

static void test_classification_refuses_bad_confidences(void **state)
{
    (void)state;
    static const int32_t correct[] = {1, 0}, wrong[] = {1, 2};
    static const double fine[] = {.5, 1}, above[] = {.5, 1.5};
    const double nan[] = {.5, NAN};
    dip_calibration c;
    dip_err err = {0};
    assert_int_equal(dip_calibration_evaluate(&c, above, correct, 2, 5, &err),
                     DIP_EDATA);
    assert_string_equal(err.msg, "row 1 has confidence 1.5, outside 0 to 1");
    assert_int_equal(dip_calibration_evaluate(&c, nan, correct, 2, 5, &err),
                     DIP_EDATA);
    assert_int_equal(dip_calibration_evaluate(&c, fine, wrong, 2, 5, &err),
                     DIP_EDATA);
    assert_string_equal(err.msg, "row 1 is marked 2, which is not 0, 1 or -1");
    assert_int_equal(dip_calibration_evaluate(&c, fine, correct, 2, 0, &err),
                     DIP_ERANGE);
    dip_binary b;
    assert_int_equal(dip_binary_evaluate(&b, wrong, fine, 2, &err), DIP_EDATA);
    assert_string_equal(err.msg, "row 1 has label 2, which is not 0, 1 or -1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classification_case_8_averages),
        cmocka_unit_test(test_classification_case_9_ties_and_one_class),
        cmocka_unit_test(test_classification_case_10_scores_are_not_squashed),
        cmocka_unit_test(test_classification_best_threshold_is_the_highest),
        cmocka_unit_test(test_classification_case_11_calibration),
        cmocka_unit_test(test_classification_bins_are_closed_above),
        cmocka_unit_test(test_classification_case_12_nan_scores),
        cmocka_unit_test(test_classification_top_k_is_pessimistic_in_ties),
        cmocka_unit_test(test_classification_without_labels_is_nan),
        cmocka_unit_test(test_classification_refuses_unknown_labels),
        cmocka_unit_test(test_classification_refuses_bad_confidences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
