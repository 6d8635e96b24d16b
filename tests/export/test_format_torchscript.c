#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/export/helper.h"

/* Exports into a new folder; *result is the caller's. */
static place export_model(dip_export_result *result, dip_model *model,
                          const dip_samples *samples)
{
    place p = make_place();
    dip_err err = {0};
    const dip_export_job job = {.model = model, .samples = samples};
    *result = (dip_export_result){.artefacts = json_array()};
    assert_ok(dip_dir_make(p.dir, &err), &err);
    assert_ok(
        dip_export_format_find("torchscript")->write(result, &job, p.dir, &err),
        &err);
    return p;
}

static void end_export(dip_export_result *result, const place *p)
{
    json_decref(result->artefacts);
    dip_gate_report_free(&result->gate);
    remove_place(p);
}

static dip_script *open_script(const place *p, const char *name)
{
    char path[96];
    dip_script *script = NULL;
    dip_err err = {0};
    (void)snprintf(path, sizeof path, "%s/%s", p->dir, name);
    assert_ok(dip_script_load(&script, path, DIP_CPU, &err), &err);
    return script;
}

static dip_tensor *run(const place *p, const char *name,
                       dip_tensor *const *inputs, int count)
{
    dip_tensor *out = NULL;
    dip_script *script = open_script(p, name);
    dip_script_run(script, inputs, count, &out, 1);
    dip_script_free(script);
    assert_no_error();
    return out;
}

/* ---- each part against the model, at sizes that were not traced ---------- */

static void compare_images(const place *p, const dip_model *model)
{
    static const int64_t batches[] = {1, 3, 20};
    for (size_t i = 0; i < DIP_ARRAY_LEN(batches); i++) {
        dip_tensor *images = pattern(SIZES(batches[i], 3, SIDE, SIDE));
        dip_encoded live = dip_model_encode_image(model, images, false);
        assert_rows(run(p, "image_encoder.pt", &images, 1), live.embedding,
                    TOLERANCE);
        assert_rows(run(p, "head_1_of_image.pt", &live.embedding, 1),
                    dip_model_head_logits(model, 1, live.embedding), TOLERANCE);
        assert_rows(run(p, "head_3_of_photo.pt", &images, 1),
                    dip_model_head_logits(model, 3, live.features), TOLERANCE);
    }
}

static const int64_t IDS[3][CONTEXT] = {
    {4, 2, 7, 1, 3, 9}, {9, 10, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0}};

/* Texts of at most T tokens, with padding and an empty one among them. */
static void compare_texts(const place *p, const dip_model *model)
{
    for (int64_t tokens = 1; tokens <= CONTEXT; tokens++) {
        int64_t lengths[3] = {tokens, tokens < 2 ? tokens : 2, 0};
        dip_tensor *all = dip_tensor_from(IDS, DIP_I64, SIZES(3, CONTEXT));
        dip_tensor *inputs[] = {dip_t_narrow(all, 1, 0, tokens),
                                dip_tensor_from(lengths, DIP_I64, SIZES(3))};
        dip_encoded live =
            dip_model_encode_text(model, inputs[0], inputs[1], false);
        assert_rows(run(p, "text_encoder.pt", inputs, 2), live.embedding,
                    TOLERANCE);
        assert_rows(run(p, "head_2_of_text.pt", &live.embedding, 1),
                    dip_model_head_logits(model, 2, live.embedding), TOLERANCE);
        assert_rows(run(p, "head_4_of_words.pt", inputs, 2),
                    dip_model_head_logits(model, 4, live.features), TOLERANCE);
    }
}

static void compare_long_text(const place *p, const dip_model *model)
{
    static const int64_t ids[CONTEXT + 2] = {4, 2, 7, 1, 3, 9, 5, 8};
    static const int64_t length = CONTEXT + 2, cut = CONTEXT;
    dip_tensor *given[] = {dip_tensor_from(ids, DIP_I64, SIZES(1, CONTEXT + 2)),
                           dip_tensor_from(&length, DIP_I64, SIZES(1))};
    dip_tensor *live =
        dip_model_encode_text(model, dip_t_narrow(given[0], 1, 0, CONTEXT),
                              dip_tensor_from(&cut, DIP_I64, SIZES(1)), false)
            .embedding;
    assert_rows(run(p, "text_encoder.pt", given, 2), live, TOLERANCE);
}

