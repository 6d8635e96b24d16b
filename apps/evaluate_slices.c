#include "apps/evaluate_slices.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "apps/evaluate_outcomes.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "data/interner.h"
#include "eval/classification.h"
#include "eval/stats.h"
#include "report/put.h"
#include "report/report.h"

/* What rows are sliced by, of one catalog. */
typedef struct {
    const char *name;
    int column;         /* of the label; -1: none */
    int64_t *frequency; /* [classes] rows of the train split, or NULL */
} dimension;

/* A row's slices by their numbers. */
typedef struct {
    dip_interner *names;
    int64_t *of; /* [n], -1: in none */
} slicing;

/* ---- what a row is ---- */

#define FREQUENCY ".frequency"

static bool is_word(const char *name)
{
    return strcmp(name, "query_length") == 0 || strcmp(name, "image") == 0;
}

static dip_status find_label(int *column, const dip_catalog *catalog,
                             const char *name, dip_err *err)
{
    dip_str label = {0};
    size_t n = strlen(name), suffix = strlen(FREQUENCY);
    bool counts = n > suffix && strcmp(name + n - suffix, FREQUENCY) == 0;
    dip_str_add_n(&label, name, counts ? n - suffix : n);
    dip_status st = dip_str_status(&label, err);
    if (st == DIP_OK)
        st = dip_catalog_find(catalog, DIP_COLUMN_LABEL, label.data, column,
                              err);
    dip_str_free(&label);
    return st;
}

dip_status dip_slices_check(const dip_evaluation *ev, dip_err *err)
{
    const dip_settings *s = ev->job.settings;
    dip_status st = DIP_OK;
    for (size_t i = 0; i < s->eval.slice_count && st == DIP_OK; i++) {
        int column;
        if (is_word(s->eval.slices[i]))
            continue;
        st = find_label(&column, ev->job.corpus->catalog, s->eval.slices[i],
                        err);
    }
    return st == DIP_OK ? st : dip_fail_context(err, "eval.slices");
}

static dip_status count_train_rows(dimension *d, const dip_catalog *catalog,
                                   dip_err *err)
{
    int64_t classes = dip_catalog_column(catalog, d->column)->classes;
    d->frequency = dip_calloc((size_t)classes, sizeof *d->frequency);
    if (d->frequency == NULL)
        return dip_no_memory(err);
    for (int64_t row = 0; row < dip_catalog_rows(catalog); row++) {
        int32_t label = dip_catalog_label(catalog, d->column, row);
        if (label >= 0 && dip_catalog_split(catalog, row) == DIP_SPLIT_TRAIN)
            d->frequency[label]++;
    }
    return DIP_OK;
}

static dip_status open_dimension(dimension *d, const char *name,
                                 const dip_catalog *catalog, dip_err *err)
{
    *d = (dimension){.name = name, .column = -1};
    if (is_word(name))
        return DIP_OK;
    dip_status st = find_label(&d->column, catalog, name, err);
    if (st == DIP_OK &&
        strcmp(name, dip_catalog_column(catalog, d->column)->name) != 0)
        st = count_train_rows(d, catalog, err);
    return st;
}

static int64_t count_words(const char *text, size_t n)
{
    int64_t words = 0;
    bool inside = false;
    for (size_t at = 0; at < n;) {
        bool space = dip_utf8_is_space(dip_utf8_next(text, n, &at));
        words += !space && !inside;
        inside = !space;
    }
    return words;
}

/* Name of the first of `bounds`, ascending, that `count` does not pass. */
static void add_band(dip_str *out, int64_t count, const int64_t *bounds,
                     size_t n, const char *unit)
{
    int64_t from = 0;
    for (size_t i = 0; i < n; i++) {
        if (count > bounds[i]) {
            from = bounds[i] + 1;
            continue;
        }
        if (from == bounds[i])
            dip_str_addf(out, "%lld%s", (long long)from, unit);
        else
            dip_str_addf(out, "%lld to %lld%s", (long long)from,
                         (long long)bounds[i], unit);
        return;
    }
    dip_str_addf(out, "%lld or more%s", (long long)from, unit);
}

