#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/rng.h"
#include "image/resize.h"
#include "tests/image/golden.h"

static dip_resizer *new_resizer(bool portable)
{
    dip_resizer *resizer;
    assert_int_equal(dip_resizer_create(&resizer, portable, NULL), DIP_OK);
    return resizer;
}

static dip_resample resample_named(const char *name)
{
    dip_resample resample;
    assert_int_equal(dip_resample_from_name(&resample, name, NULL), DIP_OK);
    return resample;
}

/* Every case of resize.txt with one of the code paths. */
static void compare_with_pillow(bool portable)
{
    golden_bytes source = golden_read("source.rgb");
    golden_bytes expected = golden_read("resize.rgb");
    dip_resizer *resizer = new_resizer(portable);
    FILE *list = golden_open("resize.txt");
    assert_non_null(list);
    dip_image out = {0};
    size_t at = 0;
    char name[32];
    int w, h, crop;
    dip_box box;
    while (fscanf(list, "%31s %d %d %f %f %f %f %d", name, &w, &h, &box.x0,
                  &box.y0, &box.x1, &box.y1, &crop) == 8) {
        dip_image_view view = golden_source(&source);
        if (crop)
            view = dip_image_view_crop(&view, (int)box.x0, (int)box.y0,
                                       (int)(box.x1 - box.x0),
                                       (int)(box.y1 - box.y0));
        dip_resize_options options = {.resample = resample_named(name),
                                      .width = w,
                                      .height = h,
                                      .box = crop ? NULL : &box};
        assert_int_equal(dip_resize(&out, resizer, &view, &options, NULL),
                         DIP_OK);
        char what[64];
        snprintf(what, sizeof what, "%s to %d x %d", name, w, h);
        size_t size = 3 * (size_t)w * (size_t)h;
        assert_in_range(at + size, 1, expected.size);
        golden_assert_near(what, out.pixels, expected.data + at, size, 0);
        at += size;
    }
    assert_int_equal(at, expected.size);
    fclose(list);
    dip_image_free(&out);
    dip_resizer_destroy(resizer);
    free(source.data);
    free(expected.data);
}

static void test_resize_equals_pillow(void **state)
{
    (void)state;
    compare_with_pillow(false);
}

static void test_resize_portable_equals_pillow(void **state)
{
    (void)state;
    compare_with_pillow(true);
}

enum { PATTERN = 348 };

/* The formula of write_pattern() in gen_image.py. */
static uint8_t *new_pattern(void)
{
    uint8_t *pixels = malloc(3 * PATTERN * PATTERN);
    assert_non_null(pixels);
    for (int y = 0; y < PATTERN; y++)
        for (int x = 0; x < PATTERN; x++)
            for (int c = 0; c < 3; c++)
                pixels[(y * PATTERN + x) * 3 + c] =
                    (uint8_t)((x * x * (c + 1) + y * y * 3 + x * y * 7 +
                               c * 50) >>
                              3);
    return pixels;
}

static void test_resize_of_large_images_equals_pillow(void **state)
{
    (void)state;
    uint8_t *pixels = new_pattern();
    dip_image_view view = {pixels, PATTERN, PATTERN, 3, 0};
    dip_image out = {0};
    int compared = 0;
    for (int portable = 0; portable < 2; portable++) {
        dip_resizer *resizer = new_resizer(portable);
        FILE *list = golden_open("pattern.txt");
        assert_non_null(list);
        char name[32];
        int w, h;
        unsigned long crc;
        while (fscanf(list, "%31s %d %d %lu", name, &w, &h, &crc) == 4) {
            dip_resize_options options = {
                .resample = resample_named(name), .width = w, .height = h};
            assert_int_equal(dip_resize(&out, resizer, &view, &options, NULL),
                             DIP_OK);
            assert_int_equal(crc32(0, out.pixels, (uInt)(3 * w * h)), crc);
            compared++;
        }
        fclose(list);
        dip_resizer_destroy(resizer);
    }
    assert_int_equal(compared, 20);
    dip_image_free(&out);
    free(pixels);
}

