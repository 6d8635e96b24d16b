#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli.h"
#include "apps/cli_run.h"
#include "apps/corpus.h"
#include "apps/export_card.h"
#include "apps/export_recommendation.h"
#include "apps/model_apps.h"
#include "apps/run_dir.h"
#include "apps/version.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/term.h"
#include "export/bundle.h"
#include "export/bundle_manifest.h"
#include "export/preprocessing.h"
#include "train/checkpoint.h"

#define ROWS_MAX 4096

enum {
    OPT_FORMAT = 0x100,
    OPT_NAMES,
    OPT_LIST_NAMES,
    OPT_ROWS,
    OPT_SAMPLES,
    OPT_PRECISION,
    OPT_RAW_IMAGES,
    OPT_UNVERIFIED,
    OPT_VERIFY,
    OPT_LICENSE,
    OPT_DATA_LICENSE,
    OPT_INTENDED_USE
};

static const struct argp_option options[] = {
    {"format", OPT_FORMAT, "NAME", 0, "safetensors, torchscript or onnx", 0},
    {"names", OPT_NAMES, "ORIGIN", 0,
     "safetensors: as files of another program, of open_clip, huggingface, "
     "torchvision or timm",
     0},
    {"list-names", OPT_LIST_NAMES, 0, 0,
     "print the origins, and the towers of which each has models", 0},
    {"out", 'o', "DIR", 0, "the bundle; must not exist, or be empty", 0},
    {"data", DIP_CLI_DATA, "FILE", 0,
     "catalog to verify on (default: that of the training)", 0},
    {"split", DIP_CLI_SPLIT, "NAME", 0, "train, val or test (default)", 0},
    {"checkpoint", DIP_CLI_CHECKPOINT, "NAME", 0,
     "best (default), latest or step-…", 0},
    {"rows", OPT_ROWS, "N", 0, "rows to verify on (default 256)", 0},
    {"samples", OPT_SAMPLES, "N", 0,
     "of these, rows that go into the bundle (default 16)", 0},
    {"precision", OPT_PRECISION, "NAME", 0,
     "onnx: fp32 (default), fp16 or int8", 0},
    {"raw-images", OPT_RAW_IMAGES, 0, 0,
     "onnx: photos are uint8 [B, S, S, 3], normalised in the graph", 0},
    {"unverified", OPT_UNVERIFIED, 0, 0,
     "onnx: do not ask for ONNX Runtime, and verify nothing", 0},
    {"verify", OPT_VERIFY, "DIR", 0,
     "compare the files of a bundle with its manifest, and do nothing else", 0},
    {"license", OPT_LICENSE, "TEXT", 0, "of the weights, for the model card",
     0},
    {"data-license", OPT_DATA_LICENSE, "TEXT", 0,
     "of the catalog, for the model card", 0},
    {"intended-use", OPT_INTENDED_USE, "TEXT", 0, "for the model card", 0},
    {"quiet", DIP_CLI_QUIET, 0, 0, "no progress bar and no table", 0},
    {0}};

typedef struct {
    dip_cli_target target;
    dip_cli_run run;
    const char *out, *names, *verify;
    const char *license, *data_license, *intended_use;
    const dip_export_format *format;
    int64_t rows, samples;
    dip_onnx_options onnx;
} arguments;

static void check_arguments(const arguments *a, struct argp_state *state)
{
    if (a->verify != NULL) {
        if (a->target.path != NULL || a->format != NULL || a->out != NULL)
            argp_error(state, "--verify takes neither a run nor a format");
        return;
    }
    dip_cli_target_need(&a->target, "run directory", state);
    if (a->format == NULL)
        argp_error(state, "--format is missing");
    if (a->names != NULL && strcmp(a->format->name, "safetensors") != 0)
        argp_error(state, "--names is of the format safetensors alone");
    if (a->out == NULL)
        argp_error(state, "--out is missing");
    if (a->format != NULL && !a->format->takes_onnx_options &&
        (a->onnx.precision != DIP_PRECISION_FP32 || a->onnx.raw_images ||
         a->onnx.unverified))
        argp_error(state,
                   "--precision, --raw-images and --unverified are options of "
                   "the format onnx");
}

static void parse_format(arguments *a, struct argp_state *state,
                         const char *name)
{
    dip_str names = {0};
    a->format = dip_export_format_find(name);
    for (int i = 0; i < dip_export_format_count(); i++)
        dip_str_addf(&names, "%s%s", i > 0 ? ", " : "",
                     dip_export_format_at(i)->name);
    if (a->format == NULL)
        argp_error(state, "unknown format '%s': one of %s", name,
                   dip_str_text(&names));
    dip_str_free(&names);
}

