/* The surroundings of some nodes of a graph, sampled: so many neighbours of
 * each, so many of theirs, and so on (Hamilton, Ying and Leskovec, "Inductive
 * representation learning on large graphs", NeurIPS 2017).
 *
 * Which neighbours are drawn is a pure function of (seed, draw, node): neither
 * the number of threads nor the order of the nodes changes it. */
#ifndef DIP_DATA_NEIGHBOUR_SAMPLER_H
#define DIP_DATA_NEIGHBOUR_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/bipartite.h"

#define DIP_HOPS_MAX   8
#define DIP_FANOUT_MAX 1024

typedef struct {
    int hops;                      /* 1 to DIP_HOPS_MAX */
    int64_t fanouts[DIP_HOPS_MAX]; /* at most so many of each node; 0: all */
    bool replace; /* as many as the fan-out of each node that has any, the same
                   * one several times */
    uint64_t seed;
} dip_neighbour_options;

/* A part of the graph. Its nodes are numbered anew by their places in `nodes`:
 * first those that were asked for, then what each hop has met first. The nodes
 * met before the last hop have neighbours: those of place p are
 * sources[offsets[p]] to sources[offsets[p + 1]], in no order that means
 * anything. */
typedef struct {
    int hops;
    int64_t counts[DIP_HOPS_MAX + 1]; /* nodes known after each hop */
    const int64_t *nodes;             /* [counts[hops]] of the graph */
    const int64_t *offsets;           /* [counts[hops - 1] + 1] */
    const int64_t *sources;           /* [offsets[counts[hops - 1]]] places */
    const int64_t *places; /* [asked for] place of each; equal ones share it */
} dip_surroundings;

typedef struct dip_neighbour_sampler dip_neighbour_sampler;

/* The graph is borrowed for the life of *out, which
 * dip_neighbour_sampler_free() ends. DIP_ERANGE for options. */
dip_status dip_neighbour_sampler_create(dip_neighbour_sampler **out,
                                        const dip_bipartite *graph,
                                        const dip_neighbour_options *options,
                                        dip_err *err) DIP_MUST_CHECK;
void dip_neighbour_sampler_free(dip_neighbour_sampler *sampler); /* or NULL */

/* The surroundings of the nodes asked for, borrowed until the next draw. `draw`
 * numbers the draws: equal ones draw the same. DIP_EDATA for a node that there
 * is not. */
dip_status dip_neighbour_sampler_draw(dip_surroundings *out,
                                      dip_neighbour_sampler *sampler,
                                      uint64_t draw, const int64_t *nodes,
                                      int64_t count,
                                      dip_err *err) DIP_MUST_CHECK;

#endif
