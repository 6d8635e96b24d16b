/* BERT (arXiv 1810.04805), named and computed as Hugging Face's BertModel:
 * norms behind the branches, exact GELU. All tokens are of type 0. */
#include <stdlib.h>

#include "base/mem.h"
#include "models/encoder.h"
#include "models/options.h"
#include "models/towers.h"

#define START 0.02 /* standard deviation of all weights at the start */
#define TYPES 2

typedef struct {
    dip_linear query, key, value, attention, intermediate, output;
    dip_layer_norm attention_norm, output_norm;
} layer;

typedef enum { POOL_CLS, POOL_MEAN, POOL_POOLER } pooling;

typedef struct {
    dip_text_tower base;
    dip_tensor *words, *positions, *types; /* [V, W], [P, W], [2, W] */
    dip_layer_norm norm;
    layer *layers;
    int64_t depth, heads;
    dip_linear pooler; /* weight NULL unless it pools */
    pooling pool;
    double dropout, attention_dropout;
} bert;

static const char *const OPTIONS[] = {
    "width",   "depth",    "heads",     "mlp_ratio",         "dropout",
    "pooling", "norm_eps", "positions", "attention_dropout", NULL};
static const char *const POOLINGS[] = {"cls", "mean", "pooler", NULL};

static void fill_defaults(dip_text_options *o)
{
    if (o->width == 0)
        o->width = 768;
    if (o->norm_eps == 0.0)
        o->norm_eps = 1e-12;
    if (o->positions == 0)
        o->positions = o->context > 512 ? o->context : 512;
}

static dip_status check(dip_text_options *o, dip_err *err)
{
    fill_defaults(o);
    dip_encoder_options encoder = {.width = o->width,
                                   .depth = o->depth,
                                   .heads = o->heads,
                                   .mlp_ratio = o->mlp_ratio,
                                   .dropout = o->dropout,
                                   .attention_dropout = o->attention_dropout,
                                   .norm_eps = o->norm_eps};
    dip_status st = dip_encoder_check(&encoder, "text", err);
    o->depth = encoder.depth;
    o->heads = encoder.heads;
    o->mlp_ratio = encoder.mlp_ratio;
    if (st == DIP_OK)
        st = dip_option_int(o->positions, o->context, 1 << 16, "text.positions",
                            err);
    if (st == DIP_OK)
        st = dip_option_choice(&o->pooling, POOLINGS, "text.pooling", err);
    return st;
}

static dip_tensor *make_table(const dip_maker *maker, const char *name,
                              dip_param_kind kind, int64_t rows, int64_t width)
{
    dip_maker inner = dip_maker_in(maker, "%s", name);
    return dip_make_normal(&inner, "weight", kind, START, 2,
                           (int64_t[]){rows, width});
}

static dip_linear make_dense(const dip_maker *maker, const char *name,
                             int64_t in, int64_t out)
{
    dip_maker inner = dip_maker_in(maker, "%s", name);
    return (dip_linear){
        .weight = dip_make_normal(&inner, "weight", DIP_PARAM_WEIGHT, START, 2,
                                  (int64_t[]){out, in}),
        .bias = dip_make_full(&inner, "bias", DIP_PARAM_NO_DECAY, 0.0, 1, &out),
    };
}

static layer make_layer(const dip_maker *maker, const dip_text_options *o)
{
    int64_t width = o->width;
    int64_t hidden = (int64_t)((double)width * o->mlp_ratio);
    dip_maker self = dip_maker_in(maker, "attention.self");
    dip_maker attention = dip_maker_in(maker, "attention.output");
    dip_maker output = dip_maker_in(maker, "output");
    return (layer){
        .query = make_dense(&self, "query", width, width),
        .key = make_dense(&self, "key", width, width),
        .value = make_dense(&self, "value", width, width),
        .attention = make_dense(&attention, "dense", width, width),
        .attention_norm = dip_make_layer_norm_eps(&attention, "LayerNorm",
                                                  width, o->norm_eps),
        .intermediate = make_dense(maker, "intermediate.dense", width, hidden),
        .output = make_dense(&output, "dense", hidden, width),
        .output_norm =
            dip_make_layer_norm_eps(&output, "LayerNorm", width, o->norm_eps),
    };
}

static void release(dip_text_tower *tower)
{
    bert *net = (bert *)tower;
    free(net->layers);
    free(net);
}

