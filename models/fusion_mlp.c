/* Concatenation and MLP: a missing field is replaced by a learned vector, and
 * one number per field tells whether it is present. */
#include <stdlib.h>

#include "base/mem.h"
#include "models/fusions.h"
#include "models/options.h"

typedef struct {
    dip_fusion base;
    dip_tensor *missing; /* [fields, D] */
    dip_linear hidden, out;
    double dropout;
} mlp;

static const char *const OPTIONS[] = {"hidden", "dropout", NULL};

static dip_status check(dip_fusion_options *o, int fields, int64_t dim,
                        dip_err *err)
{
    (void)fields;
    if (o->hidden == 0)
        o->hidden = 2 * dim;
    dip_status st = dip_option_int(o->hidden, 1, 1 << 16, "fusion.hidden", err);
    if (st == DIP_OK)
        st = dip_option_share(o->dropout, "fusion.dropout", err);
    return st;
}

static dip_fusion *build(const dip_fusion_options *o, int fields, int64_t dim,
                         const dip_maker *maker)
{
    mlp *f = dip_calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->base.kind = &dip_fusion_concat_mlp;
    f->base.fields = fields;
    f->dropout = o->dropout;
    f->missing = dip_make_normal(maker, "missing", DIP_PARAM_NO_DECAY, 0.02, 2,
                                 (int64_t[]){fields, dim});
    f->hidden = dip_make_linear(maker, "hidden", fields * dim + fields,
                                o->hidden, true);
    f->out = dip_make_linear(maker, "out", o->hidden, dim, true);
    return &f->base;
}

static dip_tensor *forward(const dip_fusion *fusion, dip_tensor *const *fields,
                           const dip_tensor *present, bool training)
{
    const mlp *f = (const mlp *)fusion;
    dip_tensor *all = dip_t_stack(fields, fusion->fields, 1);
    all = dip_t_where(dip_t_unsqueeze(present, 2), all, f->missing);
    dip_tensor *bits = dip_t_to_dtype(present, DIP_F32);
    dip_tensor *x =
        dip_t_cat((dip_tensor *[]){dip_t_flatten(all, 1, 2), bits}, 2, 1);
    x = dip_t_gelu(dip_linear_forward(&f->hidden, x));
    x = dip_linear_forward(&f->out, dip_t_dropout(x, f->dropout, training));
    x = dip_fusion_rows(fusion, dip_t_to_dtype(x, DIP_F32));
    dip_tensor *nothing =
        dip_t_logical_not(dip_t_gt_scalar(dip_t_sum(present, 1, true), 0.0));
    return dip_t_masked_fill(x, nothing, 0.0);
}

static void release(dip_fusion *fusion)
{
    free(fusion);
}

const dip_fusion_kind dip_fusion_concat_mlp = {
    .name = "concat_mlp",
    .summary = "MLP over all fields side by side",
    .options = OPTIONS,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
