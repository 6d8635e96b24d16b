/* Multi-modal factorised bilinear pooling (MFB; Yu et al., arXiv 1708.01471,
 * section 3.1): each field is projected to D * k numbers without a bias, the
 * projections are multiplied number by number, dropped out, summed in windows
 * of k, and go through the signed square root and to unit length.
 *
 * The paper has two inputs. Here the product runs over all fields that are
 * present, so that three fields interact in third order; an absent one is the
 * factor 1, and a product of one field is its projection alone. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "models/fusions.h"
#include "models/options.h"

#define FACTORS 5 /* the paper's k */
#define EPSILON 1e-10

typedef struct {
    dip_fusion base;
    dip_linear projections[DIP_FUSION_FIELDS_MAX];
    int64_t factors; /* k */
    double dropout;
} bilinear;

static const char *const OPTIONS[] = {"factors", "dropout", NULL};

static dip_status check(dip_fusion_options *o, const dip_fusion_fields *fields,
                        dip_err *err)
{
    (void)fields;
    if (o->factors == 0)
        o->factors = FACTORS;
    dip_status st = dip_option_int(o->factors, 1, 64, "fusion.factors", err);
    if (st == DIP_OK)
        st = dip_option_share(o->dropout, "fusion.dropout", err);
    return st;
}

/* The projections of unit rows start with a variance of 1, so that products of
 * many stay far from zero, where the square root is steep. */
static dip_fusion *build(const dip_fusion_options *o,
                         const dip_fusion_fields *fields,
                         const dip_maker *maker)
{
    bilinear *f = dip_calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->factors = o->factors;
    f->dropout = o->dropout;
    for (int i = 0; i < fields->count; i++) {
        char name[24];
        (void)snprintf(name, sizeof name, "projections.%d", i);
        f->projections[i] = dip_make_linear_normal(
            maker, name, fields->dim, fields->dim * o->factors, false, 1.0);
    }
    return &f->base;
}

/* sign(z) sqrt(|z|), with a finite slope at 0. */
static dip_tensor *signed_sqrt(const dip_tensor *z)
{
    return dip_t_div(z, dip_t_sqrt(dip_t_add_scalar(dip_t_abs(z), EPSILON)));
}

static dip_tensor *forward(const dip_fusion *fusion, const dip_fusion_input *in)
{
    const bilinear *f = (const bilinear *)fusion;
    dip_tensor *product = NULL;
    for (int i = 0; i < fusion->fields.count; i++) {
        dip_tensor *x = dip_linear_forward(&f->projections[i],
                                           dip_t_select(in->embeddings, 1, i));
        dip_tensor *absent =
            dip_t_logical_not(dip_t_narrow(in->present, 1, i, 1));
        x = dip_t_masked_fill(dip_t_to_dtype(x, DIP_F32), absent, 1.0);
        product = product ? dip_t_mul(product, x) : x;
    }
    product = dip_t_dropout(product, f->dropout, in->training);
    product = dip_t_unflatten(product, 1, 2, (int64_t[]){-1, f->factors});
    dip_tensor *z = signed_sqrt(dip_t_sum(product, 2, false));
    return dip_t_normalize(z, 1);
}

static void release(dip_fusion *fusion)
{
    free(fusion);
}

const dip_fusion_kind dip_fusion_bilinear = {
    .name = "bilinear",
    .summary = "factorised bilinear pooling (MFB) of all fields",
    .options = OPTIONS,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
