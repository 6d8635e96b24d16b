#include "apps/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "apps/evaluate_classes.h"
#include "apps/evaluate_match.h"
#include "apps/evaluate_probes.h"
#include "apps/evaluate_sampled.h"
#include "apps/evaluate_slices.h"
#include "apps/evaluate_task.h"
#include "apps/evaluate_threshold.h"
#include "apps/fields.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

/* ---- names of metrics ---- */

/* For messages: without @k, and as all tasks have them. */
static const char *const ranking_names[] = {"mrr", "map", "ndcg", "r_precision",
                                            "median_rank"};
static const char *const cutoff_names[] = {"hit", "recall", "precision", "map",
                                           "ndcg"};
/* The reports have more, these decide which checkpoint is best. */
static const char *const head_names[] = {
    "accuracy",           "precision_macro", "recall_macro", "f1_macro",
    "precision_weighted", "recall_weighted", "f1_weighted",  "f1_micro"};

static void list_metrics(dip_str *out, const dip_settings *s)
{
    for (int t = 0; t < s->task_count; t++) {
        const char *task = s->tasks[t].name;
        dip_ranking like = {.n_cutoffs = s->eval.ranking.n_cutoffs,
                            .graded = s->tasks[t].judged};
        memcpy(like.cutoffs, s->eval.ranking.cutoffs, sizeof like.cutoffs);
        dip_str_addf(out, "%s.median_rank\n", task);
        for (int m = 0; m < dip_ranking_metrics(&like); m++) {
            char name[DIP_RANKING_NAME_SIZE];
            dip_ranking_name(name, &like, m);
            dip_str_addf(out, "%s.%s\n", task, name);
        }
    }
    for (int h = 0; h < s->model.head_count; h++) {
        for (size_t i = 0; i < DIP_ARRAY_LEN(head_names); i++)
            dip_str_addf(out, "%s.%s\n", s->model.heads[h].name, head_names[i]);
    }
}

/* Whether `name` is a whole line of `lines`. */
static bool has_line(const char *lines, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = strstr(lines, name); at != NULL;
         at = strstr(at + 1, name)) {
        if ((at == lines || at[-1] == '\n') && at[length] == '\n')
            return length > 0;
    }
    return false;
}

/* "a, b": the names as one may choose among them. */
static void add_choices(dip_str *out, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        dip_str_addf(out, "%s%s", i > 0 ? ", " : "", names[i]);
}

static void add_task_words(dip_str *words, const dip_settings *s)
{
    bool judged = false;
    dip_str_add(words, "TASK.NAME with a task of");
    for (int t = 0; t < s->task_count; t++) {
        dip_str_addf(words, " %s", s->tasks[t].name);
        judged |= s->tasks[t].judged;
    }
    dip_str_add(words, " and a name of ");
    add_choices(words, ranking_names, DIP_ARRAY_LEN(ranking_names));
    for (size_t i = 0; i < DIP_ARRAY_LEN(cutoff_names); i++)
        dip_str_addf(words, ", %s@K", cutoff_names[i]);
    dip_str_add(words, " (K of");
    for (int k = 0; k < s->eval.ranking.n_cutoffs; k++)
        dip_str_addf(words, " %lld", (long long)s->eval.ranking.cutoffs[k]);
    dip_str_add(words, ")");
    if (judged)
        dip_str_add(words, ", for judgements also ndcg_exp, err, rbp, "
                           "ndcg_exp@K, err@K");
}

static void add_head_words(dip_str *words, const dip_settings *s)
{
    dip_str_addf(words, "%sLABEL.NAME with a head of",
                 s->task_count > 0 ? "; or " : "");
    for (int h = 0; h < s->model.head_count; h++)
        dip_str_addf(words, " %s", s->model.heads[h].name);
    dip_str_add(words, " and a name of ");
    add_choices(words, head_names, DIP_ARRAY_LEN(head_names));
}

static dip_status no_metric(const char *name, const dip_settings *s,
                            dip_err *err)
{
    dip_str words = {0};
    if (s->task_count > 0)
        add_task_words(&words, s);
    if (s->model.head_count > 0)
        add_head_words(&words, s);
    dip_status st =
        dip_fail(err, DIP_ECONFIG, "%s: unknown metric '%s'; there are: %s",
                 dip_config_place(s->config, "train.metric"), name,
                 dip_str_text(&words));
    dip_str_free(&words);
    return st;
}

