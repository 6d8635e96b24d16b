/* The metrics of eval/ on given inputs, for the comparison with other
 * implementations (tests/parity/check_metrics.py runs it): reads a JSON object
 * a line from stdin and writes one for each, {"error": message} when the metric
 * refuses its input. Numbers that are null are NaN, and the reverse. */
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "eval/class_scores.h"
#include "eval/classification.h"
#include "eval/probe.h"
#include "eval/ranking.h"
#include "eval/recommendation.h"

typedef dip_status (*measurer)(json_t *out, const json_t *in, dip_err *err);

/* The numbers of an array, or of an array of arrays, one behind the other. */
static size_t flatten(double *out, const json_t *array)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        if (json_is_array(item))
            n += flatten(out == NULL ? NULL : out + n, item);
        else if (out != NULL)
            out[n++] =
                json_is_number(item) ? json_number_value(item) : (double)NAN;
        else
            n++;
    }
    return n;
}

/* The caller frees them; the process ends without memory. */
static double *numbers(const json_t *in, const char *key, int64_t *count)
{
    const json_t *array = json_object_get(in, key);
    size_t n = flatten(NULL, array);
    double *out = dip_calloc(n, sizeof *out);
    if (out == NULL)
        abort();
    (void)flatten(out, array);
    *count = (int64_t)n;
    return out;
}

#define DEFINE_READER(name, type)                                              \
    static type *name(const json_t *in, const char *key, int64_t *count)       \
    {                                                                          \
        double *from = numbers(in, key, count);                                \
        type *out = dip_calloc((size_t)*count, sizeof *out);                   \
        for (int64_t i = 0; out != NULL && i < *count; i++)                    \
            out[i] = (type)from[i];                                            \
        free(from);                                                            \
        if (out == NULL)                                                       \
            abort();                                                           \
        return out;                                                            \
    }

DEFINE_READER(floats, float)
DEFINE_READER(ints, int32_t)

static int64_t integer(const json_t *in, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(in, key));
}

static void put(json_t *out, const char *key, double value)
{
    (void)json_object_set_new(out, key,
                              isfinite(value) ? json_real(value) : json_null());
}

/* ---- ranking ---- */

static dip_ranking_options ranking_options(const json_t *in)
{
    const json_t *cutoffs = json_object_get(in, "cutoffs");
    const char *ties = json_string_value(json_object_get(in, "ties"));
    const char *gain = json_string_value(json_object_get(in, "gain"));
    dip_ranking_options o = {
        .n_cutoffs = (int)json_array_size(cutoffs),
        .count_empty = json_is_true(json_object_get(in, "count_empty")),
        .graded = true,
        .max_grade = json_number_value(json_object_get(in, "max_grade")),
        .persistence = json_number_value(json_object_get(in, "persistence"))};
    for (int i = 0; i < o.n_cutoffs && i < DIP_RANKING_CUTOFFS; i++)
        o.cutoffs[i] =
            (int64_t)json_integer_value(json_array_get(cutoffs, (size_t)i));
    while (strcmp(dip_ranking_ties_name(o.ties), ties) != 0)
        o.ties++;
    while (strcmp(dip_ranking_gain_name(o.gain), gain) != 0)
        o.gain++;
    return o;
}

static void put_query(json_t *queries, const dip_ranking *r,
                      const dip_ranking_query *query)
{
    json_t *values = json_object();
    for (int m = 0; m < dip_ranking_metrics(r); m++) {
        char name[DIP_RANKING_NAME_SIZE];
        dip_ranking_name(name, r, m);
        put(values, name, dip_ranking_value(r, &query->values, m));
    }
    put(values, "query", (double)query->query);
    put(values, "rank", query->rank);
    (void)json_array_append_new(queries, values);
}

/* scores [queries, gallery], grades beside them: -1 is not judged; a score of
 * null with "listed" false is not in the list. */
