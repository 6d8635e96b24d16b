/* Curves and histograms for pages: bounded in size, whatever the data are. */
#ifndef DIP_EVAL_CURVES_H
#define DIP_EVAL_CURVES_H

#include <stdint.h>

#include "base/status.h"
#include "eval/ranking.h"

/* ---- scores of what belongs together, and of what does not ---- */

#define DIP_HISTOGRAM_BINS 200

/* Bin b of the first `bins` counts scores in [from + b width, from + (b + 1)
 * width); what lies outside stands in the first or the last. */
typedef struct {
    double from, width;
    int bins;
    int64_t matches[DIP_HISTOGRAM_BINS];
    int64_t others[DIP_HISTOGRAM_BINS];
} dip_histogram;

/* Of the scores [n]; labels [n] are 1 for a match, 0 for another, -1: left
 * out. The bins span what there is. */
void dip_histogram_of_pairs(dip_histogram *out, const int32_t *labels,
                            const double *scores, int64_t n);

/* ---- precision and recall ---- */

#define DIP_PR_POINTS 101

/* By ascending recall. */
typedef struct {
    int n; /* 0 without matches */
    double recall[DIP_PR_POINTS];
    double precision[DIP_PR_POINTS];
    double threshold[DIP_PR_POINTS]; /* scores from here on are matches */
} dip_pr_curve;

/* Points of the curve over all distinct scores: for recall 0, .01 … 1 the
 * highest threshold that reaches it (0 stands for any match at all), each point
 * once. Arguments as above; NaN is DIP_ENUMERIC and names its row. */
dip_status dip_pr_curve_of_pairs(dip_pr_curve *out, const int32_t *labels,
                                 const double *scores, int64_t n,
                                 dip_err *err) DIP_MUST_CHECK;

/* ---- rankings ---- */

typedef struct {
    int64_t queries; /* that were looked at */
    int n;
    int64_t k[DIP_RANKING_CUTOFFS]; /* 1, 2, 5 …, none above the gallery */
    double hit[DIP_RANKING_CUTOFFS];
    double recall[DIP_RANKING_CUTOFFS];
    dip_histogram scores; /* of all their pairs with gallery rows */
} dip_ranking_curves;

/* Means at more cutoffs than a table has, and the scores of right and wrong
 * rows, of at most `most` of the queries that count, evenly spaced. Ties and
 * empty queries count as `options` say; its cutoffs do not matter. Errors:
 * those of dip_ranking_evaluate(). */
dip_status dip_ranking_curves_make(dip_ranking_curves *out,
                                   const dip_embeddings *queries,
                                   const dip_embeddings *gallery,
                                   const dip_relevance *relevance,
                                   const dip_ranking_options *options,
                                   int64_t most, dip_err *err) DIP_MUST_CHECK;

#endif
