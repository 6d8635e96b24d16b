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

/* The widest kernel that this CPU runs. */
dip_dot_kernel dip_dot_choose(void);

#endif
