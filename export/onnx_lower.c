#include "export/onnx_lower.h"

#include <stdlib.h>

#include "base/mem.h"

/* ---- arguments ----------------------------------------------------------- */

const dip_graph_value *dip_lower_value(const dip_lowering *l, int argument)
{
    static const dip_graph_value none = {.kind = DIP_VALUE_NONE};
    if (argument >= l->node->argument_count)
        return &none;
    return dip_graph_value_at(l->graph, l->node->arguments[argument]);
}

bool dip_lower_has(const dip_lowering *l, int argument)
{
    return dip_lower_value(l, argument)->kind != DIP_VALUE_NONE;
}

static bool is_tensor(const dip_graph_value *value)
{
    return value->kind == DIP_VALUE_INPUT ||
           value->kind == DIP_VALUE_PARAMETER ||
           value->kind == DIP_VALUE_TENSOR || value->kind == DIP_VALUE_RESULT;
}

bool dip_lower_is_tensor(const dip_lowering *l, int argument)
{
    return is_tensor(dip_lower_value(l, argument));
}

int64_t dip_lower_int(const dip_lowering *l, int argument, int64_t absent)
{
    const dip_graph_value *value = dip_lower_value(l, argument);
    if (value->kind == DIP_VALUE_NONE)
        return absent;
    if (value->kind != DIP_VALUE_INT && value->kind != DIP_VALUE_BOOL)
        dip_onnx_fail(l->onnx, DIP_EVERIFY,
                      "argument %d of %s is no constant int", argument + 1,
                      l->node->op);
    return value->i;
}

double dip_lower_float(const dip_lowering *l, int argument, double absent)
{
    const dip_graph_value *value = dip_lower_value(l, argument);
    if (value->kind == DIP_VALUE_FLOAT)
        return value->f;
    if (value->kind == DIP_VALUE_NONE)
        return absent;
    return (double)dip_lower_int(l, argument, 0);
}

int dip_lower_axis(const dip_lowering *l, int argument, int rank)
{
    int64_t axis = dip_lower_int(l, argument, 0);
    return (int)(axis < 0 ? axis + rank : axis);
}

int dip_lower_ints(const dip_lowering *l, int argument, int room,
                   int64_t *items)
{
    const dip_graph_value *value = dip_lower_value(l, argument);
    if (value->kind == DIP_VALUE_INT)
        items[0] = value->i;
    if (value->kind == DIP_VALUE_INT || value->kind == DIP_VALUE_NONE)
        return value->kind == DIP_VALUE_INT;
    if (value->kind != DIP_VALUE_INTS || value->count > room) {
        dip_onnx_fail(l->onnx, DIP_EVERIFY,
                      "argument %d of %s is no list of at most %d ints",
                      argument + 1, l->node->op, room);
        return 0;
    }
    for (int i = 0; i < value->count; i++)
        items[i] = value->ints[i];
    return value->count;
}

/* Results have their names from the nodes that gave them. */
const char *dip_lower_name(dip_lowering *l, int value)
{
    const dip_graph_value *v = dip_graph_value_at(l->graph, value);
    if (l->names[value] == NULL && v->content != NULL)
        l->names[value] = dip_onnx_tensor(
            l->onnx, v->kind == DIP_VALUE_PARAMETER ? v->text : NULL,
            v->content);
    if (l->names[value] == NULL)
        dip_onnx_fail(l->onnx, DIP_EVERIFY, "%s reads what is no tensor",
                      l->node->op);
    return l->names[value] != NULL ? l->names[value] : "";
}

const char *dip_lower_tensor(dip_lowering *l, int argument)
{
    if (argument >= l->node->argument_count) {
        dip_onnx_fail(l->onnx, DIP_EVERIFY, "%s without argument %d",
                      l->node->op, argument + 1);
        return "";
    }
    return dip_lower_name(l, l->node->arguments[argument]);
}

const char *dip_lower_as(dip_lowering *l, int argument, dip_dtype dtype)
{
    if (!dip_lower_is_tensor(l, argument))
        return dip_onnx_scalar(l->onnx, dtype, dip_lower_float(l, argument, 0));
    const char *name = dip_lower_tensor(l, argument);
    if (dip_lower_value(l, argument)->dtype == dtype)
        return name;
    return dip_onnx_cast(l->onnx, name, dtype);
}

const char *dip_lower_turned(dip_lowering *l, int argument)
{
    const dip_graph_value *value = dip_lower_value(l, argument);
    if (value->content == NULL) {
        const char *turned = dip_onnx_node(l->onnx, "Transpose", 1,
                                           dip_lower_tensor(l, argument));
        dip_onnx_set_ints(l->onnx, "perm", 2, (int64_t[]){1, 0});
        return turned;
    }
    const char **known = &l->transposed[l->node->arguments[argument]];
    if (*known == NULL) {
        dip_scope_open();
        dip_tensor *turned =
            dip_t_transpose(dip_tensor_alias(value->content), 0, 1);
        *known = dip_onnx_tensor(l->onnx, NULL, turned);
        dip_scope_close();
    }
    return *known;
}

/* ---- results ------------------------------------------------------------- */

const dip_graph_value *dip_lower_result(const dip_lowering *l, int result)
{
    return dip_graph_value_at(l->graph, l->node->results[result]);
}

void dip_lower_give(dip_lowering *l, int result, const char *name)
{
    l->names[l->node->results[result]] = name;
}

const char *dip_lower_sizes(dip_lowering *l, const char *tensor, int from,
                            int to)
{
    const char *sizes = dip_onnx_node(l->onnx, "Shape", 1, tensor);
    dip_onnx_set_int(l->onnx, "start", from);
    dip_onnx_set_int(l->onnx, "end", to);
    return sizes;
}

const char *dip_lower_reshape(dip_lowering *l, const char *tensor,
                              const char *sizes)
{
    return dip_onnx_node(l->onnx, "Reshape", 2, tensor, sizes);
}

/* ---- the graph ----------------------------------------------------------- */

static void lower_node(dip_lowering *l, const dip_graph_node *node)
{
    l->node = node;
    l->row = dip_lower_find(node->op);
    if (l->row == NULL)
        dip_onnx_fail(l->onnx, DIP_EVERIFY,
                      "no way is known to write %s in onnx", node->op);
    else
        l->row->lower(l);
}

static void lower_graph(dip_lowering *l, const char *const *inputs,
                        const dip_signature *output)
{
    for (int i = 0; i < dip_graph_input_count(l->graph); i++)
        l->names[dip_graph_input(l->graph, i)] = inputs[i];
    for (int n = 0; n < dip_graph_node_count(l->graph); n++) {
        if (!dip_onnx_failed(l->onnx))
            lower_node(l, dip_graph_node_at(l->graph, n));
    }
    if (!dip_onnx_failed(l->onnx))
        dip_onnx_output(l->onnx, dip_lower_name(l, dip_graph_output(l->graph)),
                        output);
}

dip_status dip_onnx_lower(dip_onnx *onnx, const dip_graph *graph,
                          const char *const *inputs,
                          const dip_signature *output, dip_err *err)
{
    size_t values = (size_t)dip_graph_value_count(graph);
    dip_lowering l = {.onnx = onnx, .graph = graph};
    l.names = dip_calloc(2 * values, sizeof *l.names);
    if (l.names == NULL)
        return dip_no_memory(err);
    l.transposed = l.names + values;
    lower_graph(&l, inputs, output);
    free(l.names);
    dip_status st = dip_tensor_status(err);
    return st == DIP_OK ? dip_onnx_status(onnx, err) : st;
}
