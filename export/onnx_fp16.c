#include "export/onnx_fp16.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "export/onnx_rewrite.h"

#define FLOAT   ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT
#define FLOAT16 ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16
#define INT64   ONNX__TENSOR_PROTO__DATA_TYPE__INT64
#define BOOL    ONNX__TENSOR_PROTO__DATA_TYPE__BOOL

#define HALF_MAX 65504.0F
#define HALF_MIN 6.103515625e-5F /* of full precision */

typedef struct {
    json_t *types;  /* value -> number of its type in the model as it becomes */
    json_t *halves; /* F32 value -> its F16 version */
    json_t *floats; /* F16 value -> its F32 version */
    int64_t clamped;
} halver;

static bool is_in(const char *const *list, const char *op)
{
    for (; *list != NULL; list++) {
        if (strcmp(*list, op) == 0)
            return true;
    }
    return false;
}

/* ---- types --------------------------------------------------------------- */

/* 0: unknown, or left out. */
static int64_t type_of(const halver *h, const char *value)
{
    return json_integer_value(json_object_get(h->types, value));
}

static void set_type(halver *h, dip_onnx *onnx, const char *value, int64_t type)
{
    if (json_object_set_new_nocheck(h->types, value, json_integer(type)) != 0)
        dip_onnx_fail(onnx, DIP_ENOMEM, "out of memory");
}

static bool is_real(int64_t type)
{
    return type == FLOAT || type == FLOAT16;
}

/* Of an output, from those of the inputs that the node reads by now. */
static int64_t result_type(const halver *h, const Onnx__NodeProto *node,
                           size_t output)
{
    static const char *const to_bool[] = {
        "Equal",       "Greater", "GreaterOrEqual", "Less",
        "LessOrEqual", "IsNaN",   "IsInf",          NULL};
    static const char *const to_int[] = {"Shape",  "Size",    "ArgMax",
                                         "ArgMin", "NonZero", NULL};
    static const char *const with_places[] = {"TopK", "MaxPool", NULL};
    const char *op = node->op_type;
    if (is_in(to_bool, op))
        return BOOL;
    if (is_in(to_int, op) || (output > 0 && is_in(with_places, op)))
        return INT64;
    if (strcmp(op, "Cast") == 0)
        return dip_onnx_attribute(node, "to")->i;
    if (strcmp(op, "ConstantOfShape") == 0) {
        const Onnx__AttributeProto *a = dip_onnx_attribute(node, "value");
        return a != NULL && a->t != NULL ? a->t->data_type : FLOAT;
    }
    size_t like = strcmp(op, "Where") == 0 ? 1 : 0;
    return node->n_input > like ? type_of(h, node->input[like]) : FLOAT;
}

/* ---- versions of values -------------------------------------------------- */

static bool fits(float x)
{
    float size = fabsf(x);
    return !isfinite(size) || size == 0 ||
           (size >= HALF_MIN && size <= HALF_MAX);
}

/* A constant in F16, by libtorch's rounding. */
static void add_half(halver *h, dip_onnx *onnx, const Onnx__TensorProto *w,
                     const char *name)
{
    size_t count = 0;
    const float *items = dip_onnx_floats_of(w, &count);
    float *kept = dip_calloc(count, sizeof *kept);
    uint16_t *halves = dip_calloc(count, sizeof *halves);
    if (items == NULL)
        dip_onnx_fail(onnx, DIP_EVERIFY, "constant of another size: '%s'",
                      w->name);
    if (kept == NULL || halves == NULL)
        dip_onnx_fail(onnx, DIP_ENOMEM, "out of memory");
    for (size_t i = 0; i < count && !dip_onnx_failed(onnx); i++) {
        if (isnan(items[i]))
            dip_onnx_fail(onnx, DIP_ENUMERIC, "a weight is not finite: '%s'",
                          w->name);
        bool beyond = isfinite(items[i]) && fabsf(items[i]) > HALF_MAX;
        kept[i] = beyond ? copysignf(HALF_MAX, items[i]) : items[i];
        h->clamped += beyond;
    }
    if (!dip_onnx_failed(onnx)) {
        const int64_t size = (int64_t)count;
        dip_err err = {0};
        dip_scope_open();
        dip_tensor_read(dip_tensor_borrow(kept, DIP_F32, 1, &size), DIP_F16,
                        halves, count * sizeof *halves);
        dip_scope_close();
        if (dip_tensor_status(&err) != DIP_OK)
            dip_onnx_fail(onnx, err.code, "%s", err.msg);
        (void)dip_onnx_constant(onnx, name, DIP_F16, (int)w->n_dims, w->dims,
                                halves);
    }
    free(kept);
    free(halves);
}

/* The version of a value in F16 or F32, which is made the first time. */
static const char *version(halver *h, dip_onnx *onnx, const char *value,
                           int64_t type)
{
    json_t *known = type == FLOAT16 ? h->halves : h->floats;
    const char *name = json_string_value(json_object_get(known, value));
    if (name != NULL)
        return name;
    const Onnx__TensorProto *constant = dip_onnx_find_constant(onnx, value);
    dip_str half = {0};
    if (constant != NULL) {
        dip_str_addf(&half, "%s_half", value);
        add_half(h, onnx, constant, dip_str_text(&half));
        name = dip_str_text(&half);
    } else {
        name = dip_onnx_cast(onnx, value, type == FLOAT16 ? DIP_F16 : DIP_F32);
    }
    json_t *text = json_string(name);
    if (json_object_set_nocheck(known, value, text) != 0)
        dip_onnx_fail(onnx, DIP_ENOMEM, "out of memory");
    set_type(h, onnx, name, type);
    json_decref(text);
    dip_str_free(&half);
    return json_string_value(json_object_get(known, value));
}

