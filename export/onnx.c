#include "export/onnx.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

#define IR_VERSION 8 /* that of ONNX 1.12, which brought opset 17 */

struct dip_onnx {
    Onnx__ModelProto *model;
    Onnx__NodeProto *last;
    int64_t values; /* named so far */
    dip_status status;
    dip_err err;
};

/* ---- errors and memory --------------------------------------------------- */

bool dip_onnx_failed(const dip_onnx *onnx)
{
    return onnx->status != DIP_OK;
}

dip_status dip_onnx_status(const dip_onnx *onnx, dip_err *err)
{
    if (onnx->status != DIP_OK && err != NULL)
        *err = onnx->err;
    return onnx->status;
}

void dip_onnx_fail(dip_onnx *onnx, dip_status code, const char *fmt, ...)
{
    char text[256];
    va_list args;
    if (dip_onnx_failed(onnx))
        return;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    onnx->status = dip_fail(&onnx->err, code, "%s", text);
}

/* Zeroed; NULL, and the error sticks, when memory is out. */
static void *grab(dip_onnx *onnx, size_t count, size_t size)
{
    void *room = dip_onnx_failed(onnx) ? NULL : dip_calloc(count, size);
    if (room == NULL && !dip_onnx_failed(onnx))
        onnx->status = dip_no_memory(&onnx->err);
    return room;
}

static char *copy(dip_onnx *onnx, const char *s)
{
    size_t n = strlen(s) + 1;
    char *room = grab(onnx, n, 1);
    if (room != NULL)
        memcpy(room, s, n);
    return room;
}

/* Appends to a repeated field, whose room doubles at each power of two. */
static bool append(dip_onnx *onnx, void *items, size_t *count, void *item)
{
    void **list;
    memcpy(&list, items, sizeof list);
    if (item == NULL)
        return false;
    if ((*count & (*count - 1)) == 0) {
        size_t need = *count == 0 ? 1 : 2 * *count;
        void **more = realloc(list, need * sizeof *more);
        if (more == NULL) {
            onnx->status = dip_no_memory(&onnx->err);
            return false;
        }
        list = more;
        memcpy(items, &list, sizeof list);
    }
    list[(*count)++] = item;
    return true;
}

/* Ends a message that could not be appended. */
static void drop(void *message)
{
    if (message != NULL)
        protobuf_c_message_free_unpacked(message, NULL);
}

#define NEW(type, init)                                                        \
    static type *new_##init(dip_onnx *onnx)                                    \
    {                                                                          \
        type *message = grab(onnx, 1, sizeof *message);                        \
        if (message != NULL)                                                   \
            onnx__##init##__init(message);                                     \
        return message;                                                        \
    }
NEW(Onnx__NodeProto, node_proto)
NEW(Onnx__AttributeProto, attribute_proto)
NEW(Onnx__TensorProto, tensor_proto)
NEW(Onnx__ValueInfoProto, value_info_proto)
NEW(Onnx__TypeProto, type_proto)
NEW(Onnx__TypeProto__Tensor, type_proto__tensor)
NEW(Onnx__TensorShapeProto, tensor_shape_proto)
NEW(Onnx__TensorShapeProto__Dimension, tensor_shape_proto__dimension)
NEW(Onnx__OperatorSetIdProto, operator_set_id_proto)
NEW(Onnx__GraphProto, graph_proto)
NEW(Onnx__ModelProto, model_proto)
#undef NEW

dip_status dip_onnx_make(dip_onnx **out, const char *graph_name,
                         const char *program_version, dip_err *err)
{
    dip_onnx *o = dip_calloc(1, sizeof *o);
    *out = NULL;
    if (o == NULL)
        return dip_no_memory(err);
    o->model = new_model_proto(o);
    Onnx__OperatorSetIdProto *set = new_operator_set_id_proto(o);
    if (set != NULL) {
        set->domain = copy(o, "");
        set->has_version = true;
        set->version = DIP_ONNX_OPSET;
    }
    if (o->model == NULL ||
        !append(o, &o->model->opset_import, &o->model->n_opset_import, set)) {
        drop(set);
    } else {
        o->model->has_ir_version = true;
        o->model->ir_version = IR_VERSION;
        o->model->producer_name = copy(o, "diptych");
        o->model->producer_version = copy(o, program_version);
        o->model->graph = new_graph_proto(o);
        if (o->model->graph != NULL)
            o->model->graph->name = copy(o, graph_name);
    }
    dip_status st = dip_onnx_status(o, err);
    if (st == DIP_OK)
        *out = o;
    else
        dip_onnx_free(o);
    return st;
}

