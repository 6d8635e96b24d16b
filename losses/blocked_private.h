/* What the two blocked losses share. */
#ifndef DIP_LOSSES_BLOCKED_PRIVATE_H
#define DIP_LOSSES_BLOCKED_PRIVATE_H

#include "losses/blocked.h"
#include "losses/positives.h"

typedef struct {
    dip_tensor *queries, *items; /* contiguous, without autograd */
    dip_tensor *block;           /* F32 [rows of a block, N] */
    /* F32 [kept_rows, N]: the first products, whole blocks of them, which are
     * not made again; NULL = none. */
    dip_tensor *kept;
    dip_tensor *query_gradient, *item_gradient; /* F32 [N, D], zeros */
    dip_positive_lists right;
    float scale, bias;
    int64_t n, block_rows, kept_rows;
    bool with_gradients; /* somebody asks for them */
    double scale_gradient, bias_gradient;
} dip_blocked;

/* False, with a sticking error, when something is amiss. In any case the
 * caller ends it with dip_blocked_end(). Turns autograd off; `before` gets how
 * it was. */
bool dip_blocked_begin(dip_blocked *b, const dip_blocked_input *input,
                       bool *before);
/* Makes room for products that are read twice, where they are asked for. */
void dip_blocked_keep(dip_blocked *b);
/* Products of queries [first, first + rows), a block, with all items; their
 * elements [rows, N], NULL when an error sticks. */
float *dip_blocked_products(const dip_blocked *b, int64_t first, int64_t rows);
/* The same again: kept ones are as the caller left them. */
float *dip_blocked_products_again(const dip_blocked *b, int64_t first,
                                  int64_t rows);
/* Adds the share of a block, which by now holds the loss's gradient in the
 * products, to the gradients of queries and items. */
void dip_blocked_spread(const dip_blocked *b, int64_t first, int64_t rows);
/* The loss as a function of the inputs, in the open scope. */
dip_tensor *dip_blocked_result(const dip_blocked *b,
                               const dip_blocked_input *input, double value);
void dip_blocked_end(dip_blocked *b, bool before);

#endif
