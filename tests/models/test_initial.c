#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "models/initial.h"
#include "tests/models/helper.h"
#include "tests/models/initial_config.h"

#define GOLDEN "tests/golden/initial/"

static dip_model *make_model(const dip_model_config *config)
{
    dip_model *model;
    dip_err err = {0};
    assert_ok(dip_model_create(&model, config, &err), &err);
    return model;
}

static dip_status load(dip_initial_report *report, dip_model *model,
                       dip_initial_part part, const char *path, dip_err *err)
{
    return dip_initial_load(report, dip_model_params(model), part,
                            dip_image_kind_find("vit"), path, err);
}

static void assert_text(const dip_model *model, const dip_safetensors *golden)
{
    dip_encoded text =
        dip_model_encode_text(model, golden_get(golden, "in", "ids"),
                              golden_get(golden, "in", "lengths"), false);
    assert_rows(text.embedding, golden_get(golden, "out", "text"), TOLERANCE);
}

static void assert_image(const dip_model *model, const dip_safetensors *golden)
{
    dip_encoded image = dip_model_encode_image(
        model, golden_get(golden, "in", "images"), false);
    assert_rows(image.embedding, golden_get(golden, "out", "image"), TOLERANCE);
}

/* All of a file into all of a model, which then computes what its origin
 * does. */
static void check_whole(const char *weights, const char *cases,
                        const char *activation)
{
    dip_err err = {0};
    dip_initial_report report;
    dip_safetensors *golden = golden_open(cases);
    dip_model_config config = initial_config(activation);
    dip_model *model = make_model(&config);
    assert_ok(load(&report, model, DIP_INITIAL_MODEL, weights, &err), &err);
    assert_int_equal(report.matched.count,
                     dip_params_count(dip_model_params(model)));
    assert_int_equal(report.missing.count, 0);
    assert_int_equal(report.unexpected.count, 0);
    assert_int_equal(report.unfit.count, 0);
    assert_int_equal(report.elsewhere, 0);
    assert_image(model, golden);
    assert_text(model, golden);
    dip_initial_report_free(&report);
    dip_model_free(model);
    dip_safetensors_close(golden);
}

static void test_initial_open_clip(void **state)
{
    (void)state;
    check_whole(GOLDEN "open_clip.weights.safetensors",
                GOLDEN "open_clip.safetensors", "gelu");
}

/* Queries, keys and values stand apart there. */
static void test_initial_hugging_face_clip(void **state)
{
    (void)state;
    check_whole(GOLDEN "hf_clip.weights.safetensors",
                GOLDEN "hf_clip.safetensors", "quick_gelu");
}

static void test_initial_hugging_face_bert(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_initial_report report;
    dip_safetensors *golden = golden_open(GOLDEN "hf_bert.safetensors");
    dip_model_config config = initial_config(NULL);
    config.text = (dip_text_options){.kind = "bert",
                                     .vocabulary = 20,
                                     .context = 6,
                                     .width = 8,
                                     .depth = 1,
                                     .heads = 2,
                                     .positions = 8, /* the file has 12 */
                                     .pooling = "pooler"};
    dip_model *model = make_model(&config);
    assert_ok(load(&report, model, DIP_INITIAL_TEXT,
                   GOLDEN "hf_bert.weights.safetensors", &err),
              &err);
    assert_int_equal(report.missing.count, 1);
    assert_string_equal(report.missing.items[0], "text_projection.weight");
    assert_int_equal(report.resized.count, 1);
    assert_string_equal(report.resized.items[0],
                        "text.embeddings.position_embeddings.weight");
    dip_encoded text =
        dip_model_encode_text(model, golden_get(golden, "in", "ids"),
                              golden_get(golden, "in", "lengths"), false);
    assert_rows(text.features, golden_get(golden, "out", "text"), TOLERANCE);
    dip_initial_report_free(&report);
    dip_model_free(model);
    dip_safetensors_close(golden);
}

/* One tower of a file that holds a whole model; a projection that does not fit
 * stays, and the rest of the file is not unexpected. */