void dip_onnx_free(dip_onnx *onnx)
{
    if (onnx == NULL)
        return;
    drop(onnx->model);
    free(onnx);
}

Onnx__ModelProto *dip_onnx_model(dip_onnx *onnx)
{
    return onnx->model;
}

/* ---- values -------------------------------------------------------------- */

int32_t dip_onnx_type(dip_dtype dtype)
{
    static const int32_t types[] = {
        [DIP_F32] = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT,
        [DIP_F64] = ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE,
        [DIP_F16] = ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16,
        [DIP_BF16] = ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16,
        [DIP_I32] = ONNX__TENSOR_PROTO__DATA_TYPE__INT32,
        [DIP_I64] = ONNX__TENSOR_PROTO__DATA_TYPE__INT64,
        [DIP_U8] = ONNX__TENSOR_PROTO__DATA_TYPE__UINT8,
        [DIP_I8] = ONNX__TENSOR_PROTO__DATA_TYPE__INT8,
        [DIP_BOOL] = ONNX__TENSOR_PROTO__DATA_TYPE__BOOL,
    };
    return types[dtype];
}

static void add_axis(dip_onnx *onnx, Onnx__TensorShapeProto *shape,
                     int64_t size, const char *name)
{
    Onnx__TensorShapeProto__Dimension *dim =
        new_tensor_shape_proto__dimension(onnx);
    if (dim == NULL)
        return;
    if (size < 0) {
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        dim->dim_param = copy(onnx, name);
    } else {
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dim->dim_value = size;
    }
    if (!append(onnx, &shape->dim, &shape->n_dim, dim))
        drop(dim);
}

static Onnx__ValueInfoProto *describe(dip_onnx *onnx, const dip_signature *s)
{
    Onnx__ValueInfoProto *info = new_value_info_proto(onnx);
    if (info == NULL)
        return NULL;
    info->name = copy(onnx, s->name);
    info->type = new_type_proto(onnx);
    Onnx__TypeProto__Tensor *tensor = new_type_proto__tensor(onnx);
    if (info->type == NULL || tensor == NULL) {
        drop(tensor);
        return info;
    }
    info->type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    info->type->tensor_type = tensor;
    tensor->has_elem_type = true;
    tensor->elem_type = dip_onnx_type(s->dtype);
    tensor->shape = new_tensor_shape_proto(onnx);
    for (int i = 0; tensor->shape != NULL && i < s->rank; i++)
        add_axis(onnx, tensor->shape, s->sizes[i], s->axes[i]);
    return info;
}

const char *dip_onnx_input(dip_onnx *onnx, const dip_signature *input)
{
    Onnx__ValueInfoProto *info = describe(onnx, input);
    Onnx__GraphProto *graph = onnx->model->graph;
    if (append(onnx, &graph->input, &graph->n_input, info) &&
        !dip_onnx_failed(onnx))
        return info->name;
    return "";
}

/* A new name in memory of its own, say "Add_12". */
static char *name_value(dip_onnx *onnx, const char *kind)
{
    char name[96];
    (void)snprintf(name, sizeof name, "%s_%" PRId64, kind, onnx->values++);
    return copy(onnx, name);
}

static Onnx__TensorProto *make_constant(dip_onnx *onnx, dip_dtype dtype,
                                        int rank, const int64_t *sizes)
{
    Onnx__TensorProto *t = new_tensor_proto(onnx);
    size_t bytes = dip_dtype_size(dtype);
    if (t == NULL)
        return NULL;
    t->dims = grab(onnx, (size_t)rank, sizeof *t->dims);
    for (int i = 0; i < rank && t->dims != NULL; i++) {
        t->dims[i] = sizes[i];
        if (dip_mul_overflows(bytes, (size_t)sizes[i], &bytes))
            dip_onnx_fail(onnx, DIP_EDATA, "constant of too many numbers");
    }
    t->n_dims = t->dims != NULL ? (size_t)rank : 0;
    t->has_data_type = true;
    t->data_type = dip_onnx_type(dtype);
    t->raw_data.data = grab(onnx, bytes, 1);
    t->raw_data.len = t->raw_data.data != NULL ? bytes : 0;
    t->has_raw_data = true;
    return t;
}

