/* Functions whose gradients are known when their value is: for kernels that
 * compute both in one go. */
#ifndef DIP_TENSOR_GRADIENTS_H
#define DIP_TENSOR_GRADIENTS_H

#include "tensor/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `value`, one number that was computed without autograd, as a function of
 * `inputs` [count]: backward gives input i gradients[i], of its shape, times
 * the gradient of the value. A gradient may be NULL where its input needs none.
 * Follows tensor/tensor.h. */
dip_tensor *dip_t_with_gradients(const dip_tensor *value,
                                 dip_tensor *const *inputs,
                                 dip_tensor *const *gradients, int count);

#ifdef __cplusplus
}
#endif

#endif
