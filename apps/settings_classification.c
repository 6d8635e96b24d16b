#include "apps/settings_classification.h"

#include <stdio.h>
#include <string.h>

#include "apps/settings_data.h"
#include "apps/settings_eval.h"
#include "apps/settings_fields.h"
#include "apps/settings_model.h"
#include "apps/settings_train.h"

static void read_photos(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_settings_read_photos(s);
    s->model.towers = DIP_TOWERS_IMAGE;
    dip_settings_read_image_tower(s);
    s->init[DIP_INITIAL_IMAGE] = dip_config_string(c, "init.image");
    s->mixing =
        (dip_mixing){.mixup = dip_config_float(c, "classification.mixup"),
                     .cutmix = dip_config_float(c, "classification.cutmix"),
                     .seed = s->seed};
    s->loop.channels_last = dip_config_bool(c, "train.channels_last");
}

/* The first epochs, in which the tower tells masked tokens. */
static void read_pretraining(dip_settings *s)
{
    static const char key[] = "pretraining.epochs";
    s->pretraining_epochs = dip_config_int(s->config, key);
    s->mlm_probability =
        dip_config_float(s->config, "pretraining.mlm_probability");
    s->model.tells_masked = s->pretraining_epochs > 0;
    if (s->pretraining_epochs >= s->epochs)
        dip_config_fault(s->config, key,
                         "'%s' is %lld, but train.epochs %lld leaves none for "
                         "the labels",
                         key, (long long)s->pretraining_epochs,
                         (long long)s->epochs);
    if (s->pretraining_epochs > 0 &&
        s->tokenizer.kind == DIP_TOKENIZER_CLIP_BPE)
        dip_config_fault(s->config, key,
                         "'%s' needs a token to mask with, which the "
                         "tokenizer clip_bpe does not have",
                         key);
}

static void read_text(dip_settings *s)
{
    static const char key[] = "classification.text";
    const dip_config *c = s->config;
    const char *name = dip_config_string(c, key);
    dip_settings_read_tokenizer(s);
    if (name == NULL)
        dip_config_fault(s->config, key,
                         "'classification.text' is missing: the field that is "
                         "read");
    else
        (void)dip_settings_field_source(s, name, key);
    for (size_t i = 0; i < dip_config_child_count(c, "fields"); i++) {
        const char *field = dip_config_child(c, "fields", i);
        if (name != NULL && strcmp(field, name) != 0)
            dip_config_fault(s->config, "fields",
                             "the task does not use the field '%s'", field);
    }
    s->model.towers = DIP_TOWERS_TEXT;
    dip_settings_read_text_tower(s);
    read_pretraining(s);
    s->init[DIP_INITIAL_TEXT] = dip_config_string(c, "init.text");
}

/* A text that holds the answer. */
static void check_answer(dip_settings *s, const char *label)
{
    char hole[DIP_CONFIG_KEY_SIZE];
    (void)snprintf(hole, sizeof hole, "{%s}", label);
    if (s->text_count > 0 && s->texts[0].template != NULL &&
        strstr(s->texts[0].template, hole) != NULL)
        dip_config_fault(s->config, "classification.text",
                         "'classification.text' holds '%s', the label that is "
                         "to be told",
                         label);
}

static void check_heads(dip_settings *s)
{
    double sum = 0;
    for (int h = 0; h < s->model.head_count; h++) {
        sum += s->head_weights[h];
        check_answer(s, s->model.heads[h].name);
    }
    if (s->model.head_count == 0)
        dip_config_fault(s->config, "model.heads",
                         "no label under 'model.heads' to tell");
    else if (sum <= 0)
        dip_config_fault(s->config, "model.heads",
                         "no head has a weight above 0");
}

void dip_settings_read_classification(dip_settings *s)
{
    bool photos = s->task == DIP_TASK_IMAGE_CLASSIFICATION;
    dip_settings_read_catalog(s);
    dip_settings_read_loop(s);
    dip_settings_read_towers_training(s);
    if (photos)
        read_photos(s);
    else
        read_text(s);
    double rate = dip_config_float(s->config, photos ? "train.lr_scale.image"
                                                     : "train.lr_scale.text");
    s->loop.optimizer.tuning.image_rate = rate;
    s->loop.optimizer.tuning.text_rate = rate;
    s->model.seed = s->seed;
    dip_settings_read_lora(s);
    dip_settings_read_heads(s, photos ? DIP_HEAD_IMAGE_FEATURES
                                      : DIP_HEAD_TEXT_FEATURES);
    check_heads(s);
    dip_settings_check_model(s);
    dip_settings_read_class_eval(s);
}
