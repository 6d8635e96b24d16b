/* Every value of tests/golden/metrics.json, which scikit-learn, scipy,
 * trec_eval and torchmetrics made (tests/parity/gen_metrics.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "eval/classification.h"
#include "eval/matching.h"
#include "eval/ranking.h"
#include "eval/stats.h"
#include "eval/topk.h"

#define TOLERANCE 1e-9

static int load_golden(void **state)
{
    json_error_t error;
    *state = json_load_file("tests/golden/metrics.json", 0, &error);
    return *state == NULL;
}

static int unload_golden(void **state)
{
    json_decref(*state);
    return 0;
}

static json_t *get(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    if (value == NULL)
        fail_msg("no '%s' in the golden file", key);
    return value;
}

static double number(const json_t *object, const char *key)
{
    json_t *value = get(object, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(get(object, key));
}

static int64_t length(const json_t *array)
{
    return (int64_t)json_array_size(array);
}

/* The numbers of an array or of an array of arrays, row by row. */
static double *doubles(const json_t *array)
{
    size_t rows = json_array_size(array), n = 0;
    const json_t *first = json_array_get(array, 0);
    size_t columns = json_is_array(first) ? json_array_size(first) : 1;
    double *out = calloc(rows * columns + 1, sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < rows; i++) {
        const json_t *row = json_array_get(array, i);
        for (size_t j = 0; j < columns; j++)
            out[n++] = json_number_value(
                json_is_array(row) ? json_array_get(row, j) : row);
    }
    return out;
}

#define DEFINE_READER(name, type)                                              \
    static type *name(const json_t *array)                                     \
    {                                                                          \
        double *from = doubles(array);                                         \
        size_t rows = json_array_size(array);                                  \
        const json_t *first = json_array_get(array, 0);                        \
        size_t n = rows * (json_is_array(first) ? json_array_size(first) : 1); \
        type *out = calloc(n + 1, sizeof *out);                                \
        assert_non_null(out);                                                  \
        for (size_t i = 0; i < n; i++)                                         \
            out[i] = (type)from[i];                                            \
        free(from);                                                            \
        return out;                                                            \
    }

DEFINE_READER(floats, float)
DEFINE_READER(ints, int32_t)
DEFINE_READER(longs, int64_t)

static void assert_near(double got, double expected, const char *what)
{
    if (isnan(got) || !(fabs(got - expected) <= TOLERANCE))
        fail_msg("%s is %.12g, not %.12g", what, got, expected);
}

/* ---- ranking ------------------------------------------------------------ */

/* One golden case as embeddings: query q is the unit vector of dimension q,
 * and a gallery row holds its scores for each query, so that dot products are
 * the golden scores exactly. */
typedef struct {
    int64_t queries, gallery;
    float *query_data, *gallery_data;
    double *scores;
    int64_t *offsets, *rows;
    float *grades;
    dip_relevance relevance;
    dip_ranking_options options;
} ranking_case;

static dip_ties ties_named(const char *name)
{
    if (strcmp(name, "expected") == 0)
        return DIP_TIES_EXPECTED;
    return strcmp(name, "optimistic") == 0 ? DIP_TIES_OPTIMISTIC
                                           : DIP_TIES_PESSIMISTIC;
}

