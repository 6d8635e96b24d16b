/* The model of gen_initial.py in tests/parity, whose files of several origins
 * stand in tests/golden/initial. */
#ifndef DIP_TESTS_MODELS_INITIAL_CONFIG_H
#define DIP_TESTS_MODELS_INITIAL_CONFIG_H

#include "models/model.h"

static inline dip_model_config initial_config(const char *activation)
{
    return (dip_model_config){
        .image = {.kind = "vit",
                  .image_size = 16,
                  .patch = 8,
                  .width = 8,
                  .depth = 1,
                  .heads = 2,
                  .activation = activation},
        .text = {.kind = "transformer",
                 .vocabulary = 20,
                 .context = 6,
                 .width = 8,
                 .depth = 1,
                 .heads = 2,
                 .activation = activation},
        .embed_dim = 6,
        .seed = 5,
    };
}

#endif
