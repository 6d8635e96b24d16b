/* The inner kernel of eval/scores.c: small tiles of dot products. */
#ifndef DIP_EVAL_DOT_H
#define DIP_EVAL_DOT_H

#include <stdint.h>

#define DIP_DOT_LANES 16 /* queries in a tile */
#define DIP_DOT_ROWS                                                           \
    6 /* gallery rows in a tile: 6 x 16 sums fill the                          \
       * registers of AVX2, and keep AVX-512 busy */

/* tile[m][l] = sum over k, in order, of rows[m][k] * panel[k][l]. `panel`
 * [dim, DIP_DOT_LANES] is 64-byte aligned. */
typedef void (*dip_dot_kernel)(float tile[DIP_DOT_ROWS][DIP_DOT_LANES],
                               const float *panel,
                               const float *const rows[DIP_DOT_ROWS],
                               int64_t dim);

#define DIP_DOT_KERNELS 3

/* Writes the kernels that this CPU runs, the widest last; returns how many,
 * at least 1. */
int dip_dot_kernels(dip_dot_kernel out[DIP_DOT_KERNELS]);

/* The widest of them. */
dip_dot_kernel dip_dot_choose(void);

#endif
