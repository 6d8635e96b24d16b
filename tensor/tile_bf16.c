#include "tensor/tile_bf16.h"

#include <math.h>
#include <string.h>

#include "base/dispatched.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512_BF16                                                            \
    __attribute__((target("avx512f,avx512bf16,prefer-vector-width=512")))

AVX512_BF16 static void dot_couples(float *out, const dip_tile_bf16_input *in)
{
    const uint16_t *a = in->rows, *b = in->lanes;
    __m512 sum[DIP_TILE_ROWS][2];
    memset(sum, 0, sizeof sum);
    for (int64_t k = in->length; k > 0; k--) {
        __m512bh x = (__m512bh)_mm512_loadu_si512(b);
        __m512bh y = (__m512bh)_mm512_loadu_si512(b + DIP_TILE_LANES);
        _Pragma("GCC unroll 12") for (int m = 0; m < DIP_TILE_ROWS; m++)
        {
            int couple;
            memcpy(&couple, a + m * in->row, sizeof couple);
            __m512bh both = (__m512bh)_mm512_set1_epi32(couple);
            sum[m][0] = _mm512_dpbf16_ps(sum[m][0], both, x);
            sum[m][1] = _mm512_dpbf16_ps(sum[m][1], both, y);
        }
        a += 2;
        b += 2 * DIP_TILE_LANES;
    }
    _Pragma("GCC unroll 12") for (int m = 0; m < DIP_TILE_ROWS; m++)
    {
        _mm512_storeu_ps(out + m * DIP_TILE_LANES, sum[m][0]);
        _mm512_storeu_ps(out + m * DIP_TILE_LANES + DIP_TILE_LANES / 2,
                         sum[m][1]);
    }
}
#endif

dip_tile_bf16 dip_tile_bf16_choose(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bf16"))
        return dot_couples;
#endif
    return NULL;
}

DISPATCHED void dip_bf16_round(uint16_t *out, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
        out[i] = (uint16_t)((bits & 0x7f800000) == 0 ? 0 : rounded);
    }
}

DISPATCHED dip_bf16_norms dip_bf16_measure(const float *x,
                                           const uint16_t *rounded, int64_t n)
{
    double square = 0, lost = 0;
#pragma omp simd reduction(+ : square, lost)
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)rounded[i] << 16;
        float r;
        memcpy(&r, &bits, sizeof r);
        double gap = (double)x[i] - (double)r;
        square += (double)x[i] * (double)x[i];
        lost += gap * gap;
    }
    return (dip_bf16_norms){sqrt(square), sqrt(lost)};
}

/* With ra = a - da, rb = b - db for the rounded rows:
 *
 * - |a . b - ra . rb| = |da . b + ra . db| <= |da| |b| + |ra| |db| by Cauchy
 * and Schwarz, where |ra| <= (1 + 2^-8) |a|;
 * - the sums are off as those of dip_tile_loose_error() are, or twice as much
 *   by a unit that chops instead of rounding. */
float dip_tile_bf16_error(dip_bf16_norms a, dip_bf16_norms b, int64_t n)
{
    double rounding = a.lost * b.norm + a.norm * b.lost * (1 + 0x1p-8);
    return (float)(rounding * (1 + 0x1p-20)) +
           2 * dip_tile_loose_error(a.norm, b.norm, n);
}
