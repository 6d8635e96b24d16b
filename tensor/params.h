/* Parameters and buffers by name: what a model consists of.
 *
 * Names are dotted paths as in PyTorch's state dictionaries
 * ("image.layer1.0.conv1.weight"). Order is the order of addition. The store
 * owns its tensors. */
#ifndef DIP_TENSOR_PARAMS_H
#define DIP_TENSOR_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/status.h"
#include "tensor/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dip_params dip_params;

typedef enum {
    DIP_PARAM_WEIGHT,   /* trained, weight decay applies */
    DIP_PARAM_SPARSE,   /* the same, of rows with sparse gradients */
    DIP_PARAM_NO_DECAY, /* trained: biases, norms, temperatures, positions */
    DIP_PARAM_BUFFER    /* not trained: running statistics */
} dip_param_kind;

dip_status dip_params_create(dip_params **out, dip_err *err) DIP_MUST_CHECK;
void dip_params_free(dip_params *params);

/* Takes over the value of `tensor` (which stays the scope's) under `name` and
 * returns the stored handle, borrowed. Trained kinds require gradients. A
 * second tensor of the same name sticks as a tensor error, as does a NULL. */
dip_tensor *dip_params_add(dip_params *params, const char *name,
                           dip_param_kind kind, const dip_tensor *tensor);

int dip_params_count(const dip_params *params);
const char *dip_params_name(const dip_params *params, int i);
dip_tensor *dip_params_tensor(const dip_params *params, int i);
dip_param_kind dip_params_kind(const dip_params *params, int i);
/* Makes a trained parameter one that is not: a buffer without gradients. */
void dip_params_freeze(dip_params *params, int i);
/* Removes all whose names fit `pattern`, as of fnmatch(3); handles of them
 * become invalid. */
void dip_params_drop(dip_params *params, const char *pattern);
/* -1 when there is none of this name. */
int dip_params_find(const dip_params *params, const char *name);
/* Elements of all trained tensors. */
int64_t dip_params_trained_numel(const dip_params *params);
/* SHA-256 over names, shapes and elements of all tensors, buffers included,
 * whose names begin with `prefix`. */
dip_status dip_params_digest(char hex[DIP_DIGEST_SIZE],
                             const dip_params *params, const char *prefix,
                             dip_err *err) DIP_MUST_CHECK;
/* Moves all to `device` in place (handles stay valid). */
void dip_params_to_device(dip_params *params, dip_device device);
/* Converts 4-dimensional weights to channels_last in place. */
void dip_params_channels_last(dip_params *params);

#ifdef __cplusplus
}
#endif

#endif
