#include "eval/dot.h"

#include <stdbool.h>
#include <string.h>

/* Vectors of the GNU dialect; may_alias because panels are plain floats. */
typedef float lanes4 __attribute__((vector_size(16), may_alias));
#if defined(__x86_64__)
typedef float lanes8 __attribute__((vector_size(32), may_alias));
typedef float lanes16 __attribute__((vector_size(64), may_alias));
#endif

/* One body for all widths: the compiler lowers a vector type well only inside
 * a function whose target has vectors of that size, so target_clones would not
 * do. Contraction is asked for by name because -std=c17 turns it off. */
#define DEFINE_KERNEL(name, lanes, target_attribute, add_term)                 \
    target_attribute __attribute__((optimize("fp-contract=fast"))) static void \
    name(float tile[DIP_DOT_ROWS][DIP_DOT_LANES], const float *panel,          \
         const float *const rows[DIP_DOT_ROWS], int64_t dim)                   \
    {                                                                          \
        enum {                                                                 \
            WIDE = sizeof(lanes) / sizeof(float),                              \
            VECTORS = DIP_DOT_LANES / WIDE                                     \
        };                                                                     \
        lanes sum[DIP_DOT_ROWS][VECTORS] = {0};                                \
        for (int64_t k = 0; k < dim; k++) {                                    \
            const lanes *x = (const lanes *)(panel + k * DIP_DOT_LANES);       \
            for (int m = 0; m < DIP_DOT_ROWS; m++)                             \
                for (int v = 0; v < VECTORS; v++)                              \
                    add_term(sum[m][v], rows[m][k], x[v]);                     \
        }                                                                      \
        memcpy(tile, sum, sizeof sum);                                         \
    }

#define ADD_PRODUCT(sum, a, b) (sum) += (a) * (b)
#define SUB_SQUARE(sum, a, b)  (sum) -= ((a) - (b)) * ((a) - (b))

DEFINE_KERNEL(dot_by_4, lanes4, , ADD_PRODUCT)
DEFINE_KERNEL(gap_by_4, lanes4, , SUB_SQUARE)
#if defined(__x86_64__)
#define AVX2   __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f")))
DEFINE_KERNEL(dot_by_8, lanes8, AVX2, ADD_PRODUCT)
DEFINE_KERNEL(gap_by_8, lanes8, AVX2, SUB_SQUARE)
DEFINE_KERNEL(dot_by_16, lanes16, AVX512, ADD_PRODUCT)
DEFINE_KERNEL(gap_by_16, lanes16, AVX512, SUB_SQUARE)
#endif

int dip_dot_kernels(dip_dot_kernel out[DIP_DOT_KERNELS],
                    dip_similarity similarity)
{
    bool gap = similarity == DIP_SIMILARITY_EUCLIDEAN;
    int n = 0;
    out[n++] = gap ? gap_by_4 : dot_by_4;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        out[n++] = gap ? gap_by_8 : dot_by_8;
    if (__builtin_cpu_supports("avx512f"))
        out[n++] = gap ? gap_by_16 : dot_by_16;
#endif
    return n;
}

dip_dot_kernel dip_dot_choose(dip_similarity similarity)
{
    dip_dot_kernel kernels[DIP_DOT_KERNELS];
    return kernels[dip_dot_kernels(kernels, similarity) - 1];
}
