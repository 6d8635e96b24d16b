/* The random choices of augmentations, apart from their pixels; for image/
 * alone. */
#ifndef DIP_IMAGE_AUGMENT_H
#define DIP_IMAGE_AUGMENT_H

#include "image/transform.h"

/* torchvision's rule for RandomResizedCrop: ten tries with an area uniform in
 * `scale` and a ratio log-uniform in `ratio`; when none fits, the largest
 * centred part whose ratio is allowed. */
dip_window dip_augment_choose_crop(dip_rng *rng,
                                   const dip_augment_resized_crop *crop,
                                   int width, int height);

/* What a cutout leaves of its square in an image of this size. */
dip_window dip_augment_choose_hole(dip_rng *rng,
                                   const dip_augment_cutout *cutout, int size);

/* Applies ColorJitter to RGB bytes. Always draws the same numbers. */
void dip_augment_apply_jitter(dip_rng *rng, const dip_augment_jitter *jitter,
                              uint8_t *rgb, size_t pixels);

#endif