dip_status dip_evaluation_check_metric(char *name, size_t size, bool *higher,
                                       const dip_settings *s, dip_err *err)
{
    if (s->metric != NULL)
        (void)snprintf(name, size, "%s", s->metric);
    else if (s->task_count > 0)
        (void)snprintf(name, size, "%s.mrr", s->tasks[0].name);
    else
        (void)snprintf(name, size, "%s.accuracy", s->model.heads[0].name);
    const char *dot = strrchr(name, '.');
    *higher = dot == NULL || strcmp(dot, ".median_rank") != 0;
    dip_str all = {0};
    list_metrics(&all, s);
    dip_status st = dip_str_status(&all, err);
    if (st == DIP_OK && !has_line(dip_str_text(&all), name))
        st = no_metric(name, s, err);
    dip_str_free(&all);
    return st;
}

dip_status dip_evaluation_metric(double *out, const json_t *report,
                                 const char *name, dip_err *err)
{
    const char *dot = strrchr(name, '.');
    char place[128];
    *out = NAN;
    if (dot == NULL || (size_t)(dot - name) >= sizeof place)
        return dip_fail(err, DIP_ENOTFOUND, "unknown metric '%s'", name);
    memcpy(place, name, (size_t)(dot - name));
    place[dot - name] = '\0';
    const json_t *part =
        json_object_get(json_object_get(report, "retrieval"), place);
    if (part == NULL)
        part =
            json_object_get(json_object_get(report, "classification"), place);
    const json_t *value = json_object_get(part, dot + 1);
    if (value == NULL)
        return dip_fail(err, DIP_ENOTFOUND, "no metric '%s' in the report",
                        name);
    if (json_is_number(value))
        *out = json_number_value(value);
    return DIP_OK;
}

/* ---- all ---- */

