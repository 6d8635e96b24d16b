#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

static void test_image_towers_clip_resnet_has_the_names_of_rn50(void **state)
{
    (void)state;
    check_names(&(dip_image_options){.kind = "clip_resnet",
                                     .image_size = 224,
                                     .features = 1024},
                "clip_rn50");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_image_towers_clip_resnet_equals_open_clip),
        MODEL_TEST(test_image_towers_clip_resnet_has_the_names_of_rn50),
        MODEL_TEST(test_image_towers_clip_resnet_refuses_the_impossible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
