/* What a model has made of many rows, in an HDF5 file that is written and read
 * some rows at a time (docs/embeddings.md):
 *
 *   /                       format = "diptych-embeddings", version = 1, name,
 *                           model, recipe, similarity, precision, rescore, dim
 *   /id/{bytes,offsets}     UTF-8
 *   /present uint8 [N]      0: the row has nothing to embed, its numbers are 0
 *   /digest uint8 [N, 16]   of what the model read
 *   /embedding/<name>       float32 or float16 [N, dim], int8 [N, dim], or bits
 *                           uint8 [N, ceil(dim / 8)]: data/embedding_codes.h
 *   /peak/<name> float32 [N, 1]  of int8
 *   /rescore/<name>         float32 or float16 [N, dim], where rescore says so
 *
 * One in fp32 is also what data/embedding_file.h reads. */
#ifndef DIP_DATA_EMBEDDING_STORE_H
#define DIP_DATA_EMBEDDING_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/similarity.h"
#include "base/status.h"
#include "data/catalog.h"
#include "data/embedding_codes.h"

#define DIP_ROW_DIGEST_SIZE   16
#define DIP_EMBEDDING_DIM_MAX 65536

/* Of what was read to make a row: the first bytes of a SHA-256. */
typedef struct {
    uint8_t bytes[DIP_ROW_DIGEST_SIZE];
} dip_row_digest;

typedef struct {
    const char *name;   /* "product", or the field that was embedded alone */
    const char *model;  /* 64 hexadecimal digits: whose embeddings they are */
    const char *recipe; /* how they are made of a row, in words */
    dip_similarity similarity;
    dip_codes precision;
    bool has_rescore;  /* rows that rank again what codes have found: */
    dip_codes rescore; /* fp32 or fp16 */
    int64_t rows, dim;
} dip_embedding_info;

/* The precision of the finest rows of a file. */
dip_codes dip_embedding_finest(const dip_embedding_info *info);

/* ---- writing ---- */

typedef struct dip_embedding_writer dip_embedding_writer;

/* Rows in the order of `ids` [info->rows], all borrowed. The file appears at
 * `path` with the commit. The caller ends *out with
 * dip_embedding_writer_close(), committed or not. */
dip_status dip_embedding_writer_open(dip_embedding_writer **out,
                                     const char *path,
                                     const dip_embedding_info *info,
                                     const dip_bytes *ids,
                                     dip_err *err) DIP_MUST_CHECK;
/* The next `count` rows, [count, dim] and finite. Codes are made of the rescore
 * rows where there are such, so that they follow from what is stored. */
dip_status dip_embedding_writer_add(dip_embedding_writer *writer,
                                    const float *values, const uint8_t *present,
                                    const dip_row_digest *digests,
                                    int64_t count, dip_err *err) DIP_MUST_CHECK;
/* After all rows. */
dip_status dip_embedding_writer_commit(dip_embedding_writer *writer,
                                       dip_err *err) DIP_MUST_CHECK;
void dip_embedding_writer_close(dip_embedding_writer *writer); /* or NULL */

/* ---- reading ---- */

typedef struct dip_embedding_store dip_embedding_store;

/* Checks all but the numbers, which are checked as they are read. `path` is
 * borrowed. The caller ends *out with dip_embedding_store_close(). */
dip_status dip_embedding_store_open(dip_embedding_store **out, const char *path,
                                    dip_err *err) DIP_MUST_CHECK;
void dip_embedding_store_close(dip_embedding_store *store); /* or NULL */

/* Borrowed. */
const dip_embedding_info *
dip_embedding_store_info(const dip_embedding_store *store);
const char *dip_embedding_store_path(const dip_embedding_store *store);
dip_bytes dip_embedding_store_id(const dip_embedding_store *store, int64_t row);
const uint8_t *dip_embedding_store_present(const dip_embedding_store *store);

/* Rows [first, first + count) as numbers [count, dim]: the finest that there
 * are, or what the codes of `precision` say. A row that is absent is zeros. */
dip_status dip_embedding_store_read(float *values,
                                    const dip_embedding_store *store,
                                    int64_t first, int64_t count, bool finest,
                                    dip_err *err) DIP_MUST_CHECK;
/* All digests [rows]; the caller frees *out. */
dip_status dip_embedding_store_digests(dip_row_digest **out,
                                       const dip_embedding_store *store,
                                       dip_err *err) DIP_MUST_CHECK;

#endif
