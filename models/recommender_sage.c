/* GraphSAGE (Hamilton, Ying and Leskovec, "Inductive representation learning on
 * large graphs", NeurIPS 2017): a layer joins what a node is with an aggregate
 * of its neighbours, W_l aggregate + W_r node, ReLU between layers. Aggregates:
 *   mean   the mean of the neighbours
 *   max    the maximum of ReLU(W neighbour + b)
 *   lstm   the last state of an LSTM over the neighbours, in the order in which
 *          they were drawn, or that of their numbers when all are taken
 * and zeros for a node without neighbours. Names of parameters are those of
 * PyTorch Geometric's SAGEConv. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "models/options.h"
#include "models/recommenders.h"

/* When all nodes are wanted: so many are computed at once, fewer where the
 * longest list of neighbours, to which an LSTM's others are padded, times the
 * nodes would pass PLACES. */
enum { BLOCK = 256, PLACES = 1 << 16 };

typedef struct {
    dip_linear neighbours, self;
    dip_linear pool;     /* max */
    dip_tensor *lstm[4]; /* lstm: as dip_t_lstm() takes them */
} sage_layer;

typedef struct {
    dip_recommender base;
    sage_layer layers[DIP_RECOMMENDER_LAYERS_MAX];
} sage;

/* For targets 0 .. count - 1, which rows of x are their neighbours. */
typedef struct {
    int64_t count;
    const int64_t *offsets; /* [count + 1] from 0 */
    const int64_t *sources; /* [offsets[count]] */
} edges;

static const char *const OPTIONS[] = {"aggregator", "normalize", "dropout",
                                      NULL};
static const char *const AGGREGATORS[] = {"mean", "max", "lstm", NULL};

static dip_status check(dip_recommender_options *o, dip_err *err)
{
    if (o->layers == 0)
        o->layers = 2;
    dip_status st =
        dip_option_choice(&o->aggregator, AGGREGATORS, "graph.aggregator", err);
    return st == DIP_OK ? dip_option_share(o->dropout, "graph.dropout", err)
                        : st;
}

/* As torch.nn.LSTM starts. */
static void make_lstm(dip_tensor **out, const dip_maker *maker, int64_t dim)
{
    static const char *const names[] = {"weight_ih_l0", "weight_hh_l0",
                                        "bias_ih_l0", "bias_hh_l0"};
    const int64_t sizes[] = {4 * dim, dim};
    double bound = 1 / sqrt((double)dim);
    for (int i = 0; i < 4; i++)
        out[i] = dip_make_uniform(maker, names[i],
                                  i < 2 ? DIP_PARAM_WEIGHT : DIP_PARAM_NO_DECAY,
                                  bound, i < 2 ? 2 : 1, sizes);
}

static dip_recommender *build(const dip_recommender_options *o,
                              const dip_maker *maker)
{
    sage *net = dip_calloc(1, sizeof *net);
    if (net == NULL)
        return NULL;
    for (int64_t l = 0; l < o->layers; l++) {
        dip_maker in = dip_maker_in(maker, "convs.%d", (int)l);
        dip_maker lstm = dip_maker_in(&in, "aggr_module.lstm");
        sage_layer *layer = &net->layers[l];
        layer->neighbours = dip_make_linear(&in, "lin_l", o->dim, o->dim, true);
        layer->self = dip_make_linear(&in, "lin_r", o->dim, o->dim, false);
        if (dip_option_is(o->aggregator, "max"))
            layer->pool = dip_make_linear(&in, "lin", o->dim, o->dim, true);
        if (dip_option_is(o->aggregator, "lstm"))
            make_lstm(layer->lstm, &lstm, o->dim);
    }
    return &net->base;
}

/* ---- aggregates: x [S, D] to [count, D] ---- */

