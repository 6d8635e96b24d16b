/* Weighted average: softmax of one learned number per field, over the fields
 * that are present. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "models/fusions.h"
#include "models/options.h"

typedef struct {
    dip_fusion base;
    dip_tensor *log_weights; /* [fields] */
} average;

static const char *const OPTIONS[] = {"weights", "fixed", NULL};

static dip_status check(dip_fusion_options *o, const dip_fusion_fields *given,
                        dip_err *err)
{
    int fields = given->count;
    bool any = false;
    for (int i = 0; i < DIP_FUSION_FIELDS_MAX; i++)
        any = any || o->weights[i] != 0.0;
    if (!any)
        for (int i = 0; i < fields; i++)
            o->weights[i] = 1.0;
    for (int i = 0; i < fields; i++)
        if (!(o->weights[i] > 0.0 && isfinite(o->weights[i])))
            return dip_fail(err, DIP_ECONFIG,
                            "fusion.weights: number %d of %d is not positive",
                            i + 1, fields);
    for (int i = fields; i < DIP_FUSION_FIELDS_MAX; i++)
        if (o->weights[i] != 0.0)
            return dip_fail(err, DIP_ECONFIG,
                            "fusion.weights: more than the %d fields", fields);
    return DIP_OK;
}

static dip_fusion *build(const dip_fusion_options *o,
                         const dip_fusion_fields *given, const dip_maker *maker)
{
    int64_t fields = given->count;
    average *f = dip_calloc(1, sizeof *f);
    if (!f)
        return NULL;
    dip_scope_open();
    dip_tensor *start =
        dip_t_log(dip_tensor_from(o->weights, DIP_F64, 1, &fields));
    f->log_weights = dip_make_full(
        maker, "log_weights", o->fixed ? DIP_PARAM_BUFFER : DIP_PARAM_NO_DECAY,
        0.0, 1, &fields);
    dip_tensor_assign(f->log_weights, dip_t_to_dtype(start, DIP_F32));
    dip_scope_close();
    return &f->base;
}

static dip_tensor *forward(const dip_fusion *fusion, const dip_fusion_input *in)
{
    const average *f = (const average *)fusion;
    const double never = -1e30; /* finite: a row may have no field at all */
    dip_tensor *absent = dip_t_logical_not(in->present);
    dip_tensor *weights =
        dip_t_softmax(dip_t_masked_fill(f->log_weights, absent, never), 1);
    dip_tensor *sum = dip_t_sum(
        dip_t_mul(in->embeddings, dip_t_unsqueeze(weights, 2)), 1, false);
    /* One field is returned as it is, not divided by a length of almost 1. */
    dip_tensor *single = dip_t_eq(dip_t_sum(in->present, 1, true),
                                  dip_tensor_scalar(1.0, DIP_I64));
    return dip_t_where(single, sum, dip_fusion_rows(fusion, sum));
}

static void release(dip_fusion *fusion)
{
    free(fusion);
}

const dip_fusion_kind dip_fusion_weighted_average = {
    .name = "weighted_average",
    .summary = "average with one weight per field, learned or fixed",
    .options = OPTIONS,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