static void test_initial_one_part_of_a_whole_file(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_initial_report report;
    dip_model_config config = initial_config(NULL);
    config.embed_dim = 4;
    dip_model *before = make_model(&config), *model = make_model(&config);
    assert_ok(load(&report, model, DIP_INITIAL_IMAGE,
                   GOLDEN "open_clip.weights.safetensors", &err),
              &err);
    assert_int_equal(report.missing.count, 0);
    assert_int_equal(report.unexpected.count, 0);
    assert_int_equal(report.unfit.count, 1);
    assert_string_equal(report.unfit.items[0], "image_projection.weight");
    assert_true(report.elsewhere > 10);
    dip_params *a = dip_model_params(before), *b = dip_model_params(model);
    for (int i = 0; i < dip_params_count(a); i++) {
        bool taken = strncmp(dip_params_name(a, i), "image.", 6) == 0;
        double gap = relative(dip_params_tensor(b, i), dip_params_tensor(a, i));
        assert_int_equal(gap > 0.0, taken);
    }
    dip_initial_report_free(&report);
    dip_model_free(before);
    dip_model_free(model);
}

static void assert_fails(const dip_model_config *config, dip_initial_part part,
                         const char *path, dip_status code, const char *words)
{
    dip_err err = {0};
    dip_initial_report report;
    dip_model *before = make_model(config), *model = make_model(config);
    assert_int_equal(load(&report, model, part, path, &err), code);
    if (!strstr(err.msg, words))
        fail_msg("'%s' does not hold '%s'", err.msg, words);
    dip_params *a = dip_model_params(before), *b = dip_model_params(model);
    for (int i = 0; i < dip_params_count(a); i++)
        assert_true(
            relative(dip_params_tensor(b, i), dip_params_tensor(a, i)) == 0.0);
    dip_initial_report_free(&report);
    dip_model_free(before);
    dip_model_free(model);
}

static void test_initial_what_does_not_fit_changes_nothing(void **state)
{
    (void)state;
    dip_model_config config = initial_config(NULL);
    config.text.vocabulary = 21;
    assert_fails(&config, DIP_INITIAL_MODEL,
                 GOLDEN "open_clip.weights.safetensors", DIP_EDATA,
                 "wrong shape for 'text.token_embedding.weight' in '" GOLDEN
                 "open_clip.weights.safetensors': the file has [20, 8], the "
                 "model has [21, 8]");
    config = initial_config(NULL);
    config.text.context = 7; /* more places than the file has */
    assert_fails(&config, DIP_INITIAL_TEXT,
                 GOLDEN "open_clip.weights.safetensors", DIP_EDATA,
                 "the file has [6, 8], the model has [7, 8]");
    config = initial_config(NULL);
    assert_fails(&config, DIP_INITIAL_IMAGE,
                 GOLDEN "hf_bert.weights.safetensors", DIP_EDATA, "nothing in");
    assert_fails(&config, DIP_INITIAL_IMAGE, "/nonexistent/x", DIP_ENOTFOUND,
                 "/nonexistent/x");
}

/* A text of fewer places takes the first. */
static void test_initial_fewer_places_of_text(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_initial_report report;
    dip_model_config config = initial_config(NULL);
    config.text.context = 3;
    dip_model *model = make_model(&config);
    assert_ok(load(&report, model, DIP_INITIAL_TEXT,
                   GOLDEN "open_clip.weights.safetensors", &err),
              &err);
    assert_int_equal(report.resized.count, 1);
    dip_safetensors *golden = golden_open(GOLDEN "open_clip.safetensors");
    dip_tensor *ids = dip_t_narrow(golden_get(golden, "in", "ids"), 1, 0, 3);
    ids = dip_t_narrow(ids, 0, 0, 1); /* a text of three tokens */
    dip_encoded text = dip_model_encode_text(
        model, ids, dip_t_narrow(golden_get(golden, "in", "lengths"), 0, 0, 1),
        false);
    assert_rows(text.embedding,
                dip_t_narrow(golden_get(golden, "out", "text"), 0, 0, 1),
                TOLERANCE);
    dip_safetensors_close(golden);
    dip_initial_report_free(&report);
    dip_model_free(model);
}

/* ---- folders and indices ---- */

typedef struct {
    char dir[64];
} folder;

static void begin(folder *f)
{
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/diptych-initial-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
}

static void put(const folder *f, const char *name, const char *text)
{
    char *path = dip_path_join(f->dir, name);
    assert_int_equal(dip_file_write(path, text, strlen(text), NULL), DIP_OK);
    free(path);
}

static void copy_golden(const folder *f, const char *name)
{
    char *bytes, *path = dip_path_join(f->dir, name);
    size_t length;
    assert_int_equal(dip_file_read(&bytes, &length,
                                   GOLDEN "open_clip.weights.safetensors",
                                   1 << 20, NULL),
                     DIP_OK);
    assert_int_equal(dip_file_write(path, bytes, length, NULL), DIP_OK);
    free(bytes);
    free(path);
}

