#include "apps/settings_data.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define KEY(...) dip_config_key((char[DIP_CONFIG_KEY_SIZE]){0}, __VA_ARGS__)

static dip_dataset_name *read_datasets(dip_settings *s, const char *kind,
                                       int *count)
{
    const char *section = KEY("data.map.%s", kind);
    size_t n = dip_config_child_count(s->config, section);
    dip_dataset_name *names = dip_calloc(n, sizeof *names);
    *count = names != NULL ? (int)n : 0;
    for (int i = 0; i < *count; i++) {
        names[i].name = dip_config_child(s->config, section, (size_t)i);
        names[i].dataset =
            dip_config_string(s->config, KEY("%s.%s", section, names[i].name));
    }
    return names;
}

static void read_mapping(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_mapping *m = &s->mapping;
    if (dip_config_choice(c, "data.layout") == 0) {
        if (dip_config_has(c, "data.map"))
            dip_config_fault(s->config, "data.map",
                             "'data.map' needs a foreign 'data.layout'");
        return;
    }
    m->layout = dip_config_string(c, "data.layout");
    m->image = dip_config_string(c, "data.map.image");
    m->group = dip_config_string(c, "data.map.group");
    m->word_map = dip_config_string(c, "data.map.word_map");
    m->captions = dip_config_string(c, "data.map.captions");
    for (int split = 0; split < DIP_SPLIT_COUNT; split++)
        m->splits[split] = dip_config_string(
            c, KEY("data.map.%s", dip_split_name((dip_split)split)));
    m->texts = read_datasets(s, "text", &m->text_count);
    m->labels = read_datasets(s, "label", &m->label_count);
    m->numbers = read_datasets(s, "number", &m->number_count);
}

static void read_triple(dip_settings *s, const char *key, float out[3])
{
    const double *items;
    size_t n = dip_config_floats(&items, s->config, key);
    if (n != 3) {
        dip_config_fault(s->config, key, "'%s' has %zu numbers, not 3", key, n);
        return;
    }
    for (int i = 0; i < 3; i++)
        out[i] = (float)items[i];
}

static void read_pair(dip_settings *s, const char *key, double out[2])
{
    const double *items;
    size_t n = dip_config_floats(&items, s->config, key);
    if (n != 2 || items[0] > items[1]) {
        dip_config_fault(s->config, key, "'%s' is not a range [least, most]",
                         key);
        return;
    }
    out[0] = items[0];
    out[1] = items[1];
}

static void read_augment(dip_settings *s, const char *name, dip_augment *a)
{
    const dip_config *c = s->config;
    switch (a->kind) {
    case DIP_AUGMENT_RANDOM_RESIZED_CROP:
        read_pair(s, "augment.random_resized_crop.scale",
                  a->resized_crop.scale);
        read_pair(s, "augment.random_resized_crop.ratio",
                  a->resized_crop.ratio);
        return;
    case DIP_AUGMENT_RANDOM_CROP:
        a->padded_crop.padding =
            (int)dip_config_int(c, "augment.random_crop.padding");
        return;
    case DIP_AUGMENT_COLOR_JITTER:
        a->jitter.brightness =
            dip_config_float(c, "augment.color_jitter.brightness");
        a->jitter.contrast =
            dip_config_float(c, "augment.color_jitter.contrast");
        a->jitter.saturation =
            dip_config_float(c, "augment.color_jitter.saturation");
        a->jitter.hue = dip_config_float(c, "augment.color_jitter.hue");
        break;
    case DIP_AUGMENT_CUTOUT:
        a->cutout.size = (int)dip_config_int(c, "augment.cutout.size");
        break;
    case DIP_AUGMENT_HORIZONTAL_FLIP:
    case DIP_AUGMENT_GRAYSCALE:
        break;
    }
    a->p = dip_config_float(c, KEY("augment.%s.p", name));
}

