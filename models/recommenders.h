/* The rows of the table in recommender.c. A new kind adds its name here, and
 * defines dip_recommender_<name> in a file of its own. */
#ifndef DIP_MODELS_RECOMMENDERS_H
#define DIP_MODELS_RECOMMENDERS_H

#include "models/recommender.h"

#define DIP_RECOMMENDER_TABLE(X)                                               \
    X(lightgcn)                                                                \
    X(sage)

#define DIP_RECOMMENDER_DECLARE(name)                                          \
    extern const dip_recommender_kind dip_recommender_##name;
DIP_RECOMMENDER_TABLE(DIP_RECOMMENDER_DECLARE)
#undef DIP_RECOMMENDER_DECLARE

#endif
