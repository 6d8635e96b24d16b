/* LightGCN (He et al., "LightGCN: simplifying and powering graph convolution
 * network for recommendation", SIGIR 2020): each layer is the sum of the
 * neighbours over the square roots of both degrees, and an embedding the mean
 * of all layers, what it starts from included. Nothing but the start is learnt.
 */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "models/recommenders.h"

typedef struct {
    dip_recommender base;
    dip_tensor *spread; /* [N, N] sparse; made at the first use, kept */
} lightgcn;

static const char *const OPTIONS[] = {NULL};

static dip_status check(dip_recommender_options *o, dip_err *err)
{
    (void)err;
    if (o->layers == 0)
        o->layers = 3;
    return DIP_OK;
}

static dip_recommender *build(const dip_recommender_options *o,
                              const dip_maker *maker)
{
    (void)o;
    (void)maker;
    lightgcn *net = dip_calloc(1, sizeof *net);
    return net != NULL ? &net->base : NULL;
}

/* 1 / sqrt(degree a * degree b) of each edge, in the order of the edges. */
static dip_tensor *edge_weights(const dip_recommender_graph *g)
{
    int64_t n = g->users + g->items, edges = g->offsets[n];
    dip_tensor *weights = dip_tensor_empty(DIP_F32, 1, &edges);
    float *w = dip_tensor_data(weights);
    for (int64_t a = 0; a < n && w != NULL; a++) {
        double degree = (double)(g->offsets[a + 1] - g->offsets[a]);
        for (int64_t e = g->offsets[a]; e < g->offsets[a + 1]; e++) {
            int64_t b = g->neighbours[e];
            double other = (double)(g->offsets[b + 1] - g->offsets[b]);
            w[e] = (float)(1 / sqrt(degree * other));
        }
    }
    return weights;
}

static dip_tensor *make_spread(const dip_recommender *m)
{
    const dip_recommender_graph *g = &m->graph;
    const int64_t n = g->users + g->items, rows = n + 1;
    dip_tensor *ends = dip_tensor_from(g->offsets, DIP_I64, 1, &rows);
    dip_tensor *columns =
        dip_tensor_from(g->neighbours, DIP_I32, 1, &g->offsets[n]);
    dip_tensor *spread = dip_tensor_sparse(
        ends, dip_t_to_dtype(columns, DIP_I64), edge_weights(g), n);
    return dip_t_to_device(spread, dip_tensor_device(m->embedding));
}

static dip_tensor *forward(dip_recommender *m, const dip_recommender_part *part,
                           bool training)
{
    (void)part; /* always NULL: the kind is not sampled */
    (void)training;
    lightgcn *net = (lightgcn *)m;
    if (net->spread == NULL)
        net->spread = dip_tensor_keep(make_spread(m));
    dip_tensor *x = dip_recommender_start(
        m, dip_t_to_device(dip_tensor_arange(m->graph.users + m->graph.items),
                           dip_tensor_device(m->embedding)));
    dip_tensor *sum = x;
    for (int64_t l = 0; l < m->options.layers; l++) {
        x = dip_t_matmul(net->spread, x);
        sum = dip_t_add(sum, x);
    }
    return dip_t_mul_scalar(sum, 1 / ((double)m->options.layers + 1));
}

static void release(dip_recommender *m)
{
    lightgcn *net = (lightgcn *)m;
    dip_tensor_free(net->spread);
    free(net);
}

const dip_recommender_kind dip_recommender_lightgcn = {
    .name = "lightgcn",
    .summary = "means of what spreads over the graph, without weights",
    .options = OPTIONS,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
