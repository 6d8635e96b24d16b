/* Operations on each element. */
#include <math.h>

#include "export/onnx_ops.h"

static dip_dtype result_type(const dip_lowering *l)
{
    return dip_lower_result(l, 0)->dtype;
}

/* In the type of the result: what is not 0 is true. */
void dip_lower_unary(dip_lowering *l)
{
    const char *x = dip_lower_as(l, 0, result_type(l));
    dip_lower_give(l, 0, dip_onnx_node(l->onnx, l->row->target, 1, x));
}

/* Both in the type of the result, as libtorch promotes them. */
void dip_lower_binary(dip_lowering *l)
{
    const char *a = dip_lower_as(l, 0, result_type(l));
    const char *b = dip_lower_as(l, 1, result_type(l));
    dip_lower_give(l, 0, dip_onnx_node(l->onnx, l->row->target, 2, a, b));
}

/* a + alpha b */
void dip_lower_sum(dip_lowering *l)
{
    const char *a = dip_lower_as(l, 0, result_type(l));
    const char *b = dip_lower_as(l, 1, result_type(l));
    double alpha = dip_lower_float(l, 2, 1);
    if (alpha != 1)
        b = dip_onnx_node(l->onnx, "Mul", 2, b,
                          dip_onnx_scalar(l->onnx, result_type(l), alpha));
    dip_lower_give(l, 0, dip_onnx_node(l->onnx, l->row->target, 2, a, b));
}

void dip_lower_clamp(dip_lowering *l)
{
    const char *x = dip_lower_as(l, 0, result_type(l));
    if (dip_lower_has(l, 1))
        x = dip_onnx_node(l->onnx, "Max", 2, x,
                          dip_lower_as(l, 1, result_type(l)));
    if (dip_lower_has(l, 2))
        x = dip_onnx_node(l->onnx, "Min", 2, x,
                          dip_lower_as(l, 2, result_type(l)));
    dip_lower_give(l, 0, x);
}

void dip_lower_relu6(dip_lowering *l)
{
    const char *zero = dip_onnx_scalar(l->onnx, result_type(l), 0);
    const char *six = dip_onnx_scalar(l->onnx, result_type(l), 6);
    dip_lower_give(
        l, 0,
        dip_onnx_node(l->onnx, "Clip", 3, dip_lower_tensor(l, 0), zero, six));
}

/* Numbers take the type of the tensor, unless that would cut them. */
static const char *compare(dip_lowering *l, const char *operation)
{
    dip_dtype a = dip_lower_value(l, 0)->dtype, b = a;
    if (dip_lower_is_tensor(l, 1))
        b = dip_lower_value(l, 1)->dtype;
    else if (dip_lower_value(l, 1)->kind == DIP_VALUE_FLOAT)
        b = DIP_F32;
    dip_dtype common = a == b                         ? a
                       : a == DIP_F32 || b == DIP_F32 ? DIP_F32
                                                      : DIP_I64;
    return dip_onnx_node(l->onnx, operation, 2, dip_lower_as(l, 0, common),
                         dip_lower_as(l, 1, common));
}

void dip_lower_comparison(dip_lowering *l)
{
    dip_lower_give(l, 0, compare(l, l->row->target));
}

void dip_lower_unequal(dip_lowering *l)
{
    dip_lower_give(l, 0, dip_onnx_node(l->onnx, "Not", 1, compare(l, "Equal")));
}

/* No number and infinity are not less than infinity. */
void dip_lower_isfinite(dip_lowering *l)
{
    dip_dtype dtype = dip_lower_value(l, 0)->dtype;
    const char *size = dip_onnx_node(l->onnx, "Abs", 1, dip_lower_tensor(l, 0));
    const char *limit = dip_onnx_scalar(l->onnx, dtype, INFINITY);
    dip_lower_give(l, 0, dip_onnx_node(l->onnx, "Less", 2, size, limit));
}

void dip_lower_silu(dip_lowering *l)
{
    const char *x = dip_lower_tensor(l, 0);
    dip_lower_give(l, 0,
                   dip_onnx_node(l->onnx, "Mul", 2, x,
                                 dip_onnx_node(l->onnx, "Sigmoid", 1, x)));
}

static const char *scale(dip_lowering *l, const char *x, double by)
{
    return dip_onnx_node(l->onnx, "Mul", 2, x,
                         dip_onnx_scalar(l->onnx, DIP_F32, by));
}

static const char *plus_one(dip_lowering *l, const char *x)
{
    return dip_onnx_node(l->onnx, "Add", 2, x,
                         dip_onnx_scalar(l->onnx, DIP_F32, 1));
}

/* x / 2 (1 + erf(x / sqrt 2)); with the tangent,
 * x / 2 (1 + tanh(sqrt(2 / pi) (x + .044715 x^3))). */
void dip_lower_gelu(dip_lowering *l)
{
    const char *x = dip_lower_tensor(l, 0), *inner;
    const dip_graph_value *how = dip_lower_value(l, 1);
    if (how->kind == DIP_VALUE_STRING && how->text[0] == 't') {
        const char *square = dip_onnx_node(l->onnx, "Mul", 2, x, x);
        const char *factor = plus_one(l, scale(l, square, 0.044715));
        inner = dip_onnx_node(l->onnx, "Mul", 2, x, factor);
        inner =
            dip_onnx_node(l->onnx, "Tanh", 1, scale(l, inner, sqrt(2 / M_PI)));
    } else {
        inner = dip_onnx_node(l->onnx, "Erf", 1, scale(l, x, sqrt(0.5)));
    }
    dip_lower_give(
        l, 0,
        dip_onnx_node(l->onnx, "Mul", 2, scale(l, x, 0.5), plus_one(l, inner)));
}

void dip_lower_where(dip_lowering *l)
{
    const char *yes = dip_lower_as(l, 1, result_type(l));
    const char *no = dip_lower_as(l, 2, result_type(l));
    dip_lower_give(
        l, 0,
        dip_onnx_node(l->onnx, "Where", 3, dip_lower_tensor(l, 0), yes, no));
}

void dip_lower_masked_fill(dip_lowering *l)
{
    const char *value = dip_lower_as(l, 2, result_type(l));
    dip_lower_give(l, 0,
                   dip_onnx_node(l->onnx, "Where", 3, dip_lower_tensor(l, 1),
                                 value, dip_lower_tensor(l, 0)));
}

void dip_lower_to(dip_lowering *l)
{
    dip_lower_give(l, 0, dip_lower_as(l, 0, result_type(l)));
}

void dip_lower_same(dip_lowering *l)
{
    dip_lower_give(l, 0, dip_lower_tensor(l, 0));
}

void dip_lower_zeros_like(dip_lowering *l)
{
    const char *sizes =
        dip_onnx_node(l->onnx, "Shape", 1, dip_lower_tensor(l, 0));
    const char *zero = dip_onnx_scalar(l->onnx, result_type(l), 0);
    dip_lower_give(l, 0, dip_onnx_node(l->onnx, "Expand", 2, zero, sizes));
}

void dip_lower_full(dip_lowering *l)
{
    int64_t sizes[DIP_GRAPH_RANK_MAX];
    int rank = dip_lower_ints(l, 0, DIP_GRAPH_RANK_MAX, sizes);
    const char *value = dip_lower_as(l, 1, result_type(l));
    if (rank > 0)
        value = dip_onnx_node(l->onnx, "Expand", 2, value,
                              dip_onnx_ints(l->onnx, rank, sizes));
    dip_lower_give(l, 0, value);
}
