#include "data/triples.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/streams.h"

struct dip_triples {
    const dip_bipartite *graph;
    dip_triple_options options;
    int32_t *drawn; /* [drawn_count] items that negatives are drawn from */
    int32_t *rank;  /* [items] how many of these are below each */
    int64_t drawn_count;
    int32_t *user;  /* [edges] of each edge */
    int64_t count;  /* edges that can be learnt */
    int64_t *order; /* [count] of the epoch */
    int64_t *batch; /* [(2 + negatives) * batch_size] */
    int64_t epoch;  /* that `order` is of; -1: none */
    int64_t next_epoch, next_batch;
};

static void list_drawn(dip_triples *t)
{
    const dip_bipartite *g = t->graph;
    for (int64_t i = 0; i < g->items; i++) {
        t->rank[i] = (int32_t)t->drawn_count;
        if (!t->options.known_items ||
            dip_bipartite_of(g, g->users + i).count > 0)
            t->drawn[t->drawn_count++] = (int32_t)i;
    }
}

/* Puts the edges that can be learnt, all those of users who lack something that
 * can be drawn, in the order of the graph; returns how many. */
static int64_t list_edges(dip_triples *t)
{
    int64_t count = 0;
    for (int64_t u = 0; u < t->graph->users; u++) {
        if (dip_bipartite_of(t->graph, u).count == t->drawn_count)
            continue;
        for (int64_t e = t->graph->offsets[u]; e < t->graph->offsets[u + 1];
             e++) {
            t->user[e] = (int32_t)u;
            t->order[count++] = e;
        }
    }
    return count;
}

dip_status dip_triples_create(dip_triples **out, const dip_bipartite *graph,
                              const dip_triple_options *options, dip_err *err)
{
    *out = NULL;
    dip_triples *t = dip_calloc(1, sizeof *t);
    size_t edges = (size_t)graph->edges, items = (size_t)graph->items, room;
    if (t == NULL || dip_mul_overflows((size_t)options->batch_size,
                                       (size_t)options->negatives + 2, &room)) {
        free(t);
        return dip_no_memory(err);
    }
    *t = (dip_triples){.graph = graph, .options = *options, .epoch = -1};
    t->user = dip_calloc(edges, sizeof *t->user);
    t->order = dip_calloc(edges, sizeof *t->order);
    t->batch = dip_calloc(room, sizeof *t->batch);
    t->drawn = dip_calloc(items, sizeof *t->drawn);
    t->rank = dip_calloc(items, sizeof *t->rank);
    if (t->user == NULL || t->order == NULL || t->batch == NULL ||
        t->drawn == NULL || t->rank == NULL) {
        dip_triples_free(t);
        return dip_no_memory(err);
    }
    list_drawn(t);
    t->count = list_edges(t);
    if (t->count == 0) {
        dip_triples_free(t);
        return dip_fail(err, DIP_EDATA, "nothing to learn from: %s",
                        graph->edges == 0
                            ? "the train split has no interactions"
                            : "all users have had all items");
    }
    *out = t;
    return DIP_OK;
}

void dip_triples_free(dip_triples *t)
{
    if (t == NULL)
        return;
    free(t->drawn);
    free(t->rank);
    free(t->user);
    free(t->order);
    free(t->batch);
    free(t);
}

int64_t dip_triples_batches(const dip_triples *t)
{
    int64_t size = t->options.batch_size;
    return t->count / size + (t->count % size > 0);
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
    t->count = list_edges(t);
    dip_rng rng = dip_rng_stream(t->options.seed, DIP_STREAM_ORDER,
                                 (uint64_t)t->epoch, 0);
    dip_rng_shuffle(&rng, t->order, t->count);
}

/* The item, as a node, that is number `r` among those that are drawn from and
 * the user has not had: as many lie below it as he has had below it, and r
 * more. What he has had is drawn from, since it has had him. */
static int64_t missing_item(const dip_triples *t, int64_t user, int64_t r)
{
    int64_t users = t->graph->users;
    dip_neighbours had = dip_bipartite_of(t->graph, user);
    int64_t low = 0, high = had.count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (t->rank[had.nodes[middle] - users] - middle > r)
            high = middle;
        else
            low = middle + 1;
    }
    return users + t->drawn[r + low];
}

static void draw_negatives(int64_t *out, const dip_triples *t, int64_t user,
                           int64_t place)
{
    int64_t had = dip_bipartite_of(t->graph, user).count;
    dip_rng rng = dip_rng_stream(t->options.seed, DIP_STREAM_NEGATIVES,
                                 (uint64_t)t->epoch, (uint64_t)place);
    for (int64_t k = 0; k < t->options.negatives; k++) {
        uint64_t r = dip_rng_below(&rng, (uint64_t)(t->drawn_count - had));
        out[k] = missing_item(t, user, (int64_t)r);
    }
}

void dip_triples_next(dip_triple_batch *out, dip_triples *t)
{
    begin_epoch(t);
    int64_t first = t->next_batch * t->options.batch_size;
    int64_t left = t->count - first, size = t->options.batch_size;
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
