#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/json.h"
#include "export/bundle.h"
#include "export/bundle_manifest.h"
#include "export/preprocessing.h"
#include "tests/export/helper.h"

/* All that a bundle is made of. */
typedef struct {
    place at;
    dip_model *model, *blank;
    dip_samples samples;
    dip_tokenizer *tokenizer;
    json_t *labels, *preprocessing, *run, *data, *about, *report;
    dip_card card;
    char config[64];
    dip_bundle bundle;
} stage;

static dip_tokenizer *make_tokenizer(void)
{
    dip_tokenizer_builder *builder = NULL;
    dip_tokenizer *tokenizer = NULL;
    dip_err err = {0};
    const dip_tokenizer_options options = {.eos = true};
    const dip_bytes text = {"red shoe red bag", 16};
    assert_ok(dip_tokenizer_builder_create(&builder, &options, &err), &err);
    assert_ok(dip_tokenizer_builder_add(builder, text, &err), &err);
    assert_ok(dip_tokenizer_builder_finish(&tokenizer, builder, &err), &err);
    dip_tokenizer_builder_free(builder);
    return tokenizer;
}

static json_t *make_preprocessing(const dip_tokenizer *tokenizer)
{
    static const dip_preprocessing_text fields[] = {
        {"image", NULL, NULL},
        {"title", "title", NULL},
        {"brand", "by {brand}", NULL}};
    static const dip_preprocessing_text queries[] = {{NULL, "{colour}", NULL}};
    dip_transform transform = dip_transform_defaults();
    transform.size = SIDE;
    transform.mean[0] = 0.1f;
    const dip_preprocessing p = {.transform = &transform,
                                 .exif = true,
                                 .tokenizer = tokenizer,
                                 .tokenizer_file = DIP_BUNDLE_TOKENIZER,
                                 .context = CONTEXT,
                                 .fields = fields,
                                 .field_count = 3,
                                 .queries = queries,
                                 .query_count = 1,
                                 .temperature = 0.07};
    return dip_preprocessing_json(&p);
}

static void set_stage(stage *s, const char *format)
{
    dip_err err = {0};
    dip_model_config c = config_of(0);
    *s = (stage){.at = make_place()};
    s->model = make_model(&c);
    s->blank = make_model(&c);
    fill_samples(&s->samples, s->model);
    s->tokenizer = make_tokenizer();
    s->labels = json_pack("{s:[s, s]}", "type", "shoe", "bag");
    s->preprocessing = make_preprocessing(s->tokenizer);
    s->run = json_pack("{s:s, s:i}", "name", "test", "step", 12);
    s->data = json_pack("{s:s}", "split", "test");
    s->card = (dip_card){
        .image_tower = "cnn", .text_tower = "bag", .split_rows = {70, 20, 10}};
    (void)snprintf(s->config, sizeof s->config, "%s/config.yaml", s->at.root);
    assert_ok(dip_file_write(s->config, "name: test\n", 11, &err), &err);
    s->bundle = (dip_bundle){
        .format = dip_export_format_find(format),
        .job = {.model = s->model, .blank = s->blank, .samples = &s->samples},
        .config_path = s->config,
        .tokenizer = s->tokenizer,
        .labels = s->labels,
        .preprocessing = s->preprocessing,
        .sample_rows = DIP_SAMPLES_BUNDLED,
        .version = "1.2.3",
        .run = s->run,
        .data = s->data,
        .card = &s->card};
}

static void strike(stage *s)
{
    remove_place(&s->at);
    json_decref(s->labels);
    json_decref(s->preprocessing);
    json_decref(s->run);
    json_decref(s->data);
    json_decref(s->about);
    json_decref(s->report);
    dip_tokenizer_free(s->tokenizer);
    dip_samples_free(&s->samples);
    dip_model_free(s->blank);
    dip_model_free(s->model);
}

static dip_status write_stage(stage *s, dip_err *err)
{
    dip_gate_report report = {0};
    dip_status st = dip_bundle_write(&report, &s->bundle, s->at.dir, err);
    dip_gate_report_free(&report);
    return st;
}

static json_t *load(const stage *s, const char *name)
{
    json_t *json = NULL;
    dip_err err = {0};
    char *path = dip_path_join(s->at.dir, name);
    assert_ok(dip_json_load(&json, path, 1 << 20, &err), &err);
    free(path);
    return json;
}

/* The names in the folder around the bundle, joined by blanks. */
static void assert_beside(const stage *s, const char *wanted)
{
    char **names = NULL;
    size_t count = 0;
    dip_str all = {0};
    dip_err err = {0};
    assert_ok(dip_dir_list(&names, &count, s->at.root, &err), &err);
    for (size_t i = 0; i < count; i++)
        dip_str_addf(&all, "%s%s", i > 0 ? " " : "", names[i]);
    assert_string_equal(dip_str_text(&all), wanted);
    dip_str_free(&all);
    dip_dir_list_free(names, count);
}

