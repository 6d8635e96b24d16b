/* From where the relevant rows of one query stand to its metrics. Used by
 * eval/ranking.c. */
#ifndef DIP_EVAL_TIES_H
#define DIP_EVAL_TIES_H

#include <stdint.h>

#include "eval/ranking.h"

/* Neighbours in a ranking among which the order is a matter of chance: `size`
 * rows behind `ahead` others, `relevant` of them relevant, with gains in all by
 * either dip_gain. A row whose place is certain is a tie of size 1. */
typedef struct {
    int64_t ahead;
    int64_t size;
    int64_t relevant;
    double gain[2];
    const double *grades; /* [relevant], borrowed */
} dip_tie;

/* What is known of one query: the ties that hold relevant rows, in the order
 * of the ranking, and the gains of all relevant rows, ranked or not, from the
 * highest. */
typedef struct {
    const dip_tie *ties;
    int64_t n_ties;
    const double *gains[2]; /* by dip_gain */
    int64_t relevant;
    double max_grade; /* best of the scale, for the graded metrics */
} dip_tied_ranking;

/* Places of a tie that lie in the first k of the ranking. */
int64_t dip_ties_within(const dip_tie *tie, int64_t k);

/* 1 / log2(position + 1) for positions 1 to n, in out[1] to out[n]. */
void dip_ties_discounts(double *out, int64_t n);

/* Sets rank and values of *out to their mean over all orders within the ties.
 * `discounts` reaches to the last place of the last tie and to `relevant`;
 * `spare` has as many numbers, for the graded metrics. */
void dip_ties_measure(dip_ranking_query *out, const dip_tied_ranking *ranking,
                      const dip_ranking_options *options,
                      const double *discounts, double *spare);

#endif
