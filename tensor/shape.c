#include "tensor/shape.h"

bool dip_shape_equal(const dip_tensor *a, const dip_tensor *b)
{
    bool same = dip_tensor_ndim(a) == dip_tensor_ndim(b);
    for (int d = 0; same && d < dip_tensor_ndim(a); d++)
        same = dip_tensor_size(a, d) == dip_tensor_size(b, d);
    return same;
}

static void add_shape(dip_str *out, const dip_tensor *t)
{
    dip_str_add(out, "[");
    for (int d = 0; d < dip_tensor_ndim(t); d++)
        dip_str_addf(out, "%s%lld", d > 0 ? ", " : "",
                     (long long)dip_tensor_size(t, d));
    dip_str_add(out, "]");
}

void dip_shape_add_unlike(dip_str *out, const dip_tensor *got,
                          const dip_tensor *want)
{
    dip_str_add(out, "the file has ");
    add_shape(out, got);
    dip_str_add(out, ", the model has ");
    add_shape(out, want);
}