/* Random shapes, boxes and channels, in memory without a byte to spare. */
static void test_resize_paths_agree(void **state)
{
    (void)state;
    dip_resizer *fast = new_resizer(false), *portable = new_resizer(true);
    dip_image a = {0}, b = {0};
    for (uint64_t i = 0; i < 300; i++) {
        dip_rng rng = dip_rng_stream(3, 0, i, 0);
        dip_image_view view = {.width = 1 + (int)dip_rng_below(&rng, 90),
                               .height = 1 + (int)dip_rng_below(&rng, 40),
                               .channels = dip_rng_below(&rng, 4) ? 3 : 1};
        size_t size = (size_t)(view.width * view.height * view.channels);
        uint8_t *pixels = malloc(size);
        assert_non_null(pixels);
        for (size_t j = 0; j < size; j++)
            pixels[j] = (uint8_t)dip_rng_u32(&rng);
        view.pixels = pixels;
        dip_resize_options options = {
            .resample = dip_rng_below(&rng, 2) ? DIP_RESAMPLE_BICUBIC
                                               : DIP_RESAMPLE_BILINEAR,
            .width = 1 + (int)dip_rng_below(&rng, 60),
            .height = 1 + (int)dip_rng_below(&rng, 60)};
        assert_int_equal(dip_resize(&a, fast, &view, &options, NULL), DIP_OK);
        assert_int_equal(dip_resize(&b, portable, &view, &options, NULL),
                         DIP_OK);
        assert_memory_equal(
            a.pixels, b.pixels,
            (size_t)(options.width * options.height * view.channels));
        free(pixels);
    }
    dip_image_free(&a);
    dip_image_free(&b);
    dip_resizer_destroy(fast);
    dip_resizer_destroy(portable);
}

/* A window is the same part of the whole result. */
static void test_resize_window_is_a_part_of_the_whole(void **state)
{
    (void)state;
    golden_bytes source = golden_read("source.rgb");
    dip_image_view view = golden_source(&source);
    dip_resizer *resizer = new_resizer(false);
    dip_image whole = {0}, part = {0};
    const dip_window window = {5, 7, 21, 11};
    static const int sizes[][2] = {{30, 25}, {61, 25}, {30, 47}, {61, 47}};
    for (size_t i = 0; i < 4; i++) {
        dip_resize_options options = {.width = sizes[i][0],
                                      .height = sizes[i][1]};
        assert_int_equal(dip_resize(&whole, resizer, &view, &options, NULL),
                         DIP_OK);
        options.window = &window;
        assert_int_equal(dip_resize(&part, resizer, &view, &options, NULL),
                         DIP_OK);
        assert_int_equal(part.width, window.width);
        assert_int_equal(part.height, window.height);
        dip_image_view expected = dip_image_as_view(&whole);
        expected = dip_image_view_crop(&expected, window.x, window.y,
                                       window.width, window.height);
        for (int y = 0; y < window.height; y++)
            assert_memory_equal(part.pixels + 3 * y * window.width,
                                dip_image_view_row(&expected, y),
                                3 * (size_t)window.width);
    }
    dip_image_free(&whole);
    dip_image_free(&part);
    dip_resizer_destroy(resizer);
    free(source.data);
}

static void test_resize_refuses_impossible_sizes(void **state)
{
    (void)state;
    static const uint8_t pixels[12] = {0};
    static const dip_box outside = {0, 0, 3, 2}, empty = {1, 0, 1, 2};
    static const dip_window wide = {1, 0, 4, 4};
    static const struct {
        dip_image_view view;
        dip_resize_options options;
    } cases[] = {
        {{pixels, 2, 2, 3, 0}, {.width = 0, .height = 4}},
        {{pixels, 2, 2, 3, 0}, {.width = 4, .height = 65536}},
        {{pixels, 2, 2, 3, 0}, {.width = 4, .height = 4, .box = &outside}},
        {{pixels, 2, 2, 3, 0}, {.width = 4, .height = 4, .box = &empty}},
        {{pixels, 2, 2, 3, 0}, {.width = 4, .height = 4, .window = &wide}},
        {{pixels, 0, 2, 3, 0}, {.width = 4, .height = 4}},
        {{pixels, 2, 2, 4, 0}, {.width = 4, .height = 4}},
        {{pixels, 2, 2, 3, 5}, {.width = 4, .height = 4}},
        {{NULL, 2, 2, 3, 0}, {.width = 4, .height = 4}},
    };
    dip_resizer *resizer = new_resizer(false);
    dip_image out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(
            dip_resize(&out, resizer, &cases[i].view, &cases[i].options, NULL),
            DIP_ERANGE);
    dip_image_free(&out);
    dip_resizer_destroy(resizer);
}

static void test_resize_names_the_filters(void **state)
{
    (void)state;
    dip_resample resample;
    dip_err err = {0};
    assert_int_equal(resample_named("bilinear"), DIP_RESAMPLE_BILINEAR);
    assert_int_equal(dip_resample_from_name(&resample, "lanczos", &err),
                     DIP_ENOTFOUND);
    assert_non_null(strstr(err.msg, "'lanczos'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resize_equals_pillow),
        cmocka_unit_test(test_resize_portable_equals_pillow),
        cmocka_unit_test(test_resize_of_large_images_equals_pillow),
        cmocka_unit_test(test_resize_paths_agree),
        cmocka_unit_test(test_resize_window_is_a_part_of_the_whole),
        cmocka_unit_test(test_resize_refuses_impossible_sizes),
        cmocka_unit_test(test_resize_names_the_filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
