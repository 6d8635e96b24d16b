#include "apps/settings.h"

#include <stdlib.h>
#include <string.h>

#include "apps/options.h"
#include "apps/settings_classification.h"
#include "apps/settings_data.h"
#include "apps/settings_eval.h"
#include "apps/settings_fields.h"
#include "apps/settings_model.h"
#include "apps/settings_recommendation.h"
#include "apps/settings_train.h"
#include "base/mem.h"

#define KEY(...) dip_config_key((char[DIP_CONFIG_KEY_SIZE]){0}, __VA_ARGS__)

/* ---- texts, fields, tasks ---- */

static int query_source(dip_settings *s, const char *template, const char *key)
{
    for (int i = 0; i < s->text_count; i++) {
        const dip_text_settings *t = &s->texts[i];
        bool same = template == NULL ? t->template == NULL
                                     : t->name == NULL && t->template != NULL &&
                                           strcmp(t->template, template) == 0;
        if (same)
            return i;
    }
    if (s->text_count == DIP_SOURCES_MAX) {
        dip_config_fault(s->config, key, "more than %d texts", DIP_SOURCES_MAX);
        return -1;
    }
    s->texts[s->text_count] = (dip_text_settings){.template = template};
    return s->text_count++;
}

static int add_field(dip_settings *s, const char *name, const char *key)
{
    int found = dip_settings_find_field(s, name);
    if (found >= 0)
        return found;
    if (s->field_count == DIP_FUSION_FIELDS_MAX) {
        dip_config_fault(s->config, key, "more than %d product fields",
                         DIP_FUSION_FIELDS_MAX);
        return -1;
    }
    int source = DIP_SOURCE_IMAGE;
    if (dip_settings_is_attribute(s, name)) {
        source = DIP_SOURCE_ATTRIBUTE(s->field_count);
        dip_settings_read_attribute(s, s->field_count, name);
    } else if (strcmp(name, "image") != 0) {
        source = dip_settings_field_source(s, name, key);
    }
    s->fields[s->field_count] = name;
    s->field_text[s->field_count] = source;
    return s->field_count++;
}

static void read_product_fields(dip_settings *s, dip_task_settings *task)
{
    const char *key = KEY("tasks.%s.product_fields", task->name);
    const char *const *names;
    size_t count = dip_config_strings(&names, s->config, key);
    if (count == 0)
        dip_config_fault(s->config, key, "'%s' is empty", key);
    for (size_t i = 0; i < count; i++) {
        int field = add_field(s, names[i], key);
        if (field < 0)
            continue;
        if (task->fields[field])
            dip_config_fault(s->config, key, "field '%s' twice in '%s'",
                             names[i], key);
        task->fields[field] = true;
        task->field_count++;
    }
}

/* The source of one field of a query. */
static int one_query(dip_settings *s, const char *query, const char *key)
{
    if (strcmp(query, "image") == 0)
        return DIP_SOURCE_IMAGE;
    if (strcmp(query, "judgements") == 0)
        return query_source(s, NULL, key);
    if (strchr(query, '{') != NULL)
        return query_source(s, query, key);
    if (dip_settings_is_attribute(s, query)) {
        dip_config_fault(s->config, key,
                         "'%s' is a label or a number, and a query is a text: "
                         "\"{column}\" makes one",
                         query);
        return DIP_SOURCE_IMAGE;
    }
    return dip_settings_field_source(s, query, key);
}

static void check_mix(dip_settings *s, const dip_task_settings *task,
                      const char *key)
{
    const dip_query_mix *m = &task->mix;
    for (int i = 0; i < m->count; i++) {
        if (task->judged ||
            (m->sources[i] >= 0 && s->texts[m->sources[i]].template == NULL))
            dip_config_fault(s->config, key,
                             "'%s': a query of the log has no other fields",
                             key);
        for (int j = 0; j < i; j++) {
            if (m->sources[i] == m->sources[j])
                dip_config_fault(s->config, key, "'%s': a field twice", key);
        }
    }
    if (m->count > 0 && task->distinct_queries)
        dip_config_fault(s->config, key,
                         "'%s' and distinct_queries: queries of several fields "
                         "are not told apart by one text",
                         key);
}

