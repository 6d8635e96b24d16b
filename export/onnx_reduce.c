/* Operations along dimensions. */
#include "export/onnx_ops.h"

#define RANK_MAX DIP_GRAPH_RANK_MAX

/* The axes of argument `at`, counted from 0; none stands for all. */
static int axes_of(dip_lowering *l, int at, int64_t *axes)
{
    int rank = dip_lower_value(l, 0)->rank;
    int count = dip_lower_ints(l, at, RANK_MAX, axes);
    for (int i = 0; i < count; i++)
        axes[i] += axes[i] < 0 ? rank : 0;
    return count;
}

/* In opset 17 only sums take their axes as an input. */
static const char *reduce(dip_lowering *l, const char *operation, const char *x,
                          int count, const int64_t *axes, bool keep)
{
    bool as_input = operation[6] == 'S'; /* ReduceSum */
    const char *listed =
        as_input && count > 0 ? dip_onnx_ints(l->onnx, count, axes) : NULL;
    const char *result =
        dip_onnx_node(l->onnx, operation, listed != NULL ? 2 : 1, x, listed);
    if (!as_input && count > 0)
        dip_onnx_set_ints(l->onnx, "axes", count, axes);
    dip_onnx_set_int(l->onnx, "keepdims", keep);
    return result;
}

/* (x, axes, keepdim, …) or, over everything, (x, dtype). ONNX reduces no bools.
 */
void dip_lower_reduction(dip_lowering *l)
{
    int64_t axes[RANK_MAX];
    bool whole = l->node->argument_count <= 2;
    bool keep = !whole && dip_lower_int(l, 2, 0) != 0;
    int count = whole ? 0 : axes_of(l, 1, axes);
    dip_dtype given = dip_lower_result(l, 0)->dtype;
    dip_dtype dtype = given == DIP_BOOL ? DIP_I64 : given;
    const char *x = dip_lower_as(l, 0, dtype);
    x = reduce(l, l->row->target, x, count, axes, keep);
    dip_lower_give(l, 0, dtype == given ? x : dip_onnx_cast(l->onnx, x, given));
}

void dip_lower_norm(dip_lowering *l)
{
    int64_t axes[RANK_MAX];
    int count = axes_of(l, 2, axes);
    if (dip_lower_float(l, 1, 2) != 2)
        dip_onnx_fail(l->onnx, DIP_EVERIFY,
                      "no way is known to write a norm of order %g in onnx",
                      dip_lower_float(l, 1, 2));
    dip_lower_give(l, 0,
                   reduce(l, "ReduceL2", dip_lower_tensor(l, 0), count, axes,
                          dip_lower_int(l, 3, 0) != 0));
}

void dip_lower_cumsum(dip_lowering *l)
{
    int axis = dip_lower_axis(l, 1, dip_lower_value(l, 0)->rank);
    const char *x = dip_lower_as(l, 0, dip_lower_result(l, 0)->dtype);
    const char *at = dip_onnx_scalar(l->onnx, DIP_I64, axis);
    dip_lower_give(l, 0, dip_onnx_node(l->onnx, "CumSum", 2, x, at));
}

void dip_lower_softmax(dip_lowering *l)
{
    const char *result =
        dip_onnx_node(l->onnx, l->row->target, 1,
                      dip_lower_as(l, 0, dip_lower_result(l, 0)->dtype));
    dip_onnx_set_int(l->onnx, "axis",
                     dip_lower_axis(l, 1, dip_lower_value(l, 0)->rank));
    dip_lower_give(l, 0, result);
}

/* The bucket of a number is how many edges lie below it, or at it for `right`.
 */
void dip_lower_bucketize(dip_lowering *l)
{
    int rank = dip_lower_value(l, 0)->rank;
    const char *axis = dip_onnx_ints(l->onnx, 1, (int64_t[]){rank});
    const char *x =
        dip_onnx_node(l->onnx, "Unsqueeze", 2, dip_lower_tensor(l, 0), axis);
    bool right = dip_lower_int(l, 3, 0) != 0;
    const char *below =
        dip_onnx_node(l->onnx, right ? "GreaterOrEqual" : "Greater", 2, x,
                      dip_lower_as(l, 1, dip_lower_value(l, 0)->dtype));
    const char *ones = dip_onnx_cast(l->onnx, below, DIP_I64);
    dip_lower_give(l, 0,
                   reduce(l, "ReduceSum", ones, 1, (int64_t[]){rank}, false));
}
