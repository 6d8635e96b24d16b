#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "image/augment.h"
#include "image/colour.h"
#include "image/transform.h"
#include "tests/image/golden.h"

static dip_transformer *new_transformer(const dip_transform *transform)
{
    dip_transformer *transformer;
    dip_err err = {0};
    if (dip_transformer_create(&transformer, transform, &err))
        fail_msg("%s", err.msg);
    return transformer;
}

/* Applies `transform` into a new [3, size, size] that the caller frees. */
static float *apply(const dip_transform *transform, const dip_image_view *image,
                    dip_rng *rng)
{
    size_t count = 3 * (size_t)transform->size * (size_t)transform->size;
    float *out = malloc(count * sizeof *out);
    assert_non_null(out);
    dip_transformer *transformer = new_transformer(transform);
    assert_int_equal(dip_transform_apply(out, transformer, image, rng, NULL),
                     DIP_OK);
    dip_transformer_destroy(transformer);
    return out;
}

/* Bits equal: the same arithmetic in the same order. */
static void test_transform_equals_torchvision(void **state)
{
    (void)state;
    golden_bytes source = golden_read("source.rgb");
    golden_bytes expected = golden_read("transform.f32");
    dip_image_view view = golden_source(&source);
    FILE *list = golden_open("transform.txt");
    assert_non_null(list);
    char kind[16], mode[16];
    int size;
    size_t at = 0;
    while (fscanf(list, "%15s %d %15s", kind, &size, mode) == 3) {
        dip_transform transform = dip_transform_defaults();
        transform.size = size;
        assert_int_equal(
            dip_resize_mode_from_name(&transform.resize_mode, mode, NULL),
            DIP_OK);
        bool train = strcmp(kind, "fallback") == 0;
        transform.augment_count = 1;
        transform.augment[0] =
            dip_augment_defaults(DIP_AUGMENT_RANDOM_RESIZED_CROP);
        transform.augment[0].resized_crop =
            (dip_augment_resized_crop){{1, 1}, {3, 4}};
        dip_rng rng = dip_rng_stream(0, 0, 0, 0);
        float *got = apply(&transform, &view, train ? &rng : NULL);
        size_t bytes = 3 * sizeof(float) * (size_t)(size * size);
        assert_in_range(at + bytes, 1, expected.size);
        assert_memory_equal(got, expected.data + at, bytes);
        at += bytes;
        free(got);
    }
    assert_int_equal(at, expected.size);
    fclose(list);
    free(source.data);
    free(expected.data);
}

static void grayscale(uint8_t *rgb, size_t pixels, double amount)
{
    (void)amount;
    dip_colour_grayscale(rgb, pixels);
}

static void test_transform_colours_equal_pillow(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*apply)(uint8_t *rgb, size_t pixels, double amount);
    } changes[] = {
        {"brightness", dip_colour_brightness},
        {"contrast", dip_colour_contrast},
        {"saturation", dip_colour_saturation},
        {"hue", dip_colour_hue},
        {"grayscale", grayscale},
    };
    enum { WIDTH = 32, HEIGHT = 20, BYTES = 3 * WIDTH * HEIGHT };
    golden_bytes source = golden_read("source.rgb");
    golden_bytes expected = golden_read("colour.rgb");
    dip_image_view view = golden_source(&source);
    FILE *list = golden_open("colour.txt");
    assert_non_null(list);
    char name[32];
    double amount;
    size_t at = 0;
    while (fscanf(list, "%31s %lf", name, &amount) == 2) {
        uint8_t pixels[BYTES];
        for (int y = 0; y < HEIGHT; y++)
            memcpy(pixels + 3 * WIDTH * y, dip_image_view_row(&view, y),
                   3 * WIDTH);
        size_t i = 0;
        while (strcmp(changes[i].name, name) != 0)
            i++;
        changes[i].apply(pixels, WIDTH * HEIGHT, amount);
        assert_in_range(at + BYTES, 1, expected.size);
        golden_assert_near(name, pixels, expected.data + at, BYTES, 0);
        at += BYTES;
    }
    assert_int_equal(at, expected.size);
    fclose(list);
    free(source.data);
    free(expected.data);
}

