#include "apps/evaluate_match.h"

#include <stdlib.h>
#include <string.h>

#include "apps/evaluate_task.h"
#include "base/mem.h"
#include "eval/matching.h"
#include "report/pictures.h"
#include "report/report.h"

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
    const dip_matrix *queries = dip_evaluate_queries(e, s, s->matching_task);
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
    int64_t *rows = dip_calloc((size_t)e->count + 1, sizeof *rows);
    if (m->queries == NULL || m->products == NULL || m->groups == NULL ||
        m->categories == NULL || rows == NULL) {
        free(rows);
        return dip_no_memory(err);
    }
    int64_t n = 0;
    size_t bytes = (size_t)e->dim * sizeof(float);
    for (int64_t i = 0; i < e->count; i++) {
        const dip_matrix *products = &e->products[product];
        if (!queries->present[i] || !products->present[i])
            continue;
        memcpy(m->queries + n * e->dim, queries->rows + i * e->dim, bytes);
        memcpy(m->products + n * e->dim, products->rows + i * e->dim, bytes);
        rows[n] = e->row[i];
        m->categories[n++] = category_of(ev, category, e->row[i]);
    }
    m->split = (dip_matching_split){
        .queries = {m->queries, n, e->dim, s->model.similarity},
        .products = {m->products, n, e->dim, s->model.similarity},
        .query_group = m->groups,
        .product_group = m->groups,
        .query_category = m->categories,
        .product_category = m->categories,
    };
    dip_status st = dip_row_keys_components(m->groups, keys, rows, n, err);
    free(rows);
    return st;
}

/* Column of the category, -1 when none is asked for or this catalog lacks it.
 */
static int category_column(const dip_evaluation *ev)
{
    int column;
    const char *name = ev->job.settings->matching_category;
    if (name == NULL ||
        dip_catalog_find(ev->job.corpus->catalog, DIP_COLUMN_LABEL, name,
                         &column, NULL) != DIP_OK)
        return -1;
    return column;
}

static dip_status put_intervals(json_t *part, const dip_evaluation *ev,
                                const dip_matching_split *test,
                                double threshold, dip_err *err)
{
    dip_interval intervals[DIP_MATCHING_INTERVALS];
    dip_stats_options options = dip_stats_defaults();
    options.resamples = ev->job.settings->resamples;
    options.seed = ev->job.settings->seed;
    dip_status st =
        dip_matching_intervals(intervals, test, threshold, &options, err);
    json_t *out = json_object();
    int faults = out == NULL;
    for (int i = 0; i < DIP_MATCHING_INTERVALS && st == DIP_OK; i++)
        faults |= json_object_set_new(out, dip_matching_interval_name(i),
                                      dip_report_interval(&intervals[i]));
    faults |= json_object_set_new(part, "interval", out);
    return st == DIP_OK && faults ? dip_no_memory(err) : st;
}

dip_status dip_evaluate_match(json_t **out, const dip_evaluation *ev,
                              const dip_embedded *validation,
                              const dip_embedded *test, dip_err *err)
{
    const dip_settings *s = ev->job.settings;
    match_side sides[2] = {0};
    dip_matching matching;
    int category = category_column(ev);
    *out = NULL;
    dip_status st = make_side(&sides[0], ev, validation, category, err);
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
    if (st == DIP_OK)
        st = put_intervals(*out, ev, &sides[1].split, matching.threshold, err);
    if (st == DIP_OK && ev->pictured &&
        (json_object_set_new(*out, "curve",
                             dip_report_pr_curve(&matching.curve)) != 0 ||
         json_object_set_new(*out, "scores",
                             dip_report_histogram(&matching.scores)) != 0))
        st = dip_no_memory(err);
    free_side(&sides[0]);
    free_side(&sides[1]);
    return st;
}
