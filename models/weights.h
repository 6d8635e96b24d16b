/* Parameters from and to safetensors files. */
#ifndef DIP_MODELS_WEIGHTS_H
#define DIP_MODELS_WEIGHTS_H

#include "base/status.h"
#include "tensor/params.h"
#include "tensor/safetensors.h"

/* Sets every parameter and buffer whose name starts with `prefix` ("" = all)
 * from the tensor of the name without the prefix. All must match: names that
 * are missing from the file or unexpected in it are listed, and an unlike shape
 * is named with both shapes; then no parameter has changed (DIP_EDATA). Values
 * are converted to the dtype and device of the parameter. */
dip_status dip_weights_load(dip_params *params, const char *prefix,
                            const char *path, dip_err *err) DIP_MUST_CHECK;

/* Writes all, in the order of the store. */
dip_status dip_weights_save(const dip_params *params, const char *path,
                            const dip_metadata *metadata, int metadata_count,
                            dip_err *err) DIP_MUST_CHECK;

/* The named list that safetensors and TorchScript writers take: an array of
 * dip_params_count() entries, which borrow from `params`. The caller frees
 * *out with free(). */
dip_status dip_weights_list(dip_named_tensor **out, const dip_params *params,
                            dip_err *err) DIP_MUST_CHECK;

#endif