/* Means over 40,000 draws, ours and torchvision's, agree within five standard
 * errors of their difference. */
static void test_transform_crops_are_distributed_as_torchvisions(void **state)
{
    (void)state;
    enum { DRAWS = 40000 };
    FILE *list = golden_open("crop.txt");
    assert_non_null(list);
    dip_augment_resized_crop crop;
    double want[5];
    uint64_t cases = 0;
    while (fscanf(list, "%lf %lf %lf %lf %lf %lf %lf %lf %lf", &crop.scale[0],
                  &crop.scale[1], &crop.ratio[0], &crop.ratio[1], &want[0],
                  &want[1], &want[2], &want[3], &want[4]) == 9) {
        double sum[5] = {0}, square[5] = {0};
        dip_rng rng = dip_rng_stream(5, 0, cases++, 0);
        for (int i = 0; i < DRAWS; i++) {
            dip_window w = dip_augment_choose_crop(&rng, &crop, SOURCE_WIDTH,
                                                   SOURCE_HEIGHT);
            assert_true(w.x >= 0 && w.width >= 1 &&
                        w.x + w.width <= SOURCE_WIDTH);
            assert_true(w.y >= 0 && w.height >= 1 &&
                        w.y + w.height <= SOURCE_HEIGHT);
            const double drawn[5] = {w.width, w.height, w.x, w.y,
                                     (double)w.width * w.width};
            for (int j = 0; j < 5; j++) {
                sum[j] += drawn[j];
                square[j] += drawn[j] * drawn[j];
            }
        }
        for (int j = 0; j < 5; j++) {
            double mean = sum[j] / DRAWS;
            double variance = square[j] / DRAWS - mean * mean;
            if (fabs(mean - want[j]) > 5 * sqrt(2 * variance / DRAWS))
                fail_msg("moment %d is %g, not %g", j, mean, want[j]);
        }
    }
    assert_int_equal(cases, 3);
    fclose(list);
}

/* All augmentations at once. */
static dip_transform everything(int size)
{
    dip_transform transform = dip_transform_defaults();
    transform.size = size;
    transform.augment_count = 6;
    for (int i = 0; i < 6; i++)
        transform.augment[i] = dip_augment_defaults((dip_augment_kind)i);
    transform.augment[1].padded_crop.padding = 3;
    transform.augment[3].jitter = (dip_augment_jitter){0.4, 0.4, 0.4, 0.1};
    return transform;
}

static void test_transform_is_a_function_of_the_stream(void **state)
{
    (void)state;
    golden_bytes source = golden_read("source.rgb");
    dip_image_view view = golden_source(&source);
    dip_transform transform = everything(32);
    dip_transformer *reused = new_transformer(&transform);
    enum { COUNT = 3 * 32 * 32 };
    float first[COUNT];
    int equal_neighbours = 0;
    for (uint64_t row = 0; row < 20; row++) {
        dip_rng a = dip_rng_stream(1, 1, 0, row), b = a;
        float *fresh = apply(&transform, &view, &a);
        float again[COUNT];
        assert_int_equal(dip_transform_apply(again, reused, &view, &b, NULL),
                         DIP_OK);
        assert_memory_equal(fresh, again, sizeof again);
        equal_neighbours += row > 0 && memcmp(first, again, sizeof again) == 0;
        memcpy(first, again, sizeof first);
        free(fresh);
    }
    assert_int_equal(equal_neighbours, 0);
    dip_transformer_destroy(reused);
    free(source.data);
}

/* A transform whose floats are the bytes. */
static dip_transform plain(int size)
{
    dip_transform transform = dip_transform_defaults();
    transform.size = size;
    for (int c = 0; c < 3; c++) {
        transform.mean[c] = 0;
        transform.std[c] = 1.0f / 255.0f;
    }
    return transform;
}

