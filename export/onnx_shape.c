/* Operations that move elements. */
#include "export/onnx_ops.h"

#define RANK_MAX  DIP_GRAPH_RANK_MAX
#define PARTS_MAX 64 /* tensors that are put together */

static int rank_of(const dip_lowering *l, int argument)
{
    return dip_lower_value(l, argument)->rank;
}

static const char *one_int(dip_lowering *l, int64_t item)
{
    return dip_onnx_ints(l->onnx, 1, &item);
}

static const char *gather(dip_lowering *l, const char *x, const char *places,
                          int axis)
{
    const char *result = dip_onnx_node(l->onnx, "Gather", 2, x, places);
    dip_onnx_set_int(l->onnx, "axis", axis);
    return result;
}

void dip_lower_select(dip_lowering *l)
{
    const char *place =
        dip_onnx_scalar(l->onnx, DIP_I64, (double)dip_lower_int(l, 2, 0));
    int axis = dip_lower_axis(l, 1, rank_of(l, 0));
    dip_lower_give(l, 0, gather(l, dip_lower_tensor(l, 0), place, axis));
}

static void slice(dip_lowering *l, int64_t from, int64_t to, int64_t step)
{
    const char *starts = one_int(l, from), *ends = one_int(l, to);
    const char *axes = one_int(l, dip_lower_axis(l, 1, rank_of(l, 0)));
    dip_lower_give(l, 0,
                   dip_onnx_node(l->onnx, "Slice", 5, dip_lower_tensor(l, 0),
                                 starts, ends, axes, one_int(l, step)));
}

void dip_lower_narrow(dip_lowering *l)
{
    int64_t start = dip_lower_int(l, 2, 0);
    int64_t end = start + dip_lower_int(l, 3, 0);
    slice(l, start, start < 0 && end == 0 ? INT64_MAX : end, 1);
}

void dip_lower_slice(dip_lowering *l)
{
    slice(l, dip_lower_int(l, 2, 0), dip_lower_int(l, 3, INT64_MAX),
          dip_lower_int(l, 4, 1));
}

void dip_lower_unsqueeze(dip_lowering *l)
{
    const char *axis = one_int(l, dip_lower_axis(l, 1, rank_of(l, 0) + 1));
    dip_lower_give(
        l, 0,
        dip_onnx_node(l->onnx, "Unsqueeze", 2, dip_lower_tensor(l, 0), axis));
}

void dip_lower_squeeze(dip_lowering *l)
{
    const char *axis = one_int(l, dip_lower_axis(l, 1, rank_of(l, 0)));
    dip_lower_give(
        l, 0,
        dip_onnx_node(l->onnx, "Squeeze", 2, dip_lower_tensor(l, 0), axis));
}

static void permute(dip_lowering *l, int rank, const int64_t *order)
{
    const char *result =
        dip_onnx_node(l->onnx, "Transpose", 1, dip_lower_tensor(l, 0));
    dip_onnx_set_ints(l->onnx, "perm", rank, order);
    dip_lower_give(l, 0, result);
}

void dip_lower_transpose(dip_lowering *l)
{
    int64_t order[RANK_MAX];
    int rank = rank_of(l, 0);
    int a = dip_lower_axis(l, 1, rank), b = dip_lower_axis(l, 2, rank);
    for (int i = 0; i < rank; i++)
        order[i] = i == a ? b : i == b ? a : i;
    permute(l, rank, order);
}

void dip_lower_permute(dip_lowering *l)
{
    int64_t order[RANK_MAX];
    int rank = dip_lower_ints(l, 1, RANK_MAX, order);
    for (int i = 0; i < rank; i++)
        order[i] += order[i] < 0 ? rank : 0;
    permute(l, rank, order);
}

/* The tensor with dimensions `from` to `to` - 1 replaced by `count` others; 0
 * in a shape keeps the dimension at its place, so that those before need not be
 * known, and those behind are asked for when the graph runs. */
static const char *replace(dip_lowering *l, int from, int to, int count,
                           const int64_t *sizes)
{
    int64_t shape[2 * RANK_MAX] = {0};
    const char *x = dip_lower_tensor(l, 0);
    int rank = rank_of(l, 0);
    for (int i = 0; i < count; i++)
        shape[from + i] = sizes[i];
    const char *whole = dip_onnx_ints(l->onnx, from + count, shape);
    if (to < rank) {
        const char *rest = dip_lower_sizes(l, x, to, rank);
        whole = dip_onnx_node(l->onnx, "Concat", 2, whole, rest);
        dip_onnx_set_int(l->onnx, "axis", 0);
    }
    return dip_lower_reshape(l, x, whole);
}

void dip_lower_flatten(dip_lowering *l)
{
    int rank = rank_of(l, 0);
    int from = dip_lower_axis(l, 1, rank);
    int to = (int)dip_lower_int(l, 2, -1);
    to += to < 0 ? rank + 1 : 1;
    dip_lower_give(l, 0, replace(l, from, to, 1, (int64_t[]){-1}));
}

void dip_lower_unflatten(dip_lowering *l)
{
    int64_t sizes[RANK_MAX];
    int from = dip_lower_axis(l, 1, rank_of(l, 0));
    int count = dip_lower_ints(l, 2, RANK_MAX, sizes);
    dip_lower_give(l, 0, replace(l, from, from + 1, count, sizes));
}