static ranking_case make_ranking_case(const json_t *golden)
{
    ranking_case c = {.scores = doubles(get(golden, "scores")),
                      .grades = floats(get(golden, "grades"))};
    int64_t q_count = c.queries = length(get(golden, "scores"));
    int64_t g_count = c.gallery =
        length(json_array_get(get(golden, "scores"), 0));
    c.query_data = calloc((size_t)(q_count * q_count), sizeof(float));
    c.gallery_data = calloc((size_t)(g_count * q_count), sizeof(float));
    c.offsets = calloc((size_t)q_count + 1, sizeof(int64_t));
    c.rows = calloc((size_t)(q_count * g_count), sizeof(int64_t));
    assert_true(c.query_data && c.gallery_data && c.offsets && c.rows);
    for (int64_t q = 0; q < q_count; q++) {
        c.query_data[q * q_count + q] = 1;
        c.offsets[q + 1] = (q + 1) * g_count;
        for (int64_t g = 0; g < g_count; g++) {
            c.gallery_data[g * q_count + q] = (float)c.scores[q * g_count + g];
            c.rows[q * g_count + g] = g;
        }
    }
    c.relevance = (dip_relevance){.queries = q_count,
                                  .lists = q_count,
                                  .offsets = c.offsets,
                                  .rows = c.rows,
                                  .grades = c.grades};
    const json_t *cutoffs = get(golden, "cutoffs");
    c.options.n_cutoffs = (int)length(cutoffs);
    for (int i = 0; i < c.options.n_cutoffs; i++)
        c.options.cutoffs[i] =
            json_integer_value(json_array_get(cutoffs, (size_t)i));
    c.options.ties = ties_named(text(golden, "ties"));
    c.options.gain = strcmp(text(golden, "gain"), "linear") == 0
                         ? DIP_GAIN_LINEAR
                         : DIP_GAIN_EXPONENTIAL;
    c.options.graded = true;
    c.options.persistence = number(golden, "persistence");
    return c;
}

static void free_ranking_case(ranking_case *c)
{
    free(c->query_data);
    free(c->gallery_data);
    free(c->scores);
    free(c->offsets);
    free(c->rows);
    free(c->grades);
}

static void check_ranking(const json_t *golden, const dip_ranking *ranking)
{
    const json_t *expected = get(golden, "expected");
    int64_t *queries = longs(get(golden, "queries"));
    assert_int_equal(ranking->evaluated, length(expected));
    assert_int_equal(ranking->empty, ranking->queries - ranking->evaluated);
    assert_near(ranking->median_rank, number(golden, "median_rank"), "median");
    for (int m = 0; m < dip_ranking_metrics(ranking); m++) {
        char name[DIP_RANKING_NAME_SIZE];
        dip_ranking_name(name, ranking, m);
        double sum = 0;
        for (int64_t i = 0; i < ranking->evaluated; i++) {
            const json_t *values = json_array_get(expected, (size_t)i);
            const dip_ranking_query *query = ranking->per_query + i;
            assert_int_equal(query->query, queries[i]);
            assert_near(query->rank, number(values, "rank"), "rank");
            assert_near(dip_ranking_value(ranking, &query->values, m),
                        number(values, name), name);
            sum += number(values, name);
        }
        assert_near(dip_ranking_value(ranking, &ranking->mean, m),
                    sum / (double)ranking->evaluated, name);
    }
    free(queries);
}

static void test_golden_ranking_of_embeddings(void **state)
{
    size_t i;
    json_t *golden;
    json_array_foreach (get(*state, "ranking"), i, golden) {
        ranking_case c = make_ranking_case(golden);
        dip_embeddings queries = {c.query_data, c.queries, c.queries,
                                  DIP_SIMILARITY_COSINE};
        dip_embeddings gallery = {c.gallery_data, c.gallery, c.queries,
                                  DIP_SIMILARITY_COSINE};
        dip_ranking ranking;
        dip_err err = {0};
        assert_int_equal(dip_ranking_evaluate(&ranking, &queries, &gallery,
                                              &c.relevance, &c.options, &err),
                         DIP_OK);
        check_ranking(golden, &ranking);
        dip_ranking_free(&ranking);
        free_ranking_case(&c);
    }
}

static void test_golden_ranking_of_runs(void **state)
{
    size_t i;
    json_t *golden;
    json_array_foreach (get(*state, "ranking"), i, golden) {
        ranking_case c = make_ranking_case(golden);
        dip_run run = {c.queries, NULL, c.offsets, c.rows, c.scores};
        dip_ranking ranking;
        dip_err err = {0};
        assert_int_equal(dip_ranking_evaluate_run(&ranking, &run, &c.relevance,
                                                  &c.options, &err),
                         DIP_OK);
        check_ranking(golden, &ranking);
        dip_ranking_free(&ranking);
        free_ranking_case(&c);
    }
}