static void test_transform_flip_mirrors_rows(void **state)
{
    (void)state;
    static const uint8_t pixels[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const float mirrored[] = {4, 1, 10, 7, 5, 2, 11, 8, 6, 3, 12, 9};
    dip_image_view view = {pixels, 2, 2, 3, 0};
    dip_transform transform = plain(2);
    transform.augment_count = 1;
    transform.augment[0] = dip_augment_defaults(DIP_AUGMENT_HORIZONTAL_FLIP);
    transform.augment[0].p = 1;
    dip_rng rng = dip_rng_stream(0, 0, 0, 0);
    float *got = apply(&transform, &view, &rng);
    for (int i = 0; i < 12; i++)
        assert_float_equal(got[i], mirrored[i], 1e-4);
    free(got);
}

/* A square around a centre that may be any pixel: the zeros of each draw are
 * one rectangle with sides of 4, or of what the edge leaves of them, and the
 * rest of the image is as it was. */
static void test_transform_cutout_blanks_a_square_anywhere(void **state)
{
    (void)state;
    enum { SIDE = 8, HOLE = 4, DRAWS = 400 };
    uint8_t pixels[SIDE * SIDE * 3];
    for (int i = 0; i < SIDE * SIDE * 3; i++)
        pixels[i] = (uint8_t)(1 + i);
    dip_image_view view = {pixels, SIDE, SIDE, 3, 0};
    dip_transform transform = plain(SIDE);
    transform.augment_count = 1;
    transform.augment[0] = dip_augment_defaults(DIP_AUGMENT_CUTOUT);
    transform.augment[0].cutout.size = HOLE;
    int blank[SIDE] = {0}, whole = 0;
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
        dip_rng rng = dip_rng_stream(3, 1, 0, draw);
        float *got = apply(&transform, &view, &rng);
        int left = SIDE, right = -1, top = SIDE, bottom = -1, zeros = 0;
        for (int i = 0; i < SIDE * SIDE * 3; i++) {
            int plane = i / (SIDE * SIDE), at = i % (SIDE * SIDE);
            if (got[i] != 0) {
                assert_float_equal(got[i], pixels[3 * at + plane], 1e-4);
                continue;
            }
            int x = at % SIDE, y = at / SIDE;
            left = x < left ? x : left;
            right = x > right ? x : right;
            top = y < top ? y : top;
            bottom = y > bottom ? y : bottom;
            zeros++;
        }
        int width = right - left + 1, height = bottom - top + 1;
        assert_int_equal(zeros, 3 * width * height);
        assert_in_range(width, HOLE / 2, HOLE);
        assert_in_range(height, HOLE / 2, HOLE);
        if (width < HOLE)
            assert_true(left == 0 || right == SIDE - 1);
        whole += width == HOLE && height == HOLE;
        for (int x = left; x <= right; x++)
            blank[x]++;
        free(got);
    }
    /* A side is whole for 5 of 8 centres, column 0 is blank for 3, 4 for 4. */
    assert_in_range(whole, DRAWS * 25 / 64 - 50, DRAWS * 25 / 64 + 50);
    assert_in_range(blank[0], DRAWS * 3 / 8 - 50, DRAWS * 3 / 8 + 50);
    assert_in_range(blank[4], DRAWS / 2 - 50, DRAWS / 2 + 50);
    transform.augment[0].p = 0;
    dip_rng rng = dip_rng_stream(3, 1, 0, 0);
    float *kept = apply(&transform, &view, &rng);
    for (int i = 0; i < SIDE * SIDE * 3; i++)
        assert_true(kept[i] > 0);
    free(kept);
}

static void test_transform_grey_is_replicated(void **state)
{
    (void)state;
    static const uint8_t pixels[] = {10, 20, 30, 40};
    dip_image_view view = {pixels, 2, 2, 1, 0};
    dip_transform transform = plain(2);
    float *got = apply(&transform, &view, NULL);
    for (int i = 0; i < 12; i++)
        assert_float_equal(got[i], pixels[i % 4], 1e-4);
    free(got);
}

enum { GRID = 4, MOST = 2, PLACES = 2 * MOST + 1 };

/* Whether `got` is the GRID x GRID image of 1, 2, 3…, mirrored or not, moved
 * by (right, down) with zeros coming in. */
static bool is_moved(const float *got, int right, int down, bool flip)
{
    for (int y = 0; y < GRID; y++) {
        for (int x = 0; x < GRID; x++) {
            int row = y - down, column = x - right;
            bool inside =
                row >= 0 && row < GRID && column >= 0 && column < GRID;
            column = flip ? GRID - 1 - column : column;
            int want = inside ? GRID * row + column + 1 : 0;
            if (lrintf(got[GRID * y + x]) != want)
                return false;
        }
    }
    return true;
}

