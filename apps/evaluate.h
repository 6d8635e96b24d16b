/* Evaluation of a model on a split, as the parts of a report: retrieval tasks,
 * heads, zero-shot classification, pair matching. */
#ifndef DIP_APPS_EVALUATE_H
#define DIP_APPS_EVALUATE_H

#include <jansson.h>

#include "apps/embed.h"
#include "base/status.h"
#include "base/str.h"
#include "eval/outcomes.h"

/* A task's queries and gallery, and what it wants to know of its ranking. */
typedef struct {
    int task;               /* of the settings */
    bool judged;            /* by queries of the catalog's log */
    const int64_t *queries; /* [query_count] rows of the embedded split, or
                             * numbers in the log */
    int64_t query_count;
    const int64_t *gallery; /* [gallery_count] rows of the embedded split */
    int64_t gallery_count;
    const dip_relevance *relevance;
    const dip_ranking_options *options;
    int64_t best_count; /* rows of `best` for each query */
} dip_rank_request;

/* Ranks in another way than by the embeddings of one model. `best` may be NULL.
 */
typedef struct {
    dip_status (*rank)(void *user, dip_ranking *out, dip_hit *best,
                       const dip_rank_request *request, dip_err *err);
    void *user;
} dip_evaluation_ranker;

typedef struct {
    dip_embed_job job;
    const json_t *labels; /* of the run: names of the heads' classes */
    dip_split split;
    /* Intervals, fields alone, zero-shot and matching as well; a validation
     * does without. */
    bool full;
    dip_outcome_set *outcomes; /* takes those of each task; NULL: not kept */
    bool pictured; /* and what a page draws, with `outcomes` alone */
    const char *trec, *predictions; /* folders to write to, or NULL */
    int64_t trec_depth;             /* products of each query there */
    /* Of tasks as they are; fields alone, re-ranking and the files of TREC are
     * of the model. Its `rank` NULL: none. */
    dip_evaluation_ranker ranker;
} dip_evaluation;

/* {"retrieval": {…}, "classification": {…}, "zero_shot": {…}, "knn": {…},
 * "linear_probe": {…}, "matching": {…}}. The caller ends *out with
 * json_decref(). */
dip_status dip_evaluate(json_t **out, const dip_evaluation *evaluation,
                        dip_err *err) DIP_MUST_CHECK;

/* Asks `embedded` for the products that the evaluation reads. */
dip_status dip_evaluate_plan(dip_embedded *embedded,
                             const dip_evaluation *evaluation,
                             dip_err *err) DIP_MUST_CHECK;

/* The "protocol" of a report; NULL when memory is out. */
json_t *dip_evaluate_protocol(const dip_settings *settings);

/* A value by its name, "text_to_image.hit@10" or "articleType.accuracy", out of
 * what dip_evaluate() made; NaN when it is null. DIP_ENOTFOUND when there is
 * none. */
dip_status dip_evaluation_metric(double *out, const json_t *report,
                                 const char *name, dip_err *err) DIP_MUST_CHECK;
/* Whether the settings have a metric of this name (NULL: the default, which is
 * put into *name). *higher tells which way is better. DIP_ECONFIG lists the
 * right names. */
dip_status dip_evaluation_check_metric(char *name, size_t size, bool *higher,
                                       const dip_settings *settings,
                                       dip_err *err) DIP_MUST_CHECK;

#endif
