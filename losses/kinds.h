/* The contrastive losses, each in a file of its name. */
#ifndef DIP_LOSSES_KINDS_H
#define DIP_LOSSES_KINDS_H

#include "losses/loss.h"

#define DIP_LOSS_TABLE(X)                                                      \
    X(infonce)                                                                 \
    X(supcon)                                                                  \
    X(siglip)                                                                  \
    X(triplet)                                                                 \
    X(gcl)

#define DIP_LOSS_DECLARE(name) extern const dip_loss_kind dip_loss_kind_##name;
DIP_LOSS_TABLE(DIP_LOSS_DECLARE)
#undef DIP_LOSS_DECLARE

#endif
