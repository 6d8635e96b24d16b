/* Classification metrics. Definitions follow scikit-learn unless said
 * otherwise: docs/metrics.md. A label of -1 is missing: its row is skipped and
 * counted. Values that do not exist (say AUC with one class) are NaN. */
#ifndef DIP_EVAL_CLASSIFICATION_H
#define DIP_EVAL_CLASSIFICATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* {0} is scikit-learn's default. */
typedef struct {
    bool all_classes;     /* macro over all known classes, not just over those
                           * that occur as a label or as a prediction */
    double zero_division; /* what 0/0 counts as: 0 or 1 */
    bool confusion;       /* fill `confusion`: classes^2 numbers */
} dip_classification_options;

typedef struct {
    double precision;
    double recall;
    double f1;
} dip_prf;

typedef struct {
    int64_t support;   /* rows with this label */
    int64_t predicted; /* rows with this prediction */
    int64_t correct;
    dip_prf score;
} dip_class;

typedef struct {
    int64_t rows;             /* with a label */
    int64_t missing;          /* without */
    int64_t classes;          /* known */
    int64_t present;          /* occur as a label or as a prediction */
    double accuracy;          /* NaN when rows is 0; so are the averages */
    double balanced_accuracy; /* mean recall over classes that have rows */
    dip_prf macro;
    dip_prf micro;
    dip_prf weighted;     /* by support */
    dip_class *per_class; /* [classes] */
    int64_t *confusion;   /* [classes label, classes predicted] or NULL */
} dip_classification;

/* `labels` in [-1, classes), `predicted` in [0, classes), both [n]; a row
 * whose label is missing may hold any prediction. Otherwise DIP_EDATA names
 * the row. The caller owns *out and ends it with dip_classification_free();
 * on failure it is empty. */
dip_status dip_classification_evaluate(
    dip_classification *out, const int32_t *labels, const int32_t *predicted,
    int64_t n, int64_t classes, const dip_classification_options *options,
    dip_err *err) DIP_MUST_CHECK;

void dip_classification_free(dip_classification *c);

/* Sets all scores from `rows` and the counts of `per_class`. */
void dip_classification_average(dip_classification *c,
                                const dip_classification_options *options);

/* Share of the labelled rows whose label is among the `k` highest of `scores`
 * [n, classes]; a label in a tie stands behind its equals. NaN without
 * labelled rows. DIP_ENUMERIC names a row that holds NaN. */
dip_status dip_classification_top_k(double *out, const int32_t *labels,
                                    const float *scores, int64_t n,
                                    int64_t classes, int64_t k,
                                    dip_err *err) DIP_MUST_CHECK;

/* Column of the highest of each row of `scores` [n, classes], the first of
 * equals; DIP_ENUMERIC names a row that holds NaN. */
dip_status dip_classification_argmax(int32_t *out, const float *scores,
                                     int64_t n, int64_t classes,
                                     dip_err *err) DIP_MUST_CHECK;

/* Any scores, higher is more positive: nothing is squashed. */
typedef struct {
    int64_t positives;
    int64_t negatives;
    int64_t missing;
    double auc;               /* NaN unless both classes occur */
    double average_precision; /* NaN without positives */
    double best_f1;           /* NaN without positives */
    double best_threshold;    /* score >= it is positive; the highest of the
                               * scores that reach best_f1 */
} dip_binary;

/* `labels` 0, 1 or -1, `scores` [n]; +-infinity is a score, NaN is
 * DIP_ENUMERIC and names the row. */
dip_status dip_binary_evaluate(dip_binary *out, const int32_t *labels,
                               const double *scores, int64_t n,
                               dip_err *err) DIP_MUST_CHECK;

typedef struct {
    int64_t rows;
    double ece;     /* mean over rows of |accuracy - confidence| of its bin */
    double ece_l2;  /* root of the mean of the squares */
    double ece_max; /* worst bin */
    double brier;   /* mean of (confidence - correct)^2 */
} dip_calibration;

/* `confidence` [n] in [0, 1] (DIP_EDATA names a row outside) of being right;
 * `correct` [n] 0, 1 or -1. Bins are ((i-1)/bins, i/bins], 0 in the first
 * (Guo et al., ICML 2017). */
dip_status dip_calibration_evaluate(dip_calibration *out,
                                    const double *confidence,
                                    const int32_t *correct, int64_t n,
                                    int64_t bins, dip_err *err) DIP_MUST_CHECK;

/* What a bin of the calibration holds; means, 0 when it has no rows. */
typedef struct {
    int64_t rows;
    double confidence;
    double correct;
} dip_calibration_bin;

/* The same bins [bins], as a curve; the errors of
 * dip_calibration_evaluate(). */
dip_status dip_calibration_curve(dip_calibration_bin *out, int64_t bins,
                                 const double *confidence,
                                 const int32_t *correct, int64_t n,
                                 dip_err *err) DIP_MUST_CHECK;

/* Which of `bins` bins a confidence falls into. */
int64_t dip_calibration_bin_of(double confidence, int64_t bins);

#endif
