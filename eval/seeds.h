/* Several runs of one config. Their figures differ by the seed as well as by
 * the queries, so a test over queries alone takes seed noise for a difference:
 * here both are resampled.
 *
 * The model is y = config + run + query + (config, query) + (run, query), runs
 * and queries being samples. A resample draws groups of queries as
 * eval/stats.h does; by how much the drawn mean is off is shrunk by the share
 * of (run, query) in it, which the spread of the runs holds already. The two to
 * five runs that people have are too few to be drawn from: their resampled
 * means spread too little and never reach beyond the extreme runs. So the mean
 * of the runs is drawn from its t distribution instead, with the spread that
 * the sides have in common, and no less of it than (run, query) gives. For
 * resampling crossed factors see Owen, "The pigeonhole bootstrap", Annals of
 * Applied Statistics 2007. */
#ifndef DIP_EVAL_SEEDS_H
#define DIP_EVAL_SEEDS_H

#include <stdint.h>

#include "base/status.h"
#include "eval/stats.h"

/* Per-query values of the runs of one config; row-major, borrowed. */
typedef struct {
    const double *values; /* [runs, n] */
    int64_t runs;         /* >= 1 */
} dip_runs;

typedef struct {
    dip_interval interval; /* of the mean over runs and queries; with one run
                            * it is over queries alone */
    double deviation;      /* of the runs' means (divided by runs - 1); NaN with
                            * one run */
} dip_runs_summary;

/* `groups` [n] and `options` as in eval/stats.h, and its errors. */
dip_status dip_runs_summarise(dip_runs_summary *out, const dip_runs *runs,
                              const int64_t *groups, int64_t n,
                              const dip_stats_options *options,
                              dip_err *err) DIP_MUST_CHECK;

typedef struct {
    dip_interval interval; /* of mean(a) - mean(b) */
    double p;              /* two-sided; (extreme + 1) / (resamples + 1) */
    int64_t df;            /* runs of both sides - 2 */
} dip_runs_difference;

/* Do the configs behind `a` and `b` differ? DIP_EDATA unless there are at
 * least three runs in all: what seeds do cannot be known from one of each. A
 * side of one run is taken to spread as the other does. */
dip_status dip_runs_compare(dip_runs_difference *out, const dip_runs *a,
                            const dip_runs *b, const int64_t *groups, int64_t n,
                            const dip_stats_options *options,
                            dip_err *err) DIP_MUST_CHECK;

#endif
