#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eval/stored.h"
#include "tests/data/embedding_fixture.h"

/* Rows so long that a file is read in three pieces; the last numbers are 0. */
enum { DIM = 32768, USED = 3, ROWS = 300, QUERIES = 4, K = 20 };

static float values[ROWS * DIM], queries[QUERIES * DIM];
static uint8_t present[ROWS];

/* Small integers, so that scores are exact and many of them tie. */
static void make_rows(void)
{
    memset(values, 0, sizeof values);
    memset(queries, 0, sizeof queries);
    for (int64_t i = 0; i < ROWS; i++) {
        present[i] = i % 7 != 3;
        for (int64_t d = 0; d < USED && present[i]; d++)
            values[i * DIM + d] = (float)((i * 37 + d * 11) % 9 - 4);
    }
    for (int64_t q = 0; q < QUERIES; q++) {
        for (int64_t d = 0; d < USED; d++)
            queries[q * DIM + d] = (float)((q * 5 + d * 3) % 7 - 3);
    }
}

static float score_of(int64_t q, int64_t row, dip_similarity similarity)
{
    float sum = 0;
    for (int64_t d = 0; d < USED; d++) {
        float a = queries[q * DIM + d], b = values[row * DIM + d];
        sum += similarity == DIP_SIMILARITY_COSINE ? a * b : -(a - b) * (a - b);
    }
    return sum;
}

/* What the definition says of hit `i` of a list: as good as the rows that are
 * not in front of it, and the first of those. */
static void check_list(const dip_hit *list, int64_t q,
                       dip_similarity similarity)
{
    bool used[ROWS] = {0};
    for (int i = 0; i < K; i++) {
        int64_t best = -1;
        for (int64_t r = 0; r < ROWS; r++) {
            if (present[r] && !used[r] &&
                (best < 0 ||
                 score_of(q, r, similarity) > score_of(q, best, similarity)))
                best = r;
        }
        assert_int_equal(list[i].row, best);
        assert_true(list[i].score == score_of(q, best, similarity));
        used[best] = true;
    }
}

static void test_stored_search_is_exact_over_all_pieces(void **state)
{
    (void)state;
    make_rows();
    for (int s = 0; s < 2; s++) {
        dip_err err = {0};
        dip_similarity similarity =
            s == 0 ? DIP_SIMILARITY_COSINE : DIP_SIMILARITY_EUCLIDEAN;
        dip_embedding_info info = fixture_info(ROWS, DIM, similarity);
        const char *path = fixture_path(s == 0 ? "a.h5" : "b.h5");
        fixture_embeddings(path, &info, values, present);
        dip_embedding_store *store = fixture_store(path);
        dip_embeddings q = {queries, QUERIES, DIM, similarity};
        dip_hit hits[QUERIES * K];
        assert_int_equal(dip_stored_search(hits, store, &q, K, true, &err),
                         DIP_OK);
        for (int64_t i = 0; i < QUERIES; i++)
            check_list(hits + i * K, i, similarity);
        dip_embedding_store_close(store);
    }
}

/* Codes see signs alone; the rows beside them put the same hits in order. */
static void test_stored_rescore_ranks_by_the_finest_rows(void **state)
{
    (void)state;
    dip_err err = {0};
    make_rows();
    dip_embedding_info info = fixture_info(ROWS, DIM, DIP_SIMILARITY_COSINE);
    info.precision = DIP_CODES_BINARY;
    info.has_rescore = true;
    info.rescore = DIP_CODES_FP32;
    fixture_embeddings(fixture_path("c.h5"), &info, values, present);
    dip_embedding_store *store = fixture_store(fixture_path("c.h5"));
    dip_embeddings q = {queries, QUERIES, DIM, DIP_SIMILARITY_COSINE};
    static dip_hit hits[QUERIES * ROWS];
    assert_int_equal(dip_stored_search(hits, store, &q, ROWS, false, &err),
                     DIP_OK);
    bool coarse = false;
    for (int64_t i = 0; i < K; i++)
        coarse |= hits[i].score != score_of(0, hits[i].row, info.similarity);
    assert_true(coarse);
    assert_int_equal(dip_stored_rescore(hits, ROWS, ROWS, store, &q, &err),
                     DIP_OK);
    for (int64_t i = 0; i < QUERIES; i++) {
        check_list(hits + i * ROWS, i, DIP_SIMILARITY_COSINE);
        assert_int_equal(hits[(i + 1) * ROWS - 1].row,
                         -1); /* some are absent */
    }
    dip_embedding_store_close(store);
}

