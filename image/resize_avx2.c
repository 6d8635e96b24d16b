#include "image/resize_kernels.h"

#ifdef __x86_64__

#include <immintrin.h>
#include <string.h>

#define AVX2 __attribute__((target("avx2")))

enum { ROWS_AT_ONCE = 4, COLUMNS_AT_ONCE = 32, LOAD = 16 };

/* Sums of pixel * weight from those of the two parts of the weights. */
AVX2 static inline __m256i combine(__m256i high, __m256i low)
{
    return _mm256_add_epi32(_mm256_slli_epi32(high, DIP_RESIZE_LOW_BITS), low);
}

/* Sixteen bytes of one row, and of another in the upper lane. */
AVX2 static inline __m256i load_two_rows(const uint8_t *lower,
                                         const uint8_t *upper)
{
    __m128i first = _mm_loadu_si128((const __m128i *)lower);
    __m128i second = _mm_loadu_si128((const __m128i *)upper);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(first), second, 1);
}

static int32_t load_pair(const int16_t *weights)
{
    int32_t pair;
    memcpy(&pair, weights, sizeof pair);
    return pair;
}

/* One pixel of ROWS_AT_ONCE rows. A lane holds four RGB source pixels of its
 * row, spread as the pairs [p0 p1] or [p2 p3] of each channel, so that a
 * multiply-add of pairs does two taps of three channels. Writes four bytes a
 * row, the last of which is 0. */
AVX2 static inline void pixel_of_rows(uint8_t *const out[ROWS_AT_ONCE],
                                      const uint8_t *const in[ROWS_AT_ONCE],
                                      size_t out_at, size_t in_at,
                                      const int16_t *packed, int groups)
{
    const __m256i spread[2] = {
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2,
                                                  -1, 5, -1, -1, -1, -1, -1)),
        _mm256_broadcastsi128_si256(_mm_setr_epi8(
            6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1))};
    __m256i half = _mm256_set1_epi32(1 << (DIP_RESIZE_BITS - 1));
    __m256i high[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    __m256i low[2] = {half, half};

    for (int g = 0; g < groups; g++, packed += 8, in_at += 12) {
        __m256i pixels[2] = {load_two_rows(in[0] + in_at, in[1] + in_at),
                             load_two_rows(in[2] + in_at, in[3] + in_at)};
        for (int pair = 0; pair < 2; pair++) {
            __m256i w_high = _mm256_set1_epi32(load_pair(packed + 2 * pair));
            __m256i w_low = _mm256_set1_epi32(
                load_pair(packed + DIP_RESIZE_GROUP + 2 * pair));
            for (int r = 0; r < 2; r++) {
                __m256i p = _mm256_shuffle_epi8(pixels[r], spread[pair]);
                high[r] =
                    _mm256_add_epi32(high[r], _mm256_madd_epi16(p, w_high));
                low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(p, w_low));
            }
        }
    }
    __m256i rows02 = _mm256_packus_epi32(
        _mm256_srai_epi32(combine(high[0], low[0]), DIP_RESIZE_BITS),
        _mm256_srai_epi32(combine(high[1], low[1]), DIP_RESIZE_BITS));
    __m256i bytes = _mm256_packus_epi16(rows02, rows02);
    int32_t row[ROWS_AT_ONCE] = {
        _mm256_extract_epi32(bytes, 0), _mm256_extract_epi32(bytes, 4),
        _mm256_extract_epi32(bytes, 1), _mm256_extract_epi32(bytes, 5)};
    for (int r = 0; r < ROWS_AT_ONCE; r++)
        memcpy(out[r] + out_at, &row[r], sizeof row[r]);
}

/* How many outputs from the left may load without passing `readable` bytes.
 * The last one is always left over: its fourth byte is its neighbour's. */
static int safe_outputs(const dip_resize_axis *axis, size_t readable)
{
    size_t reach = (size_t)axis->taps * 3 + LOAD - 3 * DIP_RESIZE_GROUP;
    int n = axis->outputs - 1;
    while (n > 0 && (size_t)axis->start[n - 1] * 3 + reach > readable)
        n--;
    return n;
}

