/* Bootstrap intervals of what a classification's report heads with. */
#ifndef DIP_EVAL_CLASS_INTERVALS_H
#define DIP_EVAL_CLASS_INTERVALS_H

#include <stdint.h>

#include "base/status.h"
#include "eval/class_scores.h"
#include "eval/stats.h"

/* The rows of a classification; borrowed. */
typedef struct {
    const int32_t *labels;    /* [n] in [-1, classes) */
    const int32_t *predicted; /* [n] in [0, classes) */
    const int64_t *groups;    /* [n] what is drawn together; NULL: each row */
    int64_t n;
    int64_t classes;
    const dip_class_scores *scores; /* of the same rows; NULL: none */
} dip_class_rows;

#define DIP_CLASS_INTERVALS 11

/* One interval each, of the names of dip_class_interval_name(): accuracy,
 * balanced_accuracy, the macro and weighted averages, and, with scores, brier
 * and ece. NaN where one does not exist. Rows without a label are not drawn;
 * DIP_EDATA when there are no others. */
dip_status dip_class_intervals(dip_interval out[DIP_CLASS_INTERVALS],
                               const dip_class_rows *rows,
                               const dip_stats_options *options,
                               dip_err *err) DIP_MUST_CHECK;
const char *dip_class_interval_name(int i);

#endif
