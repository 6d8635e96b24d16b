/* ONNX models in half precision: weights are stored in F16, and products and
 * what is computed from them in F16; inputs and outputs stay F32.
 *
 * What loses too much by 11 bits of precision or by the range of F16 (6.1e-5 to
 * 65504) is F32, with casts where the two meet: reductions, softmax, batch and
 * layer normalisation, convolutions of one channel, powers, roots, logarithms
 * and exponentials, numbers made of integers, and any operation with a constant
 * number that F16 does not hold, such as the least length that a normalisation
 * divides by. Every other operation is F32 if all that it reads is, and else
 * F16. */
#ifndef DIP_EXPORT_ONNX_FP16_H
#define DIP_EXPORT_ONNX_FP16_H

#include "export/onnx.h"

/* *clamped becomes how many weights were beyond ±65504, and are that now.
 * DIP_ENUMERIC when a weight is not finite, DIP_EVERIFY for operations with
 * graphs of their own. On failure the model is of no use. */
dip_status dip_onnx_halve(dip_onnx *onnx, int64_t *clamped,
                          dip_err *err) DIP_MUST_CHECK;

#endif
