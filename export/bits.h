/* Equality of tensors to the last bit. */
#ifndef DIP_EXPORT_BITS_H
#define DIP_EXPORT_BITS_H

#include <stdbool.h>

#include "tensor/tensor.h"

/* Whether dtype, shape and all bytes are the same; on the CPU. Needs an open
 * scope; false after a failure, which sticks. */
bool dip_bits_equal(const dip_tensor *a, const dip_tensor *b);

#endif