/* The fields of a query that has several. */
static void read_mix(dip_settings *s, dip_task_settings *task)
{
    const char *key = KEY("tasks.%s.query_with", task->name);
    const char *weight_key = KEY("tasks.%s.query_weights", task->name);
    dip_query_mix *m = &task->mix;
    const char *const *names;
    const double *weights;
    size_t n = dip_config_strings(&names, s->config, key);
    size_t given = dip_config_floats(&weights, s->config, weight_key);
    if (n + 1 > DIP_QUERY_FIELDS_MAX) {
        dip_config_fault(s->config, key, "more than %d fields of a query",
                         DIP_QUERY_FIELDS_MAX);
        return;
    }
    if (given > 0 && (n == 0 || given != n + 1)) {
        dip_config_fault(s->config, weight_key,
                         "'%s' has %zu numbers, and 'query' and 'query_with' "
                         "%zu fields",
                         weight_key, given, n + 1);
        return;
    }
    for (size_t i = 0; n > 0 && i <= n; i++) {
        m->sources[i] = i == 0 ? task->query : one_query(s, names[i - 1], key);
        m->weights[i] = given > 0 ? weights[i] : 1;
        m->count++;
        if (i > 0)
            dip_settings_check_leaks(s, task, names[i - 1]);
    }
    check_mix(s, task, key);
}

static void read_query(dip_settings *s, dip_task_settings *task)
{
    const char *key = KEY("tasks.%s.query", task->name);
    const char *query = dip_config_string(s->config, key);
    dip_settings_check_leaks(s, task, query);
    task->query = one_query(s, query, key);
    task->judged = strcmp(query, "judgements") == 0;
    read_mix(s, task);
}

static void read_relevance(dip_settings *s, dip_task_settings *task)
{
    const char *key = KEY("tasks.%s.relevant_by", task->name);
    task->relevant_by_count =
        dip_config_strings(&task->relevant_by, s->config, key);
    if (task->relevant_by_count == 0)
        dip_config_fault(s->config, key, "'%s' is empty", key);
    bool judged = false;
    for (size_t i = 0; i < task->relevant_by_count; i++)
        judged = judged || strcmp(task->relevant_by[i], "judgements") == 0;
    if (judged != task->judged || (judged && task->relevant_by_count > 1))
        dip_config_fault(s->config, key,
                         "task '%s': `relevant_by: judgements` and `query: "
                         "judgements` stand together and alone",
                         task->name);
}

static void read_task(dip_settings *s, const char *name)
{
    dip_task_settings *task = &s->tasks[s->task_count++];
    task->name = name;
    if (strchr(name, '/') != NULL) /* it names a group of an HDF5 file */
        dip_config_fault(s->config, KEY("tasks.%s", name),
                         "task '%s': a name holds no slash", name);
    task->weight = dip_config_float(s->config, KEY("tasks.%s.weight", name));
    task->distinct_queries =
        dip_config_bool(s->config, KEY("tasks.%s.distinct_queries", name));
    task->fields_alone =
        dip_config_bool(s->config, KEY("tasks.%s.fields_alone", name));
    task->fields_removed =
        dip_config_bool(s->config, KEY("tasks.%s.fields_removed", name));
    task->fields_permuted =
        dip_config_bool(s->config, KEY("tasks.%s.fields_permuted", name));
    if (dip_config_string(s->config, KEY("tasks.%s.query", name)) == NULL)
        return; /* reported: it is required */
    read_product_fields(s, task);
    read_query(s, task);
    read_relevance(s, task);
}

static void read_tasks(dip_settings *s)
{
    size_t count = dip_config_child_count(s->config, "tasks");
    if (count == 0)
        dip_config_fault(s->config, "tasks", "there is no task under 'tasks'");
    if (count > DIP_RETRIEVAL_TASKS_MAX)
        dip_config_fault(s->config, "tasks", "more than %d tasks",
                         DIP_RETRIEVAL_TASKS_MAX);
    for (size_t i = 0; i < count && i < DIP_RETRIEVAL_TASKS_MAX; i++)
        read_task(s, dip_config_child(s->config, "tasks", i));
    size_t fields = dip_config_child_count(s->config, "fields");
    for (size_t i = 0; i < fields; i++) {
        const char *name = dip_config_child(s->config, "fields", i);
        bool used = dip_settings_find_field(s, name) >= 0;
        for (int t = 0; t < s->text_count; t++)
            used = used || (s->texts[t].name != NULL &&
                            strcmp(s->texts[t].name, name) == 0);
        if (!used)
            dip_config_fault(s->config, KEY("fields.%s", name),
                             "no task uses the field '%s'", name);
    }
}

