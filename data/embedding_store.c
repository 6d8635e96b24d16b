#include "data/embedding_store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "data/catalog_links.h"
#include "data/embedding_datasets.h"
#include "data/embedding_file.h"
#include "data/h5.h"

#define BLOCK_BYTES                                                            \
    ((int64_t)1 << 20) /* of codes that are decoded at a time                  \
                        */

struct dip_embedding_store {
    const char *path;
    dip_h5_file file;
    dip_embedding_info info;
    char *name, *model, *recipe;
    char *ids;
    int64_t *offsets; /* [rows + 1] */
    uint8_t *present; /* [rows] */
    dip_h5_dataset codes, rescore;
    float *peaks; /* [rows] of int8, else NULL */
};

/* ---- what both sides agree about ---- */

dip_h5_type dip_embedding_type(dip_codes precision)
{
    static const dip_h5_type types[DIP_CODES_COUNT] = {
        [DIP_CODES_FP32] = DIP_H5_F32,
        [DIP_CODES_FP16] = DIP_H5_F16,
        [DIP_CODES_INT8] = DIP_H5_I8,
        [DIP_CODES_BINARY] = DIP_H5_U8,
    };
    return types[precision];
}

int64_t dip_embedding_width(dip_codes precision, int64_t dim)
{
    return precision == DIP_CODES_BINARY
               ? (int64_t)dip_codes_bytes(precision, dim)
               : dim;
}

dip_status dip_embedding_dataset_name(char out[DIP_H5_NAME_SIZE],
                                      const char *group, const char *name,
                                      dip_err *err)
{
    int length = snprintf(out, DIP_H5_NAME_SIZE, "%s/%s", group, name);
    if (length < 0 || length >= DIP_H5_NAME_SIZE)
        return dip_fail(err, DIP_ERANGE, "name of %zu bytes for embeddings",
                        strlen(name));
    return DIP_OK;
}

/* ---- opening ---- */

static dip_status bad_word(const dip_embedding_store *s, const char *name,
                           const char *value, dip_err *err)
{
    return dip_fail(err, DIP_EFORMAT, "%s '%.60s' in '%s'", name, value,
                    s->path);
}

/* An attribute that files of other programs need not have. */
static dip_status get_word(char **out, const dip_embedding_store *s,
                           const char *name, dip_err *err)
{
    dip_status st = dip_h5_get_text(out, &s->file, name, err);
    if (st == DIP_ENOTFOUND)
        st = dip_fail(err, DIP_EFORMAT,
                      "no attribute '%s' in '%s': not a file of diptych embed",
                      name, s->path);
    return st;
}

static dip_status read_format(const dip_embedding_store *s, dip_err *err)
{
    char *format = NULL;
    int64_t version = 0;
    dip_status st = get_word(&format, s, "format", err);
    if (st == DIP_OK && strcmp(format, DIP_EMBEDDING_FORMAT) != 0)
        st = dip_fail(err, DIP_EFORMAT,
                      "format of '%s' is not " DIP_EMBEDDING_FORMAT, s->path);
    free(format);
    if (st == DIP_OK)
        st = dip_h5_get_int(&version, &s->file, "version", err);
    if (st == DIP_OK && version != DIP_EMBEDDING_VERSION)
        st =
            dip_fail(err, DIP_EFORMAT, "version %lld of '%s', where %d is read",
                     (long long)version, s->path, DIP_EMBEDDING_VERSION);
    return st;
}

static dip_status read_precision(dip_embedding_store *s, dip_err *err)
{
    char *precision = NULL, *rescore = NULL;
    dip_embedding_info *info = &s->info;
    dip_status st = get_word(&precision, s, "precision", err);
    if (st == DIP_OK)
        st = get_word(&rescore, s, "rescore", err);
    if (st == DIP_OK && !dip_codes_parse(&info->precision, precision))
        st = bad_word(s, "precision", precision, err);
    if (st == DIP_OK && strcmp(rescore, "none") != 0) {
        info->has_rescore = dip_codes_parse(&info->rescore, rescore) &&
                            info->rescore <= DIP_CODES_FP16;
        if (!info->has_rescore)
            st = bad_word(s, "rescore", rescore, err);
    }
    free(precision);
    free(rescore);
    return st;
}

