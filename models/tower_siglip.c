/* The vision transformer of SigLIP (arXiv 2303.15343), named and computed as
 * timm's vit_base_patch16_siglip_224: patches alone, and in place of a class
 * token a learned query that attends to them at the end. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "models/encoder.h"
#include "models/options.h"
#include "models/towers.h"

#define SIGLIP_EPS 1e-6

typedef struct {
    dip_tensor *latent; /* [1, 1, W] */
    dip_linear query, key_value, out, fc1, fc2;
    dip_layer_norm norm;
    int64_t heads;
} attention_pool;

typedef struct {
    dip_image_tower base;
    dip_conv patches;
    dip_tensor *positions; /* [1, patches, W] */
    dip_encoder *encoder;
    dip_layer_norm norm;
    attention_pool pool;
} siglip;

static const char *const OPTIONS[] = {
    "patch",     "width",      "depth",
    "heads",     "mlp_ratio",  "dropout",
    "drop_path", "activation", "attention_dropout",
    NULL};

static dip_encoder_options encoder_options(const dip_image_options *o)
{
    return (dip_encoder_options){
        .width = o->width,
        .depth = o->depth,
        .heads = o->heads,
        .mlp_ratio = o->mlp_ratio,
        .dropout = o->dropout,
        .attention_dropout = o->attention_dropout,
        .drop_path = o->drop_path,
        .norm_eps = SIGLIP_EPS,
        .activation = o->activation,
        .start = DIP_START_TORCH,
        .names = DIP_NAMES_TIMM,
    };
}

static dip_status check(dip_image_options *o, dip_err *err)
{
    if (o->width == 0)
        o->width = 768;
    dip_encoder_options encoder = encoder_options(o);
    dip_status st = dip_encoder_check(&encoder, "image", err);
    o->depth = encoder.depth;
    o->heads = encoder.heads;
    o->mlp_ratio = encoder.mlp_ratio;
    o->activation = encoder.activation;
    if (st == DIP_OK)
        st = dip_patch_check(o, err);
    return st;
}

static void build_pool(attention_pool *pool, const dip_image_options *o,
                       const dip_maker *maker)
{
    dip_maker inner = dip_maker_in(maker, "attn_pool");
    int64_t width = o->width;
    int64_t hidden = (int64_t)((double)width * o->mlp_ratio);
    pool->heads = o->heads;
    pool->latent =
        dip_make_normal(&inner, "latent", DIP_PARAM_NO_DECAY,
                        1.0 / sqrt((double)width), 3, (int64_t[]){1, 1, width});
    pool->query = dip_make_linear(&inner, "q", width, width, true);
    pool->key_value = dip_make_linear(&inner, "kv", width, 2 * width, true);
    pool->out = dip_make_linear(&inner, "proj", width, width, true);
    pool->norm = dip_make_layer_norm_eps(&inner, "norm", width, SIGLIP_EPS);
    pool->fc1 = dip_make_linear(&inner, "mlp.fc1", width, hidden, true);
    pool->fc2 = dip_make_linear(&inner, "mlp.fc2", hidden, width, true);
}

static void release(dip_image_tower *tower)
{
    siglip *net = (siglip *)tower;
    dip_encoder_free(net->encoder);
    free(net);
}

static dip_image_tower *build(const dip_image_options *o,
                              const dip_maker *maker)
{
    siglip *net = dip_calloc(1, sizeof *net);
    if (!net)
        return NULL;
    int64_t side = o->image_size / o->patch;
    net->base.kind = &dip_image_siglip;
    net->base.features = o->width;
    const dip_conv_options patches = {.in = 3,
                                      .out = o->width,
                                      .kernel = o->patch,
                                      .stride = o->patch,
                                      .bias = true,
                                      .start = DIP_CONV_TORCH};
    net->patches = dip_make_conv(maker, "patch_embed.proj", &patches);
    net->positions =
        dip_make_normal(maker, "pos_embed", DIP_PARAM_NO_DECAY, 0.02, 3,
                        (int64_t[]){1, side * side, o->width});
    dip_encoder_options encoder = encoder_options(o);
    net->encoder = dip_encoder_build(&encoder, maker);
    net->norm = dip_make_layer_norm_eps(maker, "norm", o->width, SIGLIP_EPS);
    build_pool(&net->pool, o, maker);
    if (!net->encoder) {
        release(&net->base);
        return NULL;
    }
    return &net->base;
}

/* x [B, N, W] to [B, W] */
static dip_tensor *attention_pooled(const siglip *net, const dip_tensor *x)
{
    const attention_pool *pool = &net->pool;
    dip_tensor *query = dip_linear_forward(&pool->query, pool->latent);
    dip_tensor *key_value[2];
    dip_t_chunk(key_value, dip_linear_forward(&pool->key_value, x), 2, -1);
    dip_tensor *seen =
        dip_attend(dip_token_like(query, key_value[0]), key_value[0],
                   key_value[1], pool->heads, NULL, 0.0, false);
    dip_tensor *y = dip_linear_forward(&pool->out, seen);
    dip_tensor *hidden =
        dip_linear_forward(&pool->fc1, dip_layer_norm_forward(&pool->norm, y));
    hidden = dip_encoder_activate(net->encoder, hidden);
    return dip_t_squeeze(dip_t_add(y, dip_linear_forward(&pool->fc2, hidden)),
                         1);
}

static dip_tensor *forward(const dip_image_tower *tower,
                           const dip_tensor *images, dip_tensor **tokens,
                           bool training)
{
    const siglip *net = (const siglip *)tower;
    dip_tensor *x = dip_grid_tokens(dip_conv_forward(&net->patches, images));
    x = dip_t_add(x, net->positions);
    x = dip_encoder_body(net->encoder, x, NULL, false, training);
    x = dip_encoder_last(net->encoder, x, NULL, NULL, false, training);
    x = dip_layer_norm_forward(&net->norm, x);
    if (tokens)
        *tokens = x;
    return attention_pooled(net, x);
}

const dip_image_kind dip_image_siglip = {
    .name = "siglip",
    .summary = "SigLIP's vision transformer with timm's parameter names",
    .options = OPTIONS,
    .positions = "pos_embed",
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
