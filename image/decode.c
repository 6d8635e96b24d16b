#include "image/decode.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/codec.h"

typedef dip_status (*read_function)(dip_image_info *info, dip_decoder *decoder,
                                    dip_encoded encoded,
                                    const dip_decode_options *options,
                                    dip_err *err);

/* A format is known by up to two runs of bytes. */
static const struct {
    dip_image_format format;
    read_function read;
    struct {
        size_t at;
        const char *bytes;
        size_t size;
    } magic[2];
} formats[] = {
    {DIP_IMAGE_JPEG, dip_jpeg_read, {{0, "\xff\xd8\xff", 3}}},
    {DIP_IMAGE_PNG, dip_png_read, {{0, "\x89PNG\r\n\x1a\n", 8}}},
    {DIP_IMAGE_WEBP, dip_webp_read, {{0, "RIFF", 4}, {8, "WEBP", 4}}},
};

const char *dip_image_format_name(dip_image_format format)
{
    static const char *const names[] = {
#define FORMAT_NAME(name, words) words,
        DIP_IMAGE_FORMAT_TABLE(FORMAT_NAME)
#undef FORMAT_NAME
    };
    return names[format];
}

static bool has_magic(size_t format, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < 2; i++) {
        size_t at = formats[format].magic[i].at;
        size_t need = formats[format].magic[i].size;
        if (need == 0)
            continue;
        if (size < at + need ||
            memcmp(data + at, formats[format].magic[i].bytes, need) != 0)
            return false;
    }
    return true;
}

dip_image_format dip_image_sniff(const void *bytes, size_t size)
{
    for (size_t i = 0; i < DIP_ARRAY_LEN(formats); i++)
        if (has_magic(i, bytes, size))
            return formats[i].format;
    return DIP_IMAGE_UNKNOWN;
}

/* Hands the bytes to the reader of their format. */
static dip_status read_any(dip_image_info *info, dip_decoder *decoder,
                           dip_encoded encoded,
                           const dip_decode_options *options, dip_err *err)
{
    *info = (dip_image_info){.orientation = 1};
    if (encoded.size == 0)
        return dip_fail(err, DIP_EFORMAT, "image is empty");
    for (size_t i = 0; i < DIP_ARRAY_LEN(formats); i++) {
        if (!has_magic(i, encoded.data, encoded.size))
            continue;
        info->format = formats[i].format;
        return formats[i].read(info, decoder, encoded, options, err);
    }
    return dip_fail(err, DIP_EFORMAT,
                    "not an image: neither JPEG nor PNG nor WebP");
}

dip_status dip_decode_check_limit(const dip_image_info *info,
                                  const dip_decode_options *options,
                                  dip_err *err)
{
    int64_t limit =
        options->max_pixels > 0 ? options->max_pixels : DIP_DECODE_MAX_PIXELS;
    int64_t pixels = (int64_t)info->width * info->height;
    if (pixels > limit)
        return dip_fail(err, DIP_ERANGE,
                        "image of %d x %d has more than %" PRId64 " pixels",
                        info->width, info->height, limit);
    return DIP_OK;
}

dip_status dip_image_probe(dip_image_info *out, dip_decoder *decoder,
                           const void *bytes, size_t size, dip_err *err)
{
    return read_any(out, decoder, (dip_encoded){bytes, size}, NULL, err);
}

/* How the pixel of an upright image is found in the stored one: row and column
 * exchanged or not, each counted from its end or not. */
static const struct {
    bool exchange, from_right, from_bottom;
} orientations[9] = {
    [2] = {false, true, false}, [3] = {false, true, true},
    [4] = {false, false, true}, [5] = {true, false, false},
    [6] = {true, false, true},  [7] = {true, true, true},
    [8] = {true, true, false},
};

static dip_status turn(dip_image *out, const dip_image *in, int orientation,
                       dip_err *err)
{
    bool exchange = orientations[orientation].exchange;
    dip_status st =
        dip_image_reshape(out, exchange ? in->height : in->width,
                          exchange ? in->width : in->height, 3, err);
    if (st != DIP_OK)
        return st;

    ptrdiff_t row_bytes = (ptrdiff_t)in->width * 3;
    const uint8_t *origin = in->pixels;
    ptrdiff_t right = 3, down = row_bytes;
    if (orientations[orientation].from_right) {
        origin += row_bytes - 3;
        right = -right;
    }
    if (orientations[orientation].from_bottom) {
        origin += (in->height - 1) * row_bytes;
        down = -down;
    }
    ptrdiff_t step_x = exchange ? down : right;
    ptrdiff_t step_y = exchange ? right : down;
    uint8_t *to = out->pixels;
    for (int y = 0; y < out->height; y++) {
        const uint8_t *from = origin + y * step_y;
        for (int x = 0; x < out->width; x++, to += 3)
            memcpy(to, from + x * step_x, 3);
    }
    return DIP_OK;
}

dip_status dip_image_decode(dip_image_view *out, dip_decoder *decoder,
                            const void *bytes, size_t size,
                            const dip_decode_options *options, dip_err *err)
{
    static const dip_decode_options defaults = {0};
    if (!options)
        options = &defaults;
    *out = (dip_image_view){0};

    dip_image_info info;
    dip_status st =
        read_any(&info, decoder, (dip_encoded){bytes, size}, options, err);
    if (st != DIP_OK)
        return st;
    const dip_image *result = &decoder->pixels;
    if (info.orientation != 1 && !options->keep_orientation) {
        st = turn(&decoder->turned, &decoder->pixels, info.orientation, err);
        if (st != DIP_OK)
            return st;
        result = &decoder->turned;
    }
    *out = dip_image_as_view(result);
    return DIP_OK;
}

dip_status dip_decoder_create(dip_decoder **out, dip_err *err)
{
    *out = dip_calloc(1, sizeof **out);
    return *out ? DIP_OK : dip_no_memory(err);
}

void dip_decoder_destroy(dip_decoder *decoder)
{
    if (!decoder)
        return;
    dip_jpeg_destroy(decoder->jpeg);
    dip_image_free(&decoder->pixels);
    dip_image_free(&decoder->turned);
    free(decoder);
}