static dip_status read_head(dip_embedding_store *s, dip_err *err)
{
    char *similarity = NULL;
    dip_embedding_info *info = &s->info;
    dip_status st = read_format(s, err);
    if (st == DIP_OK)
        st = get_word(&s->name, s, "name", err);
    if (st == DIP_OK)
        st = get_word(&s->recipe, s, "recipe", err);
    if (st == DIP_OK)
        st = get_word(&s->model, s, "model", err);
    if (st == DIP_OK &&
        (strlen(s->model) != DIP_DIGEST_SIZE - 1 ||
         strspn(s->model, "0123456789abcdef") != DIP_DIGEST_SIZE - 1))
        st = bad_word(s, "model", s->model, err);
    if (st == DIP_OK)
        st = get_word(&similarity, s, "similarity", err);
    if (st == DIP_OK && !dip_similarity_parse(&info->similarity, similarity))
        st = bad_word(s, "similarity", similarity, err);
    free(similarity);
    if (st == DIP_OK)
        st = read_precision(s, err);
    if (st == DIP_OK)
        st = dip_h5_get_int(&info->dim, &s->file, "dim", err);
    if (st == DIP_OK && (info->dim < 1 || info->dim > DIP_EMBEDDING_DIM_MAX))
        st = dip_fail(err, DIP_EFORMAT, "dim %lld in '%s'",
                      (long long)info->dim, s->path);
    info->name = s->name;
    info->model = s->model;
    info->recipe = s->recipe;
    return st;
}

static dip_status open_rows(dip_h5_dataset *out, const dip_embedding_store *s,
                            const char *name, dip_h5_type type, int64_t width,
                            dip_err *err)
{
    dip_status st = dip_h5_dataset_open(out, &s->file, name, err);
    if (st == DIP_OK)
        st = dip_h5_expect_rows(out, type, 2, s->info.rows, err);
    if (st == DIP_OK && out->dims[1] != width)
        st = dip_fail(err, DIP_EFORMAT,
                      "dataset '%s' of '%s' has %lld columns, not %lld", name,
                      s->path, (long long)out->dims[1], (long long)width);
    return st;
}

static dip_status open_numbers(dip_h5_dataset *out,
                               const dip_embedding_store *s, const char *group,
                               dip_codes precision, dip_err *err)
{
    char name[DIP_H5_NAME_SIZE];
    dip_status st = dip_embedding_dataset_name(name, group, s->name, err);
    return st == DIP_OK
               ? open_rows(out, s, name, dip_embedding_type(precision),
                           dip_embedding_width(precision, s->info.dim), err)
               : st;
}

/* All of a small dataset [rows, width]; the caller frees *out. */
static dip_status load_rows(void **out, const dip_embedding_store *s,
                            const char *name, dip_h5_type type, int64_t width,
                            dip_err *err)
{
    dip_h5_dataset data;
    *out = NULL;
    dip_status st = open_rows(&data, s, name, type, width, err);
    if (st == DIP_OK) {
        *out = dip_calloc(data.bytes, 1);
        st = *out != NULL ? DIP_OK : dip_no_memory(err);
    }
    if (st == DIP_OK && data.bytes > 0)
        st = dip_h5_read(&data, type, *out, err);
    dip_h5_dataset_close(&data);
    if (st != DIP_OK) {
        free(*out);
        *out = NULL;
    }
    return st;
}

static dip_status check_peaks(const dip_embedding_store *s, dip_err *err)
{
    for (int64_t i = 0; i < s->info.rows; i++) {
        if (!(s->peaks[i] >= 0) || isinf(s->peaks[i]))
            return dip_fail(err, DIP_EFORMAT,
                            "peak of row %lld in '%s' is not a finite size",
                            (long long)i, s->path);
    }
    return DIP_OK;
}

static dip_status open_datasets(dip_embedding_store *s, dip_err *err)
{
    char name[DIP_H5_NAME_SIZE];
    void *loaded = NULL;
    dip_status st = dip_load_texts(&s->ids, &s->offsets, &s->info.rows,
                                   &s->file, "id", err);
    if (st == DIP_OK)
        st = dip_check_texts(s->ids, s->offsets, s->info.rows, &s->file, "id",
                             err);
    if (st == DIP_OK)
        st = load_rows(&loaded, s, "present", DIP_H5_U8, 1, err);
    s->present = loaded;
    if (st == DIP_OK)
        st = open_numbers(&s->codes, s, "embedding", s->info.precision, err);
    if (st == DIP_OK && s->info.has_rescore)
        st = open_numbers(&s->rescore, s, "rescore", s->info.rescore, err);
    if (st != DIP_OK || s->info.precision != DIP_CODES_INT8)
        return st;
    st = dip_embedding_dataset_name(name, "peak", s->name, err);
    if (st == DIP_OK)
        st = load_rows(&loaded, s, name, DIP_H5_F32, 1, err);
    s->peaks = st == DIP_OK ? loaded : NULL;
    return st == DIP_OK ? check_peaks(s, err) : st;
}

