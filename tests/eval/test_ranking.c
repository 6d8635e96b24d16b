/* The hard cases of docs/metrics.md by number, and the edges around them. The
 * values were computed with trec_eval, ranx, scikit-learn and torchmetrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "eval/ranking.h"

#define ROWS 6

/* One query with judged rows 0 to n-1 and its ranked list. */
static dip_status evaluate_one(dip_ranking *out, const float *grades,
                               const double *scores, int64_t listed,
                               int64_t judged,
                               const dip_ranking_options *options, dip_err *err)
{
    int64_t rows[ROWS] = {0, 1, 2, 3, 4, 5}, offsets[] = {0, judged};
    int64_t run_offsets[] = {0, listed};
    float copy[ROWS] = {0};
    memcpy(copy, grades, (size_t)judged * sizeof *grades);
    dip_relevance relevance = {1, 1, NULL, offsets, rows, copy};
    dip_run run = {1, NULL, run_offsets, rows, scores};
    return dip_ranking_evaluate_run(out, &run, &relevance, options, err);
}

static double named(const dip_ranking *r, const char *name)
{
    for (int m = 0; m < dip_ranking_metrics(r); m++) {
        char candidate[DIP_RANKING_NAME_SIZE];
        dip_ranking_name(candidate, r, m);
        if (strcmp(candidate, name) == 0)
            return dip_ranking_value(r, &r->mean, m);
    }
    fail_msg("no metric '%s'", name);
    return NAN;
}

static void assert_close(double got, double expected)
{
    if (!(fabs(got - expected) < 5e-7))
        fail_msg("got %.9g, not %.9g", got, expected);
}

static void test_ranking_case_1_four_items_of_one_score(void **state)
{
    (void)state;
    static const float grades[] = {0, 0, 1, 0};
    static const double scores[] = {.5, .5, .5, .5};
    static const struct {
        dip_ties ties;
        double rank, mrr, ndcg;
    } rules[] = {
        {DIP_TIES_PESSIMISTIC, 4, .25, .430677},
        {DIP_TIES_OPTIMISTIC, 1, 1, 1},
        /* nDCG as scikit-learn averages it; 1/rank over four places */
        {DIP_TIES_EXPECTED, 2.5, .520833333, .640402},
    };
    assert_int_equal(dip_ranking_defaults().ties, DIP_TIES_PESSIMISTIC);
    for (size_t i = 0; i < 3; i++) {
        dip_ranking_options options = dip_ranking_defaults();
        options.ties = rules[i].ties;
        dip_ranking r;
        assert_int_equal(evaluate_one(&r, grades, scores, 4, 4, &options, NULL),
                         DIP_OK);
        assert_close(r.median_rank, rules[i].rank);
        assert_close(r.mean.mrr, rules[i].mrr);
        assert_close(r.mean.ndcg, rules[i].ndcg);
        dip_ranking_free(&r);
    }
}

/* Two queries over two rows: the first finds its row first, the second has
 * nothing relevant. */
static void evaluate_with_empty(dip_ranking *out, bool count_empty)
{
    static const float queries_data[] = {1, 0, 0, 1};
    static const float gallery_data[] = {1, 0, 0, 1};
    int64_t offsets[] = {0, 1, 2}, rows[] = {0, 1};
    float grades[] = {1, 0};
    dip_relevance relevance = {2, 2, NULL, offsets, rows, grades};
    dip_embeddings queries = {queries_data, 2, 2, DIP_SIMILARITY_COSINE};
    dip_embeddings gallery = {gallery_data, 2, 2, DIP_SIMILARITY_COSINE};
    dip_ranking_options options = dip_ranking_defaults();
    options.count_empty = count_empty;
    assert_int_equal(dip_ranking_evaluate(out, &queries, &gallery, &relevance,
                                          &options, NULL),
                     DIP_OK);
    assert_int_equal(out->queries, 2);
    assert_int_equal(out->empty, 1);
}

static void test_ranking_case_2_nothing_relevant(void **state)
{
    (void)state;
    dip_ranking r;
    evaluate_with_empty(&r, false);
    assert_int_equal(r.evaluated, 1);
    assert_close(named(&r, "recall@1"), 1);
    assert_close(r.median_rank, 1);
    dip_ranking_free(&r);

    evaluate_with_empty(&r, true);
    assert_int_equal(r.evaluated, 2);
    assert_close(named(&r, "recall@1"), .5);
    assert_true(isinf(r.per_query[1].rank));
    dip_ranking_free(&r);
}

