/* tests/golden/ensemble.json is ranx's and numpy's
 * (tests/parity/gen_ensemble.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "eval/ensemble.h"

#define MEMBERS 3

static json_t *golden;

static int load(void **state)
{
    (void)state;
    return dip_json_load(&golden, "tests/golden/ensemble.json", 1 << 22,
                         NULL) == DIP_OK
               ? 0
               : -1;
}

static int unload(void **state)
{
    (void)state;
    json_decref(golden);
    return 0;
}

static json_t *part(const json_t *object, const char *key)
{
    json_t *out = json_object_get(object, key);
    assert_non_null(out);
    return out;
}

static void read_weights(double weights[MEMBERS])
{
    for (size_t m = 0; m < MEMBERS; m++)
        weights[m] =
            json_number_value(json_array_get(part(golden, "weights"), m));
}

/* [rows, columns] of a list of lists. */
static float *read_matrix(const json_t *rows, int64_t *count, int64_t *columns)
{
    *count = (int64_t)json_array_size(rows);
    *columns = (int64_t)json_array_size(json_array_get(rows, 0));
    float *out = dip_calloc((size_t)(*count * *columns), sizeof *out);
    assert_non_null(out);
    for (int64_t i = 0; i < *count * *columns; i++)
        out[i] = (float)json_number_value(
            json_array_get(json_array_get(rows, (size_t)(i / *columns)),
                           (size_t)(i % *columns)));
    return out;
}

/* ---- rankings ---- */

typedef struct {
    dip_ensemble_side sides[MEMBERS];
    double weights[MEMBERS];
    int64_t *offsets, *rows; /* the last row of each query's list is right */
    dip_relevance relevance;
    dip_ranking_options options;
    int64_t queries, gallery;
} problem;

static dip_embeddings read_rows(const char *key, size_t member)
{
    const json_t *rankings = part(golden, "rankings");
    const char *similarity = json_string_value(
        json_array_get(part(rankings, "similarities"), member));
    dip_embeddings out = {.similarity = strcmp(similarity, "euclidean") == 0
                                            ? DIP_SIMILARITY_EUCLIDEAN
                                            : DIP_SIMILARITY_COSINE};
    out.data = read_matrix(json_array_get(part(rankings, key), member),
                           &out.rows, &out.dim);
    return out;
}

static void begin(problem *p)
{
    *p = (problem){.options = dip_ranking_defaults()};
    read_weights(p->weights);
    for (size_t m = 0; m < MEMBERS; m++)
        p->sides[m] = (dip_ensemble_side){read_rows("queries", m),
                                          read_rows("gallery", m)};
    p->queries = p->sides[0].queries.rows;
    p->gallery = p->sides[0].gallery.rows;
    p->offsets = dip_calloc((size_t)p->queries + 1, sizeof *p->offsets);
    p->rows = dip_calloc((size_t)p->queries, sizeof *p->rows);
    for (int64_t q = 0; q < p->queries; q++) {
        p->offsets[q + 1] = q + 1;
        p->rows[q] = 3 * q;
    }
    p->relevance = (dip_relevance){.queries = p->queries,
                                   .lists = p->queries,
                                   .offsets = p->offsets,
                                   .rows = p->rows};
}

static void end(problem *p)
{
    for (size_t m = 0; m < MEMBERS; m++) {
        free((float *)p->sides[m].queries.data);
        free((float *)p->sides[m].gallery.data);
    }
    free(p->rows);
    free(p->offsets);
}

/* Row q of `orders` is the whole ranking of query q; the evaluated ranks are
 * those of the right rows in it. */
static void check_scores(dip_ensemble_norm norm, const char *key)
{
    problem p;
    dip_ranking ranking;
    begin(&p);
    const dip_ensemble_rankers rankers = {p.sides, p.weights, MEMBERS};
    const json_t *orders = part(part(golden, "rankings"), key);
    dip_hit *best = dip_calloc((size_t)(p.queries * p.gallery), sizeof *best);
    assert_int_equal(dip_ensemble_rank_scores(&ranking, best, p.gallery,
                                              &rankers, norm, &p.relevance,
                                              &p.options, NULL),
                     DIP_OK);
    assert_int_equal(ranking.evaluated, p.queries);
    for (int64_t q = 0; q < p.queries; q++) {
        const json_t *order = json_array_get(orders, (size_t)q);
        assert_int_equal(json_array_size(order), p.gallery);
        for (int64_t i = 0; i < p.gallery; i++) {
            int64_t row = json_integer_value(json_array_get(order, (size_t)i));
            assert_int_equal(best[q * p.gallery + i].row, row);
            if (row == p.rows[q])
                assert_true(ranking.per_query[q].rank == (double)(i + 1));
        }
    }
    dip_ranking_free(&ranking);
    free(best);
    end(&p);
}

