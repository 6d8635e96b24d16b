/* Reads what a catalog holds. */
#ifndef DIP_TESTS_FUZZ_USE_CATALOG_H
#define DIP_TESTS_FUZZ_USE_CATALOG_H

#include <stdlib.h>

#include "base/mem.h"
#include "data/catalog.h"

#define FUZZ_ROWS_READ   8
#define FUZZ_SCRATCH_MAX ((size_t)1 << 24)

static inline void fuzz_use_images(const dip_catalog *catalog, int column)
{
    size_t size = dip_catalog_image_scratch(catalog, column);
    void *scratch = size <= FUZZ_SCRATCH_MAX ? malloc(size) : NULL;
    int64_t rows = dip_catalog_rows(catalog);
    for (int64_t row = 0; row < rows && row < FUZZ_ROWS_READ; row++) {
        dip_image_source image;
        if (scratch != NULL || size == 0)
            (void)!dip_catalog_image(catalog, column, row, scratch, &image,
                                     NULL);
    }
    free(scratch);
}

static inline void fuzz_use_row(const dip_catalog *catalog, int column,
                                int64_t row)
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

/* Opens the catalog, `mapping` NULL for its own format, and reads some rows of
 * every column. */
static inline void fuzz_use_catalog(const char *path,
                                    const dip_mapping *mapping)
{
    const dip_catalog_options options = {.mapping = mapping};
    dip_catalog *catalog;
    dip_err err = {0};
    if (dip_catalog_open(&catalog, path, &options, &err) != DIP_OK)
        return;
    for (int i = 0; i < dip_catalog_column_count(catalog); i++) {
        int64_t rows = dip_catalog_rows(catalog);
        for (int64_t row = 0; row < rows && row < FUZZ_ROWS_READ; row++)
            fuzz_use_row(catalog, i, row);
        if (dip_catalog_column(catalog, i)->kind == DIP_COLUMN_IMAGE)
            fuzz_use_images(catalog, i);
    }
    dip_catalog_close(catalog);
}

#endif
