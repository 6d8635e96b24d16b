/* The rows of the tables in tower.c. A new tower adds its name here, and
 * defines dip_image_<name> or dip_text_<name> in a file of its own. */
#ifndef DIP_MODELS_TOWERS_H
#define DIP_MODELS_TOWERS_H

#include "models/tower.h"

#define DIP_IMAGE_TOWER_TABLE(X)                                               \
    X(clip_resnet)                                                             \
    X(cnn)                                                                     \
    X(efficientnet_lite0)                                                      \
    X(resnet)                                                                  \
    X(siglip)                                                                  \
    X(vgg)                                                                     \
    X(vit)

#define DIP_TEXT_TOWER_TABLE(X)                                                \
    X(bag)                                                                     \
    X(cnn)                                                                     \
    X(lstm)                                                                    \
    X(gru)                                                                     \
    X(transformer)                                                             \
    X(bert)

#define DIP_IMAGE_TOWER_DECLARE(name)                                          \
    extern const dip_image_kind dip_image_##name;
#define DIP_TEXT_TOWER_DECLARE(name) extern const dip_text_kind dip_text_##name;
DIP_IMAGE_TOWER_TABLE(DIP_IMAGE_TOWER_DECLARE)
DIP_TEXT_TOWER_TABLE(DIP_TEXT_TOWER_DECLARE)
#undef DIP_IMAGE_TOWER_DECLARE
#undef DIP_TEXT_TOWER_DECLARE

/* What the towers of patches share: a patch of 16 pixels by default, which must
 * divide the image. */
dip_status dip_patch_check(dip_image_options *options,
                           dip_err *err) DIP_MUST_CHECK;

#endif
