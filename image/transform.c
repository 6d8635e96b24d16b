#include "image/transform.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "image/augment.h"
#include "image/colour.h"

struct dip_transformer {
    dip_transform spec;
    float levels[3][256]; /* the normalised value of each byte by channel */
    dip_resizer *resizer;
    dip_image work[2];
};

dip_transform dip_transform_defaults(void)
{
    /* CLIP's statistics, as published with its models. */
    return (dip_transform){
        .size = 224,
        .resample = DIP_RESAMPLE_BICUBIC,
        .resize_mode = DIP_RESIZE_SHORTEST,
        .mean = {0.48145466f, 0.4578275f, 0.40821073f},
        .std = {0.26862954f, 0.26130258f, 0.27577711f},
    };
}

dip_augment dip_augment_defaults(dip_augment_kind kind)
{
    dip_augment augment = {.kind = kind, .p = 1.0};
    if (kind == DIP_AUGMENT_HORIZONTAL_FLIP)
        augment.p = 0.5;
    if (kind == DIP_AUGMENT_GRAYSCALE)
        augment.p = 0.1;
    if (kind == DIP_AUGMENT_RANDOM_RESIZED_CROP)
        augment.resized_crop = (dip_augment_resized_crop){
            .scale = {0.08, 1.0}, .ratio = {3.0 / 4.0, 4.0 / 3.0}};
    if (kind == DIP_AUGMENT_CUTOUT)
        augment.cutout.size = 16;
    return augment;
}

/* The index of `name`, or an error that lists the right ones. */
static dip_status find_name(int *out, const char *what, const char *name,
                            const char *const names[], int count, dip_err *err)
{
    dip_str list = {0};
    for (int i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = i;
            dip_str_free(&list);
            return DIP_OK;
        }
        dip_str_addf(&list, "%s%s", i == 0 ? "" : ", ", names[i]);
    }
    dip_status st = dip_fail(err, DIP_ENOTFOUND, "no %s '%s': it is one of %s",
                             what, name, dip_str_text(&list));
    dip_str_free(&list);
    return st;
}

#define NAME(name, words) words,

dip_status dip_augment_from_name(dip_augment_kind *out, const char *name,
                                 dip_err *err)
{
    static const char *const names[] = {DIP_AUGMENT_TABLE(NAME)};
    int i = 0;
    dip_status st = find_name(&i, "augmentation", name, names,
                              (int)DIP_ARRAY_LEN(names), err);
    *out = (dip_augment_kind)i;
    return st;
}

dip_status dip_resize_mode_from_name(dip_resize_mode *out, const char *name,
                                     dip_err *err)
{
    static const char *const names[] = {DIP_RESIZE_MODE_TABLE(NAME)};
    int i = 0;
    dip_status st = find_name(&i, "resize mode", name, names,
                              (int)DIP_ARRAY_LEN(names), err);
    *out = (dip_resize_mode)i;
    return st;
}

#undef NAME

static dip_status check_resized_crop(const dip_augment_resized_crop *crop,
                                     int index, dip_err *err)
{
    if (index != 0)
        return dip_fail(err, DIP_ERANGE,
                        "random_resized_crop must be the first augmentation");
    if (!(crop->scale[0] > 0 && crop->scale[1] >= crop->scale[0] &&
          crop->scale[1] <= 1))
        return dip_fail(err, DIP_ERANGE, "scale %g to %g is not within 0 to 1",
                        crop->scale[0], crop->scale[1]);
    if (!(crop->ratio[0] > 0 && crop->ratio[1] >= crop->ratio[0] &&
          isfinite(crop->ratio[1])))
        return dip_fail(err, DIP_ERANGE,
                        "ratio %g to %g is not a range above 0", crop->ratio[0],
                        crop->ratio[1]);
    return DIP_OK;
}

