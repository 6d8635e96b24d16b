#include "report/check.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "report/report.h"

typedef enum { TEXT, COUNT, REAL, TRUTH } value_type;

typedef struct {
    const char *key;
    value_type type;
} member;

typedef dip_status (*checker)(const json_t *object, dip_err *err);

static bool has_type(const json_t *value, value_type type)
{
    switch (type) {
    case TEXT:
        return json_is_string(value);
    case COUNT:
        return json_is_integer(value);
    case REAL:
        return json_is_number(value) || json_is_null(value);
    case TRUTH:
        return json_is_boolean(value);
    }
    return false;
}

static dip_status check_member(const json_t *object, const char *key,
                               value_type type, dip_err *err)
{
    static const char *const words[] = {
        [TEXT] = "a string",
        [COUNT] = "an integer",
        [REAL] = "a number or null",
        [TRUTH] = "true or false",
    };
    const json_t *value = json_object_get(object, key);
    if (value == NULL || has_type(value, type))
        return DIP_OK;
    return dip_fail(err, DIP_EFORMAT, "key '%s' is not %s", key, words[type]);
}

static dip_status check_members(const json_t *object, const member *members,
                                size_t n, dip_err *err)
{
    dip_status st = DIP_OK;
    for (size_t i = 0; i < n && st == DIP_OK; i++)
        st = check_member(object, members[i].key, members[i].type, err);
    return st;
}

/* An absent one is fine. */
static dip_status check_object(const json_t *parent, const char *key,
                               checker check, dip_err *err)
{
    const json_t *object = json_object_get(parent, key);
    if (object == NULL)
        return DIP_OK;
    if (!json_is_object(object))
        return dip_fail(err, DIP_EFORMAT, "key '%s' is not an object", key);
    dip_status st = check(object, err);
    if (st != DIP_OK)
        (void)dip_fail_context(err, "'%s'", key);
    return st;
}

/* An object of objects by name. */
static dip_status check_each(const json_t *object, checker check, dip_err *err)
{
    dip_status st = DIP_OK;
    for (void *i = json_object_iter((json_t *)object); i != NULL && !st;
         i = json_object_iter_next((json_t *)object, i))
        st = check_object(object, json_object_iter_key(i), check, err);
    return st;
}

/* An array of objects. */
static dip_status check_items(const json_t *parent, const char *key,
                              checker check, dip_err *err)
{
    const json_t *items = json_object_get(parent, key);
    if (items != NULL && !json_is_array(items))
        return dip_fail(err, DIP_EFORMAT, "key '%s' is not an array", key);
    for (size_t i = 0; i < json_array_size(items); i++) {
        const json_t *item = json_array_get(items, i);
        if (!json_is_object(item))
            return dip_fail(err, DIP_EFORMAT,
                            "item %zu of '%s' is not an object", i, key);
        dip_status st = check(item, err);
        if (st != DIP_OK) {
            (void)dip_fail_context(err, "item %zu of '%s'", i, key);
            return st;
        }
    }
    return DIP_OK;
}

/* ---- run and data -------------------------------------------------------- */

static dip_status check_keys(const json_t *config, dip_err *err)
{
    dip_status st = DIP_OK;
    for (void *i = json_object_iter((json_t *)config); i != NULL && !st;
         i = json_object_iter_next((json_t *)config, i))
        st = check_member(config, json_object_iter_key(i), TEXT, err);
    return st;
}

static dip_status check_run(const json_t *run, dip_err *err)
{
    static const member members[] = {{"name", TEXT},
                                     {"dir", TEXT},
                                     {"checkpoint", TEXT},
                                     {"step", COUNT},
                                     {"version", TEXT},
                                     {"similarity", TEXT},
                                     {"seed", COUNT},
                                     {"seconds", REAL},
                                     {"cpu_seconds", REAL},
                                     {"threads", COUNT},
                                     {"parameters", COUNT},
                                     {"samples", COUNT},
                                     {"samples_per_second", REAL},
                                     {"peak_bytes", REAL},
                                     {"dim", COUNT},
                                     {"embed_dim", COUNT}};
    dip_status st = check_members(run, members, DIP_ARRAY_LEN(members), err);
    return st == DIP_OK ? check_object(run, "config", check_keys, err) : st;
}

static dip_status check_data(const json_t *data, dip_err *err)
{
    static const member members[] = {
        {"path", TEXT}, {"digest", TEXT}, {"split", TEXT}, {"rows", COUNT}};
    return check_members(data, members, DIP_ARRAY_LEN(members), err);
}

