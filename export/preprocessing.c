#include "export/preprocessing.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"

static const char *const RESIZE_MODES[] = {
#define RESIZE_MODE_NAME(name, words) words,
    DIP_RESIZE_MODE_TABLE(RESIZE_MODE_NAME)
#undef RESIZE_MODE_NAME
};

static const char *const RESAMPLES[] = {
#define RESAMPLE_NAME(name, words) words,
    DIP_RESAMPLE_TABLE(RESAMPLE_NAME)
#undef RESAMPLE_NAME
};

/* The shortest decimal number that is this float: .1, not .100000001. */
static json_t *number(float value)
{
    char text[32];
    for (int digits = 1; digits <= FLT_DECIMAL_DIG; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    return dip_json_real(strtod(text, NULL));
}

static json_t *three(const float values[3])
{
    return json_pack("[o, o, o]", number(values[0]), number(values[1]),
                     number(values[2]));
}

static json_t *image_json(const dip_preprocessing *p)
{
    const dip_transform *t = p->transform;
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:b, s:o, s:o}", "size",
                     t->size, "resize_mode", RESIZE_MODES[t->resize_mode],
                     "resample", RESAMPLES[t->resample], "channel_order", "RGB",
                     "value_range", "0..1 before mean and std", "exif", p->exif,
                     "mean", three(t->mean), "std", three(t->std));
}

static json_t *text_json(const dip_preprocessing *p)
{
    if (p->tokenizer == NULL)
        return NULL;
    const dip_special_ids special = dip_tokenizer_special(p->tokenizer);
    json_t *json = json_pack(
        "{s:s, s:s, s:I, s:I, s:b, s:I}", "tokenizer",
        dip_tokenizer_kind_name(dip_tokenizer_kind_of(p->tokenizer)), "file",
        p->tokenizer_file, "vocabulary",
        (json_int_t)dip_tokenizer_size(p->tokenizer), "context",
        (json_int_t)p->context, "append_eos",
        dip_tokenizer_has_eos(p->tokenizer), "pad_id", (json_int_t)special.pad);
    const struct {
        const char *key;
        int64_t id;
    } others[] = {{"unk_id", special.unk},
                  {"bos_id", special.bos},
                  {"eos_id", special.eos}};
    for (size_t i = 0; i < DIP_ARRAY_LEN(others); i++) {
        if (others[i].id >= 0)
            (void)json_object_set_new(json, others[i].key,
                                      json_integer(others[i].id));
    }
    return json;
}

static json_t *texts_json(const dip_preprocessing_text *texts, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        json_t *json = json_object();
        if (texts[i].name != NULL)
            (void)json_object_set_new(json, "name", json_string(texts[i].name));
        if (texts[i].attribute != NULL)
            (void)json_object_update(json, (json_t *)texts[i].attribute);
        else
            (void)json_object_set_new(json, "template",
                                      texts[i].template != NULL
                                          ? json_string(texts[i].template)
                                          : json_null());
        (void)json_array_append_new(list, json);
    }
    return list;
}

json_t *dip_preprocessing_json(const dip_preprocessing *p)
{
    return json_pack("{s:o, s:o*, s:o, s:o, s:s, s:o}", "image", image_json(p),
                     "text", text_json(p), "product_fields",
                     texts_json(p->fields, p->field_count), "queries",
                     texts_json(p->queries, p->query_count), "similarity",
                     dip_similarity_score(p->similarity), "temperature",
                     dip_json_real(p->temperature));
}
