#include "losses/blocked_loops.h"

#include <math.h>

#include "base/dispatched.h"

#define INLINE static inline __attribute__((always_inline))

enum { CHUNK = 1024 }; /* single sums are carried on in double this often */

typedef union {
    int32_t bits;
    float value;
} punned;

/* exp(x) for x <= 88 within two units in the last place; 0 below -70, so that
 * no product of it becomes subnormal, which would be slow. Splits x into n ln 2
 * + r, |r| <= ln 2 / 2, and takes the Taylor polynomial of degree 7 of exp(r).
 */
INLINE float fast_exp(float x)
{
    const float rounder = 12582912.0F; /* 1.5 * 2^23 */
    float bounded = x < -70.0F ? -70.0F : x;
    float shifted = bounded * 1.44269504F + rounder;
    float n = shifted - rounder;
    float r = bounded - n * 0.693145752F; /* ln 2 in two parts */
    r = r - n * 1.42860677e-6F;
    float p = 1.98412698e-4F;
    p = p * r + 1.38888889e-3F;
    p = p * r + 8.33333333e-3F;
    p = p * r + 4.16666667e-2F;
    p = p * r + 1.66666667e-1F;
    p = p * r + 0.5F;
    p = p * r + 1.0F;
    p = p * r + 1.0F;
    punned two_to_n = {.bits = ((int32_t)n + 127) * (1 << 23)};
    float e = p * two_to_n.value;
    return x < -70.0F ? 0.0F : e;
}

DISPATCHED void dip_blocked_row_stats(const float *x, int64_t n, float *largest,
                                      double *sum)
{
    float most = *largest;
#pragma omp simd reduction(max : most)
    for (int64_t i = 0; i < n; i++)
        most = x[i] > most ? x[i] : most;
    double total = *sum * (double)fast_exp(*largest - most);
    for (int64_t at = 0; at < n; at += CHUNK) {
        int64_t end = n - at < CHUNK ? n : at + CHUNK;
        float part = 0;
#pragma omp simd reduction(+ : part)
        for (int64_t i = at; i < end; i++)
            part += fast_exp(x[i] - most);
        total += (double)part;
    }
    *largest = most;
    *sum = total;
}

DISPATCHED void dip_blocked_column_stats(const float *x, int64_t rows,
                                         int64_t stride, int64_t n,
                                         float *largest, double *sum)
{
    for (int64_t at = 0; at < n; at += CHUNK) {
        int64_t width = n - at < CHUNK ? n - at : CHUNK;
        float most[CHUNK], part[CHUNK];
        for (int64_t i = 0; i < width; i++) {
            most[i] = largest[at + i];
            part[i] = 0;
        }
        for (int64_t j = 0; j < rows; j++) {
            const float *row = x + j * stride + at;
#pragma omp simd
            for (int64_t i = 0; i < width; i++)
                most[i] = row[i] > most[i] ? row[i] : most[i];
        }
        for (int64_t j = 0; j < rows; j++) {
            const float *row = x + j * stride + at;
#pragma omp simd
            for (int64_t i = 0; i < width; i++)
                part[i] += fast_exp(row[i] - most[i]);
        }
        for (int64_t i = 0; i < width; i++) {
            sum[at + i] *= (double)fast_exp(largest[at + i] - most[i]);
            sum[at + i] += (double)part[i];
            largest[at + i] = most[i];
        }
    }
}

DISPATCHED void dip_blocked_gradient_row(float *restrict x, int64_t n,
                                         dip_blocked_anchor item,
                                         const float *restrict weight,
                                         const float *restrict lse,
                                         const float *restrict even)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        x[i] = item.weight * (fast_exp(x[i] - item.lse) - item.even) +
               weight[i] * (fast_exp(x[i] - lse[i]) - even[i]);
}

/* log(1 + exp(l)) is max(l, 0) + log(1 + exp(-|l|)); the logarithms of a chunk
 * are one logarithm of a product, whose factors are from 1 to 2. */
DISPATCHED double dip_blocked_sigmoid_row(float *restrict x, int64_t n, float a,
                                          double *total)
{
    enum { FACTORS = 512 };
    double loss = 0, sums = 0;
    for (int64_t at = 0; at < n; at += FACTORS) {
        int64_t end = n - at < FACTORS ? n : at + FACTORS;
        float linear = 0, part = 0;
        double product = 1;
#pragma omp simd reduction(+ : linear, part) reduction(* : product)
        for (int64_t i = at; i < end; i++) {
            float l = x[i];
            float e = fast_exp(l < 0 ? l : -l);
            float g = a * ((l < 0 ? e : 1.0F) / (1.0F + e));
            linear += l < 0 ? 0.0F : l;
            product *= 1.0 + (double)e;
            part += g;
            x[i] = g;
        }
        loss += (double)linear + log(product);
        sums += (double)part;
    }
    *total = sums;
    return loss;
}
