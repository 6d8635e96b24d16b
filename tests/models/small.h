/* Towers small enough to try them all. */
#ifndef DIP_TESTS_MODELS_SMALL_H
#define DIP_TESTS_MODELS_SMALL_H

#include <string.h>

#include "models/tower.h"

/* The least that every image tower takes. */
#define SMALL_SIDE 32

/* Small options of every kind that the table may hold. */
static inline dip_image_options small_image(const char *kind)
{
    dip_image_options o = {.kind = kind, .image_size = SMALL_SIDE};
    if (strcmp(kind, "vit") == 0 || strcmp(kind, "siglip") == 0) {
        o.patch = 8;
        o.width = 16;
        o.depth = 2;
        o.heads = 4;
    } else if (strcmp(kind, "resnet") == 0) {
        o.width = 4;
        o.stem = "small";
    } else if (strcmp(kind, "vgg") == 0) {
        o.width = 4;
        o.depth = 11;
    } else if (strcmp(kind, "efficientnet_lite0") == 0) {
        o.width = 4;
        o.layer_count = 7;
        for (int i = 0; i < o.layer_count; i++)
            o.layers[i] = 1;
    } else if (strcmp(kind, "clip_resnet") == 0) {
        o.width = 4;
        o.features = 24;
        o.layer_count = 4;
        for (int i = 0; i < o.layer_count; i++)
            o.layers[i] = 1;
    }
    return o;
}

#endif
