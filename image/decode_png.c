#include <limits.h>
#include <string.h>

#include <spng.h>

#include "base/mem.h"
#include "image/codec.h"

/* Chunks that we do not need (profiles, text) may not take more than this. */
#define CHUNK_LIMIT ((size_t)64 << 20)

static dip_status damaged(dip_err *err, int code)
{
    return dip_fail(err, DIP_EFORMAT, "damaged PNG: %s", spng_strerror(code));
}

/* 16-bit grey to 8-bit RGB in place, from the end: the result is longer. */
static void widen_grey16(uint8_t *pixels, size_t count)
{
    for (size_t i = count; i-- > 0;) {
        uint16_t value;
        memcpy(&value, pixels + 2 * i, sizeof value);
        uint8_t clipped = (uint8_t)(value > 255 ? 255 : value);
        pixels[3 * i] = pixels[3 * i + 1] = pixels[3 * i + 2] = clipped;
    }
}

static dip_status decode(dip_image *out, spng_ctx *png,
                         const struct spng_ihdr *header, dip_err *err)
{
    dip_status st =
        dip_image_reshape(out, (int)header->width, (int)header->height, 3, err);
    if (st != DIP_OK)
        return st;
    bool grey16 = header->color_type == SPNG_COLOR_TYPE_GRAYSCALE &&
                  header->bit_depth == 16;
    size_t count = (size_t)out->width * (size_t)out->height;
    size_t size = count * (grey16 ? 2 : 3);
    int code = spng_decode_image(png, out->pixels, size,
                                 grey16 ? SPNG_FMT_PNG : SPNG_FMT_RGB8, 0);
    if (code == SPNG_OK)
        code = spng_decode_chunks(png); /* up to the end of the file */
    if (code != SPNG_OK)
        return damaged(err, code);
    if (grey16)
        widen_grey16(out->pixels, count);
    return DIP_OK;
}

static dip_status read_header(struct spng_ihdr *header, dip_image_info *info,
                              spng_ctx *png, dip_encoded encoded, dip_err *err)
{
    int code = spng_set_png_buffer(png, encoded.data, encoded.size);
    if (code == SPNG_OK)
        code = spng_set_chunk_limits(png, CHUNK_LIMIT, CHUNK_LIMIT);
    if (code == SPNG_OK)
        code = spng_get_ihdr(png, header);
    if (code != SPNG_OK)
        return damaged(err, code);
    if (header->width > INT_MAX || header->height > INT_MAX)
        return dip_fail(err, DIP_EFORMAT, "damaged PNG: size out of range");
    info->width = (int)header->width;
    info->height = (int)header->height;
    return DIP_OK;
}

dip_status dip_png_read(dip_image_info *info, dip_decoder *decoder,
                        dip_encoded encoded, const dip_decode_options *options,
                        dip_err *err)
{
    spng_ctx *png = spng_ctx_new(0);
    if (!png)
        return dip_no_memory(err);
    struct spng_ihdr header;
    dip_status st = read_header(&header, info, png, encoded, err);
    if (st == DIP_OK && options)
        st = dip_decode_check_limit(info, options, err);
    if (st == DIP_OK && options)
        st = decode(&decoder->pixels, png, &header, err);

    /* Before the pixels only an early chunk is seen; that is where it stands
     * but for rare files. */
    struct spng_exif exif;
    if (st == DIP_OK && spng_get_exif(png, &exif) == SPNG_OK)
        info->orientation =
            dip_exif_orientation((const uint8_t *)exif.data, exif.length);
    spng_ctx_free(png);
    return st;
}
