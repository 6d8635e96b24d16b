#include "tensor/params.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

typedef struct {
    char *name;
    dip_tensor *tensor;
    dip_param_kind kind;
} param;

struct dip_params {
    param *items;
    size_t capacity;
    int count;
};

dip_status dip_params_create(dip_params **out, dip_err *err)
{
    *out = dip_calloc(1, sizeof **out);
    return *out == NULL ? dip_no_memory(err) : DIP_OK;
}

void dip_params_free(dip_params *params)
{
    if (params == NULL)
        return;
    for (int i = 0; i < params->count; i++) {
        dip_tensor_free(params->items[i].tensor);
        free(params->items[i].name);
    }
    free(params->items);
    free(params);
}

/* A kept handle of `tensor` that is ready to be trained; NULL when an error
 * sticks. */
static dip_tensor *owned(const dip_tensor *tensor, dip_param_kind kind)
{
    dip_tensor *alias = dip_tensor_alias(tensor);
    if (kind != DIP_PARAM_BUFFER && !dip_tensor_failed())
        dip_tensor_set_requires_grad(alias, true);
    return dip_tensor_keep(alias);
}

dip_tensor *dip_params_add(dip_params *params, const char *name,
                           dip_param_kind kind, const dip_tensor *tensor)
{
    if (dip_tensor_failed())
        return NULL;
    if (name == NULL || tensor == NULL) {
        dip_tensor_fail(DIP_ETENSOR, "parameter '%s' is NULL",
                        name == NULL ? "" : name);
        return NULL;
    }
    if (dip_params_find(params, name) >= 0) {
        dip_tensor_fail(DIP_ETENSOR, "two parameters named '%s'", name);
        return NULL;
    }
    dip_err err = {0};
    dip_status st =
        dip_reserve(&params->items, &params->capacity,
                    (size_t)params->count + 1, sizeof *params->items, &err);
    if (st != DIP_OK) {
        dip_tensor_fail(st, "%s", err.msg);
        return NULL;
    }
    char *copy = dip_strdup(name);
    if (copy == NULL) {
        dip_tensor_fail(DIP_ENOMEM, "out of memory");
        return NULL;
    }
    dip_tensor *stored = owned(tensor, kind);
    if (stored == NULL) {
        free(copy);
        return NULL;
    }
    params->items[params->count++] = (param){copy, stored, kind};
    return stored;
}

int dip_params_count(const dip_params *params)
{
    return params->count;
}

const char *dip_params_name(const dip_params *params, int i)
{
    return params->items[i].name;
}

dip_tensor *dip_params_tensor(const dip_params *params, int i)
{
    return params->items[i].tensor;
}

dip_param_kind dip_params_kind(const dip_params *params, int i)
{
    return params->items[i].kind;
}

void dip_params_freeze(dip_params *params, int i)
{
    if (params->items[i].kind == DIP_PARAM_BUFFER)
        return;
    params->items[i].kind = DIP_PARAM_BUFFER;
    dip_tensor_set_requires_grad(params->items[i].tensor, false);
}

void dip_params_drop(dip_params *params, const char *pattern)
{
    int kept = 0;
    for (int i = 0; i < params->count; i++) {
        if (fnmatch(pattern, params->items[i].name, 0) == 0) {
            dip_tensor_free(params->items[i].tensor);
            free(params->items[i].name);
        } else {
            params->items[kept++] = params->items[i];
        }
    }
    params->count = kept;
}

int dip_params_find(const dip_params *params, const char *name)
{
    for (int i = 0; i < params->count; i++) {
        if (strcmp(params->items[i].name, name) == 0)
            return i;
    }
    return -1;
}

int64_t dip_params_trained_numel(const dip_params *params)
{
    int64_t sum = 0;
    for (int i = 0; i < params->count; i++) {
        if (params->items[i].kind != DIP_PARAM_BUFFER)
            sum += dip_tensor_numel(params->items[i].tensor);
    }
    return sum;
}

void dip_params_to_device(dip_params *params, dip_device device)
{
    for (int i = 0; i < params->count; i++) {
        dip_tensor *tensor = params->items[i].tensor;
        if (dip_tensor_device(tensor) == device)
            continue;
        dip_scope_open();
        dip_tensor_rebind(tensor, dip_t_to_device(tensor, device));
        dip_scope_close();
    }
}

void dip_params_channels_last(dip_params *params)
{
    for (int i = 0; i < params->count; i++) {
        dip_tensor *tensor = params->items[i].tensor;
        if (dip_tensor_ndim(tensor) != 4)
            continue;
        dip_scope_open();
        dip_tensor_rebind(tensor, dip_t_channels_last(tensor));
        dip_scope_close();
    }
}

static dip_status digest_tensor(dip_digest *digest, const char *name,
                                const dip_tensor *tensor, dip_err *err)
{
    dip_tensor *t =
        dip_t_contiguous(dip_t_to_device(dip_t_detach(tensor), DIP_CPU));
    size_t size =
        (size_t)dip_tensor_numel(t) * dip_dtype_size(dip_tensor_dtype(t));
    int64_t shape[8] = {0};
    for (int d = 0; d < dip_tensor_ndim(t) && d < 8; d++)
        shape[d] = dip_tensor_size(t, d);
    dip_status st = dip_tensor_status(err);
    if (st == DIP_OK)
        st = dip_digest_add(digest, name, strlen(name) + 1, err);
    if (st == DIP_OK)
        st = dip_digest_add(digest, shape, sizeof shape, err);
    return st == DIP_OK ? dip_digest_add(digest, dip_tensor_data(t), size, err)
                        : st;
}

dip_status dip_params_digest(char hex[DIP_DIGEST_SIZE],
                             const dip_params *params, const char *prefix,
                             dip_err *err)
{
    dip_digest *digest = NULL;
    dip_status st = dip_digest_new(&digest, err);
    for (int i = 0; i < params->count && st == DIP_OK; i++) {
        const char *name = params->items[i].name;
        if (strncmp(name, prefix, strlen(prefix)) != 0)
            continue;
        dip_scope_open();
        st = digest_tensor(digest, name, params->items[i].tensor, err);
        dip_scope_close();
    }
    if (st == DIP_OK)
        st = dip_digest_end(hex, digest, err);
    dip_digest_free(digest);
    return st;
}
