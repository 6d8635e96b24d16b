/* LSTM and GRU (arXiv 1406.1078) with the parameter names of torch.nn. The
 * backward direction reads each text reversed within its own length, so that
 * padding stays behind it and changes nothing, as with PyTorch's packed
 * sequences. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "models/options.h"
#include "models/towers.h"
#include "models/words.h"

#define LAYERS_MAX 8

/* One layer in one direction over x [B, T, in]: [B, T, hidden]. `weights` are
 * w_ih, w_hh, b_ih, b_hh. */
typedef dip_tensor *(*run_fn)(const dip_tensor *x, dip_tensor *const *weights);

typedef struct {
    const dip_text_kind *kind;
    int64_t gates;
    run_fn run;
} cell;

typedef struct {
    dip_tensor *weights[4];
} direction;

typedef struct recurrent recurrent;
/* x [B, T, F], mask BOOL [B, T] to [B, F] */
typedef dip_tensor *(*pool_fn)(const recurrent *net, const dip_tensor *x,
                               const dip_tensor *mask,
                               const dip_tensor *lengths);

struct recurrent {
    dip_text_tower base;
    dip_words words; /* of token_width */
    direction layers[LAYERS_MAX][2];
    int64_t depth;
    int directions;
    double dropout;
    run_fn run;
    pool_fn pool;
    dip_linear hidden, score; /* of the attention */
};

static dip_tensor *run_lstm(const dip_tensor *x, dip_tensor *const *weights)
{
    return dip_t_lstm(x, weights, 4, 1, 0.0, false, false, NULL);
}

/* The zero state is made from x, since a size would stay in a trace. */
static dip_tensor *run_gru(const dip_tensor *x, dip_tensor *const *weights)
{
    dip_tensor *column = dip_t_narrow(dip_t_select(x, 1, 0), 1, 0, 1);
    int64_t sizes[3] = {1, -1, dip_tensor_size(weights[1], 1)};
    dip_tensor *state = dip_t_unsqueeze(dip_t_zeros_like(column), 0);
    state = dip_t_contiguous(dip_t_expand(state, 3, sizes));
    dip_arg args[] = {
        {.kind = DIP_ARG_TENSOR, .as.tensor = x},
        {.kind = DIP_ARG_TENSOR, .as.tensor = state},
        {.kind = DIP_ARG_TENSOR_LIST, .as.tensors = {weights, 4}},
        {.kind = DIP_ARG_BOOL, .as.b = true},  /* has_biases */
        {.kind = DIP_ARG_INT, .as.i = 1},      /* num_layers */
        {.kind = DIP_ARG_FLOAT, .as.f = 0.0},  /* dropout */
        {.kind = DIP_ARG_BOOL, .as.b = false}, /* train */
        {.kind = DIP_ARG_BOOL, .as.b = false}, /* bidirectional */
        {.kind = DIP_ARG_BOOL, .as.b = true},  /* batch_first */
    };
    dip_tensor *out = NULL;
    dip_tensor_call(&out, 1, "aten::gru", "input", args,
                    (int)DIP_ARRAY_LEN(args));
    return out;
}

static dip_tensor *pool_mean(const recurrent *net, const dip_tensor *x,
                             const dip_tensor *mask, const dip_tensor *lengths)
{
    (void)net, (void)lengths;
    return dip_pool_mean(x, mask);
}

static dip_tensor *pool_max(const recurrent *net, const dip_tensor *x,
                            const dip_tensor *mask, const dip_tensor *lengths)
{
    (void)net, (void)lengths;
    return dip_pool_max(x, mask);
}

/* The last state of either direction: the backward one ends at token 0. */
static dip_tensor *pool_last(const recurrent *net, const dip_tensor *x,
                             const dip_tensor *mask, const dip_tensor *lengths)
{
    (void)mask;
    if (net->directions == 1)
        return dip_pool_last(x, lengths);
    dip_tensor *parts[2] = {0};
    dip_t_chunk(parts, x, 2, -1);
    parts[0] = dip_pool_last(parts[0], lengths);
    parts[1] = dip_t_select(parts[1], 1, 0);
    return dip_t_cat(parts, 2, -1);
}

/* Word attention of Yang et al., "Hierarchical attention networks for document
 * classification" (NAACL 2016): softmax of a learned score of each state. */
static dip_tensor *pool_attention(const recurrent *net, const dip_tensor *x,
                                  const dip_tensor *mask,
                                  const dip_tensor *lengths)
{
    (void)lengths;
    const double below_all = -1e30; /* finite, for texts without tokens */
    dip_tensor *outside = dip_t_unsqueeze(dip_t_logical_not(mask), 2);
    dip_tensor *score = dip_linear_forward(
        &net->score, dip_t_tanh(dip_linear_forward(&net->hidden, x)));
    dip_tensor *share =
        dip_t_softmax(dip_t_masked_fill(score, outside, below_all), 1);
    return dip_t_sum(dip_t_mul(x, share), 1, false);
}

static const char *const OPTIONS[] = {
    "width",         "depth",           "dropout",         "pooling",
    "bidirectional", DIP_WORDS_OPTIONS, DIP_NGRAM_OPTIONS, NULL};
static const char *const POOLINGS[] = {"mean", "max", "last", "attention",
                                       NULL};
