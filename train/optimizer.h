/* AdamW and SGD over the trained parameters of a model: weights with decay, the
 * rest (biases, norms, temperature, positions) without, each at its own share
 * of the rate (train/tuning.h). Of a table with sparse gradients only the rows
 * that have one are updated; the others keep still, moments and decay included,
 * as under PyTorch's SparseAdam.
 *
 * The state belongs to the optimizer and is saved and loaded by name:
 * "exp_avg.<parameter>", "exp_avg_sq.<parameter>" or "momentum.<parameter>". */
#ifndef DIP_TRAIN_OPTIMIZER_H
#define DIP_TRAIN_OPTIMIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/params.h"
#include "tensor/safetensors.h"
#include "train/tuning.h"

/* The names stand in configs. */
#define DIP_OPTIMIZER_TABLE(X)                                                 \
    X(ADAMW, "adamw")                                                          \
    X(SGD, "sgd")

typedef enum {
#define DIP_OPTIMIZER_ENUM(name, word) DIP_OPTIMIZER_##name,
    DIP_OPTIMIZER_TABLE(DIP_OPTIMIZER_ENUM)
#undef DIP_OPTIMIZER_ENUM
        DIP_OPTIMIZER_COUNT
} dip_optimizer_kind;

typedef struct {
    dip_optimizer_kind kind;
    double weight_decay;
    double beta1, beta2, eps; /* adamw */
    double momentum;          /* sgd */
    bool nesterov;            /* sgd */
    /* Updates after which the state begins anew, for another loss; 0: it does
     * not. In such a run a parameter keeps still in an update whose loss does
     * not reach it; else it has a gradient of zeros there. */
    int64_t restart;
    dip_tuning_options tuning;
} dip_optimizer_options;

typedef struct dip_optimizer dip_optimizer;

bool dip_optimizer_parse(dip_optimizer_kind *out, const char *name);

/* Freezes what options->tuning says. What does not require gradients is left
 * out, or waits until it is unlocked. `params` must outlive the optimizer. The
 * caller owns *out. */
dip_status dip_optimizer_create(dip_optimizer **out, dip_params *params,
                                const dip_optimizer_options *options,
                                dip_err *err) DIP_MUST_CHECK;
void dip_optimizer_free(dip_optimizer *optimizer);

/* Before the forward pass of update `step`: lets what waits require gradients
 * when its time has come. It then starts as in the first update of a run. */
void dip_optimizer_unlock(dip_optimizer *optimizer, int64_t step);

/* One update from the gradients that the parameters hold, which are cleared.
 * `step` counts from 1. Gradients are clipped to the common norm `clip` first
 * when it is above 0; *norm gets the norm before clipping. A norm that is not
 * finite is DIP_ENUMERIC, and nothing is updated. Opens its own scope. */
dip_status dip_optimizer_step(dip_optimizer *optimizer, int64_t step, double lr,
                              double clip, double *norm,
                              dip_err *err) DIP_MUST_CHECK;

/* The state as named tensors, borrowed from the optimizer. */
int dip_optimizer_state_count(const dip_optimizer *optimizer);
dip_named_tensor dip_optimizer_state(const dip_optimizer *optimizer, int i);
/* Copies the state from `file`; a missing name or another shape is DIP_EDATA.
 */
dip_status dip_optimizer_load(dip_optimizer *optimizer,
                              const dip_safetensors *file,
                              dip_err *err) DIP_MUST_CHECK;

#endif