/* Of each target's neighbours; zeros for none. */
static dip_tensor *bags(const dip_recommender *m, const dip_tensor *x,
                        const edges *e, bool maximum)
{
    dip_tensor *outs[4] = {NULL};
    const dip_arg args[] = {
        {DIP_ARG_TENSOR, .as.tensor = x},
        {DIP_ARG_TENSOR, .as.tensor = dip_recommender_index(
                             m, e->sources, e->offsets[e->count])},
        {DIP_ARG_TENSOR,
         .as.tensor = dip_recommender_index(m, e->offsets, e->count + 1)},
        {DIP_ARG_BOOL, .as.b = false},
        {DIP_ARG_INT, .as.i = maximum ? 2 : 1},
        {DIP_ARG_BOOL, .as.b = false},
        {DIP_ARG_NONE, .as.i = 0},
        {DIP_ARG_BOOL, .as.b = true}, /* the last offset is there */
    };
    dip_tensor_call(outs, 4, "aten::embedding_bag", "", args,
                    DIP_ARRAY_LEN(args));
    return outs[0];
}

static int64_t most_neighbours(const edges *e)
{
    int64_t most = 1;
    for (int64_t t = 0; t < e->count; t++) {
        int64_t n = e->offsets[t + 1] - e->offsets[t];
        most = n > most ? n : most;
    }
    return most;
}

/* Which row of x stands at each of `width` places of each target, 0 behind the
 * last, and how many places count. */
static void fill_places(int64_t *places, int64_t *lengths, const edges *e,
                        int64_t width)
{
    for (int64_t t = 0; places != NULL && lengths != NULL && t < e->count;
         t++) {
        lengths[t] = e->offsets[t + 1] - e->offsets[t];
        for (int64_t i = 0; i < width; i++)
            places[t * width + i] =
                i < lengths[t] ? e->sources[e->offsets[t] + i] : 0;
    }
}

static dip_tensor *last_states(const dip_recommender *m,
                               const sage_layer *layer, const dip_tensor *x,
                               const edges *e, bool training)
{
    const int64_t width = most_neighbours(e), all = e->count * width;
    const int64_t sizes[] = {e->count, width, m->options.dim};
    dip_tensor *places = dip_tensor_empty(DIP_I64, 1, &all);
    dip_tensor *lengths = dip_tensor_empty(DIP_I64, 1, &e->count);
    fill_places(dip_tensor_data(places), dip_tensor_data(lengths), e, width);
    dip_device device = dip_tensor_device(m->embedding);
    places = dip_t_to_device(places, device);
    lengths = dip_t_to_device(lengths, device);
    dip_tensor *inputs =
        dip_t_reshape(dip_t_index_select(x, 0, places), 3, sizes);
    dip_tensor *states =
        dip_t_lstm(inputs, layer->lstm, 4, 1, 0, training, false, NULL);
    dip_tensor *some = dip_t_unsqueeze(dip_t_gt_scalar(lengths, 0), 1);
    return dip_t_mul(dip_pool_last(states, lengths),
                     dip_t_to_dtype(some, DIP_F32));
}

static dip_tensor *aggregate(const dip_recommender *m, const sage_layer *layer,
                             const dip_tensor *x, const edges *e, bool training)
{
    const char *kind = m->options.aggregator;
    if (dip_option_is(kind, "lstm"))
        return last_states(m, layer, x, e, training);
    if (dip_option_is(kind, "mean"))
        return bags(m, x, e, false);
    return bags(m, dip_t_relu(dip_linear_forward(&layer->pool, x)), e, true);
}

/* ---- layers ---- */

/* Of the targets, which are the rows `self` [count, D] of x. */
static dip_tensor *apply(const dip_recommender *m, int64_t l,
                         const dip_tensor *x, const dip_tensor *self,
                         const edges *e, bool training)
{
    const sage_layer *layer = &((const sage *)m)->layers[l];
    bool last = l == m->options.layers - 1;
    dip_scope_open();
    dip_tensor *y =
        dip_t_add(dip_linear_forward(&layer->neighbours,
                                     aggregate(m, layer, x, e, training)),
                  dip_linear_forward(&layer->self, self));
    if (m->options.normalize)
        y = dip_t_normalize(y, 1);
    if (!last)
        y = dip_t_dropout(dip_t_relu(y), m->options.dropout, training);
    y = dip_tensor_return(y);
    dip_scope_close();
    return y;
}

