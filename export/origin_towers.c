/* Image towers alone, under the names of torchvision and timm: for
 * load_state_dict() of a model without its classifier. */
#include <string.h>

#include "export/origin.h"
#include "models/origins.h"

static void cover_tower(dip_origin_fit *fit, unsigned spelling)
{
    fit->spelling = DIP_SPELLING_ALONE | spelling;
    dip_origin_cover(fit, "image.");
}

static dip_status fit_plain(dip_origin_fit *fit, const dip_origin_model *model,
                            dip_err *err)
{
    (void)model;
    (void)err;
    cover_tower(fit, 0);
    return DIP_OK;
}

static dip_status fit_resnet(dip_origin_fit *fit, const dip_origin_model *model,
                             dip_err *err)
{
    const dip_image_options *o = &model->config->image;
    cover_tower(fit, 0);
    return dip_origin_need(strcmp(o->stem, "imagenet") == 0,
                           "resnet of torchvision and timm", "small stem", err);
}

static dip_status fit_timm_vit(dip_origin_fit *fit,
                               const dip_origin_model *model, dip_err *err)
{
    const dip_image_options *o = &model->config->image;
    cover_tower(fit, DIP_SPELLING_TIMM);
    return dip_origin_need(o->pooling == NULL || strcmp(o->pooling, "cls") == 0,
                           "timm", "mean of places before the last norm", err);
}

const dip_origin dip_origins_towers[] = {
    {"torchvision", "resnet", NULL, "model.safetensors", fit_resnet, NULL},
    {"torchvision", "vgg", NULL, "model.safetensors", fit_plain, NULL},
    {"timm", "vit", NULL, "model.safetensors", fit_timm_vit, NULL},
    {"timm", "siglip", NULL, "model.safetensors", fit_timm_vit, NULL},
    {"timm", "resnet", NULL, "model.safetensors", fit_resnet, NULL},
    {0},
};
