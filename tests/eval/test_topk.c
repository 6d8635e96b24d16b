#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "eval/topk.h"

static void test_topk_orders_ties_by_key_then_row(void **state)
{
    (void)state;
    static const float query[] = {1}, rows[] = {.5f, 1, .5f, .5f, 1, 0};
    static const int64_t keys[] = {9, 7, 2, 9, 3, 1};
    dip_embeddings queries = {query, 1, 1, DIP_SIMILARITY_COSINE},
                   gallery = {rows, 6, 1, DIP_SIMILARITY_COSINE};
    static const int64_t by_key[] = {4, 1, 2, 0, 3};
    static const int64_t by_row[] = {1, 4, 0, 2, 3};
    dip_hit hits[5];
    dip_err err = {0};
    assert_int_equal(dip_topk_search(hits, &queries, &gallery, keys, 5, &err),
                     DIP_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(hits[i].row, by_key[i]);
    assert_int_equal(dip_topk_search(hits, &queries, &gallery, NULL, 5, &err),
                     DIP_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(hits[i].row, by_row[i]);
}

/* Against the definition: nothing outside the list is better than its end. */
static void test_topk_leaves_nothing_better_out(void **state)
{
    (void)state;
    enum { QUERIES = 70, GALLERY = 900, K = 25 };
    float *query = calloc(QUERIES, sizeof *query);
    float *rows = calloc(GALLERY, sizeof *rows);
    dip_hit *hits = calloc((size_t)QUERIES * K, sizeof *hits);
    assert_true(query != NULL && rows != NULL && hits != NULL);
    dip_rng rng = dip_rng_stream(5, 1, 0, 0);
    for (int i = 0; i < QUERIES; i++)
        query[i] = i % 2 ? -1 : 1;
    for (int i = 0; i < GALLERY; i++)
        rows[i] = (float)dip_rng_below(&rng, 200) / 8;
    dip_embeddings queries = {query, QUERIES, 1, DIP_SIMILARITY_COSINE},
                   gallery = {rows, GALLERY, 1, DIP_SIMILARITY_COSINE};
    assert_int_equal(dip_topk_search(hits, &queries, &gallery, NULL, K, NULL),
                     DIP_OK);
    for (int q = 0; q < QUERIES; q++) {
        const dip_hit *list = hits + q * K;
        int better = 0;
        for (int g = 0; g < GALLERY; g++) {
            float score = query[q] * rows[g];
            better += score > list[K - 1].score ||
                      (score == list[K - 1].score && g < list[K - 1].row);
        }
        assert_int_equal(better, K - 1);
        for (int i = 1; i < K; i++)
            assert_true(list[i - 1].score > list[i].score ||
                        (list[i - 1].score == list[i].score &&
                         list[i - 1].row < list[i].row));
    }
    free(hits);
    free(rows);
    free(query);
}

static void test_topk_of_an_empty_gallery_is_empty(void **state)
{
    (void)state;
    static const float query[] = {1, 2};
    dip_embeddings queries = {query, 1, 2, DIP_SIMILARITY_COSINE},
                   gallery = {NULL, 0, 2, DIP_SIMILARITY_COSINE};
    dip_hit hits[2];
    assert_int_equal(dip_topk_search(hits, &queries, &gallery, NULL, 2, NULL),
                     DIP_OK);
    assert_int_equal(hits[0].row, -1);
    assert_int_equal(hits[1].row, -1);
}

static void test_topk_refuses_nan_and_no_k(void **state)
{
    (void)state;
    const float query[] = {1}, rows[] = {0, 1, NAN};
    dip_embeddings queries = {query, 1, 1, DIP_SIMILARITY_COSINE},
                   gallery = {rows, 3, 1, DIP_SIMILARITY_COSINE};
    dip_hit hit;
    dip_err err = {0};
    assert_int_equal(dip_topk_search(&hit, &queries, &gallery, NULL, 1, &err),
                     DIP_ENUMERIC);
    assert_string_equal(err.msg, "gallery row 2 holds NaN at dimension 0");
    assert_int_equal(dip_topk_search(&hit, &queries, &gallery, NULL, 0, &err),
                     DIP_ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topk_orders_ties_by_key_then_row),
        cmocka_unit_test(test_topk_leaves_nothing_better_out),
        cmocka_unit_test(test_topk_of_an_empty_gallery_is_empty),
        cmocka_unit_test(test_topk_refuses_nan_and_no_k),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
