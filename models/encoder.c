#include "models/encoder.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "models/options.h"

typedef struct {
    dip_layer_norm ln_1, ln_2;
    dip_tensor *in_weight, *in_bias; /* [3 W, W], [3 W] */
    dip_linear out, fc, proj;
    double drop_path;
} block;

typedef dip_tensor *(*activation)(const dip_tensor *x);

struct dip_encoder {
    dip_encoder_options options;
    activation activate;
    block *blocks;
};

static const char *const ACTIVATIONS[] = {"gelu", "quick_gelu", "gelu_tanh",
                                          NULL};

/* Of the same order. */
static const activation ACTIVATE[] = {dip_t_gelu, dip_t_quick_gelu,
                                      dip_t_gelu_tanh};

static void fill_defaults(dip_encoder_options *o)
{
    if (o->width == 0)
        o->width = 512;
    if (o->depth == 0)
        o->depth = 12;
    if (o->heads == 0)
        o->heads = o->width < 64 ? 1 : o->width / 64;
    if (o->mlp_ratio == 0.0)
        o->mlp_ratio = 4.0;
    if (o->norm_eps == 0.0)
        o->norm_eps = 1e-5;
}

static dip_status check_options(dip_encoder_options *o, dip_err *err)
{
    dip_status st = dip_option_int(o->width, 1, 8192, "width", err);
    if (st == DIP_OK)
        st = dip_option_int(o->depth, 1, 128, "depth", err);
    if (st == DIP_OK)
        st = dip_option_int(o->heads, 1, 1024, "heads", err);
    if (st == DIP_OK && o->width % o->heads != 0)
        st =
            dip_fail(err, DIP_ECONFIG, "heads: %lld does not divide width %lld",
                     (long long)o->heads, (long long)o->width);
    if (st == DIP_OK)
        st = dip_option_real(o->mlp_ratio, 0.25, 16.0, "mlp_ratio", err);
    if (st == DIP_OK)
        st = dip_option_share(o->dropout, "dropout", err);
    if (st == DIP_OK)
        st = dip_option_share(o->attention_dropout, "attention_dropout", err);
    if (st == DIP_OK)
        st = dip_option_share(o->drop_path, "drop_path", err);
    if (st == DIP_OK)
        st = dip_option_real(o->norm_eps, 1e-12, 0.1, "norm_eps", err);
    if (st == DIP_OK)
        st = dip_option_choice(&o->activation, ACTIVATIONS, "activation", err);
    return st;
}

dip_status dip_encoder_check(dip_encoder_options *options, const char *prefix,
                             dip_err *err)
{
    dip_err inner = {0};
    fill_defaults(options);
    dip_status st = check_options(options, &inner);
    if (st != DIP_OK)
        return dip_fail(err, st, "%s.%s", prefix, inner.msg);
    return DIP_OK;
}

/* Below a block, but for `blocks`. */
typedef struct {
    const char *blocks, *ln_1, *in_weight, *in_bias, *out, *ln_2, *fc, *proj;
} names;

static const names NAMES[] = {
    [DIP_NAMES_CLIP] = {"transformer.resblocks", "ln_1", "attn.in_proj_weight",
                        "attn.in_proj_bias", "attn.out_proj", "ln_2",
                        "mlp.c_fc", "mlp.c_proj"},
    [DIP_NAMES_TIMM] = {"blocks", "norm1", "attn.qkv.weight", "attn.qkv.bias",
                        "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"},
};

/* torch.nn.MultiheadAttention and torch.nn.Linear as they start. */
static void start_torch(block *b, const dip_maker *maker, const names *n,
                        int64_t width, int64_t hidden)
{
    dip_maker out = dip_maker_in(maker, "%s", n->out);
    double xavier = sqrt(6.0 / (double)(width + 3 * width));
    double bound = 1.0 / sqrt((double)width);
    b->in_weight = dip_make_uniform(maker, n->in_weight, DIP_PARAM_WEIGHT,
                                    xavier, 2, (int64_t[]){3 * width, width});
    b->out.weight = dip_make_uniform(&out, "weight", DIP_PARAM_WEIGHT, bound, 2,
                                     (int64_t[]){width, width});
    b->fc = dip_make_linear(maker, n->fc, width, hidden, true);
    b->proj = dip_make_linear(maker, n->proj, hidden, width, true);
}

/* The scaled normals of CLIP's text transformer. */
static void start_clip(block *b, const dip_maker *maker, const names *n,
                       int64_t width, int64_t hidden, int64_t depth)
{
    dip_maker out = dip_maker_in(maker, "%s", n->out);
    double attn_std = 1.0 / sqrt((double)width);
    double proj_std = attn_std / sqrt(2.0 * (double)depth);
    double fc_std = 1.0 / sqrt(2.0 * (double)width);
    b->in_weight = dip_make_normal(maker, n->in_weight, DIP_PARAM_WEIGHT,
                                   attn_std, 2, (int64_t[]){3 * width, width});
    b->out.weight = dip_make_normal(&out, "weight", DIP_PARAM_WEIGHT, proj_std,
                                    2, (int64_t[]){width, width});
    b->fc = dip_make_linear_normal(maker, n->fc, width, hidden, true, fc_std);
    b->proj =
        dip_make_linear_normal(maker, n->proj, hidden, width, true, proj_std);
}

