/* One task: queries paired over all runs, tests, the queries that changed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "data/interner.h"
#include "eval/seeds.h"
#include "report/compare_parts.h"

/* Differences up to here are rounding in a mean over runs. */
#define TIE 1e-12

/* The queries that are compared. */
typedef struct {
    const dip_outcomes **runs; /* of all sides, one behind the other */
    size_t *first;             /* [sides] number of a side's first run */
    size_t run_count;
    int64_t n;
    int64_t *at;     /* [runs, n] where a run has the query */
    int64_t *groups; /* [n] */
} pairing;

static void free_pairing(pairing *p)
{
    free(p->runs);
    free(p->first);
    free(p->at);
    free(p->groups);
}

/* ---- which queries ------------------------------------------------------- */

static dip_status list_runs(pairing *p, const char *task,
                            const dip_sides *sides, dip_err *err)
{
    for (size_t s = 0; s < sides->count; s++)
        p->run_count += sides->items[s].count;
    p->runs = dip_calloc(p->run_count, sizeof *p->runs);
    p->first = dip_calloc(sides->count, sizeof *p->first);
    if (p->runs == NULL || p->first == NULL)
        return dip_no_memory(err);
    size_t r = 0;
    for (size_t s = 0; s < sides->count; s++) {
        p->first[s] = r;
        for (size_t i = 0; i < sides->items[s].count; i++)
            p->runs[r++] =
                dip_outcome_set_find(&sides->items[s].runs[i]->outcomes, task);
    }
    return DIP_OK;
}

static dip_status number_ids(dip_interner **out, const dip_outcomes *o,
                             dip_err *err)
{
    int64_t number;
    dip_status st = dip_interner_create(out, err);
    for (int64_t i = 0; i < o->count && st == DIP_OK; i++)
        st = dip_interner_add(&number, *out, dip_text_column_get(&o->ids, i),
                              err);
    return st;
}

/* at[run, i] for the ids of run 0 in their order; -1 where a run lacks one. */
static dip_status find_everywhere(pairing *p, dip_err *err)
{
    dip_interner *ids = NULL;
    dip_status st = number_ids(&ids, p->runs[0], err);
    for (int64_t k = 0; k < (int64_t)p->run_count * p->n; k++)
        p->at[k] = -1;
    for (size_t r = 0; r < p->run_count && st == DIP_OK; r++) {
        for (int64_t i = 0; i < p->runs[r]->count; i++) {
            int64_t number = dip_interner_find(
                ids, dip_text_column_get(&p->runs[r]->ids, i));
            int64_t *at =
                number < 0 ? NULL : p->at + (int64_t)r * p->n + number;
            if (at != NULL && *at < 0)
                *at = i;
        }
    }
    dip_interner_free(ids);
    return st;
}

/* Drops the queries that a run lacks. */
static void keep_common(pairing *p)
{
    int64_t kept = 0, n = p->n;
    for (int64_t i = 0; i < n; i++) {
        bool everywhere = true;
        for (size_t r = 0; r < p->run_count; r++)
            everywhere = everywhere && p->at[(int64_t)r * n + i] >= 0;
        for (size_t r = 0; r < p->run_count && everywhere; r++)
            p->at[(int64_t)r * n + kept] = p->at[(int64_t)r * n + i];
        kept += everywhere;
    }
    for (size_t r = 1; r < p->run_count; r++)
        memmove(p->at + (int64_t)r * kept, p->at + (int64_t)r * n,
                (size_t)kept * sizeof *p->at);
    p->n = kept;
}

static dip_status pair_queries(pairing *p, const char *task,
                               const dip_sides *sides, bool same, dip_err *err)
{
    dip_status st = list_runs(p, task, sides, err);
    if (st != DIP_OK)
        return st;
    size_t items;
    p->n = p->runs[0]->count;
    if (dip_mul_overflows(p->run_count, (size_t)p->n, &items))
        return dip_no_memory(err);
    p->at = dip_calloc(items, sizeof *p->at);
    p->groups = dip_calloc((size_t)p->n, sizeof *p->groups);
    if (p->at == NULL || p->groups == NULL)
        return dip_no_memory(err);
    for (int64_t k = 0; k < (int64_t)items && same; k++)
        p->at[k] = k % p->n;
    if (!same)
        st = find_everywhere(p, err);
    if (st == DIP_OK && !same)
        keep_common(p);
    if (st == DIP_OK && p->n == 0)
        st = dip_fail(err, DIP_EDATA,
                      "the runs have no query of task '%s' in "
                      "common",
                      task);
    for (int64_t i = 0; i < p->n; i++)
        p->groups[i] = p->runs[0]->group[p->at[i]];
    return st;
}