static void add_query_length(dip_str *out, const dip_sliced_rows *r, int64_t i)
{
    static const int64_t bounds[] = {0, 1, 2, 4, 8, 16};
    dip_str text = {0};
    if (r->task->judged) {
        dip_bytes query =
            dip_catalog_query(r->evaluation->job.corpus->catalog, r->rows[i]);
        dip_str_add_n(&text, query.data, query.len);
    } else {
        dip_evaluate_query_text(&text, r->evaluation, r->task,
                                r->embedded->row[r->rows[i]]);
    }
    add_band(out, count_words(dip_str_text(&text), text.len), bounds,
             DIP_ARRAY_LEN(bounds), " words");
    out->failed |= text.failed;
    dip_str_free(&text);
}

static void add_label(dip_str *out, const dimension *d,
                      const dip_catalog *catalog, int64_t row)
{
    static const int64_t bounds[] = {0, 9, 99, 999, 9999};
    int32_t label = dip_catalog_label(catalog, d->column, row);
    if (label < 0) {
        dip_str_add(out, "(missing)");
    } else if (d->frequency != NULL) {
        add_band(out, d->frequency[label], bounds, DIP_ARRAY_LEN(bounds),
                 " rows in training");
    } else {
        dip_bytes name = dip_catalog_label_name(catalog, d->column, label);
        dip_str_add_n(out, name.data, name.len);
    }
}

static void add_name(dip_str *out, const dimension *d, const dip_sliced_rows *r,
                     int64_t i)
{
    if (strcmp(d->name, "query_length") == 0)
        add_query_length(out, r, i);
    else if (strcmp(d->name, "image") == 0)
        dip_str_add(out, r->embedded->image.present[r->rows[i]]
                             ? "with a photo"
                             : "without a photo");
    else
        add_label(out, d, r->evaluation->job.corpus->catalog,
                  r->embedded->row[r->rows[i]]);
}

/* Words need words, and a query of a log is no product. */
static bool applies(const dimension *d, const dip_sliced_rows *r)
{
    bool judged = r->task != NULL && r->task->judged;
    if (strcmp(d->name, "query_length") == 0)
        return judged ||
               (r->task != NULL && r->task->query != DIP_SOURCE_IMAGE);
    if (strcmp(d->name, "image") == 0 && r->embedded->image.present == NULL)
        return false;
    return !judged;
}

static void free_slicing(slicing *s)
{
    dip_interner_free(s->names);
    free(s->of);
}

static dip_status slice(slicing *out, const dimension *d,
                        const dip_sliced_rows *r, dip_err *err)
{
    dip_str name = {0};
    *out = (slicing){.of = dip_calloc((size_t)r->n, sizeof *out->of)};
    dip_status st = out->of != NULL ? dip_interner_create(&out->names, err)
                                    : dip_no_memory(err);
    for (int64_t i = 0; i < r->n && st == DIP_OK; i++) {
        dip_str_clear(&name);
        add_name(&name, d, r, i);
        st = dip_str_status(&name, err);
        if (st == DIP_OK)
            st = dip_interner_add(&out->of[i], out->names,
                                  (dip_bytes){dip_str_text(&name), name.len},
                                  err);
    }
    dip_str_free(&name);
    return st;
}

/* ---- what is said of a slice ---- */

/* The part of one slice, number `number`; *worth is what slices are sorted by,
 * and *out NULL when there is nothing to say. */
typedef dip_status (*describer)(json_t **out, double *worth, const slicing *s,
                                int64_t number, const dip_sliced_rows *rows,
                                const void *context, dip_err *err);

typedef struct {
    json_t *part;
    double worth;
    int64_t number;
} described;