static void compare_products(const place *p, const dip_model *model)
{
    static const unsigned char present[5][3] = {
        {1, 1, 1}, {1, 0, 0}, {0, 1, 1}, {0, 0, 0}, {0, 0, 1}};
    dip_tensor *rows = dip_t_normalize(pattern(SIZES(5, 3, 8)), 2);
    dip_tensor *inputs[] = {rows,
                            dip_tensor_from(present, DIP_BOOL, SIZES(5, 3))};
    dip_encoded fields[3] = {0};
    for (int f = 0; f < 3; f++)
        fields[f].embedding = dip_t_select(rows, 1, f);
    dip_tensor *live = dip_model_fuse(model, fields, inputs[1], false);
    assert_rows(run(p, "fusion.pt", inputs, 2), live, TOLERANCE);
    assert_rows(run(p, "head_0_of_product.pt", &live, 1),
                dip_model_head_logits(model, 0, live), TOLERANCE);
}

/* From photos and ids, two texts of which are longer than they say, or empty;
 * without the padding that the texts need not have, too. */
static void compare_raw_products(const place *p, const dip_model *model)
{
    static const unsigned char present[5][3] = {
        {1, 1, 1}, {1, 0, 1}, {0, 1, 1}, {0, 0, 0}, {1, 1, 1}};
    static const unsigned char there[5][3] = {
        {1, 1, 1}, {1, 0, 0}, {0, 1, 1}, {0, 0, 0}, {1, 0, 1}};
    static const int64_t lengths[5][2] = {
        {4, 2}, {3, 0}, {1, 4}, {2, 2}, {0, 3}};
    int64_t ids[5][2][4];
    for (int i = 0; i < 5 * 2 * 4; i++)
        ids[i / 8][i / 4 % 2][i % 4] = 1 + (i * 7 + i / 5) % 10;
    dip_tensor *inputs[] = {pattern(SIZES(5, 3, SIDE, SIDE)),
                            dip_tensor_from(ids, DIP_I64, SIZES(5, 2, 4)),
                            dip_tensor_from(lengths, DIP_I64, SIZES(5, 2)),
                            dip_tensor_from(present, DIP_BOOL, SIZES(5, 3))};
    dip_encoded fields[3] = {
        dip_model_encode_image_field(model, inputs[0], false)};
    for (int f = 1; f < 3; f++)
        fields[f] = dip_model_encode_text_field(
            model, dip_t_select(inputs[1], 1, f - 1),
            dip_t_select(inputs[2], 1, f - 1), false);
    dip_tensor *live = dip_model_fuse(
        model, fields, dip_tensor_from(there, DIP_BOOL, SIZES(5, 3)), false);
    assert_rows(run(p, "product_encoder.pt", inputs, 4), live, TOLERANCE);
    assert_near(dip_tensor_item(dip_t_norm_all(dip_t_select(live, 0, 3))), 0,
                0);
    assert_rows(run(p, "head_0_of_product.pt", &live, 1),
                dip_model_head_logits(model, 0, live), TOLERANCE);
}

static void test_torchscript_every_kind_agrees_at_other_sizes(void **state)
{
    (void)state;
    for (int i = 0; i < config_count(); i++) {
        dip_model_config c = config_of(i);
        dip_model *model = make_model(&c);
        dip_samples samples = {0};
        dip_export_result result;
        fill_samples(&samples, model);
        place p = export_model(&result, model, &samples);
        assert_int_equal(json_array_size(result.artefacts), 10);
        dip_scope_open();
        compare_images(&p, model);
        compare_texts(&p, model);
        compare_long_text(&p, model);
        if (dip_model_fuses_tokens(model))
            compare_raw_products(&p, model);
        else
            compare_products(&p, model);
        dip_scope_close();
        end_export(&result, &p);
        dip_samples_free(&samples);
        dip_model_free(model);
    }
}

static void test_torchscript_every_pooling_agrees(void **state)
{
    (void)state;
    for (int i = 0; i < pooling_count(); i++) {
        dip_model_config c = config_of_pooling(i);
        dip_model *model = make_model(&c);
        dip_samples samples = {0};
        dip_export_result result;
        fill_samples(&samples, model);
        place p = export_model(&result, model, &samples);
        dip_scope_open();
        compare_texts(&p, model);
        dip_scope_close();
        end_export(&result, &p);
        dip_samples_free(&samples);
        dip_model_free(model);
    }
}

/* ---- what is in a file --------------------------------------------------- */

static int64_t size_of(const place *p, const char *name)
{
    char path[96];
    dip_file_info info = {0};
    dip_err err = {0};
    (void)snprintf(path, sizeof path, "%s/%s", p->dir, name);
    assert_ok(dip_file_stat(&info, path, &err), &err);
    return info.size;
}

