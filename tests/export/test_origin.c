#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "models/initial.h"
#include "tests/export/helper.h"

/* A tokenizer of WordPiece, whose texts end in a token, with the ids of the
 * samples. */
static dip_tokenizer *make_tokenizer(const place *p)
{
    static const char words[] =
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nred\nblue\n"
        "shoe\nbag\nfor\nmen\n";
    char path[96];
    dip_tokenizer *tokenizer = NULL;
    dip_err err = {0};
    (void)snprintf(path, sizeof path, "%s/vocab.txt", p->root);
    assert_ok(dip_file_write(path, words, sizeof words - 1, &err), &err);
    const dip_tokenizer_options options = {.kind = DIP_TOKENIZER_WORDPIECE,
                                           .vocab = path};
    assert_ok(dip_tokenizer_read(&tokenizer, &options, &err), &err);
    return tokenizer;
}

/* A small model with the towers of a row. */
static dip_model_config config_for(const dip_origin *row)
{
    const char *image = row->image != NULL ? row->image : "cnn";
    const char *text = row->text != NULL ? row->text : "bag";
    dip_model_config c = {.image = small_image(image),
                          .text = {.kind = text,
                                   .vocabulary = WORDS,
                                   .context = CONTEXT,
                                   .width = 16,
                                   .depth = 2},
                          .embed_dim = 8,
                          .fields = {"image", "title", "brand"},
                          .field_count = 3,
                          .heads = {{"kind", 3, DIP_HEAD_PRODUCT}},
                          .head_count = 1,
                          .seed = 3};
    return c;
}

/* What a test of a row has. */
typedef struct {
    place at;
    dip_model_config config;
    dip_model *model, *blank;
    dip_samples samples;
    dip_tokenizer *tokenizer;
    dip_transform transform;
    dip_export_job job;
    dip_export_result result;
} stage;

static void set_stage(stage *s, const dip_origin *row,
                      const dip_model_config *config)
{
    dip_err err = {0};
    *s = (stage){.at = make_place(), .config = *config};
    assert_ok(dip_model_config_check(&s->config, &err), &err);
    s->model = make_model(&s->config);
    s->config.seed++; /* the blank model must not agree before it is filled */
    s->blank = make_model(&s->config);
    s->tokenizer = make_tokenizer(&s->at);
    s->transform = dip_transform_defaults();
    fill_samples(&s->samples, s->model);
    s->job =
        (dip_export_job){.model = s->model,
                         .blank = s->blank,
                         .samples = &s->samples,
                         .origin = row,
                         .handed = {&s->config, &s->transform, s->tokenizer}};
    s->result = (dip_export_result){.artefacts = json_array()};
    assert_ok(dip_dir_make(s->at.dir, &err), &err);
}

static void strike(stage *s)
{
    json_decref(s->result.artefacts);
    dip_gate_report_free(&s->result.gate);
    dip_samples_free(&s->samples);
    dip_tokenizer_free(s->tokenizer);
    dip_model_free(s->blank);
    dip_model_free(s->model);
    remove_place(&s->at);
}

static dip_status write_stage(stage *s, dip_err *err)
{
    return dip_export_format_find("safetensors")
        ->write(&s->result, &s->job, s->at.dir, err);
}

/* The first way in which the small model of a row fits; false: in none. */
static bool fit_small(dip_model_config *config, const dip_origin *row)
{
    *config = config_for(row);
    if (strcmp(config->image.kind, "clip_resnet") == 0) {
        config->image_projection.none = true;
        config->embed_dim = config->image.features;
    }
    if (strcmp(config->image.kind, "resnet") == 0)
        config->image = (dip_image_options){
            .kind = "resnet", .image_size = SIDE, .depth = 18};
    /* timm names no small ones; pads of texts are no tokens here */
    return row->text == NULL ||
           strcmp(row->image != NULL ? row->image : "", "siglip") != 0;
}

/* Each weight that the origin takes is in the file, and comes back from it into
 * another model bit for bit: the writer says so, and here it is read again. */
static void check_row(const dip_origin *row)
{
    stage s;
    dip_err err = {0};
    dip_initial_report report;
    dip_model_config config;
    char path[128];
    if (!fit_small(&config, row))
        return;
    set_stage(&s, row, &config);
    dip_status st = write_stage(&s, &err);
    if (st != DIP_OK)
        fail_msg("%s %s %s: %s", row->name, row->image, row->text, err.msg);
    assert_true(s.result.gate.count > 0);
    const json_t *left =
        json_object_get(json_array_get(s.result.artefacts, 0), "left_out");
    assert_string_equal(
        json_string_value(json_array_get(left, json_array_size(left) - 1)),
        row->text != NULL && row->image != NULL ? "heads" : "logit_scale");
    (void)snprintf(path, sizeof path, "%s/%s", s.at.dir, row->file);
    s.config.seed += 7;
    dip_model *other = make_model(&s.config);
    assert_ok(dip_initial_load(&report, dip_model_params(other),
                               row->text == NULL    ? DIP_INITIAL_IMAGE
                               : row->image == NULL ? DIP_INITIAL_TEXT
                                                    : DIP_INITIAL_MODEL,
                               dip_image_kind_find(s.config.image.kind), path,
                               &err),
              &err);
    assert_true(report.matched.count > 0);
    assert_int_equal(report.unexpected.count, 0);
    assert_int_equal(report.unfit.count, 0);
    dip_initial_report_free(&report);
    dip_model_free(other);
    strike(&s);
}