/* ---- what is written ----------------------------------------------------- */

static void assert_listed(const stage *s, const json_t *files)
{
    char **names = NULL;
    size_t count = 0;
    dip_err err = {0};
    assert_ok(dip_dir_list(&names, &count, s->at.dir, &err), &err);
    assert_int_equal(count, json_array_size(files) + 1); /* the manifest */
    for (size_t i = 0; i < json_array_size(files); i++) {
        const json_t *file = json_array_get(files, i);
        char digest[DIP_DIGEST_SIZE];
        dip_file_info info = {0};
        char *path = dip_path_join(
            s->at.dir, json_string_value(json_object_get(file, "name")));
        assert_ok(dip_digest_file(digest, path, &err), &err);
        assert_ok(dip_file_stat(&info, path, &err), &err);
        free(path);
        assert_string_equal(json_string_value(json_object_get(file, "sha256")),
                            digest);
        assert_int_equal(json_integer_value(json_object_get(file, "bytes")),
                         info.size);
    }
    dip_dir_list_free(names, count);
}

static void test_bundle_of_every_format_is_whole(void **state)
{
    (void)state;
    for (int i = 0; i < dip_export_format_count(); i++) {
        stage s;
        dip_err err = {0};
        set_stage(&s, dip_export_format_at(i)->name);
        assert_ok(write_stage(&s, &err), &err);
        json_t *manifest = load(&s, "manifest.json");
        const json_t *checked = json_object_get(manifest, "verification");
        assert_string_equal(
            json_string_value(json_object_get(manifest, "schema")),
            "diptych-export/1");
        assert_string_equal(
            json_string_value(json_object_get(manifest, "format")),
            dip_export_format_at(i)->name);
        assert_listed(&s, json_object_get(manifest, "files"));
        assert_int_equal(json_array_size(json_object_get(checked, "checks")),
                         3 * 14);
        assert_int_equal(json_integer_value(json_object_get(checked, "rows")),
                         ROWS);
        const json_t *first =
            json_array_get(json_object_get(checked, "checks"), 0);
        assert_near(json_real_value(json_object_get(first, "tolerance")), 1e-5,
                    0);
        json_decref(manifest);
        assert_beside(&s, "bundle config.yaml");
        strike(&s);
    }
}

/* The numbers are NumPy's repr of the same float32. */
static void test_bundle_tells_how_inputs_are_made(void **state)
{
    (void)state;
    stage s;
    dip_err err = {0};
    set_stage(&s, "safetensors");
    assert_ok(write_stage(&s, &err), &err);
    json_t *p = load(&s, "preprocessing.json");
    char *dump = json_dumps(p, JSON_COMPACT | JSON_REAL_PRECISION(9));
    assert_string_equal(
        dump,
        "{\"image\":{\"size\":32,\"resize_mode\":\"shortest\",\"resample\":"
        "\"bicubic\",\"channel_order\":\"RGB\",\"value_range\":\"0..1 before "
        "mean and std\",\"exif\":true,\"mean\":[0.1,0.4578275,0.40821072],"
        "\"std\":[0.26862955,0.2613026,0.2757771]},\"text\":{\"tokenizer\":"
        "\"word\",\"file\":\"tokenizer.json\",\"vocabulary\":6,\"context\":6,"
        "\"append_eos\":true,\"pad_id\":0,\"unk_id\":1,\"eos_id\":2},"
        "\"product_fields\":[{\"name\":\"image\",\"template\":null},{\"name\":"
        "\"title\",\"template\":\"title\"},{\"name\":\"brand\",\"template\":"
        "\"by {brand}\"}],\"queries\":[{\"template\":\"{colour}\"}],"
        "\"similarity\":\"dot product of unit rows\",\"temperature\":0.07}");
    free(dump);
    json_decref(p);
    strike(&s);
}

/* ---- the card ------------------------------------------------------------ */

/* The card after an export, which the caller frees. */
static char *write_card(stage *s)
{
    char *text = NULL, *path = dip_path_join(s->at.dir, "model_card.md");
    size_t length = 0;
    dip_err err = {0};
    assert_ok(write_stage(s, &err), &err);
    assert_ok(dip_file_read(&text, &length, path, 1 << 20, &err), &err);
    free(path);
    return text;
}

static void assert_said(const char *text, const char *words)
{
    if (strstr(text, words) == NULL)
        fail_msg("'%s' is not in:\n%s", words, text);
}

