/* The layouts of HDF5 files that a catalog can be read from: one row in a table
 * and one file layout_<name>.c for each. */
#ifndef DIP_DATA_LAYOUT_TABLE_H
#define DIP_DATA_LAYOUT_TABLE_H

#include "base/status.h"
#include "data/catalog_parts.h"

typedef struct {
    const char *path;
    const dip_mapping *mapping; /* NULL for the catalog's own format */
    dip_split split;            /* of all rows, unless the file has its own */
    dip_names
        *groups; /* values that make groups, over all files of a catalog */
} dip_layout_input;

/* Appends the file as a part of `catalog`. */
typedef dip_status dip_layout_read(dip_catalog *catalog,
                                   const dip_layout_input *input, dip_err *err);

dip_layout_read dip_layout_catalog;
dip_layout_read dip_layout_fashion_gen;
dip_layout_read dip_layout_coco_captions;

/* NULL when `name` is none of the table. */
dip_layout_read *dip_layout_find(const char *name);
/* Name of the i-th row, or NULL behind the last. */
const char *dip_layout_name(int i);

#endif
