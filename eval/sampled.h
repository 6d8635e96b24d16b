/* Retrieval among sampled candidates: the protocol of the Fashion-Gen papers
 * (Kaleido-BERT, FashionViL: one right product and 100 others of its
 * sub-category for each of 1,000 queries). Its figures are far higher than
 * those of a whole gallery, and depend on the draw. */
#ifndef DIP_EVAL_SAMPLED_H
#define DIP_EVAL_SAMPLED_H

#include <stdint.h>

#include "base/status.h"
#include "eval/ranking.h"

typedef struct {
    int64_t candidates; /* with the right one; >= 2 */
    int64_t queries; /* drawn without replacement; more than there are: all */
    int64_t draws;   /* >= 1 */
    uint64_t seed;
} dip_sampled_options;

/* The task; borrowed. A category below 0 is missing. */
typedef struct {
    dip_embeddings queries, gallery;
    const dip_relevance *relevance;
    const int64_t *query_category;   /* [queries]; both NULL: any candidates */
    const int64_t *gallery_category; /* [gallery] */
} dip_sampled_task;

typedef struct {
    int64_t queries;    /* of each draw */
    int64_t candidates; /* of each query */
    int64_t draws;
    int64_t filled;       /* candidates that came from other categories, since
                           * the query's has too few; of all draws */
    dip_ranking *ranking; /* [draws] of the drawn queries: one right product
                           * each, so that hit@k and recall@k are the same */
} dip_sampled;

/* For each draw draws queries among those with a relevant row, and for each of
 * them one of its relevant rows and candidates - 1 rows that are not relevant
 * to it: of its category as long as there are any, then of the whole gallery.
 * Without replacement, and a function of the arguments alone. `options` give
 * cutoffs and ties. DIP_EDATA when no query has a relevant row or the gallery
 * is too small; errors of the embeddings. The caller ends *out with
 * dip_sampled_free(). */
dip_status dip_sampled_evaluate(dip_sampled *out, const dip_sampled_task *task,
                                const dip_sampled_options *sampled,
                                const dip_ranking_options *options,
                                dip_err *err) DIP_MUST_CHECK;
void dip_sampled_free(dip_sampled *sampled);

#endif
