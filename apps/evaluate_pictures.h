/* What a page draws of a task. */
#ifndef DIP_APPS_EVALUATE_PICTURES_H
#define DIP_APPS_EVALUATE_PICTURES_H

#include <jansson.h>

#include "apps/evaluate_outcomes.h"
#include "eval/outcomes.h"

/* Puts `curve`, `scores` and `examples` into `report`, the task's part of the
 * report. `outcomes` are those of this task. */
dip_status dip_evaluate_pictures(json_t *report, const dip_ranked_task *ranked,
                                 const dip_outcomes *outcomes,
                                 dip_err *err) DIP_MUST_CHECK;

#endif
