/* What the tests of this folder share: small models, rows, a folder to write
 * into. Each test runs in an open scope and must leave neither an error nor a
 * handle. */
#ifndef DIP_TESTS_EXPORT_HELPER_H
#define DIP_TESTS_EXPORT_HELPER_H

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "export/format.h"
#include "export/part.h"
#include "export/samples.h"
#include "tests/models/helper.h"
#include "tests/models/small.h"

enum { SIDE = SMALL_SIDE, CONTEXT = 6, WORDS = 11, ROWS = 20 };

/* The `i`th image tower, text tower and fusion of the tables, going round; a
 * head for every input. */
static inline dip_model_config config_of(int i)
{
    const char *image = dip_image_kind_at(i % dip_image_kind_count())->name;
    const char *text = dip_text_kind_at(i % dip_text_kind_count())->name;
    dip_model_config c = {
        .image = small_image(image),
        .text = {.kind = text,
                 .vocabulary = WORDS,
                 .context = CONTEXT,
                 .width = 16,
                 .depth = strcmp(text, "cnn") ? 2 : 0},
        .embed_dim = 8,
        .fusion.kind = dip_fusion_kind_at(i % dip_fusion_kind_count())->name,
        .fields = {"image", "title", "brand"},
        .field_count = 3,
        .heads = {{"of product", 4, DIP_HEAD_PRODUCT},
                  {"of/image", 3, DIP_HEAD_IMAGE},
                  {"of_text", 5, DIP_HEAD_TEXT},
                  {"of_photo", 3, DIP_HEAD_IMAGE_FEATURES},
                  {"of_words", 2, DIP_HEAD_TEXT_FEATURES}},
        .head_count = 5,
        .match_hidden = 6,
        .seed = 3,
    };
    return c;
}

/* Configs after which every row of the three tables was met. */
static inline int config_count(void)
{
    int count = dip_image_kind_count();
    if (dip_text_kind_count() > count)
        count = dip_text_kind_count();
    if (dip_fusion_kind_count() > count)
        count = dip_fusion_kind_count();
    return count;
}

/* Every way to pool texts, in both directions of reading. */
static const struct {
    const char *kind, *pooling;
    bool bidirectional;
} poolings[] = {
    {"lstm", "mean", true},        {"lstm", "max", false},
    {"lstm", "last", true},        {"lstm", "last", false},
    {"transformer", "mean", true}, {"transformer", "mean", false},
    {"transformer", "cls", true},  {"transformer", "cls", false},
    {"transformer", "last", true}, {"gru", "attention", true},
    {"bert", "cls", false},        {"bert", "pooler", false},
    {"cnn", NULL, false},
};

static inline int pooling_count(void)
{
    return (int)DIP_ARRAY_LEN(poolings);
}

static inline dip_model_config config_of_pooling(int i)
{
    dip_model_config c = config_of(0);
    c.text.kind = poolings[i].kind;
    if (strcmp(c.text.kind, "cnn") == 0)
        c.text.depth = 0;
    c.text.pooling = poolings[i].pooling;
    c.text.bidirectional = poolings[i].bidirectional;
    return c;
}

static inline dip_model *make_model(const dip_model_config *config)
{
    dip_model *model = NULL;
    dip_err err = {0};
    assert_ok(dip_model_create(&model, config, &err), &err);
    return model;
}

/* Rows of two text sources with all lengths from 0 on, and photos of which some
 * are missing; encoded. */
static inline void fill_samples(dip_samples *s, const dip_model *model)
{
    static const int field_text[] = {DIP_SAMPLES_IMAGE, 0, 1};
    const dip_samples_options options = {.rows = ROWS,
                                         .image_size = SIDE,
                                         .context = CONTEXT,
                                         .text_count = 2,
                                         .field_text = field_text};
    dip_err err = {0};
    assert_ok(dip_samples_make(s, &options, model, &err), &err);
    const float *pixels = dip_tensor_data(pattern(SIZES(ROWS, 3, SIDE, SIDE)));
    memcpy(s->images, pixels, sizeof(float) * ROWS * 3 * SIDE * SIDE);
    for (int i = 0; i < ROWS; i++) {
        s->has_image[i] = i % 5 != 0;
        for (int t = 0; t < 2; t++) {
            s->lengths[t][i] = (i + 3 * t) % (CONTEXT + 1);
            for (int k = 0; k < s->lengths[t][i]; k++)
                s->ids[t][i * CONTEXT + k] = 1 + (i * 7 + k * 3 + t) % 10;
        }
    }
    assert_ok(dip_samples_encode(s, model, &err), &err);
}

/* A folder that does not exist yet, below a new temporary one. */
typedef struct {
    char root[32];
    char dir[48];
} place;

static inline place make_place(void)
{
    place p = {.root = "/tmp/dip-export-XXXXXX"};
    assert_non_null(mkdtemp(p.root));
    (void)snprintf(p.dir, sizeof p.dir, "%s/bundle", p.root);
    return p;
}

static inline void remove_place(const place *p)
{
    dip_err err = {0};
    assert_ok(dip_tree_remove(p->root, &err), &err);
}

#endif
