/* Text transformer, named and computed as CLIP's (arXiv 2103.00020): causal by
 * default, with the state of the last token as the text's features. */
#include <stdlib.h>

#include "base/mem.h"
#include "models/encoder.h"
#include "models/options.h"
#include "models/towers.h"
#include "models/words.h"

typedef enum { POOL_LAST, POOL_MEAN, POOL_CLS } pooling;

typedef struct {
    dip_text_tower base;
    dip_words words;
    dip_tensor *positional_embedding; /* [context (+ 1 with cls), W] */
    dip_tensor *cls_emb;              /* [W] or NULL */
    dip_encoder *encoder;
    dip_layer_norm ln_final;
    pooling pool;
    bool causal;
} transformer;

static const char *const OPTIONS[] = {
    "width",     "depth",           "heads",
    "mlp_ratio", "dropout",         "attention_dropout",
    "pooling",   "bidirectional",   "activation",
    "norm_eps",  DIP_WORDS_OPTIONS, NULL};
static const char *const POOLINGS[] = {"last", "mean", "cls", NULL};

static dip_encoder_options encoder_options(const dip_text_options *o)
{
    return (dip_encoder_options){
        .width = o->width,
        .depth = o->depth,
        .heads = o->heads,
        .mlp_ratio = o->mlp_ratio,
        .dropout = o->dropout,
        .attention_dropout = o->attention_dropout,
        .norm_eps = o->norm_eps,
        .activation = o->activation,
        .start = DIP_START_CLIP,
    };
}

static dip_status check(dip_text_options *o, dip_err *err)
{
    dip_encoder_options encoder = encoder_options(o);
    dip_status st = dip_encoder_check(&encoder, "text", err);
    o->width = encoder.width;
    if (o->token_width == 0)
        o->token_width = o->width;
    o->depth = encoder.depth;
    o->heads = encoder.heads;
    o->mlp_ratio = encoder.mlp_ratio;
    o->norm_eps = encoder.norm_eps;
    o->activation = encoder.activation;
    if (st == DIP_OK)
        st = dip_words_check(o, err);
    if (st == DIP_OK)
        st = dip_option_choice(&o->pooling, POOLINGS, "text.pooling", err);
    return st;
}

static void release(dip_text_tower *tower)
{
    transformer *net = (transformer *)tower;
    dip_encoder_free(net->encoder);
    free(net);
}

/* Embeddings start with CLIP's standard deviations. */
static void build_embeddings(transformer *net, const dip_text_options *o,
                             const dip_maker *maker)
{
    int64_t places = o->context + (net->pool == POOL_CLS ? 1 : 0);
    net->words = dip_make_words(maker, o, o->width);
    if (net->pool == POOL_CLS)
        net->cls_emb = dip_make_normal(maker, "cls_emb", DIP_PARAM_NO_DECAY,
                                       0.01, 1, &o->width);
    net->positional_embedding =
        dip_make_normal(maker, "positional_embedding", DIP_PARAM_NO_DECAY, 0.01,
                        2, (int64_t[]){places, o->width});
}

static dip_text_tower *build(const dip_text_options *o, const dip_maker *maker)
{
    transformer *net = dip_calloc(1, sizeof *net);
    if (!net)
        return NULL;
    net->base.kind = &dip_text_transformer;
    net->base.features = o->width;
    net->causal = !o->bidirectional;
    net->pool = dip_option_is(o->pooling, "mean")  ? POOL_MEAN
                : dip_option_is(o->pooling, "cls") ? POOL_CLS
                                                   : POOL_LAST;
    build_embeddings(net, o, maker);
    dip_encoder_options encoder = encoder_options(o);
    net->encoder = dip_encoder_build(&encoder, maker);
    net->ln_final =
        dip_make_layer_norm_eps(maker, "ln_final", o->width, o->norm_eps);
    if (!net->encoder) {
        release(&net->base);
        return NULL;
    }
    return &net->base;
}

