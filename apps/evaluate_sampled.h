/* A task among sampled candidates (eval/sampled.h), beside its ranking of the
 * whole gallery. */
#ifndef DIP_APPS_EVALUATE_SAMPLED_H
#define DIP_APPS_EVALUATE_SAMPLED_H

#include <jansson.h>

#include "apps/evaluate_outcomes.h"

/* DIP_ECONFIG when eval.sampled names a category that the catalog lacks. */
dip_status dip_evaluate_sampled_check(const dip_evaluation *evaluation,
                                      dip_err *err) DIP_MUST_CHECK;

/* Puts "sampled" into `report`, the part of a task, when the config asks for
 * it:
 * {"candidates", "queries", "draws", "category", "filled", the metrics as means
 * over the draws, "deviation", "interval"}. */
dip_status dip_evaluate_sampled(json_t *report, const dip_ranked_task *ranked,
                                dip_err *err) DIP_MUST_CHECK;

#endif