/* Room for the content of a new constant; NULL when that failed. */
static Onnx__TensorProto *add_constant(dip_onnx *onnx, const char *name,
                                       dip_dtype dtype, int rank,
                                       const int64_t *sizes)
{
    Onnx__GraphProto *graph = onnx->model->graph;
    Onnx__TensorProto *t = make_constant(onnx, dtype, rank, sizes);
    if (t == NULL)
        return NULL;
    t->name = name != NULL ? copy(onnx, name) : name_value(onnx, "constant");
    if (!append(onnx, &graph->initializer, &graph->n_initializer, t))
        drop(t);
    return dip_onnx_failed(onnx) ? NULL : t;
}

const char *dip_onnx_constant(dip_onnx *onnx, const char *name, dip_dtype dtype,
                              int rank, const int64_t *sizes,
                              const void *content)
{
    Onnx__TensorProto *t = add_constant(onnx, name, dtype, rank, sizes);
    if (t == NULL)
        return "";
    if (t->raw_data.len > 0)
        memcpy(t->raw_data.data, content, t->raw_data.len);
    return t->name;
}

const char *dip_onnx_tensor(dip_onnx *onnx, const char *name,
                            const dip_tensor *tensor)
{
    int64_t sizes[16] = {0};
    int rank = dip_tensor_ndim(tensor);
    dip_dtype dtype = dip_tensor_dtype(tensor);
    for (int i = 0; i < rank && i < 16; i++)
        sizes[i] = dip_tensor_size(tensor, i);
    Onnx__TensorProto *t = add_constant(onnx, name, dtype, rank, sizes);
    if (t == NULL)
        return "";
    dip_tensor_read(tensor, dtype, t->raw_data.data, t->raw_data.len);
    return t->name;
}

const char *dip_onnx_ints(dip_onnx *onnx, int count, const int64_t *items)
{
    return dip_onnx_constant(onnx, NULL, DIP_I64, 1, &(int64_t){count}, items);
}

const char *dip_onnx_floats(dip_onnx *onnx, int count, const float *items)
{
    return dip_onnx_constant(onnx, NULL, DIP_F32, 1, &(int64_t){count}, items);
}

const char *dip_onnx_scalar(dip_onnx *onnx, dip_dtype dtype, double value)
{
    const float f = (float)value;
    const int64_t i = dtype == DIP_I64 ? (int64_t)value : 0;
    const int32_t k = dtype == DIP_I32 ? (int32_t)value : 0;
    const uint8_t b = dtype == DIP_U8 ? (uint8_t)value : value != 0;
    const void *content = &b;
    switch (dtype) {
    case DIP_F32:
        content = &f;
        break;
    case DIP_F64:
        content = &value;
        break;
    case DIP_I64:
        content = &i;
        break;
    case DIP_I32:
        content = &k;
        break;
    case DIP_U8:
    case DIP_BOOL:
        break;
    default:
        dip_onnx_fail(onnx, DIP_EVERIFY, "constant number of type %s",
                      dip_dtype_name(dtype));
        return "";
    }
    return dip_onnx_constant(onnx, NULL, dtype, 0, NULL, content);
}

/* ---- nodes --------------------------------------------------------------- */

const char *dip_onnx_more(dip_onnx *onnx)
{
    if (dip_onnx_failed(onnx))
        return "";
    char *name = name_value(onnx, onnx->last->op_type);
    if (append(onnx, &onnx->last->output, &onnx->last->n_output, name))
        return name;
    free(name);
    return "";
}

const char *dip_onnx_node_of(dip_onnx *onnx, const char *op, int count,
                             const char *const *inputs)
{
    Onnx__GraphProto *graph = onnx->model->graph;
    Onnx__NodeProto *node = new_node_proto(onnx);
    if (node == NULL)
        return "";
    node->op_type = copy(onnx, op);
    for (int i = 0; i < count; i++) {
        char *input = copy(onnx, inputs[i] != NULL ? inputs[i] : "");
        if (!append(onnx, &node->input, &node->n_input, input))
            free(input);
    }
    if (!append(onnx, &graph->node, &graph->n_node, node))
        drop(node);
    if (dip_onnx_failed(onnx))
        return "";
    onnx->last = node;
    const char *output = dip_onnx_more(onnx);
    if (!dip_onnx_failed(onnx))
        node->name = copy(onnx, output);
    return output;
}

void dip_onnx_append(dip_onnx *onnx, Onnx__NodeProto *node)
{
    Onnx__GraphProto *graph = onnx->model->graph;
    if (append(onnx, &graph->node, &graph->n_node, node))
        onnx->last = node;
    else
        drop(node);
}