static dip_status measure_ranking(json_t *out, const json_t *in, dip_err *err)
{
    int64_t n, queries = integer(in, "queries"), judged = 0, listed = 0;
    int64_t gallery = integer(in, "gallery");
    double *scores = numbers(in, "scores", &n);
    float *grades = floats(in, "grades", &n), *kept = floats(in, "grades", &n);
    int32_t *in_list = ints(in, "listed", &n);
    int64_t *at = dip_calloc((size_t)(2 * queries + 2), sizeof *at);
    int64_t *rows = dip_calloc((size_t)(2 * n), sizeof *rows);
    if (at == NULL || rows == NULL)
        abort();
    for (int64_t i = 0; i < n; i++) {
        if (grades[i] != -1) {
            rows[judged] = i % gallery;
            kept[judged++] = grades[i];
        }
        if (in_list[i] != 0) {
            rows[n + listed] = i % gallery;
            scores[listed++] = scores[i];
        }
        at[i / gallery + 1] = judged;
        at[queries + 1 + i / gallery + 1] = listed;
    }
    dip_relevance relevance = {.queries = queries,
                               .lists = queries,
                               .offsets = at,
                               .rows = rows,
                               .grades = kept};
    dip_run run = {queries, NULL, at + queries + 1, rows + n, scores};
    dip_ranking_options options = ranking_options(in);
    dip_ranking r;
    dip_status st =
        dip_ranking_evaluate_run(&r, &run, &relevance, &options, err);
    if (st == DIP_OK) {
        json_t *list = json_array();
        for (int64_t i = 0; i < r.evaluated; i++)
            put_query(list, &r, &r.per_query[i]);
        (void)json_object_set_new(out, "queries", list);
        put(out, "median_rank", r.median_rank);
        dip_ranking_free(&r);
    }
    free(rows);
    free(at);
    free(in_list);
    free(kept);
    free(grades);
    free(scores);
    return st;
}

/* ---- recommendation ---- */

/* Lists of the columns that are marked in [lists, columns]. */
typedef struct {
    int64_t *ends, *rows;
    int32_t *marks;
} marked;

static marked read_marks(const json_t *in, const char *key, int64_t lists)
{
    int64_t n, count = 0;
    marked m = {.marks = ints(in, key, &n)};
    m.ends = dip_calloc((size_t)lists + 1, sizeof *m.ends);
    m.rows = dip_calloc((size_t)n, sizeof *m.rows);
    if (m.ends == NULL || m.rows == NULL)
        abort();
    for (int64_t i = 0; i < n; i++) {
        if (m.marks[i] != 0)
            m.rows[count++] = i % (n / lists);
        m.ends[i / (n / lists) + 1] = count;
    }
    return m;
}

static void free_marks(marked *m)
{
    free(m->ends);
    free(m->rows);
    free(m->marks);
}

static dip_status put_measures(json_t *out, const dip_recommendations *given,
                               int64_t k, dip_err *err)
{
    dip_recommendation r;
    double *influences = NULL;
    int64_t users = 0;
    json_t *part = json_object();
    dip_status st = dip_recommendation_measure(&r, given, k, err);
    if (st == DIP_OK)
        st = dip_recommendation_influences(&influences, &users, given, k, err);
    for (int m = 0; m < DIP_RECOMMENDATION_MEASURES && st == DIP_OK; m++) {
        json_t *list = json_array();
        const double *of = influences + m * users;
        for (int64_t u = 0; u < users; u++)
            (void)json_array_append_new(list, isfinite(of[u]) ? json_real(of[u])
                                                              : json_null());
        double value = dip_recommendation_value(&r, m);
        (void)json_object_set_new(
            part, dip_recommendation_name(m),
            json_pack("[o, o]",
                      isfinite(value) ? json_real(value) : json_null(), list));
    }
    (void)json_array_append_new(out, part);
    free(influences);
    return st;
}

/* For each of "cutoffs" each measure and each user's influence on it. All are
 * [users, items]: "scores", and what is "listed", "right" and "seen". */
static dip_status measure_recommendation(json_t *out, const json_t *in,
                                         dip_err *err)
{
    int64_t n, users = integer(in, "users"), at = 0;
    double *scores = numbers(in, "scores", &n);
    marked listed = read_marks(in, "listed", users);
    marked right = read_marks(in, "right", users);
    marked seen = read_marks(in, "seen", users);
    for (int64_t i = 0; i < n; i++) {
        if (listed.marks[i] != 0)
            scores[at++] = scores[i];
    }
    dip_run run = {users, NULL, listed.ends, listed.rows, scores}, unseen;
    dip_relevance relevance = {.queries = users,
                               .lists = users,
                               .offsets = right.ends,
                               .rows = right.rows};
    dip_relevance had = {.queries = users,
                         .lists = users,
                         .offsets = seen.ends,
                         .rows = seen.rows};
    dip_recommendations given = {&run, &relevance, &had, n / users};
    dip_status st = dip_recommendation_unseen(&unseen, &given, err);
    given.run = &unseen;
    json_t *parts = json_array(), *cutoffs = json_object_get(in, "cutoffs");
    for (size_t i = 0; i < json_array_size(cutoffs) && st == DIP_OK; i++)
        st = put_measures(parts, &given,
                          json_integer_value(json_array_get(cutoffs, i)), err);
    (void)json_object_set_new(out, "cutoffs", parts);
    dip_recommendation_free(&unseen);
    free_marks(&seen);
    free_marks(&right);
    free_marks(&listed);
    free(scores);
    return st;
}