static void build_block(block *b, const dip_encoder_options *o,
                        const dip_maker *maker)
{
    const names *n = &NAMES[o->names];
    int64_t width = o->width;
    int64_t hidden = (int64_t)((double)width * o->mlp_ratio);
    dip_maker out = dip_maker_in(maker, "%s", n->out);
    b->ln_1 = dip_make_layer_norm_eps(maker, n->ln_1, width, o->norm_eps);
    b->ln_2 = dip_make_layer_norm_eps(maker, n->ln_2, width, o->norm_eps);
    b->in_bias = dip_make_full(maker, n->in_bias, DIP_PARAM_NO_DECAY, 0.0, 1,
                               (int64_t[]){3 * width});
    b->out.bias =
        dip_make_full(&out, "bias", DIP_PARAM_NO_DECAY, 0.0, 1, &width);
    if (o->start == DIP_START_TORCH)
        start_torch(b, maker, n, width, hidden);
    else
        start_clip(b, maker, n, width, hidden, o->depth);
}

dip_encoder *dip_encoder_build(const dip_encoder_options *options,
                               const dip_maker *maker)
{
    dip_encoder *encoder = dip_calloc(1, sizeof *encoder);
    if (!encoder)
        return NULL;
    encoder->options = *options;
    encoder->options.activation = NULL; /* the caller's */
    for (int i = 0; ACTIVATIONS[i]; i++)
        if (dip_option_is(options->activation, ACTIVATIONS[i]))
            encoder->activate = ACTIVATE[i];
    encoder->blocks =
        dip_calloc((size_t)options->depth, sizeof *encoder->blocks);
    if (!encoder->blocks) {
        dip_encoder_free(encoder);
        return NULL;
    }
    for (int64_t i = 0; i < options->depth; i++) {
        dip_maker inner = dip_maker_in(
            maker, "%s.%lld", NAMES[options->names].blocks, (long long)i);
        build_block(&encoder->blocks[i], options, &inner);
        if (options->depth > 1)
            encoder->blocks[i].drop_path =
                options->drop_path * (double)i / (double)(options->depth - 1);
    }
    return encoder;
}

void dip_encoder_free(dip_encoder *encoder)
{
    if (!encoder)
        return;
    free(encoder->blocks);
    free(encoder);
}

dip_tensor *dip_encoder_activate(const dip_encoder *encoder,
                                 const dip_tensor *x)
{
    return encoder->activate(x);
}

/* Queries, keys and values of normalised x in one product. */
static void project_all(const block *b, const dip_tensor *x, dip_tensor *qkv[3])
{
    dip_t_chunk(qkv, dip_t_linear(x, b->in_weight, b->in_bias), 3, -1);
}

/* Queries of the token only. */
static void project_token(const block *b, const dip_tensor *x,
                          const dip_tensor *token, int64_t width,
                          dip_tensor *qkv[3])
{
    dip_tensor *w_q = dip_t_narrow(b->in_weight, 0, 0, width);
    dip_tensor *b_q = dip_t_narrow(b->in_bias, 0, 0, width);
    dip_tensor *w_kv = dip_t_narrow(b->in_weight, 0, width, 2 * width);
    dip_tensor *b_kv = dip_t_narrow(b->in_bias, 0, width, 2 * width);
    qkv[0] = dip_t_linear(dip_layer_norm_forward(&b->ln_1, token), w_q, b_q);
    dip_t_chunk(qkv + 1, dip_t_linear(x, w_kv, b_kv), 2, -1);
}

/* x plus a branch, after dropout and stochastic depth. */
static dip_tensor *add_branch(const dip_tensor *x, const dip_tensor *branch,
                              const dip_encoder_options *o, const block *b,
                              bool training)
{
    dip_tensor *kept = dip_t_dropout(branch, o->dropout, training);
    return dip_t_add(x, dip_drop_path(kept, b->drop_path, training));
}

static dip_tensor *forward_block(const dip_encoder *encoder, const block *b,
                                 const dip_tensor *x, const dip_tensor *token,
                                 const dip_tensor *mask, bool causal,
                                 bool training)
{
    const dip_encoder_options *o = &encoder->options;
    dip_scope_open();
    dip_tensor *qkv[3] = {0};
    dip_tensor *normed = dip_layer_norm_forward(&b->ln_1, x);
    if (token)
        project_token(b, normed, token, o->width, qkv);
    else
        project_all(b, normed, qkv);
    dip_tensor *seen =
        dip_attend(qkv[0], qkv[1], qkv[2], o->heads, mask,
                   training ? o->attention_dropout : 0.0, causal);
    dip_tensor *y = add_branch(
        token ? token : x, dip_linear_forward(&b->out, seen), o, b, training);

    dip_tensor *hidden =
        dip_linear_forward(&b->fc, dip_layer_norm_forward(&b->ln_2, y));
    hidden = encoder->activate(hidden);
    y = add_branch(y, dip_linear_forward(&b->proj, hidden), o, b, training);
    y = dip_tensor_return(y);
    dip_scope_close();
    return y;
}

dip_tensor *dip_encoder_body(const dip_encoder *encoder, const dip_tensor *x,
                             const dip_tensor *mask, bool causal, bool training)
{
    dip_tensor *y = dip_tensor_alias(x);
    for (int64_t i = 0; i + 1 < encoder->options.depth; i++)
        y = forward_block(encoder, &encoder->blocks[i], y, NULL, mask, causal,
                          training);
    return y;
}

dip_tensor *dip_encoder_last(const dip_encoder *encoder, const dip_tensor *x,
                             const dip_tensor *token, const dip_tensor *mask,
                             bool causal, bool training)
{
    const block *last = &encoder->blocks[encoder->options.depth - 1];
    return forward_block(encoder, last, x, token, mask, causal, training);
}
