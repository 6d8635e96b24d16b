#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "eval/scores.h"

typedef struct {
    float *scores; /* [queries, gallery] */
    int *calls;    /* [queries] */
    int64_t gallery;
    int workers;
} recorder;

static void record(void *context, int worker, int64_t query,
                   const float *scores)
{
    recorder *r = context;
    memcpy(r->scores + query * r->gallery, scores,
           (size_t)r->gallery * sizeof *scores);
    r->calls[query]++;
    if (worker < 0 || worker >= r->workers)
        r->calls[query] = -1000;
}

static float *random_rows(uint64_t seed, int64_t rows, int64_t dim)
{
    float *data = calloc((size_t)(rows * dim) + 1, sizeof *data);
    assert_non_null(data);
    dip_rng rng = dip_rng_stream(seed, 1, 0, 0);
    for (int64_t i = 0; i < rows * dim; i++)
        data[i] = (float)dip_rng_normal(&rng);
    return data;
}

static float *all_scores(const dip_embeddings *queries,
                         const dip_embeddings *gallery)
{
    recorder r = {calloc((size_t)(queries->rows * gallery->rows) + 1, 4),
                  calloc((size_t)queries->rows + 1, sizeof(int)), gallery->rows,
                  dip_scores_workers()};
    dip_err err = {0};
    assert_true(r.scores != NULL && r.calls != NULL);
    assert_int_equal(dip_scores_each(queries, gallery, record, &r, &err),
                     DIP_OK);
    for (int64_t q = 0; q < queries->rows; q++)
        assert_int_equal(r.calls[q], 1);
    free(r.calls);
    return r.scores;
}

/* Sizes around those of tiles, chunks and blocks. */
static void test_scores_are_dot_products(void **state)
{
    (void)state;
    static const int64_t sizes[][3] = {
        {1, 1, 1},     {3, 5, 7},      {16, 6, 8}, {17, 7, 33}, {64, 120, 5},
        {65, 121, 64}, {130, 245, 20}, {2, 0, 3},  {0, 4, 3}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t dim = sizes[i][2];
        float *q = random_rows(i, sizes[i][0], dim);
        float *g = random_rows(100 + i, sizes[i][1], dim);
        dip_embeddings queries = {q, sizes[i][0], dim, DIP_SIMILARITY_COSINE};
        dip_embeddings gallery = {g, sizes[i][1], dim, DIP_SIMILARITY_COSINE};
        float *got = all_scores(&queries, &gallery);
        for (int64_t at = 0; at < queries.rows * gallery.rows; at++) {
            double sum = 0;
            for (int64_t k = 0; k < dim; k++)
                sum += (double)q[at / gallery.rows * dim + k] *
                       (double)g[at % gallery.rows * dim + k];
            assert_true(fabs((double)got[at] - sum) < 1e-4);
        }
        free(got);
        free(g);
        free(q);
    }
}

static void test_scores_do_not_depend_on_threads(void **state)
{
    (void)state;
    float *q = random_rows(1, 70, 48), *g = random_rows(2, 500, 48);
    dip_embeddings queries = {q, 70, 48, DIP_SIMILARITY_COSINE},
                   gallery = {g, 500, 48, DIP_SIMILARITY_COSINE};
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    float *one = all_scores(&queries, &gallery);
    omp_set_num_threads(5);
    float *five = all_scores(&queries, &gallery);
    omp_set_num_threads(threads);
    assert_memory_equal(one, five, 70 * 500 * sizeof *one);
    free(five);
    free(one);
    free(g);
    free(q);
}

/* Equal rows must tie exactly wherever they stand in a tile or a block. */
static void test_scores_of_equal_rows_are_equal(void **state)
{
    (void)state;
    float *q = random_rows(3, 67, 100), *g = random_rows(4, 333, 100);
    for (int64_t i = 1; i < 67; i++)
        memcpy(q + i * 100, q, 100 * sizeof *q);
    for (int64_t i = 1; i < 333; i++)
        memcpy(g + i * 100, g, 100 * sizeof *g);
    dip_embeddings queries = {q, 67, 100, DIP_SIMILARITY_COSINE},
                   gallery = {g, 333, 100, DIP_SIMILARITY_COSINE};
    float *got = all_scores(&queries, &gallery);
    for (int64_t i = 0; i < 67 * 333; i++)
        assert_true(got[i] == got[0]);
    free(got);
    free(g);
    free(q);
}

static void assert_refused(const dip_embeddings *queries,
                           const dip_embeddings *gallery, dip_status code,
                           const char *message)
{
    recorder nothing = {0};
    dip_err err = {0};
    assert_int_equal(dip_scores_each(queries, gallery, record, &nothing, &err),
                     code);
    assert_string_equal(err.msg, message);
}

static void test_scores_refuse_what_is_not_finite(void **state)
{
    (void)state;
    float good[] = {1, 0, 0, 1}, bad[] = {1, 0, 0, 1, 0, 1};
    dip_embeddings queries = {good, 2, 2, DIP_SIMILARITY_COSINE},
                   gallery = {bad, 3, 2, DIP_SIMILARITY_COSINE};
    bad[5] = NAN;
    assert_refused(&queries, &gallery, DIP_ENUMERIC,
                   "gallery row 2 holds NaN at dimension 1");
    assert_refused(&gallery, &queries, DIP_ENUMERIC,
                   "query row 2 holds NaN at dimension 1");
    bad[2] = -INFINITY;
    assert_refused(&queries, &gallery, DIP_ENUMERIC,
                   "gallery row 1 holds infinity at dimension 0");
    bad[2] = 1e30f;
    bad[5] = 0;
    assert_refused(&queries, &gallery, DIP_ENUMERIC,
                   "gallery row 1 is too long to compare");
}

static void test_scores_refuse_impossible_sizes(void **state)
{
    (void)state;
    float data[6] = {0};
    dip_embeddings two = {data, 2, 2, DIP_SIMILARITY_COSINE},
                   three = {data, 2, 3, DIP_SIMILARITY_COSINE};
    dip_embeddings none = {data, 2, 0, DIP_SIMILARITY_COSINE},
                   huge = {data, INT64_MAX, INT64_MAX, DIP_SIMILARITY_COSINE};
    assert_refused(&two, &three, DIP_ERANGE,
                   "queries have 2 dimensions and the gallery has 3");
    assert_refused(&none, &two, DIP_ERANGE, "impossible query size 2 x 0");
    assert_refused(&two, &huge, DIP_ERANGE,
                   "impossible gallery size 9223372036854775807 x "
                   "9223372036854775807");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores_are_dot_products),
        cmocka_unit_test(test_scores_do_not_depend_on_threads),
        cmocka_unit_test(test_scores_of_equal_rows_are_equal),
        cmocka_unit_test(test_scores_refuse_what_is_not_finite),
        cmocka_unit_test(test_scores_refuse_impossible_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
