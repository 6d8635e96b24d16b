/* Pair matching: do this query and this product belong together? */
#ifndef DIP_EVAL_MATCHING_H
#define DIP_EVAL_MATCHING_H

#include <stdint.h>

#include "base/status.h"
#include "eval/curves.h"
#include "eval/scores.h"
#include "eval/stats.h"

/* One split. Group and category are per row; negative is missing. Rows
 * without a group are in no positive pair and are in nobody's group. */
typedef struct {
    dip_embeddings queries;
    dip_embeddings products;
    const int64_t *query_group;
    const int64_t *product_group;
    const int64_t *query_category;   /* NULL: no category is known */
    const int64_t *product_category; /* both or neither */
} dip_matching_split;

typedef struct {
    int64_t query;
    int64_t product;
    int32_t match; /* 1 or 0 */
} dip_pair;

typedef struct {
    dip_pair *items; /* positive and negative of the same query in turn */
    int64_t count;
    int64_t positives;
    int64_t random;        /* negatives drawn from all products */
    int64_t same_category; /* negatives drawn from the query's category */
} dip_pairs;

typedef struct {
    int64_t positives, negatives;  /* of the test split */
    int64_t random, same_category; /* the negatives by how they were drawn */
    double threshold;              /* of best F1 on the validation pairs */
    double validation_f1;
    double accuracy, precision, recall, f1; /* at the threshold; 0/0 is 0 */
    double auc;
    dip_pr_curve curve;   /* of the test split */
    dip_histogram scores; /* and of its scores */
} dip_matching;

/* All pairs of one group, and for each of them one negative of the same query:
 * a product of another group, drawn uniformly from all products and, every
 * second time, from those of the query's category. Where the category is
 * missing or holds no other group, from all products. Drawn with replacement;
 * a function of the arguments and `seed` alone. DIP_EDATA when there is no
 * positive pair, or a query for which no product is of another group. The
 * caller owns *out and ends it with dip_pairs_free(). */
dip_status dip_matching_pairs(dip_pairs *out, const dip_matching_split *split,
                              uint64_t seed, dip_err *err) DIP_MUST_CHECK;

void dip_pairs_free(dip_pairs *pairs);

/* Scores [count] of pairs as eval/scores.h has them, summed in double
 * precision. */
void dip_matching_scores(double *out, const dip_pairs *pairs,
                         const dip_matching_split *split);

/* Chooses the threshold on the pairs of `validation` and measures at it on
 * those of `test`. */
dip_status dip_matching_evaluate(dip_matching *out,
                                 const dip_matching_split *validation,
                                 const dip_matching_split *test, uint64_t seed,
                                 dip_err *err) DIP_MUST_CHECK;

#define DIP_MATCHING_INTERVALS 5

/* Intervals of what dip_matching_evaluate() measured on `test` at `threshold`
 * with options->seed: accuracy, precision, recall, f1 and auc, by the names of
 * dip_matching_interval_name(). Pairs of queries of one group are drawn
 * together; the threshold stands as it is. */
dip_status dip_matching_intervals(dip_interval out[DIP_MATCHING_INTERVALS],
                                  const dip_matching_split *test,
                                  double threshold,
                                  const dip_stats_options *options,
                                  dip_err *err) DIP_MUST_CHECK;
const char *dip_matching_interval_name(int i);

#endif