/* Tokens and places: [B, T, W]. A class token stands behind the padding, always
 * at the last place, however far this batch is padded. */
static dip_tensor *embed(const transformer *net, const dip_tensor *ids,
                         bool training)
{
    dip_tensor *places =
        dip_t_embedding(net->positional_embedding, dip_token_places(ids), -1);
    dip_tensor *x =
        dip_t_add(dip_words_forward(&net->words, ids, -1, training), places);
    if (!net->cls_emb)
        return x;
    dip_tensor *last = dip_t_select(net->positional_embedding, 0, -1);
    dip_tensor *cls = dip_token_like(dip_t_add(net->cls_emb, last), x);
    return dip_t_cat((dip_tensor *[]){x, cls}, 2, 1);
}

/* Which tokens may be attended to, BOOL [B, T], a class token always. */
static dip_tensor *attended(const transformer *net, const dip_tensor *ids,
                            const dip_tensor *lengths)
{
    dip_tensor *mask = dip_token_attended(ids, lengths);
    if (!net->cls_emb)
        return mask;
    dip_tensor *cls = dip_t_narrow(mask, 1, 0, 1); /* always true */
    return dip_t_cat((dip_tensor *[]){mask, cls}, 2, 1);
}

/* What the tokens of all blocks but a pooled last one attend to; NULL when
 * being causal says it all: a text never sees the padding behind it. A class
 * token behind the padding would, so it needs both masks in one. */
static dip_tensor *body_mask(const transformer *net, const dip_tensor *mask)
{
    if (!net->causal)
        return dip_mask_keys(mask);
    if (!net->cls_emb)
        return NULL;
    dip_tensor *place = dip_token_places(mask); /* [1, T] */
    dip_tensor *ahead = dip_t_sub(dip_t_transpose(place, 0, 1), place);
    return dip_t_logical_and(dip_mask_keys(mask), dip_t_gt_scalar(ahead, -1.0));
}

/* The token that the last block is computed for; NULL = all. */
static dip_tensor *pooled_token(const transformer *net, const dip_tensor *x,
                                const dip_tensor *lengths)
{
    switch (net->pool) {
    case POOL_LAST:
        return dip_t_unsqueeze(dip_pool_last(x, lengths), 1);
    case POOL_CLS:
        return dip_t_unsqueeze(dip_t_select(x, 1, -1), 1);
    case POOL_MEAN:
        break;
    }
    return NULL;
}

static dip_tensor *forward(const dip_text_tower *tower, const dip_tensor *ids,
                           const dip_tensor *lengths, dip_tensor **tokens,
                           bool training)
{
    const transformer *net = (const transformer *)tower;
    dip_tensor *mask = attended(net, ids, lengths);
    dip_tensor *body = body_mask(net, mask);
    bool causal = !body;
    dip_tensor *x = embed(net, ids, training);
    x = dip_encoder_body(net->encoder, x, body, causal, training);
    dip_tensor *token = tokens ? NULL : pooled_token(net, x, lengths);
    if (token)
        x = dip_encoder_last(net->encoder, x, token, dip_mask_keys(mask), false,
                             training);
    else
        x = dip_encoder_last(net->encoder, x, NULL, body, causal, training);
    x = dip_layer_norm_forward(&net->ln_final, x);
    if (token)
        return dip_t_squeeze(x, 1);
    if (tokens)
        *tokens =
            net->cls_emb ? dip_t_narrow(x, 1, 0, dip_tensor_size(ids, 1)) : x;
    if (net->pool == POOL_MEAN)
        return dip_pool_mean(x, dip_token_mask(ids, lengths));
    return dip_t_squeeze(pooled_token(net, x, lengths), 1);
}

const dip_text_kind dip_text_transformer = {
    .name = "transformer",
    .summary = "transformer with CLIP's parameter names",
    .options = OPTIONS,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