static int by_worth_up(const void *a, const void *b)
{
    const described *x = a, *y = b;
    if (x->worth != y->worth)
        return x->worth < y->worth ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static dip_status put_name(json_t *part, const slicing *s, int64_t number,
                           dip_err *err)
{
    dip_str name = {0};
    dip_bytes bytes = dip_interner_get(s->names, number);
    dip_str_add_n(&name, bytes.data, bytes.len);
    dip_status st = dip_str_status(&name, err);
    if (st == DIP_OK &&
        json_object_set_new(part, "name",
                            dip_report_name(dip_str_text(&name))) != 0)
        st = dip_no_memory(err);
    dip_str_free(&name);
    return st;
}

/* All slices of one dimension, worst first. */
static dip_status describe_all(json_t **out, const slicing *s,
                               const dip_sliced_rows *rows, describer describe,
                               const void *context, dip_err *err)
{
    int64_t count = dip_interner_count(s->names), n = 0;
    described *items = dip_calloc((size_t)count, sizeof *items);
    *out = json_array();
    dip_status st = items != NULL && *out != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t i = 0; i < count && st == DIP_OK; i++) {
        described *item = &items[n];
        item->number = i;
        st = describe(&item->part, &item->worth, s, i, rows, context, err);
        if (item->part == NULL)
            continue;
        n++;
        if (st == DIP_OK)
            st = put_name(item->part, s, i, err);
    }
    if (n > 0)
        qsort(items, (size_t)n, sizeof *items, by_worth_up);
    for (int64_t i = 0; i < n; i++) {
        if (json_array_append_new(*out, items[i].part) != 0 && st == DIP_OK)
            st = dip_no_memory(err);
    }
    free(items);
    return st;
}

static dip_status add_slices(json_t *report, const dip_sliced_rows *rows,
                             describer describe, const void *context,
                             dip_err *err)
{
    const dip_settings *settings = rows->evaluation->job.settings;
    const dip_catalog *catalog = rows->evaluation->job.corpus->catalog;
    json_t *all = json_object();
    dip_status st = DIP_OK;
    for (size_t i = 0; i < settings->eval.slice_count && st == DIP_OK; i++) {
        dimension d;
        slicing s = {0};
        json_t *part = NULL;
        st = open_dimension(&d, settings->eval.slices[i], catalog, err);
        if (st == DIP_OK && applies(&d, rows)) {
            st = slice(&s, &d, rows, err);
            if (st == DIP_OK)
                st = describe_all(&part, &s, rows, describe, context, err);
            if (json_object_set_new(all, d.name, part) != 0 && st == DIP_OK)
                st = dip_no_memory(err);
        }
        free_slicing(&s);
        free(d.frequency);
    }
    if (json_object_set_new(report, "slices", all) != 0 && st == DIP_OK)
        st = dip_no_memory(err);
    return st;
}

/* The interval of the mean of `values` [n], as "interval": {name: …}. */
static dip_status put_interval(json_t *part, const char *name,
                               const double *values, const int64_t *groups,
                               int64_t n, const dip_sliced_rows *rows,
                               dip_err *err)
{
    dip_interval interval;
    dip_stats_options options = dip_stats_defaults();
    options.resamples = rows->evaluation->job.settings->resamples;
    options.seed = rows->evaluation->job.settings->seed;
    dip_status st =
        dip_bootstrap_mean(&interval, values, groups, n, &options, err);
    if (st == DIP_OK &&
        json_object_set_new(
            part, "interval",
            json_pack("{s:o?}", name, dip_report_interval(&interval))) != 0)
        st = dip_no_memory(err);
    return st;
}

/* ---- rankings ---- */

static int metric_named(const dip_ranking *r, const char *wanted)
{
    char name[DIP_RANKING_NAME_SIZE];
    int m = dip_ranking_metrics(r) - 1;
    for (; m > 0; m--) {
        dip_ranking_name(name, r, m);
        if (strcmp(name, wanted) == 0)
            break;
    }
    return m; /* 0, mrr, is left */
}

