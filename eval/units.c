#include "eval/units.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "eval/stats.h"

enum { STREAM_BOOTSTRAP = 0x626f6f74 };

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

/* The caller frees *out. */
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

dip_status dip_units_make(dip_units *out, const double *a, const double *b,
                          const int64_t *groups, int64_t n, dip_err *err)
{
    *out = (dip_units){0};
    member *members;
    dip_status st = make_members(&members, a, b, groups, n, err);
    if (st != DIP_OK)
        return st;
    dip_unit *units = dip_calloc((size_t)n, sizeof *units);
    if (units == NULL) {
        st = dip_no_memory(err);
        goto out_free;
    }
    if (groups != NULL)
        qsort(members, (size_t)n, sizeof *members, by_group);
    out->rows = n;
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || members[i].group != members[i - 1].group)
            out->count++;
        units[out->count - 1].sum += members[i].value;
        units[out->count - 1].rows++;
    }
    out->items = units;
out_free:
    free(members);
    return st;
}

void dip_units_free(dip_units *units)
{
    free(units->items);
    *units = (dip_units){0};
}

double dip_units_mean(const dip_units *units)
{
    double sum = 0;
    for (int64_t i = 0; i < units->count; i++)
        sum += units->items[i].sum;
    return sum / (double)units->rows;
}

double dip_units_variance(const dip_units *units)
{
    double mean = dip_units_mean(units), squares = 0;
    double count = (double)units->count, rows = (double)units->rows;
    for (int64_t i = 0; i < units->count; i++) {
        const dip_unit *u = &units->items[i];
        double off = u->sum - mean * (double)u->rows;
        squares += off * off;
    }
    return squares * (count / (count - 1)) / (rows * rows);
}

double dip_units_resample(const dip_units *units, uint64_t seed,
                          int64_t resample)
{
    dip_rng rng = dip_rng_stream(seed, STREAM_BOOTSTRAP, (uint64_t)resample, 0);
    double sum = 0;
    int64_t rows = 0;
    for (int64_t i = 0; i < units->count; i++) {
        const dip_unit *u =
            units->items + dip_rng_below(&rng, (uint64_t)units->count);
        sum += u->sum;
        rows += u->rows;
    }
    return sum / (double)rows;
}

void dip_quantile_interval(double *low, double *high, double *draws, int64_t n,
                           double level)
{
    qsort(draws, (size_t)n, sizeof *draws, by_value);
    *low = dip_stats_quantile(draws, n, (1 - level) / 2);
    *high = dip_stats_quantile(draws, n, (1 + level) / 2);
}
