/* The functions of the rows of onnx_table.c. */
#ifndef DIP_EXPORT_ONNX_OPS_H
#define DIP_EXPORT_ONNX_OPS_H

#include "export/onnx_lower.h"

void dip_lower_unary(dip_lowering *l);
void dip_lower_sum(dip_lowering *l);
void dip_lower_binary(dip_lowering *l);
void dip_lower_clamp(dip_lowering *l);
void dip_lower_relu6(dip_lowering *l);
void dip_lower_comparison(dip_lowering *l);
void dip_lower_unequal(dip_lowering *l);
void dip_lower_isfinite(dip_lowering *l);
void dip_lower_silu(dip_lowering *l);
void dip_lower_gelu(dip_lowering *l);
void dip_lower_where(dip_lowering *l);
void dip_lower_masked_fill(dip_lowering *l);
void dip_lower_to(dip_lowering *l);
void dip_lower_same(dip_lowering *l);
void dip_lower_zeros_like(dip_lowering *l);
void dip_lower_full(dip_lowering *l);
void dip_lower_select(dip_lowering *l);
void dip_lower_narrow(dip_lowering *l);
void dip_lower_slice(dip_lowering *l);
void dip_lower_unsqueeze(dip_lowering *l);
void dip_lower_squeeze(dip_lowering *l);
void dip_lower_transpose(dip_lowering *l);
void dip_lower_permute(dip_lowering *l);
void dip_lower_flatten(dip_lowering *l);
void dip_lower_unflatten(dip_lowering *l);
void dip_lower_reshaped(dip_lowering *l);
void dip_lower_expand(dip_lowering *l);
void dip_lower_expand_as(dip_lowering *l);
void dip_lower_cat(dip_lowering *l);
void dip_lower_stack(dip_lowering *l);
void dip_lower_chunk(dip_lowering *l);
void dip_lower_gather(dip_lowering *l);
void dip_lower_embedding(dip_lowering *l);
void dip_lower_index_select(dip_lowering *l);
void dip_lower_pad(dip_lowering *l);
void dip_lower_reduction(dip_lowering *l);
void dip_lower_norm(dip_lowering *l);
void dip_lower_cumsum(dip_lowering *l);
void dip_lower_softmax(dip_lowering *l);
void dip_lower_bucketize(dip_lowering *l);
void dip_lower_linear(dip_lowering *l);
void dip_lower_matmul(dip_lowering *l);
void dip_lower_convolution(dip_lowering *l);
void dip_lower_batch_norm(dip_lowering *l);
void dip_lower_layer_norm(dip_lowering *l);
void dip_lower_max_pool(dip_lowering *l);
void dip_lower_avg_pool(dip_lowering *l);
void dip_lower_adaptive_pool(dip_lowering *l);
void dip_lower_attention(dip_lowering *l);
void dip_lower_recurrent(dip_lowering *l);
void dip_lower_recurrent_cell(dip_lowering *l);

#endif
