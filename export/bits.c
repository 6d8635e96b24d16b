#include "export/bits.h"

#include <string.h>

#include "tensor/shape.h"

bool dip_bits_equal(const dip_tensor *a, const dip_tensor *b)
{
    if (dip_tensor_dtype(a) != dip_tensor_dtype(b) || !dip_shape_equal(a, b))
        return false;
    const void *left = dip_tensor_data(dip_t_contiguous(a));
    const void *right = dip_tensor_data(dip_t_contiguous(b));
    size_t bytes =
        (size_t)dip_tensor_numel(a) * dip_dtype_size(dip_tensor_dtype(a));
    return left != NULL && right != NULL && memcmp(left, right, bytes) == 0;
}
