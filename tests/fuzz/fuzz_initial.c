#include "base/mem.h"
#include "models/initial.h"
#include "models/weights.h"
#include "tests/fuzz/fuzz.h"
#include "tests/models/initial_config.h"

const char *const fuzz_seeds[] = {
    "tests/golden/initial/hf_bert.weights.safetensors",
    "tests/golden/initial/hf_clip.weights.safetensors",
    "tests/golden/initial/open_clip.weights.safetensors", NULL};

const char *const fuzz_words[] = {
    "visual.",
    "text_model.encoder.layers.0.",
    "module.",
    "vision_model.",
    "attn.in_proj_weight",
    "self_attn.q_proj.bias",
    ".weight",
    "positional_embedding",
    "layers.99999999999.",
    "\"F16\"",
    "\"shape\":[6,8]",
    "transformer.resblocks.",
    "encoder.layer.0.",
    "logit_scale",
    NULL,
};

/* Weights of any origin into a small model, which is made once; then as weights
 * of the model itself. */
void fuzz_one(const char *path, const char *bytes, size_t n)
{
    (void)bytes, (void)n;
    static dip_model *model;
    const dip_model_config config = initial_config("gelu");
    dip_err err = {0};
    if (model == NULL && dip_model_create(&model, &config, &err) != DIP_OK)
        return;
    for (int part = 0; part < DIP_INITIAL_PART_COUNT; part++) {
        dip_initial_report report;
        dip_scope_open();
        (void)!dip_initial_load(&report, dip_model_params(model),
                                (dip_initial_part)part,
                                dip_image_kind_find("vit"), path, &err);
        dip_scope_close();
        (void)!dip_tensor_status(&err);
        dip_initial_report_free(&report);
    }
    (void)!dip_weights_load(dip_model_params(model), "", path, &err);
    (void)!dip_tensor_status(&err);
}
