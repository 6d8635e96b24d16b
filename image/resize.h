/* Antialiased resampling with Pillow's fixed-point arithmetic: the bytes are
 * those of Image.resize(size, resample, box). The kernel widens by the factor
 * of reduction; bicubic is Keys' with a = -0.5 (Keys, "Cubic convolution
 * interpolation for digital image processing", 1981). Rows are resampled first
 * and columns second, rounded to 8 bits in between. Pillow 13 takes the columns
 * first where the height falls much more than the width, which moves single
 * bytes by a few levels there. */
#ifndef DIP_IMAGE_RESIZE_H
#define DIP_IMAGE_RESIZE_H

#include <stdbool.h>

#include "base/status.h"
#include "image/image.h"

#define DIP_RESAMPLE_TABLE(X)                                                  \
    X(BICUBIC, "bicubic")                                                      \
    X(BILINEAR, "bilinear")

typedef enum {
#define DIP_RESAMPLE_ENUM(name, words) DIP_RESAMPLE_##name,
    DIP_RESAMPLE_TABLE(DIP_RESAMPLE_ENUM)
#undef DIP_RESAMPLE_ENUM
} dip_resample;

/* Part of the source to enlarge or reduce, in pixels; samples just outside it
 * still count where the kernel reaches them. To keep them out (crop, then
 * resize) pass a cropped view. Single precision, as in Pillow. */
typedef struct {
    float x0, y0, x1, y1;
} dip_box;

/* Part of the result to compute. */
typedef struct {
    int x, y, width, height;
} dip_window;

typedef struct {
    dip_resample resample;
    int width, height;        /* of the whole result */
    const dip_box *box;       /* NULL = the whole source */
    const dip_window *window; /* NULL = the whole result */
} dip_resize_options;

/* Coefficients and rows that calls reuse. One per thread. */
typedef struct dip_resizer dip_resizer;

/* `portable` keeps it from the SIMD code that the machine has; the bytes are
 * the same. */
dip_status dip_resizer_create(dip_resizer **out, bool portable,
                              dip_err *err) DIP_MUST_CHECK;
void dip_resizer_destroy(dip_resizer *resizer);

/* Writes the window of the resized source into `out`, which gets its shape and
 * the channels of the source (1 or 3). `out` must not share memory with
 * `source`. */
dip_status dip_resize(dip_image *out, dip_resizer *resizer,
                      const dip_image_view *source,
                      const dip_resize_options *options,
                      dip_err *err) DIP_MUST_CHECK;

/* DIP_ENOTFOUND when `name` is not in DIP_RESAMPLE_TABLE. */
dip_status dip_resample_from_name(dip_resample *out, const char *name,
                                  dip_err *err) DIP_MUST_CHECK;

#endif
