#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "image/decode.h"
#include "image/encode.h"
#include "tests/image/golden.h"

/* What decoding of the encoded bytes gives; borrowed from the decoder. */
static dip_image_view decode_again(dip_decoder *decoder, const dip_str *bytes)
{
    dip_image_view view;
    dip_err err = {0};
    if (dip_image_decode(&view, decoder, bytes->data, bytes->len, NULL, &err))
        fail_msg("%s", err.msg);
    return view;
}

static double mean_difference(const dip_image_view *a, const dip_image_view *b)
{
    size_t row = (size_t)a->width * 3;
    double sum = 0;
    for (int y = 0; y < a->height; y++)
        for (size_t i = 0; i < row; i++)
            sum +=
                abs(dip_image_view_row(a, y)[i] - dip_image_view_row(b, y)[i]);
    return sum / (double)(row * (size_t)a->height);
}

static void test_encode_png_is_lossless(void **state)
{
    (void)state;
    golden_bytes source = golden_read("source.rgb");
    dip_image_view whole = golden_source(&source);
    dip_image_view part = dip_image_view_crop(&whole, 3, 4, 20, 30);
    dip_decoder *decoder;
    assert_int_equal(dip_decoder_create(&decoder, NULL), DIP_OK);
    const dip_image_view views[] = {whole, part};
    for (size_t i = 0; i < 2; i++) {
        dip_str bytes = {0};
        assert_int_equal(dip_image_encode_png(&bytes, &views[i], NULL), DIP_OK);
        assert_int_equal(dip_image_sniff(bytes.data, bytes.len), DIP_IMAGE_PNG);
        dip_image_view again = decode_again(decoder, &bytes);
        assert_int_equal(again.width, views[i].width);
        assert_int_equal(again.height, views[i].height);
        assert_true(mean_difference(&views[i], &again) == 0);
        dip_str_free(&bytes);
    }
    dip_decoder_destroy(decoder);
    free(source.data);
}

/* Better quality is larger and nearer. */
static void test_encode_jpeg_keeps_the_picture(void **state)
{
    (void)state;
    golden_bytes source = golden_read("source.rgb");
    dip_image_view view = golden_source(&source);
    dip_decoder *decoder;
    assert_int_equal(dip_decoder_create(&decoder, NULL), DIP_OK);
    dip_str good = {0}, poor = {0};
    assert_int_equal(dip_image_encode_jpeg(&good, &view, 95, NULL), DIP_OK);
    assert_int_equal(dip_image_encode_jpeg(&poor, &view, 20, NULL), DIP_OK);
    assert_int_equal(dip_image_sniff(good.data, good.len), DIP_IMAGE_JPEG);
    assert_true(good.len > poor.len);
    dip_image_view again = decode_again(decoder, &good);
    double near = mean_difference(&view, &again);
    again = decode_again(decoder, &poor);
    assert_true(near < mean_difference(&view, &again));
    assert_true(near < 16); /* noise of 4:2:0 colour on a noisy source */
    dip_str_free(&good);
    dip_str_free(&poor);
    dip_decoder_destroy(decoder);
    free(source.data);
}

static void test_encode_grey_stays_grey(void **state)
{
    (void)state;
    static const uint8_t pixels[] = {0, 50, 100, 150, 200, 250};
    dip_image_view view = {pixels, 3, 2, 1, 0};
    dip_decoder *decoder;
    assert_int_equal(dip_decoder_create(&decoder, NULL), DIP_OK);
    dip_str png = {0}, jpeg = {0};
    assert_int_equal(dip_image_encode_png(&png, &view, NULL), DIP_OK);
    assert_int_equal(dip_image_encode_jpeg(&jpeg, &view, 100, NULL), DIP_OK);
    dip_image_view again = decode_again(decoder, &png);
    for (int i = 0; i < 6; i++)
        for (int c = 0; c < 3; c++)
            assert_int_equal(again.pixels[3 * i + c], pixels[i]);
    again = decode_again(decoder, &jpeg);
    for (int i = 0; i < 6; i++)
        for (int c = 0; c < 3; c++)
            assert_true(abs(again.pixels[3 * i + c] - pixels[i]) <= 2);
    dip_str_free(&png);
    dip_str_free(&jpeg);
    dip_decoder_destroy(decoder);
}

static void test_encode_refuses_and_leaves_the_text(void **state)
{
    (void)state;
    static const uint8_t pixels[12] = {0};
    dip_image_view good = {pixels, 2, 2, 3, 0}, bad = {pixels, 0, 2, 3, 0};
    dip_str bytes = {0};
    dip_str_add(&bytes, "before");
    dip_err err = {0};
    assert_int_equal(dip_image_encode_jpeg(&bytes, &good, 0, &err), DIP_ERANGE);
    assert_non_null(strstr(err.msg, "quality 0"));
    assert_int_equal(dip_image_encode_jpeg(&bytes, &bad, 90, &err), DIP_ERANGE);
    assert_int_equal(dip_image_encode_png(&bytes, &bad, &err), DIP_ERANGE);
    assert_string_equal(dip_str_text(&bytes), "before");
    assert_int_equal(dip_image_encode_png(&bytes, &good, &err), DIP_OK);
    assert_memory_equal(bytes.data, "before\x89PNG", 10);
    dip_str_free(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode_png_is_lossless),
        cmocka_unit_test(test_encode_jpeg_keeps_the_picture),
        cmocka_unit_test(test_encode_grey_stays_grey),
        cmocka_unit_test(test_encode_refuses_and_leaves_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