/* ---- values -------------------------------------------------------------- */

/* [runs of the side, n] values of a metric; NULL when memory is out. */
static double *side_values(const pairing *p, const dip_sides *sides, size_t s,
                           const char *metric)
{
    size_t runs = sides->items[s].count;
    double *out = dip_calloc(runs * (size_t)p->n, sizeof *out);
    for (size_t r = 0; r < runs && out != NULL; r++) {
        size_t run = p->first[s] + r;
        const double *values = dip_outcomes_values(p->runs[run], metric);
        for (int64_t i = 0; i < p->n; i++)
            out[(int64_t)r * p->n + i] = values[p->at[(int64_t)run * p->n + i]];
    }
    return out;
}

/* Mean over the side's runs of query i. */
static double side_mean(const double *values, size_t runs, int64_t n, int64_t i)
{
    double sum = 0;
    for (size_t r = 0; r < runs; r++)
        sum += values[(int64_t)r * n + i];
    return sum / (double)runs;
}

/* [n] side - baseline, means over runs; rounding is 0. */
static double *differences(const double *base, size_t base_runs,
                           const double *side, size_t side_runs, int64_t n)
{
    double *out = dip_calloc((size_t)n, sizeof *out);
    for (int64_t i = 0; i < n && out != NULL; i++) {
        double d =
            side_mean(side, side_runs, n, i) - side_mean(base, base_runs, n, i);
        out[i] = fabs(d) <= TIE ? 0 : d;
    }
    return out;
}

/* ---- one side ------------------------------------------------------------ */

static dip_status summarise(json_t **out, const double *values, size_t runs,
                            const pairing *p,
                            const dip_compare_options *options, dip_err *err)
{
    dip_runs_summary s;
    dip_status st = dip_runs_summarise(&s, &(dip_runs){values, (int64_t)runs},
                                       p->groups, p->n, &options->stats, err);
    if (st != DIP_OK)
        return st;
    json_t *means = json_array();
    for (size_t r = 0; r < runs; r++) {
        double mean = 0;
        for (int64_t i = 0; i < p->n; i++)
            mean += values[(int64_t)r * p->n + i] / (double)p->n;
        (void)json_array_append_new(means, dip_json_real(mean));
    }
    *out = json_pack("{s:o, s:o, s:o, s:o, s:o}", "mean",
                     dip_json_real(s.interval.mean), "low",
                     dip_json_real(s.interval.low), "high",
                     dip_json_real(s.interval.high), "deviation",
                     dip_json_real(s.deviation), "runs", means);
    return *out != NULL ? DIP_OK : dip_no_memory(err);
}

/* ---- against the baseline ------------------------------------------------ */

/* What is known of side - baseline in one metric. */
typedef struct {
    int64_t win, tie, loss;
    dip_interval queries; /* bootstrap over queries */
    double sign_flip;
    dip_t_test t;
    bool has_runs; /* seeds are known, so they decide */
    dip_runs_difference runs;
} tests;

