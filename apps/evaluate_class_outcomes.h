/* Outcomes of a label's rows, for `diptych compare`. */
#ifndef DIP_APPS_EVALUATE_CLASS_OUTCOMES_H
#define DIP_APPS_EVALUATE_CLASS_OUTCOMES_H

#include <jansson.h>

#include "apps/class_set.h"
#include "apps/evaluate.h"
#include "eval/class_scores.h"

/* Predictions of the rows of an embedded split; all borrowed. */
typedef struct {
    const dip_class_set *set;
    const int32_t *predicted;       /* [N] */
    const dip_class_scores *scores; /* NULL: no probabilities */
    int64_t columns;                /* classes that have one */
    const int64_t *groups;          /* [N] */
} dip_classified;

/* Appends the rows with a label to evaluation->outcomes, as a task of the name
 * set->file, and puts "queries_sha256" (over their ids and labels) into
 * `report`, the label's part of the report. Their metrics are "accuracy",
 * "accuracy@k" where there are probabilities, and "balanced_accuracy": a right
 * row counts rows / (classes with rows x rows of its class). Without
 * outcomes to take them it does nothing. */
dip_status dip_evaluate_class_outcomes(json_t *report,
                                       const dip_classified *classified,
                                       const dip_evaluation *evaluation,
                                       const dip_embedded *embedded,
                                       dip_err *err) DIP_MUST_CHECK;

#endif
