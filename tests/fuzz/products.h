/* A catalog for what names products: "a", "b" and "c", one in each split. */
#ifndef DIP_TESTS_FUZZ_PRODUCTS_H
#define DIP_TESTS_FUZZ_PRODUCTS_H

#include <stdlib.h>

#include "data/catalog_writer.h"

static inline void fuzz_products(const char *path)
{
    static const dip_column title = {.kind = DIP_COLUMN_TEXT, .name = "title"};
    static const dip_catalog_schema schema = {
        .source = "", .columns = &title, .column_count = 1};
    static const dip_value value = {.bytes = {"shirt", 5}};
    static const char *const ids[DIP_SPLIT_COUNT] = {"a", "b", "c"};
    dip_catalog_writer *writer;
    if (dip_catalog_writer_create(&writer, path, &schema, NULL) != DIP_OK)
        abort();
    for (int i = 0; i < DIP_SPLIT_COUNT; i++) {
        const dip_row row = {
            .id = {ids[i], 1}, .split = (dip_split)i, .values = &value};
        (void)!dip_catalog_writer_add(writer, &row, NULL);
    }
    if (dip_catalog_writer_commit(writer, NULL) != DIP_OK)
        abort();
    dip_catalog_writer_end(writer);
}

#endif
