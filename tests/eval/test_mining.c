#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "eval/mining.h"

enum { ROWS = 60, QUERIES = 9, DIM = 3, COUNT = 4 };

static float queries[QUERIES * DIM], gallery[ROWS * DIM];
static int64_t query_rows[QUERIES], gallery_rows[ROWS], own[QUERIES];
static int64_t values[2 * ROWS];

/* Gallery row g is row 2 g of the catalog; query q is row 4 q, the product at
 * 2 q of the gallery. Rows are right answers where g / 5 is the same. */
static dip_mine_input make_input(dip_row_keys *keys)
{
    dip_rng rng = dip_rng_stream(4, 1, 0, 0);
    for (int i = 0; i < QUERIES * DIM; i++)
        queries[i] = (float)dip_rng_below(&rng, 9) - 4;
    for (int i = 0; i < ROWS * DIM; i++)
        gallery[i] = (float)dip_rng_below(&rng, 9) - 4;
    for (int64_t i = 0; i < ROWS; i++)
        gallery_rows[i] = 2 * i;
    for (int64_t i = 0; i < 2 * ROWS; i++)
        values[i] = i / 10;
    for (int64_t q = 0; q < QUERIES; q++) {
        query_rows[q] = 4 * q;
        own[q] = 2 * q;
    }
    *keys = (dip_row_keys){2 * ROWS, 1, values};
    return (dip_mine_input){
        .queries = {queries, QUERIES, DIM, DIP_SIMILARITY_COSINE},
        .gallery = {gallery, ROWS, DIM, DIP_SIMILARITY_COSINE},
        .query_rows = query_rows,
        .gallery_rows = gallery_rows,
        .own = own,
        .keys = keys};
}

static float score_of(int64_t q, int64_t g)
{
    float sum = 0;
    for (int d = 0; d < DIM; d++)
        sum += queries[q * DIM + d] * gallery[g * DIM + d];
    return sum;
}

/* By the definition: the wrong rows in order of score, then of row; those of
 * the ranks that are far enough from the right answer. */
static void check_query(const int64_t *found, int64_t q,
                        const dip_mine_options *o)
{
    bool used[ROWS] = {0};
    int64_t at = 0;
    for (int64_t rank = 1; rank <= o->to && at < o->count; rank++) {
        int64_t best = -1;
        for (int64_t g = 0; g < ROWS; g++) {
            if (!used[g] && g / 5 != 2 * q / 5 &&
                (best < 0 || score_of(q, g) > score_of(q, best)))
                best = g;
        }
        if (best < 0)
            break;
        used[best] = true;
        if (rank < o->from ||
            (o->has_margin && (double)score_of(q, best) >
                                  (double)score_of(q, own[q]) - o->margin))
            continue;
        assert_int_equal(found[at++], 2 * best);
    }
    while (at < o->count)
        assert_int_equal(found[at++], -1);
}

static void test_mining_finds_what_the_definition_says(void **state)
{
    (void)state;
    static const dip_mine_options cases[] = {
        {.from = 1, .to = 4, .count = 4},
        {.from = 3, .to = 5, .count = 4},
        {.from = 1, .to = 20, .count = 2, .has_margin = true, .margin = 1},
        {.from = 2, .to = 1000, .count = 4, .has_margin = true, .margin = 20},
        {.from = 54, .to = 70, .count = 4},
    };
    dip_row_keys keys;
    dip_mine_input input = make_input(&keys);
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        int64_t found[QUERIES * COUNT];
        dip_err err = {0};
        assert_int_equal(dip_mine(found, &input, &cases[i], &err), DIP_OK);
        for (int64_t q = 0; q < QUERIES; q++)
            check_query(found + q * cases[i].count, q, &cases[i]);
    }
}

/* The same right answers as grades of all rows for all queries of a log; those
 * that are wrong are judged 0, or for every third query not at all. */
static void test_mining_goes_by_grades(void **state)
{
    (void)state;
    static int64_t offsets[2 * ROWS + 1], listed[ROWS * QUERIES];
    static float grades[ROWS * QUERIES];
    int64_t asked[QUERIES], count = 0;
    for (int64_t row = 0; row < 2 * ROWS; row++) {
        for (int64_t q = 0; q < QUERIES && row % 2 == 0; q++) {
            bool right = row / 2 / 5 == 2 * q / 5;
            if (!right && q % 3 == 0)
                continue;
            listed[count] = 100 + q;
            grades[count++] = right ? 0.5F : 0;
        }
        offsets[row + 1] = count;
    }
    for (int64_t q = 0; q < QUERIES; q++)
        asked[q] = 100 + q;
    const dip_row_queries judged = {2 * ROWS, offsets, listed, grades, 0.5F};
    const dip_mine_options o = {.from = 2, .to = 30, .count = COUNT};
    dip_row_keys keys;
    dip_mine_input input = make_input(&keys);
    int64_t found[QUERIES * COUNT];
    input.keys = NULL;
    input.judged = &judged;
    input.asked = asked;
    assert_int_equal(dip_mine(found, &input, &o, NULL), DIP_OK);
    for (int64_t q = 0; q < QUERIES; q++)
        check_query(found + q * COUNT, q, &o);
}

static void test_mining_needs_the_right_answer_for_a_margin(void **state)
{
    (void)state;
    dip_row_keys keys;
    dip_err err = {0};
    dip_mine_input input = make_input(&keys);
    dip_mine_options o = {.from = 1, .to = 30, .count = COUNT};
    int64_t found[QUERIES * COUNT];
    own[3] = -1;
    assert_int_equal(dip_mine(found, &input, &o, &err), DIP_OK);
    assert_true(found[3 * COUNT] >= 0);
    o.has_margin = true;
    assert_int_equal(dip_mine(found, &input, &o, &err), DIP_OK);
    assert_int_equal(found[3 * COUNT], -1);
}

static void test_mining_refuses_impossible_ranks(void **state)
{
    (void)state;
    dip_row_keys keys;
    dip_err err = {0};
    dip_mine_input input = make_input(&keys);
    int64_t found[QUERIES * COUNT];
    dip_mine_options o = {.from = 5, .to = 4, .count = COUNT};
    assert_int_equal(dip_mine(found, &input, &o, &err), DIP_ERANGE);
    assert_string_equal(err.msg, "no ranks from 5 to 4");
    o.from = 0;
    assert_int_equal(dip_mine(found, &input, &o, &err), DIP_ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mining_finds_what_the_definition_says),
        cmocka_unit_test(test_mining_goes_by_grades),
        cmocka_unit_test(test_mining_needs_the_right_answer_for_a_margin),
        cmocka_unit_test(test_mining_refuses_impossible_ranks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