static void print_origins(void)
{
    for (int i = 0; i < dip_origin_count(); i++) {
        const dip_origin *o = dip_origin_at(i);
        (void)printf("%-12s %-12s %-12s %s\n", o->name,
                     o->image != NULL ? o->image : "-",
                     o->text != NULL ? o->text : "-", o->file);
    }
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case OPT_FORMAT:
        parse_format(a, state, value);
        return 0;
    case OPT_NAMES:
        a->names = value;
        return 0;
    case OPT_LIST_NAMES:
        print_origins();
        exit(0);
    case 'o':
        a->out = value;
        return 0;
    case OPT_ROWS:
        a->rows = dip_cli_int(state, "rows", value, 1, ROWS_MAX);
        return 0;
    case OPT_SAMPLES:
        a->samples = dip_cli_int(state, "samples", value, 1, ROWS_MAX);
        return 0;
    case OPT_PRECISION:
        if (!dip_precision_parse(&a->onnx.precision, value))
            argp_error(state, "unknown precision '%s': fp32, fp16 or int8",
                       value);
        return 0;
    case OPT_RAW_IMAGES:
        a->onnx.raw_images = true;
        return 0;
    case OPT_UNVERIFIED:
        a->onnx.unverified = true;
        return 0;
    case OPT_VERIFY:
        a->verify = value;
        return 0;
    case OPT_LICENSE:
        a->license = value;
        return 0;
    case OPT_DATA_LICENSE:
        a->data_license = value;
        return 0;
    case OPT_INTENDED_USE:
        a->intended_use = value;
        return 0;
    case ARGP_KEY_ARG:
        dip_cli_target_add(&a->target, "run directory", value, state);
        return 0;
    case ARGP_KEY_END:
        check_arguments(a, state);
        return 0;
    default:
        return dip_cli_run_option(&a->run, key, value, state);
    }
}

/* ---- what stands in the bundle ---- */

static json_t *describe_preprocessing(const dip_trained *run,
                                      const char *tokenizer_file)
{
    const dip_settings *s = run->settings;
    dip_preprocessing_text fields[DIP_FUSION_FIELDS_MAX];
    dip_preprocessing_text queries[DIP_SOURCES_MAX];
    dip_preprocessing p = {.transform = &s->transform,
                           .exif = s->exif,
                           .tokenizer = run->tokenizer,
                           .tokenizer_file = tokenizer_file,
                           .context = s->context,
                           .fields = fields,
                           .field_count = s->field_count,
                           .queries = queries,
                           .similarity = s->model.similarity};
    for (int f = 0; f < s->field_count; f++) {
        int text = s->field_text[f];
        fields[f] = (dip_preprocessing_text){
            .name = s->fields[f],
            .template = text >= 0 && text < DIP_SOURCES_MAX
                            ? s->texts[text].template
                            : NULL,
            .attribute = json_object_get(run->fields, s->fields[f])};
    }
    for (int t = 0; t < s->text_count; t++) {
        if (s->texts[t].name == NULL)
            queries[p.query_count++] =
                (dip_preprocessing_text){.template = s->texts[t].template};
    }
    dip_scope_open();
    p.temperature = 1.0 / dip_tensor_item(dip_model_scale(run->model));
    dip_scope_close();
    return dip_preprocessing_json(&p);
}

static dip_status describe_run(json_t **out, const dip_trained *run,
                               dip_err *err)
{
    dip_train_state state;
    dip_status st = dip_checkpoint_read_state(&state, run->checkpoint, err);
    *out = NULL;
    if (st != DIP_OK)
        return st;
    *out = json_pack("{s:s, s:s, s:I}", "name", run->settings->name,
                     "checkpoint", dip_path_base(run->checkpoint), "step",
                     (json_int_t)state.step);
    return *out != NULL ? DIP_OK : dip_no_memory(err);
}

static json_t *describe_data(const dip_corpus *corpus, dip_split split)
{
    return json_pack("{s:s, s:s, s:s}", "catalog",
                     dip_path_base(dip_catalog_path(corpus->catalog)), "digest",
                     dip_catalog_digest(corpus->catalog), "split",
                     dip_split_name(split));
}

/* ---- exporting ---- */

