#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "image/decode.h"
#include "tests/image/golden.h"

enum { MUTATIONS = 2000, LONGEST_NAME = 64 };

typedef struct {
    char name[LONGEST_NAME];
    int width, height, upright_width, upright_height;
} decode_case;

static dip_decoder *new_decoder(void)
{
    dip_decoder *decoder;
    assert_int_equal(dip_decoder_create(&decoder, NULL), DIP_OK);
    return decoder;
}

static bool next_case(decode_case *out, FILE *list)
{
    return fscanf(list, "%63s %d %d %d %d", out->name, &out->width,
                  &out->height, &out->upright_width, &out->upright_height) == 5;
}

/* Decodes the file and compares with `expected` of the given shape. */
static void assert_decodes_to(dip_decoder *decoder, const char *name,
                              const char *expected, int width, int height,
                              bool keep_orientation)
{
    golden_bytes file = golden_read(name), want = golden_read(expected);
    dip_decode_options options = {.keep_orientation = keep_orientation};
    dip_image_view got;
    dip_err err = {0};
    if (dip_image_decode(&got, decoder, file.data, file.size, &options, &err))
        fail_msg("%s: %s", name, err.msg);
    assert_int_equal(got.width, width);
    assert_int_equal(got.height, height);
    assert_int_equal(got.channels, 3);
    assert_int_equal(want.size, 3 * width * height);
    golden_assert_near(name, got.pixels, want.data, want.size, 0);
    free(file.data);
    free(want.data);
}

static void test_decode_equals_pillow(void **state)
{
    (void)state;
    dip_decoder *decoder = new_decoder();
    FILE *list = golden_open("decode.txt");
    assert_non_null(list);
    int count = 0;
    for (decode_case c; next_case(&c, list); count++) {
        char expected[LONGEST_NAME + 8];
        snprintf(expected, sizeof expected, "%s.rgb", c.name);
        assert_decodes_to(decoder, c.name, expected, c.width, c.height, true);
        char upright[LONGEST_NAME + 8];
        snprintf(upright, sizeof upright, "%s.up.rgb", c.name);
        FILE *turned = golden_open(upright);
        if (turned)
            fclose(turned);
        assert_decodes_to(decoder, c.name, turned ? upright : expected,
                          c.upright_width, c.upright_height, false);
    }
    assert_in_range(count, 34, 100);
    fclose(list);
    dip_decoder_destroy(decoder);
}

static void test_decode_probe_reads_the_header(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        dip_image_info info;
    } cases[] = {
        {"rgb420.jpg", {DIP_IMAGE_JPEG, 24, 17, 1}},
        {"orient8.jpg", {DIP_IMAGE_JPEG, 24, 17, 8}},
        {"orient.webp", {DIP_IMAGE_WEBP, 24, 17, 6}},
        {"orient.png", {DIP_IMAGE_PNG, 24, 17, 6}},
        {"grey16.png", {DIP_IMAGE_PNG, 24, 17, 1}},
    };
    dip_decoder *decoder = new_decoder();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        golden_bytes file = golden_read(cases[i].name);
        dip_image_info info;
        assert_int_equal(
            dip_image_probe(&info, decoder, file.data, file.size, NULL),
            DIP_OK);
        assert_int_equal(info.format, cases[i].info.format);
        assert_int_equal(info.width, cases[i].info.width);
        assert_int_equal(info.height, cases[i].info.height);
        assert_int_equal(info.orientation, cases[i].info.orientation);
        free(file.data);
    }
    dip_decoder_destroy(decoder);
}

/* Expects the failure and a message that holds `words`. */
static void assert_refused(const void *bytes, size_t size,
                           const dip_decode_options *options, dip_status code,
                           const char *words)
{
    dip_decoder *decoder = new_decoder();
    dip_image_view view;
    dip_err err = {0};
    assert_int_equal(
        dip_image_decode(&view, decoder, bytes, size, options, &err), code);
    assert_null(view.pixels);
    if (!strstr(err.msg, words))
        fail_msg("'%s' does not say '%s'", err.msg, words);
    dip_decoder_destroy(decoder);
}

static void test_decode_refuses_what_is_no_image(void **state)
{
    (void)state;
    assert_refused("", 0, NULL, DIP_EFORMAT, "empty");
    assert_refused("<html>", 6, NULL, DIP_EFORMAT, "not an image");
    assert_refused("RIFF\4\0\0\0WAVE", 12, NULL, DIP_EFORMAT, "not an image");
    assert_refused("\xff\xd8\xff", 3, NULL, DIP_EFORMAT, "damaged JPEG");
    assert_refused("\x89PNG\r\n\x1a\n", 8, NULL, DIP_EFORMAT, "damaged PNG");
    assert_refused("RIFF\4\0\0\0WEBP", 12, NULL, DIP_EFORMAT, "damaged WebP");
}

