#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli.h"
#include "apps/cli_run.h"
#include "apps/config_block.h"
#include "apps/evaluate.h"
#include "apps/initial.h"
#include "apps/model_apps.h"
#include "apps/run_dir.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "train/checkpoint.h"
#include "train/soup.h"

#define JSON_LIMIT ((size_t)64 << 20)

enum { OPT_OUT = 0x100, OPT_GREEDY, OPT_INTERPOLATE };

static const struct argp_option options[] = {
    {"out", OPT_OUT, "DIR", 0, "run directory to make (needed)", 0},
    {"greedy", OPT_GREEDY, 0, 0,
     "take a run only if the validation metric does not fall", 0},
    {"interpolate", OPT_INTERPOLATE, "ALPHA", 0,
     "ALPHA of the result and 1 - ALPHA of the weights that training began "
     "with",
     0},
    {"data", DIP_CLI_DATA, "FILE", 0, "catalog to validate on, of --greedy", 0},
    {"checkpoint", DIP_CLI_CHECKPOINT, "NAME", 0, "best (default) or latest",
     0},
    {0}};

typedef struct {
    dip_cli_run run;
    const char *out;
    double alpha; /* 1: without the initial weights */
    bool greedy, interpolate;
    const char **runs; /* room for all arguments */
    int run_count;
} arguments;

/* A run as an ingredient. */
typedef struct {
    char digest[DIP_DIGEST_SIZE]; /* of state.json, which has the weights' */
    char *checkpoint;
    double metric;
    bool chosen;
} ingredient;

typedef struct {
    const arguments *args;
    dip_trained *base; /* the first run, whose model becomes the soup */
    dip_soup *soup;
    ingredient *runs; /* [run_count]; the initial weights stand behind them */
    double *weights;  /* [run_count + 1] */
    dip_corpus *corpus;
    char metric[128];
    bool higher;
    double value; /* of the soup */
} kitchen;

/* ---- command line ---- */

static void read_alpha(struct argp_state *state, arguments *a,
                       const char *value)
{
    char *end;
    a->interpolate = true;
    a->alpha = strtod(value, &end);
    if (end == value || *end != '\0' || !(a->alpha >= 0 && a->alpha <= 1))
        argp_error(state, "--interpolate '%s' is no number from 0 to 1", value);
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case OPT_OUT:
        a->out = value;
        return 0;
    case OPT_GREEDY:
        a->greedy = true;
        return 0;
    case OPT_INTERPOLATE:
        read_alpha(state, a, value);
        return 0;
    case ARGP_KEY_ARG:
        a->runs[a->run_count++] = value;
        return 0;
    case ARGP_KEY_END:
        if (a->run_count == 0)
            argp_error(state, "a run is missing");
        if (a->out == NULL)
            argp_error(state, "--out DIR is missing");
        return 0;
    default:
        return dip_cli_run_option(&a->run, key, value, state);
    }
}

/* ---- whether runs fit together ---- */

/* What decides what an embedding means; not how it was trained. */
static dip_status describe_model(dip_str *out, const dip_trained *run,
                                 bool start, dip_err *err)
{
    static const char *const heads[] = {
        "data:", "tokenizer:", "fields:", "model:"};
    static const char *const skip[] = {
        "catalog",           "max_pixels",  "bad_image",
        "word_dropout",      "dropout",     "drop_path",
        "fixed_temperature", "temperature", "weight",
        "attention_dropout", NULL};
    static const char *const nothing[] = {NULL};
    const dip_settings *s = run->settings;
    dip_str dump = {0};
    dip_status st = dip_config_dump(&dump, s->config, err);
    for (size_t i = 0; i < DIP_ARRAY_LEN(heads); i++)
        dip_config_block(out, dip_str_text(&dump), heads[i], skip);
    for (int f = 0; f < s->field_count; f++)
        dip_str_addf(out, "product field %d: %s\n", f + 1, s->fields[f]);
    if (start) {
        dip_str_addf(out, "seed: %llu\n", (unsigned long long)s->seed);
        dip_config_block(out, dip_str_text(&dump), "init:", nothing);
    }
    dip_str_free(&dump);
    return st == DIP_OK ? dip_str_status(out, err) : st;
}

static dip_status compare_texts(const char *a, const char *b, const char *base,
                                dip_err *err)
{
    while (*a != '\0' || *b != '\0') {
        size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
        if (n != m || memcmp(a, b, n) != 0) {
            size_t blanks = strspn(a, " "), others = strspn(b, " ");
            return dip_fail(err, DIP_EDATA, "it has '%.*s', '%s' has '%.*s'",
                            (int)(m - others), b + others, base,
                            (int)(n - blanks), a + blanks);
        }
        a += n + (a[n] == '\n');
        b += m + (b[m] == '\n');
    }
    return DIP_OK;
}