static void test_golden_topk(void **state)
{
    const json_t *golden = get(*state, "topk");
    float *query_data = floats(get(golden, "queries"));
    float *gallery_data = floats(get(golden, "gallery"));
    int64_t *keys = longs(get(golden, "keys"));
    int64_t *rows = longs(get(golden, "rows"));
    double *scores = doubles(get(golden, "scores"));
    dip_embeddings queries = {query_data, length(get(golden, "queries")), 3,
                              DIP_SIMILARITY_COSINE};
    dip_embeddings gallery = {gallery_data, length(get(golden, "gallery")), 3,
                              DIP_SIMILARITY_COSINE};
    static const int64_t ks[] = {1, 7, 40, 50};
    for (size_t i = 0; i < 4; i++) {
        int64_t k = ks[i];
        dip_hit *hits = calloc((size_t)(queries.rows * k), sizeof *hits);
        dip_err err = {0};
        assert_int_equal(
            dip_topk_search(hits, &queries, &gallery, keys, k, &err), DIP_OK);
        for (int64_t at = 0; at < queries.rows * k; at++) {
            int64_t q = at / k, place = at % k;
            if (place >= gallery.rows) {
                assert_int_equal(hits[at].row, -1);
                assert_true(isinf(hits[at].score) && hits[at].score < 0);
                continue;
            }
            int64_t row = rows[q * gallery.rows + place];
            assert_int_equal(hits[at].row, row);
            assert_near((double)hits[at].score, scores[q * gallery.rows + row],
                        "score");
        }
        free(hits);
    }
    free(scores);
    free(rows);
    free(keys);
    free(gallery_data);
    free(query_data);
}

/* ---- classification ----------------------------------------------------- */

static void check_prf(const dip_prf *got, const json_t *expected)
{
    double *values = doubles(expected);
    assert_near(got->precision, values[0], "precision");
    assert_near(got->recall, values[1], "recall");
    assert_near(got->f1, values[2], "f1");
    free(values);
}

static void check_classification(const json_t *golden)
{
    int32_t *labels = ints(get(golden, "labels"));
    int32_t *predicted = ints(get(golden, "predicted"));
    int64_t *confusion = longs(get(golden, "confusion"));
    int64_t *support = longs(get(golden, "support"));
    int64_t classes = (int64_t)number(golden, "classes");
    dip_classification_options options = {
        json_is_true(get(golden, "all_classes")),
        number(golden, "zero_division"), true};
    dip_classification c;
    dip_err err = {0};
    assert_int_equal(dip_classification_evaluate(&c, labels, predicted,
                                                 length(get(golden, "labels")),
                                                 classes, &options, &err),
                     DIP_OK);
    assert_near((double)c.missing, number(golden, "missing"), "missing");
    assert_near(c.accuracy, number(golden, "accuracy"), "accuracy");
    check_prf(&c.macro, get(golden, "macro"));
    check_prf(&c.micro, get(golden, "micro"));
    check_prf(&c.weighted, get(golden, "weighted"));
    for (int64_t i = 0; i < classes; i++) {
        check_prf(&c.per_class[i].score,
                  json_array_get(get(golden, "per_class"), (size_t)i));
        assert_int_equal(c.per_class[i].support, support[i]);
    }
    assert_memory_equal(c.confusion, confusion,
                        (size_t)(classes * classes) * sizeof *confusion);
    dip_classification_free(&c);
    free(support);
    free(confusion);
    free(predicted);
    free(labels);
}

static void test_golden_classification(void **state)
{
    size_t i;
    json_t *golden;
    json_array_foreach (get(*state, "classification"), i, golden)
        check_classification(golden);
}

