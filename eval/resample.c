#include "eval/resample.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "eval/scores.h"

/* The stream of dip_bootstrap_mean(). */
enum { STREAM_BOOTSTRAP = 0x626f6f74 };

typedef struct {
    int64_t group;
    int64_t row;
} member;

typedef struct {
    int64_t n, units;
    int64_t *unit_of; /* [n] */
    int32_t *drawn;   /* [workers, units] */
    int32_t *weights; /* [workers, n] */
    double *values;   /* [count, resamples] */
} resampler;

static int by_group(const void *a, const void *b)
{
    const member *x = a, *y = b;
    return (x->group > y->group) - (x->group < y->group);
}

/* Numbers the groups in ascending order. */
static dip_status number_units(resampler *r, const int64_t *groups,
                               dip_err *err)
{
    member *members = dip_calloc((size_t)r->n, sizeof *members);
    if (members == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < r->n; i++)
        members[i] = (member){groups == NULL ? i : groups[i], i};
    qsort(members, (size_t)r->n, sizeof *members, by_group);
    for (int64_t i = 0; i < r->n; i++) {
        r->units += i == 0 || members[i].group != members[i - 1].group;
        r->unit_of[members[i].row] = r->units - 1;
    }
    free(members);
    return DIP_OK;
}

static dip_status make_room(resampler *r, int count, int64_t resamples,
                            const int64_t *groups, dip_err *err)
{
    size_t workers = (size_t)dip_scores_workers(), values, weights;
    if (dip_mul_overflows((size_t)resamples, (size_t)count, &values) ||
        dip_mul_overflows((size_t)r->n, workers, &weights))
        return dip_no_memory(err);
    r->unit_of = dip_calloc((size_t)r->n, sizeof *r->unit_of);
    r->weights = dip_calloc(weights, sizeof *r->weights);
    r->drawn = dip_calloc(weights, sizeof *r->drawn);
    r->values = dip_calloc(values, sizeof *r->values);
    if (r->unit_of == NULL || r->weights == NULL || r->drawn == NULL ||
        r->values == NULL)
        return dip_no_memory(err);
    return number_units(r, groups, err);
}

static const int32_t *draw(resampler *r, int worker, uint64_t seed,
                           int64_t resample)
{
    dip_rng rng = dip_rng_stream(seed, STREAM_BOOTSTRAP, (uint64_t)resample, 0);
    int32_t *drawn = r->drawn + worker * r->n;
    int32_t *weights = r->weights + worker * r->n;
    memset(drawn, 0, (size_t)r->units * sizeof *drawn);
    for (int64_t i = 0; i < r->units; i++)
        drawn[dip_rng_below(&rng, (uint64_t)r->units)]++;
    for (int64_t i = 0; i < r->n; i++)
        weights[i] = drawn[r->unit_of[i]];
    return weights;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void summarise(dip_interval *out, double *values, int64_t n,
                      double level)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!isnan(values[i]))
            values[kept++] = values[i];
    }
    out->low = out->high = NAN;
    if (kept == 0)
        return;
    qsort(values, (size_t)kept, sizeof *values, by_value);
    out->low = dip_stats_quantile(values, kept, (1 - level) / 2);
    out->high = dip_stats_quantile(values, kept, (1 + level) / 2);
}

/* The statistics of the rows as they are. */
static void measure(dip_interval *out, int count, dip_statistic statistic,
                    void *context, resampler *r)
{
    for (int64_t i = 0; i < r->n; i++)
        r->weights[i] = 1;
    statistic(r->values, r->weights, 0, context);
    for (int s = 0; s < count; s++)
        out[s].mean = r->values[s];
}

static void resample(resampler *r, int count, dip_statistic statistic,
                     void *context, const dip_stats_options *options)
{
#pragma omp parallel for schedule(dynamic, 16) num_threads(dip_scores_workers())
    for (int64_t i = 0; i < options->resamples; i++) {
        int worker = omp_get_thread_num();
        statistic(r->values + i * count, draw(r, worker, options->seed, i),
                  worker, context);
    }
}

dip_status dip_bootstrap_statistics(dip_interval *out, int count,
                                    dip_statistic statistic, void *context,
                                    const int64_t *groups, int64_t n,
                                    const dip_stats_options *options,
                                    dip_err *err)
{
    resampler r = {.n = n};
    dip_status st = dip_stats_check(options, err);
    if (st == DIP_OK && n < 1)
        st = dip_fail(err, DIP_EDATA, "no values to draw from");
    double *column = NULL;
    if (st == DIP_OK) {
        column = dip_calloc((size_t)options->resamples, sizeof *column);
        st = column != NULL
                 ? make_room(&r, count, options->resamples, groups, err)
                 : dip_no_memory(err);
    }
    if (st == DIP_OK) {
        measure(out, count, statistic, context, &r);
        resample(&r, count, statistic, context, options);
    }
    for (int s = 0; s < count && st == DIP_OK; s++) {
        for (int64_t i = 0; i < options->resamples; i++)
            column[i] = r.values[i * count + s];
        summarise(out + s, column, options->resamples, options->level);
    }
    free(column);
    free(r.values);
    free(r.drawn);
    free(r.weights);
    free(r.unit_of);
    return st;
}
