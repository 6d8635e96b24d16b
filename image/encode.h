/* Pixels to JPEG or PNG bytes, for importers, synthetic data and tests. */
#ifndef DIP_IMAGE_ENCODE_H
#define DIP_IMAGE_ENCODE_H

#include "base/status.h"
#include "base/str.h"
#include "image/image.h"

/* Appends a baseline JPEG (4:2:0 for RGB) to `out`. `quality` is 1 to 100.
 * On failure `out` is as before. */
dip_status dip_image_encode_jpeg(dip_str *out, const dip_image_view *image,
                                 int quality, dip_err *err) DIP_MUST_CHECK;

/* Appends an 8-bit PNG, grey or RGB, to `out`. */
dip_status dip_image_encode_png(dip_str *out, const dip_image_view *image,
                                dip_err *err) DIP_MUST_CHECK;

#endif
