/* Gated multimodal unit (Arevalo et al., arXiv 1702.01992, section 3.1, for any
 * number of modalities): each field is mapped by tanh(W_i x_i), and gates of
 * all fields together, sigmoid(Z_i [x_1 ... x_F]), say how much of it counts.
 * As in the paper nothing has a bias, so an absent field, which is zeros, adds
 * nothing to the sum and nothing to the gates. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "models/fusions.h"
#include "models/options.h"

typedef struct {
    dip_fusion base;
    dip_linear values[DIP_FUSION_FIELDS_MAX];
    dip_linear gates; /* all Z_i, one below the other */
} gated;

static const char *const OPTIONS[] = {NULL};

static dip_fusion *build(const dip_fusion_options *o,
                         const dip_fusion_fields *fields,
                         const dip_maker *maker)
{
    (void)o;
    gated *f = dip_calloc(1, sizeof *f);
    if (!f)
        return NULL;
    int64_t all = fields->count * fields->dim;
    for (int i = 0; i < fields->count; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "values.%d", i);
        f->values[i] =
            dip_make_linear(maker, name, fields->dim, fields->dim, false);
    }
    f->gates = dip_make_linear(maker, "gates", all, all, false);
    return &f->base;
}

static dip_tensor *forward(const dip_fusion *fusion, const dip_fusion_input *in)
{
    const gated *f = (const gated *)fusion;
    int count = fusion->fields.count;
    dip_tensor *values[DIP_FUSION_FIELDS_MAX];
    for (int i = 0; i < count; i++)
        values[i] = dip_linear_forward(&f->values[i],
                                       dip_t_select(in->embeddings, 1, i));
    dip_tensor *value = dip_t_tanh(dip_t_stack(values, count, 1));
    dip_tensor *gate = dip_t_sigmoid(
        dip_linear_forward(&f->gates, dip_t_flatten(in->embeddings, 1, 2)));
    gate = dip_t_unflatten(gate, 1, 2, (int64_t[]){count, -1});
    return dip_fusion_rows(fusion, dip_t_sum(dip_t_mul(gate, value), 1, false));
}

static void release(dip_fusion *fusion)
{
    free(fusion);
}

const dip_fusion_kind dip_fusion_gated = {
    .name = "gated",
    .summary = "gated multimodal unit: each field counts as all of them say",
    .options = OPTIONS,
    .build = build,
    .forward = forward,
    .free = release,
};
