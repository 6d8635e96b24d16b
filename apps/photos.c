#include "apps/photos.h"

#include <stdlib.h>

#include "base/mem.h"
#include "image/decode.h"
#include "image/encode.h"
#include "image/resize.h"

#define QUALITY 72

struct dip_photos {
    const dip_catalog *catalog;
    int column;
    dip_decode_options decode;
    dip_decoder *decoder;
    dip_resizer *resizer;
    dip_image small;
    void *scratch;
};

void dip_photos_free(dip_photos *p)
{
    if (p == NULL)
        return;
    dip_decoder_destroy(p->decoder);
    dip_resizer_destroy(p->resizer);
    dip_image_free(&p->small);
    free(p->scratch);
    free(p);
}

dip_status dip_photos_open(dip_photos **out, const dip_catalog *catalog,
                           int column, bool exif, int64_t max_pixels,
                           dip_err *err)
{
    dip_photos *p = dip_calloc(1, sizeof *p);
    *out = p;
    if (p == NULL)
        return dip_no_memory(err);
    p->catalog = catalog;
    p->column = column;
    p->decode = (dip_decode_options){.keep_orientation = !exif,
                                     .max_pixels = max_pixels,
                                     .min_side = DIP_PHOTO_SIDE};
    if (column < 0)
        return DIP_OK;
    p->scratch = dip_calloc(dip_catalog_image_scratch(catalog, column) + 1, 1);
    dip_status st = p->scratch != NULL ? DIP_OK : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_decoder_create(&p->decoder, err);
    if (st == DIP_OK)
        st = dip_resizer_create(&p->resizer, false, err);
    if (st != DIP_OK) {
        dip_photos_free(p);
        *out = NULL;
    }
    return st;
}

static dip_status view(dip_image_view *out, dip_photos *p,
                       const dip_image_source *source, dip_err *err)
{
    if (source->pixels == NULL)
        return dip_image_decode(out, p->decoder, source->encoded.data,
                                source->encoded.len, &p->decode, err);
    *out = (dip_image_view){source->pixels, (int)source->width,
                            (int)source->height, (int)source->channels, 0};
    return dip_image_view_check(out, err);
}

/* The longer side becomes DIP_PHOTO_SIDE; smaller photos stay as they are. */
static dip_status shrink(dip_image_view *image, dip_photos *p, dip_err *err)
{
    int longer = image->width > image->height ? image->width : image->height;
    if (longer <= DIP_PHOTO_SIDE)
        return DIP_OK;
    int width = (image->width * DIP_PHOTO_SIDE + longer / 2) / longer;
    int height = (image->height * DIP_PHOTO_SIDE + longer / 2) / longer;
    dip_resize_options options = {.resample = DIP_RESAMPLE_BICUBIC,
                                  .width = width > 0 ? width : 1,
                                  .height = height > 0 ? height : 1};
    dip_status st = dip_resize(&p->small, p->resizer, image, &options, err);
    if (st == DIP_OK)
        *image = dip_image_as_view(&p->small);
    return st;
}

dip_status dip_photos_add(void *photos, dip_str *jpeg, int64_t row,
                          dip_err *err)
{
    dip_photos *p = photos;
    dip_image_source source;
    dip_image_view image;
    if (p->column < 0 || row < 0 || row >= dip_catalog_rows(p->catalog))
        return DIP_OK;
    dip_status st =
        dip_catalog_image(p->catalog, p->column, row, p->scratch, &source, err);
    if (st != DIP_OK || (source.pixels == NULL && source.encoded.len == 0))
        return st;
    dip_err fault = {0};
    st = view(&image, p, &source, &fault);
    if (st == DIP_EFORMAT || st == DIP_ERANGE)
        return DIP_OK; /* a page does without it */
    if (st != DIP_OK)
        return dip_fail(err, st, "%s", fault.msg);
    st = shrink(&image, p, err);
    return st == DIP_OK ? dip_image_encode_jpeg(jpeg, &image, QUALITY, err)
                        : st;
}