static dip_status check_jitter(const dip_augment_jitter *jitter, dip_err *err)
{
    const double strengths[] = {jitter->brightness, jitter->contrast,
                                jitter->saturation};
    for (int i = 0; i < 3; i++)
        if (!(strengths[i] >= 0 && isfinite(strengths[i])))
            return dip_fail(err, DIP_ERANGE,
                            "color_jitter of strength %g is below 0 or "
                            "infinite",
                            strengths[i]);
    if (!(jitter->hue >= 0 && jitter->hue <= 0.5))
        return dip_fail(err, DIP_ERANGE, "hue %g is not 0 to 0.5", jitter->hue);
    return DIP_OK;
}

static dip_status check_augment(const dip_transform *transform, int index,
                                dip_err *err)
{
    const dip_augment *augment = &transform->augment[index];
    if (!(augment->p >= 0 && augment->p <= 1))
        return dip_fail(err, DIP_ERANGE, "probability %g is not 0 to 1",
                        augment->p);
    int padding = augment->padded_crop.padding;
    switch (augment->kind) {
    case DIP_AUGMENT_RANDOM_RESIZED_CROP:
        return check_resized_crop(&augment->resized_crop, index, err);
    case DIP_AUGMENT_COLOR_JITTER:
        return check_jitter(&augment->jitter, err);
    case DIP_AUGMENT_RANDOM_CROP:
        if (padding < 0 || padding > transform->size)
            return dip_fail(err, DIP_ERANGE, "padding %d is not 0 to %d",
                            padding, transform->size);
        return DIP_OK;
    case DIP_AUGMENT_CUTOUT:
        if (augment->cutout.size < 1 ||
            augment->cutout.size > 2 * transform->size)
            return dip_fail(err, DIP_ERANGE, "cutout of size %d is not 1 to %d",
                            augment->cutout.size, 2 * transform->size);
        return DIP_OK;
    default:
        return DIP_OK;
    }
}

