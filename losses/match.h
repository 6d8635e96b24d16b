/* The loss of a match classifier, which says whether a query and a product
 * belong together: binary cross-entropy over pairs of a batch, wrong ones
 * chosen by how right they look (image-text matching of ALBEF, arXiv
 * 2107.07651, section 3.2, which draws them by score). */
#ifndef DIP_LOSSES_MATCH_H
#define DIP_LOSSES_MATCH_H

#include <stdint.h>

#include "base/status.h"
#include "tensor/tensor.h"

/* A batch of B rows, row i of the items being that of query i. Borrowed. */
typedef struct {
    int64_t rows;
    const float *scores;      /* [B, B] of query i and item j */
    const uint8_t *positives; /* [B, B] 1: item j is right for query i */
    const uint8_t *valid;     /* [B] 0: the row takes no part */
    const uint64_t *draws;    /* [B] random numbers */
    int64_t hard;             /* negatives by score, for each query */
} dip_match_batch;

typedef struct {
    int64_t *queries, *items; /* [count] rows of the batch */
    float *targets;           /* [count] 1 or 0 */
    int64_t count;
} dip_match_pairs;

/* For each valid query its own item (target 1), the `hard` items that are not
 * right and score highest, best first and the lower row first among equals,
 * and the (draws[i] modulo their number)th of all that are not right; fewer
 * where there are not so many. The caller ends *out with
 * dip_match_pairs_free(). */
dip_status dip_match_pairs_choose(dip_match_pairs *out,
                                  const dip_match_batch *batch,
                                  dip_err *err) DIP_MUST_CHECK;
void dip_match_pairs_free(dip_match_pairs *pairs);

/* The mean binary cross-entropy of logits F32 [N] and targets F32 [N]; 0 for
 * none. Follows tensor/tensor.h. */
dip_tensor *dip_loss_match(const dip_tensor *logits, const dip_tensor *targets);

#endif
