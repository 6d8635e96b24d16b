/* Expected values are worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/mem.h"
#include "eval/classification.h"
#include "eval/curves.h"

static void assert_near(double found, double wanted)
{
    if (!(fabs(found - wanted) < 1e-6)) /* rows are single precision */
        fail_msg("%.17g is not %.17g", found, wanted);
}

/* Taken from the top: match; two others and a match in one tie; match; other.
 */
static void test_curves_precision_and_recall_of_pairs(void **state)
{
    (void)state;
    const int32_t labels[] = {0, 1, 0, -1, 1, 0, 1};
    const double scores[] = {.1, .9, .5, .7, .5, .5, .3};
    dip_pr_curve curve;
    assert_int_equal(dip_pr_curve_of_pairs(&curve, labels, scores, 7, NULL),
                     DIP_OK);
    assert_int_equal(curve.n, 3);
    assert_near(curve.recall[0], 1. / 3);
    assert_near(curve.precision[0], 1);
    assert_near(curve.threshold[0], .9);
    assert_near(curve.recall[1], 2. / 3);
    assert_near(curve.precision[1], 2. / 4);
    assert_near(curve.threshold[1], .5);
    assert_near(curve.recall[2], 1);
    assert_near(curve.precision[2], 3. / 5);
    assert_near(curve.threshold[2], .3);
}

/* 1,000 matches in order give a hundredth each; the first one stands for 0. */
static void test_curves_precision_and_recall_is_thinned_out(void **state)
{
    (void)state;
    enum { N = 1000 };
    int32_t labels[N];
    double scores[N];
    for (int i = 0; i < N; i++) {
        labels[i] = 1;
        scores[i] = -i;
    }
    dip_pr_curve curve;
    assert_int_equal(dip_pr_curve_of_pairs(&curve, labels, scores, N, NULL),
                     DIP_OK);
    assert_int_equal(curve.n, DIP_PR_POINTS);
    assert_near(curve.recall[0], .001);
    for (int i = 1; i < DIP_PR_POINTS; i++) {
        assert_near(curve.recall[i], i / 100.);
        assert_near(curve.threshold[i], 1 - 10 * i);
    }
}

static void test_curves_without_matches_or_with_nan(void **state)
{
    (void)state;
    const int32_t labels[] = {0, 1};
    const double scores[] = {.5, (double)NAN};
    dip_pr_curve curve;
    dip_err err = {0};
    assert_int_equal(dip_pr_curve_of_pairs(&curve, labels, scores, 1, NULL),
                     DIP_OK);
    assert_int_equal(curve.n, 0);
    assert_int_equal(dip_pr_curve_of_pairs(&curve, labels, scores, 2, &err),
                     DIP_ENUMERIC);
    assert_string_equal(err.msg, "the score of row 1 is NaN");
}

static void test_curves_histogram_of_pairs_counts_all(void **state)
{
    (void)state;
    const int32_t labels[] = {1, 0, 0, -1, 1};
    const double scores[] = {3, -1, -1, 99, 1};
    dip_histogram h;
    dip_histogram_of_pairs(&h, labels, scores, 5);
    assert_near(h.from, -1);
    assert_near(h.from + h.width * h.bins, 3);
    assert_int_equal(h.others[0], 2);
    assert_int_equal(h.matches[h.bins - 1], 1);
    assert_int_equal(h.matches[h.bins / 2], 1);
    int64_t all = 0;
    for (int b = 0; b < h.bins; b++)
        all += h.matches[b] + h.others[b];
    assert_int_equal(all, 4);
    dip_histogram_of_pairs(&h, labels + 1, scores + 1, 2); /* one value */
    assert_true(h.width > 0);
    assert_int_equal(h.others[0], 2);
}

/* ---- rankings ------------------------------------------------------------ */

/* Gallery rows on the axes and one between; query 1 has nothing right. */
static const float gallery[4][2] = {{1, 0}, {0, 1}, {.6f, .8f}, {-1, 0}};
static const float queries[3][2] = {{1, 0}, {0, 1}, {0, 1}};
static int64_t offsets[] = {0, 2, 2, 3};
static int64_t rows[] = {2, 3, 2};

