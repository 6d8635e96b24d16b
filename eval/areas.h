/* Areas under curves and medians of samples that hold rows several times, and
 * their bootstrap intervals. */
#ifndef DIP_EVAL_AREAS_H
#define DIP_EVAL_AREAS_H

#include <stdint.h>

#include "base/status.h"
#include "eval/class_scores.h"
#include "eval/stats.h"

/* Rows from the highest score to the lowest, ties side by side. */
typedef struct {
    int64_t n;
    int32_t *rows; /* [n]; ~row where it scores as the one before */
} dip_score_order;

/* Scores [n] without NaN; the caller ends *out with dip_score_order_free(). */
dip_status dip_score_order_make(dip_score_order *out, const double *scores,
                                int64_t n, dip_err *err) DIP_MUST_CHECK;
void dip_score_order_free(dip_score_order *order);

/* As dip_binary_evaluate() has them, of a sample that holds row i weights[i]
 * times; its positive rows are those whose `labels` are `positive`. NaN: both
 * without positive rows, the first also without others. */
void dip_score_order_areas(double *auc, double *average_precision,
                           const dip_score_order *order, const int32_t *labels,
                           int32_t positive, const int32_t *weights);

#define DIP_AREA_CELLS INT64_C(50000000)    /* rows x classes */
#define DIP_AREA_WORK  INT64_C(20000000000) /* times resamples */
#define DIP_AREA_LEAST 200                  /* resamples */

/* Intervals of the macro areas of dip_class_scores: ROC, then precision-recall.
 * A class counts in the resamples that have rows of it and others. Where rows x
 * classes x resamples pass DIP_AREA_WORK there are fewer resamples, down to
 * DIP_AREA_LEAST; both are NaN where rows x classes pass DIP_AREA_CELLS. Rows
 * without a label are not drawn; DIP_EDATA when there are no others. */
dip_status dip_class_area_intervals(dip_interval out[2],
                                    const dip_class_probabilities *p,
                                    const int64_t *groups,
                                    const dip_stats_options *options,
                                    dip_err *err) DIP_MUST_CHECK;

/* Of the median of `values` [n], the mean of the two in the middle; INFINITY is
 * a value, and may be an end of the interval. Arguments and errors are those of
 * dip_bootstrap_mean() otherwise. */
dip_status dip_bootstrap_median(dip_interval *out, const double *values,
                                const int64_t *groups, int64_t n,
                                const dip_stats_options *options,
                                dip_err *err) DIP_MUST_CHECK;

#endif
