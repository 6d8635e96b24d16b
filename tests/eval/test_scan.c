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
#include "eval/scan.h"

/* Rows that a rough score cannot tell apart, or hardly. */
typedef enum {
    PLAIN,     /* normal numbers */
    NEAR,      /* all within 1e-4 of one row */
    TWINS,     /* many equal to others */
    NORMS,     /* from 1e-30 to 1e16 long, and rows of zeros */
    TINY,      /* products below the least normal number */
    LATTICE,   /* few values: ties without end */
    ASCENDING, /* each row better than the one before */
    KINDS
} kind;

/* What a search by the definition takes: all scores. */
typedef struct {
    float *scores; /* [queries, gallery] */
    dip_embeddings queries, gallery;
    float *rows[2];
} table;

static void record(void *context, int worker, int64_t query,
                   const float *scores)
{
    (void)worker;
    table *t = context;
    memcpy(t->scores + query * t->gallery.rows, scores,
           (size_t)t->gallery.rows * sizeof *scores);
}

static float number(kind what, dip_rng *rng, int64_t row, int64_t rows)
{
    float x = (float)dip_rng_normal(rng);
    switch (what) {
    case LATTICE:
        return (float)(int64_t)dip_rng_below(rng, 3) - 1;
    case ASCENDING:
        return 1 + (float)row / (float)rows + 1e-3F * x;
    case TINY:
        return 1e-21F * x;
    case NORMS:
        return row % 7 == 3 ? 0 : ldexpf(x, (int)(row * 37 % 150) - 97);
    default:
        return x;
    }
}

static float *make_rows(kind what, uint64_t seed, int64_t rows, int64_t dim)
{
    float *data = calloc((size_t)(rows * dim) + 1, sizeof *data);
    assert_non_null(data);
    dip_rng rng = dip_rng_stream(seed, what, 0, 0);
    for (int64_t i = 0; i < rows * dim; i++)
        data[i] = number(what, &rng, i / dim, rows);
    for (int64_t row = 1; row < rows && (what == NEAR || what == TWINS);
         row++) {
        const float *from = what == NEAR ? data : data + row / 5 * dim;
        for (int64_t k = 0; k < dim; k++) {
            float noise = what == NEAR ? 1e-4F * data[row * dim + k] : 0;
            data[row * dim + k] = from[k] + noise;
        }
    }
    return data;
}

static void open_table(table *t, kind what, int64_t queries, int64_t gallery,
                       int64_t dim, dip_similarity similarity)
{
    t->rows[0] = make_rows(what == ASCENDING ? LATTICE : what, 1, queries, dim);
    t->rows[1] = make_rows(what, 2, gallery, dim);
    for (int64_t i = 0; what == ASCENDING && i < queries * dim; i++)
        t->rows[0][i] = 1;
    t->queries = (dip_embeddings){t->rows[0], queries, dim, similarity};
    t->gallery = (dip_embeddings){t->rows[1], gallery, dim, similarity};
    t->scores = calloc((size_t)(queries * gallery) + 1, sizeof *t->scores);
    assert_non_null(t->scores);
    assert_int_equal(dip_scores_each(&t->queries, &t->gallery, record, t, NULL),
                     DIP_OK);
}

static void close_table(table *t)
{
    free(t->scores);
    free(t->rows[0]);
    free(t->rows[1]);
}

/* How many rows are better than that one. */
static int64_t rank_of(const table *t, int64_t query, int64_t row,
                       const int64_t *keys)
{
    const float *scores = t->scores + query * t->gallery.rows;
    int64_t better = 0;
    for (int64_t i = 0; i < t->gallery.rows; i++) {
        bool first = keys != NULL ? keys[i] < keys[row] : i < row;
        better +=
            scores[i] > scores[row] || (scores[i] == scores[row] && first);
    }
    return better;
}

static void check_best(const table *t, const dip_hit *best, int64_t k,
                       const int64_t *keys)
{
    int64_t n = t->gallery.rows < k ? t->gallery.rows : k;
    for (int64_t q = 0; q < t->queries.rows; q++) {
        const dip_hit *list = best + q * k;
        for (int64_t i = 0; i < n; i++) {
            assert_in_range(list[i].row, 0, t->gallery.rows - 1);
            assert_int_equal(rank_of(t, q, list[i].row, keys), i);
            assert_memory_equal(&list[i].score,
                                t->scores + q * t->gallery.rows + list[i].row,
                                sizeof(float));
        }
        for (int64_t i = n; i < k; i++) {
            assert_int_equal(list[i].row, -1);
            assert_true(list[i].score == -INFINITY);
        }
    }
}

