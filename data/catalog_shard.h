/* One file of a catalog while it is being written: image and text bytes go to
 * unnamed temporary files, the few bytes per row of the rest stay in memory.
 * When the shard is full all is written at its final size. */
#ifndef DIP_DATA_CATALOG_SHARD_H
#define DIP_DATA_CATALOG_SHARD_H

#include <stdio.h>

#include "base/status.h"
#include "data/catalog_names.h"
#include "data/catalog_writer.h"
#include "data/manifest.h"

/* A kind of column fills one of the arrays, [rows] (offsets: [rows + 1]). */
typedef struct {
    int64_t *offsets; /* encoded images and texts */
    uint8_t *given;   /* pixels: 0 where there is no image */
    int32_t *labels;
    float *numbers;
    size_t capacity;
    FILE *spool; /* images and texts */
    int64_t spooled;
    bool any_missing; /* pixels */
} dip_shard_column;

typedef struct {
    const dip_column *columns; /* borrowed */
    int column_count;
    dip_shard_column *data; /* [column_count] */
    uint8_t *splits;
    int64_t *groups;
    size_t split_capacity, group_capacity;
    int64_t first; /* row of the catalog */
    int64_t rows;
} dip_shard;

/* Attributes of the file. */
typedef struct {
    const char *name, *created, *source;
} dip_shard_notes;

/* Spools are made in `folder`. End *out with dip_shard_free(). */
dip_status dip_shard_init(dip_shard *out, const dip_column *columns,
                          int column_count, const char *folder,
                          dip_err *err) DIP_MUST_CHECK;
/* Appends a row that was checked. `labels` holds a number for each column. On
 * failure the shard is only good for dip_shard_free(). */
dip_status dip_shard_add(dip_shard *shard, const dip_row *row,
                         const int32_t *labels, int64_t group,
                         dip_err *err) DIP_MUST_CHECK;
/* Writes all but the label names to the new file `path`, tells where its bulk
 * is (the caller frees *bulk), and starts the next shard. */
dip_status dip_shard_flush(dip_shard *shard, const dip_names *ids,
                           const dip_shard_notes *notes, const char *path,
                           dip_file_range **bulk, int *bulk_count,
                           dip_err *err) DIP_MUST_CHECK;
/* Adds the label names, which are known only at the end. `names` has an item
 * for each column. */
dip_status dip_shard_add_names(const char *path, const dip_column *columns,
                               int column_count, const dip_names *names,
                               dip_err *err) DIP_MUST_CHECK;
void dip_shard_free(dip_shard *shard);

#endif
