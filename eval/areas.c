#include "eval/areas.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "eval/resample.h"

/* ---- order ---- */

typedef struct {
    double score;
    int32_t row;
} scored;

static int by_score_down(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

dip_status dip_score_order_make(dip_score_order *out, const double *scores,
                                int64_t n, dip_err *err)
{
    *out = (dip_score_order){.n = n};
    if (n < 0 || n > INT32_MAX)
        return dip_fail(err, DIP_ERANGE, "%" PRId64 " scores", n);
    scored *all = dip_calloc((size_t)n, sizeof *all);
    out->rows = dip_calloc((size_t)n, sizeof *out->rows);
    dip_status st =
        all != NULL && out->rows != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t i = 0; i < n && st == DIP_OK; i++)
        all[i] = (scored){scores[i], (int32_t)i};
    if (st == DIP_OK)
        qsort(all, (size_t)n, sizeof *all, by_score_down);
    for (int64_t i = 0; i < n && st == DIP_OK; i++) {
        bool tied = i > 0 && all[i].score == all[i - 1].score;
        out->rows[i] = tied ? ~all[i].row : all[i].row;
    }
    free(all);
    if (st != DIP_OK)
        dip_score_order_free(out);
    return st;
}

void dip_score_order_free(dip_score_order *order)
{
    free(order->rows);
    *order = (dip_score_order){0};
}

/* What stands above a score, and at it. */
typedef struct {
    double positives, others; /* above */
    double tied_positives, tied_others;
    double pairs;   /* of a positive above another, a tie being half */
    double gathers; /* of precision, at each positive */
} descent;

static void pass_score(descent *d)
{
    d->pairs += d->tied_others * (d->positives + d->tied_positives / 2);
    d->positives += d->tied_positives;
    d->others += d->tied_others;
    if (d->tied_positives > 0)
        d->gathers +=
            d->tied_positives * d->positives / (d->positives + d->others);
    d->tied_positives = d->tied_others = 0;
}

void dip_score_order_areas(double *auc, double *average_precision,
                           const dip_score_order *order, const int32_t *labels,
                           int32_t positive, const int32_t *weights)
{
    descent d = {0};
    for (int64_t i = 0; i < order->n; i++) {
        int32_t row = order->rows[i];
        if (row < 0)
            row = ~row;
        else
            pass_score(&d);
        if (labels[row] == positive)
            d.tied_positives += weights[row];
        else
            d.tied_others += weights[row];
    }
    pass_score(&d);
    *auc = d.pairs / (d.positives * d.others); /* 0/0 is NaN */
    *average_precision = d.gathers / d.positives;
}

/* ---- macro areas ---- */

typedef struct {
    int64_t n, classes;
    int32_t *labels;         /* [n] of the labelled rows */
    int64_t *groups;         /* [n] */
    dip_score_order *orders; /* [classes] */
} class_orders;

static void measure_classes(double *out, const int32_t *weights, int worker,
                            void *context)
{
    const class_orders *k = context;
    double areas = 0;
    (void)worker;
    out[0] = out[1] = 0;
    for (int64_t c = 0; c < k->classes; c++) {
        double auc, precision;
        dip_score_order_areas(&auc, &precision, &k->orders[c], k->labels,
                              (int32_t)c, weights);
        if (isnan(auc))
            continue;
        areas++;
        out[0] += auc;
        out[1] += precision;
    }
    out[0] /= areas; /* 0/0 is NaN */
    out[1] /= areas;
}

static dip_status order_classes(class_orders *k,
                                const dip_class_probabilities *p,
                                const int64_t *groups, dip_err *err)
{
    size_t n = (size_t)p->n;
    double *scores = dip_calloc(n, sizeof *scores);
    int64_t *rows = dip_calloc(n, sizeof *rows);
    k->labels = dip_calloc(n, sizeof *k->labels);
    k->groups = dip_calloc(n, sizeof *k->groups);
    k->orders = dip_calloc((size_t)p->classes, sizeof *k->orders);
    bool whole = scores != NULL && rows != NULL && k->labels != NULL &&
                 k->groups != NULL && k->orders != NULL;
    dip_status st = whole ? DIP_OK : dip_no_memory(err);
    for (int64_t i = 0; i < p->n && whole; i++) {
        if (p->labels[i] < 0)
            continue;
        k->labels[k->n] = p->labels[i];
        k->groups[k->n] = groups == NULL ? i : groups[i];
        rows[k->n++] = i;
    }
    k->classes = whole ? p->classes : 0;
    for (int64_t c = 0; c < k->classes && st == DIP_OK; c++) {
        for (int64_t i = 0; i < k->n; i++)
            scores[i] = (double)p->probabilities[rows[i] * p->classes + c];
        st = dip_score_order_make(&k->orders[c], scores, k->n, err);
    }
    free(rows);
    free(scores);
    return st;
}

dip_status dip_class_area_intervals(dip_interval out[2],
                                    const dip_class_probabilities *p,
                                    const int64_t *groups,
                                    const dip_stats_options *options,
                                    dip_err *err)
{
    class_orders k = {0};
    dip_stats_options o = *options;
    const dip_interval none = {(double)NAN, (double)NAN, (double)NAN};
    out[0] = out[1] = none;
    if (p->classes > 0 && p->n > DIP_AREA_CELLS / p->classes)
        return DIP_OK;
    dip_status st = order_classes(&k, p, groups, err);
    int64_t most = DIP_AREA_WORK / (k.n * k.classes + 1);
    if (most < DIP_AREA_LEAST)
        most = DIP_AREA_LEAST;
    if (o.resamples > most)
        o.resamples = most;
    if (st == DIP_OK)
        st = dip_bootstrap_statistics(out, 2, measure_classes, &k, k.groups,
                                      k.n, &o, err);
    for (int64_t c = 0; c < k.classes; c++)
        dip_score_order_free(&k.orders[c]);
    free(k.orders);
    free(k.groups);
    free(k.labels);
    return st;
}

/* ---- median ---- */

/* The values behind `order`, which is ascending when they are negated. */
typedef struct {
    const double *values;
    dip_score_order order;
} ordered_values;

static void measure_median(double *out, const int32_t *weights, int worker,
                           void *context)
{
    const ordered_values *v = context;
    int64_t count = 0, passed = 0;
    double low = 0;
    bool found = false;
    (void)worker;
    for (int64_t i = 0; i < v->order.n; i++)
        count += weights[i];
    for (int64_t i = 0; i < v->order.n; i++) {
        int32_t row = v->order.rows[i];
        row = row < 0 ? ~row : row;
        passed += weights[row];
        if (!found && passed >= (count + 1) / 2) {
            low = v->values[row];
            found = true;
        }
        if (passed >= count / 2 + 1) {
            *out = (low + v->values[row]) / 2;
            return;
        }
    }
}

dip_status dip_bootstrap_median(dip_interval *out, const double *values,
                                const int64_t *groups, int64_t n,
                                const dip_stats_options *options, dip_err *err)
{
    ordered_values v = {.values = values};
    double *turned = dip_calloc((size_t)n, sizeof *turned);
    dip_status st = turned != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t i = 0; i < n && st == DIP_OK; i++) {
        turned[i] = -values[i];
        if (isnan(values[i]))
            st = dip_fail(err, DIP_ENUMERIC, "value %" PRId64 " is NaN", i);
    }
    if (st == DIP_OK)
        st = dip_score_order_make(&v.order, turned, n, err);
    if (st == DIP_OK)
        st = dip_bootstrap_statistics(out, 1, measure_median, &v, groups, n,
                                      options, err);
    dip_score_order_free(&v.order);
    free(turned);
    return st;
}