/* The place, 0 to PLACES^2 - 1, to which it was moved; -1 when to none. */
static int place_of(const float *got, bool flip)
{
    for (int i = 0; i < PLACES * PLACES; i++)
        if (is_moved(got, i % PLACES - MOST, i / PLACES - MOST, flip))
            return i;
    return -1;
}

/* The crop of a padded image is the image moved to any place, and to the same
 * one when it was mirrored before. */
static void test_transform_padded_crop_moves_the_image(void **state)
{
    (void)state;
    uint8_t pixels[GRID * GRID];
    for (int i = 0; i < GRID * GRID; i++)
        pixels[i] = (uint8_t)(i + 1);
    dip_image_view view = {pixels, GRID, GRID, 1, 0};
    dip_transform transform = plain(GRID);
    transform.augment_count = 2;
    transform.augment[0] = dip_augment_defaults(DIP_AUGMENT_HORIZONTAL_FLIP);
    transform.augment[1] = dip_augment_defaults(DIP_AUGMENT_RANDOM_CROP);
    transform.augment[1].padded_crop.padding = MOST;
    bool seen[PLACES * PLACES] = {false};
    for (uint64_t row = 0; row < 400; row++) {
        int places[2];
        for (int flip = 0; flip < 2; flip++) {
            transform.augment[0].p = flip;
            dip_rng rng = dip_rng_stream(0, 0, 0, row);
            float *got = apply(&transform, &view, &rng);
            places[flip] = place_of(got, flip);
            free(got);
        }
        assert_in_range(places[0], 0, PLACES * PLACES - 1);
        assert_int_equal(places[0], places[1]);
        seen[places[0]] = true;
    }
    for (int i = 0; i < PLACES * PLACES; i++)
        assert_true(seen[i]);
}

/* With a probability, about that share of images is grey. */
static void test_transform_probability_is_kept(void **state)
{
    (void)state;
    static const uint8_t red[3] = {200, 10, 10};
    dip_image_view view = {red, 1, 1, 3, 0};
    dip_transform transform = plain(1);
    transform.augment_count = 1;
    transform.augment[0] = dip_augment_defaults(DIP_AUGMENT_GRAYSCALE);
    transform.augment[0].p = 0.25;
    dip_transformer *transformer = new_transformer(&transform);
    int grey = 0;
    for (uint64_t row = 0; row < 4000; row++) {
        dip_rng rng = dip_rng_stream(0, 0, 0, row);
        float out[3];
        assert_int_equal(
            dip_transform_apply(out, transformer, &view, &rng, NULL), DIP_OK);
        grey += out[0] == out[1];
    }
    assert_in_range(grey, 1000 - 165, 1000 + 165); /* 6 standard deviations */
    dip_transformer_destroy(transformer);
}

static void test_transform_least_side_suffices_for_crops(void **state)
{
    (void)state;
    dip_transform transform = dip_transform_defaults();
    assert_int_equal(dip_transform_min_side(&transform, true), 224);
    transform.augment_count = 1;
    transform.augment[0] =
        dip_augment_defaults(DIP_AUGMENT_RANDOM_RESIZED_CROP);
    dip_augment_resized_crop crop = {{0.5, 1}, {3.0 / 4, 4.0 / 3}};
    transform.augment[0].resized_crop = crop;
    int side = dip_transform_min_side(&transform, true);
    assert_in_range(side, 366, 367); /* 224 / sqrt(.5 * 3 / 4) = 365.8 */
    assert_int_equal(dip_transform_min_side(&transform, false), 224);
    for (uint64_t row = 0; row < 5000; row++) {
        dip_rng rng = dip_rng_stream(0, 0, 0, row);
        dip_window w = dip_augment_choose_crop(&rng, &crop, side, side);
        assert_true(w.width >= 223 && w.height >= 223); /* rounded */
    }
}

