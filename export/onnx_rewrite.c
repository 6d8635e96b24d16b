#include "export/onnx_rewrite.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* The names of all values that nodes read. NULL when memory is out. */
static json_t *list_used(const Onnx__GraphProto *graph)
{
    json_t *used = json_object();
    bool ok = used != NULL;
    for (size_t i = 0; i < graph->n_node && ok; i++) {
        for (size_t k = 0; k < graph->node[i]->n_input && ok; k++)
            ok = json_object_set_new_nocheck(used, graph->node[i]->input[k],
                                             json_true()) == 0;
    }
    if (ok)
        return used;
    json_decref(used);
    return NULL;
}

static void drop_unused(dip_onnx *onnx)
{
    Onnx__GraphProto *graph = dip_onnx_model(onnx)->graph;
    json_t *used = list_used(graph);
    if (used == NULL) {
        dip_onnx_fail(onnx, DIP_ENOMEM, "out of memory");
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < graph->n_initializer; i++) {
        Onnx__TensorProto *constant = graph->initializer[i];
        if (json_object_get(used, constant->name) != NULL)
            graph->initializer[kept++] = constant;
        else
            onnx__tensor_proto__free_unpacked(constant, NULL);
    }
    graph->n_initializer = kept;
    json_decref(used);
}

dip_status dip_onnx_rewrite(dip_onnx *onnx, dip_onnx_rewriter rewrite,
                            void *user, dip_err *err)
{
    Onnx__GraphProto *graph = dip_onnx_model(onnx)->graph;
    Onnx__NodeProto **nodes = graph->node;
    size_t count = graph->n_node;
    graph->node = NULL;
    graph->n_node = 0;
    for (size_t i = 0; i < count; i++) {
        if (!dip_onnx_failed(onnx) && rewrite(user, onnx, nodes[i]))
            dip_onnx_append(onnx, nodes[i]);
        else
            onnx__node_proto__free_unpacked(nodes[i], NULL);
    }
    free(nodes);
    if (!dip_onnx_failed(onnx))
        drop_unused(onnx);
    return dip_onnx_status(onnx, err);
}

const Onnx__TensorProto *dip_onnx_find_constant(dip_onnx *onnx,
                                                const char *name)
{
    const Onnx__GraphProto *graph = dip_onnx_model(onnx)->graph;
    for (size_t i = 0; i < graph->n_initializer; i++) {
        if (strcmp(graph->initializer[i]->name, name) == 0)
            return graph->initializer[i];
    }
    return NULL;
}

const float *dip_onnx_floats_of(const Onnx__TensorProto *constant,
                                size_t *count)
{
    size_t n = 1, bytes;
    if (constant->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT)
        return NULL;
    for (size_t i = 0; i < constant->n_dims; i++) {
        if (constant->dims[i] < 0 ||
            dip_mul_overflows(n, (size_t)constant->dims[i], &n))
            return NULL;
    }
    if (dip_mul_overflows(n, sizeof(float), &bytes) ||
        bytes != constant->raw_data.len || constant->raw_data.data == NULL)
        return NULL;
    *count = n;
    return (const float *)(const void *)constant->raw_data.data;
}

const Onnx__AttributeProto *dip_onnx_attribute(const Onnx__NodeProto *node,
                                               const char *name)
{
    for (size_t i = 0; i < node->n_attribute; i++) {
        if (strcmp(node->attribute[i]->name, name) == 0)
            return node->attribute[i];
    }
    return NULL;
}

bool dip_onnx_is_output(dip_onnx *onnx, const char *value)
{
    const Onnx__GraphProto *graph = dip_onnx_model(onnx)->graph;
    for (size_t i = 0; i < graph->n_output; i++) {
        if (strcmp(graph->output[i]->name, value) == 0)
            return true;
    }
    return false;
}

void dip_onnx_set_node_input(dip_onnx *onnx, Onnx__NodeProto *node, size_t i,
                             const char *value)
{
    char *copy = dip_strdup(value);
    if (copy == NULL) {
        dip_onnx_fail(onnx, DIP_ENOMEM, "out of memory");
        return;
    }
    free(node->input[i]);
    node->input[i] = copy;
}
