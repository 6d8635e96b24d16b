/* The transformer encoder that the vision transformers and the text transformer
 * share: pre-norm blocks, named as CLIP's or as timm's. */
#ifndef DIP_MODELS_ENCODER_H
#define DIP_MODELS_ENCODER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "models/layers.h"
#include "tensor/tensor.h"

typedef enum {
    DIP_START_TORCH, /* torch.nn's own: what open_clip's image towers have */
    DIP_START_CLIP   /* CLIP's scaled normals: what its text towers have */
} dip_encoder_start;

typedef enum {
    DIP_NAMES_CLIP, /* transformer.resblocks.N.ln_1, attn.in_proj_weight,
                       attn.out_proj, ln_2, mlp.c_fc, mlp.c_proj */
    DIP_NAMES_TIMM  /* blocks.N.norm1, attn.qkv, attn.proj, norm2, mlp.fc1,
                       mlp.fc2 */
} dip_encoder_names;

typedef struct {
    int64_t width, depth;     /* 512 and 12 by default */
    int64_t heads;            /* default width / 64, at least 1 */
    double mlp_ratio;         /* default 4 */
    double dropout;           /* after both branches */
    double attention_dropout; /* of the attention weights */
    double drop_path;         /* of the last block; rises linearly from 0 */
    double norm_eps;          /* default 1e-5 */
    const char *activation; /* gelu, quick_gelu, gelu_tanh; borrowed until it is
                               built */
    dip_encoder_start start;
    dip_encoder_names names;
} dip_encoder_options;

/* Replaces zero and NULL by the defaults and refuses the impossible:
 * DIP_ECONFIG names the option, behind `prefix` ("text"). */
dip_status dip_encoder_check(dip_encoder_options *options, const char *prefix,
                             dip_err *err) DIP_MUST_CHECK;

typedef struct dip_encoder dip_encoder;

/* Adds the parameters of checked options under `maker`; NULL when memory is
 * out. */
dip_encoder *dip_encoder_build(const dip_encoder_options *options,
                               const dip_maker *maker);
void dip_encoder_free(dip_encoder *encoder);

/* The activation that the blocks have. */
dip_tensor *dip_encoder_activate(const dip_encoder *encoder,
                                 const dip_tensor *x);

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
