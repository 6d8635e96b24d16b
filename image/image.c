#include "image/image.h"

#include <stdlib.h>

#include "base/mem.h"

static dip_status check_shape(int width, int height, int channels, dip_err *err)
{
    if (width < 1 || height < 1)
        return dip_fail(err, DIP_ERANGE, "image has no pixels: %d x %d", width,
                        height);
    if (width > DIP_IMAGE_MAX_SIDE || height > DIP_IMAGE_MAX_SIDE)
        return dip_fail(err, DIP_ERANGE,
                        "image of %d x %d has a side of more than %d pixels",
                        width, height, DIP_IMAGE_MAX_SIDE);
    if (channels != 1 && channels != 3)
        return dip_fail(err, DIP_ERANGE, "image has %d channels, not 1 or 3",
                        channels);
    return DIP_OK;
}

dip_status dip_image_reshape(dip_image *image, int width, int height,
                             int channels, dip_err *err)
{
    dip_status st = check_shape(width, height, channels, err);
    if (st != DIP_OK)
        return st;

    size_t need;
    if (dip_mul_overflows((size_t)width * (size_t)channels, (size_t)height,
                          &need))
        return dip_no_memory(err);
    if (need > image->capacity) {
        /* Not realloc: the old pixels need not be copied. */
        free(image->pixels);
        image->capacity = 0;
        image->pixels = malloc(need);
        if (!image->pixels)
            return dip_no_memory(err);
        image->capacity = need;
    }
    image->width = width;
    image->height = height;
    image->channels = channels;
    return DIP_OK;
}

dip_image_view dip_image_as_view(const dip_image *image)
{
    return (dip_image_view){
        .pixels = image->pixels,
        .width = image->width,
        .height = image->height,
        .channels = image->channels,
    };
}

void dip_image_free(dip_image *image)
{
    if (!image)
        return;
    free(image->pixels);
    *image = (dip_image){0};
}

dip_status dip_image_view_check(const dip_image_view *view, dip_err *err)
{
    dip_status st = check_shape(view->width, view->height, view->channels, err);
    if (st != DIP_OK)
        return st;
    if (!view->pixels)
        return dip_fail(err, DIP_ERANGE, "image has no pixels");
    size_t row = (size_t)view->width * (size_t)view->channels;
    if (view->stride != 0 && view->stride < row)
        return dip_fail(err, DIP_ERANGE,
                        "rows of %zu bytes stand %zu bytes apart", row,
                        view->stride);
    return DIP_OK;
}

size_t dip_image_view_stride(const dip_image_view *view)
{
    return view->stride ? view->stride
                        : (size_t)view->width * (size_t)view->channels;
}

const uint8_t *dip_image_view_row(const dip_image_view *view, int y)
{
    return view->pixels + (size_t)y * dip_image_view_stride(view);
}

dip_image_view dip_image_view_crop(const dip_image_view *view, int x, int y,
                                   int width, int height)
{
    return (dip_image_view){
        .pixels =
            dip_image_view_row(view, y) + (size_t)x * (size_t)view->channels,
        .width = width,
        .height = height,
        .channels = view->channels,
        .stride = dip_image_view_stride(view),
    };
}
