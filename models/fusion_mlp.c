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

static dip_status check(dip_fusion_options *o, const dip_fusion_fields *fields,
                        dip_err *err)
{
    if (o->hidden == 0)
        o->hidden = 2 * fields->dim;
    dip_status st = dip_option_int(o->hidden, 1, 1 << 16, "fusion.hidden", err);
    if (st == DIP_OK)
        st = dip_option_share(o->dropout, "fusion.dropout", err);
    return st;
}

static dip_fusion *build(const dip_fusion_options *o,
                         const dip_fusion_fields *fields,
                         const dip_maker *maker)
{
    int64_t count = fields->count, dim = fields->dim;
    mlp *f = dip_calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->dropout = o->dropout;
    f->missing = dip_make_normal(maker, "missing", DIP_PARAM_NO_DECAY, 0.02, 2,
                                 (int64_t[]){count, dim});
    f->hidden =
        dip_make_linear(maker, "hidden", count * dim + count, o->hidden, true);
    f->out = dip_make_linear(maker, "out", o->hidden, dim, true);
    return &f->base;
}

static dip_tensor *forward(const dip_fusion *fusion, const dip_fusion_input *in)
{
    const mlp *f = (const mlp *)fusion;
    dip_tensor *all = dip_t_where(dip_t_unsqueeze(in->present, 2),
                                  in->embeddings, f->missing);
    dip_tensor *bits = dip_t_to_dtype(in->present, DIP_F32);
    dip_tensor *x =
        dip_t_cat((dip_tensor *[]){dip_t_flatten(all, 1, 2), bits}, 2, 1);
    x = dip_t_gelu(dip_linear_forward(&f->hidden, x));
    x = dip_t_dropout(x, f->dropout, in->training);
    return dip_fusion_rows(fusion, dip_linear_forward(&f->out, x));
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
