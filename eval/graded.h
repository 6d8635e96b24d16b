/* Metrics of graded judgements whose users stop on their way down a ranking.
 * Used by eval/ties.c. */
#ifndef DIP_EVAL_GRADED_H
#define DIP_EVAL_GRADED_H

#include <stdint.h>

#include "eval/ties.h"

/* Expected reciprocal rank of the first k places, its mean over all orders
 * within the ties: a row of grade g ends the search with probability
 * (2^g - 1) / 2^max_grade. `spare` has a number more than the largest tie has
 * places in the first k. */
double dip_graded_err(const dip_tied_ranking *ranking, int64_t k,
                      double *spare);

/* Rank-biased precision of the whole ranking: a user who goes on from each
 * place with probability `persistence`, and gains grade / max_grade. */
double dip_graded_rbp(const dip_tied_ranking *ranking, double persistence);

#endif
