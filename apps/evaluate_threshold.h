/* Heads of two classes at a threshold of their own: the class whose name comes
 * last in byte order ("1", "positive", "yes") is told where its probability
 * reaches what had the best F1 on the val split. */
#ifndef DIP_APPS_EVALUATE_THRESHOLD_H
#define DIP_APPS_EVALUATE_THRESHOLD_H

#include <jansson.h>

#include "apps/evaluate.h"

/* Puts "threshold" into the parts of the report's "classification" that have
 * two classes; nothing where there is no val split, or it is what is evaluated.
 * Encodes the val split. */
dip_status dip_evaluate_thresholds(json_t *report,
                                   const dip_evaluation *evaluation,
                                   const dip_embedded *embedded,
                                   dip_err *err) DIP_MUST_CHECK;

#endif