/* ---- classification ---- */

static void put_prf(json_t *out, const char *name, const dip_prf *score)
{
    (void)json_object_set_new(
        out, name,
        json_pack("[f, f, f]", score->precision, score->recall, score->f1));
}

static dip_status measure_classes(json_t *out, const json_t *in, dip_err *err)
{
    int64_t n;
    int32_t *labels = ints(in, "labels", &n);
    int32_t *predicted = ints(in, "predicted", &n);
    dip_classification_options options = {
        .all_classes = json_is_true(json_object_get(in, "all_classes")),
        .zero_division =
            json_number_value(json_object_get(in, "zero_division")),
        .confusion = true};
    dip_classification c;
    dip_status st = dip_classification_evaluate(
        &c, labels, predicted, n, integer(in, "classes"), &options, err);
    if (st == DIP_OK) {
        put(out, "accuracy", c.accuracy);
        put(out, "balanced_accuracy", c.balanced_accuracy);
        json_t *per_class = json_object(), *confusion = json_array();
        for (int64_t i = 0; i < c.classes; i++) {
            char key[32];
            (void)snprintf(key, sizeof key, "%lld", (long long)i);
            put_prf(per_class, key, &c.per_class[i].score);
            for (int64_t j = 0; j < c.classes; j++)
                (void)json_array_append_new(
                    confusion,
                    json_integer((json_int_t)c.confusion[i * c.classes + j]));
        }
        (void)json_object_set_new(out, "per_class", per_class);
        (void)json_object_set_new(out, "confusion", confusion);
        if (c.rows > 0) {
            put_prf(out, "macro", &c.macro);
            put_prf(out, "micro", &c.micro);
            put_prf(out, "weighted", &c.weighted);
        }
        dip_classification_free(&c);
    }
    free(predicted);
    free(labels);
    return st;
}

static dip_status measure_probabilities(json_t *out, const json_t *in,
                                        dip_err *err)
{
    int64_t n, cells;
    int32_t *labels = ints(in, "labels", &n);
    float *probabilities = floats(in, "probabilities", &cells);
    dip_class_probabilities p = {labels, probabilities, n,
                                 integer(in, "classes")};
    dip_class_scores s;
    dip_status st = dip_class_scores_evaluate(&s, &p, err);
    if (st == DIP_OK) {
        json_t *areas = json_array();
        for (int64_t c = 0; c < p.classes; c++) {
            json_t *one = json_object();
            put(one, "roc_auc", s.per_class[c].roc_auc);
            put(one, "average_precision", s.per_class[c].average_precision);
            (void)json_array_append_new(areas, one);
        }
        (void)json_object_set_new(out, "per_class", areas);
        put(out, "roc_auc_macro", s.macro.roc_auc);
        put(out, "average_precision_macro", s.macro.average_precision);
        put(out, "roc_auc_weighted", s.weighted.roc_auc);
        put(out, "average_precision_weighted", s.weighted.average_precision);
        put(out, "brier", s.brier);
        put(out, "ece", s.calibration.ece);
        put(out, "ece_l2", s.calibration.ece_l2);
        put(out, "ece_max", s.calibration.ece_max);
        for (int64_t k = 1; k <= p.classes + 1; k++) {
            char key[32];
            (void)snprintf(key, sizeof key, "top_%lld", (long long)k);
            put(out, key, dip_class_scores_top_k(&s, n, k));
        }
        dip_class_scores_free(&s);
    }
    free(probabilities);
    free(labels);
    return st;
}

static dip_status measure_binary(json_t *out, const json_t *in, dip_err *err)
{
    int64_t n;
    int32_t *labels = ints(in, "labels", &n);
    double *scores = numbers(in, "scores", &n);
    dip_binary b;
    dip_status st = dip_binary_evaluate(&b, labels, scores, n, err);
    if (st == DIP_OK) {
        put(out, "auc", b.auc);
        put(out, "average_precision", b.average_precision);
        put(out, "best_f1", b.best_f1);
        put(out, "best_threshold", b.best_threshold);
    }
    free(scores);
    free(labels);
    return st;
}

static dip_status measure_calibration(json_t *out, const json_t *in,
                                      dip_err *err)
{
    int64_t n;
    int32_t *correct = ints(in, "correct", &n);
    double *confidence = numbers(in, "confidence", &n);
    dip_calibration c;
    dip_status st = dip_calibration_evaluate(&c, confidence, correct, n,
                                             integer(in, "bins"), err);
    if (st == DIP_OK) {
        put(out, "ece", c.ece);
        put(out, "ece_l2", c.ece_l2);
        put(out, "ece_max", c.ece_max);
        put(out, "brier", c.brier);
    }
    free(confidence);
    free(correct);
    return st;
}

