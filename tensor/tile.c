#include "tensor/tile.h"

#include <string.h>

/* Vectors of the GNU dialect; they stand in arrays of plain floats. */
typedef float lanes4 __attribute__((vector_size(16), aligned(4), may_alias));
#if defined(__x86_64__)
typedef float lanes8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float lanes16 __attribute__((vector_size(64), aligned(4), may_alias));
#endif

/* One body for all widths: the compiler lowers a vector type well only inside
 * a function whose target has vectors of that size, so target_clones would not
 * do. Contraction is asked for by name because -std=c17 turns it off. The sums,
 * two vectors a row, must all fit into registers. */
#define DEFINE_KERNEL(name, lanes_type, ROWS, target_attribute, add_term)      \
    target_attribute __attribute__((optimize("fp-contract=fast"))) static void \
    name(float *out, int64_t out_row, const dip_tile_input *in, bool add)      \
    {                                                                          \
        enum { WIDE = sizeof(lanes_type) / sizeof(float) };                    \
        const float *a = in->rows, *b = in->lanes;                             \
        int64_t row = in->row, step = in->step, lane_step = in->lane_step;     \
        lanes_type sum[ROWS][2];                                               \
        memset(sum, 0, sizeof sum);                                            \
        for (int m = 0; add && m < (ROWS); m++) {                              \
            __builtin_prefetch(out + m * out_row, 1);                          \
            __builtin_prefetch(out + m * out_row + WIDE, 1);                   \
        }                                                                      \
        for (int64_t k = in->length; k > 0; k--) {                             \
            const lanes_type x = *(const lanes_type *)b;                       \
            const lanes_type y = *(const lanes_type *)(b + WIDE);              \
            _Pragma("GCC unroll 12") for (int m = 0; m < (ROWS); m++)          \
            {                                                                  \
                add_term(sum[m][0], a[m * row], x);                            \
                add_term(sum[m][1], a[m * row], y);                            \
            }                                                                  \
            a += step;                                                         \
            b += lane_step;                                                    \
        }                                                                      \
        _Pragma("GCC unroll 12") for (int m = 0; m < (ROWS); m++)              \
        {                                                                      \
            lanes_type *to = (lanes_type *)(out + m * out_row);                \
            lanes_type *then = (lanes_type *)(out + m * out_row + WIDE);       \
            if (add) {                                                         \
                sum[m][0] += *to;                                              \
                sum[m][1] += *then;                                            \
            }                                                                  \
            *to = sum[m][0];                                                   \
            *then = sum[m][1];                                                 \
        }                                                                      \
    }

/* One chain of sums for each pair, as many as hide the latency of an addition;
 * vectors would have to be gathered. */
#define DEFINE_PAIRS(name, target_attribute, add_term)                         \
    target_attribute __attribute__((                                           \
        optimize("fp-contract=fast", "no-tree-vectorize"))) static void        \
    name(float out[DIP_TILE_PAIRS], const float *one,                          \
         const float *const others[DIP_TILE_PAIRS], int64_t length)            \
    {                                                                          \
        float sum[DIP_TILE_PAIRS] = {0};                                       \
        for (int64_t k = 0; k < length; k++) {                                 \
            _Pragma("GCC unroll 8") for (int i = 0; i < DIP_TILE_PAIRS; i++)   \
                add_term(sum[i], others[i][k], one[k]);                        \
        }                                                                      \
        memcpy(out, sum, sizeof sum);                                          \
    }

#define DEFINE_LOOSE(name, lanes_type, target_attribute)                       \
    target_attribute __attribute__((optimize("fp-contract=fast"))) static void \
    name(float out[DIP_TILE_PAIRS], const float *one,                          \
         const float *const others[DIP_TILE_PAIRS], int64_t length)            \
    {                                                                          \
        enum { WIDE = sizeof(lanes_type) / sizeof(float) };                    \
        lanes_type sum[DIP_TILE_PAIRS];                                        \
        memset(sum, 0, sizeof sum);                                            \
        int64_t k = 0;                                                         \
        for (; k + WIDE <= length; k += WIDE) {                                \
            const lanes_type x = *(const lanes_type *)(one + k);               \
            _Pragma("GCC unroll 8") for (int i = 0; i < DIP_TILE_PAIRS; i++)   \
                sum[i] += x * *(const lanes_type *)(others[i] + k);            \
        }                                                                      \
        for (int i = 0; i < DIP_TILE_PAIRS; i++) {                             \
            float total = 0;                                                   \
            for (int64_t rest = k; rest < length; rest++)                      \
                total += one[rest] * others[i][rest];                          \
            for (int l = 0; l < WIDE; l++)                                     \
                total += sum[i][l];                                            \
            out[i] = total;                                                    \
        }                                                                      \
    }

