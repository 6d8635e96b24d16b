#include "data/embedding_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/catalog_links.h"
#include "data/h5.h"

#define GROUP        "embedding"
#define BLOCK_FLOATS ((int64_t)1 << 20) /* that are read at a time */

struct dip_embedding_file {
    const char *path;
    const dip_catalog *catalog;
    dip_h5_file file;
    char *ids;
    int64_t *offsets; /* [rows + 1] */
    int64_t rows;
    int64_t *place; /* [rows] row of the catalog, or -1 */
};

static dip_bytes id_of(const dip_embedding_file *f, int64_t row)
{
    int64_t first = f->offsets[row];
    return (dip_bytes){f->ids + first, (size_t)(f->offsets[row + 1] - first)};
}

/* Of an id in a message. */
static int shown(dip_bytes id)
{
    return (int)(id.len < 100 ? id.len : 100);
}

/* ---- opening ---- */

static dip_status check_format(const dip_embedding_file *f, dip_err *err)
{
    char *format;
    int64_t version = 0;
    dip_status st = dip_h5_get_text(&format, &f->file, "format", err);
    if (st == DIP_OK && strcmp(format, DIP_EMBEDDING_FORMAT) != 0)
        st = dip_fail(err, DIP_EFORMAT,
                      "format of '%s' is not " DIP_EMBEDDING_FORMAT, f->path);
    free(format);
    if (st == DIP_OK)
        st = dip_h5_get_int(&version, &f->file, "version", err);
    if (st == DIP_OK && version != DIP_EMBEDDING_VERSION)
        st =
            dip_fail(err, DIP_EFORMAT, "version %lld of '%s', where %d is read",
                     (long long)version, f->path, DIP_EMBEDDING_VERSION);
    return st;
}

/* Sets the places; `found` [rows of the catalog] begins as zeros. */
static dip_status place_rows(dip_embedding_file *f, uint8_t *found,
                             dip_split split, dip_err *err)
{
    for (int64_t i = 0; i < f->rows; i++) {
        dip_bytes id = id_of(f, i);
        int64_t row = dip_catalog_row_of(f->catalog, id);
        f->place[i] = -1;
        if (row < 0 || dip_catalog_split(f->catalog, row) != split)
            continue;
        if (found[row])
            return dip_fail(err, DIP_EFORMAT,
                            "id '%.*s' a second time in row %lld of '%s'",
                            shown(id), id.data, (long long)i, f->path);
        found[row] = 1;
        f->place[i] = row;
    }
    return DIP_OK;
}

static dip_status check_found(const dip_embedding_file *f, const uint8_t *found,
                              dip_split split, dip_err *err)
{
    int64_t missing = 0, first = -1;
    for (int64_t row = 0; row < dip_catalog_rows(f->catalog); row++) {
        if (found[row] || dip_catalog_split(f->catalog, row) != split)
            continue;
        first = missing++ == 0 ? row : first;
    }
    if (missing == 0)
        return DIP_OK;
    dip_bytes id = dip_catalog_id(f->catalog, first);
    return dip_fail(err, DIP_EDATA,
                    "no row of '%.*s' in '%s', which lacks %lld of the %lld "
                    "rows of the split '%s'",
                    shown(id), id.data, f->path, (long long)missing,
                    (long long)dip_catalog_split_rows(f->catalog, split),
                    dip_split_name(split));
}

static dip_status find_rows(dip_embedding_file *f, dip_split split,
                            dip_err *err)
{
    uint8_t *found = dip_calloc((size_t)dip_catalog_rows(f->catalog), 1);
    f->place = dip_calloc((size_t)f->rows, sizeof *f->place);
    dip_status st = found != NULL && f->place != NULL
                        ? place_rows(f, found, split, err)
                        : dip_no_memory(err);
    if (st == DIP_OK)
        st = check_found(f, found, split, err);
    free(found);
    return st;
}

dip_status dip_embedding_file_open(dip_embedding_file **out, const char *path,
                                   const dip_catalog *catalog, dip_split split,
                                   dip_err *err)
{
    *out = NULL;
    dip_embedding_file *f = dip_calloc(1, sizeof *f);
    if (f == NULL)
        return dip_no_memory(err);
    *f = (dip_embedding_file){
        .path = path, .catalog = catalog, .file = DIP_H5_NO_FILE, .rows = -1};
    dip_status st = dip_h5_open(&f->file, path, err);
    if (st == DIP_OK)
        st = check_format(f, err);
    if (st == DIP_OK)
        st =
            dip_load_texts(&f->ids, &f->offsets, &f->rows, &f->file, "id", err);
    if (st == DIP_OK)
        st = find_rows(f, split, err);
    if (st != DIP_OK) {
        dip_embedding_file_close(f);
        return st;
    }
    *out = f;
    return DIP_OK;
}