void dip_lower_reshaped(dip_lowering *l)
{
    int64_t sizes[RANK_MAX];
    int count = dip_lower_ints(l, 1, RANK_MAX, sizes);
    dip_lower_give(l, 0,
                   dip_lower_reshape(l, dip_lower_tensor(l, 0),
                                     dip_onnx_ints(l->onnx, count, sizes)));
}

/* A size of -1 leaves the dimension as it is, which 1 does in ONNX. */
void dip_lower_expand(dip_lowering *l)
{
    int64_t sizes[RANK_MAX];
    int count = dip_lower_ints(l, 1, RANK_MAX, sizes);
    for (int i = 0; i < count; i++)
        sizes[i] = sizes[i] < 0 ? 1 : sizes[i];
    dip_lower_give(l, 0,
                   dip_onnx_node(l->onnx, "Expand", 2, dip_lower_tensor(l, 0),
                                 dip_onnx_ints(l->onnx, count, sizes)));
}

void dip_lower_expand_as(dip_lowering *l)
{
    const char *sizes =
        dip_onnx_node(l->onnx, "Shape", 1, dip_lower_tensor(l, 1));
    dip_lower_give(
        l, 0,
        dip_onnx_node(l->onnx, "Expand", 2, dip_lower_tensor(l, 0), sizes));
}

/* Concatenates a list along an axis that, for `grown`, each gets anew. */
static void join(dip_lowering *l, bool grown)
{
    const dip_graph_value *list = dip_lower_value(l, 0);
    const char *parts[PARTS_MAX];
    if (list->kind != DIP_VALUE_LIST || list->count > PARTS_MAX) {
        dip_onnx_fail(l->onnx, DIP_EVERIFY, "%s of more than %d tensors",
                      l->node->op, PARTS_MAX);
        return;
    }
    int axis = dip_lower_axis(l, 1, dip_lower_result(l, 0)->rank);
    const char *at = grown ? one_int(l, axis) : NULL;
    for (int i = 0; i < list->count; i++) {
        parts[i] = dip_lower_name(l, list->items[i]);
        if (grown)
            parts[i] = dip_onnx_node(l->onnx, "Unsqueeze", 2, parts[i], at);
    }
    const char *result =
        dip_onnx_node_of(l->onnx, "Concat", list->count, parts);
    dip_onnx_set_int(l->onnx, "axis", axis);
    dip_lower_give(l, 0, result);
}

void dip_lower_cat(dip_lowering *l)
{
    join(l, false);
}

void dip_lower_stack(dip_lowering *l)
{
    join(l, true);
}

/* Along a dimension that the model fixes. */
void dip_lower_chunk(dip_lowering *l)
{
    int64_t sizes[PARTS_MAX];
    int axis = dip_lower_axis(l, 2, rank_of(l, 0));
    int count = l->node->result_count;
    if (count > PARTS_MAX) {
        dip_onnx_fail(l->onnx, DIP_EVERIFY, "%s into more than %d parts",
                      l->node->op, PARTS_MAX);
        return;
    }
    for (int i = 0; i < count; i++)
        sizes[i] = dip_lower_result(l, i)->sizes[axis];
    const char *split = dip_onnx_ints(l->onnx, count, sizes);
    const char *part =
        dip_onnx_node(l->onnx, "Split", 2, dip_lower_tensor(l, 0), split);
    dip_onnx_set_int(l->onnx, "axis", axis);
    for (int i = 0; i < count; i++)
        dip_lower_give(l, i, i == 0 ? part : dip_onnx_more(l->onnx));
}

void dip_lower_gather(dip_lowering *l)
{
    const char *result =
        dip_onnx_node(l->onnx, "GatherElements", 2, dip_lower_tensor(l, 0),
                      dip_lower_tensor(l, 2));
    dip_onnx_set_int(l->onnx, "axis", dip_lower_axis(l, 1, rank_of(l, 0)));
    dip_lower_give(l, 0, result);
}

void dip_lower_embedding(dip_lowering *l)
{
    const char *table = dip_lower_tensor(l, 0);
    dip_lower_give(l, 0, gather(l, table, dip_lower_tensor(l, 1), 0));
}

void dip_lower_index_select(dip_lowering *l)
{
    const char *x = dip_lower_tensor(l, 0);
    int axis = dip_lower_axis(l, 1, rank_of(l, 0));
    dip_lower_give(l, 0, gather(l, x, dip_lower_tensor(l, 2), axis));
}

/* libtorch counts pairs from the last dimension, ONNX all starts, then all
 * ends. */
void dip_lower_pad(dip_lowering *l)
{
    int64_t pairs[2 * RANK_MAX], pads[2 * RANK_MAX] = {0};
    int rank = rank_of(l, 0);
    int count = dip_lower_ints(l, 1, 2 * RANK_MAX, pairs) / 2;
    for (int i = 0; i < count; i++) {
        pads[rank - 1 - i] = pairs[2 * i];
        pads[2 * rank - 1 - i] = pairs[2 * i + 1];
    }
    const char *value = dip_lower_as(l, 2, dip_lower_result(l, 0)->dtype);
    const char *sizes = dip_onnx_ints(l->onnx, 2 * rank, pads);
    dip_lower_give(
        l, 0,
        dip_onnx_node(l->onnx, "Pad", 3, dip_lower_tensor(l, 0), sizes, value));
}
