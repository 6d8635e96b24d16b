/* What the decoders of the three formats share; for image/ alone. */
#ifndef DIP_IMAGE_CODEC_H
#define DIP_IMAGE_CODEC_H

#include "image/decode.h"

typedef struct {
    const uint8_t *data;
    size_t size;
} dip_encoded;

/* libjpeg's context, kept from image to image. */
typedef struct dip_jpeg dip_jpeg;

struct dip_decoder {
    dip_jpeg *jpeg;   /* NULL until the first JPEG */
    dip_image pixels; /* as stored */
    dip_image turned; /* after the EXIF orientation */
};

/* Each reads the header into *info; and, unless `options` is NULL, checks the
 * limits and decodes RGB as stored into decoder->pixels. */
dip_status dip_jpeg_read(dip_image_info *info, dip_decoder *decoder,
                         dip_encoded encoded, const dip_decode_options *options,
                         dip_err *err) DIP_MUST_CHECK;
dip_status dip_png_read(dip_image_info *info, dip_decoder *decoder,
                        dip_encoded encoded, const dip_decode_options *options,
                        dip_err *err) DIP_MUST_CHECK;
dip_status dip_webp_read(dip_image_info *info, dip_decoder *decoder,
                         dip_encoded encoded, const dip_decode_options *options,
                         dip_err *err) DIP_MUST_CHECK;

void dip_jpeg_destroy(dip_jpeg *jpeg);

/* DIP_ERANGE when the header promises more than `options` allow. */
dip_status dip_decode_check_limit(const dip_image_info *info,
                                  const dip_decode_options *options,
                                  dip_err *err) DIP_MUST_CHECK;

/* The orientation, 1 to 8, in a TIFF structure with or without "Exif\0\0"
 * before it; 1 when it has none or is damaged. */
int dip_exif_orientation(const uint8_t *data, size_t size);

#endif
