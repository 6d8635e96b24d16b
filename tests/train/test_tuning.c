#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "tests/tensor/golden.h"
#include "tests/tensor/scope.h"
#include "train/tuning.h"

#define NAMES_MAX 16

/* Every parameter that timm's factors are known of, and one of each block
 * between; what is outside of the tower in timm is a projection here. */
static const char *const vit[] = {"image.cls_token",
                                  "image.patch_embed.proj.weight",
                                  "image.blocks.0.attn.qkv.weight",
                                  "image.blocks.1.norm1.bias",
                                  "image.blocks.2.mlp.fc1.weight",
                                  "image.blocks.3.mlp.fc2.weight",
                                  "image.norm.weight",
                                  "image_projection.weight",
                                  NULL};
static const char *const resnet[] = {"image.conv1.weight",
                                     "image.bn1.bias",
                                     "image.layer1.0.conv1.weight",
                                     "image.layer1.1.bn1.bias",
                                     "image.layer2.0.downsample.0.weight",
                                     "image.layer2.1.bn2.bias",
                                     "image.layer3.0.bn2.bias",
                                     "image.layer3.1.bn2.bias",
                                     "image.layer4.0.bn2.bias",
                                     "image.layer4.1.conv2.weight",
                                     "image_projection.weight",
                                     NULL};

static dip_params *make(const char *const *names)
{
    dip_params *params;
    assert_int_equal(dip_params_create(&params, NULL), DIP_OK);
    for (; *names; names++)
        dip_params_add(params, *names,
                       strstr(*names, "running") ? DIP_PARAM_BUFFER
                                                 : DIP_PARAM_WEIGHT,
                       dip_tensor_full(1, DIP_F32, SIZES(2)));
    assert_no_error();
    return params;
}

static void compare(const json_t *golden, const char *head,
                    const char *const *names, double decay)
{
    double rates[NAMES_MAX];
    dip_params *params = make(names);
    int compared = 0, count = dip_params_count(params);
    dip_tuning_rates(rates, params,
                     &(dip_tuning_options){.layer_decay = decay});
    for (int i = 0; i < count; i++) {
        const char *name = names[i] + strlen("image.");
        const json_t *wanted =
            json_object_get(golden, i + 1 < count ? name : head);
        if (!wanted)
            continue;
        assert_near(rates[i], json_real_value(wanted), 1e-12);
        compared++;
    }
    assert_int_equal(compared, json_object_size(golden));
    dip_params_free(params);
}

static void test_tuning_layer_decay_is_that_of_timm(void **state)
{
    (void)state;
    json_t *golden;
    assert_int_equal(dip_json_load(&golden,
                                   "tests/golden/train/layer_decay.json",
                                   1 << 20, NULL),
                     DIP_OK);
    double decay = json_real_value(json_object_get(golden, "decay"));
    compare(json_object_get(golden, "vit"), "head.weight", vit, decay);
    compare(json_object_get(golden, "resnet"), "fc.weight", resnet, decay);
    json_decref(golden);
}

static void test_tuning_rates_of_towers(void **state)
{
    (void)state;
    static const char *const names[] = {
        "image.conv1.weight", "text.encoder.layer.0.a",
        "text.encoder.layer.1.a", "text_projection.weight", NULL};
    double rates[4];
    dip_params *params = make(names);
    dip_tuning_rates(rates, params, &(dip_tuning_options){0});
    for (int i = 0; i < 4; i++)
        assert_near(rates[i], 1, 0);
    dip_tuning_rates(rates, params,
                     &(dip_tuning_options){
                         .image_rate = .1, .text_rate = 2, .layer_decay = .5});
    assert_near(rates[0], .05, 1e-12); /* a tower without blocks */
    assert_near(rates[1], .5, 1e-12);
    assert_near(rates[2], 1, 1e-12);
    assert_near(rates[3], 1, 0);
    dip_params_free(params);
}

static void test_tuning_freezes_towers_and_patterns(void **state)
{
    (void)state;
    static const char *const names[] = {
        "image.conv1.weight",      "image.bn1.running_mean",
        "image_projection.weight", "text.a.bias",
        "text.b.weight",           NULL};
    static const char *const freeze[] = {"image", "text.*.bias"};
    static const bool trained[] = {false, false, true, false, true};
    dip_err err = {0};
    dip_params *params = make(names);
    assert_int_equal(dip_tuning_freeze(params,
                                       &(dip_tuning_options){.freeze = freeze,
                                                             .freeze_count = 2},
                                       &err),
                     DIP_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(dip_tensor_requires_grad(dip_params_tensor(params, i)),
                         trained[i]);
    static const char *const wrong[] = {"imag"};
    assert_int_equal(dip_tuning_freeze(params,
                                       &(dip_tuning_options){.freeze = wrong,
                                                             .freeze_count = 1},
                                       &err),
                     DIP_ECONFIG);
    assert_non_null(strstr(err.msg, "no parameter fits 'imag'"));
    static const char *const buffers[] = {"*.running_mean"};
    assert_int_equal(dip_tuning_freeze(params,
                                       &(dip_tuning_options){.freeze = buffers,
                                                             .freeze_count = 1},
                                       &err),
                     DIP_ECONFIG);
    dip_params_free(params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_tuning_layer_decay_is_that_of_timm),
        CASE(test_tuning_rates_of_towers),
        CASE(test_tuning_freezes_towers_and_patterns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