void dip_onnx_name_output(dip_onnx *onnx, const char *name)
{
    char *room = copy(onnx, name);
    if (room == NULL)
        return;
    free(onnx->last->output[0]);
    onnx->last->output[0] = room;
}

#define INPUTS_MAX 8

const char *dip_onnx_node(dip_onnx *onnx, const char *op, int count, ...)
{
    const char *inputs[INPUTS_MAX] = {0};
    va_list args;
    va_start(args, count);
    for (int i = 0; i < count && i < INPUTS_MAX; i++)
        inputs[i] = va_arg(args, const char *);
    va_end(args);
    return dip_onnx_node_of(onnx, op, count, inputs);
}

static Onnx__AttributeProto *attribute(dip_onnx *onnx, const char *name,
                                       Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *a = new_attribute_proto(onnx);
    if (a == NULL)
        return NULL;
    a->name = copy(onnx, name);
    a->has_type = true;
    a->type = type;
    if (append(onnx, &onnx->last->attribute, &onnx->last->n_attribute, a))
        return a;
    drop(a);
    return NULL;
}

void dip_onnx_set_int(dip_onnx *onnx, const char *name, int64_t value)
{
    Onnx__AttributeProto *a =
        attribute(onnx, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);
    if (a == NULL)
        return;
    a->has_i = true;
    a->i = value;
}

void dip_onnx_set_float(dip_onnx *onnx, const char *name, double value)
{
    Onnx__AttributeProto *a =
        attribute(onnx, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);
    if (a == NULL)
        return;
    a->has_f = true;
    a->f = (float)value;
}

void dip_onnx_set_ints(dip_onnx *onnx, const char *name, int count,
                       const int64_t *items)
{
    Onnx__AttributeProto *a =
        attribute(onnx, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    if (a == NULL)
        return;
    a->ints = grab(onnx, (size_t)count, sizeof *a->ints);
    if (a->ints == NULL)
        return;
    memcpy(a->ints, items, (size_t)count * sizeof *items);
    a->n_ints = (size_t)count;
}

void dip_onnx_set_string(dip_onnx *onnx, const char *name, const char *value)
{
    Onnx__AttributeProto *a =
        attribute(onnx, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    if (a == NULL)
        return;
    a->s.data = (uint8_t *)copy(onnx, value);
    a->s.len = a->s.data != NULL ? strlen(value) : 0;
    a->has_s = true;
}

const char *dip_onnx_cast(dip_onnx *onnx, const char *value, dip_dtype dtype)
{
    const char *result = dip_onnx_node(onnx, "Cast", 1, value);
    dip_onnx_set_int(onnx, "to", dip_onnx_type(dtype));
    return result;
}

void dip_onnx_output(dip_onnx *onnx, const char *value,
                     const dip_signature *output)
{
    Onnx__GraphProto *graph = onnx->model->graph;
    (void)dip_onnx_node(onnx, "Identity", 1, value);
    Onnx__ValueInfoProto *info = describe(onnx, output);
    if (append(onnx, &graph->output, &graph->n_output, info))
        dip_onnx_name_output(onnx, output->name);
}

/* ---- files --------------------------------------------------------------- */

typedef struct {
    ProtobufCBuffer base;
    FILE *file;
} file_buffer;

/* Failures stay in the stream, and the commit tells them. */
static void write_bytes(ProtobufCBuffer *buffer, size_t n, const uint8_t *bytes)
{
    (void)fwrite(bytes, 1, n, ((file_buffer *)buffer)->file);
}

dip_status dip_onnx_save(const Onnx__ModelProto *model, const char *path,
                         dip_err *err)
{
    size_t bytes = onnx__model_proto__get_packed_size(model);
    if (bytes > DIP_ONNX_MAX_BYTES)
        return dip_fail(err, DIP_EDATA,
                        "%zu bytes are more than an onnx file can hold: '%s'",
                        bytes, path);
    dip_file_writer *writer = NULL;
    dip_status st = dip_file_writer_open(&writer, path, err);
    if (st == DIP_OK) {
        file_buffer buffer = {{write_bytes}, dip_file_writer_stream(writer)};
        (void)onnx__model_proto__pack_to_buffer(model, &buffer.base);
        st = dip_file_writer_commit(writer, err);
    }
    dip_file_writer_close(writer);
    return st;
}