static void test_ranking_case_3_judged_query_missing_from_run(void **state)
{
    (void)state;
    int64_t offsets[] = {0, 1, 2}, rows[] = {0, 1}, query[] = {0};
    dip_relevance relevance = {2, 2, NULL, offsets, rows, NULL};
    dip_run run = {1, query, offsets, rows, NULL};
    dip_ranking_options options = dip_ranking_defaults();
    dip_ranking r;
    dip_err err = {0};
    assert_int_equal(
        dip_ranking_evaluate_run(&r, &run, &relevance, &options, &err),
        DIP_EDATA);
    assert_string_equal(err.msg, "judged query 1 is missing from the run");
    assert_null(r.per_query);
}

static void test_ranking_case_4_five_relevant_two_found(void **state)
{
    (void)state;
    /* both found first, then one that is not relevant, then two more */
    static const float grades[] = {1, 1, 0, 1, 1, 1};
    dip_ranking_options options = {.cutoffs = {2}, .n_cutoffs = 1};
    dip_ranking r;
    assert_int_equal(evaluate_one(&r, grades, NULL, 5, 6, &options, NULL),
                     DIP_OK);
    assert_close(named(&r, "recall@2"), .4);
    assert_close(named(&r, "hit@2"), 1);
    assert_close(named(&r, "r_precision"), .8);
    assert_close(named(&r, "ndcg@2"), 1);
    assert_close(named(&r, "map@2"), .4);
    dip_ranking_free(&r);
}

static void test_ranking_case_5_fewer_results_than_k(void **state)
{
    (void)state;
    static const float grades[] = {0, 1};
    dip_ranking_options options = dip_ranking_defaults();
    dip_ranking r;
    assert_int_equal(evaluate_one(&r, grades, NULL, 2, 2, &options, NULL),
                     DIP_OK);
    assert_close(named(&r, "precision@5"), .2);
    dip_ranking_free(&r);
}

static void test_ranking_case_6_graded_gains(void **state)
{
    (void)state;
    static const float grades[] = {3, 2, 3, 0, 1, 2};
    dip_ranking_options options = dip_ranking_defaults();
    dip_ranking r;
    assert_int_equal(evaluate_one(&r, grades, NULL, 6, 6, &options, NULL),
                     DIP_OK);
    assert_close(named(&r, "ndcg"), .960808);
    dip_ranking_free(&r);
    options.gain = DIP_GAIN_EXPONENTIAL;
    assert_int_equal(evaluate_one(&r, grades, NULL, 6, 6, &options, NULL),
                     DIP_OK);
    assert_close(named(&r, "ndcg"), .948811);
    dip_ranking_free(&r);
}

static void test_ranking_case_7_negative_grade(void **state)
{
    (void)state;
    static const float grades[] = {1, -1};
    dip_ranking_options options = dip_ranking_defaults();
    dip_ranking r;
    dip_err err = {0};
    assert_int_equal(evaluate_one(&r, grades, NULL, 2, 2, &options, &err),
                     DIP_EDATA);
    assert_string_equal(err.msg,
                        "query 0 gives row 1 the grade -1, outside 0 to 1000");
}

static void test_ranking_case_12_nan_scores(void **state)
{
    (void)state;
    static const float grades[] = {1, 0};
    const double scores[] = {1, NAN};
    dip_ranking_options options = dip_ranking_defaults();
    dip_ranking r;
    dip_err err = {0};
    assert_int_equal(evaluate_one(&r, grades, scores, 2, 2, &options, &err),
                     DIP_ENUMERIC);
    assert_string_equal(err.msg, "the score of row 1 for query 0 is NaN");

    const float data[] = {1, NAN};
    int64_t offsets[] = {0, 1}, rows[] = {0};
    dip_relevance relevance = {1, 1, NULL, offsets, rows, NULL};
    dip_embeddings queries = {data, 1, 1, DIP_SIMILARITY_COSINE},
                   gallery = {data, 2, 1, DIP_SIMILARITY_COSINE};
    assert_int_equal(dip_ranking_evaluate(&r, &queries, &gallery, &relevance,
                                          &options, &err),
                     DIP_ENUMERIC);
    assert_string_equal(err.msg, "gallery row 1 holds NaN at dimension 0");
    assert_null(r.per_query);
}

