/* The transformer encoder that ViT and the text transformer share: pre-norm
 * blocks, named and computed as CLIP's (transformer.resblocks.N.ln_1,
 * attn.in_proj_weight, attn.out_proj, ln_2, mlp.c_fc, mlp.c_proj). */
#ifndef DIP_MODELS_ENCODER_H
#define DIP_MODELS_ENCODER_H

#include <stdbool.h>
#include <stdint.h>

#include "models/layers.h"
#include "tensor/tensor.h"

typedef enum {
    DIP_START_TORCH, /* torch.nn's own: what open_clip's image towers have */
    DIP_START_CLIP   /* CLIP's scaled normals: what its text towers have */
} dip_encoder_start;

typedef struct {
    int64_t width, depth, heads;
    double mlp_ratio;
    double dropout;   /* after both branches */
    double drop_path; /* of the last block; rises linearly from 0 */
    bool quick_gelu;
    dip_encoder_start start;
} dip_encoder_options;

typedef struct dip_encoder dip_encoder;

/* Adds the parameters under `maker`; NULL when memory is out. */
dip_encoder *dip_encoder_build(const dip_encoder_options *options,
                               const dip_maker *maker);
void dip_encoder_free(dip_encoder *encoder);

/* All blocks but the last: x [B, T, W] to the same shape. `mask` as in
 * dip_t_attention(), or NULL. */
dip_tensor *dip_encoder_body(const dip_encoder *encoder, const dip_tensor *x,
                             const dip_tensor *mask, bool causal,
                             bool training);
/* The last block. With `token` [B, 1, W], a row of x, it is computed for that
 * token alone, which spares most of its work; `mask` then says what the token
 * attends to, and `causal` must be false. Without: for all of x. */
dip_tensor *dip_encoder_last(const dip_encoder *encoder, const dip_tensor *x,
                             const dip_tensor *token, const dip_tensor *mask,
                             bool causal, bool training);

#endif
