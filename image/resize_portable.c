#include "image/resize_kernels.h"

static const int32_t half = 1 << (DIP_RESIZE_BITS - 1);

static uint8_t to_byte(int32_t sum)
{
    int32_t value = sum >> DIP_RESIZE_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

void dip_resize_row_from(uint8_t *out, const uint8_t *in, int channels,
                         const dip_resize_axis *axis, int from)
{
    for (int x = from; x < axis->outputs; x++) {
        const int32_t *weights = axis->weights + (ptrdiff_t)x * axis->taps;
        const uint8_t *pixel = in + (ptrdiff_t)axis->start[x] * channels;
        for (int c = 0; c < channels; c++) {
            int32_t sum = half;
            for (int t = 0; t < axis->count[x]; t++)
                sum += pixel[t * channels + c] * weights[t];
            out[x * channels + c] = to_byte(sum);
        }
    }
}

void dip_resize_line_from(uint8_t *out, size_t bytes, const dip_resize_rows *in,
                          int first, const dip_resize_axis *axis, int line,
                          size_t from)
{
    enum { BLOCK = 128 };
    const int32_t *weights = axis->weights + (ptrdiff_t)line * axis->taps;
    const uint8_t *top =
        in->data + (size_t)(axis->start[line] - first) * in->stride;
    for (size_t x = from; x < bytes; x += BLOCK) {
        int32_t sums[BLOCK];
        size_t n = bytes - x < BLOCK ? bytes - x : BLOCK;
        for (size_t i = 0; i < n; i++)
            sums[i] = half;
        for (int t = 0; t < axis->count[line]; t++) {
            const uint8_t *row = top + (size_t)t * in->stride + x;
            for (size_t i = 0; i < n; i++)
                sums[i] += row[i] * weights[t];
        }
        for (size_t i = 0; i < n; i++)
            out[x + i] = to_byte(sums[i]);
    }
}

static void horizontal(uint8_t *out, size_t out_stride,
                       const dip_resize_rows *in, const dip_resize_axis *axis)
{
    for (int y = 0; y < in->rows; y++)
        dip_resize_row_from(out + (size_t)y * out_stride,
                            in->data + (size_t)y * in->stride, in->channels,
                            axis, 0);
}

static void vertical(uint8_t *out, size_t bytes, const dip_resize_rows *in,
                     int first, const dip_resize_axis *axis, int line)
{
    dip_resize_line_from(out, bytes, in, first, axis, line, 0);
}

const dip_resize_kernels dip_resize_portable = {horizontal, vertical};