static void test_origin_every_row_comes_back(void **state)
{
    (void)state;
    for (int i = 0; i < dip_origin_count(); i++)
        check_row(dip_origin_at(i));
}

/* ---- what is refused ----------------------------------------------------- */

static void assert_refused(const char *name, dip_model_config *config,
                           const char *words)
{
    place p = make_place();
    dip_tokenizer *tokenizer = make_tokenizer(&p);
    const dip_transform transform = dip_transform_defaults();
    const dip_origin_model m = {config, &transform, tokenizer};
    const dip_origin *row = NULL;
    dip_origin_fit fit = {0};
    dip_err err = {0};
    assert_ok(dip_model_config_check(config, &err), &err);
    dip_status st = dip_origin_find(&row, name, config, &err);
    if (st == DIP_OK)
        st = row->fit(&fit, &m, &err);
    assert_int_equal(st, DIP_ECONFIG);
    assert_string_equal(err.msg, words);
    dip_tokenizer_free(tokenizer);
    remove_place(&p);
}

static dip_model_config config_with(const char *image, const char *text)
{
    const dip_origin row = {.image = image, .text = text};
    return config_for(&row);
}

static void test_origin_refuses_what_it_computes_otherwise(void **state)
{
    (void)state;
    dip_model_config c = config_with("vit", "transformer");
    c.image_projection.hidden = 12;
    assert_refused("open_clip", &c,
                   "open_clip has no other image projection than a matrix");
    assert_refused(
        "huggingface", &c,
        "huggingface has no other projections than matrices in CLIP");
    c = config_with("vit", "transformer");
    c.text.pooling = "mean";
    assert_refused("open_clip", &c,
                   "open_clip has no other text pooling than last");
    c.text.pooling = NULL;
    c.text.bidirectional = true;
    assert_refused("open_clip", &c,
                   "open_clip has no bidirectional text tower that skips pads");
    c.text.bidirectional = false;
    c.text.token_width = 4;
    assert_refused(
        "open_clip", &c,
        "open_clip has no word vectors of another width than the tower's");
    c.text.token_width = 0;
    c.image.pooling = "mean";
    assert_refused("huggingface", &c,
                   "huggingface has no mean of an image's places");
    assert_refused("timm", &c,
                   "timm has no mean of places before the last norm");
    c = config_with("siglip", "transformer");
    static const char no_such[] =
        "open_clip has no siglip image tower of these sizes and activation";
    assert_refused("open_clip", &c, no_such);
    assert_refused("huggingface", &c,
                   "huggingface has no image projection in SigLIP");
    c.image = (dip_image_options){
        .kind = "siglip", .image_size = 256, .patch = 32}; /* with gelu */
    assert_refused("open_clip", &c, no_such);
    c.image.activation = "gelu_tanh";
    c.text_projection.hidden = 12; /* refused after that */
    assert_refused("open_clip", &c,
                   "open_clip has no text projection with a hidden layer");
    c = config_with("cnn", "bag");
    assert_refused("timm", &c,
                   "timm has no model with the towers 'cnn' and 'bag'");
}

static void test_origin_unknown_names_are_listed(void **state)
{
    (void)state;
    const dip_origin *row = NULL;
    dip_err err = {0};
    dip_model_config c = config_with("vit", "transformer");
    assert_int_equal(dip_origin_find(&row, "keras", &c, &err), DIP_EUSAGE);
    assert_string_equal(err.msg, "unknown names 'keras': one of open_clip, "
                                 "huggingface, torchvision, timm");
    assert_null(row);
}

/* A file that cannot be read back is not left to others. */
static void test_origin_weights_that_nobody_reads_are_refused(void **state)
{
    (void)state;
    stage s;
    dip_err err = {0};
    const dip_origin *row = NULL;
    dip_model_config c = config_with("vit", "transformer");
    assert_ok(dip_origin_find(&row, "open_clip", &c, &err), &err);
    set_stage(&s, row, &c);
    int at = dip_params_find(dip_model_params(s.model), "image.conv1.weight");
    float *weight =
        dip_tensor_data(dip_params_tensor(dip_model_params(s.model), at));
    weight[0] = NAN;
    assert_int_equal(write_stage(&s, &err), DIP_EDATA);
    assert_non_null(strstr(err.msg, "not all finite"));
    strike(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_origin_every_row_comes_back),
        MODEL_TEST(test_origin_refuses_what_it_computes_otherwise),
        MODEL_TEST(test_origin_unknown_names_are_listed),
        MODEL_TEST(test_origin_weights_that_nobody_reads_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
