/* tests/golden/rerank.json is trec_eval's (tests/parity/gen_match.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/ranking.h"

#define QUERIES 20
#define GALLERY 30
#define N       7

typedef struct {
    json_t *golden;
    float queries[QUERIES * QUERIES], gallery[GALLERY * QUERIES];
    int64_t offsets[QUERIES + 1], rows[QUERIES * GALLERY];
    dip_hit first[QUERIES * N];
} fixture;

static double cell(const json_t *golden, const char *key, int row, int column)
{
    return json_number_value(json_array_get(
        json_array_get(json_object_get(golden, key), (size_t)row),
        (size_t)column));
}

/* Query q is the unit vector q, so that gallery row g scores its number q. */
static void fill(fixture *f)
{
    json_error_t error;
    memset(f, 0, sizeof *f);
    f->golden = json_load_file("tests/golden/rerank.json", 0, &error);
    assert_non_null(f->golden);
    for (int q = 0; q < QUERIES; q++) {
        f->queries[q * QUERIES + q] = 1;
        f->offsets[q + 1] = f->offsets[q];
        for (int g = 0; g < GALLERY; g++) {
            f->gallery[g * QUERIES + q] =
                (float)cell(f->golden, "scores", q, g);
            if (cell(f->golden, "grades", q, g) > 0)
                f->rows[f->offsets[q + 1]++] = g;
        }
        for (int i = 0; i < N; i++)
            f->first[q * N + i] =
                (dip_hit){(float)cell(f->golden, "second", q, i),
                          (int64_t)cell(f->golden, "first", q, i)};
    }
}

static dip_status rank(dip_ranking *out, fixture *f, dip_err *err)
{
    dip_embeddings queries = {f->queries, QUERIES, QUERIES,
                              DIP_SIMILARITY_COSINE};
    dip_embeddings gallery = {f->gallery, GALLERY, QUERIES,
                              DIP_SIMILARITY_COSINE};
    dip_relevance relevance = {.queries = QUERIES,
                               .lists = QUERIES,
                               .offsets = f->offsets,
                               .rows = f->rows};
    dip_ranking_options options = dip_ranking_defaults();
    options.first = f->first;
    options.first_count = N;
    return dip_ranking_evaluate(out, &queries, &gallery, &relevance, &options,
                                err);
}

static void test_rerank_metrics_equal_trec_eval(void **state)
{
    (void)state;
    fixture f;
    dip_ranking ranking;
    dip_err err = {0};
    int compared = 0;
    fill(&f);
    assert_int_equal(rank(&ranking, &f, &err), DIP_OK);
    const json_t *mean = json_object_get(f.golden, "mean");
    for (int m = 0; m < dip_ranking_metrics(&ranking); m++) {
        char name[DIP_RANKING_NAME_SIZE];
        dip_ranking_name(name, &ranking, m);
        const json_t *wanted = json_object_get(mean, name);
        if (wanted == NULL)
            continue;
        compared++;
        double got = dip_ranking_value(&ranking, &ranking.mean, m);
        if (!(fabs(got - json_number_value(wanted)) < 1e-9))
            fail_msg("%s is %.9g, not %.9g", name, got,
                     json_number_value(wanted));
    }
    assert_int_equal(compared, 7);
    dip_ranking_free(&ranking);
    json_decref(f.golden);
}

static void test_rerank_refuses_rows_outside_the_gallery(void **state)
{
    (void)state;
    fixture f;
    dip_ranking ranking;
    dip_err err = {0};
    fill(&f);
    f.first[2 * N].row = GALLERY;
    assert_int_equal(rank(&ranking, &f, &err), DIP_EDATA);
    assert_string_equal(err.msg,
                        "query 2 puts row 30 of a gallery of 30 first");
    f.first[2 * N] = (dip_hit){NAN, 1};
    assert_int_equal(rank(&ranking, &f, &err), DIP_ENUMERIC);
    assert_string_equal(err.msg, "query 2 puts a row first by NaN");
    json_decref(f.golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rerank_metrics_equal_trec_eval),
        cmocka_unit_test(test_rerank_refuses_rows_outside_the_gallery),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
