#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/export/helper.h"

static void write_model(const place *p, dip_model *model, dip_model *blank,
                        const dip_samples *samples, size_t checks)
{
    dip_err err = {0};
    const dip_export_job job = {
        .model = model, .blank = blank, .samples = samples};
    dip_export_result result = {.artefacts = json_array()};
    assert_ok(dip_dir_make(p->dir, &err), &err);
    assert_ok(dip_export_format_find("safetensors")
                  ->write(&result, &job, p->dir, &err),
              &err);
    assert_int_equal(json_array_size(result.artefacts), 1);
    assert_int_equal(result.gate.count, checks);
    json_decref(result.artefacts);
    dip_gate_report_free(&result.gate);
}

/* All names and values of the model, and nothing else. */
static void assert_same_weights(const place *p, dip_model *model)
{
    char path[96];
    (void)snprintf(path, sizeof path, "%s/model.safetensors", p->dir);
    dip_safetensors *file = golden_open(path);
    const dip_params *params = dip_model_params(model);
    assert_int_equal(dip_safetensors_count(file), dip_params_count(params));
    for (int i = 0; i < dip_params_count(params); i++) {
        int at = dip_safetensors_find(file, dip_params_name(params, i));
        assert_true(at >= 0);
        assert_near(relative(dip_safetensors_tensor(file, at),
                             dip_t_detach(dip_params_tensor(params, i))),
                    0, 0);
    }
    dip_safetensors_close(file);
}

static void test_safetensors_every_kind_comes_back(void **state)
{
    (void)state;
    for (int i = 0; i < config_count(); i++) {
        dip_model_config c = config_of(i);
        dip_model *model = make_model(&c);
        dip_params_channels_last(dip_model_params(model));
        c.seed++; /* the blank model must not agree before it is filled */
        dip_model *blank = make_model(&c);
        dip_samples samples = {0};
        fill_samples(&samples, model);
        place p = make_place();
        /* 3 batch sizes: image 1, texts 2 (the longest fills the context),
         * fields 2, heads 1 + 1 + 1 + 1 + 2 */
        write_model(&p, model, blank, &samples, 3 * 14);
        dip_scope_open();
        assert_same_weights(&p, model);
        dip_scope_close();
        remove_place(&p);
        dip_samples_free(&samples);
        dip_model_free(blank);
        dip_model_free(model);
    }
}

/* A model of another shape cannot take the file: that is found, not hidden. */
static void test_safetensors_that_do_not_load_are_refused(void **state)
{
    (void)state;
    dip_model_config c = config_of(0);
    dip_model *model = make_model(&c);
    c.embed_dim = 16;
    dip_model *blank = make_model(&c);
    dip_samples samples = {0};
    fill_samples(&samples, model);
    place p = make_place();
    dip_err err = {0};
    const dip_export_job job = {
        .model = model, .blank = blank, .samples = &samples};
    dip_export_result result = {.artefacts = json_array()};
    assert_ok(dip_dir_make(p.dir, &err), &err);
    assert_int_equal(dip_export_format_find("safetensors")
                         ->write(&result, &job, p.dir, &err),
                     DIP_EDATA);
    assert_int_equal(result.gate.count, 0);
    json_decref(result.artefacts);
    remove_place(&p);
    dip_samples_free(&samples);
    dip_model_free(blank);
    dip_model_free(model);
}

static void test_formats_are_found_by_name(void **state)
{
    (void)state;
    assert_int_equal(dip_export_format_count(), 3);
    for (int i = 0; i < dip_export_format_count(); i++) {
        const dip_export_format *format = dip_export_format_at(i);
        assert_ptr_equal(dip_export_format_find(format->name), format);
        assert_true(strlen(format->summary) > 0);
    }
    assert_null(dip_export_format_find("onnx2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_safetensors_every_kind_comes_back),
        MODEL_TEST(test_safetensors_that_do_not_load_are_refused),
        MODEL_TEST(test_formats_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