static dip_status check_protocol(const json_t *protocol, dip_err *err)
{
    static const member members[] = {
        {"ties", TEXT},         {"gain", TEXT},
        {"count_empty", TRUTH}, {"rbp_persistence", REAL},
        {"slice_metric", TEXT}, {"resamples", COUNT}};
    return check_members(protocol, members, DIP_ARRAY_LEN(members), err);
}

/* ---- retrieval ----------------------------------------------------------- */

/* The metrics @k. */
static dip_status check_cutoffs(const json_t *object, dip_err *err)
{
    dip_status st = DIP_OK;
    for (void *i = json_object_iter((json_t *)object); i != NULL && !st;
         i = json_object_iter_next((json_t *)object, i)) {
        const char *key = json_object_iter_key(i);
        if (strchr(key, '@') != NULL)
            st = check_member(object, key, REAL, err);
    }
    return st;
}

static dip_status check_ranking(const json_t *ranking, dip_err *err)
{
    static const member members[] = {
        {"queries", COUNT},      {"evaluated", COUNT},
        {"skipped", COUNT},      {"gallery", COUNT},
        {"mrr", REAL},           {"map", REAL},
        {"ndcg", REAL},          {"r_precision", REAL},
        {"median_rank", REAL},   {"ndcg_exp", REAL},
        {"err", REAL},           {"rbp", REAL},
        {"max_grade", REAL},     {"queries_sha256", TEXT},
        {"gallery_sha256", TEXT}};
    dip_status st =
        check_members(ranking, members, DIP_ARRAY_LEN(members), err);
    return st == DIP_OK ? check_cutoffs(ranking, err) : st;
}

static dip_status check_interval(const json_t *interval, dip_err *err)
{
    static const member members[] = {
        {"mean", REAL}, {"low", REAL}, {"high", REAL}};
    return check_members(interval, members, DIP_ARRAY_LEN(members), err);
}

static dip_status check_intervals(const json_t *intervals, dip_err *err)
{
    return check_each(intervals, check_interval, err);
}

static dip_status check_field(const json_t *field, dip_err *err)
{
    dip_status st = check_ranking(field, err);
    return st == DIP_OK ? check_object(field, "gain", check_intervals, err)
                        : st;
}

static dip_status check_fields(const json_t *fields, dip_err *err)
{
    return check_each(fields, check_field, err);
}

static dip_status check_reranked(const json_t *reranked, dip_err *err)
{
    dip_status st = check_member(reranked, "n", COUNT, err);
    return st == DIP_OK ? check_field(reranked, err) : st;
}

/* Arrays of slices by what they are sliced by. */
static dip_status check_slices(const json_t *slices, checker check,
                               dip_err *err)
{
    dip_status st = DIP_OK;
    for (void *i = json_object_iter((json_t *)slices); i != NULL && !st;
         i = json_object_iter_next((json_t *)slices, i))
        st = check_items(slices, json_object_iter_key(i), check, err);
    return st;
}

static dip_status check_queries_slice(const json_t *slice, dip_err *err)
{
    dip_status st = check_member(slice, "name", TEXT, err);
    if (st == DIP_OK)
        st = check_ranking(slice, err);
    return st == DIP_OK ? check_object(slice, "interval", check_intervals, err)
                        : st;
}

static dip_status check_query_slices(const json_t *slices, dip_err *err)
{
    return check_slices(slices, check_queries_slice, err);
}

static dip_status check_sampled(const json_t *sampled, dip_err *err)
{
    static const member members[] = {{"candidates", COUNT},
                                     {"draws", COUNT},
                                     {"filled", COUNT},
                                     {"category", TEXT}};
    dip_status st =
        check_members(sampled, members, DIP_ARRAY_LEN(members), err);
    if (st == DIP_OK)
        st = check_ranking(sampled, err);
    if (st == DIP_OK)
        st = check_object(sampled, "deviation", check_ranking, err);
    return st == DIP_OK
               ? check_object(sampled, "interval", check_intervals, err)
               : st;
}

static dip_status check_recommendation(const json_t *part, dip_err *err)
{
    static const member members[] = {{"users", COUNT}, {"items", COUNT}};
    dip_status st = check_members(part, members, DIP_ARRAY_LEN(members), err);
    if (st == DIP_OK)
        st = check_object(part, "interval", check_intervals, err);
    return st == DIP_OK ? check_cutoffs(part, err) : st;
}