dip_status dip_evaluate_plan(dip_embedded *e, const dip_evaluation *ev,
                             dip_err *err)
{
    dip_field_set all = {0};
    for (int f = 0; f < ev->job.settings->field_count; f++)
        all.fields[f] = true;
    if (ev->job.settings->field_count > 0)
        (void)dip_embed_product(e, &all); /* number 0 */
    for (int t = 0; t < ev->job.settings->task_count; t++) {
        dip_status st = dip_evaluate_plan_task(e, ev, t, err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

static dip_status put(json_t *object, const char *key, json_t *part,
                      dip_err *err)
{
    return json_object_set_new(object, key, part) == 0 ? DIP_OK
                                                       : dip_no_memory(err);
}

static dip_status add_tasks(json_t *report, const dip_evaluation *ev,
                            const dip_embedded *e, dip_err *err)
{
    if (ev->job.settings->task_count == 0)
        return DIP_OK;
    json_t *tasks = json_object();
    dip_status st = put(report, "retrieval", tasks, err);
    for (int t = 0; t < ev->job.settings->task_count && st == DIP_OK; t++) {
        json_t *part;
        st = dip_evaluate_task(&part, ev, e, t, err);
        if (st == DIP_OK)
            st = put(tasks, ev->job.settings->tasks[t].name, part, err);
    }
    return st;
}

static dip_status add_heads(json_t *report, const dip_evaluation *ev,
                            const dip_embedded *e, dip_err *err)
{
    json_t *heads = json_object();
    dip_status st = put(report, "classification", heads, err);
    for (int h = 0; h < ev->job.settings->model.head_count && st == DIP_OK;
         h++) {
        json_t *part;
        if (ev->job.corpus->head_columns[h] < 0)
            continue;
        st = dip_evaluate_head(&part, ev, e, h, err);
        if (st == DIP_OK)
            st = put(heads, ev->job.settings->model.heads[h].name, part, err);
    }
    return st;
}

static dip_status add_zero_shot(json_t *report, const dip_evaluation *ev,
                                const dip_embedded *e, dip_err *err)
{
    json_t *labels = json_object();
    dip_status st = put(report, "zero_shot", labels, err);
    for (int z = 0; z < ev->job.settings->zero_shot_count && st == DIP_OK;
         z++) {
        const dip_zero_shot_settings *zero = &ev->job.settings->zero_shot[z];
        int column;
        json_t *part;
        if (dip_catalog_find(ev->job.corpus->catalog, DIP_COLUMN_LABEL,
                             zero->label, &column, NULL) != DIP_OK ||
            dip_evaluate_zero_shot_input(e, zero)->rows == NULL)
            continue;
        st = dip_evaluate_zero_shot(&part, ev, e, zero, column, err);
        if (st == DIP_OK)
            st = put(labels, zero->label, part, err);
    }
    return st;
}

/* The threshold comes from the val split, encoded here for this alone. */
static dip_status match(json_t **out, const dip_evaluation *ev,
                        const dip_embedded *test, dip_err *err)
{
    dip_embedded validation = {0};
    *out = NULL;
    dip_status st = dip_evaluate_plan(&validation, ev, err);
    if (st == DIP_OK)
        st = dip_embed_split(&validation, &ev->job, DIP_SPLIT_VAL, err);
    if (st == DIP_OK)
        st = dip_evaluate_match(out, ev, &validation, test, err);
    dip_embedded_free(&validation);
    return st;
}

static dip_status add_matching(json_t *report, const dip_evaluation *ev,
                               const dip_embedded *e, dip_err *err)
{
    const dip_catalog *catalog = ev->job.corpus->catalog;
    if (ev->job.settings->matching_task < 0 ||
        dip_catalog_split_rows(catalog, DIP_SPLIT_VAL) == 0)
        return DIP_OK;
    json_t *part;
    dip_err reason = {0};
    dip_status st = match(&part, ev, e, &reason);
    if (st == DIP_EDATA) /* too few rows to make pairs: said, not fatal */
        return put(report, "matching",
                   json_pack("{s:s}", "skipped", reason.msg), err);
    if (st != DIP_OK)
        return dip_fail(err, st, "matching: %s", reason.msg);
    return put(report, "matching", part, err);
}

json_t *dip_evaluate_protocol(const dip_settings *s)
{
    const dip_ranking_options *o = &s->eval.ranking;
    if (s->task_count == 0)
        return json_pack("{s:I}", "resamples", (json_int_t)s->resamples);
    return json_pack(
        "{s:s, s:s, s:b, s:o, s:I, s:s}", "ties",
        dip_ranking_ties_name(o->ties), "gain", dip_ranking_gain_name(o->gain),
        "count_empty", (int)o->count_empty, "rbp_persistence",
        dip_json_real(o->persistence), "resamples", (json_int_t)s->resamples,
        "slice_metric", s->eval.slice_metric);
}

dip_status dip_evaluate(json_t **out, const dip_evaluation *ev, dip_err *err)
{
    dip_embedded e = {0};
    *out = json_object();
    dip_status st =
        *out != NULL ? dip_evaluate_plan(&e, ev, err) : dip_no_memory(err);
    if (st == DIP_OK && ev->full)
        st = dip_slices_check(ev, err);
    if (st == DIP_OK && ev->full)
        st = dip_evaluate_sampled_check(ev, err);
    if (st == DIP_OK)
        st = dip_embed_split(&e, &ev->job, ev->split, err);
    if (st == DIP_OK && ev->full)
        st =
            put(*out, "protocol", dip_evaluate_protocol(ev->job.settings), err);
    if (st == DIP_OK)
        st = add_tasks(*out, ev, &e, err);
    if (st == DIP_OK)
        st = add_heads(*out, ev, &e, err);
    if (st == DIP_OK && ev->full)
        st = dip_evaluate_thresholds(*out, ev, &e, err);
    if (st == DIP_OK && ev->full && ev->job.corpus->attribute_count > 0)
        st = put(*out, "fields", dip_fields_count(ev->job.corpus, ev->split),
                 err);
    if (st == DIP_OK && ev->full)
        st = add_zero_shot(*out, ev, &e, err);
    if (st == DIP_OK && ev->full)
        st = dip_evaluate_probes(*out, ev, &e, err);
    if (st == DIP_OK && ev->full)
        st = add_matching(*out, ev, &e, err);
    dip_embedded_free(&e);
    if (st != DIP_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return st;
}