/* ---- nodes --------------------------------------------------------------- */

/* Whether the node reads one number that F16 does not hold. */
static bool has_odd_number(dip_onnx *onnx, const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_input; i++) {
        const Onnx__TensorProto *c =
            dip_onnx_find_constant(onnx, node->input[i]);
        size_t count = 0;
        const float *items = c != NULL ? dip_onnx_floats_of(c, &count) : NULL;
        if (items != NULL && count == 1 && !fits(*items))
            return true;
    }
    return false;
}

/* Filters of one channel: few weights, each of which counts much. */
static bool is_depthwise(dip_onnx *onnx, const Onnx__NodeProto *node)
{
    if (strcmp(node->op_type, "Conv") != 0)
        return false;
    const Onnx__TensorProto *w = dip_onnx_find_constant(onnx, node->input[1]);
    return w != NULL && w->n_dims > 2 && w->dims[1] == 1;
}

/* Whether there are numbers that the node reads and that are not constant, and
 * all of them are F32. */
static bool reads_float(const halver *h, dip_onnx *onnx,
                        const Onnx__NodeProto *node)
{
    bool some = false;
    for (size_t i = 0; i < node->n_input; i++) {
        int64_t type = type_of(h, node->input[i]);
        if (!is_real(type) ||
            dip_onnx_find_constant(onnx, node->input[i]) != NULL)
            continue;
        if (type == FLOAT16)
            return false;
        some = true;
    }
    return some;
}

/* The type that the node computes in. */
static int64_t choose_type(const halver *h, dip_onnx *onnx,
                           const Onnx__NodeProto *node)
{
    static const char *const exact[] = {"BatchNormalization",
                                        "Cast",
                                        "ConstantOfShape",
                                        "CumSum",
                                        "Exp",
                                        "Log",
                                        "LayerNormalization",
                                        "LogSoftmax",
                                        "Pow",
                                        "Range",
                                        "Reciprocal",
                                        "ReduceL1",
                                        "ReduceL2",
                                        "ReduceLogSumExp",
                                        "ReduceMax",
                                        "ReduceMean",
                                        "ReduceMin",
                                        "ReduceSum",
                                        "ReduceSumSquare",
                                        "Resize",
                                        "Softmax",
                                        "Sqrt",
                                        "TopK",
                                        NULL};
    static const char *const products[] = {"Conv", "Einsum", "Gemm", "GRU",
                                           "LSTM", "MatMul", NULL};
    for (size_t i = 0; i < node->n_output; i++) {
        if (dip_onnx_is_output(onnx, node->output[i]))
            return FLOAT;
    }
    if (is_in(exact, node->op_type) || is_depthwise(onnx, node) ||
        has_odd_number(onnx, node))
        return FLOAT;
    if (is_in(products, node->op_type))
        return FLOAT16;
    return reads_float(h, onnx, node) ? FLOAT : FLOAT16;
}

static bool has_graph(const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_attribute; i++) {
        if (node->attribute[i]->g != NULL || node->attribute[i]->n_graphs > 0)
            return true;
    }
    return false;
}

static bool halve_node(void *user, dip_onnx *onnx, Onnx__NodeProto *node)
{
    halver *h = user;
    if (has_graph(node)) {
        dip_onnx_fail(onnx, DIP_EVERIFY, "no way is known to halve '%s'",
                      node->op_type);
        return true;
    }
    int64_t type = choose_type(h, onnx, node);
    for (size_t i = 0; i < node->n_input && !dip_onnx_failed(onnx); i++) {
        int64_t given = type_of(h, node->input[i]);
        if (is_real(given) && given != type)
            dip_onnx_set_node_input(onnx, node, i,
                                    version(h, onnx, node->input[i], type));
    }
    for (size_t i = 0; i < node->n_output && !dip_onnx_failed(onnx); i++)
        set_type(h, onnx, node->output[i], result_type(h, node, i));
    return true;
}

/* Notes the types of the inputs and constants. */
static void start(halver *h, dip_onnx *onnx)
{
    const Onnx__GraphProto *graph = dip_onnx_model(onnx)->graph;
    for (size_t i = 0; i < graph->n_input; i++)
        set_type(h, onnx, graph->input[i]->name,
                 graph->input[i]->type->tensor_type->elem_type);
    for (size_t i = 0; i < graph->n_initializer; i++)
        set_type(h, onnx, graph->initializer[i]->name,
                 graph->initializer[i]->data_type);
}

dip_status dip_onnx_halve(dip_onnx *onnx, int64_t *clamped, dip_err *err)
{
    halver h = {json_object(), json_object(), json_object(), 0};
    dip_status st = DIP_OK;
    if (h.types == NULL || h.halves == NULL || h.floats == NULL)
        st = dip_no_memory(err);
    if (st == DIP_OK) {
        start(&h, onnx);
        st = dip_onnx_rewrite(onnx, halve_node, &h, err);
    }
    json_decref(h.types);
    json_decref(h.halves);
    json_decref(h.floats);
    *clamped = h.clamped;
    return st;
}
