/* Vision transformer (arXiv 2010.11929), named and computed as CLIP's: class
 * token, norm before and after the blocks. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "models/encoder.h"
#include "models/options.h"
#include "models/towers.h"

typedef struct {
    dip_image_tower base;
    dip_conv patches;
    dip_tensor *class_embedding;      /* [W] */
    dip_tensor *positional_embedding; /* [1 + patches, W] */
    dip_layer_norm ln_pre, ln_post;
    dip_encoder *encoder;
    int64_t tokens; /* 1 + patches */
    bool mean;
} vit;

static const char *const OPTIONS[] = {
    "patch",   "width",     "depth",   "heads",      "mlp_ratio",
    "dropout", "drop_path", "pooling", "activation", "attention_dropout",
    NULL};
static const char *const POOLINGS[] = {"cls", "mean", NULL};

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
        .norm_eps = 1e-5,
        .activation = o->activation,
        .start = DIP_START_TORCH,
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
    if (st == DIP_OK)
        st = dip_option_choice(&o->pooling, POOLINGS, "image.pooling", err);
    return st;
}

static void release(dip_image_tower *tower)
{
    vit *net = (vit *)tower;
    dip_encoder_free(net->encoder);
    free(net);
}

static dip_image_tower *build(const dip_image_options *o,
                              const dip_maker *maker)
{
    vit *net = dip_calloc(1, sizeof *net);
    if (!net)
        return NULL;
    int64_t side = o->image_size / o->patch;
    double std = 1.0 / sqrt((double)o->width);
    net->base.kind = &dip_image_vit;
    net->base.features = o->width;
    net->tokens = side * side + 1;
    net->mean = dip_option_is(o->pooling, "mean");
    net->patches = dip_make_conv(maker, "conv1",
                                 &(dip_conv_options){.in = 3,
                                                     .out = o->width,
                                                     .kernel = o->patch,
                                                     .stride = o->patch,
                                                     .start = DIP_CONV_TORCH});
    net->class_embedding = dip_make_normal(
        maker, "class_embedding", DIP_PARAM_NO_DECAY, std, 1, &o->width);
    net->positional_embedding =
        dip_make_normal(maker, "positional_embedding", DIP_PARAM_NO_DECAY, std,
                        2, (int64_t[]){net->tokens, o->width});
    net->ln_pre = dip_make_layer_norm(maker, "ln_pre", o->width);
    dip_encoder_options encoder = encoder_options(o);
    net->encoder = dip_encoder_build(&encoder, maker);
    net->ln_post = dip_make_layer_norm(maker, "ln_post", o->width);
    if (!net->encoder) {
        release(&net->base);
        return NULL;
    }
    return &net->base;
}

/* Patches with the class token before them: [B, tokens, W]. */
static dip_tensor *embed(const vit *net, const dip_tensor *images)
{
    dip_scope_open();
    dip_tensor *x = dip_conv_forward(&net->patches, images);
    x = dip_grid_tokens(x);
    dip_tensor *cls = dip_token_like(net->class_embedding, x);
    x = dip_t_cat((dip_tensor *[]){cls, x}, 2, 1);
    x = dip_t_add(x, net->positional_embedding);
    x = dip_tensor_return(dip_layer_norm_forward(&net->ln_pre, x));
    dip_scope_close();
    return x;
}

static dip_tensor *forward(const dip_image_tower *tower,
                           const dip_tensor *images, dip_tensor **tokens,
                           bool training)
{
    const vit *net = (const vit *)tower;
    dip_tensor *x = embed(net, images);
    x = dip_encoder_body(net->encoder, x, NULL, false, training);
    bool all = net->mean || tokens;
    dip_tensor *cls = all ? NULL : dip_t_narrow(x, 1, 0, 1);
    x = dip_encoder_last(net->encoder, x, cls, NULL, false, training);
    x = dip_layer_norm_forward(&net->ln_post, x);
    if (!all)
        return dip_t_squeeze(x, 1);
    dip_tensor *patches = dip_t_narrow(x, 1, 1, net->tokens - 1);
    if (tokens)
        *tokens = patches;
    return net->mean ? dip_t_mean(patches, 1, false) : dip_t_select(x, 1, 0);
}

const dip_image_kind dip_image_vit = {
    .name = "vit",
    .summary = "vision transformer with CLIP's parameter names",
    .options = OPTIONS,
    .positions = "positional_embedding",
    .positions_before = 1,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
