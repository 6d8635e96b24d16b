#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "export/onnx_lower.h"
#include "export/onnx_ops.h"

/* What a function needs to know of a row stands behind it. */
static const dip_lower_row rows[] = {
    /* elementwise */
    {"aten::abs", dip_lower_unary, "Abs"},
    {"aten::exp", dip_lower_unary, "Exp"},
    {"aten::log", dip_lower_unary, "Log"},
    {"aten::logical_not", dip_lower_unary, "Not"},
    {"aten::neg", dip_lower_unary, "Neg"},
    {"aten::relu", dip_lower_unary, "Relu"},
    {"aten::sigmoid", dip_lower_unary, "Sigmoid"},
    {"aten::sqrt", dip_lower_unary, "Sqrt"},
    {"aten::tanh", dip_lower_unary, "Tanh"},
    {"aten::add", dip_lower_sum, "Add"},
    {"aten::sub", dip_lower_sum, "Sub"},
    {"aten::mul", dip_lower_binary, "Mul"},
    {"aten::div", dip_lower_binary, "Div"},
    {"aten::pow", dip_lower_binary, "Pow"},
    {"aten::remainder", dip_lower_binary, "Mod"},
    {"aten::maximum", dip_lower_binary, "Max"},
    {"aten::logical_and", dip_lower_binary, "And"},
    {"aten::clamp_min", dip_lower_binary, "Max"},
    {"aten::clamp_max", dip_lower_binary, "Min"},
    {"aten::clamp", dip_lower_clamp, NULL},
    {"aten::relu6", dip_lower_relu6, NULL},
    {"aten::eq", dip_lower_comparison, "Equal"},
    {"aten::gt", dip_lower_comparison, "Greater"},
    {"aten::ne", dip_lower_unequal, NULL},
    {"aten::isfinite", dip_lower_isfinite, NULL},
    {"aten::silu", dip_lower_silu, NULL},
    {"aten::gelu", dip_lower_gelu, NULL},
    {"aten::where", dip_lower_where, NULL},
    {"aten::masked_fill", dip_lower_masked_fill, NULL},
    {"aten::to", dip_lower_to, NULL},
    {"aten::contiguous", dip_lower_same, NULL},
    {"aten::clone", dip_lower_same, NULL},
    {"aten::dropout", dip_lower_same, NULL},
    {"aten::zeros_like", dip_lower_zeros_like, NULL},
    {"aten::full", dip_lower_full, NULL},
    /* shapes */
    {"aten::select", dip_lower_select, NULL},
    {"aten::narrow", dip_lower_narrow, NULL},
    {"aten::slice", dip_lower_slice, NULL},
    {"aten::unsqueeze", dip_lower_unsqueeze, NULL},
    {"aten::squeeze", dip_lower_squeeze, NULL},
    {"aten::transpose", dip_lower_transpose, NULL},
    {"aten::permute", dip_lower_permute, NULL},
    {"aten::flatten", dip_lower_flatten, NULL},
    {"aten::unflatten", dip_lower_unflatten, NULL},
    {"aten::reshape", dip_lower_reshaped, NULL},
    {"aten::expand", dip_lower_expand, NULL},
    {"aten::expand_as", dip_lower_expand_as, NULL},
    {"aten::cat", dip_lower_cat, NULL},
    {"aten::stack", dip_lower_stack, NULL},
    {"aten::chunk", dip_lower_chunk, NULL},
    {"aten::unsafe_chunk", dip_lower_chunk, NULL},
    {"aten::gather", dip_lower_gather, NULL},
    {"aten::embedding", dip_lower_embedding, NULL},
    {"aten::index_select", dip_lower_index_select, NULL},
    {"aten::constant_pad_nd", dip_lower_pad, NULL},
    /* reductions */
    {"aten::sum", dip_lower_reduction, "ReduceSum"},
    {"aten::mean", dip_lower_reduction, "ReduceMean"},
    {"aten::amax", dip_lower_reduction, "ReduceMax"},
    {"aten::linalg_vector_norm", dip_lower_norm, NULL},
    {"aten::cumsum", dip_lower_cumsum, NULL},
    {"aten::softmax", dip_lower_softmax, "Softmax"},
    {"aten::log_softmax", dip_lower_softmax, "LogSoftmax"},
    {"aten::bucketize", dip_lower_bucketize, NULL},
    /* layers */
    {"aten::linear", dip_lower_linear, NULL},
    {"aten::matmul", dip_lower_matmul, NULL},
    {"aten::_convolution", dip_lower_convolution, NULL},
    {"aten::batch_norm", dip_lower_batch_norm, NULL},
    {"aten::layer_norm", dip_lower_layer_norm, NULL},
    {"aten::max_pool2d", dip_lower_max_pool, NULL},
    {"aten::avg_pool2d", dip_lower_avg_pool, NULL},
    {"aten::adaptive_avg_pool2d", dip_lower_adaptive_pool, NULL},
    {"aten::scaled_dot_product_attention", dip_lower_attention, NULL},
    {"aten::lstm", dip_lower_recurrent, "LSTM"},
    {"aten::gru", dip_lower_recurrent, "GRU"},
    {"aten::lstm_cell", dip_lower_recurrent_cell, "LSTM"},
    {"aten::gru_cell", dip_lower_recurrent_cell, "GRU"},
};

/* "aten::relu_" is "aten::relu", since graphs have no memory. */
static bool is_of(const dip_lower_row *row, const char *op)
{
    size_t n = strlen(row->op);
    return strncmp(row->op, op, n) == 0 &&
           (op[n] == '\0' || strcmp(op + n, "_") == 0);
}

const dip_lower_row *dip_lower_find(const char *op)
{
    for (size_t i = 0; i < DIP_ARRAY_LEN(rows); i++) {
        if (is_of(&rows[i], op))
            return &rows[i];
    }
    return NULL;
}
