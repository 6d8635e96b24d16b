/* What contrastive losses share: the rows that count, and the batch as seen
 * from one side, N anchors against M candidates.
 *
 * All follows tensor/tensor.h; results are in the open scope. */
#ifndef DIP_LOSSES_CONTRAST_H
#define DIP_LOSSES_CONTRAST_H

#include "losses/loss.h"

#define DIP_MASKED (-1e30) /* finite, so that no gradient becomes NaN */

/* A dip_loss_input without the rows that are not valid. */
typedef struct {
    dip_tensor *queries, *items; /* F32 [N, D] */
    dip_tensor *scale;           /* F32, one number */
    dip_tensor *bias;            /* F32, one number, or NULL */
    dip_tensor *positives;       /* BOOL [N, N] or NULL = the diagonal */
    dip_tensor *keys;            /* I64 [N, K] or NULL */
    dip_tensor *weights;         /* F32 [N] or NULL */
    dip_tensor *scores;          /* F32 [N] or NULL */
    dip_tensor *past_queries, *past_items; /* F32 [Q, D] or NULL */
    dip_tensor *past_hidden;               /* BOOL [N, Q] or NULL */
    bool lifted;
} dip_rows;

/* The past stands behind the batch's own candidates: M = N + Q. */
typedef struct {
    dip_tensor *dots;      /* F32 [N, M] products of rows, not yet scaled */
    dip_tensor *positives; /* BOOL [N, M] */
    dip_tensor *own;       /* BOOL [N, M]: the pair of the same row */
    dip_tensor *hidden;    /* BOOL [N, M] neither right nor wrong, or NULL */
} dip_direction;

dip_direction dip_direction_ahead(const dip_rows *rows); /* queries anchor */
dip_direction dip_direction_back(const dip_rows *rows);  /* items anchor */

/* BOOL: a or b; each may be NULL = nowhere. */
dip_tensor *dip_either(const dip_tensor *a, const dip_tensor *b);
/* BOOL [n, n]: the diagonal, on the device of `like`. */
dip_tensor *dip_diagonal(int64_t n, const dip_tensor *like);
/* The places where `mask` is true: int64 [count, dimensions of mask]. */
dip_tensor *dip_places(const dip_tensor *mask);
/* Mean of [N], or the weighted mean; the weights may all be zero. */
dip_tensor *dip_mean_anchors(const dip_tensor *losses,
                             const dip_tensor *weights);
/* scale * dots + bias. */
dip_tensor *dip_logits(const dip_tensor *dots, const dip_rows *rows);
/* InfoNCE of each anchor, [N]; reads positives and label_smoothing. */
dip_tensor *dip_infonce_anchors(const dip_direction *direction,
                                const dip_rows *rows,
                                const dip_loss_options *options);

typedef dip_tensor *(*dip_direction_fn)(const dip_direction *direction,
                                        const dip_rows *rows,
                                        const dip_loss_options *options);
/* The mean of both directions' results, or the first's with one_way. */
dip_tensor *dip_both_ways(const dip_rows *rows, const dip_loss_options *options,
                          dip_direction_fn fn);

typedef dip_tensor *(*dip_rows_fn)(const dip_rows *rows,
                                   const dip_loss_options *options);
/* Takes the valid rows, in F32 with autocast off, and returns fn of them: zero
 * when there are none. */
dip_tensor *dip_contrast(const dip_loss_input *input,
                         const dip_loss_options *options, dip_rows_fn fn);

#endif