dip_status dip_embedding_store_open(dip_embedding_store **out, const char *path,
                                    dip_err *err)
{
    *out = NULL;
    dip_embedding_store *s = dip_calloc(1, sizeof *s);
    if (s == NULL)
        return dip_no_memory(err);
    *s = (dip_embedding_store){.path = path,
                               .file = DIP_H5_NO_FILE,
                               .codes = DIP_H5_NO_DATASET,
                               .rescore = DIP_H5_NO_DATASET,
                               .info.rows = -1};
    dip_status st = dip_h5_open(&s->file, path, err);
    if (st == DIP_OK)
        st = read_head(s, err);
    if (st == DIP_OK)
        st = open_datasets(s, err);
    if (st != DIP_OK) {
        dip_embedding_store_close(s);
        return st;
    }
    *out = s;
    return DIP_OK;
}

void dip_embedding_store_close(dip_embedding_store *s)
{
    if (s == NULL)
        return;
    dip_h5_dataset_close(&s->codes);
    dip_h5_dataset_close(&s->rescore);
    dip_h5_close(&s->file);
    free(s->name);
    free(s->model);
    free(s->recipe);
    free(s->ids);
    free(s->offsets);
    free(s->present);
    free(s->peaks);
    free(s);
}

/* ---- rows ---- */

const dip_embedding_info *dip_embedding_store_info(const dip_embedding_store *s)
{
    return &s->info;
}

const char *dip_embedding_store_path(const dip_embedding_store *s)
{
    return s->path;
}

dip_bytes dip_embedding_store_id(const dip_embedding_store *s, int64_t row)
{
    int64_t first = s->offsets[row];
    return (dip_bytes){s->ids + first, (size_t)(s->offsets[row + 1] - first)};
}

const uint8_t *dip_embedding_store_present(const dip_embedding_store *s)
{
    return s->present;
}

static dip_status check_row(float *row, const dip_embedding_store *s,
                            int64_t at, dip_err *err)
{
    if (s->present[at] == 0) {
        memset(row, 0, (size_t)s->info.dim * sizeof *row);
        return DIP_OK;
    }
    for (int64_t i = 0; i < s->info.dim; i++) {
        if (!isfinite(row[i]))
            return dip_fail(err, DIP_EFORMAT,
                            "a number that is not finite in row %lld of '%s'",
                            (long long)at, s->path);
    }
    return DIP_OK;
}

dip_status dip_embedding_store_read(float *values, const dip_embedding_store *s,
                                    int64_t first, int64_t count, bool finest,
                                    dip_err *err)
{
    bool again = finest && s->info.has_rescore;
    const dip_h5_dataset *data = again ? &s->rescore : &s->codes;
    dip_codes precision = again ? s->info.rescore : s->info.precision;
    int64_t dim = s->info.dim;
    int64_t bytes = (int64_t)dip_codes_bytes(precision, dim);
    int64_t block = bytes < BLOCK_BYTES ? BLOCK_BYTES / bytes : 1;
    void *codes = dip_calloc((size_t)(block * bytes), 1);
    dip_status st = codes != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t at = 0; at < count && st == DIP_OK; at += block) {
        int64_t n = count - at < block ? count - at : block;
        st = dip_h5_read_rows(data, dip_embedding_type(precision), first + at,
                              n, codes, err);
        if (st != DIP_OK)
            break;
        dip_codes_decode(values + at * dim, precision, codes,
                         s->peaks != NULL ? s->peaks + first + at : NULL, n,
                         dim);
        for (int64_t i = 0; i < n && st == DIP_OK; i++)
            st = check_row(values + (at + i) * dim, s, first + at + i, err);
    }
    free(codes);
    return st;
}

dip_status dip_embedding_store_digests(dip_row_digest **out,
                                       const dip_embedding_store *s,
                                       dip_err *err)
{
    void *loaded;
    dip_status st =
        load_rows(&loaded, s, "digest", DIP_H5_U8, DIP_ROW_DIGEST_SIZE, err);
    *out = loaded;
    return st;
}
