/* Co-attention between the photo's tokens and those of all other fields, in
 * both directions (ViLBERT; Lu et al., arXiv 1908.02265, section 2.2). In each
 * block both sides take their queries from themselves, and keys and values from
 * the other side as the block got it; then come an MLP and norms behind both
 * branches, as in BERT. The product is the sum of two projections, without
 * biases, of the means over either side's tokens.
 *
 * Where one side is absent the other attends to nothing, and is alone in the
 * sum. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "models/fusions.h"
#include "models/options.h"

#define DEPTH_MAX 16

enum { PHOTO, OTHERS, SIDES };

static const char *const SIDE_NAMES[SIDES] = {"image", "text"};

/* One side of a block; torch.nn.MultiheadAttention's names. */
typedef struct {
    dip_tensor *in_weight, *in_bias; /* [3 D, D], [3 D] */
    dip_linear out, fc, proj;
    dip_layer_norm ln_1, ln_2;
} half;

typedef struct {
    dip_fusion base;
    dip_tensor *field_embedding; /* [fields, D] */
    int64_t depth, heads;
    double dropout;
    half blocks[DEPTH_MAX][SIDES];
    dip_linear pooled[SIDES];
} cross_attention;

/* The tokens of a side and which of them are there. */
typedef struct {
    dip_tensor *x;    /* [B, N, D] */
    dip_tensor *mask; /* BOOL [B, N] */
} stream;

static const char *const OPTIONS[] = {"depth", "heads", "mlp_ratio", "dropout",
                                      NULL};

static dip_status check(dip_fusion_options *o, const dip_fusion_fields *fields,
                        dip_err *err)
{
    int photos = 0;
    for (int i = 0; i < fields->count; i++)
        photos += fields->modality[i] == DIP_MODALITY_IMAGE;
    if (photos == 0 || photos == fields->count)
        return dip_fail(err, DIP_ECONFIG,
                        "fusion.kind: 'cross_attention' needs the field "
                        "'image' and another one");
    dip_status st = dip_fusion_check_attention(o, fields, err);
    if (st == DIP_OK)
        st = dip_option_int(o->depth, 1, DEPTH_MAX, "fusion.depth", err);
    return st;
}

/* Started as torch.nn.MultiheadAttention and torch.nn.Linear are. */
static half build_half(const dip_maker *maker, int64_t dim, int64_t hidden)
{
    dip_maker attn = dip_maker_in(maker, "attn");
    dip_maker out = dip_maker_in(&attn, "out_proj");
    dip_maker mlp = dip_maker_in(maker, "mlp");
    return (half){
        .in_weight = dip_make_uniform(&attn, "in_proj_weight", DIP_PARAM_WEIGHT,
                                      sqrt(6.0 / (double)(4 * dim)), 2,
                                      (int64_t[]){3 * dim, dim}),
        .in_bias = dip_make_full(&attn, "in_proj_bias", DIP_PARAM_NO_DECAY, 0.0,
                                 1, (int64_t[]){3 * dim}),
        .out.weight =
            dip_make_uniform(&out, "weight", DIP_PARAM_WEIGHT,
                             1.0 / sqrt((double)dim), 2, (int64_t[]){dim, dim}),
        .out.bias =
            dip_make_full(&out, "bias", DIP_PARAM_NO_DECAY, 0.0, 1, &dim),
        .fc = dip_make_linear(&mlp, "c_fc", dim, hidden, true),
        .proj = dip_make_linear(&mlp, "c_proj", hidden, dim, true),
        .ln_1 = dip_make_layer_norm(maker, "ln_1", dim),
        .ln_2 = dip_make_layer_norm(maker, "ln_2", dim),
    };
}

static dip_fusion *build(const dip_fusion_options *o,
                         const dip_fusion_fields *fields,
                         const dip_maker *maker)
{
    cross_attention *f = dip_calloc(1, sizeof *f);
    if (!f)
        return NULL;
    int64_t dim = fields->dim;
    int64_t hidden = (int64_t)((double)dim * o->mlp_ratio);
    f->depth = o->depth;
    f->heads = o->heads;
    f->dropout = o->dropout;
    f->field_embedding =
        dip_make_normal(maker, "field_embedding", DIP_PARAM_NO_DECAY, 0.02, 2,
                        (int64_t[]){fields->count, dim});
    for (int s = 0; s < SIDES; s++) {
        for (int64_t i = 0; i < o->depth; i++) {
            dip_maker inner =
                dip_maker_in(maker, "blocks.%d.%s", (int)i, SIDE_NAMES[s]);
            f->blocks[i][s] = build_half(&inner, dim, hidden);
        }
        dip_maker pooled = dip_maker_in(maker, "pooled");
        f->pooled[s] = dip_make_linear(&pooled, SIDE_NAMES[s], dim, dim, false);
    }
    return &f->base;
}

