#include "apps/evaluate_sampled.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/sampled.h"
#include "eval/stats.h"
#include "report/put.h"
#include "report/report.h"

static const dip_sampled_settings *settings_of(const dip_ranked_task *r)
{
    const dip_eval_settings *e = &r->evaluation->job.settings->eval;
    for (int i = 0; i < e->sampled_count; i++) {
        if (strcmp(e->sampled[i].task, r->task->name) == 0)
            return &e->sampled[i];
    }
    return NULL;
}

dip_status dip_evaluate_sampled_check(const dip_evaluation *ev, dip_err *err)
{
    const dip_eval_settings *e = &ev->job.settings->eval;
    dip_status st = DIP_OK;
    for (int i = 0; i < e->sampled_count && st == DIP_OK; i++) {
        int column;
        if (e->sampled[i].category != NULL)
            st = dip_catalog_find(ev->job.corpus->catalog, DIP_COLUMN_LABEL,
                                  e->sampled[i].category, &column, err);
    }
    return st == DIP_OK ? st : dip_fail_context(err, "eval.sampled");
}

static int64_t *categories(const dip_catalog *catalog, int column,
                           const int64_t *rows, int64_t n)
{
    int64_t *out = dip_calloc((size_t)n, sizeof *out);
    for (int64_t i = 0; out != NULL && i < n; i++)
        out[i] = dip_catalog_label(catalog, column, rows[i]);
    return out;
}

static dip_status sample(dip_sampled *out, const dip_ranked_task *r,
                         const dip_sampled_settings *s, dip_err *err)
{
    const dip_settings *settings = r->evaluation->job.settings;
    const dip_catalog *catalog = r->evaluation->job.corpus->catalog;
    dip_sampled_options options = s->options;
    options.seed = settings->seed;
    dip_sampled_task task = {.queries = r->queries,
                             .gallery = r->products,
                             .relevance = r->relevance};
    int64_t *of_queries = NULL, *of_products = NULL;
    dip_status st = DIP_OK;
    if (s->category != NULL && !r->task->judged) {
        int column;
        st = dip_catalog_find(catalog, DIP_COLUMN_LABEL, s->category, &column,
                              err);
        if (st != DIP_OK)
            return st;
        of_queries =
            categories(catalog, column, r->query_rows, r->queries.rows);
        of_products =
            categories(catalog, column, r->product_rows, r->products.rows);
        task.query_category = of_queries;
        task.gallery_category = of_products;
        if (of_queries == NULL || of_products == NULL)
            st = dip_no_memory(err);
    }
    if (st == DIP_OK)
        st = dip_sampled_evaluate(out, &task, &options, &settings->eval.ranking,
                                  err);
    free(of_products);
    free(of_queries);
    return st;
}

/* Values of one metric in all draws, and the groups of the queries. */
typedef struct {
    double *values;
    int64_t *groups;
    int64_t n;
} pooled;

static void pool(pooled *p, const dip_sampled *s, const dip_ranked_task *r,
                 int metric)
{
    p->n = 0;
    for (int64_t d = 0; d < s->draws; d++) {
        const dip_ranking *one = &s->ranking[d];
        for (int64_t i = 0; i < one->evaluated; i++) {
            p->groups[p->n] = r->groups[one->per_query[i].query];
            p->values[p->n++] =
                dip_ranking_value(one, &one->per_query[i].values, metric);
        }
    }
}

/* Of the means of the draws, with one degree of freedom less; NaN for one. */
static double deviation(const dip_sampled *s, int metric, double mean)
{
    double squares = 0;
    for (int64_t d = 0; d < s->draws; d++) {
        const dip_ranking *one = &s->ranking[d];
        double off = dip_ranking_value(one, &one->mean, metric) - mean;
        squares += off * off;
    }
    return s->draws > 1 ? sqrt(squares / (double)(s->draws - 1)) : (double)NAN;
}

static dip_status put_metrics(json_t *part, const dip_sampled *s,
                              const dip_ranked_task *r, dip_err *err)
{
    json_t *deviations = json_object(), *all = json_object();
    dip_stats_options options = dip_stats_defaults();
    options.resamples = r->evaluation->job.settings->resamples;
    options.seed = r->evaluation->job.settings->seed;
    size_t n = (size_t)(s->draws * s->queries);
    pooled p = {dip_calloc(n, sizeof *p.values),
                dip_calloc(n, sizeof *p.groups), 0};
    dip_status st =
        p.values != NULL && p.groups != NULL ? DIP_OK : dip_no_memory(err);
    for (int m = 0; m < dip_ranking_metrics(s->ranking) && st == DIP_OK; m++) {
        char name[DIP_RANKING_NAME_SIZE];
        dip_interval interval;
        dip_ranking_name(name, s->ranking, m);
        pool(&p, s, r, m);
        st = dip_bootstrap_mean(&interval, p.values, p.groups, p.n, &options,
                                err);
        int faults = dip_report_put_real(part, name, interval.mean);
        faults |= dip_report_put_real(deviations, name,
                                      deviation(s, m, interval.mean));
        faults |=
            json_object_set_new(all, name, dip_report_interval(&interval));
        if (faults != 0 && st == DIP_OK)
            st = dip_no_memory(err);
    }
    int faults = json_object_set_new(part, "deviation", deviations);
    faults |= json_object_set_new(part, "interval", all);
    free(p.values);
    free(p.groups);
    return faults != 0 && st == DIP_OK ? dip_no_memory(err) : st;
}

dip_status dip_evaluate_sampled(json_t *report, const dip_ranked_task *r,
                                dip_err *err)
{
    const dip_sampled_settings *settings = settings_of(r);
    dip_sampled s = {0};
    if (settings == NULL)
        return DIP_OK;
    dip_status st = sample(&s, r, settings, err);
    if (st != DIP_OK)
        return dip_fail_context(err, "eval.sampled.%s", settings->task);
    json_t *part = json_pack(
        "{s:I, s:I, s:I, s:I, s:s*}", "candidates", (json_int_t)s.candidates,
        "queries", (json_int_t)s.queries, "draws", (json_int_t)s.draws,
        "filled", (json_int_t)s.filled, "category", settings->category);
    st = part != NULL ? put_metrics(part, &s, r, err) : dip_no_memory(err);
    if (json_object_set_new(report, "sampled", part) != 0 && st == DIP_OK)
        st = dip_no_memory(err);
    dip_sampled_free(&s);
    return st;
}
