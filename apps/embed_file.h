/* Embeddings in a file: what an earlier file has is copied, the rest computed,
 * kept as it comes, and put together at the end.
 *
 * A row of the earlier file is taken where model, recipe, length and similarity
 * of the file, and the digest of the row, are the same, and where its numbers
 * are as fine as those that are wanted. Rows that are computed go to
 * <out>.partial (data/embedding_journal.h), so that a program that was
 * interrupted goes on where it stopped; when <out> is there, whole, that file
 * is removed. Memory grows by some 100 bytes a row and the ids, not by the
 * numbers. */
#ifndef DIP_APPS_EMBED_FILE_H
#define DIP_APPS_EMBED_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "apps/embed_rows.h"
#include "base/status.h"
#include "data/embedding_store.h"

/* All borrowed. */
typedef struct {
    const dip_embed_job *job;
    const dip_embed_target *target; /* NULL: `texts` are embedded */
    const int64_t *rows;            /* [count] of the catalog, else NULL */
    const dip_bytes *texts;         /* [count], else NULL */
    const dip_bytes *ids;           /* [count], distinct */
    int64_t count;                  /* at least 1 */
    dip_embedding_info info;        /* of the file; rows is `count` */
    const char *out;   /* "X.h5", or "X.npy" with "X.npy.json" beside it */
    const char *reuse; /* the earlier file; NULL: `out`, if it is one */
} dip_embed_order;

typedef struct {
    int64_t reused;  /* of the earlier file */
    int64_t resumed; /* of the interrupted program */
    int64_t computed;
    double digest_seconds, compute_seconds, write_seconds;
} dip_embed_counts;

/* What is not taken from an earlier file, and why, is told on stderr. DIP_EDATA
 * where something stands at `out` that is no file of embeddings. */
dip_status dip_embed_file_make(dip_embed_counts *counts,
                               const dip_embed_order *order,
                               dip_err *err) DIP_MUST_CHECK;

#endif
