/* The inner kernels of eval/scores.c: small tiles of scores. */
#ifndef DIP_EVAL_DOT_H
#define DIP_EVAL_DOT_H

#include <stdint.h>

#include "base/similarity.h"

#define DIP_DOT_LANES 16 /* queries in a tile */
#define DIP_DOT_ROWS                                                           \
    6 /* gallery rows in a tile: 6 x 16 sums fill the                          \
       * registers of AVX2, and keep AVX-512 busy */

/* tile[m][l] = sum over k, in order, of rows[m][k] * panel[k][l], or of
 * -(rows[m][k] - panel[k][l])^2: differences are taken before they are squared,
 * since |a|^2 + |b|^2 - 2 ab loses what near rows differ by. `panel`
 * [dim, DIP_DOT_LANES] is 64-byte aligned. */
typedef void (*dip_dot_kernel)(float tile[DIP_DOT_ROWS][DIP_DOT_LANES],
                               const float *panel,
                               const float *const rows[DIP_DOT_ROWS],
                               int64_t dim);

#define DIP_DOT_KERNELS 3

/* Writes the kernels that this CPU runs, the widest last; returns how many,
 * at least 1. */
int dip_dot_kernels(dip_dot_kernel out[DIP_DOT_KERNELS],
                    dip_similarity similarity);

/* The widest of them. */
dip_dot_kernel dip_dot_choose(dip_similarity similarity);

#endif