/* Rows that a cut list lacks are never found. */
static void test_ranking_rows_outside_a_list_are_not_found(void **state)
{
    (void)state;
    static const float grades[] = {0, 1, 0, 1};
    dip_ranking_options options = dip_ranking_defaults();
    dip_ranking r;
    assert_int_equal(evaluate_one(&r, grades, NULL, 3, 4, &options, NULL),
                     DIP_OK);
    assert_close(named(&r, "recall@10"), .5);
    assert_close(named(&r, "map"), .25);
    assert_close(r.median_rank, 2);
    dip_ranking_free(&r);
    assert_int_equal(evaluate_one(&r, grades, NULL, 1, 4, &options, NULL),
                     DIP_OK);
    assert_close(named(&r, "mrr"), 0);
    assert_close(named(&r, "ndcg@10"), 0);
    assert_true(isinf(r.median_rank));
    dip_ranking_free(&r);
}

/* Each row is a query of its own gallery: with itself left out, the ranking is
 * that of the gallery without the row. */
static void test_ranking_leaves_the_own_row_out(void **state)
{
    (void)state;
    static const float data[] = {1, 0, .8f, .6f, .6f, .8f, 0, 1};
    static const int64_t keys[] = {0, 1, 0, 1};
    static const int64_t own[] = {0, 1, 2, 3};
    static const double ranks[] = {2, 3, 3, 2};
    dip_embeddings rows = {data, 4, 2, DIP_SIMILARITY_COSINE};
    dip_relevance relevance;
    assert_int_equal(
        dip_relevance_by_keys(&relevance, keys, 4, keys, 4, 1, NULL), DIP_OK);
    dip_ranking_options options = dip_ranking_defaults();
    options.exclude = own;
    dip_ranking r;
    assert_int_equal(
        dip_ranking_evaluate(&r, &rows, &rows, &relevance, &options, NULL),
        DIP_OK);
    for (int64_t q = 0; q < 4; q++) {
        assert_int_equal(r.per_query[q].relevant, 1);
        assert_close(r.per_query[q].rank, ranks[q]);
    }
    dip_ranking_free(&r);
    options.exclude = NULL;
    assert_int_equal(
        dip_ranking_evaluate(&r, &rows, &rows, &relevance, &options, NULL),
        DIP_OK);
    assert_close(named(&r, "hit@1"), 1);
    dip_ranking_free(&r);
    dip_relevance_free(&relevance);
}

static void test_ranking_leaves_an_equal_own_row_out_of_ties(void **state)
{
    (void)state;
    static const float data[] = {1, 1, 1};
    int64_t offsets[] = {0, 1}, rows[] = {1}, own[] = {0};
    dip_relevance relevance = {1, 1, NULL, offsets, rows, NULL};
    dip_embeddings query = {data, 1, 1, DIP_SIMILARITY_COSINE},
                   gallery = {data, 3, 1, DIP_SIMILARITY_COSINE};
    dip_ranking_options options = dip_ranking_defaults();
    options.exclude = own;
    dip_ranking r;
    assert_int_equal(
        dip_ranking_evaluate(&r, &query, &gallery, &relevance, &options, NULL),
        DIP_OK);
    assert_close(r.median_rank, 2); /* the own row is not ahead of it */
    dip_ranking_free(&r);
}

typedef struct {
    float *rows;
    int64_t *keys;
    dip_embeddings embeddings;
    dip_relevance relevance;
} catalog;

/* 400 rows of 8 coarse dimensions, so that there are ties, in classes. */
static catalog make_catalog(int64_t classes)
{
    enum { N = 400, DIM = 8 };
    catalog c = {
        calloc(N * DIM, sizeof(float)), calloc(N, sizeof(int64_t)), {0}, {0}};
    assert_true(c.rows != NULL && c.keys != NULL);
    dip_rng rng = dip_rng_stream(7, 1, 0, 0);
    for (int i = 0; i < N * DIM; i++)
        c.rows[i] = (float)dip_rng_below(&rng, 5) / 4;
    for (int i = 0; i < N; i++)
        c.keys[i] = (int64_t)dip_rng_below(&rng, (uint64_t)classes);
    c.embeddings = (dip_embeddings){c.rows, N, DIM, DIP_SIMILARITY_COSINE};
    assert_int_equal(
        dip_relevance_by_keys(&c.relevance, c.keys, N, c.keys, N, 1, NULL),
        DIP_OK);
    return c;
}

