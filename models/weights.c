#include "models/weights.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "tensor/shape.h"

#define LISTED_MAX 8 /* names in one message */

/* Counts in *count and adds the first few to `list`. */
static void add_name(dip_str *list, int *count, const char *name)
{
    if (*count < LISTED_MAX)
        dip_str_addf(list, "%s%s", *count ? ", " : "", name);
    (*count)++;
}

static void end_list(dip_str *list, int count)
{
    if (count > LISTED_MAX)
        dip_str_addf(list, " and %d more", count - LISTED_MAX);
}

/* The name inside a file, or NULL when the parameter is not below `prefix`. */
static const char *name_in_file(const dip_params *params, int i,
                                const char *prefix)
{
    const char *name = dip_params_name(params, i);
    size_t n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 ? name + n : NULL;
}

static bool is_expected(const dip_params *params, const char *prefix,
                        const char *name)
{
    for (int i = 0; i < dip_params_count(params); i++) {
        const char *wanted = name_in_file(params, i, prefix);
        if (wanted && strcmp(wanted, name) == 0)
            return true;
    }
    return false;
}

static dip_status check_names(const dip_params *params, const char *prefix,
                              const dip_safetensors *file, const char *path,
                              dip_err *err)
{
    dip_str missing = {0}, unexpected = {0};
    int missing_count = 0, unexpected_count = 0;
    for (int i = 0; i < dip_params_count(params); i++) {
        const char *name = name_in_file(params, i, prefix);
        if (name && dip_safetensors_find(file, name) < 0)
            add_name(&missing, &missing_count, name);
    }
    for (int i = 0; i < dip_safetensors_count(file); i++) {
        const char *name = dip_safetensors_name(file, i);
        if (!is_expected(params, prefix, name))
            add_name(&unexpected, &unexpected_count, name);
    }
    end_list(&missing, missing_count);
    end_list(&unexpected, unexpected_count);
    dip_status st = DIP_OK;
    if (missing_count > 0 || unexpected_count > 0)
        st = dip_fail(err, DIP_EDATA,
                      "weights do not fit the model: '%s': missing: %s; "
                      "unexpected: %s",
                      path, missing_count ? dip_str_text(&missing) : "none",
                      unexpected_count ? dip_str_text(&unexpected) : "none");
    dip_str_free(&missing);
    dip_str_free(&unexpected);
    return st;
}

static dip_status check_shape(const dip_tensor *want, const dip_tensor *got,
                              const char *name, const char *path, dip_err *err)
{
    if (dip_shape_equal(want, got))
        return DIP_OK;
    dip_str text = {0};
    dip_shape_add_unlike(&text, got, want);
    dip_fail(err, DIP_EDATA, "wrong shape of '%s' in '%s': %s", name, path,
             dip_str_text(&text));
    dip_str_free(&text);
    return DIP_EDATA;
}

/* One pass over the parameters below `prefix`: checks, or assigns. Each tensor
 * of the file lives only as long as it is needed. */
static dip_status each_tensor(dip_params *params, const char *prefix,
                              const dip_safetensors *file, const char *path,
                              bool assign, dip_err *err)
{
    dip_status st = DIP_OK;
    for (int i = 0; st == DIP_OK && i < dip_params_count(params); i++) {
        const char *name = name_in_file(params, i, prefix);
        if (!name)
            continue;
        dip_tensor *want = dip_params_tensor(params, i);
        dip_scope_open();
        dip_tensor *got =
            dip_safetensors_tensor(file, dip_safetensors_find(file, name));
        if (dip_tensor_failed())
            st = dip_tensor_status(err);
        else if (!assign)
            st = check_shape(want, got, name, path, err);
        else
            dip_tensor_assign(want, got);
        dip_scope_close();
    }
    return st == DIP_OK ? dip_tensor_status(err) : st;
}

dip_status dip_weights_load(dip_params *params, const char *prefix,
                            const char *path, dip_err *err)
{
    dip_safetensors *file = NULL;
    dip_status st = dip_safetensors_open(&file, path, err);
    if (st == DIP_OK)
        st = check_names(params, prefix, file, path, err);
    if (st == DIP_OK)
        st = each_tensor(params, prefix, file, path, false, err);
    if (st == DIP_OK)
        st = each_tensor(params, prefix, file, path, true, err);
    dip_safetensors_close(file);
    return st;
}

dip_status dip_weights_save(const dip_params *params, const char *path,
                            const dip_metadata *metadata, int metadata_count,
                            dip_err *err)
{
    dip_named_tensor *list = NULL;
    dip_status st = dip_weights_list(&list, params, err);
    if (st == DIP_OK)
        st = dip_safetensors_write(path, list, dip_params_count(params),
                                   metadata, metadata_count, err);
    free(list);
    return st;
}

dip_status dip_weights_list(dip_named_tensor **out, const dip_params *params,
                            dip_err *err)
{
    int count = dip_params_count(params);
    *out = dip_calloc((size_t)count, sizeof **out);
    if (!*out)
        return dip_no_memory(err);
    for (int i = 0; i < count; i++)
        (*out)[i] = (dip_named_tensor){
            .name = dip_params_name(params, i),
            .tensor = dip_params_tensor(params, i),
            .is_buffer = dip_params_kind(params, i) == DIP_PARAM_BUFFER,
        };
    return DIP_OK;
}
