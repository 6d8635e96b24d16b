#include "apps/evaluate_threshold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/evaluate_classes.h"
#include "base/json.h"
#include "base/mem.h"
#include "eval/classification.h"

/* The rows of a split for one head. */
typedef struct {
    int32_t *labels; /* 1: positive, 0, -1: missing or unknown */
    double *scores;  /* probability of the positive class */
    int64_t rows;
} binary_rows;

static void free_rows(binary_rows *r)
{
    free(r->labels);
    free(r->scores);
}

static bool is_binary(const dip_evaluation *ev, int h)
{
    return dip_model_head_classes(ev->job.model, h) == 2 &&
           ev->job.corpus->head_columns[h] >= 0;
}

/* Names of the head's two classes in the run; the place of the last by name. */
static int positive_class(const json_t *names)
{
    const char *first = json_string_value(json_array_get(names, 0));
    const char *second = json_string_value(json_array_get(names, 1));
    return strcmp(first, second) < 0;
}

static dip_status take_rows(binary_rows *out, const dip_evaluation *ev,
                            const dip_embedded *e, int h, dip_err *err)
{
    const char *label = dip_model_head_name(ev->job.model, h);
    const json_t *names = json_object_get(ev->labels, label);
    int positive = positive_class(names);
    dip_class_set set = {0};
    *out =
        (binary_rows){.labels = dip_calloc((size_t)e->count, sizeof(int32_t)),
                      .scores = dip_calloc((size_t)e->count, sizeof(double)),
                      .rows = e->count};
    dip_status st =
        out->labels != NULL && out->scores != NULL
            ? dip_class_set_make(&set, names, ev->job.corpus,
                                 ev->job.corpus->head_columns[h], e, err)
            : dip_no_memory(err);
    if (st == DIP_OK)
        dip_class_set_leave_out(
            &set, dip_evaluate_head_input(ev, e, h)->present, e->count);
    for (int64_t i = 0; i < e->count && st == DIP_OK; i++) {
        int32_t class = set.labels[i];
        out->labels[i] = class < 0 || class > 1 ? -1 : class == positive;
        out->scores[i] = (double)e->probabilities[h][2 * i + positive];
    }
    dip_class_set_free(&set);
    return st;
}

/* Of the positive class; 0/0 is 0. */
typedef struct {
    int64_t rows, right, told, positives, hits;
} counts;

static counts count_at(const binary_rows *r, double threshold)
{
    counts c = {0};
    for (int64_t i = 0; i < r->rows; i++) {
        if (r->labels[i] < 0)
            continue;
        bool told = r->scores[i] >= threshold;
        c.rows++;
        c.told += told;
        c.positives += r->labels[i];
        c.hits += told && r->labels[i] == 1;
        c.right += told == (r->labels[i] == 1);
    }
    return c;
}

static json_t *share(int64_t part, int64_t whole)
{
    return json_real(whole > 0 ? (double)part / (double)whole : 0);
}

static json_t *describe(const dip_binary *val, const counts *c,
                        const char *name)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "class", name,
                     "value", json_real(val->best_threshold), "validation_f1",
                     json_real(val->best_f1), "accuracy",
                     share(c->right, c->rows), "precision",
                     share(c->hits, c->told), "recall",
                     share(c->hits, c->positives), "f1",
                     share(2 * c->hits, c->told + c->positives));
}

static dip_status put_threshold(json_t *part, const dip_evaluation *ev,
                                const dip_embedded *val,
                                const dip_embedded *test, int h, dip_err *err)
{
    const json_t *names =
        json_object_get(ev->labels, dip_model_head_name(ev->job.model, h));
    binary_rows chosen = {0}, measured = {0};
    dip_binary binary;
    dip_status st = take_rows(&chosen, ev, val, h, err);
    if (st == DIP_OK)
        st = take_rows(&measured, ev, test, h, err);
    if (st == DIP_OK)
        st = dip_binary_evaluate(&binary, chosen.labels, chosen.scores,
                                 chosen.rows, err);
    if (st == DIP_OK && !isnan(binary.best_f1)) { /* else no positive on val */
        counts c = count_at(&measured, binary.best_threshold);
        const char *name = json_string_value(
            json_array_get(names, (size_t)positive_class(names)));
        if (json_object_set_new(part, "threshold",
                                describe(&binary, &c, name)) != 0)
            st = dip_no_memory(err);
    }
    free_rows(&chosen);
    free_rows(&measured);
    return st;
}

dip_status dip_evaluate_thresholds(json_t *report, const dip_evaluation *ev,
                                   const dip_embedded *test, dip_err *err)
{
    int heads = dip_model_head_count(ev->job.model);
    bool any = false;
    for (int h = 0; h < heads; h++)
        any = any || is_binary(ev, h);
    if (!any || ev->split == DIP_SPLIT_VAL ||
        dip_catalog_split_rows(ev->job.corpus->catalog, DIP_SPLIT_VAL) == 0)
        return DIP_OK;
    dip_embedded val = {0};
    dip_status st = dip_evaluate_plan(&val, ev, err);
    if (st == DIP_OK)
        st = dip_embed_split(&val, &ev->job, DIP_SPLIT_VAL, err);
    for (int h = 0; h < heads && st == DIP_OK; h++) {
        json_t *part =
            json_object_get(json_object_get(report, "classification"),
                            dip_model_head_name(ev->job.model, h));
        if (is_binary(ev, h) && part != NULL)
            st = put_threshold(part, ev, &val, test, h, err);
    }
    dip_embedded_free(&val);
    return st;
}