static dip_status read_samples(dip_samples *samples, const dip_trained *run,
                               const dip_corpus *corpus, const arguments *a,
                               dip_err *err)
{
    const dip_settings *s = run->settings;
    const dip_samples_options o = {
        .rows = a->rows,
        .image_size = corpus->image_column >= 0 ? s->transform.size : 0,
        .context = s->context,
        .text_count = s->text_count,
        .query_text = s->task_count > 0 && s->tasks[0].query >= 0
                          ? s->tasks[0].query
                          : DIP_SAMPLES_IMAGE,
        .field_text = s->field_text};
    dip_loader *loader = NULL;
    dip_status st =
        dip_corpus_loader(&loader, corpus, a->run.split, false, err);
    if (st == DIP_OK)
        st = dip_samples_read(samples, &o, run->model, loader, err);
    if (st == DIP_OK)
        st = dip_samples_encode(samples, run->model, err);
    dip_loader_free(loader);
    return st;
}

static dip_status print_checks(const dip_gate_report *report,
                               const arguments *a, dip_err *err)
{
    dip_str text = {0};
    if (a->onnx.unverified) {
        (void)printf("%s: not verified\n", a->out);
        return DIP_OK;
    }
    dip_status st =
        dip_gate_report_table(&text, report, dip_term_width(stdout), err);
    if (st == DIP_OK)
        (void)printf(
            "%s\n%s: verified on %lld rows\n", dip_str_text(&text), a->out,
            (long long)(report->count > 0 ? report->lines[0].rows : 0));
    dip_str_free(&text);
    return st;
}

static dip_status write_bundle(dip_bundle *bundle, const dip_trained *run,
                               const arguments *a, dip_err *err)
{
    json_t *preprocessing = describe_preprocessing(
        run, bundle->job.origin != NULL ? DIP_BUNDLE_OTHER_TOKENIZER
                                        : DIP_BUNDLE_TOKENIZER);
    dip_gate_report report = {0};
    char *config = dip_path_join(run->dir, "config.yaml");
    dip_status st =
        config != NULL && preprocessing != NULL ? DIP_OK : dip_no_memory(err);
    bundle->config_path = config;
    bundle->preprocessing = preprocessing;
    dip_cli_bar bar = {
        .label = "verify", .unit = "parts", .quiet = a->run.quiet};
    bundle->job.tick = dip_cli_tick;
    bundle->job.tick_user = &bar;
    if (st == DIP_OK)
        st = dip_bundle_write(&report, bundle, a->out, err);
    dip_progress_finish(bar.bar);
    if (st == DIP_OK && !a->run.quiet)
        st = print_checks(&report, a, err);
    dip_gate_report_free(&report);
    free(config);
    json_decref(preprocessing);
    return st;
}

/* The origin that is asked for; refused before any work is done. */
static dip_status choose_origin(dip_export_job *job, dip_model_config *config,
                                const dip_trained *run, const char *names,
                                dip_err *err)
{
    dip_origin_fit fit = {0};
    if (names == NULL)
        return DIP_OK;
    dip_status st = dip_run_model_config(config, run->settings, run->tokenizer,
                                         run->labels, run->fields, err);
    job->handed =
        (dip_origin_model){config, &run->settings->transform, run->tokenizer};
    if (st == DIP_OK)
        st = dip_origin_find(&job->origin, names, config, err);
    return st == DIP_OK ? job->origin->fit(&fit, &job->handed, err) : st;
}

static dip_status describe(dip_bundle *bundle, dip_export_card *card,
                           const dip_trained *run, const dip_corpus *corpus,
                           const arguments *a, dip_err *err)
{
    dip_status st = describe_run(&bundle->run, run, err);
    bundle->data = describe_data(corpus, a->run.split);
    if (st == DIP_OK && bundle->data == NULL)
        st = dip_no_memory(err);
    if (st != DIP_OK)
        return st;
    card->card.license = a->license;
    card->card.data_license = a->data_license;
    card->card.intended_use = a->intended_use;
    bundle->card = &card->card;
    return dip_export_card_read(
        card, run, json_integer_value(json_object_get(bundle->run, "step")),
        corpus, err);
}

