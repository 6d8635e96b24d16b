/* open_clip: open_clip_model.safetensors beside open_clip_config.json, which
 * create_model("local-dir:…") reads. A model of the sizes of one of its own
 * loads by that one's name, too, with
 * pretrained="…/open_clip_model.safetensors".
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "export/origin.h"
#include "models/options.h"
#include "models/origins.h"

#define NAME      "open_clip"
#define FILE_NAME "open_clip_model.safetensors"

/* ---- what can be expressed ---- */

/* How texts are pooled there. */
static const char *find_pool(const dip_origin_model *m)
{
    dip_special_ids special = dip_tokenizer_special(m->tokenizer);
    if (dip_tokenizer_counts_pads(m->tokenizer))
        return "last"; /* pads are tokens */
    if (dip_tokenizer_kind_of(m->tokenizer) == DIP_TOKENIZER_CLIP_BPE)
        return "argmax"; /* the end has the largest id */
    return special.eos >= 0 && dip_tokenizer_has_eos(m->tokenizer) ? "eos"
                                                                   : NULL;
}

static dip_status fit_text(dip_origin_fit *fit, const dip_origin_model *m,
                           dip_err *err)
{
    const dip_text_options *o = &m->config->text;
    const dip_projection_options *p = &m->config->text_projection;
    const char *pool = find_pool(m);
    dip_status st = dip_origin_need(strcmp(o->pooling, "last") == 0, NAME,
                                    "other text pooling than last", err);
    if (st == DIP_OK)
        st = dip_origin_need(pool != NULL, NAME, "texts without an end token",
                             err);
    if (st == DIP_OK)
        st = dip_origin_need(!o->bidirectional || strcmp(pool, "last") == 0,
                             NAME, "bidirectional text tower that skips pads",
                             err);
    if (st == DIP_OK)
        st = dip_origin_need(o->token_width == o->width, NAME,
                             "word vectors of another width than the tower's",
                             err);
    if (st == DIP_OK)
        st = dip_origin_need(p->hidden == 0, NAME,
                             "text projection with a hidden layer", err);
    fit->spelling |= p->bias ? DIP_SPELLING_TEXT_BIAS : DIP_SPELLING_TEXT_PLAIN;
    dip_origin_cover(fit, "text.");
    dip_origin_cover(fit, "text_projection.");
    dip_origin_cover(fit, "logit_");
    return st;
}

/* One choice there holds for both towers. */
static dip_status check_activations(const dip_model_config *c, dip_err *err)
{
    const char *image = c->image.activation, *text = c->text.activation;
    bool same = image == NULL || text == NULL || strcmp(image, text) == 0;
    return dip_origin_need(same || (strcmp(image, "quick_gelu") != 0 &&
                                    strcmp(text, "quick_gelu") != 0),
                           NAME, "quick_gelu in one of two towers", err);
}

/* CLIP's own towers: photos and texts at the root. */
static dip_status fit_clip(dip_origin_fit *fit, const dip_origin_model *m,
                           dip_err *err)
{
    const dip_model_config *c = m->config;
    const dip_projection_options *p = &c->image_projection;
    bool resnet = strcmp(c->image.kind, "clip_resnet") == 0;
    fit->spelling = DIP_SPELLING_VISUAL | DIP_SPELLING_ROOT;
    dip_origin_cover(fit, "image.");
    dip_origin_cover(fit, "image_projection.");
    dip_status st =
        dip_origin_need(p->none == resnet && !p->bias && p->hidden == 0, NAME,
                        resnet ? "projection behind such an image "
                                 "tower"
                               : "other image projection than a matrix",
                        err);
    if (st == DIP_OK && !resnet)
        st = check_activations(c, err);
    return st == DIP_OK ? fit_text(fit, m, err) : st;
}

/* timm's image towers of SigLIP, vit_<name>_siglip_<size of the photo>. Some
 * sizes have the activation gelu, others gelu_tanh. */
typedef struct {
    const char *name;
    int64_t patch, width, depth, heads, hidden;
    int64_t gelu[5], gelu_tanh[5]; /* sizes, ended by 0 */
} timm_siglip;

static const timm_siglip SIGLIPS[] = {
    {"base_patch32", 32, 768, 12, 12, 3072, {0}, {256}},
    {"base_patch16", 16, 768, 12, 12, 3072, {224, 256, 384, 512}, {0}},
    {"large_patch16", 16, 1024, 24, 16, 4096, {256, 384}, {512}},
    {"giantopt_patch16", 16, 1536, 40, 16, 6144, {0}, {256, 384}},
    {"so400m_patch14", 14, 1152, 27, 16, 4304, {224, 378, 384}, {0}},
    {"so400m_patch16", 16, 1152, 27, 16, 4304, {0}, {256, 384, 512}},
};

