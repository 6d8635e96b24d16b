/* An index beside what it is of: X.faiss, and X.faiss.json with the ids of its
 * rows, in their order, and the model whose embeddings they are. X.faiss.json
 * is written last and holds size and SHA-256 of X.faiss, so that neither is
 * believed without the other. */
#ifndef DIP_EXPORT_INDEX_FILE_H
#define DIP_EXPORT_INDEX_FILE_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"
#include "data/embedding_store.h"
#include "export/index.h"

#define DIP_INDEX_SCHEMA "diptych-index/1"

typedef struct {
    dip_index *index;
    int64_t *rows; /* [count] of the store, ascending; those that are present */
    int64_t count;
} dip_index_built;

/* Trains an index with rows of the store and adds all that are present, some at
 * a time. `options` must be complete. In any case the caller ends *out with
 * dip_index_built_free(). */
dip_status dip_index_build(dip_index_built *out,
                           const dip_index_options *options,
                           const dip_embedding_store *store,
                           dip_err *err) DIP_MUST_CHECK;
void dip_index_built_free(dip_index_built *built);

/* Writes both files. `measured`, an object or NULL, is added to the second
 * under that name. */
dip_status dip_index_file_write(const char *path, const dip_index_built *built,
                                const dip_index_options *options,
                                const dip_embedding_store *store,
                                json_t *measured, dip_err *err) DIP_MUST_CHECK;

typedef struct {
    dip_index *index;
    json_t *about; /* X.faiss.json; the strings below are its */
    const char *name, *model, *recipe;
    json_t *ids; /* strings, one for each row of the index */
} dip_index_file;

/* Reads both files, as untrusted input. In any case the caller ends *out with
 * dip_index_file_free(). */
dip_status dip_index_file_read(dip_index_file *out, const char *path,
                               dip_err *err) DIP_MUST_CHECK;
void dip_index_file_free(dip_index_file *file);
/* Borrowed; `row` is one of the index. */
dip_bytes dip_index_file_id(const dip_index_file *file, int64_t row);

#endif
