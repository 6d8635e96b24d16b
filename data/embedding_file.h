/* Embeddings of products that a model has made, in an HDF5 file by id:
 *
 *   /                    format = "diptych-embeddings", version = 1
 *   /id/{bytes,offsets}  UTF-8, distinct
 *   /embedding/<name>    float32 [N, E]; a row of zeros: there is none
 *
 * A name says of what they are: a photo, a text field, a query, the product. */
#ifndef DIP_DATA_EMBEDDING_FILE_H
#define DIP_DATA_EMBEDDING_FILE_H

#include <stdint.h>

#include "base/status.h"
#include "data/catalog.h"

#define DIP_EMBEDDING_FORMAT  "diptych-embeddings"
#define DIP_EMBEDDING_VERSION 1

typedef struct dip_embedding_file dip_embedding_file;

/* Finds the rows of a split of the catalog, all of which must be there; others
 * may be. Both strings and the catalog are borrowed. The caller ends *out with
 * dip_embedding_file_close(). */
dip_status dip_embedding_file_open(dip_embedding_file **out, const char *path,
                                   const dip_catalog *catalog, dip_split split,
                                   dip_err *err) DIP_MUST_CHECK;
void dip_embedding_file_close(dip_embedding_file *file); /* NULL allowed */

/* E of the embeddings `name`, which are float32 [N, E > 0]. DIP_ENOTFOUND lists
 * the names that there are. */
dip_status dip_embedding_file_width(int64_t *out,
                                    const dip_embedding_file *file,
                                    const char *name,
                                    dip_err *err) DIP_MUST_CHECK;
/* Writes the rows of the split, at unit length, to their places in `values`
 * [rows of the catalog, E], and to `present` [rows of the catalog] whether they
 * are there; touches no other. A number that is not finite is an error. */
dip_status dip_embedding_file_read(float *values, uint8_t *present,
                                   const dip_embedding_file *file,
                                   const char *name,
                                   dip_err *err) DIP_MUST_CHECK;

#endif
