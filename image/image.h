/* Pixels in memory: rows from top to bottom, channels interleaved, 8 bits. */
#ifndef DIP_IMAGE_IMAGE_H
#define DIP_IMAGE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* No side of an image passes this, so that sums of sides fit an int. */
#define DIP_IMAGE_MAX_SIDE 65535

/* Someone else's pixels, in one block of memory. `channels` is 1 (grey) or
 * 3 (RGB). */
typedef struct {
    const uint8_t *pixels;
    int width, height, channels;
    size_t stride; /* bytes from row to row; 0 = rows follow each other */
} dip_image_view;

/* Pixels of one's own, reused from image to image. Start it as {0}; end it
 * with dip_image_free(). Rows follow each other without padding. */
typedef struct {
    uint8_t *pixels;
    size_t capacity; /* bytes */
    int width, height, channels;
} dip_image;

/* Gives `image` this shape; keeps its memory when large enough. The pixels are
 * undefined. DIP_ERANGE when a side is < 1 or > DIP_IMAGE_MAX_SIDE. */
dip_status dip_image_reshape(dip_image *image, int width, int height,
                             int channels, dip_err *err) DIP_MUST_CHECK;
dip_image_view dip_image_as_view(const dip_image *image);
void dip_image_free(dip_image *image);

/* DIP_ERANGE unless the view has 1 or 3 channels, sides of 1 to
 * DIP_IMAGE_MAX_SIDE and rows that do not overlap. */
dip_status dip_image_view_check(const dip_image_view *view,
                                dip_err *err) DIP_MUST_CHECK;
/* Bytes from row to row, never 0. */
size_t dip_image_view_stride(const dip_image_view *view);
/* First byte of row `y`. */
const uint8_t *dip_image_view_row(const dip_image_view *view, int y);
/* A part of the view, sharing its pixels; the box must lie inside. */
dip_image_view dip_image_view_crop(const dip_image_view *view, int x, int y,
                                   int width, int height);

/* Grey by Rec. 601 weights in 16-bit fixed point, as Pillow's mode "L". */
static inline uint8_t dip_image_luma(uint8_t r, uint8_t g, uint8_t b)
{
    return (uint8_t)((r * 19595u + g * 38470u + b * 7471u + 0x8000u) >> 16);
}

#endif
