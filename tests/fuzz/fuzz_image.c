#include "image/decode.h"
#include "tests/fuzz/fuzz.h"

const char *const fuzz_seeds[] = {
    "tests/golden/image/orient1.jpg",    "tests/golden/image/cmyk.jpg",
    "tests/golden/image/orient.png",     "tests/golden/image/grey_alpha16.png",
    "tests/golden/image/orient.webp",    "tests/golden/image/alpha.webp",
    "tests/golden/image/interlaced.png", NULL,
};

const char *const fuzz_words[] = {
    "\xff\xd8", "\xff\xda", "\xff\xe1",     "Exif", "IHDR", "IDAT",
    "PLTE",     "tRNS",     "eXIf",         "RIFF", "VP8 ", "VP8L",
    "VP8X",     "ALPH",     "\xff\xc0\x11", NULL,
};

/* Pixels are limited, for what a header may ask for is another test's matter.
 */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    (void)path;
    dip_decoder *decoder;
    dip_image_view view;
    const dip_decode_options options = {.max_pixels = 1 << 16};
    dip_err err = {0};
    if (dip_decoder_create(&decoder, &err) != DIP_OK)
        return;
    (void)!dip_image_decode(&view, decoder, bytes, n, &options, &err);
    dip_decoder_destroy(decoder);
}
