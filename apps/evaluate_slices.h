/* Metrics of parts of a split: by label, by length of the query, by presence of
 * the photo, by how often the training saw a class. */
#ifndef DIP_APPS_EVALUATE_SLICES_H
#define DIP_APPS_EVALUATE_SLICES_H

#include <jansson.h>

#include "apps/evaluate.h"
#include "eval/ranking.h"

/* What is to be sliced; borrowed. */
typedef struct {
    const dip_evaluation *evaluation;
    const dip_embedded *embedded;
    const dip_task_settings *task; /* whose queries they are; NULL: products */
    const int64_t *rows;           /* [n] places in the embedded split, or of a
                                    * judged task queries of the search log */
    int64_t n;
    const int64_t *groups; /* [n] what the bootstrap draws together */
} dip_sliced_rows;

/* DIP_ECONFIG when eval.slices names what this catalog does not have. */
dip_status dip_slices_check(const dip_evaluation *evaluation,
                            dip_err *err) DIP_MUST_CHECK;

/* Puts "slices" into `report`, the part of a task: {"articleType": [{"name",
 * the metrics, "interval"}, …], …}, the worst by eval.slice_metric first. What
 * is sliced by does not apply to each task: nothing then. */
dip_status dip_slices_of_ranking(json_t *report, const dip_ranking *ranking,
                                 const dip_sliced_rows *rows,
                                 dip_err *err) DIP_MUST_CHECK;

/* The same for the part of a label: {"name", "rows", "accuracy",
 * "balanced_accuracy", "f1_macro", "f1_weighted", "interval"}, by accuracy.
 * `labels` in [-1, classes), -1: missing, and `predicted` are [rows->n]. */
dip_status dip_slices_of_classes(json_t *report, const int32_t *labels,
                                 const int32_t *predicted, int64_t classes,
                                 const dip_sliced_rows *rows,
                                 dip_err *err) DIP_MUST_CHECK;

#endif
