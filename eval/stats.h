/* Uncertainty of means over queries, and whether two systems differ. */
#ifndef DIP_EVAL_STATS_H
#define DIP_EVAL_STATS_H

#include <stdint.h>

#include "base/status.h"

/* dip_stats_defaults() has 10,000 resamples, .95 and seed 0. */
typedef struct {
    int64_t resamples; /* >= 1 */
    double level;      /* of the interval, in (0, 1) */
    uint64_t seed;
} dip_stats_options;

typedef struct {
    double mean;
    double low;
    double high;
} dip_interval;

dip_stats_options dip_stats_defaults(void);
/* DIP_ERANGE for impossible ones. */
dip_status dip_stats_check(const dip_stats_options *options,
                           dip_err *err) DIP_MUST_CHECK;

/* The q-quantile of ascending values [n >= 1], linear between order statistics:
 * numpy's default, R's type 7. */
double dip_stats_quantile(const double *sorted, int64_t n, double q);

/* In all of these: values are per query, [n]. `groups` [n] names what is
 * independent (queries of one product share a number) and is resampled or
 * flipped as a whole; NULL: every query by itself. NaN or infinity is
 * DIP_ENUMERIC and names its index, n = 0 is DIP_EDATA. Results depend on
 * the arguments alone, not on the number of threads. */

/* Percentile bootstrap interval of the mean of `values`; the quantiles are
 * interpolated linearly between order statistics. A resample draws as many
 * groups as there are, with replacement, and means over their rows. */
dip_status dip_bootstrap_mean(dip_interval *out, const double *values,
                              const int64_t *groups, int64_t n,
                              const dip_stats_options *options,
                              dip_err *err) DIP_MUST_CHECK;

/* The same of the differences a - b of one set of queries. */
dip_status dip_bootstrap_paired(dip_interval *out, const double *a,
                                const double *b, const int64_t *groups,
                                int64_t n, const dip_stats_options *options,
                                dip_err *err) DIP_MUST_CHECK;

/* Largest number of groups for which all sign patterns are tried. */
#define DIP_SIGN_FLIP_EXACT 20

/* Two-sided sign-flip (paired randomisation) test of mean(a - b) = 0. Exact
 * over all 2^groups patterns up to DIP_SIGN_FLIP_EXACT groups; above, Monte
 * Carlo with (extreme + 1) / (resamples + 1). A pattern is as extreme as the
 * data up to 1e-12 of the sum of absolute differences. */
dip_status dip_sign_flip_test(double *p, const double *a, const double *b,
                              const int64_t *groups, int64_t n,
                              const dip_stats_options *options,
                              dip_err *err) DIP_MUST_CHECK;

typedef struct {
    double t;
    int64_t df;
    double p; /* two-sided; NaN when all differences are 0 */
} dip_t_test;

/* Paired t test of a - b, with groups as clusters (dip_units_variance() of
 * eval/units.h): degrees of freedom are groups - 1, of which there must be
 * two. Without groups it is Student's. */
dip_status dip_paired_t_test(dip_t_test *out, const double *a, const double *b,
                             const int64_t *groups, int64_t n,
                             dip_err *err) DIP_MUST_CHECK;

/* Holm's step-down adjustment of `p` [n] for n comparisons, in the order
 * given (Holm, Scand. J. Statist. 1979). DIP_ERANGE names a p outside
 * [0, 1]. `adjusted` may be `p`. */
dip_status dip_holm_adjust(double *adjusted, const double *p, int64_t n,
                           dip_err *err) DIP_MUST_CHECK;

#endif
