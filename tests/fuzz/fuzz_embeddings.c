#include <stdlib.h>

#include "data/embedding_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/records.h"

const char *const fuzz_seeds[] = {"tests/fuzz/seeds/embeddings.records", NULL};

const char *const fuzz_words[] = {
    "p1p2",         "\x00\x00\x04", "\x01\x05\x04",
    "\x02\x01\x03", "\x03\x02\x03", "\xff\xff\x7f\x7f",
    "\x80\x7f",     "\xe5\x93\x81", NULL};

static const char *const groups[] = {"id", "embedding", NULL};

static const char *const datasets[] = {
    "id/bytes",           "id/offsets",     "embedding/matrix_a",
    "embedding/matrix_b", "embedding/flat", NULL};

static void use(const dip_embedding_file *file, const char *name, int64_t rows)
{
    int64_t width;
    if (dip_embedding_file_width(&width, file, name, NULL) != DIP_OK)
        return;
    float *values = dip_calloc((size_t)(rows * width), sizeof *values);
    uint8_t *present = dip_calloc((size_t)rows, 1);
    if (values != NULL && present != NULL)
        (void)!dip_embedding_file_read(values, present, file, name, NULL);
    free(values);
    free(present);
}

/* Embeddings for a catalog of one row in each split: "p1", "p2" and another. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    static dip_catalog *catalog;
    const fuzz_records records = {DIP_EMBEDDING_FORMAT, groups, datasets};
    dip_str file = {0};
    dip_embedding_file *embeddings;
    dip_err err = {0};
    if (catalog == NULL &&
        dip_catalog_open(&catalog, "tests/golden/layout_catalog_h5py.h5", NULL,
                         &err) != DIP_OK)
        abort();
    bool written = fuzz_write_records(&file, path, &records, bytes, n);
    for (int split = 0; written && split < DIP_SPLIT_COUNT; split++) {
        if (dip_embedding_file_open(&embeddings, file.data, catalog,
                                    (dip_split)split, &err) != DIP_OK)
            continue;
        for (size_t i = 2; datasets[i] != NULL; i++)
            use(embeddings, datasets[i] + strlen("embedding/"),
                dip_catalog_rows(catalog));
        use(embeddings, "none", 1);
        dip_embedding_file_close(embeddings);
    }
    dip_str_free(&file);
}