static void test_golden_top_k_accuracy(void **state)
{
    const json_t *golden = get(*state, "top_k_accuracy");
    int32_t *labels = ints(get(golden, "labels"));
    int32_t *best = ints(get(golden, "argmax"));
    float *scores = floats(get(golden, "scores"));
    int64_t n = length(get(golden, "labels"));
    const char *k;
    json_t *expected;
    json_object_foreach (get(golden, "expected"), k, expected) {
        double got;
        dip_err err = {0};
        assert_int_equal(dip_classification_top_k(&got, labels, scores, n, 6,
                                                  strtol(k, NULL, 10), &err),
                         DIP_OK);
        assert_near(got, json_number_value(expected), k);
    }
    int32_t *got = calloc((size_t)n, sizeof *got);
    assert_int_equal(dip_classification_argmax(got, scores, n, 6, NULL),
                     DIP_OK);
    assert_memory_equal(got, best, (size_t)n * sizeof *got);
    free(got);
    free(scores);
    free(best);
    free(labels);
}

static void test_golden_binary(void **state)
{
    size_t i;
    json_t *golden;
    json_array_foreach (get(*state, "binary"), i, golden) {
        int32_t *labels = ints(get(golden, "labels"));
        double *scores = doubles(get(golden, "scores"));
        dip_binary b;
        dip_err err = {0};
        assert_int_equal(dip_binary_evaluate(&b, labels, scores,
                                             length(get(golden, "labels")),
                                             &err),
                         DIP_OK);
        if (json_is_null(get(golden, "auc")))
            assert_true(isnan(b.auc));
        else
            assert_near(b.auc, number(golden, "auc"), "auc");
        assert_near(b.average_precision, number(golden, "average_precision"),
                    "average precision");
        assert_near(b.best_f1, number(golden, "best_f1"), "best f1");
        assert_near(b.best_threshold, number(golden, "best_threshold"),
                    "threshold");
        free(scores);
        free(labels);
    }
}

static void test_golden_calibration(void **state)
{
    size_t i;
    json_t *golden;
    json_array_foreach (get(*state, "calibration"), i, golden) {
        double *confidence = doubles(get(golden, "confidence"));
        int32_t *correct = ints(get(golden, "correct"));
        dip_calibration c;
        dip_err err = {0};
        assert_int_equal(
            dip_calibration_evaluate(&c, confidence, correct,
                                     length(get(golden, "correct")),
                                     (int64_t)number(golden, "bins"), &err),
            DIP_OK);
        assert_near(c.ece, number(golden, "ece"), "ece");
        assert_near(c.ece_l2, number(golden, "ece_l2"), "ece l2");
        assert_near(c.ece_max, number(golden, "ece_max"), "ece max");
        assert_near(c.brier, number(golden, "brier"), "brier");
        free(correct);
        free(confidence);
    }
}

/* ---- matching ----------------------------------------------------------- */

typedef struct {
    float *queries, *products;
    int64_t *group;
    dip_matching_split split;
} split_case;

static split_case make_split(const json_t *golden)
{
    static const int64_t product_group[] = {0, 1};
    split_case c = {floats(get(golden, "queries")),
                    floats(get(golden, "products")),
                    longs(get(golden, "group")),
                    {.product_group = product_group}};
    c.split.queries = (dip_embeddings){c.queries, length(get(golden, "group")),
                                       4, DIP_SIMILARITY_COSINE};
    c.split.products =
        (dip_embeddings){c.products, 2, 4, DIP_SIMILARITY_COSINE};
    c.split.query_group = c.group;
    return c;
}

static void free_split(split_case *c)
{
    free(c->queries);
    free(c->products);
    free(c->group);
}