static dip_status check_task(const json_t *task, dip_err *err)
{
    dip_status st = check_ranking(task, err);
    if (st == DIP_OK)
        st = check_object(task, "interval", check_intervals, err);
    if (st == DIP_OK)
        st = check_object(task, "alone", check_fields, err);
    if (st == DIP_OK)
        st = check_object(task, "without", check_fields, err);
    if (st == DIP_OK)
        st = check_object(task, "permuted", check_fields, err);
    if (st == DIP_OK)
        st = check_object(task, "recommendation", check_recommendation, err);
    if (st == DIP_OK)
        st = check_object(task, "rerank", check_reranked, err);
    if (st == DIP_OK)
        st = check_object(task, "slices", check_query_slices, err);
    if (st == DIP_OK)
        st = check_object(task, "sampled", check_sampled, err);
    return st;
}

static dip_status check_tasks(const json_t *tasks, dip_err *err)
{
    return check_each(tasks, check_task, err);
}

/* ---- classification ------------------------------------------------------ */

static dip_status check_class(const json_t *c, dip_err *err)
{
    static const member members[] = {
        {"name", TEXT},     {"support", COUNT},  {"predicted", COUNT},
        {"correct", COUNT}, {"precision", REAL}, {"recall", REAL},
        {"f1", REAL},       {"roc_auc", REAL},   {"average_precision", REAL}};
    return check_members(c, members, DIP_ARRAY_LEN(members), err);
}

/* An array of plain values. */
static dip_status check_values(const json_t *object, const char *key,
                               value_type type, dip_err *err)
{
    const json_t *values = json_object_get(object, key);
    bool good = values == NULL || json_is_array(values);
    for (size_t i = 0; good && i < json_array_size(values); i++)
        good = has_type(json_array_get(values, i), type);
    return good ? DIP_OK
                : dip_fail(err, DIP_EFORMAT, "key '%s' is no list of its kind",
                           key);
}

static dip_status check_confused(const json_t *pair, dip_err *err)
{
    static const member members[] = {
        {"label", TEXT}, {"predicted", TEXT}, {"count", COUNT}};
    return check_members(pair, members, DIP_ARRAY_LEN(members), err);
}

/* A square of counts with a name for each row. */
static dip_status check_confusion(const json_t *confusion, dip_err *err)
{
    const json_t *counts = json_object_get(confusion, "counts");
    size_t n = json_array_size(json_object_get(confusion, "classes"));
    dip_status st = check_values(confusion, "classes", TEXT, err);
    if (st != DIP_OK)
        return st;
    bool good = json_array_size(counts) == n;
    for (size_t i = 0; good && i < n; i++) {
        const json_t *row = json_array_get(counts, i);
        good = json_array_size(row) == n;
        for (size_t j = 0; good && j < n; j++)
            good = json_is_integer(json_array_get(row, j));
    }
    return good ? DIP_OK
                : dip_fail(err, DIP_EFORMAT,
                           "key 'counts' is not a count for each two classes");
}

static dip_status check_calibration(const json_t *bins, dip_err *err)
{
    dip_status st = check_values(bins, "confidence", REAL, err);
    if (st == DIP_OK)
        st = check_values(bins, "accuracy", REAL, err);
    return st == DIP_OK ? check_values(bins, "rows", COUNT, err) : st;
}

static dip_status check_rows_slice(const json_t *slice, dip_err *err)
{
    static const member members[] = {
        {"name", TEXT},     {"rows", COUNT},
        {"accuracy", REAL}, {"balanced_accuracy", REAL},
        {"f1_macro", REAL}, {"f1_weighted", REAL}};
    dip_status st = check_members(slice, members, DIP_ARRAY_LEN(members), err);
    return st == DIP_OK ? check_object(slice, "interval", check_intervals, err)
                        : st;
}

static dip_status check_row_slices(const json_t *slices, dip_err *err)
{
    return check_slices(slices, check_rows_slice, err);
}

static dip_status check_threshold(const json_t *threshold, dip_err *err)
{
    static const member members[] = {
        {"class", TEXT},    {"value", REAL},     {"validation_f1", REAL},
        {"accuracy", REAL}, {"precision", REAL}, {"recall", REAL},
        {"f1", REAL}};
    return check_members(threshold, members, DIP_ARRAY_LEN(members), err);
}