static dip_relevance relevance(void)
{
    return (dip_relevance){
        .queries = 3, .lists = 3, .offsets = offsets, .rows = rows};
}

static const dip_embeddings asked = {&queries[0][0], 3, 2, 0};
static const dip_embeddings found = {&gallery[0][0], 4, 2, 0};

/* Query 0: scores 1, 0, .6, -1, right ones second and last. Query 2: scores
 * 0, 1, .8, 0, the right one second. */
static void test_curves_of_a_ranking(void **state)
{
    (void)state;
    dip_relevance r = relevance();
    dip_ranking_options options = dip_ranking_defaults();
    dip_ranking_curves c;
    assert_int_equal(
        dip_ranking_curves_make(&c, &asked, &found, &r, &options, 10, NULL),
        DIP_OK);
    assert_int_equal(c.queries, 2);
    assert_int_equal(c.n, 2); /* 5 passes the gallery */
    assert_int_equal(c.k[1], 2);
    assert_near(c.hit[0], 0);
    assert_near(c.hit[1], 1);
    assert_near(c.recall[1], (.5 + 1) / 2);
    int64_t matches = 0, others = 0, high = 0;
    for (int b = 0; b < c.scores.bins; b++) {
        matches += c.scores.matches[b];
        others += c.scores.others[b];
        if (c.scores.from + c.scores.width * b > .55)
            high += c.scores.matches[b];
    }
    assert_int_equal(matches, 3);
    assert_int_equal(others, 5);
    assert_int_equal(high, 2);
    assert_near(c.scores.from, -1);
    assert_near(c.scores.from + c.scores.width * c.scores.bins, 1);
}

static void test_curves_of_a_ranking_count_empty_queries_if_told(void **state)
{
    (void)state;
    dip_relevance r = relevance();
    dip_ranking_options options = {.count_empty = true};
    dip_ranking_curves c;
    assert_int_equal(
        dip_ranking_curves_make(&c, &asked, &found, &r, &options, 10, NULL),
        DIP_OK);
    assert_int_equal(c.queries, 3);
    assert_near(c.hit[1], 2. / 3);
}

/* Of two queries that count, one is taken: the first. */
static void test_curves_of_a_ranking_take_some_queries(void **state)
{
    (void)state;
    dip_relevance r = relevance();
    dip_ranking_options options = {0};
    dip_ranking_curves c;
    assert_int_equal(
        dip_ranking_curves_make(&c, &asked, &found, &r, &options, 1, NULL),
        DIP_OK);
    assert_int_equal(c.queries, 1);
    assert_near(c.recall[1], .5);
}

/* Minus squared distances: 0 to -4 here, within -(1 + 1)^2 to 0. */
static void test_curves_of_distances_lie_below_zero(void **state)
{
    (void)state;
    dip_relevance r = relevance();
    dip_ranking_options options = {0};
    dip_ranking_curves c;
    dip_embeddings a = asked, b = found;
    a.similarity = b.similarity = DIP_SIMILARITY_EUCLIDEAN;
    assert_int_equal(
        dip_ranking_curves_make(&c, &a, &b, &r, &options, 10, NULL), DIP_OK);
    assert_near(c.scores.from, -4);
    assert_near(c.scores.from + c.scores.width * c.scores.bins, 0);
    assert_int_equal(c.scores.matches[0], 1);
    assert_int_equal(c.scores.others[c.scores.bins - 1], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curves_precision_and_recall_of_pairs),
        cmocka_unit_test(test_curves_precision_and_recall_is_thinned_out),
        cmocka_unit_test(test_curves_without_matches_or_with_nan),
        cmocka_unit_test(test_curves_histogram_of_pairs_counts_all),
        cmocka_unit_test(test_curves_of_a_ranking),
        cmocka_unit_test(test_curves_of_a_ranking_count_empty_queries_if_told),
        cmocka_unit_test(test_curves_of_a_ranking_take_some_queries),
        cmocka_unit_test(test_curves_of_distances_lie_below_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
