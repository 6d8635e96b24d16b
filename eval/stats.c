#include "eval/stats.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "eval/units.h"

enum { STREAM_SIGNS = 0x7369676e };

dip_stats_options dip_stats_defaults(void)
{
    return (dip_stats_options){.resamples = 10000, .level = .95, .seed = 0};
}

dip_status dip_stats_check(const dip_stats_options *o, dip_err *err)
{
    if (o->resamples < 1)
        return dip_fail(err, DIP_ERANGE, "%" PRId64 " resamples", o->resamples);
    if (!(o->level > 0 && o->level < 1))
        return dip_fail(err, DIP_ERANGE, "an interval of level %g", o->level);
    return DIP_OK;
}

double dip_stats_quantile(const double *sorted, int64_t n, double q)
{
    double at = q * (double)(n - 1);
    int64_t low = (int64_t)at;
    if (low >= n - 1)
        return sorted[n - 1];
    return sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low]);
}

/* ---- bootstrap ---------------------------------------------------------- */

static dip_status bootstrap(dip_interval *out, const double *a, const double *b,
                            const int64_t *groups, int64_t n,
                            const dip_stats_options *o, dip_err *err)
{
    *out = (dip_interval){0};
    dip_units units = {0};
    double *means = NULL;
    dip_status st = dip_stats_check(o, err);
    if (st == DIP_OK)
        st = dip_units_make(&units, a, b, groups, n, err);
    if (st == DIP_OK) {
        means = dip_calloc((size_t)o->resamples, sizeof *means);
        st = means != NULL ? DIP_OK : dip_no_memory(err);
    }
    if (st == DIP_OK) {
#pragma omp parallel for
        for (int64_t i = 0; i < o->resamples; i++)
            means[i] = dip_units_resample(&units, o->seed, i);
        out->mean = dip_units_mean(&units);
        dip_quantile_interval(&out->low, &out->high, means, o->resamples,
                              o->level);
    }
    free(means);
    dip_units_free(&units);
    return st;
}

dip_status dip_bootstrap_mean(dip_interval *out, const double *values,
                              const int64_t *groups, int64_t n,
                              const dip_stats_options *options, dip_err *err)
{
    return bootstrap(out, values, NULL, groups, n, options, err);
}

dip_status dip_bootstrap_paired(dip_interval *out, const double *a,
                                const double *b, const int64_t *groups,
                                int64_t n, const dip_stats_options *options,
                                dip_err *err)
{
    return bootstrap(out, a, b, groups, n, options, err);
}

/* ---- sign flips --------------------------------------------------------- */

static double exact_sign_flip(const dip_units *units, double extreme)
{
    uint32_t patterns = (uint32_t)1 << units->count, hits = 0;
    for (uint32_t pattern = 0; pattern < patterns; pattern++) {
        double sum = 0;
        for (int64_t i = 0; i < units->count; i++)
            sum +=
                pattern >> i & 1 ? -units->items[i].sum : units->items[i].sum;
        hits += fabs(sum) >= extreme;
    }
    return (double)hits / (double)patterns;
}

static bool random_signs_reach(const dip_units *units, uint64_t seed,
                               int64_t resample, double extreme)
{
    dip_rng rng = dip_rng_stream(seed, STREAM_SIGNS, (uint64_t)resample, 0);
    uint32_t bits = 0;
    double sum = 0;
    for (int64_t i = 0; i < units->count; i++) {
        if (i % 32 == 0)
            bits = dip_rng_u32(&rng);
        sum += bits >> i % 32 & 1 ? -units->items[i].sum : units->items[i].sum;
    }
    return fabs(sum) >= extreme;
}

static double sampled_sign_flip(const dip_units *units,
                                const dip_stats_options *o, double extreme)
{
    int64_t hits = 0;
#pragma omp parallel for reduction(+ : hits)
    for (int64_t i = 0; i < o->resamples; i++)
        hits += random_signs_reach(units, o->seed, i, extreme);
    return (double)(hits + 1) / (double)(o->resamples + 1);
}

