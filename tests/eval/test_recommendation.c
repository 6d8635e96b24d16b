/* Expected values by hand, from the definitions of docs/metrics.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "eval/recommendation.h"

enum { ITEMS = 5, USERS = 4 };

#define NEAR(got, wanted) assert_true(fabs((got) - (wanted)) < 1e-12)

static int64_t list_ends[] = {0, 4, 7, 9, 10};
static int64_t listed[] = {0, 2, 1, 3, 1, 2, 0, 3, 0, 4};
static const double scores[] = {.9, .8, .7, .6, .9, .5, .4, .5, .5, 1};
static int64_t relevant_ends[] = {0, 1, 2, 3, 4};
static int64_t relevant_items[] = {3, 1, 0, 4};
static float grades[] = {1, 1, 1, 0}; /* the last user has nothing relevant */
static int64_t seen_ends[] = {0, 2, 3, 3, 3};
static int64_t seen_items[] = {0, 1, 0};

static const dip_run run = {USERS, NULL, list_ends, listed, scores};
static const dip_relevance relevance = {.queries = USERS,
                                        .lists = USERS,
                                        .offsets = relevant_ends,
                                        .rows = relevant_items,
                                        .grades = grades};
static const dip_relevance seen = {
    .queries = USERS, .lists = USERS, .offsets = seen_ends, .rows = seen_items};

static void test_recommendation_leaves_out_what_was_seen(void **state)
{
    (void)state;
    const dip_recommendations given = {&run, &relevance, &seen, ITEMS};
    const int64_t ends[] = {0, 2, 4, 6, 7}, left[] = {2, 3, 1, 2, 0, 3, 4};
    dip_run out;
    assert_int_equal(dip_recommendation_unseen(&out, &given, NULL), DIP_OK);
    for (int u = 0; u <= USERS; u++)
        assert_int_equal(out.offsets[u], ends[u]);
    for (int i = 0; i < 7; i++)
        assert_int_equal(out.rows[i], left[i]);
    NEAR(out.scores[0], .8);
    dip_recommendation_free(&out);
    /* Without scores the lists stand as they are. */
    const dip_run plain = {USERS, NULL, list_ends, listed, NULL};
    const dip_recommendations unscored = {&plain, &relevance, &seen, ITEMS};
    assert_int_equal(dip_recommendation_unseen(&out, &unscored, NULL), DIP_OK);
    assert_int_equal(out.rows[4], 3);
    assert_int_equal(out.rows[5], 0);
    dip_recommendation_free(&out);
}

static void test_recommendation_measures_lists(void **state)
{
    (void)state;
    dip_recommendations given = {&run, &relevance, &seen, ITEMS};
    dip_recommendation r;
    dip_run out;
    assert_int_equal(dip_recommendation_unseen(&out, &given, NULL), DIP_OK);
    given.run = &out;
    assert_int_equal(dip_recommendation_measure(&r, &given, 1, NULL), DIP_OK);
    assert_int_equal(r.users, 3);
    NEAR(r.coverage, 3 / 5.);
    NEAR(r.gini, 6 / 15.);
    NEAR(r.popularity, 1);
    NEAR(r.lift, 1 / 3.5 - 1);
    assert_int_equal(dip_recommendation_measure(&r, &given, 2, NULL), DIP_OK);
    NEAR(r.coverage, 4 / 5.);
    NEAR(r.gini, 10 / 30.);
    NEAR(r.popularity, .5);
    NEAR(r.lift, .5 / 3.5 - 1);
    dip_recommendation_free(&out);
}

static void test_recommendation_of_nothing_has_no_values(void **state)
{
    (void)state;
    int64_t none[] = {0, 0, 0, 0, 0};
    const dip_run empty = {USERS, NULL, none, listed, scores};
    const dip_relevance fresh = {
        .queries = USERS, .lists = USERS, .offsets = none, .rows = seen_items};
    const dip_recommendations given = {&empty, &relevance, &fresh, ITEMS};
    dip_recommendation r;
    assert_int_equal(dip_recommendation_measure(&r, &given, 1, NULL), DIP_OK);
    assert_int_equal(r.users, 3);
    NEAR(r.coverage, 0);
    assert_true(isnan(r.gini) && isnan(r.popularity) && isnan(r.lift));
}

