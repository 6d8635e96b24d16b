/* Nearest rows of a file of embeddings, which is read some rows at a time, so
 * that memory does not grow with it. Rows that are absent are never found. */
#ifndef DIP_EVAL_STORED_H
#define DIP_EVAL_STORED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/embedding_store.h"
#include "eval/topk.h"

/* Writes the `k` best rows of each query, best first, into `out` [queries, k],
 * by the file's finest rows or by what its codes say; exact for those. Equal
 * scores stand in the order of rows, and places that cannot be filled hold row
 * -1, as dip_topk_search() has it. The queries are of the store's similarity.
 */
dip_status dip_stored_search(dip_hit *out, const dip_embedding_store *store,
                             const dip_embeddings *queries, int64_t k,
                             bool finest, dip_err *err) DIP_MUST_CHECK;
/* Ranks the first `depth` hits of each list [queries, k] again by the finest
 * rows, in place, and gives them the scores of these. */
dip_status dip_stored_rescore(dip_hit *hits, int64_t k, int64_t depth,
                              const dip_embedding_store *store,
                              const dip_embeddings *queries,
                              dip_err *err) DIP_MUST_CHECK;

/* Rows of a file as queries. */
typedef struct {
    float *values; /* [count, dim], the finest */
    int64_t *rows; /* [count] */
    int64_t count, dim;
    dip_similarity similarity;
} dip_stored_sample;

/* At most `most` rows that are present, spread evenly; DIP_EDATA when there is
 * none. In any case the caller ends *out with dip_stored_sample_free(). */
dip_status dip_stored_sample_read(dip_stored_sample *out,
                                  const dip_embedding_store *store,
                                  int64_t most, dip_err *err) DIP_MUST_CHECK;
void dip_stored_sample_free(dip_stored_sample *sample);
dip_embeddings dip_stored_sample_view(const dip_stored_sample *sample);

/* Takes row rows[q] out of each list [queries, k]: what a query finds beside
 * itself. Lists without it lose their last hit, and all get -1 there. */
void dip_hits_drop(dip_hit *hits, int64_t queries, int64_t k,
                   const int64_t *rows);
/* Recall@first of an approximate search: how many of the first hits of `found`
 * are as near as the last of the first of `exact`, both [queries, k], of those
 * that there are. Rows that tie for the last place are equally right. The
 * scores of both lists are those of the finest rows. NAN when there is nothing
 * to find.
 */
double dip_hits_recall(const dip_hit *found, const dip_hit *exact,
                       int64_t queries, int64_t k, int64_t first);

#endif
