#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "export/onnx.h"
#include "export/onnx_part.h"
#include "tests/export/helper.h"

/* Exports into a new folder, which passes the gate. */
static place export_model(dip_export_result *result, dip_model *model,
                          const dip_samples *samples)
{
    place p = make_place();
    dip_err err = {0};
    const dip_export_job job = {.model = model, .samples = samples};
    *result = (dip_export_result){.artefacts = json_array()};
    assert_ok(dip_dir_make(p.dir, &err), &err);
    assert_ok(dip_export_format_find("onnx")->write(result, &job, p.dir, &err),
              &err);
    return p;
}

static void check(dip_model_config *c, size_t parts)
{
    dip_model *model = make_model(c);
    dip_samples samples = {0};
    dip_export_result result;
    fill_samples(&samples, model);
    place p = export_model(&result, model, &samples);
    assert_int_equal(json_array_size(result.artefacts), parts);
    /* every part at batch sizes 1 and 7 at least */
    assert_in_range(result.gate.count, 2 * parts, 100);
    for (size_t i = 0; i < result.gate.count; i++)
        assert_true(result.gate.lines[i].max <= 1e-5);
    json_decref(result.artefacts);
    dip_gate_report_free(&result.gate);
    remove_place(&p);
    dip_samples_free(&samples);
    dip_model_free(model);
}

static void test_onnx_of_every_kind_agrees_at_other_sizes(void **state)
{
    (void)state;
    for (int i = 0; i < config_count(); i++) {
        dip_model_config c = config_of(i);
        check(&c, 10);
    }
}

static void test_onnx_of_every_pooling_agrees(void **state)
{
    (void)state;
    for (int i = 0; i < pooling_count(); i++) {
        dip_model_config c = config_of_pooling(i);
        c.head_count = 0;
        check(&c, 5);
    }
}

/* Scores are distances there, with the temperature and the bias. */
static void test_onnx_of_distances_agrees(void **state)
{
    (void)state;
    dip_model_config c = config_of(0);
    c.similarity = DIP_SIMILARITY_EUCLIDEAN;
    c.has_bias = true;
    c.bias = -3;
    c.head_count = 0;
    check(&c, 5);
}

/* The gate of half precision is wide, but must hold everywhere. */
static void test_onnx_of_every_kind_in_fp16_agrees(void **state)
{
    (void)state;
    for (int i = 0; i < config_count(); i++) {
        dip_model_config c = config_of(i);
        dip_model *model = make_model(&c);
        dip_samples samples = {0};
        dip_part parts[DIP_PARTS_MAX];
        const dip_onnx_options options = {.precision = DIP_PRECISION_FP16};
        fill_samples(&samples, model);
        place p = make_place();
        int count = dip_part_list(parts, model, &samples);
        for (int k = 0; k < count; k++) {
            char path[96];
            dip_err err = {0};
            dip_gate_report report = {0};
            (void)snprintf(path, sizeof path, "%s/part.onnx", p.root);
            assert_ok(
                dip_onnx_part_save(&parts[k], model, &options, path, &err),
                &err);
            assert_ok(dip_onnx_part_verify(&report, &parts[k], model, &options,
                                           path, &err),
                      &err);
            dip_gate_report_free(&report);
        }
        remove_place(&p);
        dip_samples_free(&samples);
        dip_model_free(model);
    }
}

/* Photos as bytes, normalised in the graph. */
static void test_onnx_of_raw_images_agrees(void **state)
{
    (void)state;
    dip_model_config c = config_of(0);
    dip_model *model = make_model(&c);
    dip_samples samples = {0};
    dip_part parts[DIP_PARTS_MAX];
    fill_samples(&samples, model);
    place p = make_place();
    dip_onnx_options options = {
        .raw_images = true, .mean = {0.5F, 0.4F, 0.3F}, .std = {0.2F, 1, 0.7F}};
    dip_signature inputs[DIP_PART_INPUTS_MAX];
    char path[96];
    dip_err err = {0};
    dip_gate_report report = {0};
    assert_in_range(dip_part_list(parts, model, &samples), 1, DIP_PARTS_MAX);
    parts[0].raw_images = true;
    assert_int_equal(dip_part_inputs(inputs, &parts[0]), 1);
    assert_int_equal(inputs[0].dtype, DIP_U8);
    assert_int_equal(inputs[0].sizes[3], 3);
    (void)snprintf(path, sizeof path, "%s/part.onnx", p.root);
    assert_ok(dip_onnx_part_save(&parts[0], model, &options, path, &err), &err);
    assert_ok(
        dip_onnx_part_verify(&report, &parts[0], model, &options, path, &err),
        &err);
    /* another mean in the graph than in the check */
    options.mean[1] = 0.42F;
    assert_int_equal(
        dip_onnx_part_verify(&report, &parts[0], model, &options, path, &err),
        DIP_EVERIFY);
    dip_gate_report_free(&report);
    remove_place(&p);
    dip_samples_free(&samples);
    dip_model_free(model);
}

/* ---- labels and numbers -------------------------------------------------- */

static const dip_attribute_options attributes[] = {
    {.kind = DIP_ATTRIBUTE_LABEL, .names = 3},
    {.kind = DIP_ATTRIBUTE_STANDARDISED, .mean = 2, .deviation = 3},
    {.kind = DIP_ATTRIBUTE_STANDARDISED,
     .mean = 2,
     .deviation = 3,
     .hidden = 4},
    {.kind = DIP_ATTRIBUTE_BUCKETISED, .edges = {-1, 0.5, 2}, .edge_count = 3},
    {.kind = DIP_ATTRIBUTE_BUCKETISED},
};

