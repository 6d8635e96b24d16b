/* The tensors of one or more safetensors files as one list. */
#ifndef DIP_MODELS_SOURCE_H
#define DIP_MODELS_SOURCE_H

#include "base/status.h"
#include "tensor/tensor.h"

typedef struct dip_source dip_source;

/* Opens what dip_initial_load() takes. The caller owns *out. */
dip_status dip_source_open(dip_source **out, const char *path,
                           dip_err *err) DIP_MUST_CHECK;
void dip_source_close(dip_source *source); /* NULL allowed */

int dip_source_count(const dip_source *source);
const char *dip_source_name(const dip_source *source, int i); /* borrowed */
/* A copy in the open scope; failures stick. */
dip_tensor *dip_source_tensor(const dip_source *source, int i);

#endif
