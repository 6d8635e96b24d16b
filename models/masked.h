/* What pretrains a text tower: telling tokens that were masked from those
 * around them (BERT, Devlin et al., arXiv 1810.04805, section 3.1). */
#ifndef DIP_MODELS_MASKED_H
#define DIP_MODELS_MASKED_H

#include "models/layers.h"

/* hidden [F, F], GELU, layer norm, out [vocabulary, F]; BERT's, but for a
 * table of its own in the place of the word vectors, which may have another
 * width and sparse gradients. */
typedef struct {
    dip_linear hidden, out; /* weights NULL: the model tells no tokens */
    dip_layer_norm norm;
} dip_masked_head;

dip_masked_head dip_make_masked_head(const dip_maker *maker, int64_t features,
                                     int64_t vocabulary);
/* tokens [N, F] of any floating dtype to logits F32 [N, vocabulary] */
dip_tensor *dip_masked_head_forward(const dip_masked_head *head,
                                    const dip_tensor *tokens);

#endif
