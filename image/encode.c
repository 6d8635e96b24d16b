#include "image/encode.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>
#include <spng.h>

#include "base/mem.h"

typedef struct {
    struct jpeg_compress_struct info;
    struct jpeg_error_mgr errors;
    jmp_buf failed;
    char message[JMSG_LENGTH_MAX];
    const dip_image_view *image;
    int quality;
    unsigned char *data; /* libjpeg's, from malloc() */
    unsigned long size;
} jpeg_encoder;

static void fail(j_common_ptr common)
{
    jpeg_encoder *encoder = common->client_data;
    common->err->format_message(common, encoder->message);
    longjmp(encoder->failed, 1);
}

static void print_nothing(j_common_ptr common)
{
    (void)common;
}

static void compress(jpeg_encoder *encoder)
{
    struct jpeg_compress_struct *info = &encoder->info;
    const dip_image_view *image = encoder->image;
    jpeg_create_compress(info);
    jpeg_mem_dest(info, &encoder->data, &encoder->size);
    info->image_width = (JDIMENSION)image->width;
    info->image_height = (JDIMENSION)image->height;
    info->input_components = image->channels;
    info->in_color_space = image->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(info);
    jpeg_set_quality(info, encoder->quality, TRUE);
    jpeg_start_compress(info, TRUE);
    for (int y = 0; y < image->height; y++) {
        JSAMPROW row = (JSAMPROW)dip_image_view_row(image, y);
        (void)jpeg_write_scanlines(info, &row, 1);
    }
    jpeg_finish_compress(info);
}

/* Apart from its caller, so that no variable lives across the jump. */
static bool compress_guarded(jpeg_encoder *encoder)
{
    if (setjmp(encoder->failed) != 0)
        return false;
    compress(encoder);
    return true;
}

dip_status dip_image_encode_jpeg(dip_str *out, const dip_image_view *image,
                                 int quality, dip_err *err)
{
    dip_status st = dip_image_view_check(image, err);
    if (st != DIP_OK)
        return st;
    if (quality < 1 || quality > 100)
        return dip_fail(err, DIP_ERANGE, "JPEG quality %d is not 1 to 100",
                        quality);
    jpeg_encoder *encoder = dip_calloc(1, sizeof *encoder);
    if (!encoder)
        return dip_no_memory(err);
    encoder->info.err = jpeg_std_error(&encoder->errors);
    encoder->info.client_data = encoder;
    encoder->errors.error_exit = fail;
    encoder->errors.output_message = print_nothing;
    encoder->image = image;
    encoder->quality = quality;

    if (compress_guarded(encoder)) {
        dip_str_add_n(out, encoder->data, encoder->size);
        st = dip_str_status(out, err);
    } else {
        st = dip_fail(err, DIP_FAIL, "cannot write JPEG: %s", encoder->message);
    }
    jpeg_destroy_compress(&encoder->info);
    free(encoder->data);
    free(encoder);
    return st;
}

static int write_png(spng_ctx *png, const dip_image_view *image)
{
    struct spng_ihdr header = {
        .width = (uint32_t)image->width,
        .height = (uint32_t)image->height,
        .bit_depth = 8,
        .color_type = image->channels == 1 ? SPNG_COLOR_TYPE_GRAYSCALE
                                           : SPNG_COLOR_TYPE_TRUECOLOR,
    };
    size_t row_bytes = (size_t)image->width * (size_t)image->channels;
    int code = spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1);
    if (code == SPNG_OK)
        code = spng_set_ihdr(png, &header);
    if (code == SPNG_OK)
        code =
            spng_encode_image(png, NULL, 0, SPNG_FMT_PNG,
                              SPNG_ENCODE_PROGRESSIVE | SPNG_ENCODE_FINALIZE);
    /* The last row answers SPNG_EOI. */
    for (int y = 0; y < image->height && code == SPNG_OK; y++)
        code = spng_encode_row(png, dip_image_view_row(image, y), row_bytes);
    return code == SPNG_EOI ? SPNG_OK : code;
}

dip_status dip_image_encode_png(dip_str *out, const dip_image_view *image,
                                dip_err *err)
{
    dip_status st = dip_image_view_check(image, err);
    if (st != DIP_OK)
        return st;
    spng_ctx *png = spng_ctx_new(SPNG_CTX_ENCODER);
    if (!png)
        return dip_no_memory(err);

    size_t size = 0;
    void *data = NULL;
    int code = write_png(png, image);
    if (code == SPNG_OK)
        data = spng_get_png_buffer(png, &size, &code);
    if (data) {
        dip_str_add_n(out, data, size);
        st = dip_str_status(out, err);
    } else {
        st = dip_fail(err, DIP_FAIL, "cannot write PNG: %s",
                      spng_strerror(code));
    }
    free(data);
    spng_ctx_free(png);
    return st;
}
