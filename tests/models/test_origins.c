#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "models/origins.h"

#define QKV   0, 3
#define BLOCK "image.transformer.resblocks.11."

/* Names as the origins' state dicts have them, beside the same weights in
 * open_clip's plain ViT and text transformer, below our parts. */
static const struct {
    const char *theirs, *ours;
    int first, count;
    bool transposed;
} cases[] = {
    /* open_clip, OpenAI */
    {"visual.conv1.weight", "image.conv1.weight", QKV, false},
    {"visual.proj", "image_projection.weight", QKV, true},
    {"visual.layer4.2.downsample.1.running_var",
     "image.layer4.2.downsample.1.running_var", QKV, false},
    {"visual.attnpool.q_proj.bias", "image.attnpool.q_proj.bias", QKV, false},
    {"visual.transformer.resblocks.11.attn.in_proj_weight",
     BLOCK "attn.in_proj_weight", QKV, false},
    {"transformer.resblocks.0.ln_1.bias",
     "text.transformer.resblocks.0.ln_1.bias", QKV, false},
    {"token_embedding.weight", "text.token_embedding.weight", QKV, false},
    {"positional_embedding", "text.positional_embedding", QKV, false},
    {"ln_final.weight", "text.ln_final.weight", QKV, false},
    {"text_projection", "text_projection.weight", QKV, true},
    {"logit_scale", "logit_scale", QKV, false},
    {"module.visual.ln_pre.bias", "image.ln_pre.bias", QKV, false},
    /* open_clip's towers of their own */
    {"text.transformer.resblocks.3.mlp.c_fc.bias",
     "text.transformer.resblocks.3.mlp.c_fc.bias", QKV, false},
    {"text.text_projection.bias", "text_projection.bias", QKV, false},
    {"text.transformer.encoder.layer.0.output.dense.weight",
     "text.encoder.layer.0.output.dense.weight", QKV, false},
    {"visual.trunk.pos_embed", "image.positional_embedding", QKV, false},
    {"visual.trunk.patch_embed.proj.bias", "image.conv1.bias", QKV, false},
    {"visual.trunk.blocks.11.norm2.weight", BLOCK "ln_2.weight", QKV, false},
    {"visual.trunk.blocks.11.attn.qkv.weight", BLOCK "attn.in_proj_weight", QKV,
     false},
    {"visual.trunk.blocks.11.attn.proj.weight", BLOCK "attn.out_proj.weight",
     QKV, false},
    {"visual.trunk.blocks.11.mlp.fc2.bias", BLOCK "mlp.c_proj.bias", QKV,
     false},
    {"visual.trunk.norm.weight", "image.ln_post.weight", QKV, false},
    {"visual.trunk.attn_pool.q.weight", "image.attn_pool.in_proj_weight", 0, 1,
     false},
    {"visual.trunk.attn_pool.kv.bias", "image.attn_pool.in_proj_bias", 1, 2,
     false},
    /* Hugging Face */
    {"vision_model.embeddings.patch_embedding.weight", "image.conv1.weight",
     QKV, false},
    {"vision_model.embeddings.position_embedding.weight",
     "image.positional_embedding", QKV, false},
    {"vision_model.pre_layrnorm.weight", "image.ln_pre.weight", QKV, false},
    {"vision_model.encoder.layers.11.self_attn.q_proj.weight",
     BLOCK "attn.in_proj_weight", 0, 1, false},
    {"vision_model.encoder.layers.11.self_attn.k_proj.bias",
     BLOCK "attn.in_proj_bias", 1, 1, false},
    {"vision_model.encoder.layers.11.self_attn.v_proj.weight",
     BLOCK "attn.in_proj_weight", 2, 1, false},
    {"vision_model.encoder.layers.11.layer_norm1.bias", BLOCK "ln_1.bias", QKV,
     false},
    {"vision_model.head.attention.in_proj_weight",
     "image.attn_pool.in_proj_weight", QKV, false},
    {"vision_model.head.mlp.fc1.weight", "image.attn_pool.mlp.fc1.weight", QKV,
     false},
    {"visual_projection.weight", "image_projection.weight", QKV, false},
    {"text_model.final_layer_norm.bias", "text.ln_final.bias", QKV, false},
    {"text_model.embeddings.token_embedding.weight",
     "text.token_embedding.weight", QKV, false},
    {"text_model.head.weight", "text_projection.weight", QKV, false},
    {"text_projection.weight", "text_projection.weight", QKV, false},
    {"bert.encoder.layer.5.attention.self.query.weight",
     "text.encoder.layer.5.attention.self.query.weight", QKV, false},
    /* ours */
    {"image.conv1.weight", "image.conv1.weight", QKV, false},
    {"fusion.weights", "fusion.weights", QKV, false},
    {"heads.type.bias", "heads.type.bias", QKV, false},
};

static void test_origins_names_are_read_into_one_language(void **state)
{
    (void)state;
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_origin_name name;
        assert_true(dip_origin_read(&name, cases[i].theirs, NULL));
        assert_string_equal(name.name, cases[i].ours);
        assert_int_equal(name.first, cases[i].first);
        assert_int_equal(name.count, cases[i].count);
        assert_int_equal(name.transposed, cases[i].transposed);
    }
}

/* torchvision, timm and BERT name no part. */
static void test_origins_a_tower_alone_is_of_the_part_asked_for(void **state)
{
    (void)state;
    dip_origin_name name;
    assert_true(dip_origin_read(&name, "layer1.0.conv1.weight", "image"));
    assert_string_equal(name.name, "image.layer1.0.conv1.weight");
    assert_true(dip_origin_read(&name, "cls_token", "image"));
    assert_string_equal(name.name, "image.class_embedding");
    assert_true(dip_origin_read(&name, "embeddings.LayerNorm.bias", "text"));
    assert_string_equal(name.name, "text.embeddings.LayerNorm.bias");
    assert_true(dip_origin_read(&name, "layer1.0.conv1.weight", NULL));
    assert_string_equal(name.name, "layer1.0.conv1.weight");
    assert_false(dip_origin_tells_part("cls_token"));
    assert_true(dip_origin_tells_part("vision_model.pre_layrnorm.bias"));
}

static void test_origins_what_is_no_weight_is_left_out(void **state)
{
    (void)state;
    dip_origin_name name;
    char endless[2 * DIP_ORIGIN_NAME_MAX];
    assert_false(
        dip_origin_read(&name, "visual.bn1.num_batches_tracked", NULL));
    assert_false(dip_origin_read(&name, "attn_mask", NULL));
    assert_false(
        dip_origin_read(&name, "text_model.embeddings.position_ids", NULL));
    memset(endless, 'x', sizeof endless);
    endless[sizeof endless - 1] = '\0';
    assert_false(dip_origin_read(&name, endless, NULL));
    assert_false(dip_origin_read(&name, endless, "image"));
    memcpy(endless, "visual.", 7);
    assert_false(dip_origin_read(&name, endless, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_origins_names_are_read_into_one_language),
        cmocka_unit_test(test_origins_a_tower_alone_is_of_the_part_asked_for),
        cmocka_unit_test(test_origins_what_is_no_weight_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