static void free_catalog(catalog *c)
{
    dip_relevance_free(&c->relevance);
    free(c->keys);
    free(c->rows);
}

/* The pass over the gallery and the sorted list must agree, with few and with
 * many relevant rows, which are counted in two ways. */
static void test_ranking_of_gallery_and_list_agree(void **state)
{
    (void)state;
    for (int64_t classes = 4; classes <= 400; classes *= 10) {
        catalog c = make_catalog(classes);
        int64_t n = c.embeddings.rows;
        int64_t *offsets = calloc((size_t)n + 1, sizeof *offsets);
        int64_t *rows = calloc((size_t)(n * n), sizeof *rows);
        double *scores = calloc((size_t)(n * n), sizeof *scores);
        assert_true(offsets != NULL && rows != NULL && scores != NULL);
        for (int64_t i = 0; i < n * n; i++) {
            offsets[i / n + 1] = (i / n + 1) * n;
            rows[i] = i % n;
            for (int64_t k = 0; k < 8; k++) /* sixteenths: exact */
                scores[i] +=
                    (double)(c.rows[i / n * 8 + k] * c.rows[i % n * 8 + k]);
        }
        dip_run run = {n, NULL, offsets, rows, scores};
        for (int ties = 0; ties < 3; ties++) {
            dip_ranking_options options = dip_ranking_defaults();
            options.ties = (dip_ties)ties;
            dip_ranking a, b;
            assert_int_equal(dip_ranking_evaluate(&a, &c.embeddings,
                                                  &c.embeddings, &c.relevance,
                                                  &options, NULL),
                             DIP_OK);
            assert_int_equal(dip_ranking_evaluate_run(&b, &run, &c.relevance,
                                                      &options, NULL),
                             DIP_OK);
            assert_int_equal(a.evaluated, n);
            assert_memory_equal(a.per_query, b.per_query,
                                (size_t)n * sizeof *a.per_query);
            dip_ranking_free(&b);
            dip_ranking_free(&a);
        }
        free(scores);
        free(rows);
        free(offsets);
        free_catalog(&c);
    }
}

static void test_ranking_does_not_depend_on_threads(void **state)
{
    (void)state;
    catalog c = make_catalog(20);
    dip_ranking_options options = dip_ranking_defaults();
    int threads = omp_get_max_threads();
    dip_ranking r[2];
    for (int i = 0; i < 2; i++) {
        omp_set_num_threads(i == 0 ? 1 : 6);
        assert_int_equal(dip_ranking_evaluate(&r[i], &c.embeddings,
                                              &c.embeddings, &c.relevance,
                                              &options, NULL),
                         DIP_OK);
    }
    omp_set_num_threads(threads);
    assert_memory_equal(r[0].per_query, r[1].per_query,
                        (size_t)r[0].evaluated * sizeof *r[0].per_query);
    assert_memory_equal(&r[0].mean, &r[1].mean, sizeof r[0].mean);
    dip_ranking_free(&r[0]);
    dip_ranking_free(&r[1]);
    free_catalog(&c);
}

static void test_ranking_names_follow_the_cutoffs(void **state)
{
    (void)state;
    static const char *const names[] = {
        "mrr",       "map",          "ndcg",   "r_precision", "hit@3",
        "recall@3",  "precision@3",  "map@3",  "ndcg@3",      "hit@20",
        "recall@20", "precision@20", "map@20", "ndcg@20"};
    dip_ranking r = {.n_cutoffs = 2, .cutoffs = {3, 20}};
    assert_int_equal(dip_ranking_metrics(&r), 14);
    for (int m = 0; m < 14; m++) {
        char name[DIP_RANKING_NAME_SIZE];
        dip_ranking_name(name, &r, m);
        assert_string_equal(name, names[m]);
    }
    r.graded = true;
    static const char *const graded[] = {"ndcg_exp",   "err",   "rbp",
                                         "ndcg_exp@3", "err@3", "ndcg_exp@20",
                                         "err@20"};
    assert_int_equal(dip_ranking_metrics(&r), 21);
    for (int m = 14; m < 21; m++) {
        char name[DIP_RANKING_NAME_SIZE];
        dip_ranking_name(name, &r, m);
        assert_string_equal(name, graded[m - 14]);
    }
}

