#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#include "base/mem.h"
#include "image/codec.h"

enum {
    ROWS_AT_ONCE = 8,
    /* A small file can ask for thousands of passes over a large image; real
     * progressive files have about ten. */
    MAX_SCANS = 500,
};

struct dip_jpeg {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    char message[JMSG_LENGTH_MAX];
    bool created;
    dip_encoded encoded;
    uint8_t *pixels; /* where decode_rows() writes: RGB, rows close together */
};

static void fail(j_common_ptr common)
{
    dip_jpeg *jpeg = common->client_data;
    common->err->format_message(common, jpeg->message);
    longjmp(jpeg->failed, 1);
}

/* libjpeg fills what it cannot read with grey and only warns. The warnings
 * that mean lost pixels end the decoding; others (odd JFIF version, stray
 * bytes between markers) are harmless, and Pillow passes them too. */
static void judge_warning(j_common_ptr common, int level)
{
    if (level >= 0)
        return;
    switch (common->err->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_JPEG_EOF:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
        fail(common);
        break;
    default:
        break;
    }
}

static void print_nothing(j_common_ptr common)
{
    (void)common;
}

static void limit_scans(j_common_ptr common)
{
    dip_jpeg *jpeg = common->client_data;
    if (jpeg->info.input_scan_number <= MAX_SCANS)
        return;
    snprintf(jpeg->message, sizeof jpeg->message, "more than %d scans",
             MAX_SCANS);
    longjmp(jpeg->failed, 1);
}

/* Runs `step`; false when libjpeg gave up, with its words in jpeg->message.
 * No function between the steps can be jumped over. */
static bool guarded(dip_jpeg *jpeg, void (*step)(dip_jpeg *jpeg))
{
    if (setjmp(jpeg->failed) != 0)
        return false;
    step(jpeg);
    return true;
}

static void create_step(dip_jpeg *jpeg)
{
    jpeg_create_decompress(&jpeg->info);
    jpeg->created = true;
    jpeg->info.progress = &jpeg->progress;
    jpeg_save_markers(&jpeg->info, JPEG_APP0 + 1, 0xFFFF);
}

static void read_header_step(dip_jpeg *jpeg)
{
    jpeg_mem_src(&jpeg->info, jpeg->encoded.data,
                 (unsigned long)jpeg->encoded.size);
    (void)jpeg_read_header(&jpeg->info, TRUE);
}

static void start_step(dip_jpeg *jpeg)
{
    (void)jpeg_start_decompress(&jpeg->info);
}

/* `inverted` is the ink that is *absent*, as Adobe stores it. Rounded product
 * over 255, as Pillow's. */
static void cmyk_to_rgb(uint8_t *out, const uint8_t *inverted, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++, inverted += 4, out += 3) {
        unsigned not_black = inverted[3];
        for (int c = 0; c < 3; c++) {
            unsigned ink = (255u - inverted[c]) * not_black + 128;
            out[c] = (uint8_t)(not_black - (((ink >> 8) + ink) >> 8));
        }
    }
}

static void decode_rgb_step(dip_jpeg *jpeg)
{
    struct jpeg_decompress_struct *info = &jpeg->info;
    size_t row_bytes = (size_t)info->output_width * 3;
    while (info->output_scanline < info->output_height) {
        JSAMPROW rows[ROWS_AT_ONCE];
        JDIMENSION left = info->output_height - info->output_scanline;
        JDIMENSION count = left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE;
        for (JDIMENSION i = 0; i < count; i++)
            rows[i] = jpeg->pixels + (info->output_scanline + i) * row_bytes;
        (void)jpeg_read_scanlines(info, rows, count);
    }
    (void)jpeg_finish_decompress(info);
}

static void decode_cmyk_step(dip_jpeg *jpeg)
{
    struct jpeg_decompress_struct *info = &jpeg->info;
    size_t width = info->output_width;
    JSAMPARRAY line = info->mem->alloc_sarray((j_common_ptr)info, JPOOL_IMAGE,
                                              info->output_width * 4, 1);
    while (info->output_scanline < info->output_height) {
        uint8_t *out = jpeg->pixels + info->output_scanline * width * 3;
        (void)jpeg_read_scanlines(info, line, 1);
        cmyk_to_rgb(out, line[0], width);
    }
    (void)jpeg_finish_decompress(info);
}

