#include "image/augment.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "image/colour.h"

enum { CROP_TRIES = 10 };

static double uniform_between(dip_rng *rng, double least, double most)
{
    return least + (most - least) * dip_rng_uniform(rng);
}

static dip_window centred_crop(const dip_augment_resized_crop *crop, int width,
                               int height)
{
    double ratio = (double)width / height;
    dip_window part = {.width = width, .height = height};
    if (ratio < crop->ratio[0])
        part.height = (int)rint(width / crop->ratio[0]);
    else if (ratio > crop->ratio[1])
        part.width = (int)rint(height * crop->ratio[1]);
    /* A ratio beyond the sides would round to nothing. */
    part.width = part.width < 1 ? 1 : part.width;
    part.height = part.height < 1 ? 1 : part.height;
    part.x = (width - part.width) / 2;
    part.y = (height - part.height) / 2;
    return part;
}

dip_window dip_augment_choose_crop(dip_rng *rng,
                                   const dip_augment_resized_crop *crop,
                                   int width, int height)
{
    double area = (double)width * height;
    double log_least = log(crop->ratio[0]), log_most = log(crop->ratio[1]);
    for (int i = 0; i < CROP_TRIES; i++) {
        double part =
            area * uniform_between(rng, crop->scale[0], crop->scale[1]);
        double ratio = exp(uniform_between(rng, log_least, log_most));
        double w = rint(sqrt(part * ratio)), h = rint(sqrt(part / ratio));
        if (!(w >= 1 && w <= width && h >= 1 && h <= height))
            continue;
        dip_window found = {.width = (int)w, .height = (int)h};
        found.y =
            (int)dip_rng_below(rng, (uint64_t)(height - found.height) + 1);
        found.x = (int)dip_rng_below(rng, (uint64_t)(width - found.width) + 1);
        return found;
    }
    return centred_crop(crop, width, height);
}

/* The part of a side from `at` on that lies in the image. */
static void clip_side(int *at, int *length, int size)
{
    int end = *at + *length;
    *at = *at < 0 ? 0 : *at;
    *length = (end > size ? size : end) - *at;
}

dip_window dip_augment_choose_hole(dip_rng *rng,
                                   const dip_augment_cutout *cutout, int size)
{
    dip_window hole = {.width = cutout->size, .height = cutout->size};
    hole.y = (int)dip_rng_below(rng, (uint64_t)size) - cutout->size / 2;
    hole.x = (int)dip_rng_below(rng, (uint64_t)size) - cutout->size / 2;
    clip_side(&hole.y, &hole.height, size);
    clip_side(&hole.x, &hole.width, size);
    return hole;
}

static double draw_factor(dip_rng *rng, double strength)
{
    double least = strength < 1.0 ? 1.0 - strength : 0.0;
    return uniform_between(rng, least, 1.0 + strength);
}

void dip_augment_apply_jitter(dip_rng *rng, const dip_augment_jitter *jitter,
                              uint8_t *rgb, size_t pixels)
{
    const struct {
        void (*apply)(uint8_t *rgb, size_t pixels, double amount);
        double amount;
        bool active;
    } changes[] = {
        {dip_colour_brightness, draw_factor(rng, jitter->brightness),
         jitter->brightness > 0},
        {dip_colour_contrast, draw_factor(rng, jitter->contrast),
         jitter->contrast > 0},
        {dip_colour_saturation, draw_factor(rng, jitter->saturation),
         jitter->saturation > 0},
        {dip_colour_hue, uniform_between(rng, -jitter->hue, jitter->hue),
         jitter->hue > 0},
    };
    int64_t order[] = {0, 1, 2, 3};
    dip_rng_shuffle(rng, order, 4);
    for (int i = 0; i < 4; i++)
        if (changes[order[i]].active)
            changes[order[i]].apply(rgb, pixels, changes[order[i]].amount);
}
