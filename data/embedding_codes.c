#include "data/embedding_codes.h"

#include <math.h>
#include <string.h>

#define INT8_MOST 127

static const struct {
    const char *word;
    int bits;
} precisions[] = {
#define PRECISION_ROW(name, word, bits) {word, bits},
    DIP_CODES_TABLE(PRECISION_ROW)
#undef PRECISION_ROW
};

const char *dip_codes_name(dip_codes precision)
{
    return precisions[precision].word;
}

bool dip_codes_parse(dip_codes *out, const char *name)
{
    for (int i = 0; i < DIP_CODES_COUNT; i++) {
        if (strcmp(precisions[i].word, name) == 0) {
            *out = (dip_codes)i;
            return true;
        }
    }
    return false;
}

size_t dip_codes_bytes(dip_codes precision, int64_t dim)
{
    return ((size_t)dim * (size_t)precisions[precision].bits + 7) / 8;
}

/* ---- fp16: sign, 5 bits of exponent, 10 of mantissa ---- */

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint16_t to_half(float x)
{
    uint32_t bits = bits_of(x);
    uint32_t sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    if (size >= 0x47800000) /* 65536 and more */
        return (uint16_t)(sign | (size > 0x7f800000 ? 0x7e00 : 0x7c00));
    if (size < 0x38800000) { /* below 2^-14: multiples of 2^-24 */
        float units = fabsf(x) * 0x1p24F;
        return (uint16_t)(sign | (uint32_t)lrintf(units));
    }
    /* The exponent loses a bias of 112, and 13 bits are rounded away; what
     * overflows the mantissa goes into the exponent, as it should. */
    uint32_t odd = size >> 13 & 1;
    return (uint16_t)(sign | (size - 0x38000000 + 0xfff + odd) >> 13);
}

static float from_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, size = half & 0x7fffU;
    if (size < 0x400) {
        float value = (float)size * 0x1p-24F;
        return sign != 0 ? -value : value;
    }
    uint32_t bits =
        size >= 0x7c00 ? 0x7f800000 | size << 13 : (size << 13) + 0x38000000;
    bits |= sign;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- rows ---- */

static float to_int8(int8_t *out, const float *x, int64_t dim)
{
    float peak = 0;
    for (int64_t i = 0; i < dim; i++)
        peak = fmaxf(peak, fabsf(x[i]));
    for (int64_t i = 0; i < dim; i++)
        out[i] = peak > 0
                     ? (int8_t)lrint((double)x[i] * INT8_MOST / (double)peak)
                     : 0;
    return peak;
}

static void to_bits(uint8_t *out, const float *x, int64_t dim)
{
    memset(out, 0, dip_codes_bytes(DIP_CODES_BINARY, dim));
    for (int64_t i = 0; i < dim; i++)
        out[i / 8] = (uint8_t)(out[i / 8] | (x[i] > 0 ? 0x80 >> i % 8 : 0));
}

void dip_codes_encode(void *codes, float *peaks, dip_codes precision,
                      const float *values, int64_t rows, int64_t dim)
{
    size_t bytes = dip_codes_bytes(precision, dim);
    for (int64_t r = 0; r < rows; r++) {
        const float *x = values + r * dim;
        void *out = (char *)codes + (size_t)r * bytes;
        switch (precision) {
        case DIP_CODES_FP16:
            for (int64_t i = 0; i < dim; i++)
                ((uint16_t *)out)[i] = to_half(x[i]);
            break;
        case DIP_CODES_INT8:
            peaks[r] = to_int8(out, x, dim);
            break;
        case DIP_CODES_BINARY:
            to_bits(out, x, dim);
            break;
        case DIP_CODES_FP32:
        case DIP_CODES_COUNT:
            memcpy(out, x, bytes);
        }
    }
}

static void decode_row(float *x, dip_codes precision, const void *in,
                       double peak, int64_t dim)
{
    for (int64_t i = 0; i < dim; i++) {
        switch (precision) {
        case DIP_CODES_FP16:
            x[i] = from_half(((const uint16_t *)in)[i]);
            break;
        case DIP_CODES_INT8:
            x[i] = (float)(((const int8_t *)in)[i] * peak / INT8_MOST);
            break;
        case DIP_CODES_BINARY:
            x[i] = (((const uint8_t *)in)[i / 8] << i % 8 & 0x80) != 0 ? 1 : -1;
            break;
        case DIP_CODES_FP32:
        case DIP_CODES_COUNT:
            x[i] = ((const float *)in)[i];
        }
    }
}

void dip_codes_decode(float *values, dip_codes precision, const void *codes,
                      const float *peaks, int64_t rows, int64_t dim)
{
    size_t bytes = dip_codes_bytes(precision, dim);
    for (int64_t r = 0; r < rows; r++)
        decode_row(values + r * dim, precision,
                   (const char *)codes + (size_t)r * bytes,
                   precision == DIP_CODES_INT8 ? (double)peaks[r] : 0, dim);
}