dip_status dip_transform_check(const dip_transform *transform, dip_err *err)
{
    if (transform->size < 1 || transform->size > DIP_IMAGE_MAX_SIDE)
        return dip_fail(err, DIP_ERANGE, "image size %d is not 1 to %d",
                        transform->size, DIP_IMAGE_MAX_SIDE);
    for (int c = 0; c < 3; c++)
        if (!(transform->std[c] > 0) || !isfinite(transform->std[c]) ||
            !isfinite(transform->mean[c]))
            return dip_fail(err, DIP_ERANGE,
                            "mean %g and std %g of channel %d do not normalise",
                            (double)transform->mean[c],
                            (double)transform->std[c], c);
    if (transform->augment_count < 0 ||
        transform->augment_count > DIP_AUGMENT_MAX)
        return dip_fail(err, DIP_ERANGE, "%d augmentations are more than %d",
                        transform->augment_count, DIP_AUGMENT_MAX);
    for (int i = 0; i < transform->augment_count; i++) {
        dip_status st = check_augment(transform, i, err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

/* The crop that starts the augmentations; NULL when the list has none. */
static const dip_augment_resized_crop *
leading_crop(const dip_transform *transform)
{
    bool has = transform->augment_count > 0 &&
               transform->augment[0].kind == DIP_AUGMENT_RANDOM_RESIZED_CROP;
    return has ? &transform->augment[0].resized_crop : NULL;
}

int dip_transform_min_side(const dip_transform *transform, bool train)
{
    const dip_augment_resized_crop *crop = leading_crop(transform);
    if (!train || !crop)
        return transform->size;
    /* The narrowest crop of an image of area a has the side
     * sqrt(a * scale / ratio), and the shorter side is at most sqrt(a). */
    double ratio = fmax(crop->ratio[1], 1.0 / crop->ratio[0]);
    double side = transform->size / sqrt(crop->scale[0] / ratio);
    return (int)fmin(ceil(side), DIP_IMAGE_MAX_SIDE);
}

/* `image`, or the part of it, to [size, size]; borrows from either. */
static dip_status resize_to(dip_image_view *out, dip_transformer *t,
                            const dip_image_view *image, int width, int height,
                            dip_err *err)
{
    int size = t->spec.size;
    dip_window window = {.x = (int)rint((width - size) / 2.0),
                         .y = (int)rint((height - size) / 2.0),
                         .width = size,
                         .height = size};
    if (width == image->width && height == image->height) {
        *out = dip_image_view_crop(image, window.x, window.y, size, size);
        return DIP_OK;
    }
    dip_resize_options options = {.resample = t->spec.resample,
                                  .width = width,
                                  .height = height,
                                  .window = &window};
    dip_status st = dip_resize(&t->work[0], t->resizer, image, &options, err);
    if (st == DIP_OK)
        *out = dip_image_as_view(&t->work[0]);
    return st;
}

/* As evaluation prepares it; the sides as torchvision's Resize computes them
 * and the crop as its CenterCrop. */
static dip_status prepare(dip_image_view *out, dip_transformer *t,
                          const dip_image_view *image, dip_err *err)
{
    int64_t size = t->spec.size;
    int64_t width = size, height = size;
    if (t->spec.resize_mode == DIP_RESIZE_SHORTEST) {
        if (image->width <= image->height)
            height = size * image->height / image->width;
        else
            width = size * image->width / image->height;
    }
    if (width > DIP_IMAGE_MAX_SIDE || height > DIP_IMAGE_MAX_SIDE)
        return dip_fail(err, DIP_ERANGE,
                        "image of %d x %d is too narrow for size %d",
                        image->width, image->height, t->spec.size);
    return resize_to(out, t, image, (int)width, (int)height, err);
}

/* Makes *view stand in work[1] as RGB bytes of our own, moved by (right, down)
 * with zeros where nothing is. */
static dip_status own_rgb(dip_image_view *view, dip_transformer *t, int right,
                          int down, dip_err *err)
{
    int size = t->spec.size;
    bool ours = view->pixels == t->work[1].pixels;
    if (ours && right == 0 && down == 0)
        return DIP_OK;
    if (ours) { /* becomes the source */
        dip_image swap = t->work[0];
        t->work[0] = t->work[1];
        t->work[1] = swap;
    }
    dip_image *to = &t->work[1];
    dip_status st = dip_image_reshape(to, size, size, 3, err);
    if (st != DIP_OK)
        return st;
    memset(to->pixels, 0, (size_t)size * (size_t)size * 3);
    for (int y = 0; y < size; y++) {
        if (y - down < 0 || y - down >= size)
            continue;
        const uint8_t *from = dip_image_view_row(view, y - down);
        uint8_t *row = to->pixels + (size_t)y * (size_t)size * 3;
        for (int x = right > 0 ? right : 0; x < size && x - right < size; x++)
            for (int c = 0; c < 3; c++)
                row[3 * x + c] = from[(x - right) * view->channels +
                                      (view->channels == 3 ? c : 0)];
    }
    *view = dip_image_as_view(to);
    return DIP_OK;
}

/* What is left to the end. */
typedef struct {
    bool flip;       /* only reverses the sense of moves until then */
    dip_window hole; /* of the floats, after the flip */
} finish;

/* One augmentation after the leading crop. */
static dip_status augment(dip_image_view *view, finish *last,
                          dip_transformer *t, const dip_augment *what,
                          dip_rng *rng, dip_err *err)
{
    if (what->kind == DIP_AUGMENT_RANDOM_CROP) {
        int padding = what->padded_crop.padding;
        uint64_t places = 2 * (uint64_t)padding + 1;
        int down = padding - (int)dip_rng_below(rng, places);
        int right = padding - (int)dip_rng_below(rng, places);
        return own_rgb(view, t, last->flip ? -right : right, down, err);
    }
    if (dip_rng_uniform(rng) >= what->p)
        return DIP_OK;
    if (what->kind == DIP_AUGMENT_HORIZONTAL_FLIP) {
        last->flip = !last->flip;
        return DIP_OK;
    }
    if (what->kind == DIP_AUGMENT_CUTOUT) {
        last->hole = dip_augment_choose_hole(rng, &what->cutout, t->spec.size);
        return DIP_OK;
    }
    dip_status st = own_rgb(view, t, 0, 0, err);
    if (st != DIP_OK)
        return st;
    size_t pixels = (size_t)view->width * (size_t)view->height;
    if (what->kind == DIP_AUGMENT_COLOR_JITTER)
        dip_augment_apply_jitter(rng, &what->jitter, t->work[1].pixels, pixels);
    else
        dip_colour_grayscale(t->work[1].pixels, pixels);
    return DIP_OK;
}

/* All augmentations in their order. */
static dip_status prepare_augmented(dip_image_view *out, finish *last,
                                    dip_transformer *t,
                                    const dip_image_view *image, dip_rng *rng,
                                    dip_err *err)
{
    const dip_augment_resized_crop *crop = leading_crop(&t->spec);
    int size = t->spec.size;
    dip_status st;
    if (crop) {
        dip_window part =
            dip_augment_choose_crop(rng, crop, image->width, image->height);
        dip_image_view view =
            dip_image_view_crop(image, part.x, part.y, part.width, part.height);
        st = resize_to(out, t, &view, size, size, err);
    } else {
        st = prepare(out, t, image, err);
    }
    for (int i = crop ? 1 : 0; st == DIP_OK && i < t->spec.augment_count; i++)
        st = augment(out, last, t, &t->spec.augment[i], rng, err);
    return st;
}

/* By table: exact, and as fast as the store of the floats. */
static void normalise(float *out, const dip_transformer *t,
                      const dip_image_view *view, bool flip)
{
    int size = t->spec.size;
    size_t plane = (size_t)size * (size_t)size;
    int channels = view->channels;
    int green = channels == 3 ? 1 : 0, blue = 2 * green;
    int step = flip ? -channels : channels;
    for (int y = 0; y < size; y++, out += size) {
        const uint8_t *pixel = dip_image_view_row(view, y);
        if (flip)
            pixel += (size_t)(size - 1) * (size_t)channels;
        for (int x = 0; x < size; x++, pixel += step) {
            out[(size_t)x] = t->levels[0][pixel[0]];
            out[plane + (size_t)x] = t->levels[1][pixel[green]];
            out[2 * plane + (size_t)x] = t->levels[2][pixel[blue]];
        }
    }
}

static void cut_out(float *out, const dip_window *hole, int size)
{
    for (int c = 0; c < 3; c++) {
        float *plane = out + (size_t)c * (size_t)size * (size_t)size;
        for (int y = hole->y; y < hole->y + hole->height; y++)
            memset(plane + (size_t)y * (size_t)size + hole->x, 0,
                   (size_t)hole->width * sizeof *plane);
    }
}

dip_status dip_transform_apply(float *out, dip_transformer *transformer,
                               const dip_image_view *image, dip_rng *rng,
                               dip_err *err)
{
    dip_status st = dip_image_view_check(image, err);
    if (st != DIP_OK)
        return st;
    dip_image_view view;
    finish last = {0};
    if (rng)
        st = prepare_augmented(&view, &last, transformer, image, rng, err);
    else
        st = prepare(&view, transformer, image, err);
    if (st != DIP_OK)
        return st;
    normalise(out, transformer, &view, last.flip);
    cut_out(out, &last.hole, transformer->spec.size);
    return DIP_OK;
}

dip_status dip_transformer_create(dip_transformer **out,
                                  const dip_transform *transform, dip_err *err)
{
    *out = NULL;
    dip_status st = dip_transform_check(transform, err);
    if (st != DIP_OK)
        return st;
    dip_transformer *t = dip_calloc(1, sizeof *t);
    if (!t)
        return dip_no_memory(err);
    t->spec = *transform;
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 256; i++)
            t->levels[c][i] =
                ((float)i / 255.0f - transform->mean[c]) / transform->std[c];
    st = dip_resizer_create(&t->resizer, false, err);
    if (st != DIP_OK) {
        dip_transformer_destroy(t);
        return st;
    }
    *out = t;
    return DIP_OK;
}

void dip_transformer_destroy(dip_transformer *transformer)
{
    if (!transformer)
        return;
    dip_resizer_destroy(transformer->resizer);
    dip_image_free(&transformer->work[0]);
    dip_image_free(&transformer->work[1]);
    free(transformer);
}
