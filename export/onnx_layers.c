/* Layers with weights, pooling, attention. */
#include "export/onnx_ops.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define AXES_MAX 3 /* of a photo or a text */

/* As one product where that takes matrices, so that both can be quantised. */
void dip_lower_linear(dip_lowering *l)
{
    const char *x = dip_lower_tensor(l, 0), *y;
    bool biased = dip_lower_has(l, 2);
    if (dip_lower_value(l, 0)->rank == 2) {
        const char *weight = dip_lower_tensor(l, 1);
        y = dip_onnx_node(l->onnx, "Gemm", biased ? 3 : 2, x, weight,
                          biased ? dip_lower_tensor(l, 2) : NULL);
        dip_onnx_set_int(l->onnx, "transB", 1);
    } else {
        y = dip_onnx_node(l->onnx, "MatMul", 2, x, dip_lower_turned(l, 1));
        if (biased)
            y = dip_onnx_node(l->onnx, "Add", 2, y, dip_lower_tensor(l, 2));
    }
    dip_lower_give(l, 0, y);
}

void dip_lower_matmul(dip_lowering *l)
{
    const char *a = dip_lower_tensor(l, 0);
    dip_lower_give(
        l, 0, dip_onnx_node(l->onnx, "MatMul", 2, a, dip_lower_tensor(l, 1)));
}

/* Pads of libtorch hold for both ends. */
static void set_pads(dip_lowering *l, int argument)
{
    int64_t pads[2 * AXES_MAX];
    int axes = dip_lower_ints(l, argument, AXES_MAX, pads);
    int wanted = dip_lower_value(l, 0)->rank - 2;
    if (axes == 1 && wanted == 2)
        pads[axes++] = pads[0];
    for (int i = 0; i < axes; i++)
        pads[axes + i] = pads[i];
    dip_onnx_set_ints(l->onnx, "pads", 2 * axes, pads);
}

/* One number stands for all axes. */
static void set_axes(dip_lowering *l, const char *name, int argument)
{
    int64_t items[AXES_MAX];
    int count = dip_lower_ints(l, argument, AXES_MAX, items);
    if (count == 0)
        return;
    if (count == 1 && dip_lower_value(l, 0)->rank == 4)
        items[count++] = items[0];
    dip_onnx_set_ints(l->onnx, name, count, items);
}

/* (x, weight, bias, stride, padding, dilation, transposed, output_padding,
 * groups, …) */
void dip_lower_convolution(dip_lowering *l)
{
    const char *x = dip_lower_tensor(l, 0), *weight = dip_lower_tensor(l, 1);
    bool biased = dip_lower_has(l, 2);
    if (dip_lower_int(l, 6, 0) != 0)
        dip_onnx_fail(l->onnx, DIP_EVERIFY,
                      "no way is known to write a transposed convolution");
    const char *y = dip_onnx_node(l->onnx, "Conv", biased ? 3 : 2, x, weight,
                                  biased ? dip_lower_tensor(l, 2) : NULL);
    set_axes(l, "strides", 3);
    set_pads(l, 4);
    set_axes(l, "dilations", 5);
    dip_onnx_set_int(l->onnx, "group", dip_lower_int(l, 8, 1));
    dip_lower_give(l, 0, y);
}

/* (x, weight, bias, mean, variance, training, momentum, eps, …) */
void dip_lower_batch_norm(dip_lowering *l)
{
    const char *inputs[5];
    for (int i = 0; i < 5; i++)
        inputs[i] = dip_lower_tensor(l, i);
    const char *y = dip_onnx_node_of(l->onnx, "BatchNormalization", 5, inputs);
    dip_onnx_set_float(l->onnx, "epsilon", dip_lower_float(l, 7, 1e-5));
    dip_lower_give(l, 0, y);
}

/* (x, sizes, weight, bias, eps, …) */
void dip_lower_layer_norm(dip_lowering *l)
{
    int64_t sizes[DIP_GRAPH_RANK_MAX];
    int count = dip_lower_ints(l, 1, DIP_GRAPH_RANK_MAX, sizes);
    const char *x = dip_lower_tensor(l, 0), *weight = dip_lower_tensor(l, 2);
    const char *y = dip_onnx_node(l->onnx, "LayerNormalization", 3, x, weight,
                                  dip_lower_tensor(l, 3));
    dip_onnx_set_int(l->onnx, "axis", -count);
    dip_onnx_set_float(l->onnx, "epsilon", dip_lower_float(l, 4, 1e-5));
    dip_lower_give(l, 0, y);
}

/* ---- pooling ------------------------------------------------------------- */

/* Without strides those are the kernel's sizes. */
static void set_window(dip_lowering *l, int stride)
{
    int64_t items[AXES_MAX];
    set_axes(l, "kernel_shape", 1);
    bool given = dip_lower_ints(l, stride, AXES_MAX, items) > 0;
    set_axes(l, "strides", given ? stride : 1);
    set_pads(l, 3);
}

/* (x, kernel, stride, padding, dilation, ceil_mode) */
void dip_lower_max_pool(dip_lowering *l)
{
    const char *y =
        dip_onnx_node(l->onnx, "MaxPool", 1, dip_lower_tensor(l, 0));
    set_window(l, 2);
    set_axes(l, "dilations", 4);
    dip_onnx_set_int(l->onnx, "ceil_mode", dip_lower_int(l, 5, 0));
    dip_lower_give(l, 0, y);
}