static bool has_size(const int64_t *sizes, int64_t size)
{
    while (*sizes != 0 && *sizes != size)
        sizes++;
    return *sizes != 0;
}

static const timm_siglip *find_siglip(const dip_image_options *o)
{
    bool gelu = o->activation == NULL || strcmp(o->activation, "gelu") == 0;
    bool gelu_tanh = dip_option_is(o->activation, "gelu_tanh");
    for (size_t i = 0; i < DIP_ARRAY_LEN(SIGLIPS); i++) {
        const timm_siglip *s = &SIGLIPS[i];
        if (s->patch == o->patch && s->width == o->width &&
            s->depth == o->depth && s->heads == o->heads &&
            s->hidden == (int64_t)((double)o->width * o->mlp_ratio) &&
            ((gelu && has_size(s->gelu, o->image_size)) ||
             (gelu_tanh && has_size(s->gelu_tanh, o->image_size))))
            return s;
    }
    return NULL;
}

static dip_status fit_trunk(dip_origin_fit *fit, const dip_origin_model *m,
                            dip_err *err)
{
    fit->spelling |= DIP_SPELLING_TRUNK | DIP_SPELLING_TEXT;
    dip_origin_cover(fit, "image.");
    dip_origin_cover(fit, "image_projection.");
    dip_status st =
        dip_origin_need(m->config->image_projection.hidden == 0, NAME,
                        "image projection with a hidden layer", err);
    return st == DIP_OK ? fit_text(fit, m, err) : st;
}

static dip_status fit_siglip(dip_origin_fit *fit, const dip_origin_model *m,
                             dip_err *err)
{
    fit->spelling = DIP_SPELLING_TIMM;
    dip_status st = dip_origin_need(
        find_siglip(&m->config->image) != NULL, NAME,
        "siglip image tower of these sizes and activation", err);
    return st == DIP_OK ? fit_trunk(fit, m, err) : st;
}

/* The depth by which timm names such a residual network; 0: none. */
static int64_t find_depth(const dip_image_options *o)
{
    static const struct {
        int64_t depth;
        const char *block;
        int64_t layers[4];
    } named[] = {{18, "basic", {2, 2, 2, 2}},
                 {34, "basic", {3, 4, 6, 3}},
                 {50, "bottleneck", {3, 4, 6, 3}},
                 {101, "bottleneck", {3, 4, 23, 3}},
                 {152, "bottleneck", {3, 8, 36, 3}}};
    if (!dip_option_is(o->stem, "imagenet") || o->width != 64 ||
        o->layer_count != 4)
        return 0;
    for (size_t i = 0; i < DIP_ARRAY_LEN(named); i++)
        if (dip_option_is(o->block, named[i].block) &&
            memcmp(named[i].layers, o->layers, sizeof named[i].layers) == 0)
            return named[i].depth;
    return 0;
}

static dip_status fit_resnet(dip_origin_fit *fit, const dip_origin_model *m,
                             dip_err *err)
{
    dip_status st = dip_origin_need(find_depth(&m->config->image) != 0, NAME,
                                    "residual network of these sizes", err);
    return st == DIP_OK ? fit_trunk(fit, m, err) : st;
}

/* ---- its config ---- */

static void set_activation(json_t *tower, const char *activation)
{
    if (activation != NULL && strcmp(activation, "gelu_tanh") == 0)
        (void)json_object_set_new(tower, "act_kwargs",
                                  json_pack("{s:s}", "approximate", "tanh"));
}

static json_t *vit_json(const dip_image_options *o)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:f, s:s}", "image_size",
        (json_int_t)o->image_size, "layers", (json_int_t)o->depth, "width",
        (json_int_t)o->width, "head_width", (json_int_t)(o->width / o->heads),
        "patch_size", (json_int_t)o->patch, "mlp_ratio", o->mlp_ratio,
        "pool_type", dip_option_is(o->pooling, "mean") ? "avg" : "tok");
}

static json_t *clip_resnet_json(const dip_image_options *o)
{
    return json_pack("{s:I, s:[I, I, I, I], s:I, s:I, s:n}", "image_size",
                     (json_int_t)o->image_size, "layers",
                     (json_int_t)o->layers[0], (json_int_t)o->layers[1],
                     (json_int_t)o->layers[2], (json_int_t)o->layers[3],
                     "width", (json_int_t)o->width, "head_width",
                     (json_int_t)(o->width * 32 / o->heads), "patch_size");
}