static void test_ensemble_sums_of_scores_rank_as_those_of_ranx(void **state)
{
    (void)state;
    check_scores(DIP_ENSEMBLE_PLAIN, "none");
    check_scores(DIP_ENSEMBLE_MINMAX, "minmax");
    check_scores(DIP_ENSEMBLE_ZSCORE, "zscore");
}

static void test_ensemble_reciprocal_ranks_are_those_of_ranx(void **state)
{
    (void)state;
    problem p;
    dip_ranking ranking;
    begin(&p);
    const double equal[MEMBERS] = {1, 1, 1};
    const dip_ensemble_rankers rankers = {p.sides, equal, MEMBERS};
    const json_t *scores = part(part(golden, "rankings"), "rrf");
    dip_hit *best = dip_calloc((size_t)(p.queries * p.gallery), sizeof *best);
    assert_int_equal(dip_ensemble_rank_reciprocal(&ranking, best, p.gallery,
                                                  &rankers, 1000, &p.relevance,
                                                  &p.options, NULL),
                     DIP_OK);
    assert_int_equal(ranking.gallery, p.gallery);
    for (int64_t i = 0; i < p.queries * p.gallery; i++) {
        const json_t *of_query =
            json_array_get(scores, (size_t)(i / p.gallery));
        double wanted =
            json_number_value(json_array_get(of_query, (size_t)best[i].row));
        assert_true(fabs((double)best[i].score - wanted) < 1e-8);
        if (i % p.gallery > 0)
            assert_true(best[i].score <= best[i - 1].score);
    }
    dip_ranking_free(&ranking);
    free(best);
    end(&p);
}

/* With a depth of 1 only the members' first rows are ranked. */
static void test_ensemble_finds_nothing_below_the_depth(void **state)
{
    (void)state;
    problem p;
    dip_ranking ranking;
    begin(&p);
    const double first_alone[MEMBERS] = {1, 0, 0};
    const dip_ensemble_rankers rankers = {p.sides, first_alone, MEMBERS};
    dip_hit best[64], top[64];
    assert_true(p.queries * 2 <= 64);
    assert_int_equal(dip_topk_search(top, &p.sides[0].queries,
                                     &p.sides[0].gallery, NULL, 1, NULL),
                     DIP_OK);
    for (int64_t q = 0; q < p.queries; q += 2)
        p.rows[q] = top[q].row;
    for (int64_t q = 1; q < p.queries; q += 2)
        p.rows[q] = (top[q].row + 1) % p.gallery;
    assert_int_equal(dip_ensemble_rank_reciprocal(&ranking, best, 2, &rankers,
                                                  1, &p.relevance, &p.options,
                                                  NULL),
                     DIP_OK);
    for (int64_t q = 0; q < p.queries; q++) {
        assert_int_equal(best[2 * q].row, top[q].row);
        assert_int_equal(best[2 * q + 1].row, -1);
        assert_true(q % 2 == 0 ? ranking.per_query[q].rank == 1
                               : isinf(ranking.per_query[q].rank));
    }
    dip_ranking_free(&ranking);
    end(&p);
}

/* A member whose scores of a query are all equal has no say in it. */
static void test_ensemble_equal_scores_decide_nothing(void **state)
{
    (void)state;
    problem p;
    dip_ranking ranking;
    begin(&p);
    float *flat =
        dip_calloc((size_t)(p.gallery * p.sides[1].gallery.dim), sizeof *flat);
    dip_ensemble_side sides[2] = {p.sides[0], p.sides[1]};
    for (int64_t i = 0; i < p.gallery * sides[1].gallery.dim; i++)
        flat[i] = .3f;
    sides[1].gallery.data = flat;
    const double weights[2] = {1, 1000};
    const dip_ensemble_rankers rankers = {sides, weights, 2};
    dip_hit best[32], alone[32];
    assert_true(p.queries <= 32);
    assert_int_equal(dip_topk_search(alone, &sides[0].queries,
                                     &sides[0].gallery, NULL, 1, NULL),
                     DIP_OK);
    for (int norm = DIP_ENSEMBLE_MINMAX; norm <= DIP_ENSEMBLE_ZSCORE; norm++) {
        assert_int_equal(dip_ensemble_rank_scores(&ranking, best, 1, &rankers,
                                                  (dip_ensemble_norm)norm,
                                                  &p.relevance, &p.options,
                                                  NULL),
                         DIP_OK);
        for (int64_t q = 0; q < p.queries; q++)
            assert_int_equal(best[q].row, alone[q].row);
        dip_ranking_free(&ranking);
    }
    free(flat);
    end(&p);
}

/* ---- votes ---- */