static void test_initial_folders_and_indices(void **state)
{
    (void)state;
    folder f;
    begin(&f);
    dip_model_config config = initial_config(NULL);
    assert_fails(&config, DIP_INITIAL_MODEL, f.dir, DIP_ENOTFOUND,
                 "no model.safetensors in the folder");
    put(&f, "model.safetensors.index.json", "{\"weight_map\": 3}");
    assert_fails(&config, DIP_INITIAL_MODEL, f.dir, DIP_EFORMAT, "weight_map");
    put(&f, "model.safetensors.index.json", "{\"weight_map\": {\"a\": 3}}");
    assert_fails(&config, DIP_INITIAL_MODEL, f.dir, DIP_EFORMAT,
                 "weight_map 'a' names no file");
    put(&f, "model.safetensors.index.json",
        "{\"weight_map\": {\"a\": \"../x\"}}");
    assert_fails(&config, DIP_INITIAL_MODEL, f.dir, DIP_EFORMAT,
                 "'../x' is no name of a file");
    put(&f, "model.safetensors.index.json",
        "{\"weight_map\": {\"a\": \"one\", \"b\": \"one\"}}");
    assert_fails(&config, DIP_INITIAL_MODEL, f.dir, DIP_ENOTFOUND, "one");
    copy_golden(&f, "one");
    check_whole(f.dir, GOLDEN "open_clip.safetensors", "gelu");
    copy_golden(&f, "model.safetensors");
    check_whole(f.dir, GOLDEN "open_clip.safetensors", "gelu");
    assert_int_equal(dip_tree_remove(f.dir, NULL), DIP_OK);
}

/* ---- what is in a tensor ---- */

/* Writes the weights of open_clip with `other` in the place of the tensor
 * `name`. */
static char *put_changed(const folder *f, const char *name, dip_tensor *other)
{
    dip_named_tensor tensors[64];
    dip_err err = {0};
    dip_safetensors *golden =
        golden_open(GOLDEN "open_clip.weights.safetensors");
    int count = dip_safetensors_count(golden);
    assert_true(count <= 64 && dip_safetensors_find(golden, name) >= 0);
    for (int i = 0; i < count; i++) {
        const char *own = dip_safetensors_name(golden, i);
        tensors[i].name = own;
        tensors[i].tensor =
            strcmp(own, name) == 0 ? other : dip_safetensors_tensor(golden, i);
    }
    char *path = dip_path_join(f->dir, "changed.safetensors");
    assert_ok(dip_safetensors_write(path, tensors, count, NULL, 0, &err), &err);
    dip_safetensors_close(golden);
    return path;
}

static void assert_changed_fails(const folder *f, const char *name,
                                 dip_tensor *other, const char *words)
{
    dip_model_config config = initial_config(NULL);
    char *path = put_changed(f, name, other);
    char expected[256];
    (void)snprintf(expected, sizeof expected, words, path);
    assert_fails(&config, DIP_INITIAL_MODEL, path, DIP_EDATA, expected);
    free(path);
}

static void test_initial_values_that_are_no_weights(void **state)
{
    (void)state;
    folder f;
    begin(&f);
    const char *name = "transformer.resblocks.0.ln_1.weight";
    assert_changed_fails(&f, name, dip_tensor_full(3, DIP_I64, SIZES(8)),
                         "wrong dtype for "
                         "'transformer.resblocks.0.ln_1.weight' in '%s': I64");
    assert_changed_fails(&f, name, dip_tensor_full(1, DIP_BOOL, SIZES(8)),
                         "in '%s': BOOL");
    assert_changed_fails(&f, name, dip_tensor_full(NAN, DIP_F32, SIZES(8)),
                         "the values for 'text.transformer.resblocks.0.ln_1."
                         "weight' in '%s' are not all finite");
    assert_changed_fails(&f, name, dip_tensor_full(INFINITY, DIP_F16, SIZES(8)),
                         "in '%s' are not all finite");
    assert_int_equal(dip_tree_remove(f.dir, NULL), DIP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_initial_open_clip),
        MODEL_TEST(test_initial_hugging_face_clip),
        MODEL_TEST(test_initial_hugging_face_bert),
        MODEL_TEST(test_initial_one_part_of_a_whole_file),
        MODEL_TEST(test_initial_what_does_not_fit_changes_nothing),
        MODEL_TEST(test_initial_fewer_places_of_text),
        MODEL_TEST(test_initial_folders_and_indices),
        MODEL_TEST(test_initial_values_that_are_no_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
