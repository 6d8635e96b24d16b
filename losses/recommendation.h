/* Losses of recommendation: scores F32 [B] of what a user had against scores
 * F32 [B, K] of items that he had not. Each gives a scalar, and follows
 * tensor/tensor.h. */
#ifndef DIP_LOSSES_RECOMMENDATION_H
#define DIP_LOSSES_RECOMMENDATION_H

#include "tensor/tensor.h"

typedef struct {
    const char *name;
    dip_tensor *(*loss)(const dip_tensor *had, const dip_tensor *others);
} dip_recommendation_loss_kind;

/* bpr: the mean of -log sigmoid(had - other) (Rendle et al., "BPR: Bayesian
 * personalized ranking from implicit feedback", UAI 2009).
 * softmax: the cross-entropy of what was had among itself and the others, which
 * are drawn uniformly (Bengio and Senecal, "Adaptive importance sampling to
 * accelerate training of a neural probabilistic language model", 2008). */
#define DIP_RECOMMENDATION_LOSS_TABLE(X)                                       \
    X(bpr)                                                                     \
    X(softmax)

/* NULL when there is none of this name. */
const dip_recommendation_loss_kind *
dip_recommendation_loss_find(const char *name);

#endif
