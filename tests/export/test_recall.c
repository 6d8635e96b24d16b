#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/recall.h"
#include "tests/export/helper.h"

enum { PAIRS = 12 }; /* more than the first ten */

/* Row i is the ith axis. */
static void set_axes(float *rows)
{
    memset(rows, 0, sizeof(float) * PAIRS * PAIRS);
    for (int i = 0; i < PAIRS; i++)
        rows[i * PAIRS + i] = 1;
}

static dip_recall compare(const dip_recall_partner *partner, const float *rows,
                          const float *wanted)
{
    dip_recall recall;
    dip_err err = {0};
    assert_ok(
        dip_recall_compare(&recall, partner, rows, wanted, PAIRS, PAIRS, &err),
        &err);
    return recall;
}

/* With rows on axes, each query finds its own row and the first nine others,
 * which all score 0; a row that points away is the last of its query alone. */
static void test_recall_counts_answers_that_are_lost(void **state)
{
    (void)state;
    float axes[PAIRS * PAIRS], wanted[PAIRS * PAIRS], rows[PAIRS * PAIRS];
    set_axes(axes);
    set_axes(wanted);
    set_axes(rows);
    rows[0] = -1;
    rows[5 * PAIRS + 5] = -1;
    const dip_recall_partner partner = {.rows = axes};
    dip_recall recall = compare(&partner, rows, wanted);
    assert_int_equal(recall.pairs, PAIRS);
    assert_near(recall.live, 1, 0);
    assert_near(recall.artefact, 10.0 / 12, 1e-12);
    assert_near(recall.overlap, 118.0 / 120, 1e-12);
    recall = compare(&partner, wanted, wanted);
    assert_near(recall.artefact, 1, 0);
    assert_near(recall.overlap, 1, 0);
}

/* The other way round, one row that is everybody's best pushes out the last of
 * the first ten; for row 11 and 10 that is what fills up, for others too. */
static void test_recall_searches_in_the_direction_of_the_partner(void **state)
{
    (void)state;
    float axes[PAIRS * PAIRS], wanted[PAIRS * PAIRS], rows[PAIRS * PAIRS];
    set_axes(axes);
    set_axes(wanted);
    set_axes(rows);
    for (int i = 0; i < PAIRS; i++)
        rows[11 * PAIRS + i] = 2; /* nearest to every query, if it is found */
    dip_recall_partner partner = {.rows = axes};
    dip_recall recall = compare(&partner, rows, wanted);
    assert_near(recall.artefact, 1, 0);
    assert_near(recall.overlap, (11 * 9 + 10) / 120.0, 1e-12);
    partner.answers = true; /* row 11 asks: all tie, the first ten are first */
    recall = compare(&partner, rows, wanted);
    assert_near(recall.live, 1, 0);
    assert_near(recall.artefact, 11.0 / 12, 1e-12);
    assert_near(recall.overlap, 119.0 / 120, 1e-12);
}

static void test_recall_leaves_out_what_is_no_pair(void **state)
{
    (void)state;
    float axes[PAIRS * PAIRS], wanted[PAIRS * PAIRS];
    uint8_t paired[PAIRS];
    set_axes(axes);
    set_axes(wanted);
    memset(paired, 1, sizeof paired);
    paired[3] = 0;
    wanted[4 * PAIRS + 4] = 0; /* nothing was there to embed */
    axes[5 * PAIRS + 5] = 0;
    dip_recall_partner partner = {.rows = axes, .paired = paired};
    assert_int_equal(compare(&partner, wanted, wanted).pairs, PAIRS - 3);
    memset(paired, 0, sizeof paired);
    dip_recall none = compare(&partner, wanted, wanted);
    assert_int_equal(none.pairs, 0);
    assert_true(isnan(none.live) && isnan(none.overlap));
}

/* By distance the row of the same length is nearest, by product the long one.
 */
static void test_recall_scores_by_the_similarity(void **state)
{
    (void)state;
    float axes[PAIRS * PAIRS], wanted[PAIRS * PAIRS], rows[PAIRS * PAIRS];
    set_axes(axes);
    set_axes(wanted);
    set_axes(rows);
    rows[2 * PAIRS + 2] = 100; /* far from all, its own query among them */
    dip_recall_partner partner = {.rows = axes};
    assert_near(compare(&partner, rows, wanted).artefact, 1, 0);
    partner.similarity = DIP_SIMILARITY_EUCLIDEAN;
    assert_near(compare(&partner, rows, wanted).artefact, 11.0 / 12, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recall_counts_answers_that_are_lost),
        cmocka_unit_test(test_recall_searches_in_the_direction_of_the_partner),
        cmocka_unit_test(test_recall_leaves_out_what_is_no_pair),
        cmocka_unit_test(test_recall_scores_by_the_similarity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
