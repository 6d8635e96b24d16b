/* Who had what, as a graph of two sides: users 0 .. U - 1 and, behind them,
 * items U .. U + I - 1 as nodes of one numbering. Each edge stands in the
 * neighbours of both its ends (CSR in both directions). */
#ifndef DIP_DATA_BIPARTITE_H
#define DIP_DATA_BIPARTITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/catalog.h"

typedef struct {
    int64_t user, item; /* each counted from 0 on its own side */
} dip_edge;

typedef struct {
    int64_t users, items;
    int64_t edges;       /* distinct ones */
    int64_t duplicates;  /* pairs that were there before, merged */
    int64_t *offsets;    /* [users + items + 1], from 0 to 2 * edges */
    int32_t *neighbours; /* [2 * edges] nodes, ascending for each node */
} dip_bipartite;

/* Neighbours of a node; borrowed. */
typedef struct {
    const int32_t *nodes;
    int64_t count;
} dip_neighbours;

/* Equal pairs are one edge; users and items without any are nodes all the same.
 * DIP_ERANGE when there are more nodes than 32 bits count, DIP_EDATA, naming
 * the pair, for a user or an item that there is not. The caller ends *out with
 * dip_bipartite_free(); on failure it is empty. */
dip_status dip_bipartite_build(dip_bipartite *out, int64_t users, int64_t items,
                               const dip_edge *pairs, int64_t count,
                               dip_err *err) DIP_MUST_CHECK;
#define DIP_SPLIT_BIT(split) (1u << (split))

/* The interactions of some splits of the catalog, DIP_SPLIT_BIT() of each; its
 * rows are the items. */
dip_status dip_bipartite_of_catalog(dip_bipartite *out,
                                    const dip_catalog *catalog, unsigned splits,
                                    dip_err *err) DIP_MUST_CHECK;
void dip_bipartite_free(dip_bipartite *graph);

int64_t dip_bipartite_nodes(const dip_bipartite *graph);
/* `node` is in [0, nodes). */
dip_neighbours dip_bipartite_of(const dip_bipartite *graph, int64_t node);
/* Whether the user, counted from 0, had the item, counted from 0. */
bool dip_bipartite_has(const dip_bipartite *graph, int64_t user, int64_t item);

#endif
