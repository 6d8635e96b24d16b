#include "export/onnxruntime.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "export/onnxruntime_api.h"

typedef struct {
    char **items; /* NULL-terminated */
    int count;
} name_list;

struct dip_ort {
    char *path;
    dip_ort_library library;
    ort_env *env;
    ort_session *session;
    ort_memory *memory; /* of the processor, where tensors are */
    name_list inputs, outputs;
};

static const struct {
    dip_dtype dtype;
    int type; /* TensorProto.DataType of ONNX */
} elements[] = {
    {DIP_F32, 1}, {DIP_U8, 2},   {DIP_I8, 3},   {DIP_I32, 6},
    {DIP_I64, 7}, {DIP_BOOL, 9}, {DIP_F16, 10}, {DIP_F64, 11},
};
enum { ELEMENT_COUNT = sizeof elements / sizeof elements[0] };

/* Turns what a function of the library said into ours, and ends it. */
static dip_status finish(const dip_ort_api *api, ort_status *status,
                         dip_status code, dip_err *err)
{
    char words[DIP_ERR_SIZE];
    if (status == NULL)
        return DIP_OK;
    if (api->status_code(status) == DIP_ORT_NO_SUCH_FILE)
        code = DIP_EIO;
    size_t n = 0; /* the first lines, as one */
    for (const char *s = api->status_message(status);
         *s != '\0' && n + 1 < sizeof words; s++)
        words[n++] = *s == '\n' || *s == '\t' ? ' ' : *s;
    while (n > 0 && (words[n - 1] == ' ' || words[n - 1] == '.'))
        n--;
    words[n] = '\0';
    api->release_status(status);
    return dip_fail(err, code, "ONNX Runtime: %s", words);
}

dip_status dip_ort_available(dip_err *err)
{
    dip_ort_library library;
    dip_status st = dip_ort_library_load(&library, err);
    dip_ort_library_unload(&library);
    return st;
}

const char *dip_ort_version(void)
{
    dip_ort_library library;
    bool loaded = dip_ort_library_load(&library, NULL) == DIP_OK;
    dip_ort_library_unload(&library);
    return loaded ? library.version : NULL;
}

/* ---- opening ------------------------------------------------------------ */

typedef ort_status *(*count_function)(const ort_session *, size_t *);
typedef ort_status *(*name_function)(const ort_session *, size_t,
                                     ort_allocator *, char **);

