/* The inside of an open catalog, for the files that fill it: one part for each
 * file, in the order of the rows. Columns of all parts agree.
 *
 * A reader of a layout calls dip_part_begin(), dip_part_set_rows(),
 * dip_part_add_column() for each column, fills ids, splits, groups and values
 * of the rows [part->first, part->first + part->rows), and dip_part_end().
 * What a failing reader leaves half-filled, dip_catalog_close() ends. */
#ifndef DIP_DATA_CATALOG_PARTS_H
#define DIP_DATA_CATALOG_PARTS_H

#include "base/digest.h"
#include "data/catalog.h"
#include "data/catalog_links.h"
#include "data/catalog_names.h"
#include "data/h5.h"
#include "data/manifest.h"

/* Texts or images of one part. */
typedef struct {
    bool present;
    int64_t *offsets;     /* [rows + 1], of bytes; NULL for pixels */
    uint8_t *given;       /* pixels: [rows], 0 for none; NULL: all are there */
    const uint8_t *bytes; /* mapped or owned; NULL: read the dataset */
    uint8_t *owned;       /* NULL when mapped */
    dip_h5_dataset dataset; /* open where bytes is NULL */
    bool planar;            /* pixels stand as [channels, height, width] */
} dip_part_column;

typedef struct {
    char *path;
    int64_t first, rows, bytes;
    dip_h5_file file;
    const uint8_t *map; /* the whole file */
    size_t map_bytes;
    dip_part_column *columns; /* [column_count] */
    size_t column_capacity;
} dip_part;

typedef struct {
    dip_column about; /* name owned */
    int32_t *labels;  /* [rows] */
    float *numbers;   /* [rows] */
    dip_names names;  /* of label values */
    size_t scratch;   /* bytes for an image that is not mapped */
} dip_store;

struct dip_catalog {
    char *path;
    char *name, *created, *source;
    char digest[DIP_DIGEST_SIZE];
    dip_str digests;       /* of the files, without a manifest */
    dip_manifest manifest; /* empty when there is none */
    int64_t rows, split_rows[DIP_SPLIT_COUNT];
    dip_store *columns;
    int column_count;
    size_t column_capacity;
    dip_part *parts;
    int part_count;
    size_t part_capacity;
    dip_names ids;
    uint8_t *splits; /* [rows] */
    int64_t *groups; /* [rows] */
    dip_links judgements, interactions;
};

/* Opens and maps the file and appends a part. */
dip_status dip_part_begin(dip_part **out, dip_catalog *catalog,
                          const char *path, dip_err *err) DIP_MUST_CHECK;
/* Makes room for `rows` more rows in everything that counts rows. No rows at
 * all is DIP_EFORMAT. */
dip_status dip_part_set_rows(dip_catalog *catalog, dip_part *part, int64_t rows,
                             dip_err *err) DIP_MUST_CHECK;
/* The first part declares the columns, later ones must have the same. The
 * name is copied. Values start as missing. */
dip_status dip_part_add_column(int *index, dip_catalog *catalog, dip_part *part,
                               const dip_column *about,
                               dip_err *err) DIP_MUST_CHECK;
/* Appends the id of the next row: not empty, UTF-8, not met before. */
dip_status dip_part_add_id(dip_catalog *catalog, const dip_part *part,
                           dip_bytes id, dip_err *err) DIP_MUST_CHECK;
/* Checks that nothing is missing, and counts the rows in. */
dip_status dip_part_end(dip_catalog *catalog, dip_part *part,
                        dip_err *err) DIP_MUST_CHECK;

/* Makes the content of a file, which no manifest lists, a part of the
 * catalog's digest. Parts are counted in without it. */
dip_status dip_catalog_add_digest(dip_catalog *catalog, const char *path,
                                  dip_err *err) DIP_MUST_CHECK;

/* Where the bytes of a contiguous dataset are mapped; NULL if they are not. */
const uint8_t *dip_part_mapped(const dip_part *part,
                               const dip_h5_dataset *dataset);
/* Opens the pixels [N, a, b, c] of a column and tells their extents, before
 * the rows are known: out->dims has them. */
dip_status dip_part_open_pixels(dip_h5_dataset *out, const dip_part *part,
                                const char *dataset,
                                dip_err *err) DIP_MUST_CHECK;
/* Hands an open pixel dataset over to a column; mapped when it can be. */
void dip_part_set_pixels(dip_catalog *catalog, dip_part *part, int column,
                         dip_h5_dataset *dataset, bool planar);

#endif
