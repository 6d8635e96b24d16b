/* What a recommender learns from: each edge of a graph once an epoch, in a new
 * order, with items that its user has not had. The edges of a user who has had
 * all that can be drawn are left out. All drawn numbers are pure
 * functions of (seed, epoch, place in the epoch). */
#ifndef DIP_DATA_TRIPLES_H
#define DIP_DATA_TRIPLES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/bipartite.h"

typedef struct {
    int64_t batch_size; /* edges, at least 1; the last batch may have fewer */
    int64_t negatives;  /* of each edge, at least 1; drawn uniformly */
    bool known_items;   /* draw them among items that anybody has had: nobody's
                         * not having had a new one says nothing */
    uint64_t seed;
} dip_triple_options;

/* All are nodes of the graph. Borrowed until the next batch. */
typedef struct {
    int64_t size, negative_count;
    int64_t epoch, batch;     /* counted from 0 */
    const int64_t *users;     /* [size] */
    const int64_t *items;     /* [size] what they had */
    const int64_t *negatives; /* [size, negative_count] what they had not */
    const int64_t *all;       /* [(2 + negative_count) * size] these in turn */
} dip_triple_batch;

typedef struct dip_triples dip_triples;

/* The graph is borrowed for the life of *out, which dip_triples_free() ends.
 * DIP_EDATA when nothing can be learnt. */
dip_status dip_triples_create(dip_triples **out, const dip_bipartite *graph,
                              const dip_triple_options *options,
                              dip_err *err) DIP_MUST_CHECK;
void dip_triples_free(dip_triples *triples); /* NULL allowed */

int64_t dip_triples_batches(const dip_triples *triples); /* of an epoch */
/* The next batch will be this one. */
void dip_triples_seek(dip_triples *triples, int64_t epoch, int64_t batch);
void dip_triples_next(dip_triple_batch *out, dip_triples *triples);

#endif
