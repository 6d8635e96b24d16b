#include "data/neighbour_sampler.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/streams.h"

/* An array that grows. */
typedef struct {
    int64_t *items;
    size_t capacity;
} numbers;

struct dip_neighbour_sampler {
    const dip_bipartite *graph;
    dip_neighbour_options options;
    int32_t *place; /* [nodes of the graph] among those met, or -1 */
    numbers nodes, offsets, sources, places;
    int64_t met; /* nodes */
};

dip_status dip_neighbour_sampler_create(dip_neighbour_sampler **out,
                                        const dip_bipartite *graph,
                                        const dip_neighbour_options *options,
                                        dip_err *err)
{
    *out = NULL;
    if (options->hops < 1 || options->hops > DIP_HOPS_MAX)
        return dip_fail(err, DIP_ERANGE, "%d hops are not 1 to %d",
                        options->hops, DIP_HOPS_MAX);
    for (int h = 0; h < options->hops; h++) {
        if (options->fanouts[h] < 0 || options->fanouts[h] > DIP_FANOUT_MAX)
            return dip_fail(err, DIP_ERANGE,
                            "a fan-out of %" PRId64 " is not 0 to %d",
                            options->fanouts[h], DIP_FANOUT_MAX);
    }
    dip_neighbour_sampler *s = dip_calloc(1, sizeof *s);
    if (s == NULL)
        return dip_no_memory(err);
    int64_t nodes = dip_bipartite_nodes(graph);
    s->graph = graph;
    s->options = *options;
    s->place = dip_calloc((size_t)nodes, sizeof *s->place);
    if (s->place == NULL) {
        free(s);
        return dip_no_memory(err);
    }
    for (int64_t n = 0; n < nodes; n++)
        s->place[n] = -1;
    *out = s;
    return DIP_OK;
}

void dip_neighbour_sampler_free(dip_neighbour_sampler *s)
{
    if (s == NULL)
        return;
    free(s->nodes.items);
    free(s->offsets.items);
    free(s->sources.items);
    free(s->places.items);
    free(s->place);
    free(s);
}

static dip_status make_room(numbers *n, int64_t count, dip_err *err)
{
    return dip_reserve(&n->items, &n->capacity, (size_t)count, sizeof(int64_t),
                       err);
}

/* The place of a node; it is met now if it was not before. There is room. */
static int64_t meet(dip_neighbour_sampler *s, int64_t node)
{
    if (s->place[node] < 0) {
        s->place[node] = (int32_t)s->met;
        s->nodes.items[s->met++] = node;
    }
    return s->place[node];
}

static void forget_all(dip_neighbour_sampler *s)
{
    for (int64_t i = 0; i < s->met; i++)
        s->place[s->nodes.items[i]] = -1;
    s->met = 0;
}

static dip_status meet_asked(dip_neighbour_sampler *s, const int64_t *nodes,
                             int64_t count, dip_err *err)
{
    int64_t all = dip_bipartite_nodes(s->graph);
    dip_status st = make_room(&s->nodes, count, err);
    if (st == DIP_OK)
        st = make_room(&s->places, count, err);
    for (int64_t i = 0; i < count && st == DIP_OK; i++) {
        if (nodes[i] < 0 || nodes[i] >= all)
            st = dip_fail(err, DIP_EDATA, "node %" PRId64 " of %" PRId64,
                          nodes[i], all);
        else
            s->places.items[i] = meet(s, nodes[i]);
    }
    return st;
}

/* How many neighbours are drawn of so many. */
static int64_t drawn_of(int64_t degree, int64_t fanout, bool replace)
{
    if (fanout == 0 || degree == 0 || (!replace && degree < fanout))
        return degree;
    return fanout;
}

static bool holds(const int64_t *items, int64_t count, int64_t item)
{
    for (int64_t i = 0; i < count; i++) {
        if (items[i] == item)
            return true;
    }
    return false;
}

/* Uniform in [0, n), without bias and mostly without a division (Lemire, "Fast
 * random integer generation in an interval", ACM TOMACS 2019). */