/* A file cut anywhere is an error: no picture half grey. */
static void test_decode_refuses_truncated_files(void **state)
{
    (void)state;
    static const struct {
        const char *name, *words;
    } cases[] = {
        {"rgb420.jpg", "damaged JPEG"}, {"progressive.jpg", "damaged JPEG"},
        {"cmyk.jpg", "damaged JPEG"},   {"rgb.png", "damaged PNG"},
        {"palette.png", "damaged PNG"}, {"interlaced.png", "damaged PNG"},
        {"lossy.webp", "damaged WebP"}, {"lossless.webp", "damaged WebP"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        golden_bytes file = golden_read(cases[i].name);
        for (size_t size = 12; size + 2 < file.size; size += 7) {
            /* An exact copy, so that reading past it is seen. */
            uint8_t *cut = malloc(size);
            assert_non_null(cut);
            memcpy(cut, file.data, size);
            assert_refused(cut, size, NULL, DIP_EFORMAT, cases[i].words);
            free(cut);
        }
        free(file.data);
    }
}

/* The signature and header of a PNG that claims these sides, CRC included. */
static void assert_png_header_refused(const char *sides_and_crc,
                                      dip_status code, const char *words)
{
    uint8_t bytes[33] = "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR........\x08\x02";
    memcpy(bytes + 16, sides_and_crc, 8);
    memset(bytes + 26, 0, 3);
    memcpy(bytes + 29, sides_and_crc + 8, 4);
    assert_refused(bytes, sizeof bytes, NULL, code, words);
}

static void test_decode_refuses_bombs_before_taking_memory(void **state)
{
    (void)state;
    assert_png_header_refused("\0\0\xff\xff\0\0\xff\xff\x39\x67\x4e\x07",
                              DIP_ERANGE, "more than 25000000 pixels");
    assert_png_header_refused("\0\0\0\0\0\0\0\x05\xe4\x24\x7a\xf6", DIP_EFORMAT,
                              "damaged PNG");

    /* The sides of a JPEG stand in its frame header, unchecked. */
    golden_bytes file = golden_read("rgb420.jpg");
    for (size_t i = 0; i + 9 < file.size; i++) {
        if (file.data[i] == 0xff && file.data[i + 1] == 0xc0) {
            memset(file.data + i + 5, 0xfd, 4);
            break;
        }
    }
    assert_refused(file.data, file.size, NULL, DIP_ERANGE, "65021 x 65021");
    free(file.data);
}

static void test_decode_limit_counts_pixels(void **state)
{
    (void)state;
    static const char *const names[] = {"rgb420.jpg", "rgb.png", "lossy.webp"};
    for (size_t i = 0; i < 3; i++) {
        golden_bytes file = golden_read(names[i]);
        dip_decode_options options = {.max_pixels = 24 * 17 - 1};
        assert_refused(file.data, file.size, &options, DIP_ERANGE,
                       "image of 24 x 17 has more than 407 pixels");
        options.max_pixels = 24 * 17;
        dip_decoder *decoder = new_decoder();
        dip_image_view view;
        assert_int_equal(dip_image_decode(&view, decoder, file.data, file.size,
                                          &options, NULL),
                         DIP_OK);
        dip_decoder_destroy(decoder);
        free(file.data);
    }
}

/* 24 x 17: half is 12 x 9, a quarter 6 x 5, rounded up. */
static void test_decode_scales_to_the_least_side(void **state)
{
    (void)state;
    static const struct {
        int min_side, width, height;
    } cases[] = {{0, 24, 17}, {9, 24, 17}, {8, 12, 9}, {5, 12, 9},
                 {4, 6, 5},   {2, 3, 3},   {1, 3, 3}};
    golden_bytes file = golden_read("rgb420.jpg");
    dip_decoder *decoder = new_decoder();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dip_decode_options options = {.min_side = cases[i].min_side};
        dip_image_view view;
        assert_int_equal(dip_image_decode(&view, decoder, file.data, file.size,
                                          &options, NULL),
                         DIP_OK);
        assert_int_equal(view.width, cases[i].width);
        assert_int_equal(view.height, cases[i].height);
    }
    dip_decoder_destroy(decoder);
    free(file.data);
}

/* Changes one to eight bytes, anywhere or by a lot. */
static void mutate(uint8_t *bytes, size_t size, dip_rng *rng)
{
    uint64_t changes = 1 + dip_rng_below(rng, 8);
    for (uint64_t i = 0; i < changes; i++) {
        uint8_t *at = bytes + dip_rng_below(rng, size);
        if (dip_rng_below(rng, 2))
            *at ^= (uint8_t)(1u << dip_rng_below(rng, 8));
        else
            *at = (uint8_t)dip_rng_u32(rng);
    }
}

/* Whatever the bytes are, decoding answers, and the decoder goes on. The
 * sanitizers watch the rest. */
static void test_decode_survives_mutations(void **state)
{
    (void)state;
    dip_decoder *decoder = new_decoder();
    FILE *list = golden_open("decode.txt");
    assert_non_null(list);
    dip_decode_options options = {.max_pixels = 1 << 20};
    uint64_t seed = 0;
    for (decode_case c; next_case(&c, list); seed++) {
        golden_bytes file = golden_read(c.name);
        uint8_t *copy = malloc(file.size);
        assert_non_null(copy);
        for (uint64_t i = 0; i < MUTATIONS; i++) {
            dip_rng rng = dip_rng_stream(seed, 0, i, 0);
            memcpy(copy, file.data, file.size);
            mutate(copy, file.size, &rng);
            dip_image_view view;
            dip_err err = {0};
            dip_status st = dip_image_decode(&view, decoder, copy, file.size,
                                             &options, &err);
            assert_true(st == DIP_OK ? view.pixels != NULL
                                     : err.msg[0] != '\0' && !view.pixels);
        }
        free(copy);
        free(file.data);
    }
    assert_decodes_to(decoder, "rgb444.jpg", "rgb444.jpg.rgb", 24, 17, true);
    fclose(list);
    dip_decoder_destroy(decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode_equals_pillow),
        cmocka_unit_test(test_decode_probe_reads_the_header),
        cmocka_unit_test(test_decode_refuses_what_is_no_image),
        cmocka_unit_test(test_decode_refuses_truncated_files),
        cmocka_unit_test(test_decode_refuses_bombs_before_taking_memory),
        cmocka_unit_test(test_decode_limit_counts_pixels),
        cmocka_unit_test(test_decode_scales_to_the_least_side),
        cmocka_unit_test(test_decode_survives_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