/* ---- frozen embeddings ---- */

static int64_t dim_of(const json_t *in, const char *key)
{
    return (int64_t)json_array_size(
        json_array_get(json_object_get(in, key), 0));
}

static dip_status classify_neighbours(int32_t *predicted, float *shares,
                                      const json_t *in,
                                      const dip_labelled_rows *train,
                                      const dip_labelled_rows *test,
                                      dip_err *err)
{
    const dip_knn_options options = {
        integer(in, "k"),
        json_number_value(json_object_get(in, "temperature"))};
    return dip_knn_classify(predicted, shares, test, train,
                            integer(in, "classes"), &options, err);
}

/* With the penalty "c", or with the one that suits "validation" best. */
static dip_status classify_linear(json_t *out, int32_t *predicted,
                                  float *shares, const json_t *in,
                                  const dip_labelled_rows *train,
                                  const dip_labelled_rows *test, dip_err *err)
{
    const json_t *c = json_object_get(in, "c");
    const dip_linear_options options = {
        json_is_true(json_object_get(in, "standardise")), 1000,
        json_number_value(json_object_get(in, "tolerance"))};
    int64_t n, classes = integer(in, "classes");
    float *rows = floats(in, "validation", &n);
    int32_t *labels = ints(in, "validation_labels", &n);
    const dip_labelled_rows validation = {rows, labels, n, train->dim};
    dip_linear_probe probe;
    dip_status st =
        c != NULL ? dip_linear_probe_fit(&probe, train, classes,
                                         json_number_value(c), &options, err)
                  : dip_linear_probe_choose(&probe, train, &validation, classes,
                                            &options, err);
    if (st == DIP_OK)
        st = dip_linear_probe_classify(predicted, shares, &probe, test, err);
    put(out, "c", probe.c);
    put(out, "objective", probe.objective);
    dip_linear_probe_free(&probe);
    free(labels);
    free(rows);
    return st;
}

static dip_status measure_probe(json_t *out, const json_t *in, dip_err *err)
{
    int64_t n, cells, dim = dim_of(in, "train"), classes;
    float *rows = floats(in, "train", &cells), *asked;
    int32_t *labels = ints(in, "labels", &n);
    const dip_labelled_rows train = {rows, labels, n, dim};
    asked = floats(in, "test", &cells);
    const dip_labelled_rows test = {asked, NULL, cells / dim, dim};
    classes = integer(in, "classes");
    int32_t *predicted = dip_calloc((size_t)test.n, sizeof *predicted);
    float *shares = dip_calloc((size_t)(test.n * classes), sizeof *shares);
    json_t *taken = json_array(), *list = json_array();
    if (predicted == NULL || shares == NULL)
        abort();
    dip_status st =
        json_object_get(in, "k") != NULL
            ? classify_neighbours(predicted, shares, in, &train, &test, err)
            : classify_linear(out, predicted, shares, in, &train, &test, err);
    for (int64_t i = 0; i < test.n; i++)
        (void)json_array_append_new(taken, json_integer(predicted[i]));
    for (int64_t i = 0; i < test.n * classes; i++)
        (void)json_array_append_new(list, json_real((double)shares[i]));
    (void)json_object_set_new(out, "predicted", taken);
    (void)json_object_set_new(out, "probabilities", list);
    free(shares);
    free(predicted);
    free(asked);
    free(labels);
    free(rows);
    return st;
}

/* ---- all ---- */

static const struct {
    const char *kind;
    measurer measure;
} kinds[] = {
    {"ranking", measure_ranking}, {"recommendation", measure_recommendation},
    {"classes", measure_classes}, {"probabilities", measure_probabilities},
    {"binary", measure_binary},   {"calibration", measure_calibration},
    {"probe", measure_probe}};

static dip_status measure(json_t *out, const json_t *in, dip_err *err)
{
    const char *kind = json_string_value(json_object_get(in, "kind"));
    for (size_t i = 0; kind != NULL && i < DIP_ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].kind, kind) == 0)
            return kinds[i].measure(out, in, err);
    }
    return dip_fail(err, DIP_ERANGE, "unknown kind of metric");
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        dip_err err = {0};
        json_t *in = json_loads(line, 0, NULL), *out = json_object();
        if (in == NULL || out == NULL) {
            (void)fputs("metrics: a line is not JSON\n", stderr);
            return 1;
        }
        if (measure(out, in, &err) != DIP_OK)
            (void)json_object_set_new(out, "error", json_string(err.msg));
        (void)json_dumpf(out, stdout, JSON_COMPACT);
        (void)putchar('\n');
        json_decref(out);
        json_decref(in);
    }
    free(line);
    return 0;
}