dip_status dip_sign_flip_test(double *p, const double *a, const double *b,
                              const int64_t *groups, int64_t n,
                              const dip_stats_options *options, dip_err *err)
{
    *p = NAN;
    dip_status st = dip_stats_check(options, err);
    if (st != DIP_OK)
        return st;
    dip_units units;
    st = dip_units_make(&units, a, b, groups, n, err);
    if (st != DIP_OK)
        return st;
    double sum = 0, size = 0;
    for (int64_t i = 0; i < units.count; i++) {
        sum += units.items[i].sum;
        size += fabs(units.items[i].sum);
    }
    /* Sums of the same numbers in another pattern differ in the last bits. */
    double extreme = fabs(sum) - 1e-12 * size;
    *p = units.count <= DIP_SIGN_FLIP_EXACT
             ? exact_sign_flip(&units, extreme)
             : sampled_sign_flip(&units, options, extreme);
    dip_units_free(&units);
    return DIP_OK;
}

/* ---- t test ------------------------------------------------------------- */

/* Continued fraction of the incomplete beta function (DLMF 8.17.22), by the
 * modified Lentz method; converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double f = d;
    for (int m = 1; m <= 10000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd =
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        double terms[2] = {even, odd}, step = 1;
        for (int i = 0; i < 2; i++) {
            d = 1 + terms[i] * d;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = 1 + terms[i] / c;
            c = fabs(c) < tiny ? tiny : c;
            step = c * d;
            f *= step;
        }
        if (fabs(step - 1) < 1e-16)
            break;
    }
    return f;
}

static double log_gamma(double x)
{
    int sign; /* lgamma() would write a global one */
    return lgamma_r(x, &sign);
}

/* Regularised incomplete beta function I_x(a, b); y = 1 - x is given apart, so
 * that neither of them loses digits. */
static double incomplete_beta(double a, double b, double x, double y)
{
    if (x <= 0 || y <= 0)
        return x <= 0 ? 0 : 1;
    double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) +
                       a * log(x) + b * log(y));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, y) / b;
}

dip_status dip_paired_t_test(dip_t_test *out, const double *a, const double *b,
                             const int64_t *groups, int64_t n, dip_err *err)
{
    *out = (dip_t_test){NAN, n - 1, NAN};
    dip_units units;
    dip_status st = dip_units_make(&units, a, b, groups, n, err);
    if (st == DIP_OK && units.count < 2)
        st = dip_fail(err, DIP_EDATA, "a paired t test of %" PRId64 " units",
                      units.count);
    if (st == DIP_OK) {
        double df = (double)(units.count - 1);
        out->df = units.count - 1;
        /* 0/0 is NaN */
        out->t = dip_units_mean(&units) / sqrt(dip_units_variance(&units));
        double t2 = out->t * out->t;
        if (isinf(t2))
            out->p = 0;
        else if (!isnan(t2))
            out->p =
                incomplete_beta(df / 2, .5, df / (df + t2), t2 / (df + t2));
    }
    dip_units_free(&units);
    return st;
}

/* ---- Holm --------------------------------------------------------------- */

typedef struct {
    double p;
    int64_t at;
} ranked_p;

static int by_p(const void *a, const void *b)
{
    const ranked_p *x = a, *y = b;
    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

dip_status dip_holm_adjust(double *adjusted, const double *p, int64_t n,
                           dip_err *err)
{
    for (int64_t i = 0; i < n; i++) {
        if (!(p[i] >= 0 && p[i] <= 1))
            return dip_fail(err, DIP_ERANGE, "p value %" PRId64 " is %g", i,
                            p[i]);
    }
    ranked_p *order = dip_calloc((size_t)n, sizeof *order);
    if (order == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < n; i++)
        order[i] = (ranked_p){p[i], i};
    qsort(order, (size_t)n, sizeof *order, by_p);
    double highest = 0;
    for (int64_t i = 0; i < n; i++) {
        highest = fmax(highest, fmin(1, order[i].p * (double)(n - i)));
        adjusted[order[i].at] = highest;
    }
    free(order);
    return DIP_OK;
}