#define ADD_PRODUCT(sum, a, b) (sum) += (a) * (b)
#define SUB_SQUARE(sum, a, b)  (sum) -= ((a) - (b)) * ((a) - (b))

DEFINE_KERNEL(dot_by_4, lanes4, 6, , ADD_PRODUCT)
DEFINE_PAIRS(dot_pairs_4, , ADD_PRODUCT)
DEFINE_LOOSE(loose_4, lanes4, )
DEFINE_KERNEL(gap_by_4, lanes4, 6, , SUB_SQUARE)
DEFINE_PAIRS(gap_pairs_4, , SUB_SQUARE)
#if defined(__x86_64__)
#define AVX2   __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,prefer-vector-width=512")))
DEFINE_KERNEL(dot_by_8, lanes8, 6, AVX2, ADD_PRODUCT)
DEFINE_PAIRS(dot_pairs_8, AVX2, ADD_PRODUCT)
DEFINE_LOOSE(loose_8, lanes8, AVX2)
DEFINE_KERNEL(gap_by_8, lanes8, 6, AVX2, SUB_SQUARE)
DEFINE_PAIRS(gap_pairs_8, AVX2, SUB_SQUARE)
DEFINE_KERNEL(dot_by_16, lanes16, 12, AVX512, ADD_PRODUCT)
DEFINE_PAIRS(dot_pairs_16, AVX512, ADD_PRODUCT)
DEFINE_LOOSE(loose_16, lanes16, AVX512)
DEFINE_KERNEL(gap_by_16, lanes16, 12, AVX512, SUB_SQUARE)
DEFINE_PAIRS(gap_pairs_16, AVX512, SUB_SQUARE)
#endif

int dip_tile_kernels(dip_tile out[DIP_TILE_KERNELS], dip_similarity similarity)
{
    bool gap = similarity == DIP_SIMILARITY_EUCLIDEAN;
    int n = 0;
    out[n++] =
        (dip_tile){6, 8, gap ? gap_by_4 : dot_by_4,
                   gap ? gap_pairs_4 : dot_pairs_4, gap ? NULL : loose_4};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        out[n++] =
            (dip_tile){6, 16, gap ? gap_by_8 : dot_by_8,
                       gap ? gap_pairs_8 : dot_pairs_8, gap ? NULL : loose_8};
    if (__builtin_cpu_supports("avx512f"))
        out[n++] = (dip_tile){12, 32, gap ? gap_by_16 : dot_by_16,
                              gap ? gap_pairs_16 : dot_pairs_16,
                              gap ? NULL : loose_16};
#endif
    return n;
}

dip_tile dip_tile_choose(dip_similarity similarity)
{
    dip_tile kernels[DIP_TILE_KERNELS];
    return kernels[dip_tile_kernels(kernels, similarity) - 1];
}

/* In whatever order, a sum of n products in fp32 is off by at most n 2^-24 a b
 * times a hair more than 1 (Higham, "Accuracy and stability of numerical
 * algorithms", section 3.1); there are two. Whatever underflows is below 2^-126
 * each time. Score + error and score - error are off by 2^-24 of a number that
 * is not much above a b: the 32, which pays for the hair as well. (Where it is
 * much above, its sign alone decides a comparison with a score of these rows.)
 */
float dip_tile_loose_error(double a, double b, int64_t length)
{
    double n = (double)length;
    return (float)((2 * n + 32) * (1 + 0x1p-10) * 0x1p-24 * a * b +
                   (n + 8) * 0x1p-122);
}

void dip_tile_pack(float *panels, int64_t lanes, const float *rows,
                   int64_t count, int64_t dim)
{
    int64_t whole = (count + lanes - 1) / lanes * lanes;
    memset(panels, 0, (size_t)(whole * dim) * sizeof *panels);
    for (int64_t i = 0; i < count; i++) {
        float *lane = panels + i / lanes * lanes * dim + i % lanes;
        for (int64_t k = 0; k < dim; k++)
            lane[k * lanes] = rows[i * dim + k];
    }
}
