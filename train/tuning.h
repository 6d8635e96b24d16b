/* What is trained of a model, and how fast: freezing by name, rates by tower
 * and by depth. */
#ifndef DIP_TRAIN_TUNING_H
#define DIP_TRAIN_TUNING_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/params.h"

/* All zero: everything is trained at one rate. */
typedef struct {
    /* Towers ("image", "text") or glob patterns on names of parameters;
     * borrowed. */
    const char *const *freeze;
    size_t freeze_count;
    int64_t unlock_after; /* updates after which they are trained; 0: never */
    /* Factor of the rate from a block of a tower to the one below it, as in
     * BEiT (arXiv 2106.08254, appendix) and timm: what is outside the towers
     * has the whole rate, the last block and the norm behind it the factor, and
     * so on down to the embeddings. 0 = 1. */
    double layer_decay;
    double image_rate, text_rate; /* factors of a tower's rate; 0 = 1 */
} dip_tuning_options;

/* Takes the gradients from what `options` freeze. A batch norm whose scales are
 * frozen uses its running statistics. DIP_ECONFIG: a pattern that no trained
 * parameter fits. */
dip_status dip_tuning_freeze(dip_params *params,
                             const dip_tuning_options *options,
                             dip_err *err) DIP_MUST_CHECK;

/* The factor of the rate of every parameter, rates[dip_params_count()]. A
 * tower's blocks are told by the first number in a name ("blocks.3",
 * "layer2.0"), in the order of the store. */
void dip_tuning_rates(double *rates, const dip_params *params,
                      const dip_tuning_options *options);

#endif
