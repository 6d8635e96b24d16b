#include "export/bits.h"

#include <string.h>

bool dip_bits_equal(const dip_tensor *a, const dip_tensor *b)
{
    if (dip_tensor_dtype(a) != dip_tensor_dtype(b) ||
        dip_tensor_ndim(a) != dip_tensor_ndim(b))
        return false;
    for (int d = 0; d < dip_tensor_ndim(a); d++) {
        if (dip_tensor_size(a, d) != dip_tensor_size(b, d))
            return false;
    }
    const void *left = dip_tensor_data(dip_t_contiguous(a));
    const void *right = dip_tensor_data(dip_t_contiguous(b));
    size_t bytes =
        (size_t)dip_tensor_numel(a) * dip_dtype_size(dip_tensor_dtype(a));
    return left != NULL && right != NULL && memcmp(left, right, bytes) == 0;
}