/* Labels from missing to unknown; numbers at the edges, between, and none. */
static void fill_attribute(dip_samples *s)
{
    static const float numbers[] = {-1, 0.5F, 2, -7, 0, 1, 3e6F};
    for (int i = 0; i < ROWS; i++) {
        if (s->labels[2] != NULL)
            s->labels[2][i] = i % 5 - 1;
        if (s->numbers[2] != NULL)
            s->numbers[2][i] = i % 8 < 7 ? numbers[i % 8] : NAN;
    }
}

static void test_onnx_of_every_attribute_agrees(void **state)
{
    (void)state;
    static const int field_text[] = {DIP_SAMPLES_IMAGE, 0,
                                     DIP_SAMPLES_ATTRIBUTE(2)};
    const dip_samples_options options = {.rows = ROWS,
                                         .image_size = SIDE,
                                         .context = CONTEXT,
                                         .text_count = 1,
                                         .field_text = field_text};
    for (size_t i = 0; i < DIP_ARRAY_LEN(attributes); i++) {
        dip_model_config c = config_of(0);
        c.fields[2] = "colour";
        c.attributes[2] = attributes[i];
        c.head_count = 0;
        dip_model *model = make_model(&c);
        dip_samples samples = {0};
        dip_export_result result;
        dip_err err = {0};
        assert_ok(dip_samples_make(&samples, &options, model, &err), &err);
        fill_attribute(&samples);
        assert_ok(dip_samples_encode(&samples, model, &err), &err);
        place p = export_model(&result, model, &samples);
        assert_int_equal(json_array_size(result.artefacts), 6);
        json_decref(result.artefacts);
        dip_gate_report_free(&result.gate);
        remove_place(&p);
        dip_samples_free(&samples);
        dip_model_free(model);
    }
}

/* ---- broken files -------------------------------------------------------- */

typedef void (*breakage)(Onnx__GraphProto *graph);

static void change_one_weight(Onnx__GraphProto *graph)
{
    for (size_t i = 0; i < graph->n_initializer; i++) {
        const Onnx__TensorProto *t = graph->initializer[i];
        size_t numbers = t->raw_data.len / sizeof(float);
        if (t->data_type != ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT ||
            numbers < 3 || strncmp(t->name, "constant", 8) == 0)
            continue;
        uint8_t *at = t->raw_data.data + numbers / 2 * sizeof(float);
        float value = 0;
        memcpy(&value, at, sizeof value);
        value += 0.01F;
        memcpy(at, &value, sizeof value);
        return;
    }
    fail_msg("no weight to change");
}

static void fix_the_rows(Onnx__GraphProto *graph)
{
    Onnx__TensorShapeProto__Dimension *rows =
        graph->input[0]->type->tensor_type->shape->dim[0];
    free(rows->dim_param);
    rows->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    rows->dim_value = 7;
}

/* The file at `path`, changed. */
static void break_file(const char *path, breakage change)
{
    char *bytes = NULL;
    size_t size = 0;
    dip_err err = {0};
    assert_ok(dip_file_read(&bytes, &size, path, 1 << 24, &err), &err);
    Onnx__ModelProto *model =
        onnx__model_proto__unpack(NULL, size, (const uint8_t *)bytes);
    assert_non_null(model);
    change(model->graph);
    assert_ok(dip_onnx_save(model, path, &err), &err);
    onnx__model_proto__free_unpacked(model, NULL);
    free(bytes);
}

static void assert_caught(breakage change, const char *words)
{
    dip_model_config c = config_of(0);
    dip_model *model = make_model(&c);
    dip_samples samples = {0};
    dip_part parts[DIP_PARTS_MAX];
    fill_samples(&samples, model);
    place p = make_place();
    const dip_onnx_options options = {0};
    int count = dip_part_list(parts, model, &samples);
    for (int i = 0; i < count; i++) {
        char path[96];
        dip_err err = {0};
        dip_gate_report report = {0};
        (void)snprintf(path, sizeof path, "%s/part.onnx", p.root);
        assert_ok(dip_onnx_part_save(&parts[i], model, &options, path, &err),
                  &err);
        assert_ok(dip_onnx_part_verify(&report, &parts[i], model, &options,
                                       path, &err),
                  &err);
        break_file(path, change);
        assert_int_equal(dip_onnx_part_verify(&report, &parts[i], model,
                                              &options, path, &err),
                         DIP_EVERIFY);
        assert_non_null(strstr(err.msg, words));
        dip_gate_report_free(&report);
    }
    remove_place(&p);
    dip_samples_free(&samples);
    dip_model_free(model);
}

static void test_onnx_with_one_changed_weight_is_caught(void **state)
{
    (void)state;
    assert_caught(change_one_weight, "part.onnx");
}

static void test_onnx_with_a_fixed_axis_is_caught(void **state)
{
    (void)state;
    assert_caught(fix_the_rows, "batch size 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_onnx_of_every_kind_agrees_at_other_sizes),
        MODEL_TEST(test_onnx_of_every_pooling_agrees),
        MODEL_TEST(test_onnx_of_distances_agrees),
        MODEL_TEST(test_onnx_of_every_kind_in_fp16_agrees),
        MODEL_TEST(test_onnx_of_raw_images_agrees),
        MODEL_TEST(test_onnx_of_every_attribute_agrees),
        MODEL_TEST(test_onnx_with_one_changed_weight_is_caught),
        MODEL_TEST(test_onnx_with_a_fixed_axis_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