static void test_stored_sample_is_spread_over_what_is_present(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_stored_sample sample;
    make_rows();
    dip_embedding_info info = fixture_info(ROWS, DIM, DIP_SIMILARITY_COSINE);
    fixture_embeddings(fixture_path("d.h5"), &info, values, present);
    dip_embedding_store *store = fixture_store(fixture_path("d.h5"));
    assert_int_equal(dip_stored_sample_read(&sample, store, 10, &err), DIP_OK);
    assert_int_equal(sample.count, 10);
    for (int64_t i = 0; i < 10; i++) {
        assert_true(present[sample.rows[i]]);
        assert_true(llabs(sample.rows[i] - i * ROWS / 10) <= 1);
        assert_memory_equal(sample.values + i * DIM,
                            values + sample.rows[i] * DIM,
                            DIM * sizeof *values);
    }
    dip_stored_sample_free(&sample);
    assert_int_equal(dip_stored_sample_read(&sample, store, 1000, &err),
                     DIP_OK);
    assert_int_equal(sample.count, ROWS - 43);
    dip_stored_sample_free(&sample);
    dip_embedding_store_close(store);

    static const uint8_t none[ROWS] = {0};
    memset(values, 0, sizeof values);
    fixture_embeddings(fixture_path("e.h5"), &info, values, none);
    store = fixture_store(fixture_path("e.h5"));
    assert_int_equal(dip_stored_sample_read(&sample, store, 10, &err),
                     DIP_EDATA);
    assert_non_null(strstr(err.msg, "no embedding in '"));
    dip_stored_sample_free(&sample);
    dip_embedding_store_close(store);
}

static void test_stored_drop_takes_the_query_out(void **state)
{
    (void)state;
    dip_hit hits[] = {{3, 7}, {2, 5}, {1, 9}, {3, 1}, {2, 2}, {1, 3}};
    dip_hits_drop(hits, 2, 3, (int64_t[]){5, 8});
    static const int64_t rows[] = {7, 9, -1, 1, 2, -1};
    for (int i = 0; i < 6; i++)
        assert_int_equal(hits[i].row, rows[i]);
}

static void test_stored_recall_takes_ties_for_right(void **state)
{
    (void)state;
    /* first query: 4 ties with the second place; second: one exists, found */
    static const dip_hit exact[] = {{9, 1}, {5, 2},          {5, 4},
                                    {3, 6}, {-INFINITY, -1}, {-INFINITY, -1}};
    static const dip_hit found[] = {{5, 4}, {4, 3}, {1, 8},
                                    {3, 6}, {2, 7}, {-INFINITY, -1}};
    assert_true(dip_hits_recall(found, exact, 2, 3, 2) == 2.0 / 3);
    assert_true(dip_hits_recall(exact, exact, 2, 3, 2) == 1);
    static const dip_hit nothing[] = {{-INFINITY, -1}};
    assert_true(isnan(dip_hits_recall(nothing, nothing, 1, 1, 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stored_search_is_exact_over_all_pieces),
        cmocka_unit_test(test_stored_rescore_ranks_by_the_finest_rows),
        cmocka_unit_test(test_stored_sample_is_spread_over_what_is_present),
        cmocka_unit_test(test_stored_drop_takes_the_query_out),
        cmocka_unit_test(test_stored_recall_takes_ties_for_right),
    };
    return cmocka_run_group_tests(tests, fixture_enter, fixture_leave);
}