static json_t *trunk_json(const dip_model_config *c)
{
    char name[64];
    const dip_image_options *o = &c->image;
    const dip_projection_options *p = &c->image_projection;
    bool siglip = strcmp(o->kind, "siglip") == 0;
    if (siglip)
        (void)snprintf(name, sizeof name, "vit_%s_siglip_%lld",
                       find_siglip(o)->name, (long long)o->image_size);
    else
        (void)snprintf(name, sizeof name, "resnet%lld",
                       (long long)find_depth(o));
    return json_pack("{s:I, s:s, s:b, s:s, s:s, s:b}", "image_size",
                     (json_int_t)o->image_size, "timm_model_name", name,
                     "timm_model_pretrained", 0, "timm_pool",
                     siglip ? "map" : "avg", "timm_proj",
                     p->none ? "none" : "linear", "timm_proj_bias", p->bias);
}

static json_t *image_json(const dip_model_config *c)
{
    json_t *json = strcmp(c->image.kind, "vit") == 0 ? vit_json(&c->image)
                   : strcmp(c->image.kind, "clip_resnet") == 0
                       ? clip_resnet_json(&c->image)
                       : trunk_json(c);
    if (strcmp(c->image.kind, "vit") == 0)
        set_activation(json, c->image.activation);
    return json;
}

static json_t *text_json(const dip_origin_model *m)
{
    const dip_text_options *o = &m->config->text;
    const dip_projection_options *p = &m->config->text_projection;
    json_t *json = json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:f, s:s, s:b, s:b, s:s, s:{s:f}}",
        "context_length", (json_int_t)o->context, "vocab_size",
        (json_int_t)o->vocabulary, "width", (json_int_t)o->width, "heads",
        (json_int_t)o->heads, "layers", (json_int_t)o->depth, "mlp_ratio",
        o->mlp_ratio, "pool_type", find_pool(m), "no_causal_mask",
        o->bidirectional, "proj_bias", p->bias, "proj_type",
        p->none ? "none" : "linear", "norm_kwargs", "eps", o->norm_eps);
    if (json != NULL && strcmp(find_pool(m), "eos") == 0)
        (void)json_object_set_new(
            json, "eos_id",
            json_integer(dip_tokenizer_special(m->tokenizer).eos));
    set_activation(json, o->activation);
    return json;
}

static json_t *preprocess_json(const dip_transform *t)
{
    return json_pack(
        "{s:i, s:[f, f, f], s:[f, f, f], s:s, s:s}", "size", t->size, "mean",
        (double)t->mean[0], (double)t->mean[1], (double)t->mean[2], "std",
        (double)t->std[0], (double)t->std[1], (double)t->std[2],
        "interpolation",
        t->resample == DIP_RESAMPLE_BICUBIC ? "bicubic" : "bilinear",
        "resize_mode",
        t->resize_mode == DIP_RESIZE_SHORTEST ? "shortest" : "squash");
}

static dip_status write_config(const dip_origin_model *m, const char *dir,
                               dip_err *err)
{
    const dip_model_config *c = m->config;
    bool trunk = strcmp(c->image.kind, "siglip") == 0 ||
                 strcmp(c->image.kind, "resnet") == 0;
    json_t *model = json_pack("{s:I, s:b, s:b, s:o, s:o}", "embed_dim",
                              (json_int_t)c->embed_dim, "quick_gelu",
                              dip_option_is(c->text.activation, "quick_gelu"),
                              "custom_text", trunk, "vision_cfg", image_json(c),
                              "text_cfg", text_json(m));
    if (model != NULL && c->has_bias)
        (void)json_object_set_new(model, "init_logit_bias",
                                  dip_json_real(c->bias));
    return dip_origin_write_json(dir, "open_clip_config.json",
                                 json_pack("{s:o, s:o}", "model_cfg", model,
                                           "preprocess_cfg",
                                           preprocess_json(m->transform)),
                                 err);
}

const dip_origin dip_origins_open_clip[] = {
    {NAME, "vit", "transformer", FILE_NAME, fit_clip, write_config},
    {NAME, "clip_resnet", "transformer", FILE_NAME, fit_clip, write_config},
    {NAME, "siglip", "transformer", FILE_NAME, fit_siglip, write_config},
    {NAME, "resnet", "transformer", FILE_NAME, fit_resnet, write_config},
    {0},
};
