#include "apps/evaluate_probes.h"

#include <stdio.h>
#include <stdlib.h>

#include "apps/class_set.h"
#include "apps/evaluate_classes.h"
#include "base/json.h"
#include "base/mem.h"
#include "eval/probe.h"

/* The splits as they were encoded. */
typedef struct {
    const dip_evaluation *evaluation;
    const dip_embedded *test;
    dip_embedded train, validation;
} splits;

/* One label of one split; the set has the labels of rows that are there. */
typedef struct {
    dip_class_set set;
    dip_labelled_rows rows;
} side;

/* What a label is told from, and by which classes. */
typedef struct {
    const splits *s;
    const dip_probe_settings *settings;
    json_t *known; /* names of the classes that the train split has */
    side test, train, validation;
    int32_t *predicted;   /* [test] */
    float *probabilities; /* [test, known] */
} probe;

static const dip_matrix *input_of(const dip_embedded *e,
                                  const dip_probe_settings *settings)
{
    return settings->of_product ? &e->products[0] : &e->image;
}

/* ---- one label ---- */

static dip_status make_side(side *out, const probe *p, int column,
                            const dip_embedded *e, dip_err *err)
{
    const dip_matrix *input = input_of(e, p->settings);
    dip_status st = dip_class_set_make(
        &out->set, p->known, p->s->evaluation->job.corpus, column, e, err);
    if (st != DIP_OK)
        return st;
    dip_class_set_leave_out(&out->set, input->present, e->count);
    out->rows =
        (dip_labelled_rows){input->rows, out->set.labels, e->count, e->dim};
    return DIP_OK;
}

/* Names of the classes of the rows that can be learnt from. */
static dip_status find_known(json_t **out, const probe *p, int column,
                             dip_err *err)
{
    const dip_catalog *catalog = p->s->evaluation->job.corpus->catalog;
    const dip_embedded *train = &p->s->train;
    const uint8_t *present = input_of(train, p->settings)->present;
    int64_t classes = dip_catalog_column(catalog, column)->classes;
    bool *seen = dip_calloc((size_t)classes, sizeof *seen);
    *out = json_array();
    int faults = seen == NULL || *out == NULL;
    for (int64_t i = 0; i < train->count && !faults; i++) {
        int32_t label = dip_catalog_label(catalog, column, train->row[i]);
        if (label >= 0 && present[i])
            seen[label] = true;
    }
    for (int64_t c = 0; c < classes && !faults; c++) {
        dip_bytes name = dip_catalog_label_name(catalog, column, (int32_t)c);
        if (seen[c])
            faults |= json_array_append_new(
                *out, json_stringn_nocheck((const char *)name.data, name.len));
    }
    free(seen);
    return faults ? dip_no_memory(err) : DIP_OK;
}

static dip_status open_probe(probe *p, int column, bool validates, dip_err *err)
{
    dip_status st = find_known(&p->known, p, column, err);
    if (st == DIP_OK && json_array_size(p->known) == 0)
        st = dip_fail(err, DIP_EDATA, "no row of the train split has a class");
    if (st == DIP_OK)
        st = make_side(&p->test, p, column, p->s->test, err);
    if (st == DIP_OK)
        st = make_side(&p->train, p, column, &p->s->train, err);
    if (st == DIP_OK && validates)
        st = make_side(&p->validation, p, column, &p->s->validation, err);
    if (st != DIP_OK)
        return st;
    size_t n = (size_t)p->s->test->count, cells;
    if (dip_mul_overflows(n, json_array_size(p->known), &cells))
        return dip_no_memory(err);
    p->predicted = dip_calloc(n, sizeof *p->predicted);
    p->probabilities = dip_calloc(cells, sizeof *p->probabilities);
    return p->predicted != NULL && p->probabilities != NULL
               ? DIP_OK
               : dip_no_memory(err);
}

static void close_probe(probe *p)
{
    free(p->probabilities);
    free(p->predicted);
    dip_class_set_free(&p->validation.set);
    dip_class_set_free(&p->train.set);
    dip_class_set_free(&p->test.set);
    json_decref(p->known);
}

/* Classifies the rows, and tells how in *facts, which is the caller's. */
typedef dip_status (*classifier)(json_t **facts, probe *p, dip_err *err);

static dip_status by_neighbours(json_t **facts, probe *p, dip_err *err)
{
    const dip_knn_options *options = &p->settings->knn;
    *facts = json_pack("{s:I, s:o}", "k", (json_int_t)options->k, "temperature",
                       dip_json_real(options->temperature));
    return dip_knn_classify(p->predicted, p->probabilities, &p->test.rows,
                            &p->train.rows, (int64_t)json_array_size(p->known),
                            options, err);
}

static dip_status by_lines(json_t **facts, probe *p, dip_err *err)
{
    dip_linear_probe fit;
    *facts = NULL;
    dip_status st = dip_linear_probe_choose(
        &fit, &p->train.rows, &p->validation.rows,
        (int64_t)json_array_size(p->known), &p->settings->linear, err);
    if (st != DIP_OK)
        return st;
    *facts =
        json_pack("{s:o, s:o, s:I, s:b}", "c", dip_json_real(fit.c),
                  "validation_accuracy", dip_json_real(fit.validation_accuracy),
                  "iterations", (json_int_t)fit.iterations, "standardised",
                  (int)p->settings->linear.standardise);
    st = dip_linear_probe_classify(p->predicted, p->probabilities, &fit,
                                   &p->test.rows, err);
    dip_linear_probe_free(&fit);
    return st;
}

