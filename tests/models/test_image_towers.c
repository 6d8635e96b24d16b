#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "models/positions.h"
#include "tests/models/small.h"
#include "tests/models/tower_case.h"

static void check_names(const dip_image_options *o, const char *peer)
{
    tower t = make_image(o, 0);
    compare_names(t.params, "image_names.json", peer);
    end(&t);
}

static void test_image_towers_clip_resnet_equals_open_clip(void **state)
{
    (void)state;
    const dip_image_options o = {.kind = "clip_resnet",
                                 .image_size = 64,
                                 .layers = {2, 1, 1, 1},
                                 .layer_count = 4,
                                 .width = 2,
                                 .heads = 4,
                                 .features = 6};
    check_image_case("clip_resnet", &o, true);
}

static void test_image_towers_vgg_equals_torchvision(void **state)
{
    (void)state;
    const dip_image_options mean = {.kind = "vgg",
                                    .image_size = 64,
                                    .depth = 13,
                                    .width = 2,
                                    .batch_norm = true};
    check_image_case("vgg_bn", &mean, true);
    const dip_image_options classifier = {.kind = "vgg",
                                          .image_size = 40,
                                          .depth = 11,
                                          .width = 2,
                                          .pooling = "classifier",
                                          .features = 12};
    check_image_case("vgg_classifier", &classifier, true);
}

static void test_image_towers_siglip_equals_timm(void **state)
{
    (void)state;
    const dip_image_options o = {.kind = "siglip",
                                 .image_size = 24,
                                 .patch = 8,
                                 .width = 16,
                                 .depth = 2,
                                 .heads = 2};
    check_image_case("siglip", &o, false);
}

static void test_image_towers_efficientnet_equals_its_package(void **state)
{
    (void)state;
    const dip_image_options o = {.kind = "efficientnet_lite0",
                                 .image_size = 40,
                                 .layers = {1, 2, 1, 1, 1, 1, 1},
                                 .layer_count = 7,
                                 .width = 4};
    check_image_case("efficientnet_lite0", &o, true);
}

static void test_image_towers_have_the_names_of_full_size_peers(void **state)
{
    (void)state;
    const struct {
        const char *peer;
        dip_image_options o;
    } cases[] = {
        {"clip_rn50", {.kind = "clip_resnet", .features = 1024}},
        {"resnet101", {.kind = "resnet", .depth = 101}},
        {"resnet152", {.kind = "resnet", .depth = 152}},
        {"vgg11", {.kind = "vgg", .depth = 11, .pooling = "classifier"}},
        {"vgg13_bn",
         {.kind = "vgg",
          .depth = 13,
          .batch_norm = true,
          .pooling = "classifier"}},
        {"vgg16", {.kind = "vgg", .pooling = "classifier"}},
        {"vgg19_bn",
         {.kind = "vgg",
          .depth = 19,
          .batch_norm = true,
          .pooling = "classifier"}},
        {"siglip_b_16", {.kind = "siglip"}},
        {"efficientnet_lite0", {.kind = "efficientnet_lite0"}},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_image_options o = cases[i].o;
        o.image_size = 224;
        check_names(&o, cases[i].peer);
    }
}

static void test_image_towers_positions_equal_open_clip_and_timm(void **state)
{
    (void)state;
    dip_safetensors *file = open_case("positions");
    const int64_t sides[] = {3, 7};
    for (size_t i = 0; i < DIP_ARRAY_LEN(sides); i++) {
        int64_t places = sides[i] * sides[i];
        char clip[16], timm[16];
        (void)snprintf(clip, sizeof clip, "clip%d", (int)sides[i]);
        (void)snprintf(timm, sizeof timm, "timm%d", (int)sides[i]);
        dip_tensor *resized =
            dip_positions_resize(golden_get(file, "in", "clip"), 1, places + 1);
        assert_rows(resized, golden_get(file, "out", clip), TOLERANCE);
        resized =
            dip_positions_resize(golden_get(file, "in", "timm"), 0, places);
        assert_int_equal(dip_tensor_ndim(resized), 3);
        assert_rows(resized, golden_get(file, "out", timm), TOLERANCE);
    }
    assert_null(dip_positions_resize(golden_get(file, "in", "clip"), 0, 9));
    assert_error("positions of 17 and 9 places are no two squares");
    dip_safetensors_close(file);
}

/* Every table that a kind names is there, and has a row for each place. */
static void test_image_towers_name_their_positions(void **state)
{
    (void)state;
    int found = 0;
    for (int i = 0; i < dip_image_kind_count(); i++) {
        const dip_image_kind *kind = dip_image_kind_at(i);
        if (!kind->positions)
            continue;
        dip_image_options o = small_image(kind->name);
        tower t = make_image(&o, 1);
        int at = dip_params_find(t.params, kind->positions);
        assert_true(at >= 0);
        dip_tensor *table = dip_params_tensor(t.params, at);
        int64_t rows = dip_tensor_size(table, dip_tensor_ndim(table) - 2);
        assert_rows(dip_positions_resize(table, kind->positions_before, rows),
                    table, TOLERANCE);
        found++;
        end(&t);
    }
    assert_int_equal(found, 3);
}

static void check_refused(const dip_image_options *o, const char *message)
{
    dip_image_options checked = *o;
    dip_err err = {0};
    assert_int_equal(dip_image_options_check(&checked, &err), DIP_ECONFIG);
    assert_string_equal(err.msg, message);
}

static void test_image_towers_clip_resnet_refuses_the_impossible(void **state)
{
    (void)state;
    dip_image_options o = {.kind = "clip_resnet", .image_size = 100};
    check_refused(&o, "image.image_size: 100 is no multiple of 32");
    o.image_size = 96;
    o.heads = 7;
    check_refused(&o, "image.heads: 7 does not divide the 2048 channels of "
                      "the last stage");
    o.heads = 0;
    o.width = 63;
    check_refused(&o, "image.width: 63 is odd");
    o.width = 32;
    o.layers[0] = 2;
    o.layer_count = 1;
    check_refused(&o, "image.layers: 1 stages, not 4");
}

static void test_image_towers_vgg_refuses_the_impossible(void **state)
{
    (void)state;
    dip_image_options o = {.kind = "vgg", .image_size = 31};
    check_refused(&o, "image.image_size: 31 is below 32");
    o.depth = 12;
    check_refused(&o, "image.depth: 12 is none of 11, 13, 16, 19");
    o = (dip_image_options){.kind = "vgg", .image_size = 64, .features = 10};
    check_refused(&o, "image.features: needs image.pooling 'classifier'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_image_towers_clip_resnet_equals_open_clip),
        MODEL_TEST(test_image_towers_vgg_equals_torchvision),
        MODEL_TEST(test_image_towers_siglip_equals_timm),
        MODEL_TEST(test_image_towers_efficientnet_equals_its_package),
        MODEL_TEST(test_image_towers_have_the_names_of_full_size_peers),
        MODEL_TEST(test_image_towers_positions_equal_open_clip_and_timm),
        MODEL_TEST(test_image_towers_name_their_positions),
        MODEL_TEST(test_image_towers_clip_resnet_refuses_the_impossible),
        MODEL_TEST(test_image_towers_vgg_refuses_the_impossible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
