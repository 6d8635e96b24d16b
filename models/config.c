/* The checks of dip_model_config. */
#include <string.h>

#include "base/mem.h"
#include "models/model.h"
#include "models/options.h"

#define DEFAULT_EMBED_DIM 512

static const char *const INPUT_NAMES[] = {
#define INPUT_NAME(name, string, words) string,
    DIP_HEAD_INPUT_TABLE(INPUT_NAME)
#undef INPUT_NAME
};

const char *dip_head_input_name(dip_head_input input)
{
    return INPUT_NAMES[input];
}

int dip_head_input_find(const char *name)
{
    for (int i = 0; i < DIP_HEAD_INPUT_COUNT; i++)
        if (dip_option_is(name, INPUT_NAMES[i]))
            return i;
    return -1;
}

static dip_status check_projection(const dip_projection_options *p,
                                   const char *hidden_name,
                                   const char *dropout_name, dip_err *err)
{
    if (p->none && (p->hidden != 0 || p->bias))
        return dip_fail(err, DIP_ECONFIG,
                        "%s: no projection has neither layers nor a bias",
                        hidden_name);
    dip_status st = dip_option_int(p->hidden, 0, 1 << 16, hidden_name, err);
    if (st == DIP_OK)
        st = dip_option_share(p->dropout, dropout_name, err);
    if (st == DIP_OK && p->hidden == 0 && p->dropout > 0.0)
        st = dip_fail(err, DIP_ECONFIG,
                      "%s: a linear projection has no hidden layer to drop",
                      dropout_name);
    return st;
}

static dip_status check_fields(const dip_model_config *c, dip_err *err)
{
    dip_status st =
        dip_option_int(c->field_count, 0, DIP_FUSION_FIELDS_MAX, "fields", err);
    for (int i = 0; st == DIP_OK && i < c->field_count; i++) {
        if (!c->fields[i] || !*c->fields[i])
            return dip_fail(err, DIP_ECONFIG, "fields: number %d has no name",
                            i + 1);
        for (int j = 0; j < i; j++)
            if (strcmp(c->fields[i], c->fields[j]) == 0)
                return dip_fail(err, DIP_ECONFIG, "fields: '%s' stands twice",
                                c->fields[i]);
        if (c->attributes[i].kind != DIP_ATTRIBUTE_NONE &&
            strchr(c->fields[i], '.'))
            return dip_fail(err, DIP_ECONFIG,
                            "fields.%s: the name of an attribute has no dots",
                            c->fields[i]);
        st = dip_attribute_options_check(&c->attributes[i], c->fields[i], err);
    }
    return st;
}

static bool has_text_field(const dip_model_config *c)
{
    for (int i = 0; i < c->field_count; i++)
        if (strcmp(c->fields[i], "image") != 0 &&
            c->attributes[i].kind == DIP_ATTRIBUTE_NONE)
            return true;
    return false;
}

static dip_status check_head(const dip_model_config *c, int i, dip_err *err)
{
    const dip_head_options *head = &c->heads[i];
    if (!head->name || !*head->name || strchr(head->name, '.'))
        return dip_fail(err, DIP_ECONFIG,
                        "heads: number %d needs a name without dots", i + 1);
    for (int j = 0; j < i; j++)
        if (strcmp(head->name, c->heads[j].name) == 0)
            return dip_fail(err, DIP_ECONFIG, "heads: '%s' stands twice",
                            head->name);
    if (head->classes < 1 || head->classes > 1 << 24)
        return dip_fail(err, DIP_ECONFIG,
                        "heads.%s.classes: %lld is not in 1..%d", head->name,
                        (long long)head->classes, 1 << 24);
    if ((int)head->input < 0 || head->input >= DIP_HEAD_INPUT_COUNT)
        return dip_fail(err, DIP_ECONFIG, "heads.%s.input: unknown",
                        head->name);
    if (head->input == DIP_HEAD_PRODUCT && c->field_count == 0)
        return dip_fail(err, DIP_ECONFIG,
                        "heads.%s.input: 'product' needs fields to fuse",
                        head->name);
    bool text =
        head->input == DIP_HEAD_TEXT || head->input == DIP_HEAD_TEXT_FEATURES;
    if (c->towers == (text ? DIP_TOWERS_IMAGE : DIP_TOWERS_TEXT))
        return dip_fail(err, DIP_ECONFIG,
                        "heads.%s.input: '%s' needs the other tower",
                        head->name, dip_head_input_name(head->input));
    if (text && c->field_count > 0 && !has_text_field(c))
        return dip_fail(err, DIP_ECONFIG,
                        "heads.%s.input: '%s' needs a text field", head->name,
                        dip_head_input_name(head->input));
    return DIP_OK;
}