static dip_status put_ranking_interval(json_t *part, const dip_ranking *r,
                                       int metric, const dip_sliced_rows *rows,
                                       dip_err *err)
{
    char name[DIP_RANKING_NAME_SIZE];
    size_t n = (size_t)r->evaluated;
    double *values = dip_calloc(n, sizeof *values);
    int64_t *groups = dip_calloc(n, sizeof *groups);
    dip_status st =
        values != NULL && groups != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t i = 0; i < r->evaluated && st == DIP_OK; i++) {
        values[i] = dip_ranking_value(r, &r->per_query[i].values, metric);
        groups[i] = rows->groups[r->per_query[i].query];
    }
    dip_ranking_name(name, r, metric);
    if (st == DIP_OK)
        st = put_interval(part, name, values, groups, r->evaluated, rows, err);
    free(groups);
    free(values);
    return st;
}

static dip_status describe_queries(json_t **out, double *worth,
                                   const slicing *s, int64_t number,
                                   const dip_sliced_rows *rows,
                                   const void *context, dip_err *err)
{
    dip_ranking part;
    *out = NULL;
    dip_status st = dip_ranking_select(&part, context, s->of, number, err);
    if (st != DIP_OK || part.evaluated == 0) {
        dip_ranking_free(&part);
        return st;
    }
    int metric =
        metric_named(&part, rows->evaluation->job.settings->eval.slice_metric);
    *worth = dip_ranking_value(&part, &part.mean, metric);
    *out = dip_report_ranking(&part);
    st = *out != NULL ? put_ranking_interval(*out, &part, metric, rows, err)
                      : dip_no_memory(err);
    dip_ranking_free(&part);
    return st;
}

dip_status dip_slices_of_ranking(json_t *report, const dip_ranking *ranking,
                                 const dip_sliced_rows *rows, dip_err *err)
{
    return add_slices(report, rows, describe_queries, ranking, err);
}

/* ---- classes ---- */

typedef struct {
    const int32_t *labels;
    const int32_t *predicted;
    int64_t classes;
    int32_t *kept;   /* [n] labels of one slice */
    double *right;   /* [n] */
    int64_t *groups; /* [n] */
} classified;

static dip_status describe_rows(json_t **out, double *worth, const slicing *s,
                                int64_t number, const dip_sliced_rows *rows,
                                const void *context, dip_err *err)
{
    const classified *k = context;
    const dip_classification_options options = {0};
    dip_classification c;
    int64_t n = 0;
    *out = NULL;
    for (int64_t i = 0; i < rows->n; i++) {
        bool inside = s->of[i] == number && k->labels[i] >= 0;
        k->kept[i] = inside ? k->labels[i] : -1;
        if (!inside)
            continue;
        k->groups[n] = rows->groups[i];
        k->right[n++] = k->labels[i] == k->predicted[i];
    }
    if (n == 0)
        return DIP_OK;
    dip_status st = dip_classification_evaluate(
        &c, k->kept, k->predicted, rows->n, k->classes, &options, err);
    if (st != DIP_OK)
        return st;
    *worth = c.accuracy;
    *out = json_pack("{s:I, s:o, s:o, s:o, s:o}", "rows", (json_int_t)c.rows,
                     "accuracy", dip_json_real(c.accuracy), "balanced_accuracy",
                     dip_json_real(c.balanced_accuracy), "f1_macro",
                     dip_json_real(c.macro.f1), "f1_weighted",
                     dip_json_real(c.weighted.f1));
    st = *out != NULL
             ? put_interval(*out, "accuracy", k->right, k->groups, n, rows, err)
             : dip_no_memory(err);
    dip_classification_free(&c);
    return st;
}

dip_status dip_slices_of_classes(json_t *report, const int32_t *labels,
                                 const int32_t *predicted, int64_t classes,
                                 const dip_sliced_rows *rows, dip_err *err)
{
    size_t n = (size_t)rows->n;
    classified k = {.labels = labels,
                    .predicted = predicted,
                    .classes = classes,
                    .kept = dip_calloc(n, sizeof *k.kept),
                    .right = dip_calloc(n, sizeof *k.right),
                    .groups = dip_calloc(n, sizeof *k.groups)};
    dip_status st = k.kept != NULL && k.right != NULL && k.groups != NULL
                        ? add_slices(report, rows, describe_rows, &k, err)
                        : dip_no_memory(err);
    free(k.groups);
    free(k.right);
    free(k.kept);
    return st;
}
