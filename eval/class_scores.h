/* Classification by the probabilities of all classes: what of the label's place
 * among them, of areas under curves and of calibration. Definitions:
 * docs/metrics.md. */
#ifndef DIP_EVAL_CLASS_SCORES_H
#define DIP_EVAL_CLASS_SCORES_H

#include <stdint.h>

#include "base/status.h"
#include "eval/classification.h"
#include "eval/stats.h"

#define DIP_CALIBRATION_BINS 15 /* Guo et al., ICML 2017 */

/* Borrowed. A label of -1 is missing; one of `classes` or above is of no class
 * that can be predicted: its row is always wrong, and negative for all. */
typedef struct {
    const int32_t *labels;      /* [n] */
    const float *probabilities; /* [n, classes] in [0, 1] */
    int64_t n;
    int64_t classes;
} dip_class_probabilities;

/* Of one class against all others; NaN where there are no rows of it, or (the
 * area under the ROC curve) of others. */
typedef struct {
    double roc_auc;
    double average_precision;
} dip_one_vs_rest;

typedef struct {
    int64_t rows;                /* with a label */
    double brier;                /* mean over rows of the sum over classes of
                                  * (probability - 1 or 0)^2 */
    dip_calibration calibration; /* of the highest probability */
    dip_calibration_bin bins[DIP_CALIBRATION_BINS];
    int64_t areas;              /* classes with rows of their own and others */
    dip_one_vs_rest macro;      /* mean over these; NaN when there are none */
    dip_one_vs_rest weighted;   /* the same by the rows of each class */
    dip_one_vs_rest *per_class; /* [classes] */
    int32_t *predicted;         /* [n] class of the highest probability, the
                                 * first of equals */
    double *confidence;         /* [n] that probability */
    int64_t *rank;              /* [n] of the label, from 1, behind its equals;
                                 * 0: missing, INT64_MAX: no class */
    double *squares;            /* [n] the row's part of `brier` */
} dip_class_scores;

/* DIP_ENUMERIC names a row and a class of NaN, DIP_EDATA a row whose
 * probability is outside [0, 1] or whose label is below -1. The caller owns
 * *out and ends it with dip_class_scores_free(); on failure it is empty. */
dip_status dip_class_scores_evaluate(dip_class_scores *out,
                                     const dip_class_probabilities *p,
                                     dip_err *err) DIP_MUST_CHECK;
void dip_class_scores_free(dip_class_scores *scores);

/* Share of the labelled rows whose label has at most rank k; NaN without. */
double dip_class_scores_top_k(const dip_class_scores *scores, int64_t n,
                              int64_t k);

#endif
