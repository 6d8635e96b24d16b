/* Dynamic quantisation of the linear layers of an ONNX model to 8 bits.
 *
 * A MatMul whose right side is a constant matrix W [K, N], and a Gemm of
 * factors 1 with such a matrix, become MatMulInteger: column n of W is stored
 * as round(W[k, n] / s[n]) with s[n] = max |W[:, n]| / 127, whole numbers from
 * -127 to 127, and what is multiplied with it is quantised when the model runs,
 * by DynamicQuantizeLinear: 0 to 255 between the least and the largest number
 * of the whole tensor. So the rows of a batch depend on each other, by
 * rounding. Inputs and outputs stay F32, and so do embedding tables,
 * convolutions and recurrent layers. The same weights and scales as those of
 * onnxruntime.quantization.quantize_dynamic(per_channel=True,
 * weight_type=QInt8). */
#ifndef DIP_EXPORT_ONNX_INT8_H
#define DIP_EXPORT_ONNX_INT8_H

#include "export/onnx.h"

/* *matrices becomes the number of weights that were quantised. DIP_ENUMERIC
 * when one of them is not finite. On failure the model is of no use. */
dip_status dip_onnx_quantise(dip_onnx *onnx, int *matrices,
                             dip_err *err) DIP_MUST_CHECK;

#endif
