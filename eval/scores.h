/* Scores of queries against a gallery, a block of queries at a time, for those
 * who need every score; for those who need the best, or ranks, eval/scan.h. */
#ifndef DIP_EVAL_SCORES_H
#define DIP_EVAL_SCORES_H

#include <stdint.h>

#include "base/similarity.h"
#include "base/status.h"

/* Borrowed rows [rows, dim], fp32, row-major. By DIP_SIMILARITY_COSINE, which
 * is 0, scores are dot products, and rows are meant to be unit-norm so that
 * these are cosines; by DIP_SIMILARITY_EUCLIDEAN minus the squared distances of
 * rows of any length. */
typedef struct {
    const float *data;
    int64_t rows;
    int64_t dim;
    dip_similarity similarity; /* the same on both sides */
} dip_embeddings;

/* Sees the scores [gallery rows] of one query; they live for the call only.
 * Called from several threads at once, once per query, in no fixed order;
 * `worker` is in [0, dip_scores_workers()) and tells the threads apart. */
typedef void (*dip_scores_visit)(void *context, int worker, int64_t query,
                                 const float *scores);

/* The number of threads that dip_scores_each() uses at most when it is called
 * from here: visitors size their scratch space by it. At least 1. */
int dip_scores_workers(void);

/* DIP_ENUMERIC when a row of `e` holds NaN, an infinity, or values so large
 * that a score could overflow; DIP_ERANGE for impossible sizes. The
 * message names the row, after `what`: "gallery row 7 ...". */
dip_status dip_embeddings_check(const dip_embeddings *e, const char *what,
                                dip_err *err) DIP_MUST_CHECK;

/* Both sides, "query" and "gallery", as above; DIP_ERANGE when they cannot be
 * compared with each other. */
dip_status dip_scores_check(const dip_embeddings *queries,
                            const dip_embeddings *gallery,
                            dip_err *err) DIP_MUST_CHECK;

/* Calls `visit` with the scores of every query. Both sides are checked first,
 * so scores are finite and `visit` never runs on bad input.
 *
 * A score is a sum in fp32 in the order of the dimensions. It depends on the
 * two rows alone, so that equal rows tie exactly, and results are the same for
 * any number of threads (on one kind of CPU: with and without fused
 * multiply-add the last bit differs). Memory: 32 MB of scores, or 128 bytes per
 * gallery row where that is more, whatever the number of queries. */
dip_status dip_scores_each(const dip_embeddings *queries,
                           const dip_embeddings *gallery,
                           dip_scores_visit visit, void *context,
                           dip_err *err) DIP_MUST_CHECK;

#endif
