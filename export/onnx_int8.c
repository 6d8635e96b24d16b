#include "export/onnx_int8.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "export/onnx_rewrite.h"

#define LARGEST 127

/* Values that were quantised: name -> [values, scale, zero], for layers that
 * read the same one. */
typedef struct {
    json_t *inputs;
    int matrices;
} quantiser;

/* W [k, n], or its transpose [n, k] if it is `turned`. */
typedef struct {
    const Onnx__TensorProto *constant;
    const float *items;
    size_t k, n;
    bool turned;
} matrix;

/* Whether the attribute has this value, or is absent and has it by default. */
static bool has_int(const Onnx__NodeProto *node, const char *name,
                    int64_t value, int64_t absent)
{
    const Onnx__AttributeProto *a = dip_onnx_attribute(node, name);
    return (a != NULL ? a->i : absent) == value;
}

static bool has_factor_one(const Onnx__NodeProto *node, const char *name)
{
    const Onnx__AttributeProto *a = dip_onnx_attribute(node, name);
    return a == NULL || !(a->f < 1 || a->f > 1);
}

static bool is_linear(const Onnx__NodeProto *node)
{
    if (strcmp(node->op_type, "MatMul") == 0)
        return node->n_input == 2;
    return strcmp(node->op_type, "Gemm") == 0 && node->n_input >= 2 &&
           has_int(node, "transA", 0, 0) && has_factor_one(node, "alpha") &&
           has_factor_one(node, "beta");
}

static bool find_matrix(matrix *out, dip_onnx *onnx,
                        const Onnx__NodeProto *node)
{
    size_t count;
    if (!is_linear(node))
        return false;
    const Onnx__TensorProto *w = dip_onnx_find_constant(onnx, node->input[1]);
    if (w == NULL || w->n_dims != 2)
        return false;
    out->constant = w;
    out->items = dip_onnx_floats_of(w, &count);
    out->turned = has_int(node, "transB", 1, 0);
    out->k = (size_t)w->dims[out->turned ? 1 : 0];
    out->n = (size_t)w->dims[out->turned ? 0 : 1];
    return out->items != NULL && count > 0;
}

static float item_of(const matrix *w, size_t k, size_t n)
{
    return w->items[w->turned ? n * w->k + k : k * w->n + n];
}

/* Column n in 8 bits; returns its scale, NaN when a number is not finite. */
static float quantise_column(int8_t *out, const matrix *w, size_t n)
{
    float largest = 0;
    for (size_t k = 0; k < w->k; k++) {
        float size = fabsf(item_of(w, k, n));
        if (!isfinite(size))
            return NAN;
        largest = fmaxf(largest, size);
    }
    float scale = (float)((double)largest / LARGEST);
    if (scale < FLT_MIN)
        scale = 1;
    for (size_t k = 0; k < w->k; k++) {
        float rounded = rintf(item_of(w, k, n) / scale);
        out[k * w->n + n] = (int8_t)fmaxf(-LARGEST, fminf(LARGEST, rounded));
    }
    return scale;
}

static void add_weights(dip_onnx *onnx, const matrix *w, const char *values,
                        const char *scale)
{
    const int64_t sizes[2] = {(int64_t)w->k, (int64_t)w->n};
    int8_t *items = dip_calloc(w->k, w->n);
    float *scales = dip_calloc(w->n, sizeof *scales);
    if (items == NULL || scales == NULL)
        dip_onnx_fail(onnx, DIP_ENOMEM, "out of memory");
    for (size_t n = 0; n < w->n && !dip_onnx_failed(onnx); n++) {
        scales[n] = quantise_column(items, w, n);
        if (isnan(scales[n]))
            dip_onnx_fail(onnx, DIP_ENUMERIC,
                          "a weight is not finite: '%s', column %zu",
                          w->constant->name, n);
    }
    (void)dip_onnx_constant(onnx, values, DIP_I8, 2, sizes, items);
    (void)dip_onnx_constant(onnx, scale, DIP_F32, 1, &sizes[1], scales);
    free(items);
    free(scales);
}

/* [values, scale, zero] of a value; NULL when that failed. */
static const json_t *quantise_input(quantiser *q, dip_onnx *onnx,
                                    const char *value)
{
    const json_t *known = json_object_get(q->inputs, value);
    if (known != NULL)
        return known;
    const char *values = dip_onnx_node(onnx, "DynamicQuantizeLinear", 1, value);
    const char *scale = dip_onnx_more(onnx), *zero = dip_onnx_more(onnx);
    json_t *names = json_pack("[sss]", values, scale, zero);
    if (json_object_set_new_nocheck(q->inputs, value, names) == 0)
        return names;
    dip_onnx_fail(onnx, DIP_ENOMEM, "out of memory");
    return NULL;
}

static const char *name_at(const json_t *names, size_t i)
{
    return json_string_value(json_array_get(names, i));
}

/* Appends what stands in place of the node. */
static void append_layer(dip_onnx *onnx, const Onnx__NodeProto *node,
                         const json_t *input, const char *values,
                         const char *scale)
{
    const char *sums = dip_onnx_node(
        onnx, "MatMulInteger", 3, name_at(input, 0), values, name_at(input, 2));
    sums = dip_onnx_cast(onnx, sums, DIP_F32);
    const char *scales =
        dip_onnx_node(onnx, "Mul", 2, name_at(input, 1), scale);
    const char *y = dip_onnx_node(onnx, "Mul", 2, sums, scales);
    if (node->n_input > 2 && *node->input[2] != '\0')
        (void)dip_onnx_node(onnx, "Add", 2, y, node->input[2]);
    dip_onnx_name_output(onnx, node->output[0]);
}

static bool quantise_node(void *user, dip_onnx *onnx, Onnx__NodeProto *node)
{
    quantiser *q = user;
    matrix w;
    dip_str values = {0}, scale = {0};
    if (!find_matrix(&w, onnx, node))
        return true;
    const char *turned = w.turned ? "_transposed" : "";
    dip_str_addf(&values, "%s%s_quantized", w.constant->name, turned);
    dip_str_addf(&scale, "%s%s_scale", w.constant->name, turned);
    if (values.failed || scale.failed) {
        dip_onnx_fail(onnx, DIP_ENOMEM, "out of memory");
    } else {
        if (dip_onnx_find_constant(onnx, values.data) == NULL) {
            add_weights(onnx, &w, values.data, scale.data);
            q->matrices++;
        }
        const json_t *input = quantise_input(q, onnx, node->input[0]);
        if (input != NULL)
            append_layer(onnx, node, input, values.data, scale.data);
    }
    dip_str_free(&values);
    dip_str_free(&scale);
    return false;
}

dip_status dip_onnx_quantise(dip_onnx *onnx, int *matrices, dip_err *err)
{
    quantiser q = {.inputs = json_object()};
    *matrices = 0;
    if (q.inputs == NULL)
        return dip_no_memory(err);
    dip_status st = dip_onnx_rewrite(onnx, quantise_node, &q, err);
    json_decref(q.inputs);
    *matrices = q.matrices;
    return st;
}
