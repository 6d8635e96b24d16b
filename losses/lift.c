#include "losses/lift.h"

/* -|x|^2 and ones, [B, 1] each. */
static void ends(const dip_tensor *rows, dip_tensor **square, dip_tensor **one)
{
    *square = dip_t_neg(dip_t_sum(dip_t_mul(rows, rows), 1, true));
    *one = dip_t_add_scalar(dip_t_zeros_like(*square), 1.0);
}

dip_tensor *dip_lift_queries(const dip_tensor *rows)
{
    dip_scope_open();
    dip_tensor *square, *one;
    ends(rows, &square, &one);
    dip_tensor *parts[] = {dip_t_mul_scalar(rows, 2.0), square, one};
    dip_tensor *out = dip_tensor_return(dip_t_cat(parts, 3, 1));
    dip_scope_close();
    return out;
}

dip_tensor *dip_lift_items(const dip_tensor *rows)
{
    dip_scope_open();
    dip_tensor *square, *one;
    ends(rows, &square, &one);
    dip_tensor *parts[] = {dip_tensor_alias(rows), one, square};
    dip_tensor *out = dip_tensor_return(dip_t_cat(parts, 3, 1));
    dip_scope_close();
    return out;
}
