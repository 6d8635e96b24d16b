/* Classification of an embedded split: by the heads of the model, and without a
 * head by the nearest text of a class. */
#ifndef DIP_APPS_EVALUATE_CLASSES_H
#define DIP_APPS_EVALUATE_CLASSES_H

#include <jansson.h>

#include "apps/class_set.h"
#include "apps/evaluate.h"

/* The part of the report for head `h`. Classes that the run does not know are
 * counted as "unknown" and never predicted. */
dip_status dip_evaluate_head(json_t **out, const dip_evaluation *evaluation,
                             const dip_embedded *embedded, int h,
                             dip_err *err) DIP_MUST_CHECK;

/* What head `h` has to see; its `present` tells of which rows. */
const dip_matrix *dip_evaluate_head_input(const dip_evaluation *evaluation,
                                          const dip_embedded *embedded, int h);

/* The part of the report for a label column of the catalog: each row gets the
 * class whose texts are nearest to it. */
dip_status dip_evaluate_zero_shot(json_t **out,
                                  const dip_evaluation *evaluation,
                                  const dip_embedded *embedded,
                                  const dip_zero_shot_settings *zero_shot,
                                  int column, dip_err *err) DIP_MUST_CHECK;

/* The part of the report for `predicted` [N] classes of the rows of `set`;
 * `probabilities` [N, columns] of the first classes, or NULL. */
dip_status dip_evaluate_report_classes(json_t **out, dip_class_set *set,
                                       const int32_t *predicted,
                                       const float *probabilities,
                                       int64_t columns,
                                       const dip_evaluation *evaluation,
                                       const dip_embedded *embedded,
                                       dip_err *err) DIP_MUST_CHECK;

/* What is classified: photos, or the first product of `embedded`, which is
 * that of all fields. Its rows are NULL when the catalog has no photos. */
const dip_matrix *
dip_evaluate_zero_shot_input(const dip_embedded *embedded,
                             const dip_zero_shot_settings *zero_shot);

#endif
