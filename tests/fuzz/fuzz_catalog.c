#include <stdlib.h>

#include "data/catalog.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/records.h"

#define ROWS_READ   8
#define SCRATCH_MAX ((size_t)1 << 24)

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/catalog.records", NULL};

const char *const fuzz_words[] = {
    "\x01\x02\x03",     "\x00\x00\x03", "\x05\x01\x06", "\x0c\x00\x02",
    "\xff\xff\xff\xff", "abc",          "\xc3\xa9",     NULL};

static const char *const groups[] = {"id",
                                     "text",
                                     "text/title",
                                     "label",
                                     "label/kind",
                                     "number",
                                     "label/kind/names",
                                     "image",
                                     "image/a",
                                     "image/b",
                                     NULL};

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
    NULL,
};

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

/* A catalog without a manifest. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    const fuzz_records records = {"diptych-catalog", groups, datasets};
    dip_str file = {0};
    dip_catalog *catalog;
    dip_err err = {0};
    if (fuzz_write_records(&file, path, &records, bytes, n) &&
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
