/* Shapes of tensors: compared, and in words. */
#ifndef DIP_TENSOR_SHAPE_H
#define DIP_TENSOR_SHAPE_H

#include <stdbool.h>

#include "base/str.h"
#include "tensor/tensor.h"

/* As many dimensions, of the same sizes. */
bool dip_shape_equal(const dip_tensor *a, const dip_tensor *b);

/* Appends "the file has [63, 16], the model has [63, 24]". */
void dip_shape_add_unlike(dip_str *out, const dip_tensor *got,
                          const dip_tensor *want);

#endif
