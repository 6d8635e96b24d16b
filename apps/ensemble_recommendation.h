/* Several recommenders that answer as one (docs/ensembles.md). */
#ifndef DIP_APPS_ENSEMBLE_RECOMMENDATION_H
#define DIP_APPS_ENSEMBLE_RECOMMENDATION_H

#include <jansson.h>

#include "apps/ensemble.h"
#include "apps/recommending.h"
#include "base/status.h"
#include "eval/ensemble.h"
#include "eval/outcomes.h"

typedef struct {
    dip_recommending members[DIP_ENSEMBLE_MAX];
    dip_recommending_embeddings embeddings[DIP_ENSEMBLE_MAX];
    int count;
} dip_recommenders;

/* Loads the runs with the weights of checkpoints/<which>, and embeds users and
 * items. All must have been trained on one catalog, which is at `data` now, or
 * where it was (NULL): DIP_EDATA. The caller ends *recommenders, which is {0}
 * before, with dip_recommenders_close() in any case. */
dip_status dip_recommenders_open(dip_recommenders *recommenders,
                                 const char *const *dirs, int count,
                                 const char *which, const char *data,
                                 dip_err *err) DIP_MUST_CHECK;
void dip_recommenders_close(dip_recommenders *recommenders);

/* As dip_ensemble_evaluate(), but of recommendations: soft or rank. A rank is
 * one among what the user has not had. */
dip_status dip_recommenders_evaluate(json_t **out, json_t **weights,
                                     dip_outcome_set *outcomes,
                                     const dip_recommenders *recommenders,
                                     const dip_ensemble_options *options,
                                     dip_err *err) DIP_MUST_CHECK;

#endif