/* All tokens of the fields that are photos, or of those that are not. */
static stream take_side(const cross_attention *f, const dip_fusion_input *in,
                        bool photos)
{
    dip_tensor *tokens[DIP_FUSION_FIELDS_MAX], *masks[DIP_FUSION_FIELDS_MAX];
    const dip_fusion_fields *fields = &f->base.fields;
    int count = 0;
    for (int i = 0; i < fields->count; i++) {
        if ((fields->modality[i] == DIP_MODALITY_IMAGE) != photos)
            continue;
        tokens[count] =
            dip_t_add(in->tokens[i], dip_t_select(f->field_embedding, 0, i));
        masks[count++] = in->masks[i];
    }
    return (stream){dip_t_cat(tokens, count, 1), dip_t_cat(masks, count, 1)};
}

/* What `x` sees of `other`; zeros where that has no tokens, which lets it
 * attend to all places meanwhile, so that the softmax is defined. */
static dip_tensor *attend(const cross_attention *f, const half *h,
                          const dip_tensor *x, const stream *other)
{
    int64_t dim = f->base.fields.dim;
    dip_tensor *kv[2] = {0};
    dip_tensor *q = dip_t_linear(x, dip_t_narrow(h->in_weight, 0, 0, dim),
                                 dip_t_narrow(h->in_bias, 0, 0, dim));
    dip_t_chunk(kv,
                dip_t_linear(other->x,
                             dip_t_narrow(h->in_weight, 0, dim, 2 * dim),
                             dip_t_narrow(h->in_bias, 0, dim, 2 * dim)),
                2, -1);
    dip_tensor *any = dip_t_amax(other->mask, 1, true);
    dip_tensor *hidden = dip_t_logical_and(dip_t_logical_not(other->mask), any);
    dip_tensor *seen =
        dip_attend(q, kv[0], kv[1], f->heads,
                   dip_mask_keys(dip_t_logical_not(hidden)), 0.0, false);
    return dip_t_masked_fill(dip_linear_forward(&h->out, seen),
                             dip_t_unsqueeze(dip_t_logical_not(any), 2), 0.0);
}

static dip_tensor *forward_half(const cross_attention *f, const half *h,
                                const dip_tensor *x, const stream *other,
                                bool training)
{
    dip_scope_open();
    dip_tensor *seen =
        dip_t_dropout(attend(f, h, x, other), f->dropout, training);
    dip_tensor *y = dip_layer_norm_forward(&h->ln_1, dip_t_add(x, seen));
    dip_tensor *hidden = dip_t_gelu(dip_linear_forward(&h->fc, y));
    hidden = dip_t_dropout(dip_linear_forward(&h->proj, hidden), f->dropout,
                           training);
    y = dip_tensor_return(
        dip_layer_norm_forward(&h->ln_2, dip_t_add(y, hidden)));
    dip_scope_close();
    return y;
}

static dip_tensor *forward(const dip_fusion *fusion, const dip_fusion_input *in)
{
    const cross_attention *f = (const cross_attention *)fusion;
    stream sides[SIDES] = {take_side(f, in, true), take_side(f, in, false)};
    for (int64_t i = 0; i < f->depth; i++) {
        const half *block = f->blocks[i];
        dip_tensor *photo = forward_half(f, &block[PHOTO], sides[PHOTO].x,
                                         &sides[OTHERS], in->training);
        sides[OTHERS].x = forward_half(f, &block[OTHERS], sides[OTHERS].x,
                                       &sides[PHOTO], in->training);
        sides[PHOTO].x = photo;
    }
    dip_tensor *pooled[SIDES];
    for (int s = 0; s < SIDES; s++)
        pooled[s] = dip_linear_forward(
            &f->pooled[s], dip_pool_mean(sides[s].x, sides[s].mask));
    return dip_fusion_rows(fusion, dip_t_add(pooled[PHOTO], pooled[OTHERS]));
}

static void release(dip_fusion *fusion)
{
    free(fusion);
}

const dip_fusion_kind dip_fusion_cross_attention = {
    .name = "cross_attention",
    .summary = "co-attention between the photo's tokens and the others'",
    .options = OPTIONS,
    .reads_tokens = true,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