void dip_embedding_file_close(dip_embedding_file *file)
{
    if (file == NULL)
        return;
    dip_h5_close(&file->file);
    free(file->ids);
    free(file->offsets);
    free(file->place);
    free(file);
}

/* ---- embeddings ---- */

static dip_status no_such_name(const dip_embedding_file *f, const char *name,
                               dip_err *err)
{
    char **names;
    int count;
    dip_str words = {0};
    dip_status st = dip_h5_list(&names, &count, &f->file, GROUP, err);
    if (st != DIP_OK)
        return st;
    for (int i = 0; i < count; i++)
        dip_str_addf(&words, "%s%s", i > 0 ? ", " : "", names[i]);
    st = dip_fail(err, DIP_ENOTFOUND, "no '" GROUP "/%s' in '%s'; there %s%s",
                  name, f->path, count > 0 ? "are: " : "is none",
                  dip_str_text(&words));
    dip_str_free(&words);
    dip_h5_list_free(names, count);
    return st;
}

static dip_status open_dataset(dip_h5_dataset *out, const dip_embedding_file *f,
                               const char *name, dip_err *err)
{
    char full[DIP_H5_NAME_SIZE];
    *out = DIP_H5_NO_DATASET;
    int length = snprintf(full, sizeof full, GROUP "/%s", name);
    if (length < 0 || (size_t)length >= sizeof full ||
        !dip_h5_exists(&f->file, full))
        return no_such_name(f, name, err);
    dip_status st = dip_h5_dataset_open(out, &f->file, full, err);
    if (st == DIP_OK)
        st = dip_h5_expect_rows(out, DIP_H5_F32, 2, f->rows, err);
    if (st == DIP_OK && out->dims[1] == 0)
        st = dip_fail(err, DIP_EFORMAT, "rows of no numbers in '%s' of '%s'",
                      full, f->path);
    return st;
}

dip_status dip_embedding_file_width(int64_t *out, const dip_embedding_file *f,
                                    const char *name, dip_err *err)
{
    dip_h5_dataset dataset;
    dip_status st = open_dataset(&dataset, f, name, err);
    *out = st == DIP_OK ? dataset.dims[1] : 0;
    dip_h5_dataset_close(&dataset);
    return st;
}

/* Copies a row at unit length; 0 for one of zeros, -1 for no numbers. */
static int put_row(float *to, const float *from, int64_t width)
{
    double square = 0;
    for (int64_t i = 0; i < width; i++)
        square += (double)from[i] * (double)from[i];
    if (!isfinite(square))
        return -1;
    double scale = square > 0 ? 1 / sqrt(square) : 0;
    for (int64_t i = 0; i < width; i++)
        to[i] = (float)((double)from[i] * scale);
    return square > 0;
}

static dip_status read_rows(float *values, uint8_t *present, float *block,
                            const dip_embedding_file *f,
                            const dip_h5_dataset *dataset, int64_t block_rows,
                            dip_err *err)
{
    int64_t width = dataset->dims[1];
    for (int64_t first = 0; first < f->rows; first += block_rows) {
        int64_t left = f->rows - first;
        int64_t count = left < block_rows ? left : block_rows;
        dip_status st =
            dip_h5_read_rows(dataset, DIP_H5_F32, first, count, block, err);
        if (st != DIP_OK)
            return st;
        for (int64_t i = 0; i < count; i++) {
            int64_t row = f->place[first + i];
            if (row < 0)
                continue;
            int there = put_row(values + row * width, block + i * width, width);
            dip_bytes id = id_of(f, first + i);
            if (there < 0)
                return dip_fail(err, DIP_EFORMAT,
                                "a number that is not finite in row %lld, "
                                "'%.*s', of '%s' in '%s'",
                                (long long)(first + i), shown(id), id.data,
                                dataset->name, f->path);
            present[row] = (uint8_t)there;
        }
    }
    return DIP_OK;
}

dip_status dip_embedding_file_read(float *values, uint8_t *present,
                                   const dip_embedding_file *f,
                                   const char *name, dip_err *err)
{
    dip_h5_dataset dataset;
    dip_status st = open_dataset(&dataset, f, name, err);
    int64_t width = st == DIP_OK ? dataset.dims[1] : 1;
    int64_t rows = width < BLOCK_FLOATS ? BLOCK_FLOATS / width : 1;
    rows = rows < f->rows ? rows : f->rows;
    float *block = NULL;
    if (st == DIP_OK) {
        block = dip_calloc((size_t)rows * (size_t)width, sizeof *block);
        st = block != NULL
                 ? read_rows(values, present, block, f, &dataset, rows, err)
                 : dip_no_memory(err);
    }
    free(block);
    dip_h5_dataset_close(&dataset);
    return st;
}