/* ---- all ---- */

/* The run directory is named after it. */
static void check_name(dip_settings *s)
{
    if (s->name[0] == '\0' || strchr(s->name, '/') != NULL ||
        strcmp(s->name, ".") == 0 || strcmp(s->name, "..") == 0)
        dip_config_fault(s->config, "name", "'name' cannot be '%s'", s->name);
}

static void check_weights(dip_settings *s)
{
    double sum = 0;
    for (int t = 0; t < s->task_count; t++)
        sum += s->tasks[t].weight;
    for (int h = 0; h < s->model.head_count; h++)
        sum += s->head_weights[h];
    if (s->task_count > 0 && sum <= 0)
        dip_config_fault(s->config, "tasks",
                         "no task and no head has a weight above 0");
}

static void read_retrieval(dip_settings *s)
{
    dip_settings_read_catalog(s);
    dip_settings_read_photos(s);
    dip_settings_read_tokenizer(s);
    read_tasks(s);
    for (int p = 0; p < DIP_INITIAL_PART_COUNT; p++)
        s->init[p] = dip_config_string(
            s->config,
            KEY("init.%s", dip_initial_part_name((dip_initial_part)p)));
    dip_settings_read_model(s);
    check_weights(s);
    dip_settings_read_train(s);
    dip_settings_read_eval(s);
}

/* Its rankings are reported as those of a task of this name. */
static void read_recommendation(dip_settings *s)
{
    s->catalog = dip_config_string(s->config, "data.catalog");
    s->tasks[0].name = "recommendation";
    s->task_count = 1;
    dip_settings_read_loop(s);
    s->precision = 1; /* fp32 */
    s->loop.optimizer.tuning =
        (dip_tuning_options){.layer_decay = 1, .image_rate = 1, .text_rate = 1};
    dip_settings_read_recommendation(s);
    dip_settings_read_ranking(&s->eval.ranking, s->config);
    s->resamples = dip_config_int(s->config, "eval.bootstrap");
}

static void read_task_kind(dip_settings *s)
{
    switch (s->task) {
    case DIP_TASK_RETRIEVAL:
        read_retrieval(s);
        return;
    case DIP_TASK_RECOMMENDATION:
        read_recommendation(s);
        return;
    case DIP_TASK_IMAGE_CLASSIFICATION:
    case DIP_TASK_TEXT_CLASSIFICATION:
        dip_settings_read_classification(s);
        return;
    }
}

/* A config of the retrieval's table that says another task is read again, by
 * the table of that. */
static dip_status load_config(dip_settings *s, const char *path,
                              const char *const *overrides, size_t count,
                              dip_err *err)
{
    size_t rows;
    const dip_option *all = dip_options_table(&rows);
    dip_status st =
        dip_config_load(&s->config, all, rows, path, overrides, count, err);
    if (s->config == NULL)
        return st;
    int task = dip_config_choice(s->config, "task");
    if (task < 0) /* a fault, beside which nothing else is worth telling */
        return st;
    s->task = (dip_task_kind)task;
    dip_config_free(s->config);
    s->config = NULL;
    s->table = dip_options_of_task(&rows, s->task);
    return s->table != NULL ? dip_config_load(&s->config, s->table, rows, path,
                                              overrides, count, err)
                            : dip_no_memory(err);
}

dip_status dip_settings_load(dip_settings **out, const char *path,
                             const char *const *overrides, size_t count,
                             dip_str *faults, dip_err *err)
{
    dip_settings *s = dip_calloc(1, sizeof *s);
    *out = s;
    if (s == NULL)
        return dip_no_memory(err);
    dip_status st = load_config(s, path, overrides, count, err);
    if (st == DIP_OK) {
        s->name = dip_config_string(s->config, "name");
        s->seed = (uint64_t)dip_config_int(s->config, "seed");
        check_name(s);
        read_task_kind(s);
        st = dip_config_status(s->config, err);
    }
    if (st != DIP_OK && s->config != NULL)
        dip_str_add(faults, dip_config_faults(s->config));
    return st;
}

void dip_settings_free(dip_settings *s)
{
    if (s == NULL)
        return;
    free(s->mapping.texts);
    free(s->mapping.labels);
    free(s->mapping.numbers);
    dip_config_free(s->config);
    free(s->table);
    free(s);
}