/* (x, kernel, stride, padding, ceil_mode, count_include_pad, divisor) */
void dip_lower_avg_pool(dip_lowering *l)
{
    const char *y =
        dip_onnx_node(l->onnx, "AveragePool", 1, dip_lower_tensor(l, 0));
    set_window(l, 2);
    dip_onnx_set_int(l->onnx, "ceil_mode", dip_lower_int(l, 4, 0));
    dip_onnx_set_int(l->onnx, "count_include_pad", dip_lower_int(l, 5, 1));
    if (dip_lower_has(l, 6))
        dip_onnx_fail(l->onnx, DIP_EVERIFY,
                      "no way is known to write a divisor of avg_pool2d");
    dip_lower_give(l, 0, y);
}

/* The means of `to` windows of `from` places as a matrix [to, from]: window i
 * reaches from floor(i from / to) to ceil((i + 1) from / to). */
static const char *windows(dip_lowering *l, int64_t from, int64_t to,
                           bool turned)
{
    float *matrix = dip_calloc((size_t)(from * to), sizeof *matrix);
    if (matrix == NULL) {
        dip_onnx_fail(l->onnx, DIP_ENOMEM, "out of memory");
        return "";
    }
    for (int64_t i = 0; i < to; i++) {
        int64_t first = i * from / to, end = ((i + 1) * from + to - 1) / to;
        for (int64_t k = first; k < end; k++)
            matrix[turned ? k * to + i : i * from + k] =
                1.0F / (float)(end - first);
    }
    const char *name = dip_onnx_constant(
        l->onnx, NULL, DIP_F32, 2,
        turned ? (int64_t[]){from, to} : (int64_t[]){to, from}, matrix);
    free(matrix);
    return name;
}

/* ONNX has no windows that adapt: two products with the matrices of means. */
void dip_lower_adaptive_pool(dip_lowering *l)
{
    const dip_graph_value *from = dip_lower_value(l, 0);
    const dip_graph_value *to = dip_lower_result(l, 0);
    const char *x = dip_lower_tensor(l, 0);
    if (to->sizes[2] == 1 && to->sizes[3] == 1) {
        dip_lower_give(l, 0, dip_onnx_node(l->onnx, "GlobalAveragePool", 1, x));
        return;
    }
    const char *rows = windows(l, from->sizes[2], to->sizes[2], false);
    const char *columns = windows(l, from->sizes[3], to->sizes[3], true);
    const char *y = dip_onnx_node(l->onnx, "MatMul", 2, rows, x);
    dip_lower_give(l, 0, dip_onnx_node(l->onnx, "MatMul", 2, y, columns));
}

/* ---- attention ----------------------------------------------------------- */

/* Whether token i may see token j: j <= i. bool [T_q, T_k] */
static const char *causal(dip_lowering *l, const char *q, const char *k,
                          int rank)
{
    const char *rows = dip_lower_sizes(l, q, rank - 2, rank - 1);
    const char *columns = dip_lower_sizes(l, k, rank - 2, rank - 1);
    const char *sizes = dip_onnx_node(l->onnx, "Concat", 2, rows, columns);
    dip_onnx_set_int(l->onnx, "axis", 0);
    const char *ones = dip_onnx_node(
        l->onnx, "Expand", 2, dip_onnx_scalar(l->onnx, DIP_F32, 1), sizes);
    const char *lower = dip_onnx_node(l->onnx, "Trilu", 1, ones);
    dip_onnx_set_int(l->onnx, "upper", 0);
    return dip_onnx_cast(l->onnx, lower, DIP_BOOL);
}

/* Scores of what is hidden are as low as can be: not minus infinity, whose
 * softmax is no number where all is hidden. */
static const char *hide(dip_lowering *l, const char *scores, const char *seen)
{
    const char *low = dip_onnx_scalar(l->onnx, DIP_F32, -(double)FLT_MAX);
    return dip_onnx_node(l->onnx, "Where", 3, seen, scores, low);
}

static const char *masked(dip_lowering *l, const char *scores, const char *q,
                          const char *k)
{
    int rank = dip_lower_value(l, 0)->rank;
    if (dip_lower_int(l, 5, 0) != 0)
        scores = hide(l, scores, causal(l, q, k, rank));
    if (!dip_lower_has(l, 3))
        return scores;
    const char *mask = dip_lower_tensor(l, 3);
    if (dip_lower_value(l, 3)->dtype == DIP_BOOL)
        return hide(l, scores, mask);
    return dip_onnx_node(l->onnx, "Add", 2, scores, mask);
}

/* softmax(scale q k' + mask) v of (q, k, v, mask, dropout, causal, scale, …),
 * each [..., T, E]. */
void dip_lower_attention(dip_lowering *l)
{
    const dip_graph_value *value = dip_lower_value(l, 0);
    const char *q = dip_lower_tensor(l, 0), *k = dip_lower_tensor(l, 1);
    int64_t order[DIP_GRAPH_RANK_MAX];
    int rank = value->rank;
    for (int i = 0; i < rank; i++)
        order[i] = i;
    order[rank - 1] = rank - 2;
    order[rank - 2] = rank - 1;
    double scale =
        dip_lower_float(l, 6, 1 / sqrt((double)value->sizes[rank - 1]));
    const char *turned = dip_onnx_node(l->onnx, "Transpose", 1, k);
    dip_onnx_set_ints(l->onnx, "perm", rank, order);
    const char *scaled = dip_onnx_node(
        l->onnx, "Mul", 2, q, dip_onnx_scalar(l->onnx, DIP_F32, scale));
    const char *scores = dip_onnx_node(l->onnx, "MatMul", 2, scaled, turned);
    const char *weights =
        dip_onnx_node(l->onnx, "Softmax", 1, masked(l, scores, q, k));
    dip_onnx_set_int(l->onnx, "axis", -1);
    dip_lower_give(
        l, 0,
        dip_onnx_node(l->onnx, "MatMul", 2, weights, dip_lower_tensor(l, 2)));
}
