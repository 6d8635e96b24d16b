#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "models/initial.h"
#include "models/spelled.h"
#include "tests/models/helper.h"
#include "tests/models/initial_config.h"

#define GOLDEN "tests/golden/initial/"

/* A file of an origin, the model that takes it, and how it is spelled. */
typedef struct {
    const char *file;
    dip_initial_part part;
    unsigned spelling;
    const char *covered[5];
    dip_model_config config;
} origin_case;

static dip_model_config siglip_config(void)
{
    dip_model_config c = initial_config("gelu_tanh");
    c.image.kind = "siglip";
    c.text.bidirectional = true;
    c.text.norm_eps = 1e-6;
    c.embed_dim = 8;
    c.image_projection.none = true;
    c.text_projection.bias = true;
    c.has_bias = true;
    return c;
}

static dip_model_config bert_config(void)
{
    dip_model_config c = initial_config(NULL);
    c.text = (dip_text_options){.kind = "bert",
                                .vocabulary = 20,
                                .context = 6,
                                .width = 8,
                                .depth = 1,
                                .heads = 2,
                                .positions = 12,
                                .pooling = "pooler"};
    return c;
}

static bool same_bits(const dip_tensor *a, const dip_tensor *b)
{
    if (dip_tensor_ndim(a) != dip_tensor_ndim(b))
        return false;
    for (int d = 0; d < dip_tensor_ndim(a); d++)
        if (dip_tensor_size(a, d) != dip_tensor_size(b, d))
            return false;
    const void *left = dip_tensor_data(dip_t_contiguous(a));
    const void *right = dip_tensor_data(dip_t_contiguous(b));
    return memcmp(left, right, (size_t)dip_tensor_numel(a) * sizeof(float)) ==
           0;
}

/* All of the origin's file, and nothing else, to the last bit and dimension. */
static void assert_same_file(const dip_spelled *spelled, const char *path)
{
    dip_safetensors *file = golden_open(path);
    for (int i = 0; i < spelled->count; i++) {
        int at = dip_safetensors_find(file, spelled->items[i].name);
        if (at < 0)
            fail_msg("'%s' has no '%s'", path, spelled->items[i].name);
        if (!same_bits(spelled->items[i].tensor,
                       dip_safetensors_tensor(file, at)))
            fail_msg("'%s' is another in '%s'", spelled->items[i].name, path);
    }
    assert_int_equal(spelled->count, dip_safetensors_count(file));
    dip_safetensors_close(file);
}

static void check_case(const origin_case *c)
{
    dip_model *model = NULL;
    dip_err err = {0};
    dip_initial_report report;
    dip_spelled spelled;
    assert_ok(dip_model_create(&model, &c->config, &err), &err);
    assert_ok(dip_initial_load(&report, dip_model_params(model), c->part,
                               dip_image_kind_find(c->config.image.kind),
                               c->file, &err),
              &err);
    dip_initial_report_free(&report);
    assert_ok(dip_spelled_make(&spelled, dip_model_params(model), c->covered,
                               c->spelling, &err),
              &err);
    assert_same_file(&spelled, c->file);
    dip_spelled_free(&spelled);
    dip_model_free(model);
}

static void test_spelled_as_the_origins_save_it(void **state)
{
    (void)state;
    const origin_case cases[] = {
        {GOLDEN "open_clip.weights.safetensors",
         DIP_INITIAL_MODEL,
         DIP_SPELLING_VISUAL | DIP_SPELLING_ROOT | DIP_SPELLING_TEXT_PLAIN,
         {""},
         initial_config("gelu")},
        {GOLDEN "hf_clip.weights.safetensors",
         DIP_INITIAL_MODEL,
         DIP_SPELLING_HUGGING_FACE,
         {"image", "text", "logit"},
         initial_config("quick_gelu")},
        {GOLDEN "hf_siglip.weights.safetensors",
         DIP_INITIAL_MODEL,
         DIP_SPELLING_HUGGING_FACE | DIP_SPELLING_TEXT_HEAD,
         {""},
         siglip_config()},
        {GOLDEN "hf_bert.weights.safetensors",
         DIP_INITIAL_TEXT,
         DIP_SPELLING_ALONE,
         {"text."},
         bert_config()},
        {GOLDEN "timm_vit.weights.safetensors",
         DIP_INITIAL_IMAGE,
         DIP_SPELLING_ALONE | DIP_SPELLING_TIMM,
         {"image."},
         initial_config("gelu")},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++)
        check_case(&cases[i]);
}

/* A spelling that drops the parts gives names of both towers that clash. */
static void test_spelled_alike_is_refused(void **state)
{
    (void)state;
    dip_model *model = NULL;
    dip_err err = {0};
    dip_spelled spelled;
    const char *both[] = {"image.", "text.", NULL};
    const dip_model_config config = initial_config("gelu");
    assert_ok(dip_model_create(&model, &config, &err), &err);
    assert_int_equal(dip_spelled_make(&spelled, dip_model_params(model), both,
                                      DIP_SPELLING_ALONE, &err),
                     DIP_EDATA);
    assert_non_null(strstr(err.msg, "two weights would be "));
    dip_spelled_free(&spelled);
    dip_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_spelled_as_the_origins_save_it),
        MODEL_TEST(test_spelled_alike_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
