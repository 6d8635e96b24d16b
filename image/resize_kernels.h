/* The inner loops of resizing, once in portable C and once per instruction
 * set; for image/resize*.c alone. All give the same bytes: sums of 32-bit
 * integers do not depend on their order. */
#ifndef DIP_IMAGE_RESIZE_KERNELS_H
#define DIP_IMAGE_RESIZE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* Weights are fixed-point with this many bits after the point. */
#define DIP_RESIZE_BITS 22
/* A weight w stands in `packed` as w >> DIP_RESIZE_LOW_BITS and the bits below,
 * both of which fit int16. */
#define DIP_RESIZE_LOW_BITS 11
#define DIP_RESIZE_GROUP    4

/* How each of `outputs` samples along one axis is made: from count[i] source
 * samples beginning with start[i], which never falls from i to i + 1. */
typedef struct {
    int outputs;
    int taps; /* at least every count; a multiple of DIP_RESIZE_GROUP */
    const int *start;
    const int *count;
    const int32_t *weights; /* [outputs, taps], zeros beyond count[i] */
    /* [outputs, taps / 4, 2, 4]: the high parts of four weights, then the low
     * ones. */
    const int16_t *packed;
} dip_resize_axis;

/* Rows of bytes; `size` bytes may be read from `data` on. */
typedef struct {
    const uint8_t *data;
    size_t stride, size;
    int rows, channels;
} dip_resize_rows;

typedef struct {
    /* Resamples every row of `in` into axis->outputs pixels at `out`. */
    void (*horizontal)(uint8_t *out, size_t out_stride,
                       const dip_resize_rows *in, const dip_resize_axis *axis);
    /* Row `line` of the result, `bytes` wide, from the columns of `in`, whose
     * first row is source row `first`. */
    void (*vertical)(uint8_t *out, size_t bytes, const dip_resize_rows *in,
                     int first, const dip_resize_axis *axis, int line);
} dip_resize_kernels;

extern const dip_resize_kernels dip_resize_portable;
/* The fastest that this machine runs. */
const dip_resize_kernels *dip_resize_kernels_best(void);

/* Parts of the portable loops, for the edges that SIMD leaves over: pixels
 * from..outputs of one row, and bytes from..bytes of one line. */
void dip_resize_row_from(uint8_t *out, const uint8_t *in, int channels,
                         const dip_resize_axis *axis, int from);
void dip_resize_line_from(uint8_t *out, size_t bytes, const dip_resize_rows *in,
                          int first, const dip_resize_axis *axis, int line,
                          size_t from);

#endif
