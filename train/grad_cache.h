/* Exact large batches in small memory: GradCache (arXiv 2101.06983).
 *
 * The towers see a batch a few rows at a time, first without autograd. What
 * they give is joined and made leaves, of which losses, fusion and heads are
 * computed for the whole batch; their backward leaves gradients in the leaves.
 * Then the towers see the same rows again, with autograd, and pass on these
 * gradients. Random numbers of both passes are the same: libtorch's generators
 * are seeded for each part by (seed, epoch, its first row).
 *
 * The gradients are those of the whole batch up to rounding, but for batch
 * norms that are trained: they see the statistics of the parts. Memory is that
 * of a part in the towers, of the batch in all behind them. */
#ifndef DIP_TRAIN_GRAD_CACHE_H
#define DIP_TRAIN_GRAD_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/loader.h"
#include "models/model.h"
#include "tensor/params.h"
#include "train/encode.h"

typedef struct {
    int64_t rows; /* of a part, at least 1 */
    uint64_t seed;
    bool bf16; /* the towers run under autocast */
} dip_grad_cache_options;

typedef struct dip_grad_cache dip_grad_cache;

/* `model` is borrowed. */
dip_status dip_grad_cache_create(dip_grad_cache **out, dip_model *model,
                                 const dip_grad_cache_options *options,
                                 dip_err *err) DIP_MUST_CHECK;
void dip_grad_cache_free(dip_grad_cache *cache);

/* The first pass: what dip_encode_batch() gives, as leaves, in the open scope.
 * That, the batch and what the options point to must last until
 * dip_grad_cache_backward(). Failures stick. */
dip_encoded_batch dip_grad_cache_encode(dip_grad_cache *cache,
                                        const dip_batch *batch, int text_count,
                                        const dip_encode_options *options);
/* The second pass, after the backward of a loss of these leaves: adds to the
 * gradients of the parameters. Failures stick. */
void dip_grad_cache_backward(dip_grad_cache *cache);

/* What both passes seed libtorch with for the part of a batch that begins at
 * row `first`. */
uint64_t dip_grad_cache_seed(const dip_grad_cache *cache,
                             const dip_batch *batch, int64_t first);

/* Whether any batch norm is trained; with `unlocks` also whether one that is
 * frozen now will be. */
bool dip_grad_cache_splits_norms(const dip_params *params, bool unlocks);

#endif
