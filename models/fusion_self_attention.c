/* A transformer encoder over the tokens of all fields, to each of which a
 * learned vector of its field is added, behind a learned fusion token; the
 * state of that token is the product. Blocks are those of models/encoder.h
 * (pre-norm), named as CLIP's. */
#include <stdlib.h>

#include "base/mem.h"
#include "models/fusions.h"
#include "models/options.h"

typedef struct {
    dip_fusion base;
    dip_tensor *fusion_token;    /* [D] */
    dip_tensor *field_embedding; /* [fields, D] */
    dip_encoder *encoder;
    dip_layer_norm ln_post;
} self_attention;

static const char *const OPTIONS[] = {"depth", "heads", "mlp_ratio", "dropout",
                                      NULL};

static dip_status check(dip_fusion_options *o, const dip_fusion_fields *fields,
                        dip_err *err)
{
    return dip_fusion_check_attention(o, fields, err);
}

static void release(dip_fusion *fusion)
{
    dip_encoder_free(((self_attention *)fusion)->encoder);
    free(fusion);
}

static dip_fusion *build(const dip_fusion_options *o,
                         const dip_fusion_fields *fields,
                         const dip_maker *maker)
{
    self_attention *f = dip_calloc(1, sizeof *f);
    if (!f)
        return NULL;
    const dip_encoder_options encoder = dip_fusion_encoder(o, fields);
    f->fusion_token = dip_make_normal(maker, "fusion_token", DIP_PARAM_NO_DECAY,
                                      0.02, 1, &fields->dim);
    f->field_embedding =
        dip_make_normal(maker, "field_embedding", DIP_PARAM_NO_DECAY, 0.02, 2,
                        (int64_t[]){fields->count, fields->dim});
    f->encoder = dip_encoder_build(&encoder, maker);
    f->ln_post = dip_make_layer_norm(maker, "ln_post", fields->dim);
    if (!f->encoder) {
        release(&f->base);
        return NULL;
    }
    return &f->base;
}

static dip_tensor *forward(const dip_fusion *fusion, const dip_fusion_input *in)
{
    const self_attention *f = (const self_attention *)fusion;
    dip_tensor *tokens[DIP_FUSION_FIELDS_MAX + 1];
    dip_tensor *masks[DIP_FUSION_FIELDS_MAX + 1];
    int count = fusion->fields.count;
    for (int i = 0; i < count; i++) {
        tokens[1 + i] =
            dip_t_add(in->tokens[i], dip_t_select(f->field_embedding, 0, i));
        masks[1 + i] = in->masks[i];
    }
    tokens[0] = dip_token_like(f->fusion_token, tokens[1]);
    masks[0] = dip_t_gt_scalar(dip_t_narrow(in->present, 1, 0, 1), -1.0);
    dip_tensor *x = dip_t_cat(tokens, 1 + count, 1);
    dip_tensor *mask = dip_mask_keys(dip_t_cat(masks, 1 + count, 1));
    x = dip_encoder_body(f->encoder, x, mask, false, in->training);
    x = dip_encoder_last(f->encoder, x, dip_t_narrow(x, 1, 0, 1), mask, false,
                         in->training);
    x = dip_layer_norm_forward(&f->ln_post, x);
    return dip_fusion_rows(fusion, dip_t_squeeze(x, 1));
}

const dip_fusion_kind dip_fusion_self_attention = {
    .name = "self_attention",
    .summary = "transformer over the tokens of all fields",
    .options = OPTIONS,
    .reads_tokens = true,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