static void test_bundle_card_says_what_is_known(void **state)
{
    (void)state;
    stage s;
    set_stage(&s, "safetensors");
    s.about = json_pack("{s:s, s:i, s:{s:s, s:s}, s:{s:{s:s}}}", "seed", "41",
                        "threads", 3, "data", "path", "/far/away/shop.h5",
                        "digest", "abcd", "init", "image", "file",
                        "/far/away/vit|b.safetensors");
    s.report =
        json_pack("{s:{s:s, s:i, s:s}, s:{s:{s:f, s:f, s:{s:{s:f, s:f}}}}}",
                  "data", "split", "test", "rows", 10, "digest", "ef01",
                  "retrieval", "a_to_b", "recall@10", .75, "mrr", .5,
                  "interval", "recall@10", "low", .625, "high", .875);
    s.card.about = s.about;
    s.card.report = s.report;
    s.card.license = "CC <b>";
    s.card.intended_use = "shoes";
    char *text = write_card(&s);
    assert_said(text, "# Model card: test\n");
    assert_said(text, "| image tower | cnn |");
    assert_said(text, "| numbers of an embedding | 8 |");
    assert_said(text, "\n## Intended use\n\nshoes\n");
    assert_said(text, "| catalog | shop.h5 | unknown |");
    assert_said(text, "70 train, 20 val, 10 test.");
    assert_said(text, "| a_to_b | recall@10 | 0.75 | 0.625 to 0.875 |");
    assert_said(text, "| a_to_b | mrr | 0.5 | – |");
    assert_said(text, "| these weights | CC \\<b\\> |");
    assert_said(text, "trained on | not stated; ask for it before any use |");
    assert_said(text, "`vit\\|b.safetensors`");
    assert_said(text, "| seed | 41 |\n| threads | 3 |");
    /* sha256sum of the config's "name: test\n" */
    assert_said(
        text,
        "| SHA-256 of `config.yaml` | "
        "b4b785ee519ceb6a284f99c1ec3b7874e75a8aa8630b7516cb7ea1e49db99087 |");
    assert_said(text, "--format safetensors --out bundle");
    assert_said(text, "| model.safetensors text_encoder | ");
    assert_null(strstr(text, "/far"));
    free(text);
    strike(&s);
}

static void test_bundle_card_says_what_is_not_known(void **state)
{
    (void)state;
    stage s;
    set_stage(&s, "safetensors");
    s.about = json_pack("[i]", 1); /* anything may stand there */
    s.card.about = s.about;
    s.card.no_report = "Nobody has evaluated the run.";
    char *text = write_card(&s);
    assert_said(text, "\n## Metrics\n\nNobody has evaluated the run. `diptych "
                      "eval RUN`");
    assert_said(text, "Nobody has said what it is meant for");
    assert_said(text, "| catalog | unknown | unknown |");
    assert_null(strstr(text, "| seed |"));
    free(text);
    strike(&s);
}

/* ---- checking a bundle --------------------------------------------------- */

static dip_status check_bundle(const stage *s, dip_err *err)
{
    int64_t count = 0;
    dip_status st = dip_bundle_manifest_check(&count, s->at.dir, err);
    if (st == DIP_OK)
        assert_int_equal(count, 7);
    return st;
}

static void put_file(const stage *s, const char *name, const char *text)
{
    dip_err err = {0};
    char *path = dip_path_join(s->at.dir, name);
    assert_ok(dip_file_write(path, text, strlen(text), &err), &err);
    free(path);
}

static void test_bundle_manifest_finds_what_has_changed(void **state)
{
    (void)state;
    stage s;
    dip_err err = {0};
    set_stage(&s, "safetensors");
    assert_ok(write_stage(&s, &err), &err);
    assert_ok(check_bundle(&s, &err), &err);
    put_file(&s, "more.txt", "");
    assert_int_equal(check_bundle(&s, &err), DIP_EVERIFY);
    assert_non_null(strstr(err.msg, "'more.txt' is not in the manifest"));
    put_file(&s, "config.yaml", "name: best\n");
    assert_int_equal(check_bundle(&s, &err), DIP_EVERIFY);
    assert_non_null(strstr(err.msg, "config.yaml' has the digest"));
    put_file(&s, "manifest.json",
             "{\"schema\": \"diptych-export/1\", \"files\": "
             "[{\"name\": \"../config.yaml\", \"sha256\": \"\"}]}");
    assert_int_equal(check_bundle(&s, &err), DIP_EFORMAT);
    assert_non_null(strstr(err.msg, "'../config.yaml' is no name of a file"));
    put_file(&s, "manifest.json", "{\"schema\": \"diptych-export/1\"}");
    assert_int_equal(check_bundle(&s, &err), DIP_EFORMAT);
    put_file(&s, "manifest.json", "{\"schema\": \"other\", \"files\": []}");
    assert_int_equal(check_bundle(&s, &err), DIP_EFORMAT);
    strike(&s);
}

/* The samples of the bundle are the first rows and what the model makes of
 * them. */
