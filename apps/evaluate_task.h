/* One retrieval task of an embedded split. */
#ifndef DIP_APPS_EVALUATE_TASK_H
#define DIP_APPS_EVALUATE_TASK_H

#include <jansson.h>

#include "apps/evaluate.h"

/* The part of the report for task `t`: an object as dip_report_ranking() makes
 * it, with intervals and the fields alone when the evaluation is full. */
dip_status dip_evaluate_task(json_t **out, const dip_evaluation *evaluation,
                             const dip_embedded *embedded, int t,
                             dip_err *err) DIP_MUST_CHECK;

/* The products that task `t` needs are asked of `embedded`. */
dip_status dip_evaluate_plan_task(dip_embedded *embedded,
                                  const dip_evaluation *evaluation, int t,
                                  dip_err *err) DIP_MUST_CHECK;

/* The matrix of the queries of task `t`; not for judged ones. */
const dip_matrix *dip_evaluate_queries(const dip_embedded *embedded,
                                       const dip_settings *settings, int t);

/* The matrix of the products of task `t`, which was planned. */
const dip_matrix *dip_evaluate_products(const dip_embedded *embedded,
                                        const dip_settings *settings, int t);

#endif
