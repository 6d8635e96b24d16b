/* Pretraining of a text tower: it is to tell tokens that were masked (BERT,
 * Devlin et al., arXiv 1810.04805, section 3.1). Every drawn token is masked;
 * none is left as it is or replaced by another. */
#ifndef DIP_TRAIN_MASKED_H
#define DIP_TRAIN_MASKED_H

#include <stdint.h>

#include "base/status.h"
#include "data/loader.h"
#include "models/model.h"

typedef struct {
    const dip_model *model; /* borrowed; it tells masked tokens */
    double probability;     /* (0, 1): of each token but begin and end */
    int64_t mask;           /* the id that stands in */
    dip_special_ids special;
    uint64_t seed;
    dip_device device;
} dip_masking;

/* Which tokens of a text of a batch are masked: a function of (seed, epoch,
 * batch). masked[i] gets ids[i] or the mask, both [size, context]. */
void dip_mask_tokens(int64_t *masked, const dip_masking *masking,
                     const dip_batch *batch, const dip_batch_text *text);

/* The mean cross-entropy of the masked tokens of the batch's first text (0
 * dims, F32) in the open scope; 0 where none was drawn. */
dip_status dip_masked_loss(dip_tensor **loss, const dip_masking *masking,
                           const dip_batch *batch, dip_err *err) DIP_MUST_CHECK;

#endif
