/* Re-ranking: what the match classifier says of the best hits of a search. */
#ifndef DIP_APPS_RERANK_H
#define DIP_APPS_RERANK_H

#include <stdint.h>

#include "apps/embed.h"
#include "base/status.h"
#include "eval/topk.h"

/* Writes to logits [queries, k] those of the hits [queries, k], whose rows are
 * of `products`; -infinity where there is no hit. */
dip_status dip_rerank_logits(float *logits, const dip_hit *hits, int64_t k,
                             const dip_embeddings *queries,
                             const dip_embeddings *products,
                             const dip_embed_job *job,
                             dip_err *err) DIP_MUST_CHECK;

/* Puts n hits and their logits in the order of the logits, best first; equal
 * ones stay as they stand. */
void dip_rerank_sort(dip_hit *hits, float *logits, int64_t n);

#endif