static dip_status compare_runs(const dip_trained *base,
                               const dip_trained *other, bool start,
                               dip_err *err)
{
    char digests[2][DIP_DIGEST_SIZE];
    dip_str texts[2] = {{0}, {0}};
    dip_status st = describe_model(&texts[0], base, start, err);
    if (st == DIP_OK)
        st = describe_model(&texts[1], other, start, err);
    if (st == DIP_OK)
        st = compare_texts(dip_str_text(&texts[0]), dip_str_text(&texts[1]),
                           base->dir, err);
    dip_str_free(&texts[0]);
    dip_str_free(&texts[1]);
    if (st == DIP_OK)
        st = dip_tokenizer_digest(digests[0], base->tokenizer, err);
    if (st == DIP_OK)
        st = dip_tokenizer_digest(digests[1], other->tokenizer, err);
    if (st == DIP_OK && strcmp(digests[0], digests[1]) != 0)
        st = dip_fail(err, DIP_EDATA, "its tokenizer is not that of '%s'",
                      base->dir);
    if (st == DIP_OK && !json_equal(base->labels, other->labels))
        st = dip_fail(err, DIP_EDATA, "its classes are not those of '%s'",
                      base->dir);
    if (st == DIP_OK && !json_equal(base->fields, other->fields))
        st = dip_fail(err, DIP_EDATA, "its fields are not those of '%s'",
                      base->dir);
    return st;
}

/* ---- ingredients ---- */

static dip_status add_run(kitchen *k, int i, const dip_trained *run,
                          dip_err *err)
{
    char *state = dip_path_join(run->checkpoint, "state.json");
    k->runs[i].checkpoint = dip_strdup(run->checkpoint);
    dip_status st = state != NULL && k->runs[i].checkpoint != NULL
                        ? dip_digest_file(k->runs[i].digest, state, err)
                        : dip_no_memory(err);
    free(state);
    return st == DIP_OK
               ? dip_soup_add(k->soup, dip_model_params(run->model), err)
               : st;
}

static dip_status add_other(kitchen *k, int i, dip_err *err)
{
    const arguments *a = k->args;
    dip_trained *run = NULL;
    dip_status st =
        dip_trained_load(&run, a->runs[i], a->run.checkpoint, NULL, 0, err);
    if (st == DIP_OK) {
        st = compare_runs(k->base, run, a->interpolate, err);
        if (st == DIP_OK)
            st = add_run(k, i, run, err);
        if (st != DIP_OK)
            (void)dip_fail_context(err, "run '%s' does not fit", a->runs[i]);
    }
    dip_trained_free(run);
    return st;
}

/* The weights that the first run began with, by making its model anew. */
static dip_status add_initial(kitchen *k, dip_err *err)
{
    const dip_trained *run = k->base;
    dip_model *model = NULL;
    if (run->settings->vectors != NULL)
        return dip_fail(err, DIP_ECONFIG,
                        "run '%s' began with word vectors, which are not "
                        "read again: no --interpolate",
                        run->dir);
    dip_status st = dip_run_model(&model, run->settings, run->tokenizer,
                                  run->labels, run->fields, err);
    if (st == DIP_OK)
        st = dip_initial_apply(NULL, run->settings, model, err);
    if (st == DIP_OK)
        dip_params_to_device(dip_model_params(model), run->device);
    if (st == DIP_OK)
        st = dip_soup_add(k->soup, dip_model_params(model), err);
    dip_model_free(model);
    return st;
}

static dip_status collect(kitchen *k, dip_err *err)
{
    const arguments *a = k->args;
    char name[256];
    const char *const overrides[] = {name};
    int n = snprintf(name, sizeof name, "name=%s", dip_path_base(a->out));
    if (n < 0 || (size_t)n >= sizeof name)
        return dip_fail(err, DIP_EUSAGE, "name is too long: '%s'", a->out);
    dip_status st = dip_trained_load(&k->base, a->runs[0], a->run.checkpoint,
                                     overrides, 1, err);
    if (st == DIP_OK)
        st = dip_soup_create(&k->soup, dip_model_params(k->base->model), err);
    if (st == DIP_OK)
        st = add_run(k, 0, k->base, err);
    for (int i = 1; i < a->run_count && st == DIP_OK; i++)
        st = add_other(k, i, err);
    if (st == DIP_OK && a->interpolate)
        st = add_initial(k, err);
    return st;
}

/* ---- recipes ---- */