static dip_status write_verified(dip_bundle *bundle, const dip_trained *run,
                                 const arguments *a, dip_err *err)
{
    dip_corpus *corpus = NULL;
    dip_samples samples = {0};
    dip_export_card card = {0};
    dip_status st = dip_trained_corpus(&corpus, run, a->run.data, err);
    if (st == DIP_OK)
        st = describe(bundle, &card, run, corpus, a, err);
    if (st == DIP_OK)
        st = read_samples(&samples, run, corpus, a, err);
    bundle->job.samples = &samples;
    if (st == DIP_OK)
        st = write_bundle(bundle, run, a, err);
    json_decref(bundle->run);
    json_decref(bundle->data);
    dip_export_card_free(&card);
    dip_samples_free(&samples);
    dip_corpus_free(corpus);
    return st;
}

static dip_status export_run(const dip_trained *run, const arguments *a,
                             dip_err *err)
{
    dip_model *blank = NULL;
    dip_model_config config;
    dip_bundle bundle = {.format = a->format,
                         .job = {.model = run->model, .onnx = a->onnx},
                         .tokenizer = run->tokenizer,
                         .labels = run->labels,
                         .version = dip_version(),
                         .sample_rows = a->samples};
    memcpy(bundle.job.onnx.mean, run->settings->transform.mean,
           sizeof bundle.job.onnx.mean);
    memcpy(bundle.job.onnx.std, run->settings->transform.std,
           sizeof bundle.job.onnx.std);
    dip_model_finish(run->model);
    run->settings->model.lora.rank = 0; /* of the blank model, then */
    run->settings->model.tells_masked = false;
    dip_status st = choose_origin(&bundle.job, &config, run, a->names, err);
    if (st == DIP_OK)
        st = dip_run_model(&blank, run->settings, run->tokenizer, run->labels,
                           run->fields, err);
    bundle.job.blank = blank;
    if (st == DIP_OK)
        st = write_verified(&bundle, run, a, err);
    dip_model_free(blank);
    return st;
}

static dip_status export_retrieval(const arguments *a, dip_err *err)
{
    /* Artefacts are made and compared on the CPU in F32. */
    static const char *const overrides[] = {"train.device=cpu",
                                            "train.precision=fp32"};
    dip_trained *run = NULL;
    dip_status st = dip_trained_load(&run, a->target.path, a->run.checkpoint,
                                     overrides, DIP_ARRAY_LEN(overrides), err);
    if (st == DIP_OK)
        st = export_run(run, a, err);
    dip_trained_free(run);
    return st;
}

static dip_status export_recommender(const arguments *a, dip_err *err)
{
    const dip_export_recommendation_options o = {.dir = a->target.path,
                                                 .out = a->out,
                                                 .data = a->run.data,
                                                 .checkpoint =
                                                     a->run.checkpoint,
                                                 .format = a->format,
                                                 .onnx = a->onnx,
                                                 .rows = a->rows,
                                                 .samples = a->samples};
    dip_gate_report report = {0};
    if (a->names != NULL || a->license != NULL || a->data_license != NULL ||
        a->intended_use != NULL)
        return dip_fail(err, DIP_EUSAGE,
                        "'%s' is a run of recommendation: its bundle has no "
                        "model card, nor is it of any --names",
                        a->target.path);
    dip_status st = dip_export_recommendation(&report, &o, err);
    if (st == DIP_OK && !a->run.quiet)
        st = print_checks(&report, a, err);
    dip_gate_report_free(&report);
    return st;
}

static dip_status verify_bundle(const arguments *a, dip_err *err)
{
    int64_t files = 0;
    dip_status st = dip_bundle_manifest_check(&files, a->verify, err);
    if (st == DIP_OK && !a->run.quiet)
        (void)printf("%s: %lld files are what the manifest says\n", a->verify,
                     (long long)files);
    return st;
}

int dip_cmd_export(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse_option,
        "RUN --format NAME --out DIR\n--verify DIR",
        "Write the weights of a run, and verify what was written on rows of a "
        "catalog.",
        NULL,
        NULL,
        NULL};
    dip_err err = {0};
    dip_task_kind task;
    arguments a = {.run = {.checkpoint = "best", .split = DIP_SPLIT_TEST},
                   .rows = 256,
                   .samples = DIP_SAMPLES_BUNDLED};
    (void)argp_parse(&argp, argc, argv, 0, NULL, &a);
    dip_cli_catch_signals();
    dip_status st = a.verify != NULL ? verify_bundle(&a, &err)
                                     : dip_run_task(&task, a.target.path, &err);
    if (st == DIP_OK && a.verify == NULL)
        st = task == DIP_TASK_RECOMMENDATION ? export_recommender(&a, &err)
                                             : export_retrieval(&a, &err);
    return st == DIP_OK ? 0 : dip_cli_fail("diptych export", &err);
}