static void read_transform(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_transform *t = &s->transform;
    *t = dip_transform_defaults();
    t->size = (int)dip_config_int(c, "data.image_size");
    t->resize_mode = (dip_resize_mode)dip_config_choice(c, "data.resize");
    t->resample = strcmp(dip_config_string(c, "data.resample"), "bilinear") == 0
                      ? DIP_RESAMPLE_BILINEAR
                      : DIP_RESAMPLE_BICUBIC;
    read_triple(s, "data.mean", t->mean);
    read_triple(s, "data.std", t->std);
    dip_err err = {0};
    size_t count = dip_config_child_count(c, "augment");
    for (size_t i = 0; i < count && i < DIP_AUGMENT_MAX; i++) {
        const char *name = dip_config_child(c, "augment", i);
        dip_augment_kind kind;
        if (dip_augment_from_name(&kind, name, &err) != DIP_OK)
            continue; /* the table of options has reported it */
        dip_augment *a = &t->augment[t->augment_count++];
        *a = dip_augment_defaults(kind);
        read_augment(s, name, a);
    }
    if (dip_transform_check(t, &err) != DIP_OK)
        dip_config_fault(s->config, "augment", "%s", err.msg);
}

/* A key that the kind does not read would change nothing, and a file that it
 * needs must be named. */
static void check_tokenizer(dip_settings *s)
{
    const dip_config *c = s->config;
    dip_tokenizer_kind kind = s->tokenizer.kind;
    const char *file = dip_tokenizer_kind_file(kind);
    size_t count = dip_config_child_count(c, "tokenizer");
    for (size_t i = 0; i < count; i++) {
        const char *name = dip_config_child(c, "tokenizer", i);
        if (strcmp(name, "kind") != 0 && strcmp(name, "context") != 0 &&
            !dip_tokenizer_kind_reads(kind, name))
            dip_config_fault(s->config, KEY("tokenizer.%s", name),
                             "'tokenizer.%s' is not for the kind '%s'", name,
                             dip_tokenizer_kind_name(kind));
    }
    if (file != NULL && !dip_config_has(c, KEY("tokenizer.%s", file)))
        dip_config_fault(s->config, "tokenizer.kind",
                         "the kind '%s' needs 'tokenizer.%s'",
                         dip_tokenizer_kind_name(kind), file);
}

/* These have no fallback in the table of options: a resolved config holds no
 * key that its kind does not read. */
static bool true_unless_set(const dip_config *c, const char *key)
{
    return !dip_config_has(c, key) || dip_config_bool(c, key);
}

static int64_t int_or(const dip_config *c, const char *key, int64_t fallback)
{
    return dip_config_has(c, key) ? dip_config_int(c, key) : fallback;
}

void dip_settings_read_tokenizer(dip_settings *s)
{
    const dip_config *c = s->config;
    bool own_clean = dip_config_has(c, "tokenizer.clean");
    s->context = dip_config_int(c, "tokenizer.context");
    s->tokenizer = (dip_tokenizer_options){
        .kind = (dip_tokenizer_kind)dip_config_choice(c, "tokenizer.kind"),
        .punctuation = dip_config_bool(c, "tokenizer.punctuation"),
        .bos = dip_config_bool(c, "tokenizer.bos"),
        .eos = true_unless_set(c, "tokenizer.eos"),
        .min_count = int_or(c, "tokenizer.min_count", 2),
        .max_size = dip_config_int(c, "tokenizer.max_size"),
        .lowercase = true_unless_set(c, "tokenizer.lowercase"),
        .pad_id = int_or(c, "tokenizer.pad_id", -1),
        .count_pads = dip_config_bool(c, "tokenizer.count_pads"),
        .vocab = dip_config_string(c, "tokenizer.vocab"),
        .merges = dip_config_string(c, "tokenizer.merges"),
        .model = dip_config_string(c, "tokenizer.model"),
    };
    s->tokenizer.clean =
        own_clean ? (dip_clean)dip_config_choice(c, "tokenizer.clean")
                  : dip_tokenizer_kind_clean(s->tokenizer.kind);
    check_tokenizer(s);
}

void dip_settings_read_photos(dip_settings *s)
{
    const dip_config *c = s->config;
    s->image_column = dip_config_string(c, "data.image");
    s->exif = dip_config_bool(c, "data.exif");
    s->max_pixels = dip_config_int(c, "data.max_pixels");
    s->bad_image = (dip_bad_image)dip_config_choice(c, "data.bad_image");
    read_transform(s);
}

void dip_settings_read_catalog(dip_settings *s)
{
    s->catalog = dip_config_string(s->config, "data.catalog");
    read_mapping(s);
}
