#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/catalog.h"
#include "data/h5.h"
#include "tests/fuzz/fuzz.h"

#define ROWS_READ    8
#define SCRATCH_MAX  ((size_t)1 << 24)
#define SHAPED_IMAGE 12 /* of datasets[] */

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/catalog.records", NULL};

const char *const fuzz_words[] = {
    "\x01\x02\x03",     "\x00\x00\x03", "\x05\x01\x06", "\x0c\x00\x02",
    "\xff\xff\xff\xff", "abc",          "\xc3\xa9",     NULL};

static const char *const groups[] = {
    "id",     "text",  "text/title", "label",   "label/kind",
    "number", "image", "image/a",    "image/b", "label/kind/names"};

static const char *const datasets[] = {
    "id/bytes",
    "id/offsets",
    "split",
    "group",
    "text/title/bytes",
    "text/title/offsets",
    "label/kind/values",
    "label/kind/names/bytes",
    "label/kind/names/offsets",
    "number/price",
    "image/a/bytes",
    "image/a/offsets",
    "image/b/pixels",
    "image/b/given",
};

static const size_t item_bytes[] = {
    [DIP_H5_U8] = 1, [DIP_H5_I32] = 4, [DIP_H5_I64] = 8, [DIP_H5_F32] = 4};

/* The input is a list of datasets: which, its type, its length, as a byte each,
 * and the values. Offsets of one byte each are enough: a type of 4 or more
 * means int64 made of bytes. */
static size_t put_dataset(const dip_h5_file *file, const char *bytes, size_t n)
{
    const unsigned char *head = (const unsigned char *)bytes;
    size_t which = head[0] % DIP_ARRAY_LEN(datasets), count = head[2];
    bool widen = head[1] % 8 >= DIP_ARRAY_LEN(item_bytes);
    dip_h5_type type = widen ? DIP_H5_I64 : (dip_h5_type)(head[1] % 4);
    size_t size = widen ? 1 : item_bytes[type];
    if (count > (n - 3) / size)
        count = (n - 3) / size;
    int64_t values[UINT8_MAX] = {0};
    if (!widen)
        memcpy(values, bytes + 3, count * size);
    for (size_t i = 0; widen && i < count; i++)
        values[i] = (signed char)bytes[3 + i];
    if (which != SHAPED_IMAGE) {
        (void)!dip_h5_write(file, datasets[which], type, (int64_t)count, values,
                            NULL);
        return 3 + count * size;
    }
    dip_h5_dataset pixels;
    const int64_t dims[] = {(int64_t)count, head[1] % 5, 1 + head[1] % 3, 3};
    if (dip_h5_create_bytes(&pixels, file, datasets[which], 4, dims, NULL) ==
        DIP_OK)
        dip_h5_dataset_close(&pixels);
    return 3;
}

static dip_status write_file(const char *path, const char *bytes, size_t n,
                             dip_err *err)
{
    dip_h5_file file;
    dip_status st = dip_h5_create(&file, path, err);
    if (st != DIP_OK)
        return st;
    st = dip_h5_put_text(&file, "format", "diptych-catalog", err);
    if (st == DIP_OK)
        st = dip_h5_put_int(&file, "version", 1, err);
    for (size_t i = 0; i < DIP_ARRAY_LEN(groups); i++)
        (void)!dip_h5_make_group(&file, groups[i],
                                 NULL); /* a parent is missing */
    for (size_t at = 0; n - at >= 3;)
        at += put_dataset(&file, bytes + at, n - at);
    return st == DIP_OK ? dip_h5_finish(&file, err) : st;
}

static void use_images(const dip_catalog *catalog, int column)
{
    size_t size = dip_catalog_image_scratch(catalog, column);
    void *scratch = size <= SCRATCH_MAX ? malloc(size) : NULL;
    int64_t rows = dip_catalog_rows(catalog);
    for (int64_t row = 0; row < rows && row < ROWS_READ; row++) {
        dip_image_source image;
        if (scratch != NULL || size == 0)
            (void)!dip_catalog_image(catalog, column, row, scratch, &image,
                                     NULL);
    }
    free(scratch);
}

static void use_row(const dip_catalog *catalog, int column, int64_t row)
{
    dip_column_kind kind = dip_catalog_column(catalog, column)->kind;
    if (kind == DIP_COLUMN_TEXT) {
        dip_bytes text = dip_catalog_text(catalog, column, row);
        free(dip_strndup(text.data, text.len));
    } else if (kind == DIP_COLUMN_LABEL) {
        int32_t label = dip_catalog_label(catalog, column, row);
        if (label >= 0)
            (void)dip_catalog_label_name(catalog, column, label);
    } else if (kind == DIP_COLUMN_NUMBER) {
        (void)dip_catalog_number(catalog, column, row);
    }
}

/* A catalog without a manifest whose file is sound HDF5 with anything in it.
 * Damage of the file itself is for its manifest to find: libhdf5 is no match
 * for it (docs/data-format.md). */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    dip_str file = {0};
    dip_catalog *catalog;
    dip_err err = {0};
    dip_str_addf(&file, "%s.h5", path);
    (void)unlink(file.data);
    if (write_file(file.data, bytes, n, &err) == DIP_OK &&
        dip_catalog_open(&catalog, file.data, NULL, &err) == DIP_OK) {
        for (int i = 0; i < dip_catalog_column_count(catalog); i++) {
            int64_t rows = dip_catalog_rows(catalog);
            for (int64_t row = 0; row < rows && row < ROWS_READ; row++)
                use_row(catalog, i, row);
            if (dip_catalog_column(catalog, i)->kind == DIP_COLUMN_IMAGE)
                use_images(catalog, i);
        }
        dip_catalog_close(catalog);
    }
    dip_str_free(&file);
}