/* Copies the names of all inputs or outputs. */
static dip_status list_names(name_list *out, const dip_ort *o,
                             count_function count_of, name_function name_of,
                             dip_err *err)
{
    const dip_ort_api *api = &o->library.api;
    ort_allocator *allocator = NULL;
    size_t count = 0;
    dip_status st =
        finish(api, api->default_allocator(&allocator), DIP_FAIL, err);
    if (st == DIP_OK)
        st = finish(api, count_of(o->session, &count), DIP_FAIL, err);
    if (st != DIP_OK)
        return st;
    out->items = dip_calloc(count + 1, sizeof *out->items);
    if (out->items == NULL || count > INT_MAX)
        return dip_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        char *name = NULL;
        st = finish(api, name_of(o->session, i, allocator, &name), DIP_FAIL,
                    err);
        if (st != DIP_OK)
            return st;
        out->items[i] = dip_strdup(name);
        st = finish(api, api->allocator_free(allocator, name), DIP_FAIL, err);
        if (out->items[i] == NULL)
            return dip_no_memory(err);
        out->count++;
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

static dip_status set_options(const dip_ort_api *api, ort_options *options,
                              int threads, dip_err *err)
{
    dip_status st =
        finish(api, api->set_execution_mode(options, DIP_ORT_SEQUENTIAL),
               DIP_FAIL, err);
    if (st == DIP_OK)
        st = finish(api, api->set_intra_op_threads(options, threads), DIP_FAIL,
                    err);
    if (st == DIP_OK)
        st = finish(api, api->set_inter_op_threads(options, 1), DIP_FAIL, err);
    return st;
}

static dip_status make_session(dip_ort *o, int threads, dip_err *err)
{
    const dip_ort_api *api = &o->library.api;
    ort_options *options = NULL;
    dip_status st =
        finish(api, api->create_env(DIP_ORT_LOG_FATAL, "diptych", &o->env),
               DIP_FAIL, err);
    if (st == DIP_OK)
        st = finish(api, api->disable_telemetry(o->env), DIP_FAIL, err);
    if (st == DIP_OK)
        st = finish(api,
                    api->create_cpu_memory(DIP_ORT_ARENA_ALLOCATOR,
                                           DIP_ORT_MEMORY_DEFAULT, &o->memory),
                    DIP_FAIL, err);
    if (st == DIP_OK)
        st = finish(api, api->create_options(&options), DIP_FAIL, err);
    if (st == DIP_OK)
        st = set_options(api, options, threads, err);
    if (st == DIP_OK) {
        st = finish(api,
                    api->create_session(o->env, o->path, options, &o->session),
                    DIP_EFORMAT, err);
        if (st != DIP_OK)
            st = dip_fail_context(err, "cannot open '%s'", o->path);
    }
    if (options != NULL)
        api->release_options(options);
    return st;
}

dip_status dip_ort_open(dip_ort **out, const char *path, int threads,
                        dip_err *err)
{
    assert(threads >= 1);
    *out = NULL;
    dip_ort *o = dip_calloc(1, sizeof *o);
    if (o == NULL)
        return dip_no_memory(err);
    o->path = dip_strdup(path);
    dip_status st = o->path != NULL ? dip_ort_library_load(&o->library, err)
                                    : dip_no_memory(err);
    const dip_ort_api *api = &o->library.api;
    if (st == DIP_OK)
        st = make_session(o, threads, err);
    if (st == DIP_OK)
        st = list_names(&o->inputs, o, api->input_count, api->input_name, err);
    if (st == DIP_OK)
        st = list_names(&o->outputs, o, api->output_count, api->output_name,
                        err);
    if (st == DIP_OK) {
        *out = o;
        o = NULL;
    }
    dip_ort_close(o);
    return st;
}

static void free_names(name_list *names)
{
    for (int i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

void dip_ort_close(dip_ort *o)
{
    if (o == NULL)
        return;
    const dip_ort_api *api = &o->library.api;
    if (o->session != NULL)
        api->release_session(o->session);
    if (o->memory != NULL)
        api->release_memory(o->memory);
    if (o->env != NULL)
        api->release_env(o->env);
    dip_ort_library_unload(&o->library);
    free_names(&o->inputs);
    free_names(&o->outputs);
    free(o->path);
    free(o);
}

int dip_ort_input_count(const dip_ort *o)
{
    return o->inputs.count;
}

int dip_ort_output_count(const dip_ort *o)
{
    return o->outputs.count;
}

const char *dip_ort_input_name(const dip_ort *o, int i)
{
    return i >= 0 && i < o->inputs.count ? o->inputs.items[i] : NULL;
}

const char *dip_ort_output_name(const dip_ort *o, int i)
{
    return i >= 0 && i < o->outputs.count ? o->outputs.items[i] : NULL;
}

/* ---- running ------------------------------------------------------------ */

/* A value over the elements of `t`, which must outlive it. */
static dip_status make_value(ort_value **out, const dip_ort *o,
                             const dip_tensor *t, dip_err *err)
{
    const dip_ort_api *api = &o->library.api;
    int64_t sizes[DIP_ORT_DIMS_MAX];
    int ndim = dip_tensor_ndim(t), i = 0;
    while (i < ELEMENT_COUNT && elements[i].dtype != dip_tensor_dtype(t))
        i++;
    if (i == ELEMENT_COUNT || ndim > DIP_ORT_DIMS_MAX)
        return dip_fail(err, DIP_ETENSOR,
                        "not for ONNX Runtime: %s, %d dimensions",
                        dip_dtype_name(dip_tensor_dtype(t)), ndim);
    for (int k = 0; k < ndim; k++)
        sizes[k] = dip_tensor_size(t, k);
    size_t bytes =
        (size_t)dip_tensor_numel(t) * dip_dtype_size(elements[i].dtype);
    void *data = bytes > 0 ? dip_tensor_data(t) : sizes; /* not NULL */
    return finish(api,
                  api->create_tensor(o->memory, data, bytes, sizes,
                                     (size_t)ndim, elements[i].type, out),
                  DIP_ETENSOR, err);
}

/* Values of the inputs as they lie in memory, of the processor and row by row:
 * copies in the open scope where one is not. */
static dip_status make_values(ort_value **values, const dip_ort *o,
                              dip_tensor *const *inputs, int count,
                              dip_err *err)
{
    for (int i = 0; i < count; i++) {
        const dip_tensor *t =
            dip_t_contiguous(dip_t_to_device(inputs[i], DIP_CPU));
        dip_status st = dip_tensor_status(err);
        if (st == DIP_OK)
            st = make_value(&values[i], o, t, err);
        if (st != DIP_OK)
            return dip_fail_context(err, "input %d of '%s'", i, o->path);
    }
    return DIP_OK;
}

/* Type and sizes of a value. */
static dip_status read_shape(int *type, int64_t sizes[DIP_ORT_DIMS_MAX],
                             size_t *ndim, const dip_ort *o,
                             const ort_value *value, dip_err *err)
{
    const dip_ort_api *api = &o->library.api;
    ort_shape *shape = NULL;
    dip_status st = finish(api, api->shape_of(value, &shape), DIP_ETENSOR, err);
    if (st == DIP_OK)
        st = finish(api, api->element_type(shape, type), DIP_ETENSOR, err);
    if (st == DIP_OK)
        st = finish(api, api->dimension_count(shape, ndim), DIP_ETENSOR, err);
    if (st == DIP_OK && *ndim > DIP_ORT_DIMS_MAX)
        st = dip_fail(err, DIP_ETENSOR, "%zu dimensions, more than %d", *ndim,
                      DIP_ORT_DIMS_MAX);
    if (st == DIP_OK)
        st =
            finish(api, api->dimensions(shape, sizes, *ndim), DIP_ETENSOR, err);
    if (shape != NULL)
        api->release_shape(shape);
    return st;
}

/* Copies a value into a tensor of the open scope. */
static dip_status read_value(dip_tensor **out, const dip_ort *o,
                             ort_value *value, dip_err *err)
{
    int64_t sizes[DIP_ORT_DIMS_MAX];
    size_t ndim = 0;
    void *data = NULL;
    int type = 0, i = 0;
    const dip_ort_api *api = &o->library.api;
    dip_status st = read_shape(&type, sizes, &ndim, o, value, err);
    if (st != DIP_OK)
        return st;
    while (i < ELEMENT_COUNT && elements[i].type != type)
        i++;
    if (i == ELEMENT_COUNT)
        return dip_fail(err, DIP_ETENSOR, "elements of the ONNX type %d", type);
    st = finish(api, api->tensor_data(value, &data), DIP_ETENSOR, err);
    if (st != DIP_OK)
        return st;
    *out = dip_tensor_from(data, elements[i].dtype, (int)ndim, sizes);
    return dip_tensor_status(err);
}

dip_status dip_ort_run(dip_ort *o, const char *const *input_names,
                       dip_tensor *const *inputs, int input_count,
                       const char *output_name, dip_tensor **output,
                       dip_err *err)
{
    assert(input_count >= 0 && input_count <= DIP_ORT_INPUTS_MAX);
    const dip_ort_api *api = &o->library.api;
    ort_value *values[DIP_ORT_INPUTS_MAX] = {0}, *result = NULL;
    *output = NULL;
    dip_scope_open();
    dip_status st = make_values(values, o, inputs, input_count, err);
    if (st == DIP_OK) {
        st = finish(api,
                    api->run(o->session, NULL, input_names,
                             (const ort_value *const *)values,
                             (size_t)input_count, &output_name, 1, &result),
                    DIP_ETENSOR, err);
        if (st == DIP_OK)
            st = read_value(output, o, result, err);
        if (st != DIP_OK)
            st = dip_fail_context(err, "cannot run '%s'", o->path);
    }
    for (int i = 0; i < input_count; i++) {
        if (values[i] != NULL)
            api->release_value(values[i]);
    }
    if (result != NULL)
        api->release_value(result);
    if (*output != NULL)
        *output = dip_tensor_return(*output);
    dip_scope_close();
    return st;
}
