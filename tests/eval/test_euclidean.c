/* tests/golden/euclidean.json is scikit-learn's (tests/parity/
 * gen_similarity.py): rows around 100 that differ by less than a half. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "eval/matching.h"
#include "eval/ranking.h"
#include "eval/topk.h"

#define DIM 6
#define K   10

static float *rows_of(const json_t *golden, const char *key, int64_t *count)
{
    const json_t *rows = json_object_get(golden, key);
    *count = (int64_t)json_array_size(rows);
    float *out = calloc((size_t)*count * DIM, sizeof *out);
    assert_non_null(out);
    for (int64_t i = 0; i < *count * DIM; i++)
        out[i] = (float)json_number_value(json_array_get(
            json_array_get(rows, (size_t)(i / DIM)), (size_t)(i % DIM)));
    return out;
}

static double cell(const json_t *golden, const char *key, int64_t row,
                   int64_t column)
{
    return json_number_value(json_array_get(
        json_array_get(json_object_get(golden, key), (size_t)row),
        (size_t)column));
}

static void test_euclidean_topk_equals_scikit_learn(void **state)
{
    (void)state;
    json_error_t error;
    json_t *golden = json_load_file("tests/golden/euclidean.json", 0, &error);
    int64_t n, m;
    float *q = rows_of(golden, "queries", &n);
    float *g = rows_of(golden, "gallery", &m);
    dip_embeddings queries = {q, n, DIM, DIP_SIMILARITY_EUCLIDEAN};
    dip_embeddings gallery = {g, m, DIM, DIP_SIMILARITY_EUCLIDEAN};
    dip_hit *hits = calloc((size_t)n * K, sizeof *hits);
    dip_err err = {0};
    assert_int_equal(dip_topk_search(hits, &queries, &gallery, NULL, K, &err),
                     DIP_OK);
    for (int64_t i = 0; i < n * K; i++) {
        assert_int_equal(hits[i].row,
                         (int64_t)cell(golden, "rows", i / K, i % K));
        assert_true(fabs((double)hits[i].score -
                         cell(golden, "scores", i / K, i % K)) < 1e-6);
    }
    free(hits);
    free(g);
    free(q);
    json_decref(golden);
}

/* The longest row has the highest dot product and is not the nearest. */
static void test_euclidean_ranks_by_distance(void **state)
{
    (void)state;
    const float query[] = {1, 1}, rows[] = {9, 9, 1, 1.5f, -1, -1};
    int64_t offsets[] = {0, 1}, relevant[] = {1};
    dip_relevance relevance = {
        .queries = 1, .lists = 1, .offsets = offsets, .rows = relevant};
    dip_ranking_options options = dip_ranking_defaults();
    for (int s = 0; s < DIP_SIMILARITY_COUNT; s++) {
        dip_embeddings queries = {query, 1, 2, (dip_similarity)s};
        dip_embeddings gallery = {rows, 3, 2, (dip_similarity)s};
        dip_ranking ranking;
        dip_err err = {0};
        assert_int_equal(dip_ranking_evaluate(&ranking, &queries, &gallery,
                                              &relevance, &options, &err),
                         DIP_OK);
        assert_true(ranking.per_query[0].rank ==
                    (s == DIP_SIMILARITY_EUCLIDEAN ? 1 : 2));
        dip_ranking_free(&ranking);
    }
}

static void test_euclidean_pairs_score_minus_the_squared_distance(void **state)
{
    (void)state;
    const float rows[] = {1, 2, 4, -2};
    dip_pair pair = {0, 1, 0};
    dip_pairs pairs = {.items = &pair, .count = 1};
    dip_matching_split split = {
        .queries = {rows, 2, 2, DIP_SIMILARITY_EUCLIDEAN},
        .products = {rows, 2, 2, DIP_SIMILARITY_EUCLIDEAN}};
    double score;
    dip_matching_scores(&score, &pairs, &split);
    assert_true(score == -25);
}

static void test_euclidean_and_cosine_do_not_mix(void **state)
{
    (void)state;
    const float row[] = {1, 0};
    dip_embeddings queries = {row, 1, 2, DIP_SIMILARITY_EUCLIDEAN};
    dip_embeddings gallery = {row, 1, 2, DIP_SIMILARITY_COSINE};
    dip_hit hit;
    dip_err err = {0};
    assert_int_equal(dip_topk_search(&hit, &queries, &gallery, NULL, 1, &err),
                     DIP_ERANGE);
    assert_string_equal(
        err.msg, "queries are compared by euclidean and the gallery by cosine");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_euclidean_topk_equals_scikit_learn),
        cmocka_unit_test(test_euclidean_ranks_by_distance),
        cmocka_unit_test(test_euclidean_pairs_score_minus_the_squared_distance),
        cmocka_unit_test(test_euclidean_and_cosine_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