static const pool_fn POOL[] = {pool_mean, pool_max, pool_last, pool_attention};

static dip_status check(dip_text_options *o, dip_err *err)
{
    if (o->width == 0)
        o->width = 256;
    if (o->token_width == 0)
        o->token_width = o->width;
    if (o->depth == 0)
        o->depth = 1;
    dip_status st = dip_words_check(o, err);
    if (st == DIP_OK)
        st = dip_option_int(o->width, 1, 8192, "text.width", err);
    if (st == DIP_OK)
        st = dip_option_int(o->depth, 1, LAYERS_MAX, "text.depth", err);
    if (st == DIP_OK)
        st = dip_option_share(o->dropout, "text.dropout", err);
    if (st == DIP_OK)
        st = dip_option_choice(&o->pooling, POOLINGS, "text.pooling", err);
    return st;
}

static direction make_direction(const dip_maker *maker, const char *suffix,
                                int64_t gates, int64_t in, int64_t hidden)
{
    static const char *const NAMES[4] = {"weight_ih", "weight_hh", "bias_ih",
                                         "bias_hh"};
    double bound = 1.0 / sqrt((double)hidden);
    direction d = {0};
    for (int i = 0; i < 4; i++) {
        /* The path of a maker is the name that is wanted. */
        dip_maker name = {0};
        name = dip_maker_in(&name, "%s_%s", NAMES[i], suffix);
        int64_t sizes[2] = {gates * hidden, i == 0 ? in : hidden};
        d.weights[i] = dip_make_uniform(
            maker, name.path, i < 2 ? DIP_PARAM_WEIGHT : DIP_PARAM_NO_DECAY,
            bound, i < 2 ? 2 : 1, sizes);
    }
    return d;
}

static void make_layers(recurrent *net, const dip_text_options *o,
                        const dip_maker *maker, int64_t gates)
{
    int64_t in = o->token_width;
    for (int64_t i = 0; i < o->depth; i++) {
        char suffix[] = "l0_reverse";
        suffix[1] = (char)('0' + i);
        if (net->directions == 2)
            net->layers[i][1] =
                make_direction(maker, suffix, gates, in, o->width);
        suffix[2] = '\0';
        net->layers[i][0] = make_direction(maker, suffix, gates, in, o->width);
        in = o->width * net->directions;
    }
}

static void make_attention(recurrent *net, const dip_maker *maker)
{
    int64_t width = net->base.features;
    dip_maker inner = dip_maker_in(maker, "attention");
    net->hidden = dip_make_linear(&inner, "hidden", width, width, true);
    net->score = dip_make_linear(&inner, "score", width, 1, false);
}

static dip_text_tower *build(const dip_text_options *o, const dip_maker *maker,
                             const cell *c)
{
    recurrent *net = dip_calloc(1, sizeof *net);
    if (!net)
        return NULL;
    net->base.kind = c->kind;
    net->depth = o->depth;
    net->directions = o->bidirectional ? 2 : 1;
    net->base.features = o->width * net->directions;
    net->dropout = o->dropout;
    net->run = c->run;
    for (int i = 0; POOLINGS[i]; i++)
        if (dip_option_is(o->pooling, POOLINGS[i]))
            net->pool = POOL[i];
    net->words = dip_make_words(maker, o, o->token_width);
    dip_maker inner = dip_maker_in(maker, "%s", c->kind->name);
    make_layers(net, o, &inner, c->gates);
    if (net->pool == pool_attention)
        make_attention(net, maker);
    return &net->base;
}

static dip_text_tower *build_lstm(const dip_text_options *o,
                                  const dip_maker *maker)
{
    return build(o, maker, &(cell){&dip_text_lstm, 4, run_lstm});
}

static dip_text_tower *build_gru(const dip_text_options *o,
                                 const dip_maker *maker)
{
    return build(o, maker, &(cell){&dip_text_gru, 3, run_gru});
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

static dip_tensor *run_layers(const recurrent *net, dip_tensor *x,
                              const dip_tensor *order, bool training)
{
    for (int64_t i = 0; i < net->depth; i++) {
        const direction *layer = net->layers[i];
        if (i > 0)
            x = dip_t_dropout(x, net->dropout, training);
        dip_tensor *ahead = net->run(x, layer[0].weights);
        if (net->directions == 1) {
            x = ahead;
            continue;
        }
        dip_tensor *back = net->run(reverse(x, order), layer[1].weights);
        x = dip_t_cat((dip_tensor *[]){ahead, reverse(back, order)}, 2, -1);
    }
    return x;
}

static dip_tensor *forward(const dip_text_tower *tower, const dip_tensor *ids,
                           const dip_tensor *lengths, dip_tensor **tokens,
                           bool training)
{
    const recurrent *net = (const recurrent *)tower;
    dip_tensor *x = dip_words_forward(&net->words, ids, 0, training);
    x = run_layers(net, x, reversal(ids, lengths), training);
    if (tokens)
        *tokens = x;
    return net->pool(net, x, dip_token_mask(ids, lengths), lengths);
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
    .build = build_lstm,
    .forward = forward,
    .free = release,
};

const dip_text_kind dip_text_gru = {
    .name = "gru",
    .summary = "recurrent network with torch.nn.GRU's parameter names",
    .options = OPTIONS,
    .check = check,
    .build = build_gru,
    .forward = forward,
    .free = release,
};
