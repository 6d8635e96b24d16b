/* Evaluation of a model on a split, as the parts of a report: retrieval tasks,
 * heads, zero-shot classification, pair matching. */
#ifndef DIP_APPS_EVALUATE_H
#define DIP_APPS_EVALUATE_H

#include <jansson.h>

#include "apps/embed.h"
#include "base/status.h"
#include "base/str.h"
#include "eval/outcomes.h"

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