static uint32_t draw_below(dip_rng *rng, uint32_t n)
{
    uint64_t product = (uint64_t)dip_rng_u32(rng) * n;
    if ((uint32_t)product < n) {
        uint32_t excess = (0 - n) % n; /* 2^32 mod n */
        while ((uint32_t)product < excess)
            product = (uint64_t)dip_rng_u32(rng) * n;
    }
    return (uint32_t)(product >> 32);
}

/* Draws `count` of the neighbours into `out`. Without replacement it is Floyd's
 * method (Bentley and Floyd, "A sample of brilliance", CACM 1987): a subset of
 * each size is equally likely, and nothing is drawn twice. */
static void draw_neighbours(int64_t *out, int64_t count,
                            const dip_neighbours *of, bool replace,
                            dip_rng *rng)
{
    if (count == of->count && !replace) {
        for (int64_t i = 0; i < count; i++)
            out[i] = of->nodes[i];
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        int64_t last = replace ? of->count - 1 : of->count - count + i;
        int64_t node = of->nodes[draw_below(rng, (uint32_t)last + 1)];
        if (!replace && holds(out, i, node))
            node = of->nodes[last];
        out[i] = node;
    }
}

/* Where the neighbours of the places [first, s->met) will stand. */
static dip_status lay_out(dip_neighbour_sampler *s, int64_t first,
                          int64_t fanout, dip_err *err)
{
    dip_status st = make_room(&s->offsets, s->met + 1, err);
    if (st != DIP_OK)
        return st;
    int64_t *offsets = s->offsets.items;
    if (first == 0)
        offsets[0] = 0;
    for (int64_t p = first; p < s->met; p++) {
        int64_t degree = dip_bipartite_of(s->graph, s->nodes.items[p]).count;
        offsets[p + 1] =
            offsets[p] + drawn_of(degree, fanout, s->options.replace);
    }
    st = make_room(&s->sources, offsets[s->met], err);
    return st == DIP_OK
               ? make_room(&s->nodes, s->met + offsets[s->met] - offsets[first],
                           err)
               : st;
}

/* The neighbours of the places from `first` on: all threads draw, one numbers
 * what was drawn. */
static dip_status hop(dip_neighbour_sampler *s, uint64_t draw, int64_t first,
                      int64_t fanout, dip_err *err)
{
    int64_t end = s->met;
    dip_status st = lay_out(s, first, fanout, err);
    if (st != DIP_OK)
        return st;
    const int64_t *offsets = s->offsets.items;
    int64_t *sources = s->sources.items;
    bool replace = s->options.replace && fanout > 0;
#pragma omp parallel for schedule(dynamic, 256)
    for (int64_t p = first; p < end; p++) {
        int64_t node = s->nodes.items[p];
        dip_neighbours of = dip_bipartite_of(s->graph, node);
        dip_rng rng = dip_rng_stream(s->options.seed, DIP_STREAM_NEIGHBOURS,
                                     draw, (uint64_t)node);
        draw_neighbours(sources + offsets[p], offsets[p + 1] - offsets[p], &of,
                        replace, &rng);
    }
    for (int64_t e = offsets[first]; e < offsets[end]; e++)
        sources[e] = meet(s, sources[e]);
    return DIP_OK;
}

dip_status dip_neighbour_sampler_draw(dip_surroundings *out,
                                      dip_neighbour_sampler *s, uint64_t draw,
                                      const int64_t *nodes, int64_t count,
                                      dip_err *err)
{
    *out = (dip_surroundings){.hops = s->options.hops};
    forget_all(s);
    dip_status st = meet_asked(s, nodes, count, err);
    int64_t first = 0;
    for (int h = 0; h < s->options.hops && st == DIP_OK; h++) {
        out->counts[h] = s->met;
        st = hop(s, draw, first, s->options.fanouts[h], err);
        first = out->counts[h];
    }
    if (st != DIP_OK)
        return st;
    out->counts[s->options.hops] = s->met;
    out->nodes = s->nodes.items;
    out->offsets = s->offsets.items;
    out->sources = s->sources.items;
    out->places = s->places.items;
    return DIP_OK;
}