/* Each layer is of the nodes that the next one needs. */
static dip_tensor *forward_part(const dip_recommender *m,
                                const dip_recommender_part *part, bool training)
{
    int64_t layers = m->options.layers;
    dip_tensor *x = dip_recommender_start(
        m, dip_recommender_index(m, part->nodes, part->counts[layers]));
    for (int64_t l = 0; l < layers; l++) {
        const edges e = {part->counts[layers - 1 - l], part->offsets,
                         part->sources};
        x = apply(m, l, x, dip_t_narrow(x, 0, 0, e.count), &e, training);
    }
    return x;
}

/* One layer of the nodes [first, first + count); `room` has space for their
 * offsets and neighbours. */
static dip_tensor *forward_block(const dip_recommender *m, int64_t l,
                                 const dip_tensor *x, int64_t first,
                                 int64_t count, int64_t *room)
{
    const int64_t *offsets = m->graph.offsets + first;
    int64_t *sources = room + count + 1;
    for (int64_t i = 0; i <= count; i++)
        room[i] = offsets[i] - offsets[0];
    for (int64_t e = 0; e < room[count]; e++)
        sources[e] = m->graph.neighbours[offsets[0] + e];
    const edges of = {count, room, sources};
    return apply(m, l, x, dip_t_narrow(x, 0, first, count), &of, false);
}

static int64_t end_of_block(const dip_recommender *m, int64_t first)
{
    const int64_t *offsets = m->graph.offsets;
    int64_t nodes = m->graph.users + m->graph.items, most = 1, end = first;
    for (; end < nodes && end - first < BLOCK; end++) {
        int64_t degree = offsets[end + 1] - offsets[end];
        most = degree > most ? degree : most;
        if (end > first && (end - first + 1) * most > PLACES)
            break;
    }
    return end;
}

/* One layer of all nodes, `out` [N, D]. */
static dip_tensor *forward_layer(const dip_recommender *m, int64_t l,
                                 const dip_tensor *x, int64_t *room)
{
    int64_t nodes = m->graph.users + m->graph.items;
    dip_tensor *out = dip_t_zeros_like(x);
    for (int64_t first = 0, end; first < nodes; first = end) {
        end = end_of_block(m, first);
        int64_t count = end - first;
        dip_scope_open();
        dip_tensor_assign(dip_t_narrow(out, 0, first, count),
                          forward_block(m, l, x, first, count, room));
        dip_scope_close();
    }
    return out;
}

/* Layer by layer: what is computed of a node serves all its neighbours. */
static dip_tensor *forward_all(const dip_recommender *m)
{
    int64_t nodes = m->graph.users + m->graph.items, most = 0;
    const int64_t *offsets = m->graph.offsets;
    for (int64_t first = 0, end; first < nodes; first = end) {
        end = end_of_block(m, first);
        int64_t n = offsets[end] - offsets[first];
        most = n > most ? n : most;
    }
    int64_t *room = dip_calloc((size_t)(most + BLOCK + 1), sizeof *room);
    if (room == NULL) {
        dip_tensor_fail(DIP_ENOMEM, "out of memory");
        return NULL;
    }
    bool before = dip_tensor_set_grad_mode(false);
    dip_tensor *x = dip_recommender_start(
        m, dip_t_to_device(dip_tensor_arange(nodes),
                           dip_tensor_device(m->embedding)));
    for (int64_t l = 0; l < m->options.layers; l++)
        x = forward_layer(m, l, x, room);
    (void)dip_tensor_set_grad_mode(before);
    free(room);
    return x;
}

static dip_tensor *forward(dip_recommender *m, const dip_recommender_part *part,
                           bool training)
{
    return part != NULL ? forward_part(m, part, training) : forward_all(m);
}

static void release(dip_recommender *m)
{
    free((sage *)m);
}

const dip_recommender_kind dip_recommender_sage = {
    .name = "sage",
    .summary = "layers that join a node with an aggregate of its neighbours",
    .options = OPTIONS,
    .sampled = true,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
