/* From pixels to the floats that an image tower reads: [3, size, size], planar
 * RGB, (value / 255 - mean) / std, the arithmetic of torchvision's ToTensor and
 * Normalize. Training applies a list of augmentations in its order; evaluation
 * resizes and crops. */
#ifndef DIP_IMAGE_TRANSFORM_H
#define DIP_IMAGE_TRANSFORM_H

#include <stdbool.h>

#include "base/rng.h"
#include "base/status.h"
#include "image/image.h"
#include "image/resize.h"

#define DIP_AUGMENT_MAX 8 /* entries of a list */

/* The names stand in configs. */
#define DIP_AUGMENT_TABLE(X)                                                   \
    X(RANDOM_RESIZED_CROP, "random_resized_crop")                              \
    X(RANDOM_CROP, "random_crop")                                              \
    X(HORIZONTAL_FLIP, "horizontal_flip")                                      \
    X(COLOR_JITTER, "color_jitter")                                            \
    X(GRAYSCALE, "grayscale")                                                  \
    X(CUTOUT, "cutout")

typedef enum {
#define DIP_AUGMENT_ENUM(name, words) DIP_AUGMENT_##name,
    DIP_AUGMENT_TABLE(DIP_AUGMENT_ENUM)
#undef DIP_AUGMENT_ENUM
} dip_augment_kind;

/* A part of the image, its area `scale` of the whole and its width / height
 * `ratio`, resized to [size, size]. Must be the first of a list; a list
 * without it starts from the image as evaluation prepares it. */
typedef struct {
    double scale[2]; /* 0 < least <= most <= 1 */
    double ratio[2]; /* 0 < least <= most */
} dip_augment_resized_crop;

/* Zeros on all sides, then a part of [size, size] out of it. */
typedef struct {
    int padding; /* pixels, 0 to size */
} dip_augment_padded_crop;

/* torchvision's ColorJitter, on 8 bits as Pillow does it, in random order. */
typedef struct {
    double brightness, contrast, saturation; /* >= 0: factor 1 - x to 1 + x */
    double hue;                              /* 0 to .5 of a turn */
} dip_augment_jitter;

/* A square of zeros after normalisation, its centre anywhere in the image
 * (DeVries and Taylor, arXiv 1708.04552). */
typedef struct {
    int size; /* pixels, 1 to 2 sizes of the image */
} dip_augment_cutout;

typedef struct {
    dip_augment_kind kind;
    double p; /* probability; the crops always apply */
    union {
        dip_augment_resized_crop resized_crop;
        dip_augment_padded_crop padded_crop;
        dip_augment_jitter jitter;
        dip_augment_cutout cutout;
    };
} dip_augment;

#define DIP_RESIZE_MODE_TABLE(X)                                               \
    X(SHORTEST, "shortest") /* shorter side to size, then centre crop */       \
    X(SQUASH, "squash")     /* both sides to size */

typedef enum {
#define DIP_RESIZE_MODE_ENUM(name, words) DIP_RESIZE_##name,
    DIP_RESIZE_MODE_TABLE(DIP_RESIZE_MODE_ENUM)
#undef DIP_RESIZE_MODE_ENUM
} dip_resize_mode;

typedef struct {
    int size; /* pixels on either side of the result */
    dip_resample resample;
    dip_resize_mode resize_mode;
    float mean[3], std[3];
    int augment_count;
    dip_augment augment[DIP_AUGMENT_MAX];
} dip_transform;

/* size 224, bicubic, shortest, CLIP's mean and std, no augmentation. */
dip_transform dip_transform_defaults(void);
/* The kind with torchvision's defaults: p .5 for the flip and .1 for
 * grayscale, scale .08 to 1, ratio 3/4 to 4/3, padding 0, no jitter (p 1); a
 * cutout of 16 (p 1), the paper's for CIFAR-10. */
dip_augment dip_augment_defaults(dip_augment_kind kind);

/* DIP_ENOTFOUND, listing the right names, when `name` is in no table. */
dip_status dip_augment_from_name(dip_augment_kind *out, const char *name,
                                 dip_err *err) DIP_MUST_CHECK;
dip_status dip_resize_mode_from_name(dip_resize_mode *out, const char *name,
                                     dip_err *err) DIP_MUST_CHECK;
/* DIP_ERANGE with the first value that is impossible. */
dip_status dip_transform_check(const dip_transform *transform,
                               dip_err *err) DIP_MUST_CHECK;

/* The least shorter side with which the transform never enlarges what a full
 * size image would not: for dip_decode_options.min_side. */
int dip_transform_min_side(const dip_transform *transform, bool train);

/* A checked transform with its tables and reused memory. One per thread. */
typedef struct dip_transformer dip_transformer;

/* Copies `transform`. */
dip_status dip_transformer_create(dip_transformer **out,
                                  const dip_transform *transform,
                                  dip_err *err) DIP_MUST_CHECK;
void dip_transformer_destroy(dip_transformer *transformer);

/* Writes [3, size, size] to `out`. With `rng` the augmentations apply, and the
 * result is a pure function of the transform, the pixels and the stream; with
 * NULL the image is prepared as for evaluation. Grey images are replicated. An
 * image that has the right size already is not resampled. */
dip_status dip_transform_apply(float *out, dip_transformer *transformer,
                               const dip_image_view *image, dip_rng *rng,
                               dip_err *err) DIP_MUST_CHECK;

#endif
