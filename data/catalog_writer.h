/* Writing a catalog: rows come one by one and are streamed to shards; the
 * manifest is written last, atomically, and is the commit. Until then nothing
 * that exists under the final names is touched; ending a writer without a
 * commit removes all that it wrote. */
#ifndef DIP_DATA_CATALOG_WRITER_H
#define DIP_DATA_CATALOG_WRITER_H

#include "base/status.h"
#include "data/catalog.h"

typedef struct dip_catalog_writer dip_catalog_writer;

typedef struct {
    const char *source;        /* what it was made from, for the attributes */
    const dip_column *columns; /* encoded or height x width x channels */
    int column_count;
    int64_t shard_rows; /* 0: one file */
} dip_catalog_schema;

/* One value for each column of the schema, in its order; the fields of other
 * kinds are not looked at. */
typedef struct {
    dip_bytes bytes; /* image: encoded or pixels (len 0: none); text: UTF-8 */
    dip_bytes label; /* label name; none (NULL or len 0): missing */
    float number;    /* finite, or NaN: missing */
} dip_value;

typedef struct {
    dip_bytes id; /* not empty; unique in the catalog */
    dip_split split;
    dip_bytes group; /* equal bytes make a group; none (NULL or len 0): alone */
    const dip_value *values;
} dip_row;

/* `path` ends in .h5. */
dip_status dip_catalog_writer_create(dip_catalog_writer **out, const char *path,
                                     const dip_catalog_schema *schema,
                                     dip_err *err) DIP_MUST_CHECK;
/* Copies the row. Duplicate or empty ids, bad UTF-8 and pixels of a wrong size
 * are errors that leave the writer usable without this row. */
dip_status dip_catalog_writer_add(dip_catalog_writer *writer,
                                  const dip_row *row,
                                  dip_err *err) DIP_MUST_CHECK;
int64_t dip_catalog_writer_rows(const dip_catalog_writer *writer);
/* Finishes the files and writes the manifest. The writer is only good for
 * dip_catalog_writer_end() after it. */
dip_status dip_catalog_writer_commit(dip_catalog_writer *writer,
                                     dip_err *err) DIP_MUST_CHECK;
void dip_catalog_writer_end(dip_catalog_writer *writer); /* NULL allowed */

/* ---- adding search logs and behaviour to a catalog that exists ------------
 */

/* All at once: replaces the judgements (interactions) that the catalog has. The
 * shard is written beside it and the manifest renewed last. `queries` and
 * `users` are the distinct texts that the indices in the items count. */
dip_status
dip_catalog_put_judgements(const char *path, const dip_bytes *queries,
                           int64_t query_count, const dip_judgement *items,
                           int64_t item_count, dip_err *err) DIP_MUST_CHECK;
dip_status
dip_catalog_put_interactions(const char *path, const dip_bytes *users,
                             int64_t user_count, const dip_interaction *items,
                             int64_t item_count, dip_err *err) DIP_MUST_CHECK;

#endif