static int by_score_down(const void *a, const void *b)
{
    const dip_scan_level *x = a, *y = b;
    return (x->score < y->score) - (x->score > y->score);
}

/* Distinct scores of `count` rows of each query, and one above all. */
static void make_levels(dip_scan_levels *levels, const table *t, int64_t count)
{
    dip_rng rng = dip_rng_stream(3, 1, 0, 0);
    for (int64_t q = 0; q < t->queries.rows; q++) {
        dip_scan_level *items = levels[q].items;
        int64_t n = 0, kept = 0;
        items[n++].score = 1e38;
        for (int64_t i = 0; i < count && t->gallery.rows > 0 && q % 5 != 4;
             i++) {
            uint64_t row = dip_rng_below(&rng, (uint64_t)t->gallery.rows);
            items[n++].score =
                (double)t->scores[q * t->gallery.rows + (int64_t)row];
        }
        qsort(items, (size_t)n, sizeof *items, by_score_down);
        for (int64_t i = 0; i < n; i++) {
            if (kept == 0 || items[kept - 1].score != items[i].score)
                items[kept++].score = items[i].score;
        }
        levels[q].count = q % 5 == 4 ? 0 : kept;
    }
}

static void check_levels(const table *t, const dip_scan_levels *levels)
{
    for (int64_t q = 0; q < t->queries.rows; q++) {
        const float *scores = t->scores + q * t->gallery.rows;
        for (int64_t l = 0; l < levels[q].count; l++) {
            int64_t above = 0, equal = 0;
            for (int64_t i = 0; i < t->gallery.rows; i++) {
                above += (double)scores[i] > levels[q].items[l].score;
                equal += (double)scores[i] == levels[q].items[l].score;
            }
            assert_int_equal(levels[q].items[l].above, above);
            assert_int_equal(levels[q].items[l].equal, equal);
        }
    }
}

/* The k best and `count` levels in one scan, by rough scores and without. */
static void check_scan(const table *t, int64_t k, int64_t count,
                       const int64_t *keys)
{
    size_t queries = (size_t)t->queries.rows, room = (size_t)count + 1;
    dip_hit *best = calloc(queries * (size_t)k + 1, sizeof *best);
    dip_scan_level *items = calloc(queries * room + 1, sizeof *items);
    dip_scan_levels *levels = calloc(queries + 1, sizeof *levels);
    assert_true(best != NULL && items != NULL && levels != NULL);
    for (size_t q = 0; q < queries; q++)
        levels[q].items = items + q * room;
    make_levels(levels, t, count);
    for (int plain = 0; plain < 2; plain++) {
        dip_scan *scan;
        const dip_scan_job job = {.count = t->queries.rows,
                                  .best = k > 0 ? best : NULL,
                                  .k = k,
                                  .keys = keys,
                                  .levels = count >= 0 ? levels : NULL};
        assert_int_equal(
            dip_scan_open(&scan, &t->queries, &t->gallery, plain, NULL),
            DIP_OK);
        assert_int_equal(dip_scan_run(scan, &job, NULL), DIP_OK);
        dip_scan_close(scan);
        check_best(t, best, k, keys);
        check_levels(t, levels);
    }
    free(levels);
    free(items);
    free(best);
}

/* Sizes around those of tiles, chunks and panels, and odd dimensions. */
static void test_scan_finds_what_all_scores_say(void **state)
{
    (void)state;
    static const int64_t sizes[][3] = {
        {1, 1, 1},    {3, 0, 4},    {0, 5, 3},     {31, 11, 2},
        {33, 13, 65}, {32, 12, 64}, {70, 241, 17}, {5, 700, 31}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int s = 0; s < DIP_SIMILARITY_COUNT; s++) {
            table t;
            open_table(&t, PLAIN, sizes[i][0], sizes[i][1], sizes[i][2],
                       (dip_similarity)s);
            check_scan(&t, 1, 1, NULL);
            check_scan(&t, 10, 8, NULL);
            check_scan(&t, 300, 20, NULL);
            check_scan(&t, 0, 3, NULL);
            check_scan(&t, 3, 0, NULL);
            close_table(&t);
        }
    }
}

/* Where rough scores say little or nothing, the same rows stand in the same
 * order with the same scores; k is up to beyond the gallery. */