static void test_transform_refuses_impossible_values(void **state)
{
    (void)state;
    dip_transform cases[14];
    for (size_t i = 0; i < 14; i++)
        cases[i] = everything(32);
    cases[0].size = 0;
    cases[1].std[1] = 0;
    cases[2].mean[0] = NAN;
    cases[3].augment_count = DIP_AUGMENT_MAX + 1;
    cases[4].augment[0].resized_crop.scale[0] = 0;
    cases[5].augment[0].resized_crop.scale[1] = 1.5;
    cases[6].augment[0].resized_crop.ratio[0] = 2;
    cases[7].augment[1].padded_crop.padding = 33;
    cases[8].augment[2].p = 1.01;
    cases[9].augment[3].jitter.hue = 0.6;
    cases[10].augment[3].jitter.contrast = -1;
    cases[11].augment[4].kind = DIP_AUGMENT_RANDOM_RESIZED_CROP;
    cases[12].augment[5].cutout.size = 0;
    cases[13].augment[5].cutout.size = 65;
    for (size_t i = 0; i < 14; i++) {
        dip_err err = {0};
        assert_int_equal(dip_transform_check(&cases[i], &err), DIP_ERANGE);
        assert_int_not_equal(err.msg[0], '\0');
        dip_transformer *transformer;
        assert_int_equal(dip_transformer_create(&transformer, &cases[i], NULL),
                         DIP_ERANGE);
        assert_null(transformer);
    }
    dip_transform good = everything(32);
    assert_int_equal(dip_transform_check(&good, NULL), DIP_OK);
}

static void test_transform_names_are_listed(void **state)
{
    (void)state;
    dip_augment_kind kind;
    dip_resize_mode mode;
    dip_err err = {0};
    assert_int_equal(dip_augment_from_name(&kind, "color_jitter", &err),
                     DIP_OK);
    assert_int_equal(kind, DIP_AUGMENT_COLOR_JITTER);
    assert_int_equal(dip_augment_from_name(&kind, "mixup", &err),
                     DIP_ENOTFOUND);
    assert_non_null(strstr(err.msg, "'mixup'"));
    assert_non_null(strstr(err.msg, "horizontal_flip"));
    assert_int_equal(dip_resize_mode_from_name(&mode, "longest", &err),
                     DIP_ENOTFOUND);
    assert_non_null(strstr(err.msg, "shortest, squash"));
}

/* One pixel wide and as long as can be: refused, or done, never a crash. */
static void test_transform_survives_extreme_shapes(void **state)
{
    (void)state;
    uint8_t *pixels = calloc(65535, 3);
    assert_non_null(pixels);
    dip_transform transform = everything(16);
    dip_transformer *transformer = new_transformer(&transform);
    float out[3 * 16 * 16];
    for (int turned = 0; turned < 2; turned++) {
        dip_image_view view = {pixels, turned ? 65535 : 1, turned ? 1 : 65535,
                               3, 0};
        dip_err err = {0};
        assert_int_equal(
            dip_transform_apply(out, transformer, &view, NULL, &err),
            DIP_ERANGE);
        assert_non_null(strstr(err.msg, "too narrow"));
        dip_rng rng = dip_rng_stream(0, 0, 0, 0);
        assert_int_equal(
            dip_transform_apply(out, transformer, &view, &rng, &err), DIP_OK);
    }
    dip_transformer_destroy(transformer);
    free(pixels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transform_equals_torchvision),
        cmocka_unit_test(test_transform_colours_equal_pillow),
        cmocka_unit_test(test_transform_crops_are_distributed_as_torchvisions),
        cmocka_unit_test(test_transform_is_a_function_of_the_stream),
        cmocka_unit_test(test_transform_flip_mirrors_rows),
        cmocka_unit_test(test_transform_cutout_blanks_a_square_anywhere),
        cmocka_unit_test(test_transform_grey_is_replicated),
        cmocka_unit_test(test_transform_padded_crop_moves_the_image),
        cmocka_unit_test(test_transform_probability_is_kept),
        cmocka_unit_test(test_transform_least_side_suffices_for_crops),
        cmocka_unit_test(test_transform_refuses_impossible_values),
        cmocka_unit_test(test_transform_names_are_listed),
        cmocka_unit_test(test_transform_survives_extreme_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
