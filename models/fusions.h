/* The rows of the table in fusion.c. A new fusion adds its name here, and
 * defines dip_fusion_<name> in a file of its own. */
#ifndef DIP_MODELS_FUSIONS_H
#define DIP_MODELS_FUSIONS_H

#include "models/fusion.h"

#define DIP_FUSION_TABLE(X)                                                    \
    X(weighted_average)                                                        \
    X(maximum)                                                                 \
    X(concat_mlp)                                                              \
    X(gated)                                                                   \
    X(bilinear)                                                                \
    X(lstm)                                                                    \
    X(gru)                                                                     \
    X(self_attention)                                                          \
    X(cross_attention)

#define DIP_FUSION_DECLARE(name) extern const dip_fusion_kind dip_fusion_##name;
DIP_FUSION_TABLE(DIP_FUSION_DECLARE)
#undef DIP_FUSION_DECLARE

#endif
