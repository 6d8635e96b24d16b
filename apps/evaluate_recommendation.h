/* The evaluation of a recommender: all items ranked for each user, without what
 * he had (docs/metrics.md). */
#ifndef DIP_APPS_EVALUATE_RECOMMENDATION_H
#define DIP_APPS_EVALUATE_RECOMMENDATION_H

#include <jansson.h>

#include "apps/recommending.h"
#include "eval/outcomes.h"

/* {"protocol": {...}, "retrieval": {"recommendation": {...}}}. A user is asked
 * about when the split has interactions of his. What he had, in the train split
 * and, when it is about the test split, the val split, stands in no list.
 * With `outcomes` also intervals and how the lists are spread, and what became
 * of each user; NULL: without these. The caller ends *out with json_decref().
 */
dip_status dip_evaluate_recommendation(json_t **out, dip_outcome_set *outcomes,
                                       const dip_recommending *r,
                                       dip_split split,
                                       dip_err *err) DIP_MUST_CHECK;

/* Lists of another making than the one model's: `lists` writes them as
 * dip_recommending_lists() does. */
typedef struct {
    dip_status (*lists)(void *user, dip_hit *out, const dip_bipartite *seen,
                        int64_t first, int64_t count, int64_t depth,
                        dip_err *err);
    void *user;
} dip_recommendation_lister;

/* The same of such lists, with the settings and the catalog of `r`. */
dip_status
dip_evaluate_recommendation_lists(json_t **out, dip_outcome_set *outcomes,
                                  const dip_recommending *r,
                                  const dip_recommendation_lister *lister,
                                  dip_split split, dip_err *err) DIP_MUST_CHECK;

#endif
