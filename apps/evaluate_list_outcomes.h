/* Outcomes of rankings made elsewhere, for `diptych compare`. */
#ifndef DIP_APPS_EVALUATE_LIST_OUTCOMES_H
#define DIP_APPS_EVALUATE_LIST_OUTCOMES_H

#include <jansson.h>

#include "eval/outcomes.h"
#include "eval/ranking.h"
#include "eval/trec.h"

/* Appends the evaluated queries in the order of their names as the task
 * DIP_REPORT_RANKINGS, whatever the run's tag is, and puts "queries_sha256"
 * (over the names and their judgements) into `task`, its part of the report. */
dip_status dip_evaluate_list_outcomes(json_t *task, dip_outcome_set *outcomes,
                                      const dip_trec *trec,
                                      const dip_ranking *ranking,
                                      dip_err *err) DIP_MUST_CHECK;

#endif