static void make_embeddings(bert *net, const dip_text_options *o,
                            const dip_maker *maker)
{
    dip_maker inner = dip_maker_in(maker, "embeddings");
    net->words = make_table(&inner, "word_embeddings", DIP_PARAM_WEIGHT,
                            o->vocabulary, o->width);
    net->positions = make_table(&inner, "position_embeddings",
                                DIP_PARAM_NO_DECAY, o->positions, o->width);
    net->types = make_table(&inner, "token_type_embeddings", DIP_PARAM_NO_DECAY,
                            TYPES, o->width);
    net->norm =
        dip_make_layer_norm_eps(&inner, "LayerNorm", o->width, o->norm_eps);
}

static dip_text_tower *build(const dip_text_options *o, const dip_maker *maker)
{
    bert *net = dip_calloc(1, sizeof *net);
    if (!net)
        return NULL;
    net->base.kind = &dip_text_bert;
    net->base.features = o->width;
    net->depth = o->depth;
    net->heads = o->heads;
    net->dropout = o->dropout;
    net->attention_dropout = o->attention_dropout;
    net->pool = dip_option_is(o->pooling, "mean")     ? POOL_MEAN
                : dip_option_is(o->pooling, "pooler") ? POOL_POOLER
                                                      : POOL_CLS;
    net->layers = dip_calloc((size_t)o->depth, sizeof *net->layers);
    if (!net->layers) {
        release(&net->base);
        return NULL;
    }
    make_embeddings(net, o, maker);
    for (int64_t i = 0; i < o->depth; i++) {
        dip_maker inner =
            dip_maker_in(maker, "encoder.layer.%lld", (long long)i);
        net->layers[i] = make_layer(&inner, o);
    }
    if (net->pool == POOL_POOLER)
        net->pooler = make_dense(maker, "pooler.dense", o->width, o->width);
    return &net->base;
}

static dip_tensor *embed(const bert *net, const dip_tensor *ids, bool training)
{
    dip_tensor *places =
        dip_t_embedding(net->positions, dip_token_places(ids), -1);
    dip_tensor *type = dip_t_select(net->types, 0, 0);
    dip_tensor *x = dip_t_add(dip_t_embedding(net->words, ids, -1), type);
    x = dip_layer_norm_forward(&net->norm, dip_t_add(x, places));
    return dip_t_dropout(x, net->dropout, training);
}

/* norm(x + dropout(branch)) */
static dip_tensor *add_norm(const bert *net, const dip_layer_norm *norm,
                            const dip_tensor *x, const dip_tensor *branch,
                            bool training)
{
    dip_tensor *kept = dip_t_dropout(branch, net->dropout, training);
    return dip_layer_norm_forward(norm, dip_t_add(x, kept));
}

static dip_tensor *forward_layer(const bert *net, const layer *l,
                                 const dip_tensor *x, const dip_tensor *mask,
                                 bool training)
{
    dip_scope_open();
    dip_tensor *seen = dip_attend(
        dip_linear_forward(&l->query, x), dip_linear_forward(&l->key, x),
        dip_linear_forward(&l->value, x), net->heads, mask,
        training ? net->attention_dropout : 0.0, false);
    dip_tensor *y = add_norm(net, &l->attention_norm, x,
                             dip_linear_forward(&l->attention, seen), training);
    dip_tensor *hidden = dip_t_gelu(dip_linear_forward(&l->intermediate, y));
    y = add_norm(net, &l->output_norm, y,
                 dip_linear_forward(&l->output, hidden), training);
    y = dip_tensor_return(y);
    dip_scope_close();
    return y;
}

static dip_tensor *forward(const dip_text_tower *tower, const dip_tensor *ids,
                           const dip_tensor *lengths, dip_tensor **tokens,
                           bool training)
{
    const bert *net = (const bert *)tower;
    dip_tensor *mask = dip_mask_keys(dip_token_attended(ids, lengths));
    dip_tensor *x = embed(net, ids, training);
    for (int64_t i = 0; i < net->depth; i++)
        x = forward_layer(net, &net->layers[i], x, mask, training);
    if (tokens)
        *tokens = x;
    if (net->pool == POOL_MEAN)
        return dip_pool_mean(x, dip_token_mask(ids, lengths));
    dip_tensor *first = dip_t_select(x, 1, 0);
    if (net->pool == POOL_CLS)
        return first;
    return dip_t_tanh(dip_linear_forward(&net->pooler, first));
}

const dip_text_kind dip_text_bert = {
    .name = "bert",
    .summary = "transformer encoder with the parameter names of BERT",
    .options = OPTIONS,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