/* Equal parts of the chosen runs, and what is left of the initial weights. */
static dip_status pour_chosen(kitchen *k, dip_err *err)
{
    int count = k->args->run_count, chosen = 0;
    for (int i = 0; i < count; i++)
        chosen += k->runs[i].chosen;
    for (int i = 0; i < count; i++)
        k->weights[i] = k->runs[i].chosen ? k->args->alpha / chosen : 0;
    k->weights[count] = 1 - k->args->alpha;
    return dip_soup_pour(k->soup, k->weights, err);
}

static dip_status measure(double *metric, kitchen *k, dip_err *err)
{
    const dip_trained *run = k->base;
    dip_evaluation evaluation = {.job = dip_embed_job_of(run, k->corpus, true),
                                 .labels = run->labels,
                                 .split = DIP_SPLIT_VAL};
    json_t *report = NULL;
    dip_status st = pour_chosen(k, err);
    if (st == DIP_OK)
        st = dip_evaluate(&report, &evaluation, err);
    if (st == DIP_OK)
        st = dip_evaluation_metric(metric, report, k->metric, err);
    json_decref(report);
    return st;
}

static bool is_worse(const kitchen *k, double a, double b)
{
    return k->higher ? !(a >= b) : !(a <= b);
}

/* The best run that was not tried yet, the first among equals; -1: none. */
static int next_best(const kitchen *k, const bool *tried)
{
    int best = -1;
    for (int i = 0; i < k->args->run_count; i++) {
        if (!tried[i] &&
            (best < 0 || is_worse(k, k->runs[best].metric, k->runs[i].metric)))
            best = i;
    }
    return best;
}

/* arXiv 2203.05482, recipe 1. */
static dip_status choose_greedily(kitchen *k, bool *tried, dip_err *err)
{
    int count = k->args->run_count;
    dip_status st = DIP_OK;
    for (int i = 0; i < count && st == DIP_OK; i++) {
        k->runs[i].chosen = true;
        st = measure(&k->runs[i].metric, k, err);
        k->runs[i].chosen = false;
    }
    for (int i = 0; i < count && st == DIP_OK; i++) {
        double with = 0;
        int at = next_best(k, tried);
        tried[at] = true;
        k->runs[at].chosen = true;
        st = measure(&with, k, err);
        k->runs[at].chosen = i == 0 || !is_worse(k, with, k->value);
        if (k->runs[at].chosen)
            k->value = with;
        (void)printf("%s: %s %.4f alone, %.4f with it: %s\n", k->args->runs[at],
                     k->metric, k->runs[at].metric, with,
                     k->runs[at].chosen ? "taken" : "left out");
    }
    return st;
}

static dip_status cook(kitchen *k, dip_err *err)
{
    int count = k->args->run_count;
    for (int i = 0; i < count && !k->args->greedy; i++)
        k->runs[i].chosen = true;
    if (k->args->greedy) {
        bool *tried = dip_calloc((size_t)count, sizeof *tried);
        dip_status st = tried != NULL ? dip_evaluation_check_metric(
                                            k->metric, sizeof k->metric,
                                            &k->higher, k->base->settings, err)
                                      : dip_no_memory(err);
        if (st == DIP_OK)
            st =
                dip_trained_corpus(&k->corpus, k->base, k->args->run.data, err);
        if (st == DIP_OK)
            st = choose_greedily(k, tried, err);
        free(tried);
        if (st != DIP_OK)
            return st;
    }
    return pour_chosen(k, err);
}

/* ---- the run directory ---- */

static dip_status copy_file(const char *to, const char *from, const char *name,
                            dip_err *err)
{
    char *source = dip_path_join(from, name), *text = NULL;
    char *target = dip_path_join(to, name);
    size_t length;
    dip_status st = DIP_OK;
    if (source == NULL || target == NULL)
        st = dip_no_memory(err);
    else if (dip_file_exists(source))
        st = dip_file_read(&text, &length, source, JSON_LIMIT, err);
    if (st == DIP_OK && text != NULL)
        st = dip_file_write(target, text, length, err);
    free(text);
    free(target);
    free(source);
    return st;
}

static json_t *describe_recipe(const kitchen *k)
{
    json_t *list = json_array();
    for (int i = 0; i < k->args->run_count; i++) {
        json_t *run = json_pack(
            "{s:s, s:s, s:s, s:b}", "dir", k->args->runs[i], "checkpoint",
            dip_path_base(k->runs[i].checkpoint), "state_sha256",
            k->runs[i].digest, "chosen", (int)k->runs[i].chosen);
        if (run != NULL && k->args->greedy)
            (void)json_object_set_new(run, "value",
                                      dip_json_real(k->runs[i].metric));
        (void)json_array_append_new(list, run);
    }
    json_t *recipe = json_pack(
        "{s:s, s:o, s:o}", "method", k->args->greedy ? "greedy" : "uniform",
        "interpolate", dip_json_real(k->args->alpha), "runs", list);
    if (recipe != NULL && k->args->greedy) {
        (void)json_object_set_new(recipe, "metric", json_string(k->metric));
        (void)json_object_set_new(recipe, "value", dip_json_real(k->value));
    }
    return recipe;
}

