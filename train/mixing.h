/* Mixing of the photos and the labels of a batch, each row with the one before
 * it (the first with the last): mixup (Zhang et al., arXiv 1710.09412), which
 * blends whole photos, and CutMix (Yun et al., arXiv 1905.04899), which puts a
 * rectangle of the other photo into each. */
#ifndef DIP_TRAIN_MIXING_H
#define DIP_TRAIN_MIXING_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/tensor.h"

typedef struct {
    /* Beta(alpha, alpha) is what shares are drawn from; 0: off. With both, a
     * batch takes either with probability 1/2. */
    double mixup, cutmix;
    uint64_t seed;
} dip_mixing;

/* How one batch is mixed. */
typedef struct {
    double share; /* of a row's own label; 1: not mixed */
    bool cut;     /* a rectangle of the other photo, not a blend */
    int64_t left, top, width, height; /* of the rectangle */
} dip_mix;

bool dip_mixing_is_on(const dip_mixing *mixing);
/* A function of (seed, epoch, batch) for photos of [size, size]. */
dip_mix dip_mixing_draw(const dip_mixing *mixing, int64_t epoch, int64_t batch,
                        int64_t size);

/* Photos F32 [B, C, S, S] or targets of B rows of the other of each pair. */
dip_tensor *dip_mix_others(const dip_tensor *rows);
/* Mixed photos; follows tensor/tensor.h. */
dip_tensor *dip_mix_images(const dip_mix *mix, const dip_tensor *images);

#endif