static void test_golden_matching(void **state)
{
    const json_t *golden = get(*state, "matching");
    const json_t *expected = get(golden, "expected");
    split_case validation = make_split(get(golden, "validation"));
    split_case test = make_split(get(golden, "test"));
    dip_matching m;
    dip_err err = {0};
    assert_int_equal(
        dip_matching_evaluate(&m, &validation.split, &test.split, 1, &err),
        DIP_OK);
    assert_near(m.threshold, number(expected, "threshold"), "threshold");
    assert_near(m.validation_f1, number(expected, "validation_f1"), "f1");
    assert_near(m.accuracy, number(expected, "accuracy"), "accuracy");
    assert_near(m.precision, number(expected, "precision"), "precision");
    assert_near(m.recall, number(expected, "recall"), "recall");
    assert_near(m.f1, number(expected, "f1"), "f1");
    assert_near(m.auc, number(expected, "auc"), "auc");
    free_split(&test);
    free_split(&validation);
}

/* ---- statistics --------------------------------------------------------- */

static void test_golden_paired_tests(void **state)
{
    size_t i;
    json_t *golden;
    json_array_foreach (get(get(*state, "statistics"), "paired"), i, golden) {
        double *a = doubles(get(golden, "a")), *b = doubles(get(golden, "b"));
        int64_t n = length(get(golden, "a"));
        dip_stats_options options = dip_stats_defaults();
        dip_t_test t;
        dip_err err = {0};
        assert_int_equal(dip_paired_t_test(&t, a, b, NULL, n, &err), DIP_OK);
        assert_near(t.t, number(golden, "t"), "t");
        assert_near(t.p, number(golden, "p"), "p");
        if (json_object_get(golden, "sign_flip") != NULL) {
            double p;
            assert_int_equal(
                dip_sign_flip_test(&p, a, b, NULL, n, &options, &err), DIP_OK);
            assert_near(p, number(golden, "sign_flip"), "sign flip");
        }
        free(b);
        free(a);
    }
}

static void test_golden_holm(void **state)
{
    size_t i;
    json_t *golden;
    json_array_foreach (get(get(*state, "statistics"), "holm"), i, golden) {
        double *p = doubles(get(golden, "p"));
        double *expected = doubles(get(golden, "adjusted"));
        int64_t n = length(get(golden, "p"));
        assert_int_equal(dip_holm_adjust(p, p, n, NULL), DIP_OK);
        for (int64_t k = 0; k < n; k++)
            assert_near(p[k], expected[k], "adjusted p");
        free(expected);
        free(p);
    }
}

/* Other random numbers than the peer's: agreement within Monte Carlo error,
 * which is about .001 for 10,000 resamples of these values. */
static void test_golden_bootstrap(void **state)
{
    size_t i;
    json_t *golden;
    json_array_foreach (get(get(*state, "statistics"), "bootstrap"), i,
                        golden) {
        double *values = doubles(get(golden, "values"));
        const json_t *groups = get(golden, "groups");
        int64_t *group = json_is_null(groups) ? NULL : longs(groups);
        dip_stats_options options = dip_stats_defaults();
        dip_interval interval;
        dip_err err = {0};
        assert_int_equal(dip_bootstrap_mean(&interval, values, group,
                                            length(get(golden, "values")),
                                            &options, &err),
                         DIP_OK);
        assert_near(interval.mean, number(golden, "mean"), "mean");
        assert_true(fabs(interval.low - number(golden, "low")) < 3e-3);
        assert_true(fabs(interval.high - number(golden, "high")) < 3e-3);
        free(group);
        free(values);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_ranking_of_embeddings),
        cmocka_unit_test(test_golden_ranking_of_runs),
        cmocka_unit_test(test_golden_topk),
        cmocka_unit_test(test_golden_classification),
        cmocka_unit_test(test_golden_top_k_accuracy),
        cmocka_unit_test(test_golden_binary),
        cmocka_unit_test(test_golden_calibration),
        cmocka_unit_test(test_golden_matching),
        cmocka_unit_test(test_golden_paired_tests),
        cmocka_unit_test(test_golden_holm),
        cmocka_unit_test(test_golden_bootstrap),
    };
    return cmocka_run_group_tests(tests, load_golden, unload_golden);
}
