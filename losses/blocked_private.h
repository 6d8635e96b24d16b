/* What the two blocked losses share: passes over all pairs of a batch. The
 * matrix of l = scale * q . k + bias is made a chunk at a time, some items
 * against a block of queries, small enough to stay in a cache until both
 * gradients have had their share of it. */
#ifndef DIP_LOSSES_BLOCKED_PRIVATE_H
#define DIP_LOSSES_BLOCKED_PRIVATE_H

#include "losses/blocked.h"
#include "losses/positives.h"
#include "tensor/tile.h"

/* Below every l, but finite: its exponential is 0 and its sums are harmless. */
#define DIP_BLOCKED_HIDDEN (-1e30F)

typedef struct {
    dip_tensor *query_rows, *item_rows; /* contiguous, without autograd */
    const float *queries, *items;       /* their elements [N, D] */
    /* F32 [N, D], zeros at first; NULL without gradients. */
    dip_tensor *query_gradient, *item_gradient;
    dip_positive_lists right;
    double *own;  /* [N] l of own pairs, from double precision */
    double *dots; /* [width] of queries with their gradients */
    double scale, bias;
    int64_t n, dim;
    bool with_gradients; /* somebody asks for them */
    double scale_gradient, bias_gradient;

    dip_tile tile;
    int64_t lanes; /* dim rounded up to whole tiles */
    int64_t width; /* queries of a block */
    int64_t ranges, range_items;
    int64_t kept_blocks;        /* whose l are not made again */
    float *scaled, *transposed; /* of a block, in panels of lanes */
    float *last_items;          /* the last tile of items, zeros behind */
    float *kept;                /* [kept blocks, items, width] */
    /* Of each range: its chunk [chunk, width], the chunk's items in panels
     * of lanes, what its right pairs hold and its share of a block's gradient,
     * in panels too. */
    float *chunks, *panels, *aside, *shares;
} dip_blocked;

/* A piece of the matrix: x[(j - item) * row + i - query] is l of item j and
 * query i. Ranges are worked on at once; a range has its items to itself, and
 * always the same ones. */
typedef struct {
    int64_t range;
    int64_t item, items;
    int64_t query, queries;
    float *x;
    int64_t row;
    float *aside; /* [items * queries] */
} dip_blocked_chunk;

typedef struct {
    /* Sees each chunk once; where the gradients are asked for, it leaves that
     * of the loss by each l in its place. */
    void (*visit)(void *user, const dip_blocked_chunk *chunk);
    /* After all chunks of a block of queries; may be NULL. */
    void (*finish)(void *user, int64_t query, int64_t queries);
    void *user;
    bool spreads; /* adds what `visit` leaves to the gradients */
    bool keeps;   /* what it leaves of the first blocks is kept ... */
    bool again;   /* ... and used by this pass, which must be the next one */
} dip_blocked_pass;

/* False, with a sticking error, when something is amiss. In any case the
 * caller ends it with dip_blocked_end(). Turns autograd off; `before` gets how
 * it was. `twice`: there will be two passes, so that keeping helps. */
bool dip_blocked_begin(dip_blocked *b, const dip_blocked_input *input,
                       bool twice, bool *before);
void dip_blocked_run(dip_blocked *b, const dip_blocked_pass *pass);
/* The loss as a function of the inputs, in the open scope. */
dip_tensor *dip_blocked_result(const dip_blocked *b,
                               const dip_blocked_input *input, double value);
void dip_blocked_end(dip_blocked *b, bool before);

/* The right pairs of a chunk, by item, then query:
 *
 *   dip_blocked_right at = {0};
 *   while (dip_blocked_next(&at, b, chunk)) ...
 */
typedef struct {
    int64_t item, query;
    float *x;
    int64_t number;      /* from 0 */
    int64_t left, place; /* of the item's list; private */
    bool started;
} dip_blocked_right;

bool dip_blocked_next(dip_blocked_right *at, const dip_blocked *b,
                      const dip_blocked_chunk *chunk);

/* Moves the l of right pairs into chunk->aside, in that order, and hides them;
 * the second moves them back. */
void dip_blocked_set_aside(const dip_blocked *b,
                           const dip_blocked_chunk *chunk);
void dip_blocked_put_back(const dip_blocked *b, const dip_blocked_chunk *chunk);

#endif
