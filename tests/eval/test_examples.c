#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "eval/examples.h"

/* Six queries that ask as gallery row 0; the last has nothing right, 1 and 2
 * are of one group, 4 is right at once. */
enum { QUERIES = 6 };
static const float gallery[3][2] = {{1, 0}, {.8f, .6f}, {0, 1}};
static const float queries[QUERIES][2] = {{1, 0}, {1, 0}, {1, 0},
                                          {1, 0}, {1, 0}, {1, 0}};
static int64_t groups[] = {10, 11, 11, 12, 13, 14};
static int64_t relevant[] = {1, 1, 1, 1, 1, 0};
static double ranks[] = {3, 2, 3, 2, 1, (double)INFINITY};
static int64_t offsets[] = {0, 1, 2, 3, 4, 5, 5};
static int64_t rows[] = {2, 1, 2, 1, 0};
static float scores[] = {1, 1, 1, .9f, 1, 1};
static uint8_t right[] = {0, 0, 0, 0, 1, 0};
static const int64_t query[] = {0, 1, 2, 3, 4, 5};

static const dip_outcomes outcomes = {.count = QUERIES,
                                      .group = groups,
                                      .relevant = relevant,
                                      .rank = ranks,
                                      .top = 1,
                                      .top_score = scores,
                                      .top_right = right};
static const dip_relevance judged = {
    .queries = QUERIES, .lists = QUERIES, .offsets = offsets, .rows = rows};
static const dip_examples_source source = {
    .outcomes = &outcomes,
    .query = query,
    .queries = {&queries[0][0], QUERIES, 2, 0},
    .gallery = {&gallery[0][0], 3, 2, 0},
    .relevance = &judged};

static void test_examples_show_the_worst_first_and_no_group_twice(void **state)
{
    (void)state;
    dip_examples e;
    assert_int_equal(dip_examples_choose(&e, &source, 2, 1, NULL), DIP_OK);
    assert_int_equal(e.counts[DIP_EXAMPLES_WORST], 2);
    assert_int_equal(e.items[DIP_EXAMPLES_WORST][0].outcome, 0);
    assert_int_equal(e.items[DIP_EXAMPLES_WORST][0].wanted, 2);
    assert_true(fabs(e.items[DIP_EXAMPLES_WORST][0].score) < 1e-12);
    assert_int_equal(e.items[DIP_EXAMPLES_WORST][1].outcome, 2);
    /* what is left of the failures: 1 is of the group of 2 */
    assert_int_equal(e.counts[DIP_EXAMPLES_CONFUSED], 1);
    assert_int_equal(e.items[DIP_EXAMPLES_CONFUSED][0].outcome, 3);
    assert_int_equal(e.items[DIP_EXAMPLES_CONFUSED][0].wanted, 1);
    assert_true(fabs(e.items[DIP_EXAMPLES_CONFUSED][0].score - .8) < 1e-6);
    /* 4 and 5, in an order that chance gives */
    assert_int_equal(e.counts[DIP_EXAMPLES_RANDOM], 2);
    int64_t a = e.items[DIP_EXAMPLES_RANDOM][0].outcome;
    int64_t b = e.items[DIP_EXAMPLES_RANDOM][1].outcome;
    assert_true((a == 4 && b == 5) || (a == 5 && b == 4));
    int at = a == 4 ? 1 : 0;
    assert_int_equal(e.items[DIP_EXAMPLES_RANDOM][at].wanted, -1);
}

/* By margin: 1 - 0 for 0 and 2, 1 - .8 for 1, .9 - .8 for 3. */
static void test_examples_of_confusions_go_by_the_margin(void **state)
{
    (void)state;
    dip_outcomes o = outcomes;
    double equal[] = {2, 2, 2, 2, 1, (double)INFINITY};
    int64_t apart[] = {1, 2, 3, 4, 5, 6};
    o.rank = equal;
    o.group = apart;
    dip_examples_source s = source;
    s.outcomes = &o;
    dip_examples e;
    assert_int_equal(dip_examples_choose(&e, &s, 1, 1, NULL), DIP_OK);
    assert_int_equal(e.items[DIP_EXAMPLES_WORST][0].outcome, 0);
    assert_int_equal(e.items[DIP_EXAMPLES_CONFUSED][0].outcome, 2);
}

static void test_examples_are_the_same_again(void **state)
{
    (void)state;
    dip_examples a, b, other;
    memset(&a, 1, sizeof a);
    memset(&b, 2, sizeof b);
    assert_int_equal(dip_examples_choose(&a, &source, 50, 7, NULL), DIP_OK);
    assert_int_equal(dip_examples_choose(&b, &source, 500, 7, NULL), DIP_OK);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(dip_examples_choose(&other, &source, 0, 7, NULL), DIP_OK);
    for (int kind = 0; kind < DIP_EXAMPLES_KINDS; kind++)
        assert_int_equal(other.counts[kind], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_show_the_worst_first_and_no_group_twice),
        cmocka_unit_test(test_examples_of_confusions_go_by_the_margin),
        cmocka_unit_test(test_examples_are_the_same_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
