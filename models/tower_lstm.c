/* LSTM with torch.nn.LSTM's parameter names. The backward direction reads each
 * text reversed within its own length, so that padding stays behind it and
 * changes nothing, as with PyTorch's packed sequences. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "models/options.h"
#include "models/towers.h"

#define LAYERS_MAX 8

typedef struct {
    dip_tensor *weights[4]; /* w_ih, w_hh, b_ih, b_hh */
} direction;

typedef struct {
    dip_text_tower base;
    dip_tensor *embedding; /* [V, W] */
    direction layers[LAYERS_MAX][2];
    int64_t depth;
    int directions;
    double dropout;
    const char *pooling; /* static */
} lstm;

static const char *const OPTIONS[] = {"width",   "depth",         "dropout",
                                      "pooling", "bidirectional", NULL};
static const char *const POOLINGS[] = {"mean", "max", "last", NULL};

static dip_status check(dip_text_options *o, dip_err *err)
{
    if (o->width == 0)
        o->width = 256;
    if (o->depth == 0)
        o->depth = 1;
    dip_status st = dip_option_int(o->width, 1, 8192, "text.width", err);
    if (st == DIP_OK)
        st = dip_option_int(o->depth, 1, LAYERS_MAX, "text.depth", err);
    if (st == DIP_OK)
        st = dip_option_share(o->dropout, "text.dropout", err);
    if (st == DIP_OK)
        st = dip_option_choice(&o->pooling, POOLINGS, "text.pooling", err);
    return st;
}

static direction make_direction(const dip_maker *maker, const char *suffix,
                                int64_t in, int64_t hidden)
{
    static const char *const NAMES[4] = {"weight_ih", "weight_hh", "bias_ih",
                                         "bias_hh"};
    double bound = 1.0 / sqrt((double)hidden);
    direction d = {0};
    for (int i = 0; i < 4; i++) {
        /* The path of a maker is the name that is wanted. */
        dip_maker name = {0};
        name = dip_maker_in(&name, "%s_%s", NAMES[i], suffix);
        int64_t sizes[2] = {4 * hidden, i == 0 ? in : hidden};
        d.weights[i] = dip_make_uniform(
            maker, name.path, i < 2 ? DIP_PARAM_WEIGHT : DIP_PARAM_NO_DECAY,
            bound, i < 2 ? 2 : 1, sizes);
    }
    return d;
}

static dip_text_tower *build(const dip_text_options *o, const dip_maker *maker)
{
    lstm *net = dip_calloc(1, sizeof *net);
    if (!net)
        return NULL;
    net->base.kind = &dip_text_lstm;
    net->depth = o->depth;
    net->directions = o->bidirectional ? 2 : 1;
    net->dropout = o->dropout;
    net->base.features = o->width * net->directions;
    for (int i = 0; POOLINGS[i]; i++)
        if (dip_option_is(o->pooling, POOLINGS[i]))
            net->pooling = POOLINGS[i];
    net->embedding = dip_make_embedding(maker, o->vocabulary, o->width);
    dip_maker inner = dip_maker_in(maker, "lstm");
    int64_t in = o->width;
    for (int64_t i = 0; i < o->depth; i++) {
        char suffix[] = "l0_reverse";
        suffix[1] = (char)('0' + i);
        net->layers[i][1] = net->directions == 2
                                ? make_direction(&inner, suffix, in, o->width)
                                : (direction){0};
        suffix[2] = '\0';
        net->layers[i][0] = make_direction(&inner, suffix, in, o->width);
        in = o->width * net->directions;
    }
    return &net->base;
}

/* Indices [B, T] that reverse each row within its length; padding stays. */
static dip_tensor *reversal(const dip_tensor *ids, const dip_tensor *lengths)
{
    dip_tensor *place = dip_token_places(ids);
    dip_tensor *left = dip_t_sub(dip_t_unsqueeze(lengths, 1), place);
    dip_tensor *mirrored = dip_t_sub(left, dip_tensor_scalar(1.0, DIP_I64));
    return dip_t_where(dip_t_gt_scalar(left, 0.0), mirrored, place);
}

static dip_tensor *reverse(const dip_tensor *x, const dip_tensor *order)
{
    int64_t sizes[3] = {-1, -1, dip_tensor_size(x, 2)};
    return dip_t_gather(x, 1,
                        dip_t_expand(dip_t_unsqueeze(order, 2), 3, sizes));
}

static dip_tensor *run_direction(const direction *d, const dip_tensor *x)
{
    return dip_t_lstm(x, d->weights, 4, 1, 0.0, false, false, NULL);
}

static dip_tensor *run_layers(const lstm *net, dip_tensor *x,
                              const dip_tensor *order, bool training)
{
    for (int64_t i = 0; i < net->depth; i++) {
        if (i > 0)
            x = dip_t_dropout(x, net->dropout, training);
        dip_tensor *ahead = run_direction(&net->layers[i][0], x);
        if (net->directions == 1) {
            x = ahead;
            continue;
        }
        dip_tensor *back = run_direction(&net->layers[i][1], reverse(x, order));
        x = dip_t_cat((dip_tensor *[]){ahead, reverse(back, order)}, 2, -1);
    }
    return x;
}

/* The last state of either direction: the backward one ends at token 0. */
static dip_tensor *pool_last_states(const lstm *net, const dip_tensor *x,
                                    const dip_tensor *lengths)
{
    if (net->directions == 1)
        return dip_pool_last(x, lengths);
    dip_tensor *parts[2] = {0};
    dip_t_chunk(parts, x, 2, -1);
    parts[0] = dip_pool_last(parts[0], lengths);
    parts[1] = dip_t_select(parts[1], 1, 0);
    return dip_t_cat(parts, 2, -1);
}

static dip_tensor *forward(const dip_text_tower *tower, const dip_tensor *ids,
                           const dip_tensor *lengths, dip_tensor **tokens,
                           bool training)
{
    const lstm *net = (const lstm *)tower;
    dip_tensor *order = reversal(ids, lengths);
    dip_tensor *x = dip_t_embedding(net->embedding, ids, 0);
    x = run_layers(net, x, order, training);
    if (tokens)
        *tokens = x;
    if (dip_option_is(net->pooling, "last"))
        return pool_last_states(net, x, lengths);
    dip_tensor *mask = dip_token_mask(ids, lengths);
    if (dip_option_is(net->pooling, "max"))
        return dip_pool_max(x, mask);
    return dip_pool_mean(x, mask);
}

static void release(dip_text_tower *tower)
{
    free(tower);
}

const dip_text_kind dip_text_lstm = {
    .name = "lstm",
    .summary = "recurrent network with torch.nn.LSTM's parameter names",
    .options = OPTIONS,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
