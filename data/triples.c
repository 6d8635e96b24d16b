#include "data/triples.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/streams.h"

struct dip_triples {
    const dip_bipartite *graph;
    dip_triple_options options;
    int32_t *user;  /* [edges] of each edge */
    int64_t *order; /* [edges] of the epoch */
    int64_t *batch; /* [(2 + negatives) * batch_size] */
    int64_t epoch;  /* that `order` is of; -1: none */
    int64_t next_epoch, next_batch;
};

static dip_status check(const dip_bipartite *graph, dip_err *err)
{
    if (graph->edges == 0)
        return dip_fail(err, DIP_EDATA, "no interaction to learn from");
    for (int64_t u = 0; u < graph->users; u++) {
        if (dip_bipartite_of(graph, u).count == graph->items)
            return dip_fail(err, DIP_EDATA,
                            "user %" PRId64 " has had all %" PRId64
                            " items: there is none that he has not",
                            u, graph->items);
    }
    return DIP_OK;
}

dip_status dip_triples_create(dip_triples **out, const dip_bipartite *graph,
                              const dip_triple_options *options, dip_err *err)
{
    *out = NULL;
    dip_status st = check(graph, err);
    if (st != DIP_OK)
        return st;
    dip_triples *t = dip_calloc(1, sizeof *t);
    size_t edges = (size_t)graph->edges, room;
    if (t == NULL || dip_mul_overflows((size_t)options->batch_size,
                                       (size_t)options->negatives + 2, &room)) {
        free(t);
        return dip_no_memory(err);
    }
    *t = (dip_triples){.graph = graph, .options = *options, .epoch = -1};
    t->user = dip_calloc(edges, sizeof *t->user);
    t->order = dip_calloc(edges, sizeof *t->order);
    t->batch = dip_calloc(room, sizeof *t->batch);
    if (t->user == NULL || t->order == NULL || t->batch == NULL) {
        dip_triples_free(t);
        return dip_no_memory(err);
    }
    for (int64_t u = 0; u < graph->users; u++) {
        for (int64_t e = graph->offsets[u]; e < graph->offsets[u + 1]; e++)
            t->user[e] = (int32_t)u;
    }
    *out = t;
    return DIP_OK;
}

void dip_triples_free(dip_triples *t)
{
    if (t == NULL)
        return;
    free(t->user);
    free(t->order);
    free(t->batch);
    free(t);
}

int64_t dip_triples_batches(const dip_triples *t)
{
    int64_t size = t->options.batch_size;
    return t->graph->edges / size + (t->graph->edges % size > 0);
}

void dip_triples_seek(dip_triples *t, int64_t epoch, int64_t batch)
{
    t->next_epoch = epoch;
    t->next_batch = batch;
}

static void begin_epoch(dip_triples *t)
{
    if (t->epoch == t->next_epoch)
        return;
    t->epoch = t->next_epoch;
    for (int64_t i = 0; i < t->graph->edges; i++)
        t->order[i] = i;
    dip_rng rng = dip_rng_stream(t->options.seed, DIP_STREAM_ORDER,
                                 (uint64_t)t->epoch, 0);
    dip_rng_shuffle(&rng, t->order, t->graph->edges);
}

/* The item, as a node, that is number `r` among those that the user has not
 * had: as many lie below it as it has had below it, and r more. */
static int64_t missing_item(const dip_bipartite *graph, int64_t user, int64_t r)
{
    dip_neighbours had = dip_bipartite_of(graph, user);
    int64_t low = 0, high = had.count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (had.nodes[middle] - graph->users - middle > r)
            high = middle;
        else
            low = middle + 1;
    }
    return graph->users + r + low;
}

static void draw_negatives(int64_t *out, const dip_triples *t, int64_t user,
                           int64_t place)
{
    int64_t had = dip_bipartite_of(t->graph, user).count;
    dip_rng rng = dip_rng_stream(t->options.seed, DIP_STREAM_NEGATIVES,
                                 (uint64_t)t->epoch, (uint64_t)place);
    for (int64_t k = 0; k < t->options.negatives; k++) {
        uint64_t r = dip_rng_below(&rng, (uint64_t)(t->graph->items - had));
        out[k] = missing_item(t->graph, user, (int64_t)r);
    }
}

void dip_triples_next(dip_triple_batch *out, dip_triples *t)
{
    begin_epoch(t);
    int64_t first = t->next_batch * t->options.batch_size;
    int64_t left = t->graph->edges - first, size = t->options.batch_size;
    size = left < size ? left : size;
    int64_t *users = t->batch, *items = users + size, *others = items + size;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < size; i++) {
        int64_t edge = t->order[first + i];
        users[i] = t->user[edge];
        items[i] = t->graph->neighbours[edge];
        draw_negatives(others + i * t->options.negatives, t, users[i],
                       first + i);
    }
    *out = (dip_triple_batch){.size = size,
                              .negative_count = t->options.negatives,
                              .epoch = t->epoch,
                              .batch = t->next_batch,
                              .users = users,
                              .items = items,
                              .negatives = others,
                              .all = users};
    if (++t->next_batch == dip_triples_batches(t)) {
        t->next_batch = 0;
        t->next_epoch++;
    }
}
