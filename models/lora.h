/* Low-rank adapters (LoRA, arXiv 2106.09685): a matrix W [out, in] of a tower
 * that stays as it is, plus alpha / rank * B A with trained A [rank, in] and
 * B [out, rank], which starts at 0. They are parameters of the model, named
 * after their matrix: "….attn.in_proj_weight.lora_a" and ".lora_b".
 *
 * Towers know nothing of it: while one computes, the handle of its matrix
 * stands for the sum. */
#ifndef DIP_MODELS_LORA_H
#define DIP_MODELS_LORA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "models/layers.h"

typedef struct {
    int64_t rank; /* 0: no adapters */
    double alpha;
    double dropout; /* share of a matrix's inputs that its adapter does not see,
                       drawn once a batch; only in training */
    /* Glob patterns on names of matrices in the towers; borrowed. None: all of
     * attention and linear layers, not those of embeddings. */
    const char *const *targets;
    size_t target_count;
    /* Patterns on names of what is trained of the towers besides. */
    const char *const *train;
    size_t train_count;
} dip_lora_options;

typedef struct dip_lora dip_lora;

/* Adds the adapters to the maker's store. Nothing else of the towers is trained
 * from then on, but what options->train names. DIP_ECONFIG when a pattern fits
 * nothing. The caller owns *out. */
dip_status dip_lora_create(dip_lora **out, const dip_lora_options *options,
                           const dip_maker *root, dip_err *err) DIP_MUST_CHECK;
void dip_lora_free(dip_lora *lora); /* NULL allowed */

/* Lets the matrices below `tower` stand for their sums until dip_lora_end(),
 * which must follow in any case; NULL does nothing. Needs an open scope. */
void dip_lora_begin(dip_lora *lora, const char *tower, bool training);
void dip_lora_end(dip_lora *lora, const char *tower);

/* Adds the adapters to their matrices for good and takes them out of the
 * store. */
void dip_lora_merge(dip_lora *lora);

#endif
