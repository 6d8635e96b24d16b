/* Products of two matrices in bfloat16, where the CPU multiplies such: twice as
 * fast as those of tensor/tile.h, and close enough to tell which of them are
 * needed in full. */
#ifndef DIP_TENSOR_TILE_BF16_H
#define DIP_TENSOR_TILE_BF16_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/tile.h"

/* Elements 2 k and 2 k + 1 of a row are neighbours, and `length` counts such
 * couples: couple k of row m stands at rows[m * row + 2 * k], that of lane l at
 * lanes[(k * DIP_TILE_LANES + l) * 2]. */
typedef struct {
    const uint16_t *rows;
    int64_t row;
    const uint16_t *lanes;
    int64_t length;
} dip_tile_bf16_input;

/* out[m * DIP_TILE_LANES + l] = sum of the products of row m and lane l, for
 * DIP_TILE_ROWS rows and DIP_TILE_LANES lanes. Sums are in fp32, their order
 * and what becomes of subnormal numbers is the CPU's affair:
 * dip_tile_bf16_error() bounds them. */
typedef void (*dip_tile_bf16)(float *out, const dip_tile_bf16_input *in);

/* NULL where the CPU has no such instruction. */
dip_tile_bf16 dip_tile_bf16_choose(void);

/* The nearest bfloat16 numbers, ties to even; subnormal ones become 0. Finite
 * numbers only, and none that rounds to infinity. */
void dip_bf16_round(uint16_t *out, const float *x, int64_t n);

/* A row x, and r = x as dip_bf16_round() leaves it. */
typedef struct {
    double norm; /* the length of x */
    double lost; /* that of x - r */
} dip_bf16_norms;

/* `rounded` is [n], of the same x. */
dip_bf16_norms dip_bf16_measure(const float *x, const uint16_t *rounded,
                                int64_t n);

/* No less than |s - t|, s being the fp32 sum of products of two rows of `n`
 * numbers by any kernel of tensor/tile.h and t that of the rounded rows by a
 * kernel of this file, nor than what adding and subtracting it in fp32 loses;
 * for rows with norms up to those given. */
float dip_tile_bf16_error(dip_bf16_norms a, dip_bf16_norms b, int64_t n);

#endif
