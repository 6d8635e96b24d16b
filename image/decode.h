/* JPEG, PNG and WebP to RGB, with the pixels that Pillow's
 * Image.open(f).convert("RGB") gives, so that a model sees the same input as
 * under open_clip. In particular:
 *   - an alpha channel is dropped, not blended (palette transparency too);
 *   - grey is replicated; 16-bit grey becomes min(v, 255) and 16-bit colour
 *     the high byte, as in Pillow;
 *   - CMYK and YCCK JPEGs of Adobe are stored inverted and are set right;
 *   - colour profiles are ignored.
 * (open_clip itself resizes before it converts, so that it sees palette and
 * transparent pictures a little differently; all others are bit-equal.)
 * Unlike Pillow, the EXIF orientation is applied unless it is switched off,
 * and damaged data are always an error: a truncated image is never returned
 * half grey. The libraries print nothing. */
#ifndef DIP_IMAGE_DECODE_H
#define DIP_IMAGE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "image/image.h"

#define DIP_DECODE_MAX_PIXELS INT64_C(25000000)

#define DIP_IMAGE_FORMAT_TABLE(X)                                              \
    X(UNKNOWN, "unknown")                                                      \
    X(JPEG, "jpeg")                                                            \
    X(PNG, "png")                                                              \
    X(WEBP, "webp")

typedef enum {
#define DIP_IMAGE_FORMAT_ENUM(name, words) DIP_IMAGE_##name,
    DIP_IMAGE_FORMAT_TABLE(DIP_IMAGE_FORMAT_ENUM)
#undef DIP_IMAGE_FORMAT_ENUM
} dip_image_format;

typedef struct {
    bool keep_orientation; /* true: ignore EXIF, as open_clip does */
    int64_t max_pixels;    /* 0 = DIP_DECODE_MAX_PIXELS */
    /* 0 = full size. Else a JPEG may come at 1/2, 1/4 or 1/8 of its size, the
     * smallest whose shorter side is still at least this. */
    int min_side;
} dip_decode_options;

typedef struct {
    dip_image_format format;
    int width, height; /* as stored: before the EXIF orientation */
    int orientation;   /* EXIF, 1 to 8; 1 when absent */
} dip_image_info;

/* The memory and the library contexts that decoding reuses. One per thread. */
typedef struct dip_decoder dip_decoder;

dip_status dip_decoder_create(dip_decoder **out, dip_err *err) DIP_MUST_CHECK;
void dip_decoder_destroy(dip_decoder *decoder);

/* Borrowed, static: "jpeg" and the like. */
const char *dip_image_format_name(dip_image_format format);
/* By the first bytes; UNKNOWN when they are of no format we read. */
dip_image_format dip_image_sniff(const void *bytes, size_t size);

/* Reads the header only. DIP_EFORMAT with the reason when it is damaged. */
dip_status dip_image_probe(dip_image_info *out, dip_decoder *decoder,
                           const void *bytes, size_t size,
                           dip_err *err) DIP_MUST_CHECK;

/* Decodes to RGB, 3 channels. *out belongs to the decoder and lasts until its
 * next use. `options` may be NULL for the defaults. The pixel limit is checked
 * on the header, before memory is taken. DIP_EFORMAT: damaged or no image;
 * DIP_ERANGE: too large; the message does not name the file. */
dip_status dip_image_decode(dip_image_view *out, dip_decoder *decoder,
                            const void *bytes, size_t size,
                            const dip_decode_options *options,
                            dip_err *err) DIP_MUST_CHECK;

#endif
