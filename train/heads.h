/* The cross-entropies of a model's heads. */
#ifndef DIP_TRAIN_HEADS_H
#define DIP_TRAIN_HEADS_H

#include "data/loader.h"
#include "models/model.h"
#include "train/mixing.h"

/* How the cross-entropy of a head is made. */
typedef struct {
    double label_smoothing;
    double dropout;             /* [0, 1): of the head's input */
    const float *class_weights; /* [classes], borrowed; NULL: all 1 */
} dip_head_target;

/* The loss in training (0 dims) of head `h`, which reads label `h` of the
 * batch, over `input`; 0 for a batch without any such label that weighs
 * something. `target` may be
 * NULL: plain. With a mix (NULL: none) `input` is of mixed photos, and the loss
 * the sum of those of both labels by their shares. */
dip_tensor *dip_head_loss(const dip_model *model, int h,
                          const dip_tensor *input, const dip_batch *batch,
                          const dip_head_target *target, const dip_mix *mix,
                          dip_device device);

#endif
