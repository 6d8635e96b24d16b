/* What frozen embeddings tell of a label: by the nearest labelled rows, and by
 * a linear classifier. Definitions: docs/metrics.md. */
#ifndef DIP_EVAL_PROBE_H
#define DIP_EVAL_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* Borrowed rows [n, dim], row-major, and their classes; a label outside [0,
 * classes) is no class that can be learnt: its row teaches nothing, and is
 * never predicted right. */
typedef struct {
    const float *data;
    const int32_t *labels; /* [n] */
    int64_t n;
    int64_t dim;
} dip_labelled_rows;

/* ---- nearest neighbours ---- */

/* As Wu et al. (CVPR 2018) and DINO (Caron et al., ICCV 2021) have it: each of
 * the k rows of highest cosine votes for its class with exp(cosine /
 * temperature). */
typedef struct {
    int64_t k;          /* >= 1; where it passes the rows, all of them */
    double temperature; /* > 0 */
} dip_knn_options;

/* The class of each of `rows` [n], the first of equals, and the shares of the
 * votes, `probabilities` [n, classes], both the caller's. Rows may have any
 * length; one of zeros has a cosine of 0 with all. Neighbours of equal cosine
 * stand in the order of `train`. DIP_EDATA when that teaches nothing,
 * DIP_ENUMERIC names a row that holds NaN. */
dip_status dip_knn_classify(int32_t *predicted, float *probabilities,
                            const dip_labelled_rows *rows,
                            const dip_labelled_rows *train, int64_t classes,
                            const dip_knn_options *options,
                            dip_err *err) DIP_MUST_CHECK;

/* ---- linear classifier ---- */

typedef struct {
    bool standardise;   /* rows to mean 0 and deviation 1 of each dimension,
                         * by those of the training rows */
    int64_t iterations; /* of L-BFGS, at most */
    double tolerance;   /* of the largest component of the gradient */
} dip_linear_options;

/* Multinomial logistic regression: argmax of weights . row + bias. */
typedef struct {
    int64_t dim, classes;
    float *weights;             /* [classes, dim]; of rows as they are, also
                                 * when it learnt from standardised ones */
    double *bias;               /* [classes] */
    double c;                   /* the strength that it was made with */
    double objective;           /* what was reached */
    double validation_accuracy; /* NaN where c was given */
    int64_t rows;               /* that it learnt from */
    int64_t iterations;         /* of the fit with this c */
} dip_linear_probe;

/* Minimises the mean cross-entropy of the n rows that have a class plus |W|^2 /
 * (2 c n), the bias free: scikit-learn's LogisticRegression(C=c). The caller
 * owns *out and ends it with dip_linear_probe_free(); on failure it is empty.
 * DIP_EDATA when `train` teaches nothing, DIP_ENUMERIC names a row that holds
 * NaN. The result does not depend on the number of threads. */
dip_status dip_linear_probe_fit(dip_linear_probe *out,
                                const dip_labelled_rows *train, int64_t classes,
                                double c, const dip_linear_options *options,
                                dip_err *err) DIP_MUST_CHECK;

/* The same with the c of highest accuracy on `validation`, the smallest of
 * equals, searched as in CLIP (Radford et al., ICML 2021, appendix A.3): 1e-6,
 * 1e-4 … 1e6, then around the best in steps that are halved until there are
 * eight to a power of ten. DIP_EDATA also when `validation` has no row of a
 * class. */
dip_status dip_linear_probe_choose(dip_linear_probe *out,
                                   const dip_labelled_rows *train,
                                   const dip_labelled_rows *validation,
                                   int64_t classes,
                                   const dip_linear_options *options,
                                   dip_err *err) DIP_MUST_CHECK;

/* Of `rows` [n], whose labels are not looked at; `probabilities` [n, classes].
 */
dip_status dip_linear_probe_classify(int32_t *predicted, float *probabilities,
                                     const dip_linear_probe *probe,
                                     const dip_labelled_rows *rows,
                                     dip_err *err) DIP_MUST_CHECK;

void dip_linear_probe_free(dip_linear_probe *probe);

#endif
