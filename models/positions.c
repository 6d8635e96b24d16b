#include "models/positions.h"

/* The root of a square; 0 for any other number. */
static int64_t side_of(int64_t places)
{
    int64_t side = 0;
    while (side < (int64_t)1 << 20 && side * side < places)
        side++;
    return side * side == places ? side : 0;
}

/* [1, W, side, side] to [1, W, to, to] */
static dip_tensor *resize_grid(const dip_tensor *grid, int64_t to)
{
    const dip_arg args[] = {
        {.kind = DIP_ARG_TENSOR, .as.tensor = grid},
        {.kind = DIP_ARG_INT_LIST, .as.ints = {(int64_t[]){to, to}, 2}},
        {.kind = DIP_ARG_BOOL, .as.b = false}, /* corners are not aligned */
    };
    dip_tensor *resized = NULL;
    dip_tensor_call(&resized, 1, "aten::_upsample_bicubic2d_aa", "", args, 3);
    return resized;
}

dip_tensor *dip_positions_resize(const dip_tensor *table, int64_t before,
                                 int64_t rows)
{
    bool stacked = dip_tensor_ndim(table) == 3;
    dip_tensor *plain = dip_t_to_dtype(
        stacked ? dip_t_squeeze(table, 0) : dip_tensor_alias(table), DIP_F32);
    int64_t places = dip_tensor_size(plain, 0) - before;
    int64_t side = side_of(places), to = side_of(rows - before);
    if (side == 0 || to == 0) {
        dip_tensor_fail(DIP_EDATA,
                        "positions of %lld and %lld places are no two squares",
                        (long long)places, (long long)(rows - before));
        return NULL;
    }
    dip_tensor *grid = dip_t_narrow(plain, 0, before, places);
    grid = dip_t_unflatten(grid, 0, 2, (int64_t[]){side, side});
    grid = dip_t_unsqueeze(dip_t_permute(grid, 3, (int64_t[]){2, 0, 1}), 0);
    grid = dip_t_squeeze(resize_grid(grid, to), 0);
    dip_tensor *resized = dip_t_transpose(dip_t_flatten(grid, 1, 2), 0, 1);
    if (before > 0)
        resized = dip_t_cat(
            (dip_tensor *[]){dip_t_narrow(plain, 0, 0, before), resized}, 2, 0);
    resized = dip_t_contiguous(resized);
    return stacked ? dip_t_unsqueeze(resized, 0) : resized;
}