static dip_status check_heads(const dip_model_config *c, dip_err *err)
{
    dip_status st =
        dip_option_int(c->head_count, 0, DIP_MODEL_HEADS_MAX, "heads", err);
    for (int i = 0; st == DIP_OK && i < c->head_count; i++)
        st = check_head(c, i, err);
    return st;
}

/* Default (CLIP's for cosines) and bounds. */
static dip_status check_temperature(dip_model_config *c, dip_err *err)
{
    bool cosine = c->similarity == DIP_SIMILARITY_COSINE;
    if (c->temperature == 0.0)
        c->temperature = cosine ? 0.07 : 1.0;
    return dip_option_real(c->temperature, 0.01, cosine ? 1.0 : 100.0,
                           "temperature", err);
}

dip_fusion_fields dip_model_config_fields(const dip_model_config *config)
{
    dip_fusion_fields fields = {.count = config->field_count,
                                .dim = config->embed_dim};
    for (int i = 0; i < config->field_count; i++)
        if (config->attributes[i].kind != DIP_ATTRIBUTE_NONE)
            fields.modality[i] = DIP_MODALITY_ATTRIBUTE;
        else
            fields.modality[i] = dip_option_is(config->fields[i], "image")
                                     ? DIP_MODALITY_IMAGE
                                     : DIP_MODALITY_TEXT;
    return fields;
}

/* What a model of one tower leaves out. */
static dip_status check_one_tower(dip_model_config *c, dip_err *err)
{
    static const dip_projection_options none = {.none = true};
    if (c->towers == DIP_TOWERS_BOTH)
        return DIP_OK;
    if (c->field_count > 0 || c->match_hidden > 0)
        return dip_fail(err, DIP_ECONFIG, "%s: a model of one tower has none",
                        c->field_count > 0 ? "fields" : "match.hidden");
    c->image_projection = c->text_projection = none;
    c->fixed_temperature = true;
    return DIP_OK;
}

static dip_status check_towers(dip_model_config *c, dip_err *err)
{
    dip_status st = DIP_OK;
    if (c->towers != DIP_TOWERS_TEXT)
        st = dip_image_options_check(&c->image, err);
    if (st == DIP_OK && c->towers != DIP_TOWERS_IMAGE)
        st = dip_text_options_check(&c->text, err);
    return st;
}

static dip_status check_fusion(dip_model_config *c, dip_err *err)
{
    dip_fusion_fields fields = dip_model_config_fields(c);
    c->fusion.similarity = c->similarity;
    return dip_fusion_options_check(&c->fusion, &fields, err);
}

dip_status dip_model_config_check(dip_model_config *config, dip_err *err)
{
    if (config->embed_dim == 0)
        config->embed_dim = DEFAULT_EMBED_DIM;
    dip_status st = check_one_tower(config, err);
    if (st == DIP_OK)
        st = check_towers(config, err);
    if (st == DIP_OK)
        st = dip_option_int(config->embed_dim, 1, 1 << 16, "embed_dim", err);
    if (st == DIP_OK)
        st = check_projection(&config->image_projection,
                              "image_projection.hidden",
                              "image_projection.dropout", err);
    if (st == DIP_OK)
        st =
            check_projection(&config->text_projection, "text_projection.hidden",
                             "text_projection.dropout", err);
    if (st == DIP_OK)
        st = check_temperature(config, err);
    if (st == DIP_OK)
        st = check_fields(config, err);
    if (st == DIP_OK && config->field_count > 0)
        st = check_fusion(config, err);
    if (st == DIP_OK)
        st = check_heads(config, err);
    if (st == DIP_OK)
        st = dip_option_int(config->match_hidden, 0, 1 << 16, "match.hidden",
                            err);
    return st;
}