/* The formulas of the papers by hand: rows of grades 2, 0, 1 in this order. */
static void test_ranking_graded_metrics_by_hand(void **state)
{
    (void)state;
    static const float grades[] = {2, 0, 1};
    dip_ranking_options options = dip_ranking_defaults();
    options.graded = true;
    options.max_grade = 2;
    dip_ranking r;
    dip_err err = {0};
    assert_int_equal(evaluate_one(&r, grades, NULL, 3, 3, &options, &err),
                     DIP_OK);
    assert_close(named(&r, "err"), 3. / 4 + (1. / 4) * (1. / 4) / 3);
    assert_close(named(&r, "err@1"), 3. / 4);
    assert_close(named(&r, "rbp"), .2 * (1 + .64 * .5));
    assert_close(named(&r, "ndcg_exp"), (3 + .5) / (3 + 1 / log2(3)));
    dip_ranking_free(&r);
}

static void test_ranking_refuses_grades_beyond_the_scale(void **state)
{
    (void)state;
    static const float grades[] = {2, 3};
    dip_ranking_options options = dip_ranking_defaults();
    options.graded = true;
    options.max_grade = 2;
    dip_ranking r;
    dip_err err = {0};
    assert_int_equal(evaluate_one(&r, grades, NULL, 2, 2, &options, &err),
                     DIP_EDATA);
    assert_string_equal(err.msg,
                        "query 0 has the grade 3, above the highest, 2");
    options.persistence = 1;
    assert_int_equal(evaluate_one(&r, grades, NULL, 2, 2, &options, &err),
                     DIP_ERANGE);
    assert_string_equal(err.msg, "a persistence of 1 is not between 0 and 1");
}

static void test_ranking_select_takes_the_queries_of_a_slice(void **state)
{
    (void)state;
    int64_t offsets[] = {0, 1, 2, 3, 3}, rows[] = {0, 1, 2};
    int64_t run_offsets[] = {0, 2, 4, 6, 8},
            listed[] = {0, 1, 0, 1, 1, 2, 0, 1};
    const int64_t slices[] = {1, 0, 1, 1};
    dip_relevance relevance = {4, 4, NULL, offsets, rows, NULL};
    dip_run run = {4, NULL, run_offsets, listed, NULL};
    dip_ranking_options options = dip_ranking_defaults();
    dip_ranking whole, part;
    dip_err err = {0};
    assert_int_equal(
        dip_ranking_evaluate_run(&whole, &run, &relevance, &options, &err),
        DIP_OK);
    assert_int_equal(dip_ranking_select(&part, &whole, slices, 1, &err),
                     DIP_OK);
    assert_int_equal(part.queries, 3);
    assert_int_equal(part.evaluated, 2); /* query 3 has nothing relevant */
    assert_int_equal(part.empty, 1);
    assert_int_equal(part.per_query[1].query, 2);
    assert_close(part.mean.mrr, .75);
    assert_close(part.median_rank, 1.5);
    dip_ranking_free(&part);
    assert_int_equal(dip_ranking_select(&part, &whole, slices, 7, &err),
                     DIP_OK);
    assert_int_equal(part.evaluated, 0);
    assert_true(isnan(part.mean.mrr));
    dip_ranking_free(&part);
    dip_ranking_free(&whole);
}

static void assert_run_refused(const dip_run *run, dip_status code,
                               const char *message)
{
    int64_t offsets[] = {0, 1, 2}, rows[] = {0, 1};
    dip_relevance relevance = {2, 2, NULL, offsets, rows, NULL};
    dip_ranking_options options = dip_ranking_defaults();
    dip_ranking r;
    dip_err err = {0};
    assert_int_equal(
        dip_ranking_evaluate_run(&r, run, &relevance, &options, &err), code);
    assert_string_equal(err.msg, message);
}

