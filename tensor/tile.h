/* Small products of two matrices of plain floats: the inner kernels of the
 * blocked losses and of the scores of rankings, which are faster than a
 * library's whole product because nothing between tiles goes through memory.
 *
 * Each is compiled for several instruction sets; the machine's widest is found
 * at run time. */
#ifndef DIP_TENSOR_TILE_H
#define DIP_TENSOR_TILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/similarity.h"

/* Bounds of all kernels, for buffers; the lanes of each divide DIP_TILE_LANES.
 */
#define DIP_TILE_ROWS  12
#define DIP_TILE_LANES 32
#define DIP_TILE_PAIRS 8

/* Element k of row m stands at rows[m * row + k * step], that of lane l at
 * lanes[k * lane_step + l]. Nothing needs alignment. */
typedef struct {
    const float *rows;
    int64_t row, step;
    const float *lanes;
    int64_t lane_step;
    int64_t length; /* of k */
} dip_tile_input;

/* out[m * out_row + l] = sum over k, in order, of rows(m, k) * lanes(k, l), or
 * of -(rows(m, k) - lanes(k, l))^2: differences are taken before they are
 * squared, since |a|^2 + |b|^2 - 2 ab loses what near rows differ by. `add`
 * adds the sums to what stands in `out`. */
typedef struct {
    int64_t rows, lanes; /* of a tile; all of them are read and written */
    void (*sum)(float *out, int64_t out_row, const dip_tile_input *in,
                bool add);
    /* out[i] = that sum of `one` with others[i], each [length]: the same bits
     * as from `sum`. */
    void (*pairs)(float out[DIP_TILE_PAIRS], const float *one,
                  const float *const others[DIP_TILE_PAIRS], int64_t length);
    /* Products alone, added up in any order: several times as fast. NULL for
     * distances. */
    void (*loose)(float out[DIP_TILE_PAIRS], const float *one,
                  const float *const others[DIP_TILE_PAIRS], int64_t length);
} dip_tile;

/* No less than |s - t|, s being the sum of products of two rows of `length`
 * numbers and of norms up to a and b by `sum`, t that by `loose`, nor than what
 * adding and subtracting it in fp32 loses. */
float dip_tile_loose_error(double a, double b, int64_t length);

#define DIP_TILE_KERNELS 3

/* Writes the kernels that this CPU runs, the widest last; returns how many,
 * at least 1. */
int dip_tile_kernels(dip_tile out[DIP_TILE_KERNELS], dip_similarity similarity);

/* The widest of them. */
dip_tile dip_tile_choose(dip_similarity similarity);

/* Transposes `count` rows of `dim` elements into panels [dim, lanes] of `lanes`
 * rows each; what the last panel has too many is 0. */
void dip_tile_pack(float *panels, int64_t lanes, const float *rows,
                   int64_t count, int64_t dim);

#endif
