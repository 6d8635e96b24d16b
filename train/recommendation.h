/* The recipe of recommendation: the loss of a batch of triples, and the squared
 * lengths of what its nodes start from. */
#ifndef DIP_TRAIN_RECOMMENDATION_H
#define DIP_TRAIN_RECOMMENDATION_H

#include "base/similarity.h"
#include "base/status.h"
#include "data/neighbour_sampler.h"
#include "data/triples.h"
#include "losses/recommendation.h"
#include "models/recommender.h"

/* All borrowed. */
typedef struct {
    dip_recommender *model;
    dip_neighbour_sampler *sampler; /* for kinds that are sampled, else NULL */
    const dip_recommendation_loss_kind *loss;
    bool cosine;        /* scores are cosines, not dot products */
    double temperature; /* that scores are divided by */
    double l2;          /* weight of half the squared lengths of a triple's user
                         * and items before the first layer, summed and divided
                         * by the triples, as LightGCN's code has it */
} dip_recommendation_recipe;

/* The loss of a batch (0 dims, F32) in the open scope. */
dip_status dip_recommendation_loss(dip_tensor **loss,
                                   const dip_recommendation_recipe *recipe,
                                   const dip_triple_batch *batch,
                                   dip_err *err) DIP_MUST_CHECK;

#endif
