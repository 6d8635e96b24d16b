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
                                     {"peak_bytes", REAL}};
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
    static const member members[] = {{"ties", TEXT},
                                     {"gain", TEXT},
                                     {"count_empty", TRUTH},
                                     {"rbp_persistence", REAL},
                                     {"resamples", COUNT}};
    return check_members(protocol, members, DIP_ARRAY_LEN(members), err);
}

/* ---- retrieval ----------------------------------------------------------- */

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
    for (void *i = json_object_iter((json_t *)ranking); i != NULL && !st;
         i = json_object_iter_next((json_t *)ranking, i)) {
        const char *key = json_object_iter_key(i);
        if (strchr(key, '@') != NULL)
            st = check_member(ranking, key, REAL, err);
    }
    return st;
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

static dip_status check_task(const json_t *task, dip_err *err)
{
    dip_status st = check_ranking(task, err);
    if (st == DIP_OK)
        st = check_object(task, "interval", check_intervals, err);
    if (st == DIP_OK)
        st = check_object(task, "alone", check_fields, err);
    if (st == DIP_OK)
        st = check_object(task, "rerank", check_reranked, err);
    return st;
}

static dip_status check_tasks(const json_t *tasks, dip_err *err)
{
    return check_each(tasks, check_task, err);
}

/* ---- classification ------------------------------------------------------ */

static dip_status check_class(const json_t *c, dip_err *err)
{
    static const member members[] = {{"name", TEXT},       {"support", COUNT},
                                     {"predicted", COUNT}, {"correct", COUNT},
                                     {"precision", REAL},  {"recall", REAL},
                                     {"f1", REAL}};
    return check_members(c, members, DIP_ARRAY_LEN(members), err);
}

static dip_status check_classes(const json_t *classes, dip_err *err)
{
    if (classes != NULL && !json_is_array(classes))
        return dip_fail(err, DIP_EFORMAT, "key 'per_class' is not an array");
    for (size_t i = 0; i < json_array_size(classes); i++) {
        const json_t *c = json_array_get(classes, i);
        if (!json_is_object(c))
            return dip_fail(err, DIP_EFORMAT,
                            "item %zu of 'per_class' is not an object", i);
        dip_status st = check_class(c, err);
        if (st != DIP_OK) {
            (void)dip_fail_context(err, "item %zu of 'per_class'", i);
            return st;
        }
    }
    return DIP_OK;
}

static dip_status check_label(const json_t *label, dip_err *err)
{
    static const member members[] = {{"rows", COUNT},
                                     {"missing", COUNT},
                                     {"classes", COUNT},
                                     {"present", COUNT},
                                     {"unknown", COUNT},
                                     {"accuracy", REAL},
                                     {"precision_macro", REAL},
                                     {"recall_macro", REAL},
                                     {"f1_macro", REAL},
                                     {"precision_micro", REAL},
                                     {"recall_micro", REAL},
                                     {"f1_micro", REAL},
                                     {"precision_weighted", REAL},
                                     {"recall_weighted", REAL},
                                     {"f1_weighted", REAL}};
    dip_status st = check_members(label, members, DIP_ARRAY_LEN(members), err);
    return st == DIP_OK
               ? check_classes(json_object_get(label, "per_class"), err)
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
    return check_members(matching, members, DIP_ARRAY_LEN(members), err);
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
                 {"matching", check_matching},
                 {"fields", check_attributes}};
    dip_status st = check_schema(report, err);
    for (size_t i = 0; i < DIP_ARRAY_LEN(parts) && st == DIP_OK; i++)
        st = check_object(report, parts[i].key, parts[i].check, err);
    return st;
}