static dip_status run_tests(tests *out, const dip_runs *side,
                            const dip_runs *base, const double *d,
                            const pairing *p,
                            const dip_compare_options *options, dip_err *err)
{
    *out = (tests){.t = {.t = NAN, .p = NAN},
                   .has_runs = side->runs + base->runs > 2};
    double *zeros = dip_calloc((size_t)p->n, sizeof *zeros);
    if (zeros == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < p->n; i++) {
        out->win += d[i] > 0;
        out->tie += d[i] == 0;
        out->loss += d[i] < 0;
    }
    const dip_stats_options *o = &options->stats;
    dip_status st =
        dip_bootstrap_mean(&out->queries, d, p->groups, p->n, o, err);
    if (st == DIP_OK)
        st = dip_sign_flip_test(&out->sign_flip, d, zeros, p->groups, p->n, o,
                                err);
    /* One group alone has no t; that is no reason to give nothing. */
    if (st == DIP_OK &&
        dip_paired_t_test(&out->t, d, zeros, p->groups, p->n, NULL) != DIP_OK)
        out->t = (dip_t_test){.t = NAN, .p = NAN};
    if (st == DIP_OK && out->has_runs)
        st = dip_runs_compare(&out->runs, side, base, p->groups, p->n, o, err);
    free(zeros);
    return st;
}

static json_t *report_tests(const tests *t)
{
    const dip_interval *interval =
        t->has_runs ? &t->runs.interval : &t->queries;
    double seeds = t->has_runs ? t->runs.p : NAN;
    return json_pack(
        "{s:o, s:o, s:o, s:I, s:I, s:I, s:{s:o, s:o}, s:o, s:o, s:I, s:o, s:o, "
        "s:o}",
        "difference", dip_json_real(interval->mean), "low",
        dip_json_real(interval->low), "high", dip_json_real(interval->high),
        "win", (json_int_t)t->win, "tie", (json_int_t)t->tie, "loss",
        (json_int_t)t->loss, "queries", "low", dip_json_real(t->queries.low),
        "high", dip_json_real(t->queries.high), "p_sign_flip",
        dip_json_real(t->sign_flip), "t", dip_json_real(t->t.t), "df",
        (json_int_t)t->t.df, "p_t", dip_json_real(t->t.p), "p_seeds",
        dip_json_real(seeds), "p",
        dip_json_real(t->has_runs ? seeds : t->sign_flip));
}

/* ---- the queries that changed most --------------------------------------- */

typedef struct {
    double change; /* of the metric */
    double rank;   /* of 1 / rank: what decides among equals */
    int64_t i;
} change;

static int by_gain(const void *a, const void *b)
{
    const change *x = a, *y = b;
    if (x->change != y->change)
        return x->change > y->change ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    return (x->i > y->i) - (x->i < y->i);
}

/* Mean over the side's runs of 1 / rank, 0 where nothing is found. */
static double side_rank(const pairing *p, const dip_sides *sides, size_t s,
                        int64_t i)
{
    double sum = 0;
    for (size_t r = p->first[s]; r < p->first[s] + sides->items[s].count; r++)
        sum += 1 / p->runs[r]->rank[p->at[(int64_t)r * p->n + i]];
    return sum / (double)sides->items[s].count;
}

static json_t *text_of(const dip_text_column *column, int64_t i)
{
    dip_bytes text = dip_text_column_get(column, i);
    return json_stringn(text.data, text.len);
}

static json_t *report_change(const change *c, const pairing *p,
                             const dip_sides *sides, size_t side,
                             const double *base, const double *values)
{
    const dip_outcomes *o = p->runs[0];
    size_t b = sides->baseline;
    int64_t at = p->at[c->i];
    return json_pack(
        "{s:I, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "row",
        (json_int_t)o->row[at], "id", text_of(&o->ids, at), "text",
        text_of(&o->texts, at), "relevant", (json_int_t)o->relevant[at],
        "baseline",
        dip_json_real(side_mean(base, sides->items[b].count, p->n, c->i)),
        "value",
        dip_json_real(side_mean(values, sides->items[side].count, p->n, c->i)),
        "rank_baseline", dip_json_real(1 / side_rank(p, sides, b, c->i)),
        "rank", dip_json_real(1 / side_rank(p, sides, side, c->i)));
}