static dip_status check_label(const json_t *label, dip_err *err)
{
    static const member members[] = {{"rows", COUNT},
                                     {"missing", COUNT},
                                     {"classes", COUNT},
                                     {"present", COUNT},
                                     {"unknown", COUNT},
                                     {"areas", COUNT},
                                     {"accuracy", REAL},
                                     {"balanced_accuracy", REAL},
                                     {"queries_sha256", TEXT},
                                     {"roc_auc_macro", REAL},
                                     {"average_precision_macro", REAL},
                                     {"roc_auc_weighted", REAL},
                                     {"average_precision_weighted", REAL},
                                     {"brier", REAL},
                                     {"ece", REAL},
                                     {"ece_max", REAL},
                                     {"precision_macro", REAL},
                                     {"recall_macro", REAL},
                                     {"f1_macro", REAL},
                                     {"precision_micro", REAL},
                                     {"recall_micro", REAL},
                                     {"f1_micro", REAL},
                                     {"precision_weighted", REAL},
                                     {"recall_weighted", REAL},
                                     {"f1_weighted", REAL},
                                     {"skipped", TEXT},
                                     {"train_rows", COUNT},
                                     {"k", COUNT},
                                     {"temperature", REAL},
                                     {"c", REAL},
                                     {"validation_accuracy", REAL},
                                     {"iterations", COUNT}};
    dip_status st = check_members(label, members, DIP_ARRAY_LEN(members), err);
    if (st == DIP_OK)
        st = check_cutoffs(label, err);
    if (st == DIP_OK)
        st = check_object(label, "interval", check_intervals, err);
    if (st == DIP_OK)
        st = check_object(label, "threshold", check_threshold, err);
    if (st == DIP_OK)
        st = check_object(label, "confusion", check_confusion, err);
    if (st == DIP_OK)
        st = check_object(label, "calibration", check_calibration, err);
    if (st == DIP_OK)
        st = check_items(label, "confused", check_confused, err);
    if (st == DIP_OK)
        st = check_object(label, "slices", check_row_slices, err);
    return st == DIP_OK ? check_items(label, "per_class", check_class, err)
                        : st;
}

static dip_status check_labels(const json_t *labels, dip_err *err)
{
    return check_each(labels, check_label, err);
}

/* ---- matching ------------------------------------------------------------ */

static dip_status check_matching(const json_t *matching, dip_err *err)
{
    static const member members[] = {
        {"task", TEXT},       {"skipped", TEXT},       {"positives", COUNT},
        {"negatives", COUNT}, {"random", COUNT},       {"same_category", COUNT},
        {"threshold", REAL},  {"validation_f1", REAL}, {"accuracy", REAL},
        {"precision", REAL},  {"recall", REAL},        {"f1", REAL},
        {"auc", REAL}};
    dip_status st =
        check_members(matching, members, DIP_ARRAY_LEN(members), err);
    return st == DIP_OK
               ? check_object(matching, "interval", check_intervals, err)
               : st;
}

/* ---- fields -------------------------------------------------------------- */

static dip_status check_attribute(const json_t *field, dip_err *err)
{
    static const member members[] = {
        {"rows", COUNT}, {"missing", COUNT}, {"unknown", COUNT}};
    return check_members(field, members, DIP_ARRAY_LEN(members), err);
}

static dip_status check_attributes(const json_t *fields, dip_err *err)
{
    return check_each(fields, check_attribute, err);
}

/* ---- all ----------------------------------------------------------------- */

static dip_status check_schema(const json_t *report, dip_err *err)
{
    const json_t *schema = json_object_get(report, "schema");
    if (!json_is_object(report))
        return dip_fail(err, DIP_EFORMAT, "report is not an object");
    if (schema == NULL)
        return dip_fail(err, DIP_EFORMAT, "report has no key 'schema'");
    if (!json_is_string(schema) ||
        strcmp(json_string_value(schema), DIP_REPORT_SCHEMA) != 0)
        return dip_fail(err, DIP_EFORMAT, "key 'schema' is not '%s'",
                        DIP_REPORT_SCHEMA);
    return DIP_OK;
}

dip_status dip_report_check(const json_t *report, dip_err *err)
{
    static const struct {
        const char *key;
        checker check;
    } parts[] = {{"run", check_run},
                 {"data", check_data},
                 {"protocol", check_protocol},
                 {"retrieval", check_tasks},
                 {"classification", check_labels},
                 {"zero_shot", check_labels},
                 {"knn", check_labels},
                 {"linear_probe", check_labels},
                 {"matching", check_matching},
                 {"fields", check_attributes}};
    dip_status st = check_schema(report, err);
    for (size_t i = 0; i < DIP_ARRAY_LEN(parts) && st == DIP_OK; i++)
        st = check_object(report, parts[i].key, parts[i].check, err);
    return st;
}
