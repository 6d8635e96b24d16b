#include "image/hash.h"

enum { COLUMNS = 9, ROWS = 8 };

static uint8_t grey_at(const dip_image *image, int x, int y)
{
    const uint8_t *p =
        image->pixels + ((size_t)y * (size_t)image->width + (size_t)x) *
                            (size_t)image->channels;
    return image->channels == 1 ? p[0] : dip_image_luma(p[0], p[1], p[2]);
}

dip_status dip_image_dhash(uint64_t *out, dip_resizer *resizer,
                           const dip_image_view *image, dip_err *err)
{
    *out = 0;
    dip_image small = {0};
    dip_resize_options options = {
        .resample = DIP_RESAMPLE_BILINEAR, .width = COLUMNS, .height = ROWS};
    dip_status st = dip_resize(&small, resizer, image, &options, err);
    for (int y = 0; st == DIP_OK && y < ROWS; y++)
        for (int x = 0; x + 1 < COLUMNS; x++)
            *out =
                *out << 1 | (grey_at(&small, x + 1, y) > grey_at(&small, x, y));
    dip_image_free(&small);
    return st;
}

int dip_image_hash_distance(uint64_t a, uint64_t b)
{
    return __builtin_popcountll(a ^ b);
}
