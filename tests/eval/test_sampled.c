/* Sampled candidates: what may be among them, that draws repeat, and the values
 * where every candidate is determined. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "eval/sampled.h"

#define ROWS 12

/* Query i has row i right. Rows lie on a line: row r scores r for all. */
typedef struct {
    float queries[ROWS], gallery[ROWS];
    int64_t offsets[ROWS + 1], rows[ROWS], category[ROWS];
    dip_relevance relevance;
    dip_sampled_task task;
} fixture;

static void fill(fixture *f, int64_t categories)
{
    for (int64_t i = 0; i < ROWS; i++) {
        f->queries[i] = 1;
        f->gallery[i] = (float)i;
        f->rows[i] = i;
        f->offsets[i] = i;
        f->category[i] = i % categories;
    }
    f->offsets[ROWS] = ROWS;
    f->relevance = (dip_relevance){
        .queries = ROWS, .lists = ROWS, .offsets = f->offsets, .rows = f->rows};
    f->task = (dip_sampled_task){
        .queries = {f->queries, ROWS, 1, DIP_SIMILARITY_COSINE},
        .gallery = {f->gallery, ROWS, 1, DIP_SIMILARITY_COSINE},
        .relevance = &f->relevance,
        .query_category = f->category,
        .gallery_category = f->category};
}

/* Three categories of four rows: with four candidates each query sees its whole
 * category, in which row i stands at rank 4 - i / 3. */
static void test_sampled_whole_categories_by_hand(void **state)
{
    (void)state;
    fixture f;
    fill(&f, 3);
    dip_sampled_options sampled = {4, 100, 3, 7};
    dip_ranking_options options = dip_ranking_defaults();
    dip_sampled s;
    dip_err err = {0};
    assert_int_equal(
        dip_sampled_evaluate(&s, &f.task, &sampled, &options, &err), DIP_OK);
    assert_int_equal(s.queries, ROWS);
    assert_int_equal(s.draws, 3);
    assert_int_equal(s.filled, 0);
    for (int64_t d = 0; d < 3; d++) {
        for (int64_t i = 0; i < ROWS; i++) {
            const dip_ranking_query *q = &s.ranking[d].per_query[i];
            assert_int_equal((int64_t)q->rank, 4 - q->query / 3);
        }
        assert_true(fabs(s.ranking[d].mean.at[0].hit - .25) < 1e-12);
        assert_true(fabs(s.ranking[d].mean.mrr -
                         (1 + 1. / 2 + 1. / 3 + .25) / 4) < 1e-12);
    }
    dip_sampled_free(&s);
}

static void test_sampled_fills_up_small_categories(void **state)
{
    (void)state;
    fixture f;
    fill(&f, 3);
    dip_sampled_options sampled = {ROWS, 5, 2, 7}; /* the whole gallery */
    dip_ranking_options options = dip_ranking_defaults();
    dip_sampled s;
    dip_err err = {0};
    assert_int_equal(
        dip_sampled_evaluate(&s, &f.task, &sampled, &options, &err), DIP_OK);
    assert_int_equal(s.queries, 5);
    assert_int_equal(s.filled, 2 * 5 * 8);
    for (int64_t i = 0; i < 5; i++) {
        const dip_ranking_query *q = &s.ranking[0].per_query[i];
        assert_int_equal((int64_t)q->rank, ROWS - q->query);
    }
    dip_sampled_free(&s);
}

/* Rows that are right for a query are never among the others. */
static void test_sampled_leaves_out_other_right_rows(void **state)
{
    (void)state;
    fixture f;
    fill(&f, 1);
    int64_t offsets[] = {0, 6}, rows[] = {0, 7, 8, 9, 10, 11}, list[ROWS] = {0};
    f.relevance = (dip_relevance){.queries = ROWS,
                                  .lists = 1,
                                  .list_of = list,
                                  .offsets = offsets,
                                  .rows = rows};
    dip_sampled_options sampled = {7, 100, 4, 1};
    dip_ranking_options options = dip_ranking_defaults();
    dip_sampled s;
    dip_err err = {0};
    assert_int_equal(
        dip_sampled_evaluate(&s, &f.task, &sampled, &options, &err), DIP_OK);
    for (int64_t i = 0; i < s.queries; i++) {
        double rank = s.ranking[3].per_query[i].rank;
        assert_true(rank == 1 || rank == 7); /* row 0 scores least */
    }
    dip_sampled_free(&s);
    sampled.candidates = 8;
    assert_int_equal(
        dip_sampled_evaluate(&s, &f.task, &sampled, &options, &err), DIP_EDATA);
    assert_string_equal(
        err.msg,
        "8 candidates of a gallery of 12, of which query 0 has 6 right");
}

static void test_sampled_draws_depend_on_the_seed_alone(void **state)
{
    (void)state;
    fixture f;
    fill(&f, 2);
    dip_sampled_options sampled = {3, 4, 2, 11};
    dip_ranking_options options = dip_ranking_defaults();
    dip_sampled s[3];
    dip_err err = {0};
    for (int i = 0; i < 3; i++) {
        sampled.seed = i < 2 ? 11 : 12;
        assert_int_equal(
            dip_sampled_evaluate(&s[i], &f.task, &sampled, &options, &err),
            DIP_OK);
    }
    size_t bytes = 4 * sizeof *s[0].ranking[0].per_query;
    assert_memory_equal(s[0].ranking[1].per_query, s[1].ranking[1].per_query,
                        bytes);
    assert_true(memcmp(s[0].ranking[1].per_query, s[2].ranking[1].per_query,
                       bytes) != 0);
    for (int i = 0; i < 3; i++)
        dip_sampled_free(&s[i]);
    sampled.candidates = 1;
    assert_int_equal(
        dip_sampled_evaluate(&s[0], &f.task, &sampled, &options, &err),
        DIP_ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sampled_whole_categories_by_hand),
        cmocka_unit_test(test_sampled_fills_up_small_categories),
        cmocka_unit_test(test_sampled_leaves_out_other_right_rows),
        cmocka_unit_test(test_sampled_draws_depend_on_the_seed_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
