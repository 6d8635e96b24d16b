#include "apps/settings_model.h"

#include <stdio.h>
#include <string.h>

#include "apps/settings_fields.h"
#include "apps/settings_loss.h"

#define KEY(...) dip_config_key((char[DIP_CONFIG_KEY_SIZE]){0}, __VA_ARGS__)

/* Sizes of lists in the towers' options. */
static int read_sizes(dip_settings *s, const char *key,
                      int64_t out[DIP_TOWER_STAGES_MAX])
{
    const int64_t *items;
    size_t n = dip_config_ints(&items, s->config, key);
    if (n > DIP_TOWER_STAGES_MAX) {
        dip_config_fault(s->config, key, "more than %d stages in '%s'",
                         DIP_TOWER_STAGES_MAX, key);
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = items[i];
    return (int)n;
}

void dip_settings_read_image_tower(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_image_options *o = &s->model.image;
    o->kind = dip_config_string(c, "model.image.tower");
    o->image_size = s->transform.size;
    o->width = dip_config_int(c, "model.image.width");
    o->depth = dip_config_int(c, "model.image.depth");
    o->layer_count = read_sizes(s, "model.image.layers", o->layers);
    o->width_count = read_sizes(s, "model.image.widths", o->widths);
    o->block = dip_config_string(c, "model.image.block");
    o->stem = dip_config_string(c, "model.image.stem");
    o->zero_init_residual =
        dip_config_bool(c, "model.image.zero_init_residual");
    o->drop_path = dip_config_float(c, "model.image.drop_path");
    o->patch = dip_config_int(c, "model.image.patch");
    o->heads = dip_config_int(c, "model.image.heads");
    o->mlp_ratio = dip_config_float(c, "model.image.mlp_ratio");
    o->dropout = dip_config_float(c, "model.image.dropout");
    o->attention_dropout = dip_config_float(c, "model.image.attention_dropout");
    o->features = dip_config_int(c, "model.image.features");
    o->batch_norm = dip_config_bool(c, "model.image.batch_norm");
    o->pooling = dip_config_string(c, "model.image.pooling");
    o->activation = dip_config_string(c, "model.image.activation");
}

void dip_settings_read_text_tower(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_text_options *o = &s->model.text;
    o->kind = dip_config_string(c, "model.text.tower");
    o->vocabulary = DIP_TOKEN_FIRST_WORD; /* until the tokenizer is built */
    o->context = s->context;
    o->width = dip_config_int(c, "model.text.width");
    o->depth = dip_config_int(c, "model.text.depth");
    o->token_width = dip_config_int(c, "model.text.token_width");
    o->ngrams = dip_config_int(c, "model.text.ngrams");
    o->ngram_buckets = dip_config_int(c, "model.text.ngram_buckets");
    o->token_std = dip_config_float(c, "model.text.token_std");
    o->token_dropout = dip_config_float(c, "model.text.token_dropout");
    o->ngram_vocabulary = dip_config_int(c, "model.text.ngram_vocabulary");
    o->ngram_dropout = dip_config_float(c, "model.text.ngram_dropout");
    o->sparse = dip_config_bool(c, "model.text.sparse");
    o->heads = dip_config_int(c, "model.text.heads");
    o->window_count = read_sizes(s, "model.text.windows", o->windows);
    o->mlp_ratio = dip_config_float(c, "model.text.mlp_ratio");
    o->dropout = dip_config_float(c, "model.text.dropout");
    o->attention_dropout = dip_config_float(c, "model.text.attention_dropout");
    o->pooling = dip_config_string(c, "model.text.pooling");
    o->bidirectional = dip_config_bool(c, "model.text.bidirectional");
    o->activation = dip_config_string(c, "model.text.activation");
    o->norm_eps = dip_config_float(c, "model.text.norm_eps");
    o->positions = dip_config_int(c, "model.text.positions");
    o->frozen_tokens = dip_config_bool(c, "model.text.vectors_frozen");
    s->vectors = dip_config_string(c, "model.text.vectors");
    if (s->vectors == NULL && o->frozen_tokens)
        dip_config_fault(s->config, "model.text.vectors_frozen",
                         "'model.text.vectors_frozen' needs "
                         "'model.text.vectors'");
    if (s->vectors != NULL && s->tokenizer.kind != DIP_TOKENIZER_WORD)
        dip_config_fault(s->config, "model.text.vectors",
                         "'model.text.vectors' needs 'tokenizer.kind' word");
}

static void read_fusion(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_fusion_options *o = &s->model.fusion;
    o->kind = dip_config_string(c, "model.fusion.kind");
    o->fixed = dip_config_bool(c, "model.fusion.fixed");
    o->hidden = dip_config_int(c, "model.fusion.hidden");
    o->dropout = dip_config_float(c, "model.fusion.dropout");
    o->factors = dip_config_int(c, "model.fusion.factors");
    o->depth = dip_config_int(c, "model.fusion.depth");
    o->heads = dip_config_int(c, "model.fusion.heads");
    o->mlp_ratio = dip_config_float(c, "model.fusion.mlp_ratio");
    size_t weights = dip_config_child_count(c, "model.fusion.weights");
    for (int f = 0; f < s->field_count && weights > 0; f++)
        o->weights[f] = 1;
    for (size_t i = 0; i < weights; i++) {
        const char *name = dip_config_child(c, "model.fusion.weights", i);
        const char *key = KEY("model.fusion.weights.%s", name);
        int field = dip_settings_find_field(s, name);
        if (field < 0)
            dip_config_fault(s->config, key, "'%s' is no product field", name);
        else
            o->weights[field] = dip_config_float(c, key);
    }
}

void dip_settings_read_heads(dip_settings *s, dip_head_input input)
{
    const dip_config *c = s->config;
    size_t count = dip_config_child_count(c, "model.heads");
    if (count > DIP_MODEL_HEADS_MAX)
        dip_config_fault(s->config, "model.heads", "more than %d heads",
                         DIP_MODEL_HEADS_MAX);
    for (size_t i = 0; i < count && i < DIP_MODEL_HEADS_MAX; i++) {
        const char *name = dip_config_child(c, "model.heads", i);
        dip_head_input reads = input;
        if (input == DIP_HEAD_INPUT_COUNT)
            reads = (dip_head_input)dip_config_choice(
                c, KEY("model.heads.%s.input", name));
        s->head_weights[i] =
            dip_config_float(c, KEY("model.heads.%s.weight", name));
        s->model.heads[s->model.head_count++] = (dip_head_options){
            .name = name,
            .classes = 1, /* until the catalog is open */
            .input = reads,
        };
        dip_settings_read_head(s, (int)i);
    }
}

static void read_projection(dip_settings *s, dip_projection_options *o,
                            const char *tower)
{
    const dip_config *c = s->config;
    *o = (dip_projection_options){
        .hidden = dip_config_int(c, KEY("model.%s_projection.hidden", tower)),
        .dropout =
            dip_config_float(c, KEY("model.%s_projection.dropout", tower)),
        .bias = dip_config_bool(c, KEY("model.%s_projection.bias", tower)),
        .none = dip_config_bool(c, KEY("model.%s_projection.none", tower)),
    };
}

/* The model names an option without "model."; the size of photos, which is an
 * option of its image tower, stands elsewhere in a config. */
static void add_model_fault(dip_settings *s, const char *words)
{
    static const char size[] = "image.image_size:";
    char key[DIP_ERR_SIZE + sizeof "model."];
    size_t name = strcspn(words, ":");
    if (strncmp(words, size, sizeof size - 1) == 0)
        (void)snprintf(key, sizeof key, "data.image_size");
    else
        (void)snprintf(key, sizeof key, "model.%.*s", (int)name, words);
    dip_config_fault(s->config, key, "%s%s", key, words + name);
}

void dip_settings_check_model(dip_settings *s)
{
    dip_err err = {0};
    if (dip_model_config_check(&s->model, &err) != DIP_OK)
        add_model_fault(s, err.msg);
}

void dip_settings_read_lora(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_lora_options *o = &s->model.lora;
    o->rank = dip_config_int(c, "lora.rank");
    o->alpha = dip_config_float(c, "lora.alpha");
    o->dropout = dip_config_float(c, "lora.dropout");
    o->target_count = dip_config_strings(&o->targets, c, "lora.targets");
    o->train_count = dip_config_strings(&o->train, c, "lora.train");
}

void dip_settings_read_model(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_model_config *m = &s->model;
    m->seed = s->seed;
    m->embed_dim = dip_config_int(c, "model.embed_dim");
    dip_settings_read_image_tower(s);
    dip_settings_read_text_tower(s);
    read_projection(s, &m->image_projection, "image");
    read_projection(s, &m->text_projection, "text");
    m->similarity = (dip_similarity)dip_config_choice(c, "model.similarity");
    m->temperature = dip_config_float(c, "model.temperature");
    m->fixed_temperature = dip_config_bool(c, "model.fixed_temperature");
    memcpy(m->fields, s->fields, sizeof m->fields);
    m->field_count = s->field_count;
    dip_settings_read_lora(s);
    read_fusion(s);
    dip_settings_read_heads(s, DIP_HEAD_INPUT_COUNT);
    dip_settings_read_loss(s);
    m->match_hidden = dip_config_int(c, "model.match.hidden");
    s->match = (dip_match_recipe){
        .weight =
            m->match_hidden > 0 ? dip_config_float(c, "model.match.weight") : 0,
        .negatives = dip_config_int(c, "model.match.negatives"),
        .detach = dip_config_bool(c, "model.match.detach"),
    };
    dip_settings_check_model(s);
}