static void test_ranking_refuses_broken_runs(void **state)
{
    (void)state;
    static const int64_t offsets[] = {0, 2, 4}, back[] = {0, 2, 1};
    static const int64_t twice[] = {1, 1}, stranger[] = {0, 2};
    static const int64_t rows[] = {0, 1, 4, 4}, below[] = {0, 1, 4, -4};
    assert_run_refused(&(dip_run){2, twice, offsets, rows, NULL}, DIP_EDATA,
                       "query 1 is in the run twice");
    assert_run_refused(&(dip_run){2, stranger, offsets, rows, NULL}, DIP_EDATA,
                       "list 1 of the run is of query 2, which is not judged");
    assert_run_refused(&(dip_run){2, NULL, offsets, rows, NULL}, DIP_EDATA,
                       "query 1 finds row 4 twice");
    assert_run_refused(&(dip_run){2, NULL, offsets, below, NULL}, DIP_EDATA,
                       "query 1 finds row -4");
    assert_run_refused(&(dip_run){2, NULL, back, rows, NULL}, DIP_EDATA,
                       "broken offsets of list 1 of the run");
}

static void test_ranking_refuses_wrong_options(void **state)
{
    (void)state;
    static const float data[] = {1, 0};
    int64_t offsets[] = {0, 1}, rows[] = {0}, far[] = {2};
    dip_relevance relevance = {1, 1, NULL, offsets, rows, NULL};
    dip_embeddings one = {data, 1, 1, DIP_SIMILARITY_COSINE},
                   two = {data, 2, 1, DIP_SIMILARITY_COSINE};
    dip_ranking r;
    dip_err err = {0};
    dip_ranking_options options = {.cutoffs = {1, 0}, .n_cutoffs = 2};
    assert_int_equal(
        dip_ranking_evaluate(&r, &one, &two, &relevance, &options, &err),
        DIP_ERANGE);
    assert_string_equal(err.msg, "cutoff 0 is below 1");
    options.n_cutoffs = DIP_RANKING_CUTOFFS + 1;
    assert_int_equal(
        dip_ranking_evaluate(&r, &one, &two, &relevance, &options, &err),
        DIP_ERANGE);
    options = (dip_ranking_options){.exclude = far};
    assert_int_equal(
        dip_ranking_evaluate(&r, &one, &two, &relevance, &options, &err),
        DIP_EDATA);
    assert_string_equal(err.msg, "query 0 leaves out row 2 of a gallery of 2");
    options.exclude = NULL;
    assert_int_equal(
        dip_ranking_evaluate(&r, &two, &two, &relevance, &options, &err),
        DIP_EDATA);
    assert_string_equal(err.msg, "relevance is of 1 queries, not of 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranking_case_1_four_items_of_one_score),
        cmocka_unit_test(test_ranking_case_2_nothing_relevant),
        cmocka_unit_test(test_ranking_case_3_judged_query_missing_from_run),
        cmocka_unit_test(test_ranking_case_4_five_relevant_two_found),
        cmocka_unit_test(test_ranking_case_5_fewer_results_than_k),
        cmocka_unit_test(test_ranking_case_6_graded_gains),
        cmocka_unit_test(test_ranking_case_7_negative_grade),
        cmocka_unit_test(test_ranking_case_12_nan_scores),
        cmocka_unit_test(test_ranking_rows_outside_a_list_are_not_found),
        cmocka_unit_test(test_ranking_leaves_the_own_row_out),
        cmocka_unit_test(test_ranking_leaves_an_equal_own_row_out_of_ties),
        cmocka_unit_test(test_ranking_of_gallery_and_list_agree),
        cmocka_unit_test(test_ranking_does_not_depend_on_threads),
        cmocka_unit_test(test_ranking_names_follow_the_cutoffs),
        cmocka_unit_test(test_ranking_graded_metrics_by_hand),
        cmocka_unit_test(test_ranking_select_takes_the_queries_of_a_slice),
        cmocka_unit_test(test_ranking_refuses_grades_beyond_the_scale),
        cmocka_unit_test(test_ranking_refuses_broken_runs),
        cmocka_unit_test(test_ranking_refuses_wrong_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
