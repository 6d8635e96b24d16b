#include "train/features.h"

#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "tensor/safetensors.h"

dip_status dip_feature_table_create(dip_feature_table *out, int64_t rows,
                                    int64_t width, dip_err *err)
{
    const int64_t sizes[2] = {rows, width};
    dip_scope_open();
    out->values = dip_tensor_keep(dip_tensor_full(0, DIP_F32, 2, sizes));
    out->present = dip_tensor_keep(dip_tensor_full(0, DIP_U8, 1, sizes));
    dip_scope_close();
    return dip_tensor_status(err);
}

void dip_feature_table_free(dip_feature_table *table)
{
    dip_tensor_free(table->values);
    dip_tensor_free(table->present);
    *table = (dip_feature_table){0};
}

void dip_feature_table_put(const dip_feature_table *table,
                           const dip_batch *batch, const dip_tensor *features,
                           const uint8_t *present)
{
    size_t width = (size_t)dip_tensor_size(table->values, 1);
    size_t bytes = width * sizeof(float);
    dip_scope_open();
    dip_tensor *cpu =
        dip_t_to_dtype(dip_t_to_device(features, DIP_CPU), DIP_F32);
    const float *from = dip_tensor_data(dip_t_contiguous(dip_t_detach(cpu)));
    float *to = dip_tensor_data(table->values);
    uint8_t *marks = dip_tensor_data(table->present);
    for (int64_t i = 0; i < batch->size && !dip_tensor_failed(); i++) {
        size_t row = (size_t)batch->rows[i];
        memcpy(to + row * width, from + (size_t)i * width, bytes);
        marks[row] = present == NULL || present[i] != 0;
    }
    dip_scope_close();
}

dip_tensor *dip_feature_table_take(const dip_feature_table *table,
                                   const dip_batch *batch, dip_device device)
{
    dip_tensor *rows = dip_tensor_borrow(batch->rows, DIP_I64, 1, &batch->size);
    return dip_t_to_device(dip_t_index_select(table->values, 0, rows), device);
}

dip_tensor *dip_feature_table_present(const dip_feature_table *table,
                                      const dip_batch *batch, dip_device device)
{
    dip_tensor *rows = dip_tensor_borrow(batch->rows, DIP_I64, 1, &batch->size);
    dip_tensor *marks = dip_t_index_select(table->present, 0, rows);
    return dip_t_to_device(dip_t_ne_scalar(marks, 0), device);
}

bool dip_feature_table_has(const dip_feature_table *table, int64_t row)
{
    const uint8_t *marks = dip_tensor_data(table->present);
    return marks != NULL && marks[row] != 0;
}

/* ---- files ---- */

static dip_status digest_of(char hex[DIP_DIGEST_SIZE],
                            const dip_feature_table *table, dip_err *err)
{
    dip_digest *digest = NULL;
    size_t numbers = (size_t)dip_tensor_numel(table->values);
    dip_status st = dip_digest_new(&digest, err);
    if (st == DIP_OK)
        st = dip_digest_add(digest, dip_tensor_data(table->values),
                            numbers * sizeof(float), err);
    if (st == DIP_OK)
        st = dip_digest_add(digest, dip_tensor_data(table->present),
                            (size_t)dip_tensor_numel(table->present), err);
    if (st == DIP_OK)
        st = dip_digest_end(hex, digest, err);
    dip_digest_free(digest);
    return st;
}

dip_status dip_feature_table_write(const dip_feature_table *table,
                                   const char *path, const char *key,
                                   dip_err *err)
{
    char hex[DIP_DIGEST_SIZE];
    dip_status st = digest_of(hex, table, err);
    if (st != DIP_OK)
        return st;
    const dip_named_tensor tensors[] = {
        {.name = "features", .tensor = table->values},
        {.name = "present", .tensor = table->present}};
    const dip_metadata metadata[] = {{"key", key}, {"sha256", hex}};
    return dip_safetensors_write(path, tensors, DIP_ARRAY_LEN(tensors),
                                 metadata, DIP_ARRAY_LEN(metadata), err);
}

static bool says(const dip_safetensors *file, const char *what,
                 const char *wanted)
{
    const char *value = dip_safetensors_metadata(file, what);
    return value != NULL && strcmp(value, wanted) == 0;
}

/* Kept; NULL unless it has the dtype and [rows, ...] of `ndim` dimensions. */
static dip_tensor *read_tensor(const dip_safetensors *file, const char *name,
                               dip_dtype dtype, int ndim, int64_t rows)
{
    int i = dip_safetensors_find(file, name);
    if (i < 0)
        return NULL;
    dip_tensor *t = dip_safetensors_tensor(file, i);
    bool fits = !dip_tensor_failed() && dip_tensor_dtype(t) == dtype &&
                dip_tensor_ndim(t) == ndim && dip_tensor_size(t, 0) == rows;
    return fits ? dip_tensor_keep(t) : NULL;
}

static dip_status read_table(dip_feature_table *out,
                             const dip_safetensors *file, const char *key,
                             int64_t rows, dip_err *err)
{
    char hex[DIP_DIGEST_SIZE];
    if (!says(file, "key", key))
        return dip_fail(err, DIP_EFORMAT, "features of something else");
    dip_scope_open();
    out->values = read_tensor(file, "features", DIP_F32, 2, rows);
    out->present = read_tensor(file, "present", DIP_U8, 1, rows);
    dip_scope_close();
    dip_status st = dip_tensor_status(err);
    if (st != DIP_OK)
        return st;
    if (out->values == NULL || out->present == NULL)
        return dip_fail(err, DIP_EFORMAT, "no features for %lld rows",
                        (long long)rows);
    st = digest_of(hex, out, err);
    if (st == DIP_OK && !says(file, "sha256", hex))
        st = dip_fail(err, DIP_EFORMAT, "features were changed");
    return st;
}

dip_status dip_feature_table_read(dip_feature_table *out, const char *path,
                                  const char *key, int64_t rows, dip_err *err)
{
    dip_safetensors *file = NULL;
    *out = (dip_feature_table){0};
    dip_status st = dip_safetensors_open(&file, path, err);
    if (st != DIP_OK)
        return st;
    st = read_table(out, file, key, rows, err);
    dip_safetensors_close(file);
    if (st != DIP_OK) {
        dip_feature_table_free(out);
        return dip_fail_context(err, "'%s'", path);
    }
    return DIP_OK;
}
