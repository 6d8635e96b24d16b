/* Exact nearest neighbours, by the scores of eval/scores.h. */
#ifndef DIP_EVAL_TOPK_H
#define DIP_EVAL_TOPK_H

#include <stdint.h>

#include "base/status.h"
#include "eval/scores.h"

typedef struct {
    float score;
    int64_t row; /* of the gallery; -1 in places that the gallery cannot fill */
} dip_hit;

/* Writes the `k` best gallery rows of each query, best first, into `out`
 * [queries, k], the caller's. Equal scores stand in the order of `keys`
 * [gallery rows] (the rank of each row's id; lower first), then of row; `keys`
 * NULL is the order of rows. Where k passes the gallery, the rest of a list is
 * row -1 with score -infinity. k >= 1.
 *
 * Errors: those of dip_scores_each() (a NaN names its row), DIP_ERANGE for k,
 * DIP_ENOMEM. On failure the contents of `out` mean nothing. */
dip_status dip_topk_search(dip_hit *out, const dip_embeddings *queries,
                           const dip_embeddings *gallery, const int64_t *keys,
                           int64_t k, dip_err *err) DIP_MUST_CHECK;

#endif
