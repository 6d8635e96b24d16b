#include "apps/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/evaluate_task.h"
#include "base/mem.h"
#include "base/str.h"
#include "eval/classification.h"
#include "eval/matching.h"
#include "eval/topk.h"
#include "report/report.h"

/* ---- names of metrics -------------------------------------------------------
 */

/* Without @k; the reports have more, these decide which checkpoint is best. */
static const char *const ranking_names[] = {"mrr", "map", "ndcg", "r_precision",
                                            "median_rank"};
static const char *const cutoff_names[] = {"hit", "recall", "precision", "map",
                                           "ndcg"};
static const char *const head_names[] = {
    "accuracy",           "precision_macro", "recall_macro", "f1_macro",
    "precision_weighted", "recall_weighted", "f1_weighted",  "f1_micro"};

static void list_metrics(dip_str *out, const dip_settings *s)
{
    for (int t = 0; t < s->task_count; t++) {
        const char *task = s->tasks[t].name;
        for (size_t i = 0; i < DIP_ARRAY_LEN(ranking_names); i++)
            dip_str_addf(out, "%s.%s\n", task, ranking_names[i]);
        for (size_t i = 0; i < DIP_ARRAY_LEN(cutoff_names); i++) {
            for (size_t k = 0; k < s->cutoff_count; k++)
                dip_str_addf(out, "%s.%s@%lld\n", task, cutoff_names[i],
                             (long long)s->cutoffs[k]);
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

dip_status dip_evaluation_check_metric(char *name, size_t size, bool *higher,
                                       const dip_settings *s, dip_err *err)
{
    if (s->metric != NULL)
        (void)snprintf(name, size, "%s", s->metric);
    else
        (void)snprintf(name, size, "%s.mrr", s->tasks[0].name);
    *higher = strstr(name, "median_rank") == NULL;
    dip_str all = {0};
    list_metrics(&all, s);
    dip_status st = dip_str_status(&all, err);
    if (st == DIP_OK && !has_line(dip_str_text(&all), name)) {
        for (size_t i = 0; i + 1 < all.len; i++) {
            if (all.data[i] == '\n')
                all.data[i] = ' ';
        }
        st = dip_fail(err, DIP_ECONFIG,
                      "%s: unknown metric '%s' in train.metric; there are: %s",
                      dip_config_place(s->config, "train.metric"), name,
                      dip_str_text(&all));
    }
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

/* ---- classification
 * ------------------------------------------------------------ */

/* Classes by name: those of the run (or the catalog) and, behind them, names
 * that stand in the data only. */
typedef struct {
    const char **names;
    int64_t known, count;
    int32_t *labels; /* [N] of the split */
    int64_t unknown; /* rows whose label the run does not know */
    char *storage;   /* of the names that are copies */
} class_set;

static const char *class_name(void *user, int64_t index)
{
    const class_set *set = user;
    return set->names[index];
}

static void free_classes(class_set *set)
{
    free(set->names);
    free(set->labels);
    free(set->storage);
}

static dip_status copy_catalog_names(class_set *set, const dip_catalog *catalog,
                                     int column, int64_t classes, dip_err *err)
{
    size_t bytes = 0;
    for (int64_t i = 0; i < classes; i++)
        bytes += dip_catalog_label_name(catalog, column, (int32_t)i).len + 1;
    set->storage = dip_calloc(bytes, 1);
    if (set->storage == NULL)
        return dip_no_memory(err);
    char *at = set->storage;
    for (int64_t i = 0; i < classes; i++) {
        dip_bytes name = dip_catalog_label_name(catalog, column, (int32_t)i);
        memcpy(at, name.data, name.len);
        set->names[set->known + i] = at;
        at += name.len + 1;
    }
    return DIP_OK;
}

/* Index of the catalog's class among the run's, by name; else a new one. */
static int32_t *map_classes(class_set *set, int64_t classes, dip_err *err)
{
    int32_t *map = dip_calloc((size_t)classes, sizeof *map);
    if (map == NULL) {
        (void)dip_no_memory(err);
        return NULL;
    }
    set->count = set->known;
    for (int64_t i = 0; i < classes; i++) {
        const char *name = set->names[set->known + i];
        int64_t found = 0;
        while (found < set->known && strcmp(set->names[found], name) != 0)
            found++;
        if (found == set->known) {
            set->names[set->count] = name;
            found = set->count++;
        }
        map[i] = (int32_t)found;
    }
    return map;
}

/* `known`: a JSON array of names, or NULL when the catalog's own are asked. */
static dip_status make_classes(class_set *set, const json_t *known,
                               const dip_corpus *corpus, int column,
                               const dip_embedded *e, dip_err *err)
{
    int64_t classes = dip_catalog_column(corpus->catalog, column)->classes;
    set->known = (int64_t)json_array_size(known);
    set->names = dip_calloc((size_t)(set->known + classes), sizeof *set->names);
    set->labels = dip_calloc((size_t)e->count, sizeof *set->labels);
    if (set->names == NULL || set->labels == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < set->known; i++)
        set->names[i] = json_string_value(json_array_get(known, (size_t)i));
    dip_status st =
        copy_catalog_names(set, corpus->catalog, column, classes, err);
    if (st != DIP_OK)
        return st;
    int32_t *map = map_classes(set, classes, err);
    if (map == NULL)
        return DIP_ENOMEM;
    for (int64_t i = 0; i < e->count; i++) {
        int32_t label = dip_catalog_label(corpus->catalog, column, e->row[i]);
        set->labels[i] = label < 0 ? -1 : map[label];
        set->unknown += known != NULL && set->labels[i] >= set->known;
    }
    free(map);
    return DIP_OK;
}

static dip_status report_classes(json_t **out, class_set *set,
                                 const int32_t *predicted, int64_t rows,
                                 dip_err *err)
{
    *out = NULL;
    dip_classification_options options = {0};
    dip_classification c;
    dip_status st = dip_classification_evaluate(
        &c, set->labels, predicted, rows, set->count, &options, err);
    if (st != DIP_OK)
        return st;
    *out = dip_report_classification(&c, class_name, set);
    dip_classification_free(&c);
    if (json_object_set_new(*out, "unknown",
                            json_integer((json_int_t)set->unknown)) != 0)
        return dip_no_memory(err);
    return DIP_OK;
}

static dip_status evaluate_head(json_t **out, const dip_evaluation *ev,
                                const dip_embedded *e, int h, dip_err *err)
{
    *out = NULL;
    class_set set = {0};
    const char *label = ev->job.settings->model.heads[h].name;
    dip_status st =
        make_classes(&set, json_object_get(ev->labels, label), ev->job.corpus,
                     ev->job.corpus->head_columns[h], e, err);
    if (st == DIP_OK)
        st = report_classes(out, &set, e->predicted[h], e->count, err);
    free_classes(&set);
    return st;
}

/* ---- zero-shot
 * ------------------------------------------------------------------ */

static dip_status render_names(dip_str *text, int64_t *offsets,
                               const class_set *set, const char *template)
{
    const char *hole = strstr(template, "{}");
    dip_str_clear(text);
    for (int64_t i = 0; i < set->count; i++) {
        offsets[i] = (int64_t)text->len;
        dip_str_add_n(text, template, (size_t)(hole - template));
        dip_str_add(text, set->names[i]);
        dip_str_add(text, hole + 2);
    }
    offsets[set->count] = (int64_t)text->len;
    return dip_str_status(text, NULL);
}

/* Adds the embeddings of the names in one template to `sum` [classes, D]. */
static dip_status add_template(float *sum, const dip_evaluation *ev,
                               const class_set *set, const char *template,
                               int64_t dim, dip_err *err)
{
    size_t count = (size_t)set->count;
    dip_str text = {0};
    int64_t *offsets = dip_calloc(count + 1, sizeof *offsets);
    dip_bytes *names = dip_calloc(count, sizeof *names);
    float *rows = dip_calloc(count * (size_t)dim, sizeof *rows);
    dip_status st = DIP_OK;
    if (offsets == NULL || names == NULL || rows == NULL ||
        render_names(&text, offsets, set, template) != DIP_OK)
        st = dip_no_memory(err);
    for (size_t i = 0; i < count && st == DIP_OK; i++)
        names[i] = (dip_bytes){text.data + offsets[i],
                               (size_t)(offsets[i + 1] - offsets[i])};
    if (st == DIP_OK)
        st = dip_embed_texts(rows, &ev->job, names, set->count, err);
    for (size_t i = 0; i < count * (size_t)dim && st == DIP_OK; i++)
        sum[i] += rows[i];
    free(rows);
    free(names);
    free(offsets);
    dip_str_free(&text);
    return st;
}

static void normalise_rows(float *rows, int64_t count, int64_t dim)
{
    for (int64_t i = 0; i < count; i++) {
        double square = 0;
        for (int64_t d = 0; d < dim; d++)
            square += (double)rows[i * dim + d] * (double)rows[i * dim + d];
        float scale = square > 0 ? (float)(1 / sqrt(square)) : 0;
        for (int64_t d = 0; d < dim; d++)
            rows[i * dim + d] *= scale;
    }
}

static const dip_matrix *zero_shot_input(const dip_embedded *e,
                                         const dip_zero_shot_settings *z)
{
    return z->of_product ? &e->products[0] : &e->image;
}

/* The class of the nearest text for each row. */
static dip_status nearest_class(int32_t *predicted, const dip_matrix *input,
                                const float *texts, int64_t classes,
                                const dip_embedded *e, dip_err *err)
{
    dip_hit *hits = dip_calloc((size_t)e->count, sizeof *hits);
    if (hits == NULL)
        return dip_no_memory(err);
    dip_embeddings queries = {input->rows, e->count, e->dim};
    dip_embeddings gallery = {texts, classes, e->dim};
    dip_status st = dip_topk_search(hits, &queries, &gallery, NULL, 1, err);
    for (int64_t i = 0; i < e->count && st == DIP_OK; i++)
        predicted[i] = (int32_t)hits[i].row;
    free(hits);
    return st;
}

static dip_status evaluate_zero_shot(json_t **out, const dip_evaluation *ev,
                                     const dip_embedded *e,
                                     const dip_zero_shot_settings *z,
                                     int column, dip_err *err)
{
    *out = NULL;
    class_set set = {0};
    float *texts = NULL;
    int32_t *predicted = dip_calloc((size_t)e->count, sizeof *predicted);
    const dip_matrix *input = zero_shot_input(e, z);
    dip_status st = predicted != NULL ? DIP_OK : dip_no_memory(err);
    if (st == DIP_OK)
        st = make_classes(&set, NULL, ev->job.corpus, column, e, err);
    if (st == DIP_OK) {
        texts = dip_calloc((size_t)(set.count * e->dim), sizeof *texts);
        st = texts != NULL ? DIP_OK : dip_no_memory(err);
    }
    for (size_t t = 0; t < z->template_count && st == DIP_OK; t++)
        st = add_template(texts, ev, &set, z->templates[t], e->dim, err);
    if (st == DIP_OK) {
        normalise_rows(texts, set.count, e->dim);
        st = nearest_class(predicted, input, texts, set.count, e, err);
    }
    for (int64_t i = 0; i < e->count && st == DIP_OK; i++) {
        if (!input->present[i])
            set.labels[i] = -1;
    }
    if (st == DIP_OK)
        st = report_classes(out, &set, predicted, e->count, err);
    free(texts);
    free(predicted);
    free_classes(&set);
    return st;
}

/* ---- matching
 * ------------------------------------------------------------------- */

/* One split's rows for pair matching; present on both sides. */
typedef struct {
    dip_matching_split split;
    float *queries, *products;
    int64_t *groups, *categories;
} match_side;

static void free_side(match_side *m)
{
    free(m->queries);
    free(m->products);
    free(m->groups);
    free(m->categories);
}

static int64_t category_of(const dip_evaluation *ev, int column, int64_t row)
{
    return column < 0 ? -1
                      : dip_catalog_label(ev->job.corpus->catalog, column, row);
}

static dip_status make_side(match_side *m, const dip_evaluation *ev,
                            const dip_embedded *e, int category, dip_err *err)
{
    const dip_settings *s = ev->job.settings;
    const dip_task_settings *task = &s->tasks[s->matching_task];
    const dip_row_keys *keys = &ev->job.corpus->keys[s->matching_task];
    const dip_matrix *queries = dip_evaluate_queries(e, task);
    dip_field_set set = {0};
    memcpy(set.fields, task->fields, sizeof set.fields);
    int product = 0;
    while (memcmp(&e->sets[product], &set, sizeof set) != 0)
        product++;
    size_t numbers = (size_t)(e->count * e->dim);
    m->queries = dip_calloc(numbers, sizeof(float));
    m->products = dip_calloc(numbers, sizeof(float));
    m->groups = dip_calloc((size_t)e->count, sizeof(int64_t));
    m->categories = dip_calloc((size_t)e->count, sizeof(int64_t));
    if (m->queries == NULL || m->products == NULL || m->groups == NULL ||
        m->categories == NULL)
        return dip_no_memory(err);
    int64_t n = 0;
    size_t bytes = (size_t)e->dim * sizeof(float);
    for (int64_t i = 0; i < e->count; i++) {
        const dip_matrix *products = &e->products[product];
        if (!queries->present[i] || !products->present[i])
            continue;
        memcpy(m->queries + n * e->dim, queries->rows + i * e->dim, bytes);
        memcpy(m->products + n * e->dim, products->rows + i * e->dim, bytes);
        m->groups[n] = keys->values[e->row[i] * keys->columns];
        m->categories[n++] = category_of(ev, category, e->row[i]);
    }
    m->split = (dip_matching_split){
        .queries = {m->queries, n, e->dim},
        .products = {m->products, n, e->dim},
        .query_group = m->groups,
        .product_group = m->groups,
        .query_category = m->categories,
        .product_category = m->categories,
    };
    return DIP_OK;
}

static dip_status plan(dip_embedded *e, const dip_evaluation *ev, dip_err *err)
{
    dip_field_set all = {0};
    for (int f = 0; f < ev->job.settings->field_count; f++)
        all.fields[f] = true;
    (void)dip_embed_product(e, &all); /* number 0 */
    for (int t = 0; t < ev->job.settings->task_count; t++) {
        dip_status st = dip_evaluate_plan_task(e, ev, t, err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

/* The threshold comes from the val split, encoded here for this alone. */
static dip_status evaluate_matching(json_t **out, const dip_evaluation *ev,
                                    const dip_embedded *test, dip_err *err)
{
    const dip_settings *s = ev->job.settings;
    dip_embedded validation = {0};
    match_side sides[2] = {0};
    dip_matching matching;
    int category = -1;
    dip_status st = DIP_OK;
    *out = NULL;
    if (s->matching_category != NULL &&
        dip_catalog_find(ev->job.corpus->catalog, DIP_COLUMN_LABEL,
                         s->matching_category, &category, NULL) != DIP_OK)
        category = -1; /* another catalog may lack it */
    st = plan(&validation, ev, err);
    if (st == DIP_OK)
        st = dip_embed_split(&validation, &ev->job, DIP_SPLIT_VAL, err);
    if (st == DIP_OK)
        st = make_side(&sides[0], ev, &validation, category, err);
    if (st == DIP_OK)
        st = make_side(&sides[1], ev, test, category, err);
    if (st == DIP_OK)
        st = dip_matching_evaluate(&matching, &sides[0].split, &sides[1].split,
                                   s->seed, err);
    if (st == DIP_OK) {
        *out = dip_report_matching(&matching);
        if (json_object_set_new(*out, "task",
                                json_string(s->tasks[s->matching_task].name)))
            st = dip_no_memory(err);
    }
    free_side(&sides[0]);
    free_side(&sides[1]);
    dip_embedded_free(&validation);
    return st;
}

/* ---- all
 * -------------------------------------------------------------------------- */

static dip_status put(json_t *object, const char *key, json_t *part,
                      dip_err *err)
{
    return json_object_set_new(object, key, part) == 0 ? DIP_OK
                                                       : dip_no_memory(err);
}

static dip_status add_tasks(json_t *report, const dip_evaluation *ev,
                            const dip_embedded *e, dip_err *err)
{
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
        st = evaluate_head(&part, ev, e, h, err);
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
            zero_shot_input(e, zero)->rows == NULL)
            continue;
        st = evaluate_zero_shot(&part, ev, e, zero, column, err);
        if (st == DIP_OK)
            st = put(labels, zero->label, part, err);
    }
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
    dip_status st = evaluate_matching(&part, ev, e, &reason);
    if (st == DIP_EDATA) /* too few rows to make pairs: said, not fatal */
        return put(report, "matching",
                   json_pack("{s:s}", "skipped", reason.msg), err);
    if (st != DIP_OK)
        return dip_fail(err, st, "matching: %s", reason.msg);
    return put(report, "matching", part, err);
}

dip_status dip_evaluate(json_t **out, const dip_evaluation *ev, dip_err *err)
{
    dip_embedded e = {0};
    *out = json_object();
    dip_status st = *out != NULL ? plan(&e, ev, err) : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_embed_split(&e, &ev->job, ev->split, err);
    if (st == DIP_OK)
        st = add_tasks(*out, ev, &e, err);
    if (st == DIP_OK)
        st = add_heads(*out, ev, &e, err);
    if (st == DIP_OK && ev->full)
        st = add_zero_shot(*out, ev, &e, err);
    if (st == DIP_OK && ev->full)
        st = add_matching(*out, ev, &e, err);
    dip_embedded_free(&e);
    if (st != DIP_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return st;
}
