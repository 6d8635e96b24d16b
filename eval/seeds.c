#include "eval/seeds.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "eval/units.h"

enum { STREAM_SEEDS = 0x73656564 };

static double mean_size(const double *values, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += fabs(values[i]);
    return sum / (double)n;
}

/* The mean over runs for each query, [n]; NULL when memory is out. */
static double *mean_run(const dip_runs *runs, int64_t n)
{
    double *mean = dip_calloc((size_t)n, sizeof *mean);
    for (int64_t i = 0; i < n && mean != NULL; i++) {
        for (int64_t r = 0; r < runs->runs; r++)
            mean[i] += runs->values[r * n + i];
        mean[i] /= (double)runs->runs;
    }
    return mean;
}

/* How far the runs of one side stand apart. */
typedef struct {
    double squares; /* of the runs' means, around their mean */
    double mixed;   /* sum over runs of the squared error that sampling queries
                     * gives to a run's distance from the mean run */
    int64_t df;     /* runs - 1 */
} spread;

static dip_status add_spread(spread *s, const dip_runs *runs,
                             const double *mean, const int64_t *groups,
                             int64_t n, dip_err *err)
{
    s->df += runs->runs - 1;
    for (int64_t r = 0; r < runs->runs && runs->runs > 1; r++) {
        dip_units units;
        dip_status st =
            dip_units_make(&units, runs->values + r * n, mean, groups, n, err);
        if (st != DIP_OK)
            return st;
        double off = dip_units_mean(&units);
        s->squares += off * off;
        if (units.count > 1)
            s->mixed += dip_units_variance(&units);
        dip_units_free(&units);
    }
    return DIP_OK;
}

/* Student's t with `df` degrees of freedom. */
static double draw_t(dip_rng *rng, int64_t df)
{
    double z = dip_rng_normal(rng), squares = 0;
    for (int64_t i = 0; i < df; i++) {
        double x = dip_rng_normal(rng);
        squares += x * x;
    }
    return z / sqrt(squares / (double)df);
}

/* What is resampled: the mean of `units`, off by shrunk sampling error of the
 * queries and by `scale` times t of the runs. */
typedef struct {
    const dip_units *units;
    double mean;
    double shrink; /* in [0, 1] */
    double scale;
    int64_t df;   /* 0: no runs are drawn */
    double slack; /* differences below are rounding */
} sampler;

/* `weight` is the sum of 1 / runs over the sides. */
static sampler make_sampler(const dip_units *units, const spread *s,
                            double weight)
{
    sampler out = {.units = units,
                   .mean = dip_units_mean(units),
                   .shrink = 1,
                   .df = s->df};
    if (s->df == 0)
        return out;
    double all = units->count > 1 ? dip_units_variance(units) : 0;
    double mixed = weight * s->mixed / (double)s->df;
    out.shrink = all > mixed ? sqrt((all - mixed) / all) : 0;
    /* A few runs may stand closer, by chance, than the sampling of queries
     * allows: that much is known from the queries. */
    out.scale = sqrt(weight * fmax(s->squares, s->mixed) / (double)s->df);
    return out;
}

/* By how much a resample is off the mean. */
static double draw(const sampler *s, uint64_t seed, int64_t resample)
{
    double off = 0;
    if (s->shrink > 0)
        off = s->shrink *
              (dip_units_resample(s->units, seed, resample) - s->mean);
    if (s->df > 0) {
        dip_rng rng = dip_rng_stream(seed, STREAM_SEEDS, (uint64_t)resample, 0);
        off += s->scale * draw_t(&rng, s->df);
    }
    return off;
}

/* Fills the interval, and in *p how often a resample is off by as much as the
 * mean is from 0. */
static dip_status resample(dip_interval *out, double *p, const sampler *s,
                           const dip_stats_options *o, dip_err *err)
{
    double *offs = dip_calloc((size_t)o->resamples, sizeof *offs);
    if (offs == NULL)
        return dip_no_memory(err);
#pragma omp parallel for
    for (int64_t i = 0; i < o->resamples; i++)
        offs[i] = draw(s, o->seed, i);
    int64_t extreme = 0;
    for (int64_t i = 0; i < o->resamples; i++)
        extreme += fabs(offs[i]) >= fabs(s->mean) - s->slack;
    *p = (double)(extreme + 1) / (double)(o->resamples + 1);
    dip_quantile_interval(&out->low, &out->high, offs, o->resamples, o->level);
    out->mean = s->mean;
    out->low += s->mean;
    out->high += s->mean;
    free(offs);
    return DIP_OK;
}

dip_status dip_runs_summarise(dip_runs_summary *out, const dip_runs *runs,
                              const int64_t *groups, int64_t n,
                              const dip_stats_options *options, dip_err *err)
{
    *out = (dip_runs_summary){.deviation = NAN};
    dip_units units = {0};
    spread s = {0};
    double p, *mean = mean_run(runs, n);
    dip_status st =
        mean != NULL ? dip_stats_check(options, err) : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_units_make(&units, mean, NULL, groups, n, err);
    if (st == DIP_OK)
        st = add_spread(&s, runs, mean, groups, n, err);
    if (st == DIP_OK) {
        sampler draws = make_sampler(&units, &s, 1 / (double)runs->runs);
        st = resample(&out->interval, &p, &draws, options, err);
    }
    if (st == DIP_OK && s.df > 0)
        out->deviation = sqrt(s.squares / (double)s.df);
    dip_units_free(&units);
    free(mean);
    return st;
}

dip_status dip_runs_compare(dip_runs_difference *out, const dip_runs *a,
                            const dip_runs *b, const int64_t *groups, int64_t n,
                            const dip_stats_options *options, dip_err *err)
{
    *out = (dip_runs_difference){.p = NAN, .df = a->runs + b->runs - 2};
    if (out->df < 1)
        return dip_fail(err, DIP_EDATA,
                        "one run a side tells nothing of seeds");
    dip_units units = {0};
    spread s = {0};
    double *mean_a = mean_run(a, n), *mean_b = mean_run(b, n);
    dip_status st = mean_a != NULL && mean_b != NULL
                        ? dip_stats_check(options, err)
                        : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_units_make(&units, mean_a, mean_b, groups, n, err);
    if (st == DIP_OK)
        st = add_spread(&s, a, mean_a, groups, n, err);
    if (st == DIP_OK)
        st = add_spread(&s, b, mean_b, groups, n, err);
    if (st == DIP_OK) {
        sampler draws =
            make_sampler(&units, &s, 1 / (double)a->runs + 1 / (double)b->runs);
        draws.slack = 1e-12 * (mean_size(mean_a, n) + mean_size(mean_b, n));
        st = resample(&out->interval, &out->p, &draws, options, err);
    }
    dip_units_free(&units);
    free(mean_b);
    free(mean_a);
    return st;
}
