/* Pair matching of an embedded split. */
#ifndef DIP_APPS_EVALUATE_MATCH_H
#define DIP_APPS_EVALUATE_MATCH_H

#include <jansson.h>

#include "apps/evaluate.h"

/* The part of the report. The threshold is chosen on `validation`, an embedded
 * val split with the same products as `test`. DIP_EDATA when there are too few
 * rows to make pairs of. */
dip_status dip_evaluate_match(json_t **out, const dip_evaluation *evaluation,
                              const dip_embedded *validation,
                              const dip_embedded *test,
                              dip_err *err) DIP_MUST_CHECK;

#endif