AVX2 static void horizontal(uint8_t *out, size_t out_stride,
                            const dip_resize_rows *in,
                            const dip_resize_axis *axis)
{
    if (in->channels != 3) {
        dip_resize_portable.horizontal(out, out_stride, in, axis);
        return;
    }
    for (int y = 0; y < in->rows; y += ROWS_AT_ONCE) {
        const uint8_t *from[ROWS_AT_ONCE];
        uint8_t *to[ROWS_AT_ONCE];
        size_t last = 0;
        for (int r = 0; r < ROWS_AT_ONCE; r++) {
            /* Past the end the last row is done again. */
            last = (size_t)(y + r < in->rows ? y + r : in->rows - 1);
            from[r] = in->data + last * in->stride;
            to[r] = out + last * out_stride;
        }
        int safe = safe_outputs(axis, in->size - last * in->stride);
        for (int x = 0; x < safe; x++)
            pixel_of_rows(to, from, 3 * (size_t)x, 3 * (size_t)axis->start[x],
                          axis->packed + 2 * (ptrdiff_t)x * axis->taps,
                          axis->taps / DIP_RESIZE_GROUP);
        for (int r = 0; r < ROWS_AT_ONCE; r++)
            dip_resize_row_from(to[r], from[r], 3, axis, safe);
    }
}

/* Adds two taps: the bytes of two rows are interleaved, so that a
 * multiply-add of pairs weighs and sums them. */
AVX2 static inline void add_two_taps(__m256i high[4], __m256i low[4],
                                     __m256i row0, __m256i row1, __m256i w_high,
                                     __m256i w_low)
{
    const __m256i zero = _mm256_setzero_si256();
    __m256i left = _mm256_unpacklo_epi8(row0, row1);
    __m256i right = _mm256_unpackhi_epi8(row0, row1);
    const __m256i pairs[4] = {
        _mm256_unpacklo_epi8(left, zero), _mm256_unpackhi_epi8(left, zero),
        _mm256_unpacklo_epi8(right, zero), _mm256_unpackhi_epi8(right, zero)};
    for (int i = 0; i < 4; i++) {
        high[i] =
            _mm256_add_epi32(high[i], _mm256_madd_epi16(pairs[i], w_high));
        low[i] = _mm256_add_epi32(low[i], _mm256_madd_epi16(pairs[i], w_low));
    }
}

/* COLUMNS_AT_ONCE bytes of one line. `packed` are its weights, `count` the
 * rows from `top` on that exist. */
AVX2 static inline void vertical_block(uint8_t *out, const uint8_t *top,
                                       size_t stride, int count,
                                       const int16_t *packed)
{
    __m256i high[4], low[4];
    for (int i = 0; i < 4; i++) {
        high[i] = _mm256_setzero_si256();
        low[i] = _mm256_set1_epi32(1 << (DIP_RESIZE_BITS - 1));
    }
    for (int t = 0; t < count; t += 2) {
        const uint8_t *row0 = top + (size_t)t * stride;
        /* Of an odd count the last weight is 0, on any row. */
        const uint8_t *row1 = t + 1 < count ? row0 + stride : row0;
        const int16_t *pair =
            packed + t / DIP_RESIZE_GROUP * 8 + t % DIP_RESIZE_GROUP;
        add_two_taps(high, low, _mm256_loadu_si256((const __m256i *)row0),
                     _mm256_loadu_si256((const __m256i *)row1),
                     _mm256_set1_epi32(load_pair(pair)),
                     _mm256_set1_epi32(load_pair(pair + DIP_RESIZE_GROUP)));
    }
    for (int i = 0; i < 4; i++)
        low[i] = _mm256_srai_epi32(combine(high[i], low[i]), DIP_RESIZE_BITS);
    __m256i bytes = _mm256_packus_epi16(_mm256_packus_epi32(low[0], low[1]),
                                        _mm256_packus_epi32(low[2], low[3]));
    _mm256_storeu_si256((__m256i *)out, bytes);
}

AVX2 static void vertical(uint8_t *out, size_t bytes, const dip_resize_rows *in,
                          int first, const dip_resize_axis *axis, int line)
{
    if (bytes < COLUMNS_AT_ONCE) {
        dip_resize_line_from(out, bytes, in, first, axis, line, 0);
        return;
    }
    const uint8_t *top =
        in->data + (size_t)(axis->start[line] - first) * in->stride;
    const int16_t *packed = axis->packed + 2 * (ptrdiff_t)line * axis->taps;
    for (size_t x = 0; x < bytes; x += COLUMNS_AT_ONCE) {
        /* The last block overlaps the one before. */
        if (x > bytes - COLUMNS_AT_ONCE)
            x = bytes - COLUMNS_AT_ONCE;
        vertical_block(out + x, top + x, in->stride, axis->count[line], packed);
    }
}

static const dip_resize_kernels avx2 = {horizontal, vertical};

const dip_resize_kernels *dip_resize_kernels_best(void)
{
    return __builtin_cpu_supports("avx2") ? &avx2 : &dip_resize_portable;
}

#else

const dip_resize_kernels *dip_resize_kernels_best(void)
{
    return &dip_resize_portable;
}

#endif
