/* What a task's evaluation leaves for later: the outcome of each query, and
 * digests that tell whether two evaluations asked the same of the same. */
#ifndef DIP_APPS_EVALUATE_OUTCOMES_H
#define DIP_APPS_EVALUATE_OUTCOMES_H

#include <jansson.h>

#include "apps/evaluate.h"
#include "eval/topk.h"

/* Rows of its ranking that are kept for each query. */
#define DIP_OUTCOME_TOP 10

/* A ranked task; all borrowed. */
typedef struct {
    const dip_evaluation *evaluation;
    const dip_task_settings *task;
    const dip_ranking *ranking;
    const dip_relevance *relevance;
    dip_embeddings queries, products;
    const dip_hit *best; /* [queries, best_count], at least DIP_OUTCOME_TOP */
    int64_t best_count;
    const int64_t *query_rows;   /* of the catalog; queries of its log when the
                                  * task is judged */
    const int64_t *product_rows; /* of the catalog */
    const int64_t *groups;       /* [queries] */
} dip_ranked_task;

/* Appends the outcomes of the task to evaluation->outcomes, and puts
 * "queries_sha256" (over the ids and their right answers) and "gallery_sha256"
 * (over the ids) into `report`, its part of the report. */
dip_status dip_evaluate_outcomes(json_t *report, const dip_ranked_task *ranked,
                                 dip_err *err) DIP_MUST_CHECK;

/* Id of a query's product, or the text of a judged query. Borrowed. */
dip_bytes dip_evaluate_query_id(const dip_ranked_task *ranked, int64_t query);

/* Renders into `out` what a row's query of this task asks; "" for a photo. */
void dip_evaluate_query_text(dip_str *out, const dip_evaluation *evaluation,
                             const dip_task_settings *task, int64_t row);

#endif