/* {"task", "metric", "side", "improved": […], "worsened": […]} */
static dip_status report_changes(json_t *out, const char *task,
                                 const char *metric, const pairing *p,
                                 const dip_sides *sides, size_t side,
                                 const double *base, const double *values,
                                 const double *d, int64_t most, dip_err *err)
{
    change *all = dip_calloc((size_t)p->n, sizeof *all);
    if (all == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < p->n; i++)
        all[i] = (change){d[i],
                          side_rank(p, sides, side, i) -
                              side_rank(p, sides, sides->baseline, i),
                          i};
    qsort(all, (size_t)p->n, sizeof *all, by_gain);
    json_t *improved = json_array(), *worsened = json_array();
    for (int64_t k = 0; k < most && k < p->n && all[k].change > 0; k++)
        (void)json_array_append_new(
            improved, report_change(&all[k], p, sides, side, base, values));
    for (int64_t k = p->n - 1; k >= p->n - most && k >= 0 && all[k].change < 0;
         k--)
        (void)json_array_append_new(
            worsened, report_change(&all[k], p, sides, side, base, values));
    free(all);
    int fault = json_array_append_new(
        out, json_pack("{s:s, s:s, s:I, s:o, s:o}", "task", task, "metric",
                       metric, "side", (json_int_t)side, "improved", improved,
                       "worsened", worsened));
    return fault == 0 ? DIP_OK : dip_no_memory(err);
}

/* ---- all ----------------------------------------------------------------- */

/* One metric of the task. `values` [sides] of it; `changed` NULL: the changes
 * are not asked for. */
static dip_status compare_metric(json_t *row, json_t *changed, const char *task,
                                 const char *metric, double *const *values,
                                 const pairing *p, const dip_sides *sides,
                                 const dip_compare_options *options,
                                 dip_err *err)
{
    json_t *summaries = json_object_get(row, "sides");
    json_t *all = json_object_get(row, "differences");
    const double *base = values[sides->baseline];
    size_t base_runs = sides->items[sides->baseline].count;
    dip_status st = DIP_OK;
    for (size_t s = 0; s < sides->count && st == DIP_OK; s++) {
        json_t *summary = NULL;
        size_t runs = sides->items[s].count;
        st = summarise(&summary, values[s], runs, p, options, err);
        (void)json_array_append_new(summaries, summary);
        if (s == sides->baseline) {
            (void)json_array_append_new(all, json_null());
            continue;
        }
        tests t;
        double *d = differences(base, base_runs, values[s], runs, p->n);
        if (st == DIP_OK)
            st = d != NULL
                     ? run_tests(&t, &(dip_runs){values[s], (int64_t)runs},
                                 &(dip_runs){base, (int64_t)base_runs}, d, p,
                                 options, err)
                     : dip_no_memory(err);
        if (st == DIP_OK && json_array_append_new(all, report_tests(&t)) != 0)
            st = dip_no_memory(err);
        if (st == DIP_OK && changed != NULL)
            st = report_changes(changed, task, metric, p, sides, s, base,
                                values[s], d, options->changed, err);
        free(d);
    }
    return st;
}

static dip_status add_row(json_t *rows, json_t *changed, const char *task,
                          const char *metric, const pairing *p,
                          const dip_sides *sides,
                          const dip_compare_options *options, dip_err *err)
{
    double **values = dip_calloc(sides->count, sizeof *values);
    json_t *row =
        json_pack("{s:s, s:s, s:I, s:[], s:[]}", "task", task, "metric", metric,
                  "queries", (json_int_t)p->n, "sides", "differences");
    bool complete = values != NULL && json_array_append_new(rows, row) == 0;
    for (size_t s = 0; s < sides->count && complete; s++) {
        values[s] = side_values(p, sides, s, metric);
        complete = values[s] != NULL;
    }
    dip_status st = complete ? compare_metric(row, changed, task, metric,
                                              values, p, sides, options, err)
                             : dip_no_memory(err);
    for (size_t s = 0; s < sides->count && values != NULL; s++)
        free(values[s]);
    free(values);
    return st;
}

dip_status dip_compare_task(json_t *rows, json_t *changed, const char *task,
                            const char *const *metrics, size_t metric_count,
                            const dip_sides *sides, bool same,
                            const dip_compare_options *options, dip_err *err)
{
    pairing p = {0};
    dip_status st = pair_queries(&p, task, sides, same, err);
    for (size_t m = 0; m < metric_count && st == DIP_OK; m++)
        st = add_row(rows, m == 0 && options->changed > 0 ? changed : NULL,
                     task, metrics[m], &p, sides, options, err);
    free_pairing(&p);
    return st;
}