/* run.json of the first run, with the recipe added. */
static dip_status write_run(const char *dir, const kitchen *k, dip_err *err)
{
    json_t *run = NULL;
    char *from = dip_path_join(k->base->dir, "run.json");
    char *to = dip_path_join(dir, "run.json");
    dip_status st = from != NULL && to != NULL
                        ? dip_json_load(&run, from, JSON_LIMIT, err)
                        : dip_no_memory(err);
    if (st == DIP_OK &&
        (json_object_set_new(run, "name",
                             json_string(k->base->settings->name)) != 0 ||
         json_object_set_new(run, "soup", describe_recipe(k)) != 0))
        st = dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_json_write(to, run, DIP_JSON_AS_BUILT, err);
    json_decref(run);
    free(to);
    free(from);
    return st;
}

/* A run that keeps averages is read from them. */
static dip_status write_weights(const char *dir, const kitchen *k, dip_err *err)
{
    dip_train_state state;
    dip_params *params = dip_model_params(k->base->model);
    char *path = dip_path_join(dir, "checkpoints");
    dip_status st =
        path != NULL
            ? dip_checkpoint_read_state(&state, k->base->checkpoint, err)
            : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_dir_make(path, err);
    if (st == DIP_OK) {
        const dip_checkpoints checkpoints = {path, 1};
        const dip_checkpoint_parts parts = {
            .params = params,
            .averages = k->base->settings->loop.ema.decay > 0 ? params : NULL};
        state.has_best = k->args->greedy;
        state.best = k->value;
        state.best_step = state.step;
        st = dip_checkpoint_write(&checkpoints, &state, &parts, true, err);
    }
    free(path);
    return st;
}

static dip_status write_soup(const kitchen *k, dip_err *err)
{
    static const char *const files[] = {"tokenizer.json", "labels.json",
                                        "fields.json"};
    dip_dir_writer *writer = NULL;
    dip_status st = dip_dir_writer_open(&writer, k->args->out, err);
    if (st != DIP_OK)
        return st;
    const char *dir = dip_dir_writer_path(writer);
    for (size_t i = 0; i < DIP_ARRAY_LEN(files) && st == DIP_OK; i++)
        st = copy_file(dir, k->base->dir, files[i], err);
    if (st == DIP_OK)
        st = dip_run_write_config(dir, k->base->settings, err);
    if (st == DIP_OK)
        st = write_run(dir, k, err);
    if (st == DIP_OK)
        st = write_weights(dir, k, err);
    if (st == DIP_OK)
        st = dip_dir_writer_commit(writer, err);
    dip_dir_writer_close(writer);
    return st;
}

/* ---- all ---- */

static dip_status make_soup(const arguments *a, dip_err *err)
{
    size_t count = (size_t)a->run_count;
    kitchen k = {.args = a,
                 .runs = dip_calloc(count, sizeof(ingredient)),
                 .weights = dip_calloc(count + 1, sizeof(double))};
    dip_status st = k.runs != NULL && k.weights != NULL ? collect(&k, err)
                                                        : dip_no_memory(err);
    if (st == DIP_OK)
        st = cook(&k, err);
    if (st == DIP_OK)
        st = write_soup(&k, err);
    if (st == DIP_OK)
        (void)printf("soup: %s\n", a->out);
    for (size_t i = 0; i < count && k.runs != NULL; i++)
        free(k.runs[i].checkpoint);
    dip_corpus_free(k.corpus);
    dip_soup_free(k.soup);
    dip_trained_free(k.base);
    free(k.weights);
    free(k.runs);
    return st;
}

int dip_cmd_soup(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse_option,
        "RUN...",
        "Average the weights of runs of one architecture into a new run: a "
        "model soup.",
        NULL,
        NULL,
        NULL};
    dip_err err = {0};
    arguments a = {.run = {.checkpoint = "best"},
                   .alpha = 1,
                   .runs = dip_calloc((size_t)argc, sizeof(char *))};
    if (a.runs == NULL)
        return dip_status_exit_code(dip_no_memory(&err));
    (void)argp_parse(&argp, argc, argv, 0, NULL, &a);
    dip_status st = make_soup(&a, &err);
    free(a.runs);
    return st == DIP_OK ? 0 : dip_cli_fail("diptych soup", &err);
}