static void test_scan_is_exact_where_rough_scores_are_not(void **state)
{
    (void)state;
    enum { QUERIES = 40, GALLERY = 500, DIM = 48 };
    static int64_t keys[GALLERY];
    for (int i = 0; i < GALLERY; i++)
        keys[i] = i * 7 % GALLERY / 2; /* pairs of equal ones */
    for (int what = 0; what < KINDS; what++) {
        table t;
        open_table(&t, (kind)what, QUERIES, GALLERY, DIM,
                   DIP_SIMILARITY_COSINE);
        check_scan(&t, 1, 0, NULL);
        check_scan(&t, 10, 1, NULL);
        check_scan(&t, GALLERY / 2, 7, NULL);
        check_scan(&t, GALLERY + 3, 30, NULL);
        close_table(&t);
    }
    table t;
    open_table(&t, TWINS, QUERIES, GALLERY, DIM, DIP_SIMILARITY_COSINE);
    for (int i = 0; i < GALLERY; i++)
        keys[i] = (i * 7 + 3) % GALLERY;
    check_scan(&t, 10, 0, keys);
    close_table(&t);
}

/* A large gallery, in which few rows of a tile are in doubt. */
static void test_scan_is_exact_in_a_long_gallery(void **state)
{
    (void)state;
    static const kind kinds[] = {PLAIN, TWINS};
    for (size_t i = 0; i < 2; i++) {
        table t;
        open_table(&t, kinds[i], 5, 20000, 32, DIP_SIMILARITY_COSINE);
        check_scan(&t, 10, 2, NULL);
        check_scan(&t, 60, 0, NULL);
        close_table(&t);
    }
}

static void test_scan_does_not_depend_on_threads(void **state)
{
    (void)state;
    int threads = omp_get_max_threads();
    table t;
    open_table(&t, NEAR, 70, 900, 40, DIP_SIMILARITY_COSINE);
    for (int n = 1; n < 9; n += 2) {
        omp_set_num_threads(n);
        check_scan(&t, 7, 3, NULL);
        check_scan(&t, 7, 30, NULL);
    }
    omp_set_num_threads(threads);
    close_table(&t);
}

static void test_scan_pairs_are_the_scores(void **state)
{
    (void)state;
    for (int s = 0; s < DIP_SIMILARITY_COUNT; s++) {
        table t;
        dip_scan *scan;
        int64_t rows[30];
        float scores[30];
        open_table(&t, PLAIN, 3, 40, 77, (dip_similarity)s);
        for (int i = 0; i < 30; i++)
            rows[i] = i * 11 % 40;
        assert_int_equal(
            dip_scan_open(&scan, &t.queries, &t.gallery, false, NULL), DIP_OK);
        for (int n = 0; n <= 30; n++) {
            dip_scan_pairs(scan, scores, n % 3, rows, n);
            for (int i = 0; i < n; i++)
                assert_memory_equal(scores + i, t.scores + n % 3 * 40 + rows[i],
                                    sizeof *scores);
        }
        dip_scan_close(scan);
        close_table(&t);
    }
}

/* Some of the queries only. */
static void test_scan_takes_a_range_of_queries(void **state)
{
    (void)state;
    table t;
    dip_scan *scan;
    dip_hit all[50], some[20];
    open_table(&t, PLAIN, 50, 60, 9, DIP_SIMILARITY_COSINE);
    assert_int_equal(dip_scan_open(&scan, &t.queries, &t.gallery, false, NULL),
                     DIP_OK);
    dip_scan_job job = {.count = 50, .best = all, .k = 1};
    assert_int_equal(dip_scan_run(scan, &job, NULL), DIP_OK);
    job = (dip_scan_job){.first = 25, .count = 20, .best = some, .k = 1};
    assert_int_equal(dip_scan_run(scan, &job, NULL), DIP_OK);
    for (int i = 0; i < 20; i++)
        assert_int_equal(some[i].row, all[25 + i].row);
    dip_scan_close(scan);
    close_table(&t);
}

static void test_scan_refuses_what_is_not_finite(void **state)
{
    (void)state;
    float good[] = {1, 0}, bad[] = {1, 0, NAN, 1};
    dip_embeddings one = {good, 1, 2, DIP_SIMILARITY_COSINE},
                   two = {bad, 2, 2, DIP_SIMILARITY_COSINE};
    dip_scan *scan;
    dip_err err = {0};
    assert_int_equal(dip_scan_open(&scan, &one, &two, false, &err),
                     DIP_ENUMERIC);
    assert_string_equal(err.msg, "gallery row 1 holds NaN at dimension 0");
    assert_null(scan);
    dip_scan_close(scan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan_finds_what_all_scores_say),
        cmocka_unit_test(test_scan_is_exact_where_rough_scores_are_not),
        cmocka_unit_test(test_scan_is_exact_in_a_long_gallery),
        cmocka_unit_test(test_scan_does_not_depend_on_threads),
        cmocka_unit_test(test_scan_pairs_are_the_scores),
        cmocka_unit_test(test_scan_takes_a_range_of_queries),
        cmocka_unit_test(test_scan_refuses_what_is_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