static void test_bundle_holds_samples_of_the_model(void **state)
{
    (void)state;
    stage s;
    dip_err err = {0};
    set_stage(&s, "safetensors");
    assert_ok(write_stage(&s, &err), &err);
    char *path = dip_path_join(s.at.dir, "samples.safetensors");
    dip_safetensors *file = golden_open(path);
    dip_tensor *t[8];
    static const char *const names[] = {"images",
                                        "image_embeddings",
                                        "ids",
                                        "lengths",
                                        "fields",
                                        "present",
                                        "text_embeddings",
                                        "product_embeddings"};
    for (int i = 0; i < 8; i++) {
        int at = dip_safetensors_find(file, names[i]);
        assert_true(at >= 0);
        t[i] = dip_safetensors_tensor(file, at);
        assert_int_equal(dip_tensor_size(t[i], 0), DIP_SAMPLES_BUNDLED);
    }
    assert_rows(dip_model_encode_image(s.model, t[0], false).embedding, t[1],
                TOLERANCE);
    assert_rows(dip_model_encode_text(s.model, t[2], t[3], false).embedding,
                t[6], TOLERANCE);
    dip_encoded fields[3] = {0};
    for (int f = 0; f < 3; f++)
        fields[f].embedding = dip_t_select(t[4], 1, f);
    assert_rows(dip_model_fuse(s.model, fields, t[5], false), t[7], TOLERANCE);
    dip_safetensors_close(file);
    free(path);
    strike(&s);
}

/* ---- what fails ---------------------------------------------------------- */

static void test_bundle_never_replaces_anything(void **state)
{
    (void)state;
    stage s;
    dip_err err = {0};
    char *kept = NULL;
    set_stage(&s, "torchscript");
    assert_ok(dip_dir_make(s.at.dir, &err), &err);
    kept = dip_path_join(s.at.dir, "kept");
    assert_ok(dip_file_write(kept, "x", 1, &err), &err);
    assert_int_equal(write_stage(&s, &err), DIP_EIO);
    assert_non_null(strstr(err.msg, s.at.dir));
    assert_true(dip_file_exists(kept));
    assert_beside(&s, "bundle config.yaml");
    free(kept);
    strike(&s);
}

/* Writes a file, then finds that it differs. */
static dip_status write_wrong(dip_export_result *result,
                              const dip_export_job *job, const char *dir,
                              dip_err *err)
{
    char *path = dip_path_join(dir, "wrong.pt");
    (void)result;
    (void)job;
    dip_status st = dip_file_write(path, "x", 1, err);
    free(path);
    return st == DIP_OK ? dip_fail(err, DIP_EVERIFY, "'wrong.pt' differs") : st;
}

static void test_bundle_that_differs_leaves_nothing(void **state)
{
    (void)state;
    const dip_export_format wrong = {
        .name = "wrong", .summary = "", .write = write_wrong};
    stage s;
    dip_err err = {0};
    set_stage(&s, "safetensors");
    s.bundle.format = &wrong;
    assert_int_equal(write_stage(&s, &err), DIP_EVERIFY);
    assert_string_equal(err.msg, "'wrong.pt' differs");
    assert_beside(&s, "config.yaml");
    strike(&s);
}

/* As a signal does after the first part. */
static bool stop_soon(void *user, int64_t done, int64_t total)
{
    (void)user;
    assert_int_equal(total, 10);
    return done < 1;
}

static void test_bundle_that_is_stopped_leaves_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < dip_export_format_count(); i++) {
        stage s;
        dip_err err = {0};
        set_stage(&s, dip_export_format_at(i)->name);
        s.bundle.job.tick = stop_soon;
        assert_int_equal(write_stage(&s, &err), DIP_EINTERRUPT);
        assert_beside(&s, "config.yaml");
        strike(&s);
    }
}

static void test_bundle_without_its_config_leaves_nothing(void **state)
{
    (void)state;
    stage s;
    dip_err err = {0};
    set_stage(&s, "torchscript");
    s.bundle.config_path = "/nowhere/config.yaml";
    assert_int_not_equal(write_stage(&s, &err), DIP_OK);
    assert_non_null(strstr(err.msg, "/nowhere/config.yaml"));
    assert_beside(&s, "config.yaml");
    strike(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_bundle_of_every_format_is_whole),
        MODEL_TEST(test_bundle_tells_how_inputs_are_made),
        MODEL_TEST(test_bundle_card_says_what_is_known),
        MODEL_TEST(test_bundle_card_says_what_is_not_known),
        MODEL_TEST(test_bundle_manifest_finds_what_has_changed),
        MODEL_TEST(test_bundle_holds_samples_of_the_model),
        MODEL_TEST(test_bundle_never_replaces_anything),
        MODEL_TEST(test_bundle_that_differs_leaves_nothing),
        MODEL_TEST(test_bundle_that_is_stopped_leaves_nothing),
        MODEL_TEST(test_bundle_without_its_config_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
