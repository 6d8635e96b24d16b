#include <string.h>

#include <webp/decode.h>

#include "image/codec.h"

static const char *status_words(VP8StatusCode code)
{
    switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY:
        return "out of memory";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return "unsupported feature";
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA:
        return "premature end of data";
    default:
        return "bitstream error";
    }
}

static dip_status damaged(dip_err *err, VP8StatusCode code)
{
    return dip_fail(err, DIP_EFORMAT, "damaged WebP: %s", status_words(code));
}

static size_t read_le32(const uint8_t *p)
{
    return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 |
           (size_t)p[3] << 24;
}

/* Walks the RIFF chunks: name, size, content padded to an even size. */
static int chunk_orientation(dip_encoded encoded)
{
    size_t at = 12;
    while (encoded.size - at >= 8) {
        const uint8_t *chunk = encoded.data + at;
        size_t size = read_le32(chunk + 4);
        size_t left = encoded.size - at - 8;
        if (size > left)
            return 1;
        if (memcmp(chunk, "EXIF", 4) == 0)
            return dip_exif_orientation(chunk + 8, size);
        size += size & 1;
        if (size > left)
            return 1;
        at += 8 + size;
    }
    return 1;
}

static dip_status decode(dip_image *out, const dip_image_info *info,
                         dip_encoded encoded, dip_err *err)
{
    dip_status st = dip_image_reshape(out, info->width, info->height, 3, err);
    if (st != DIP_OK)
        return st;
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return dip_fail(err, DIP_FAIL, "libwebp of another version");
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = out->pixels;
    config.output.u.RGBA.stride = out->width * 3;
    config.output.u.RGBA.size = (size_t)out->width * (size_t)out->height * 3;
    VP8StatusCode code = WebPDecode(encoded.data, encoded.size, &config);
    WebPFreeDecBuffer(&config.output);
    return code == VP8_STATUS_OK ? DIP_OK : damaged(err, code);
}

dip_status dip_webp_read(dip_image_info *info, dip_decoder *decoder,
                         dip_encoded encoded, const dip_decode_options *options,
                         dip_err *err)
{
    WebPBitstreamFeatures features;
    VP8StatusCode code = WebPGetFeatures(encoded.data, encoded.size, &features);
    if (code != VP8_STATUS_OK)
        return damaged(err, code);
    if (features.has_animation)
        return dip_fail(err, DIP_EFORMAT, "WebP is an animation");
    info->width = features.width;
    info->height = features.height;
    info->orientation = chunk_orientation(encoded);
    if (!options)
        return DIP_OK;
    dip_status st = dip_decode_check_limit(info, options, err);
    return st == DIP_OK ? decode(&decoder->pixels, info, encoded, err) : st;
}
