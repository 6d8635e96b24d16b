/* Indexes of embeddings by the FAISS library, as its programs in C++ and Python
 * read them. One of them is made, trained with a sample, filled and written; or
 * read, and searched. Ids are the positions of rows in the order in which they
 * were added.
 *
 * Scores are those of eval/scores.h: dot products, or minus squared distances.
 * A file is untrusted input: indexes of other kinds than these are refused, and
 * of these what counts more than the file has bytes for, and what points out of
 * the index. Exceptions of the library become statuses; what it had made of a
 * file when it threw one is lost. */
#ifndef DIP_EXPORT_INDEX_H
#define DIP_EXPORT_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/similarity.h"
#include "base/status.h"
#include "eval/topk.h"

/* name, word on command lines, whether there are lists, links, short codes */
#define DIP_INDEX_TABLE(X)                                                     \
    X(FLAT, "flat", false, false, false) /* all rows: exact */                 \
    X(IVF, "ivf", true, false, false)    /* rows by their nearest centre */    \
    X(HNSW, "hnsw", false, true, false)  /* a graph of near rows */            \
    X(IVFPQ, "ivfpq", true, false, true) /* as ivf, of a few bytes a row */

typedef enum {
#define DIP_INDEX_ENUM(name, word, lists, links, codes) DIP_INDEX_##name,
    DIP_INDEX_TABLE(DIP_INDEX_ENUM)
#undef DIP_INDEX_ENUM
        DIP_INDEX_KIND_COUNT
} dip_index_kind;

/* 0 in what a kind does not have. */
typedef struct {
    dip_index_kind kind;
    dip_similarity similarity;
    int64_t dim;
    int64_t lists, probes; /* centres, and how many of them a query looks at */
    int64_t links, depth;  /* of a row; candidates that a query follows */
    int64_t code_bytes;    /* of a row; divides dim */
    int64_t seed;          /* of centres and graphs, below 2^31 */
} dip_index_options;

const char *dip_index_kind_name(dip_index_kind kind);
/* False when `name` is none of the table. */
bool dip_index_kind_parse(dip_index_kind *out, const char *name);

/* Fills in what is 0 and the kind has, for so many rows: 4 sqrt(rows) lists
 * (a centre is learnt of 39 rows at least), a sixteenth of them to look at, but
 * 8, 32 links, 64 candidates, a byte for 8 numbers.
 * DIP_ECONFIG for an option that the kind has not, or that is impossible. */
dip_status dip_index_complete(dip_index_options *options, int64_t rows,
                              dip_err *err) DIP_MUST_CHECK;
/* Rows that training can use; 0: the kind learns nothing. */
int64_t dip_index_sample(const dip_index_options *options);

typedef struct dip_index dip_index;

/* The caller ends *out with dip_index_free(). */
dip_status dip_index_create(dip_index **out, const dip_index_options *options,
                            dip_err *err) DIP_MUST_CHECK;
void dip_index_free(dip_index *index); /* NULL allowed */

/* Rows [count, dim], finite: as many as dip_index_sample(), if there are. */
dip_status dip_index_train(dip_index *index, const float *rows, int64_t count,
                           dip_err *err) DIP_MUST_CHECK;
/* A graph is grown by one thread, so that the same rows give the same file. */
dip_status dip_index_add(dip_index *index, const float *rows, int64_t count,
                         dip_err *err) DIP_MUST_CHECK;

int64_t dip_index_rows(const dip_index *index);
int64_t dip_index_dim(const dip_index *index);
dip_index_kind dip_index_kind_of(const dip_index *index);
dip_similarity dip_index_similarity(const dip_index *index);

/* The k best rows of each query [queries->rows, k], best first; -1 in places
 * that are not filled. By one thread where `alone`, else by all. */
dip_status dip_index_search(dip_hit *out, const dip_index *index,
                            const dip_embeddings *queries, int64_t k,
                            bool alone, dip_err *err) DIP_MUST_CHECK;

/* Appears whole or not at all. */
dip_status dip_index_write(const dip_index *index, const char *path,
                           dip_err *err) DIP_MUST_CHECK;
dip_status dip_index_read(dip_index **out, const char *path,
                          dip_err *err) DIP_MUST_CHECK;

#endif
