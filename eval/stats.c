#include "eval/stats.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

/* Purposes of random streams. */
enum { STREAM_BOOTSTRAP = 0x626f6f74, STREAM_SIGNS = 0x7369676e };

/* What is resampled or flipped as one. */
typedef struct {
    double sum;
    int64_t rows;
} unit;

typedef struct {
    int64_t group;
    double value;
} member;

static int by_group(const void *a, const void *b)
{
    const member *x = a, *y = b;
    return (x->group > y->group) - (x->group < y->group);
}

static int by_value(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

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

/* The differences a - b, or a alone when b is NULL; the caller frees *out. */
static dip_status make_members(member **out, const double *a, const double *b,
                               const int64_t *groups, int64_t n, dip_err *err)
{
    *out = NULL;
    if (n < 1)
        return dip_fail(err, DIP_EDATA, "no values to draw from");
    member *members = dip_calloc((size_t)n, sizeof *members);
    if (members == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < n; i++) {
        double value = b == NULL ? a[i] : a[i] - b[i];
        if (!isfinite(value)) {
            free(members);
            return dip_fail(err, DIP_ENUMERIC,
                            "value %" PRId64 " is not finite", i);
        }
        members[i] = (member){groups == NULL ? i : groups[i], value};
    }
    *out = members;
    return DIP_OK;
}

/* The units of the values; the caller frees *out. */
static dip_status make_units(unit **out, int64_t *count, const double *a,
                             const double *b, const int64_t *groups, int64_t n,
                             dip_err *err)
{
    *out = NULL;
    *count = 0;
    member *members;
    dip_status st = make_members(&members, a, b, groups, n, err);
    if (st != DIP_OK)
        return st;
    unit *units = dip_calloc((size_t)n, sizeof *units);
    if (units == NULL) {
        st = dip_no_memory(err);
        goto out_free;
    }
    if (groups != NULL)
        qsort(members, (size_t)n, sizeof *members, by_group);
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || members[i].group != members[i - 1].group)
            (*count)++;
        units[*count - 1].sum += members[i].value;
        units[*count - 1].rows++;
    }
    *out = units;
out_free:
    free(members);
    return st;
}

/* ---- bootstrap ---------------------------------------------------------- */

static double resampled_mean(const unit *units, int64_t count, uint64_t seed,
                             int64_t resample)
{
    dip_rng rng = dip_rng_stream(seed, STREAM_BOOTSTRAP, (uint64_t)resample, 0);
    double sum = 0;
    int64_t rows = 0;
    for (int64_t i = 0; i < count; i++) {
        const unit *u = units + dip_rng_below(&rng, (uint64_t)count);
        sum += u->sum;
        rows += u->rows;
    }
    return sum / (double)rows;
}

double dip_stats_quantile(const double *sorted, int64_t n, double q)
{
    double at = q * (double)(n - 1);
    int64_t low = (int64_t)at;
    if (low >= n - 1)
        return sorted[n - 1];
    return sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low]);
}

static dip_status bootstrap_units(dip_interval *out, const unit *units,
                                  int64_t count, const dip_stats_options *o,
                                  dip_err *err)
{
    double *means = dip_calloc((size_t)o->resamples, sizeof *means);
    if (means == NULL)
        return dip_no_memory(err);
#pragma omp parallel for
    for (int64_t i = 0; i < o->resamples; i++)
        means[i] = resampled_mean(units, count, o->seed, i);
    qsort(means, (size_t)o->resamples, sizeof *means, by_value);
    out->low = dip_stats_quantile(means, o->resamples, (1 - o->level) / 2);
    out->high = dip_stats_quantile(means, o->resamples, (1 + o->level) / 2);
    free(means);
    return DIP_OK;
}

static dip_status bootstrap(dip_interval *out, const double *a, const double *b,
                            const int64_t *groups, int64_t n,
                            const dip_stats_options *options, dip_err *err)
{
    *out = (dip_interval){0};
    dip_status st = dip_stats_check(options, err);
    if (st != DIP_OK)
        return st;
    unit *units;
    int64_t count;
    st = make_units(&units, &count, a, b, groups, n, err);
    if (st != DIP_OK)
        return st;
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += units[i].sum;
    out->mean = sum / (double)n;
    st = bootstrap_units(out, units, count, options, err);
    free(units);
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

static double exact_sign_flip(const unit *units, int64_t count, double extreme)
{
    uint32_t patterns = (uint32_t)1 << count, hits = 0;
    for (uint32_t pattern = 0; pattern < patterns; pattern++) {
        double sum = 0;
        for (int64_t i = 0; i < count; i++)
            sum += pattern >> i & 1 ? -units[i].sum : units[i].sum;
        hits += fabs(sum) >= extreme;
    }
    return (double)hits / (double)patterns;
}

static bool random_signs_reach(const unit *units, int64_t count, uint64_t seed,
                               int64_t resample, double extreme)
{
    dip_rng rng = dip_rng_stream(seed, STREAM_SIGNS, (uint64_t)resample, 0);
    uint32_t bits = 0;
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        if (i % 32 == 0)
            bits = dip_rng_u32(&rng);
        sum += bits >> i % 32 & 1 ? -units[i].sum : units[i].sum;
    }
    return fabs(sum) >= extreme;
}

static double sampled_sign_flip(const unit *units, int64_t count,
                                const dip_stats_options *o, double extreme)
{
    int64_t hits = 0;
#pragma omp parallel for reduction(+ : hits)
    for (int64_t i = 0; i < o->resamples; i++)
        hits += random_signs_reach(units, count, o->seed, i, extreme);
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
    unit *units;
    int64_t count;
    st = make_units(&units, &count, a, b, groups, n, err);
    if (st != DIP_OK)
        return st;
    double sum = 0, size = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += units[i].sum;
        size += fabs(units[i].sum);
    }
    /* Sums of the same numbers in another pattern differ in the last bits. */
    double extreme = fabs(sum) - 1e-12 * size;
    *p = count <= DIP_SIGN_FLIP_EXACT
             ? exact_sign_flip(units, count, extreme)
             : sampled_sign_flip(units, count, options, extreme);
    free(units);
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
                             int64_t n, dip_err *err)
{
    *out = (dip_t_test){NAN, n - 1, NAN};
    if (n < 2)
        return dip_fail(err, DIP_EDATA,
                        "a paired t test of %" PRId64 " differences", n);
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(a[i] - b[i]))
            return dip_fail(err, DIP_ENUMERIC,
                            "value %" PRId64 " is not finite", i);
        mean += (a[i] - b[i]) / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        double off = a[i] - b[i] - mean;
        squares += off * off;
    }
    double df = (double)(n - 1);
    out->t = mean / sqrt(squares / df / (double)n); /* 0/0 is NaN */
    double t2 = out->t * out->t;
    if (isinf(t2))
        out->p = 0;
    else if (!isnan(t2))
        out->p = incomplete_beta(df / 2, .5, df / (df + t2), t2 / (df + t2));
    return DIP_OK;
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
