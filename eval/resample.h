/* Bootstrap intervals of statistics that are no means: F1 over classes,
 * calibration, areas under curves. */
#ifndef DIP_EVAL_RESAMPLE_H
#define DIP_EVAL_RESAMPLE_H

#include <stdint.h>

#include "base/status.h"
#include "eval/stats.h"

/* Writes the statistics of a sample that holds row i weights[i] times; NaN: one
 * does not exist there. Called from several threads at once; `worker` is in
 * [0, dip_scores_workers()) and tells them apart. */
typedef void (*dip_statistic)(double *out, const int32_t *weights, int worker,
                              void *context);

/* Percentile bootstrap intervals of `count` statistics, computed on the same
 * resamples, as dip_bootstrap_mean() draws them; `mean` is the statistic of the
 * rows as they are. Resamples without a statistic are left out of its interval,
 * which is NaN when none has it. Errors: those of dip_bootstrap_mean(). */
dip_status dip_bootstrap_statistics(dip_interval *out, int count,
                                    dip_statistic statistic, void *context,
                                    const int64_t *groups, int64_t n,
                                    const dip_stats_options *options,
                                    dip_err *err) DIP_MUST_CHECK;

#endif
