/* Interchange with other evaluators: rankings and judgements of a task as TREC
 * files, predictions as CSV, and rankings made elsewhere measured by our
 * metrics. */
#ifndef DIP_APPS_EVALUATE_TREC_H
#define DIP_APPS_EVALUATE_TREC_H

#include <jansson.h>

#include "apps/evaluate_outcomes.h"
#include "eval/recommendation.h"
#include "eval/stats.h"

/* Writes <task>.run and <task>.qrels into the folder evaluation->trec, the run
 * with the first evaluation->trec_depth products of each query. */
dip_status dip_evaluate_write_trec(const dip_ranked_task *ranked,
                                   dip_err *err) DIP_MUST_CHECK;

/* Predictions of the rows of an embedded split; names by number. */
typedef struct {
    const dip_evaluation *evaluation;
    const dip_embedded *embedded;
    const int32_t *labels; /* [N], -1: missing */
    const int32_t *predicted;
    const double *confidence;   /* [N], or NULL */
    const float *probabilities; /* [N, columns] of the first names, or NULL */
    int64_t columns;
    const char *const *names;
} dip_predictions;

/* Writes <name>.csv into the folder evaluation->predictions: id, label,
 * predicted, confidence, correct, and the probability of each class; a missing
 * label is empty. */
dip_status dip_evaluate_write_predictions(const char *name,
                                          const dip_predictions *predictions,
                                          dip_err *err) DIP_MUST_CHECK;

/* A whole report of the run (a TREC file) by the judgements `qrels`, its only
 * task named by the run's tag. With `seen` (judgements too, or NULL) the lists
 * are recommendations: what a user has seen leaves them. `overrides` may set
 * seed and the keys of eval that concern rankings. `outcomes` takes those of
 * the queries. */
dip_status dip_evaluate_lists(json_t **out, dip_outcome_set *outcomes,
                              const char *run, const char *qrels,
                              const char *seen, const char *const *overrides,
                              size_t count, dip_err *err) DIP_MUST_CHECK;

/* Adds "interval" to the report of a task: that of each metric's mean. */
dip_status dip_evaluate_put_intervals(json_t *task, const dip_ranking *ranking,
                                      const dip_stats_options *options,
                                      dip_err *err) DIP_MUST_CHECK;
/* Adds "recommendation": of each cutoff what dip_recommendation has, with an
 * interval. */
dip_status dip_evaluate_put_recommendation(json_t *task,
                                           const dip_recommendations *given,
                                           const dip_ranking_options *options,
                                           const dip_stats_options *stats,
                                           dip_err *err) DIP_MUST_CHECK;

#endif