static void test_recommendation_refuses_items_that_are_none(void **state)
{
    (void)state;
    const dip_recommendations few = {&run, &relevance, &seen, 4};
    dip_run out;
    dip_err err = {0};
    assert_int_equal(dip_recommendation_unseen(&out, &few, &err), DIP_EDATA);
    assert_string_equal(err.msg, "user 3 has item 4 of 4");
    assert_null(out.rows);
}

/* Against the measures of the lists with one user left out, that is, without
 * anything relevant. */
static void
test_recommendation_influences_are_those_of_leaving_out(void **state)
{
    (void)state;
    dip_recommendations given = {&run, &relevance, &seen, ITEMS};
    dip_run out;
    assert_int_equal(dip_recommendation_unseen(&out, &given, NULL), DIP_OK);
    given.run = &out;
    for (int64_t k = 1; k <= 2; k++) {
        double *got, left[DIP_RECOMMENDATION_MEASURES][3];
        int64_t users;
        dip_recommendation whole, rest;
        assert_int_equal(
            dip_recommendation_influences(&got, &users, &given, k, NULL),
            DIP_OK);
        assert_int_equal(users, 3);
        assert_int_equal(dip_recommendation_measure(&whole, &given, k, NULL),
                         DIP_OK);
        for (int u = 0; u < 3; u++) {
            float without[] = {grades[0], grades[1], grades[2], grades[3]};
            without[u] = 0;
            dip_relevance fewer = relevance;
            fewer.grades = without;
            const dip_recommendations others = {&out, &fewer, &seen, ITEMS};
            assert_int_equal(
                dip_recommendation_measure(&rest, &others, k, NULL), DIP_OK);
            for (int m = 0; m < DIP_RECOMMENDATION_MEASURES; m++)
                left[m][u] = dip_recommendation_value(&rest, m);
        }
        for (int m = 0; m < DIP_RECOMMENDATION_MEASURES; m++) {
            double mean = (left[m][0] + left[m][1] + left[m][2]) / 3;
            for (int u = 0; u < 3; u++)
                NEAR(got[m * 3 + u], dip_recommendation_value(&whole, m) +
                                         2 * (mean - left[m][u]));
        }
        free(got);
    }
    dip_recommendation_free(&out);
}

static void test_recommendation_intervals_lie_about_the_figures(void **state)
{
    (void)state;
    dip_recommendations given = {&run, &relevance, &seen, ITEMS};
    dip_interval got[DIP_RECOMMENDATION_MEASURES];
    dip_recommendation r;
    dip_run out;
    const dip_stats_options options = dip_stats_defaults();
    assert_int_equal(dip_recommendation_unseen(&out, &given, NULL), DIP_OK);
    given.run = &out;
    assert_int_equal(
        dip_recommendation_intervals(got, &given, 2, &options, NULL), DIP_OK);
    assert_int_equal(dip_recommendation_measure(&r, &given, 2, NULL), DIP_OK);
    for (int m = 0; m < DIP_RECOMMENDATION_MEASURES; m++) {
        NEAR(got[m].mean, dip_recommendation_value(&r, m));
        assert_true(got[m].low < got[m].mean && got[m].mean < got[m].high);
    }
    dip_recommendation_free(&out);
}

/* One user had something before: without him there is no lift. */
static void test_recommendation_of_one_profile_has_no_interval(void **state)
{
    (void)state;
    int64_t ends[] = {0, 2, 2, 2, 2};
    dip_relevance one = seen;
    one.offsets = ends;
    dip_recommendations given = {&run, &relevance, &one, ITEMS};
    dip_interval got[DIP_RECOMMENDATION_MEASURES];
    const dip_stats_options options = dip_stats_defaults();
    dip_run out;
    assert_int_equal(dip_recommendation_unseen(&out, &given, NULL), DIP_OK);
    given.run = &out;
    assert_int_equal(
        dip_recommendation_intervals(got, &given, 2, &options, NULL), DIP_OK);
    assert_true(isfinite(got[2].mean));
    assert_true(isnan(got[3].mean));
    dip_recommendation_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recommendation_leaves_out_what_was_seen),
        cmocka_unit_test(test_recommendation_measures_lists),
        cmocka_unit_test(
            test_recommendation_influences_are_those_of_leaving_out),
        cmocka_unit_test(test_recommendation_intervals_lie_about_the_figures),
        cmocka_unit_test(test_recommendation_of_one_profile_has_no_interval),
        cmocka_unit_test(test_recommendation_of_nothing_has_no_values),
        cmocka_unit_test(test_recommendation_refuses_items_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