static int marker_orientation(const struct jpeg_decompress_struct *info)
{
    jpeg_saved_marker_ptr marker = info->marker_list;
    for (; marker; marker = marker->next)
        if (marker->data_length > 6 && memcmp(marker->data, "Exif", 5) == 0)
            return dip_exif_orientation(marker->data, marker->data_length);
    return 1;
}

/* The smallest size that DCT scaling gives with a shorter side of at least
 * `min_side`; 0 is full size. The header must have been read. */
static void choose_scale(struct jpeg_decompress_struct *info, int min_side)
{
    info->scale_num = 1;
    info->scale_denom = 1;
    if (min_side <= 0)
        return;
    JDIMENSION shorter = info->image_width < info->image_height
                             ? info->image_width
                             : info->image_height;
    while (info->scale_denom < 8 &&
           shorter / (info->scale_denom * 2) >= (JDIMENSION)min_side)
        info->scale_denom *= 2;
}

/* From the header, which was read, to pixels. */
static dip_status decode(dip_image *out, dip_jpeg *jpeg,
                         const dip_decode_options *options, dip_err *err)
{
    struct jpeg_decompress_struct *info = &jpeg->info;
    int components = info->num_components;
    if (components != 1 && components != 3 && components != 4)
        return dip_fail(err, DIP_EFORMAT, "JPEG of %d components", components);
    info->out_color_space = components == 4 ? JCS_CMYK : JCS_RGB;
    info->dct_method = JDCT_ISLOW;
    choose_scale(info, options->min_side);

    if (!guarded(jpeg, start_step))
        return dip_fail(err, DIP_EFORMAT, "damaged JPEG: %s", jpeg->message);
    dip_status st = dip_image_reshape(out, (int)info->output_width,
                                      (int)info->output_height, 3, err);
    if (st != DIP_OK)
        return st;
    jpeg->pixels = out->pixels;
    if (!guarded(jpeg, components == 4 ? decode_cmyk_step : decode_rgb_step))
        return dip_fail(err, DIP_EFORMAT, "damaged JPEG: %s", jpeg->message);
    return DIP_OK;
}

static dip_status create(dip_jpeg **out, dip_err *err)
{
    dip_jpeg *jpeg = dip_calloc(1, sizeof *jpeg);
    if (!jpeg)
        return dip_no_memory(err);
    jpeg->info.err = jpeg_std_error(&jpeg->errors);
    jpeg->info.client_data = jpeg;
    jpeg->errors.error_exit = fail;
    jpeg->errors.emit_message = judge_warning;
    jpeg->errors.output_message = print_nothing;
    jpeg->progress.progress_monitor = limit_scans;
    if (!guarded(jpeg, create_step)) {
        dip_status st =
            dip_fail(err, DIP_FAIL, "cannot start libjpeg: %s", jpeg->message);
        free(jpeg);
        return st;
    }
    *out = jpeg;
    return DIP_OK;
}

dip_status dip_jpeg_read(dip_image_info *info, dip_decoder *decoder,
                         dip_encoded encoded, const dip_decode_options *options,
                         dip_err *err)
{
    dip_status st = DIP_OK;
    if (!decoder->jpeg)
        st = create(&decoder->jpeg, err);
    if (st != DIP_OK)
        return st;

    dip_jpeg *jpeg = decoder->jpeg;
    jpeg->encoded = encoded;
    if (!guarded(jpeg, read_header_step)) {
        st = dip_fail(err, DIP_EFORMAT, "damaged JPEG: %s", jpeg->message);
        goto out_abort;
    }
    info->width = (int)jpeg->info.image_width;
    info->height = (int)jpeg->info.image_height;
    info->orientation = marker_orientation(&jpeg->info);
    if (!options)
        goto out_abort;
    st = dip_decode_check_limit(info, options, err);
    if (st == DIP_OK)
        st = decode(&decoder->pixels, jpeg, options, err);
out_abort:
    jpeg_abort_decompress(&jpeg->info); /* keeps the context for the next */
    return st;
}

void dip_jpeg_destroy(dip_jpeg *jpeg)
{
    if (!jpeg)
        return;
    if (jpeg->created)
        jpeg_destroy_decompress(&jpeg->info);
    free(jpeg);
}
