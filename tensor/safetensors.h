/* The safetensors format: 8 bytes little-endian header length, a JSON header,
 * then the bytes of the tensors. Files are untrusted: lengths, offsets,
 * overlaps, gaps, dtypes and shapes are checked before anything is used. */
#ifndef DIP_TENSOR_SAFETENSORS_H
#define DIP_TENSOR_SAFETENSORS_H

#include <stdint.h>

#include "base/status.h"
#include "tensor/tensor.h"

typedef struct dip_safetensors dip_safetensors;

/* Maps `path` and checks it wholly. The caller owns *out. */
dip_status dip_safetensors_open(dip_safetensors **out, const char *path,
                                dip_err *err) DIP_MUST_CHECK;
void dip_safetensors_close(dip_safetensors *file);

/* Tensors are numbered as their data lie in the file. */
int dip_safetensors_count(const dip_safetensors *file);
const char *dip_safetensors_name(const dip_safetensors *file, int i);
int dip_safetensors_find(const dip_safetensors *file, const char *name);
/* A copy as a CPU tensor in the open scope; failures stick. */
dip_tensor *dip_safetensors_tensor(const dip_safetensors *file, int i);
/* Value of __metadata__[key], NULL when absent; borrowed. */
const char *dip_safetensors_metadata(const dip_safetensors *file,
                                     const char *key);

typedef struct {
    const char *key, *value;
} dip_metadata;

/* Writes atomically, larger elements first (which aligns all data), otherwise
 * in the order given; tensors may be on any device. Two names alike, or a
 * tensor whose elements are not all written, are errors. The bytes depend on
 * names, order, values and metadata only. */
dip_status dip_safetensors_write(const char *path,
                                 const dip_named_tensor *tensors, int count,
                                 const dip_metadata *metadata,
                                 int metadata_count,
                                 dip_err *err) DIP_MUST_CHECK;

#endif