static void test_ensemble_votes_are_those_of_numpy(void **state)
{
    (void)state;
    const json_t *votes = part(golden, "votes");
    double weights[MEMBERS], equal[MEMBERS] = {1, 1, 1};
    const float *p[MEMBERS];
    int64_t n, classes;
    read_weights(weights);
    for (size_t m = 0; m < MEMBERS; m++)
        p[m] = read_matrix(json_array_get(part(votes, "probabilities"), m), &n,
                           &classes);
    float *wanted = read_matrix(part(votes, "mean"), &n, &classes);
    float *out = dip_calloc((size_t)(n * classes), sizeof *out);
    int32_t *predicted = dip_calloc((size_t)n, sizeof *predicted);
    int32_t *labels = dip_calloc((size_t)n, sizeof *labels);
    dip_ensemble_votes v = {p, weights, MEMBERS, n, classes};
    dip_ensemble_soft(out, predicted, &v);
    for (int64_t i = 0; i < n * classes; i++)
        assert_true(fabsf(out[i] - wanted[i]) < 1e-6f);
    for (int64_t i = 0; i < n; i++) {
        labels[i] = (int32_t)json_integer_value(
            json_array_get(part(votes, "labels"), (size_t)i));
        assert_int_equal(predicted[i], json_integer_value(json_array_get(
                                           part(votes, "soft"), (size_t)i)));
    }
    double likelihood = json_number_value(part(votes, "log_likelihood"));
    assert_true(fabs(dip_ensemble_log_likelihood(&v, labels) - likelihood) <
                1e-6);
    v.weights = equal;
    dip_ensemble_hard(out, predicted, &v);
    for (int64_t i = 0; i < n; i++) {
        float sum = 0;
        for (int64_t c = 0; c < classes; c++)
            sum += out[i * classes + c];
        assert_true(fabsf(sum - 1) < 1e-6f);
        assert_int_equal(predicted[i], json_integer_value(json_array_get(
                                           part(votes, "hard"), (size_t)i)));
    }
    for (size_t m = 0; m < MEMBERS; m++)
        free((float *)p[m]);
    free(labels);
    free(predicted);
    free(out);
    free(wanted);
}

/* Votes of 5 + 4 and of 5 + 3 + 1 are equally many, whatever rounding would
 * make of their shares of 18; so are 0.3 and 0.1 + 0.2. */
static void test_ensemble_equal_votes_go_by_probability(void **state)
{
    (void)state;
    static const float first[] = {.9f, .1f}, second[] = {.45f, .55f};
    static const struct {
        const float *p[5];
        double weights[5];
    } cases[] = {
        {{first, second, first, second, second}, {5, 5, 4, 3, 1}},
        {{second, second, first, first, first}, {.1, .2, .3, 0, 0}},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        float shares[2];
        int32_t predicted;
        dip_ensemble_votes v = {cases[i].p, cases[i].weights, 5, 1, 2};
        dip_ensemble_hard(shares, &predicted, &v);
        assert_int_equal(predicted, 0);
        assert_true(fabsf(shares[0] - .5f) < 1e-6f);
        assert_true(fabsf(shares[1] - .5f) < 1e-6f);
    }
}

/* ---- weights ---- */

/* Best where the second has twice the share of the first and the third none. */
static dip_status judge(void *user, double *value, const double *weights,
                        dip_err *err)
{
    int *calls = user;
    double sum = weights[0] + weights[1] + weights[2];
    (void)err;
    (*calls)++;
    *value = -pow(weights[0] / sum - 1. / 3, 2) -
             pow(weights[1] / sum - 2. / 3, 2) - weights[2] / sum;
    return DIP_OK;
}

static dip_status refuse(void *user, double *value, const double *weights,
                         dip_err *err)
{
    (void)user;
    (void)weights;
    *value = 0;
    return dip_fail(err, DIP_EDATA, "no");
}

static void test_ensemble_tunes_weights(void **state)
{
    (void)state;
    double weights[MEMBERS];
    int calls = 0;
    assert_int_equal(dip_ensemble_tune(weights, MEMBERS, judge, &calls, NULL),
                     DIP_OK);
    assert_true(fabs(weights[0] - 1. / 3) < .05);
    assert_true(fabs(weights[1] - 2. / 3) < .05);
    assert_true(weights[2] == 0);
    assert_true(calls <= 1 + 7 * 3 * MEMBERS);
    assert_int_equal(dip_ensemble_tune(weights, MEMBERS, refuse, NULL, NULL),
                     DIP_EDATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ensemble_sums_of_scores_rank_as_those_of_ranx),
        cmocka_unit_test(test_ensemble_reciprocal_ranks_are_those_of_ranx),
        cmocka_unit_test(test_ensemble_finds_nothing_below_the_depth),
        cmocka_unit_test(test_ensemble_equal_scores_decide_nothing),
        cmocka_unit_test(test_ensemble_votes_are_those_of_numpy),
        cmocka_unit_test(test_ensemble_equal_votes_go_by_probability),
        cmocka_unit_test(test_ensemble_tunes_weights),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
