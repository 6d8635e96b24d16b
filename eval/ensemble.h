/* Several models as one: votes of classifiers, fusion of rankings. Definitions
 * and papers: docs/ensembles.md. Weights are at least 0 and not all 0. */
#ifndef DIP_EVAL_ENSEMBLE_H
#define DIP_EVAL_ENSEMBLE_H

#include <stdint.h>

#include "base/status.h"
#include "eval/ranking.h"

#define DIP_ENSEMBLE_MAX 32 /* members */

/* ---- classifiers ---- */

/* Of n rows and all classes; borrowed. */
typedef struct {
    const float *const *probabilities; /* [members] of [n, classes] */
    const double *weights;             /* [members] */
    int members;
    int64_t n, classes;
} dip_ensemble_votes;

/* The weighted mean of the members' probabilities into `out` [n, classes], and
 * the class of the highest one, the first of equals, into `predicted` [n]. */
void dip_ensemble_soft(float *out, int32_t *predicted,
                       const dip_ensemble_votes *votes);
/* Each member gives its weight to its most probable class (the first of
 * equals); the class with most wins, and of those with equally much the one
 * with the highest weighted mean probability. `out` gets the shares of the
 * votes. */
void dip_ensemble_hard(float *out, int32_t *predicted,
                       const dip_ensemble_votes *votes);
/* The mean logarithm of the weighted mean probability of the right class, at
 * least 1e-12, over rows whose label [n] is one; NaN without such rows. */
double dip_ensemble_log_likelihood(const dip_ensemble_votes *votes,
                                   const int32_t *labels);

/* ---- rankers ---- */

/* What the scores of a query become before they are added up, by its own scores
 * over the gallery: as they are; minus the least, over the range; minus the
 * mean, over the standard deviation. A query whose scores are all equal counts
 * as 0. */
typedef enum {
    DIP_ENSEMBLE_PLAIN,
    DIP_ENSEMBLE_MINMAX,
    DIP_ENSEMBLE_ZSCORE
} dip_ensemble_norm;

/* One member's view of the same queries and the same gallery. */
typedef struct {
    dip_embeddings queries, gallery;
} dip_ensemble_side;

typedef struct {
    const dip_ensemble_side *sides; /* [members], borrowed */
    const double *weights;          /* [members], borrowed */
    int members;
} dip_ensemble_rankers;

/* The members side by side: dot products of these rows are the weighted sums of
 * the normalised scores, but for a number that all of a query share. */
typedef struct {
    float *rows[2]; /* owned, of the queries and of the gallery */
    dip_embeddings queries, gallery;
} dip_ensemble_joined;

/* In any case the caller ends *out with dip_ensemble_joined_free(). */
dip_status dip_ensemble_join(dip_ensemble_joined *out,
                             const dip_ensemble_rankers *rankers,
                             dip_ensemble_norm norm,
                             dip_err *err) DIP_MUST_CHECK;
void dip_ensemble_joined_free(dip_ensemble_joined *joined);

/* The first k by the weighted sum of 1 / (60 + rank) in the members' hits for
 * one query, [members] of [depth], where row -1 ends a list; row -1 behind the
 * last. */
dip_status dip_ensemble_fuse(dip_hit *out, int64_t k,
                             const dip_hit *const *hits, int64_t depth,
                             const double *weights, int members,
                             dip_err *err) DIP_MUST_CHECK;

/* Ranks the gallery by the weighted sum of normalised scores, over whole
 * rankings: these orders are those of dot products of the members' embeddings
 * side by side, a query's scaled by weight and spread. `best` [queries, k] as
 * for dip_ranking_with_best(); NULL: without. */
dip_status dip_ensemble_rank_scores(dip_ranking *out, dip_hit *best, int64_t k,
                                    const dip_ensemble_rankers *rankers,
                                    dip_ensemble_norm norm,
                                    const dip_relevance *relevance,
                                    const dip_ranking_options *options,
                                    dip_err *err) DIP_MUST_CHECK;

/* Ranks by the weighted sum of 1 / (60 + rank), ranks from 1 in each member's
 * first `depth` rows: reciprocal rank fusion (Cormack, Clarke and Büttcher,
 * SIGIR 2009). What no member has there is never found. */
dip_status dip_ensemble_rank_reciprocal(dip_ranking *out, dip_hit *best,
                                        int64_t k,
                                        const dip_ensemble_rankers *rankers,
                                        int64_t depth,
                                        const dip_relevance *relevance,
                                        const dip_ranking_options *options,
                                        dip_err *err) DIP_MUST_CHECK;

/* ---- weights ---- */

/* How good the weights [members] are; higher is better. */
typedef dip_status (*dip_ensemble_judge)(void *user, double *value,
                                         const double *weights, dip_err *err);

/* Finds weights [members] that sum to 1: from equal ones on, each in turn is
 * multiplied by 0, 1/4, 1/2, 3/4, 1, 3/2, 2, 4 and left at what `judge` finds
 * best, until a round changes none, at most three. A change must be better by
 * 1e-9. Calls `judge` 7 times a member and round. */
dip_status dip_ensemble_tune(double *weights, int members,
                             dip_ensemble_judge judge, void *user,
                             dip_err *err) DIP_MUST_CHECK;

#endif
