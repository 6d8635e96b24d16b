/* Contrastive losses of large batches without the matrix [N, N]: a chunk of it
 * at a time is made, and used up while it is in the cache. InfoNCE makes all of
 * it twice (once for the sums of exponentials, once for the gradient) but for
 * the first 72 MB, which are kept, and the sigmoid loss once. Value and
 * gradients are those of the dense form up to rounding, of which there is less:
 * a batch that is nearly solved, at a scale of 100 say, loses nothing. Memory
 * beside the inputs is two gradients [N, D], what is kept, and less than 50 MB.
 *
 * On the CPU and in F32. Follows tensor/tensor.h; results are the same for
 * any number of threads. */
#ifndef DIP_LOSSES_BLOCKED_H
#define DIP_LOSSES_BLOCKED_H

#include <stdbool.h>

#include "losses/loss.h"
#include "tensor/tensor.h"

typedef struct {
    const dip_tensor *queries, *items; /* F32 [N, D], N > 0 */
    const dip_tensor *scale;           /* F32, one number */
    const dip_tensor *bias;            /* F32, one number, or NULL = 0 */
    const dip_tensor *keys;    /* I64 [N, K]: rows that share a key are right
                                  for each other; NULL = only the own pair */
    const dip_tensor *weights; /* F32 [N] of the mean, or NULL */
    bool one_way;              /* InfoNCE: only queries against items */
} dip_blocked_input;

/* Reads positives and label_smoothing. */
dip_tensor *dip_blocked_infonce(const dip_blocked_input *input,
                                const dip_loss_options *options);
/* Without weights. */
dip_tensor *dip_blocked_siglip(const dip_blocked_input *input);

#endif
