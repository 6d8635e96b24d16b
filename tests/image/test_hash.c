#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "image/decode.h"
#include "image/encode.h"
#include "image/hash.h"
#include "tests/image/golden.h"

static uint64_t hash_of(const dip_image_view *view)
{
    dip_resizer *resizer;
    assert_int_equal(dip_resizer_create(&resizer, false, NULL), DIP_OK);
    uint64_t hash;
    assert_int_equal(dip_image_dhash(&hash, resizer, view, NULL), DIP_OK);
    dip_resizer_destroy(resizer);
    return hash;
}

/* By the definition: an image of 9 x 8 is not reduced, so that each bit can be
 * read off. Brighter to the right in the first row, darker in all others. */
static void test_hash_bits_are_where_defined(void **state)
{
    (void)state;
    uint8_t pixels[72];
    for (int y = 0; y < 8; y++)
        for (int x = 0; x < 9; x++)
            pixels[9 * y + x] = (uint8_t)(y == 0 ? 10 * x : 200 - 10 * x);
    pixels[9 * 7 + 8] = 255; /* the last pair rises too */
    dip_image_view view = {pixels, 9, 8, 1, 0};
    assert_true(hash_of(&view) == UINT64_C(0xff00000000000001));

    static const uint8_t flat[72] = {0};
    view.pixels = flat;
    assert_true(hash_of(&view) == 0);
}

/* A smaller copy of poor quality is near; another picture is far. */
static void test_hash_finds_near_duplicates(void **state)
{
    (void)state;
    golden_bytes source = golden_read("source.rgb");
    dip_image_view view = golden_source(&source);
    dip_resizer *resizer;
    dip_decoder *decoder;
    assert_int_equal(dip_resizer_create(&resizer, false, NULL), DIP_OK);
    assert_int_equal(dip_decoder_create(&decoder, NULL), DIP_OK);

    dip_image small = {0};
    dip_resize_options options = {.width = 40, .height = 33};
    assert_int_equal(dip_resize(&small, resizer, &view, &options, NULL),
                     DIP_OK);
    dip_str jpeg = {0};
    dip_image_view copy = dip_image_as_view(&small);
    assert_int_equal(dip_image_encode_jpeg(&jpeg, &copy, 50, NULL), DIP_OK);
    assert_int_equal(
        dip_image_decode(&copy, decoder, jpeg.data, jpeg.len, NULL, NULL),
        DIP_OK);
    uint64_t hash = hash_of(&view);
    assert_in_range(dip_image_hash_distance(hash, hash_of(&copy)), 0, 6);

    golden_bytes other = golden_read("rgb.png.rgb");
    dip_image_view far = {other.data, 24, 17, 3, 0};
    assert_in_range(dip_image_hash_distance(hash, hash_of(&far)), 12, 64);
    free(other.data);
    free(source.data);
    dip_str_free(&jpeg);
    dip_image_free(&small);
    dip_resizer_destroy(resizer);
    dip_decoder_destroy(decoder);
}

static void test_hash_distance_counts_bits(void **state)
{
    (void)state;
    assert_int_equal(dip_image_hash_distance(0, 0), 0);
    assert_int_equal(dip_image_hash_distance(0, UINT64_MAX), 64);
    assert_int_equal(dip_image_hash_distance(0xf0, 0x3c), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_bits_are_where_defined),
        cmocka_unit_test(test_hash_finds_near_duplicates),
        cmocka_unit_test(test_hash_distance_counts_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