static const struct {
    const char *key;
    classifier classify;
    bool validates; /* needs the val split */
} kinds[] = {{"knn", by_neighbours, false}, {"linear_probe", by_lines, true}};

enum { KNN, LINEAR };

static int64_t count_learnt(const probe *p)
{
    int64_t rows = 0;
    for (int64_t i = 0; i < p->train.rows.n; i++)
        rows += p->train.rows.labels[i] >= 0;
    return rows;
}

/* The report of what was classified, with how it was learnt. */
static dip_status describe(json_t **out, probe *p, json_t *facts, dip_err *err)
{
    dip_status st = dip_evaluate_report_classes(
        out, &p->test.set, p->predicted, p->probabilities,
        (int64_t)json_array_size(p->known), p->s->evaluation, p->s->test, err);
    if (st == DIP_OK &&
        (json_object_update(*out, facts) != 0 ||
         json_object_set_new(*out, "train_rows",
                             json_integer((json_int_t)count_learnt(p))) != 0))
        st = dip_no_memory(err);
    return st;
}

/* A split without anything to learn from is said, not fatal. */
static dip_status measure(json_t **out, const splits *s, int kind,
                          const dip_probe_settings *settings, int column,
                          dip_err *err)
{
    probe p = {.s = s, .settings = settings};
    json_t *facts = NULL;
    dip_err reason = {0};
    *out = NULL;
    dip_status st = open_probe(&p, column, kinds[kind].validates, &reason);
    (void)snprintf(p.test.set.file, sizeof p.test.set.file, "%s.%s",
                   settings->label, kinds[kind].key);
    if (st == DIP_OK)
        st = kinds[kind].classify(&facts, &p, &reason);
    if (st == DIP_OK) {
        st = describe(out, &p, facts, err);
    } else if (st == DIP_EDATA) {
        *out = json_pack("{s:s}", "skipped", reason.msg);
        st = DIP_OK;
    } else {
        st = dip_fail(err, st, "%s", reason.msg);
    }
    json_decref(facts);
    close_probe(&p);
    return st;
}

/* ---- all ---- */

/* Why the split cannot be measured; NULL: it can. */
static const char *obstacle(const dip_evaluation *ev, int kind)
{
    if (ev->split == DIP_SPLIT_TRAIN)
        return "the train split is what it learns from";
    if (ev->split == DIP_SPLIT_VAL && kinds[kind].validates)
        return "the val split is what its penalty is chosen on";
    return NULL;
}

/* Only what is probed: neither heads nor other products. */
static dip_status encode(dip_embedded *out, const splits *s, dip_split split,
                         dip_err *err)
{
    dip_embed_job job = s->evaluation->job;
    job.probabilities = false;
    if (dip_embed_product(out, &s->test->sets[0]) != 0)
        return dip_fail(err, DIP_ERANGE, "no room for a product");
    return dip_embed_split(out, &job, split, err);
}

static dip_status add_kind(json_t *report, const splits *s, int kind,
                           const dip_probe_settings *settings, int count,
                           dip_err *err)
{
    const char *why = obstacle(s->evaluation, kind);
    json_t *labels = json_object();
    dip_status st = DIP_OK;
    if (json_object_set_new(report, kinds[kind].key, labels) != 0)
        return dip_no_memory(err);
    for (int i = 0; i < count && st == DIP_OK; i++) {
        int column;
        json_t *part = NULL;
        if (dip_catalog_find(s->evaluation->job.corpus->catalog,
                             DIP_COLUMN_LABEL, settings[i].label, &column,
                             NULL) != DIP_OK ||
            input_of(s->test, &settings[i])->rows == NULL)
            continue;
        if (why != NULL)
            part = json_pack("{s:s}", "skipped", why);
        else
            st = measure(&part, s, kind, &settings[i], column, err);
        if (st != DIP_OK)
            return dip_fail_context(err, "eval.%s.%s", kinds[kind].key,
                                    settings[i].label);
        st = json_object_set_new(labels, settings[i].label, part) == 0
                 ? DIP_OK
                 : dip_no_memory(err);
    }
    return st;
}

dip_status dip_evaluate_probes(json_t *report, const dip_evaluation *ev,
                               const dip_embedded *e, dip_err *err)
{
    const dip_settings *settings = ev->job.settings;
    splits s = {.evaluation = ev, .test = e};
    bool knn = settings->knn_count > 0 && obstacle(ev, KNN) == NULL;
    bool linear =
        settings->linear_probe_count > 0 && obstacle(ev, LINEAR) == NULL;
    dip_status st = DIP_OK;
    if (knn || linear)
        st = encode(&s.train, &s, DIP_SPLIT_TRAIN, err);
    if (st == DIP_OK && linear)
        st = encode(&s.validation, &s, DIP_SPLIT_VAL, err);
    if (st == DIP_OK)
        st = add_kind(report, &s, KNN, settings->knn, settings->knn_count, err);
    if (st == DIP_OK)
        st = add_kind(report, &s, LINEAR, settings->linear_probe,
                      settings->linear_probe_count, err);
    dip_embedded_free(&s.validation);
    dip_embedded_free(&s.train);
    return st;
}
