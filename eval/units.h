/* What is resampled or flipped as one: queries of one group. Used by
 * eval/stats.c and eval/seeds.c. */
#ifndef DIP_EVAL_UNITS_H
#define DIP_EVAL_UNITS_H

#include <stdint.h>

#include "base/status.h"

typedef struct {
    double sum; /* of the values of its rows */
    int64_t rows;
} dip_unit;

typedef struct {
    dip_unit *items;
    int64_t count;
    int64_t rows; /* of all of them */
} dip_units;

/* The units of values a - b [n], or of `a` alone when b is NULL. `groups` [n]
 * says which rows belong together; NULL: each by itself. NaN or infinity is
 * DIP_ENUMERIC and names its index, n = 0 is DIP_EDATA. The caller ends *out
 * with dip_units_free(). */
dip_status dip_units_make(dip_units *out, const double *a, const double *b,
                          const int64_t *groups, int64_t n,
                          dip_err *err) DIP_MUST_CHECK;
void dip_units_free(dip_units *units);

/* Over rows. */
double dip_units_mean(const dip_units *units);
/* Squared standard error of that mean with units as clusters, (G / (G - 1))
 * times the sum of squares of sum - mean * rows, by rows squared; NaN with one
 * unit. Of units of one row each it is the usual variance / n. */
double dip_units_variance(const dip_units *units);
/* Mean over the rows of as many units as there are, drawn with replacement: a
 * pure function of seed and number. */
double dip_units_resample(const dip_units *units, uint64_t seed,
                          int64_t resample);

/* Between the quantiles that leave (1 - level) / 2 of `draws` [n] outside on
 * each side; sorts them for it. */
void dip_quantile_interval(double *low, double *high, double *draws, int64_t n,
                           double level);

#endif