static int64_t bytes_below(dip_model *model, const char *prefix)
{
    int64_t bytes = 0;
    const dip_params *params = dip_model_params(model);
    for (int i = 0; i < dip_params_count(params); i++)
        if (strncmp(dip_params_name(params, i), prefix, strlen(prefix)) == 0)
            bytes += dip_tensor_numel(dip_params_tensor(params, i)) * 4;
    return bytes;
}

static void test_torchscript_holds_only_the_weights_it_needs(void **state)
{
    (void)state;
    const int64_t graph = 200 * 1000; /* more than a graph takes here */
    dip_model_config c = config_of(0);
    c.image = (dip_image_options){.kind = "vit",
                                  .image_size = SIDE,
                                  .patch = 8,
                                  .width = 128,
                                  .depth = 2};
    c.text = (dip_text_options){
        .kind = "bag", .vocabulary = 4000, .context = CONTEXT, .width = 128};
    dip_model *model = make_model(&c);
    dip_samples samples = {0};
    dip_export_result result;
    fill_samples(&samples, model);
    place p = export_model(&result, model, &samples);
    int64_t image = bytes_below(model, "image."),
            text = bytes_below(model, "text.");
    assert_true(image > 4 * graph && text > 4 * graph);
    assert_in_range(size_of(&p, "image_encoder.pt"), image, image + graph);
    assert_in_range(size_of(&p, "head_3_of_photo.pt"), image, image + graph);
    assert_in_range(size_of(&p, "text_encoder.pt"), text, text + graph);
    assert_in_range(size_of(&p, "fusion.pt"), 0, graph);
    assert_in_range(size_of(&p, "head_0_of_product.pt"), 0, graph);
    end_export(&result, &p);
    dip_samples_free(&samples);
    dip_model_free(model);
}

static void test_torchscript_leaves_out_what_has_no_input(void **state)
{
    (void)state;
    dip_model_config c = config_of(0);
    c.field_count = 0;
    c.heads[0] = c.heads[4]; /* of the words; no product, no photo */
    c.head_count = 1;
    dip_model *model = make_model(&c);
    dip_samples samples = {0};
    dip_err err = {0};
    const dip_samples_options options = {
        .rows = 2, .context = CONTEXT, .text_count = 1};
    assert_ok(dip_samples_make(&samples, &options, model, &err), &err);
    samples.lengths[0][1] = 2;
    samples.ids[0][CONTEXT] = samples.ids[0][CONTEXT + 1] = 5;
    assert_ok(dip_samples_encode(&samples, model, &err), &err);
    dip_export_result result;
    place p = export_model(&result, model, &samples);
    char **names = NULL;
    size_t count = 0;
    assert_ok(dip_dir_list(&names, &count, p.dir, &err), &err);
    assert_int_equal(count, 2);
    assert_string_equal(names[0], "head_0_of_words.pt");
    assert_string_equal(names[1], "text_encoder.pt");
    dip_dir_list_free(names, count);
    end_export(&result, &p);
    dip_samples_free(&samples);
    dip_model_free(model);
}

static void test_torchscript_describes_its_inputs(void **state)
{
    (void)state;
    dip_model_config c = config_of(0);
    dip_model *model = make_model(&c);
    dip_samples samples = {0};
    dip_export_result result;
    fill_samples(&samples, model);
    place p = export_model(&result, model, &samples);
    const json_t *text = json_array_get(result.artefacts, 1);
    char *dump = json_dumps(text, JSON_COMPACT);
    assert_string_equal(
        dump,
        "{\"file\":\"text_encoder.pt\",\"part\":\"text_encoder\",\"inputs\":["
        "{\"name\":\"ids\",\"dtype\":\"int64\",\"shape\":[\"batch\",\"tokens\"]"
        "},{\"name\":\"lengths\",\"dtype\":\"int64\",\"shape\":[\"batch\"]}],"
        "\"output\":{\"name\":\"embeddings\",\"dtype\":\"float32\",\"shape\":["
        "\"batch\",8]}}");
    free(dump);
    const json_t *head = json_array_get(result.artefacts, 5);
    assert_string_equal(json_string_value(json_object_get(head, "label")),
                        "of/image");
    assert_string_equal(json_string_value(json_object_get(head, "of")),
                        "image");
    end_export(&result, &p);
    dip_samples_free(&samples);
    dip_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_torchscript_every_kind_agrees_at_other_sizes),
        MODEL_TEST(test_torchscript_every_pooling_agrees),
        MODEL_TEST(test_torchscript_holds_only_the_weights_it_needs),
        MODEL_TEST(test_torchscript_leaves_out_what_has_no_input),
        MODEL_TEST(test_torchscript_describes_its_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
