/* Tables of places that were learned for another image size. */
#ifndef DIP_MODELS_POSITIONS_H
#define DIP_MODELS_POSITIONS_H

#include <stdint.h>

#include "tensor/tensor.h"

/* `table` [N, W] or [1, N, W] has `before` rows that belong to no place, then a
 * square grid of places, row by row; the result is the same with `rows` rows:
 * the grid is resized by antialiased bicubic interpolation, as open_clip and
 * timm do it, and the rows before it are kept. F32. A number of places that is
 * no square sticks as DIP_EDATA. */
dip_tensor *dip_positions_resize(const dip_tensor *table, int64_t before,
                                 int64_t rows);

#endif
