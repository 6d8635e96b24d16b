#include "apps/run_dir.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "apps/fields.h"
#include "apps/version.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "train/checkpoint.h"

#define FILE_LIMIT ((size_t)64 << 20)

/* ---- machine ---- */

enum { CHOICE_AUTO, CHOICE_FIRST, CHOICE_SECOND };

int dip_run_processors(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return CPU_COUNT(&set);
}

dip_status dip_run_machine(const dip_settings *s, dip_device *device,
                           bool *bf16, int *threads, dip_err *err)
{
    bool cuda = dip_tensor_has_cuda();
    if (s->device == CHOICE_SECOND && !cuda)
        return dip_fail(err, DIP_ECONFIG,
                        "train.device is cuda, but libtorch finds none");
    *device = cuda && s->device != CHOICE_FIRST ? DIP_CUDA : DIP_CPU;
    *bf16 = s->precision == CHOICE_SECOND ||
            (s->precision == CHOICE_AUTO && dip_tensor_has_fast_bf16(*device));
    *threads = s->threads > 0 ? s->threads : dip_run_processors();
    dip_tensor_set_threads(*threads);
    return dip_tensor_status(err);
}

/* ---- labels ---- */

static json_t *label_names(const dip_catalog *catalog, int column)
{
    json_t *names = json_array();
    int64_t classes = dip_catalog_column(catalog, column)->classes;
    for (int64_t i = 0; i < classes; i++) {
        dip_bytes name = dip_catalog_label_name(catalog, column, (int32_t)i);
        if (json_array_append_new(names, json_stringn(name.data, name.len)) !=
            0) {
            json_decref(names);
            return NULL;
        }
    }
    return names;
}

dip_status dip_run_labels(json_t **out, const dip_corpus *corpus, dip_err *err)
{
    *out = json_object();
    const dip_model_config *model = &corpus->settings->model;
    for (int h = 0; h < model->head_count; h++) {
        if (json_object_set_new(
                *out, model->heads[h].name,
                label_names(corpus->catalog, corpus->head_columns[h])) != 0)
            return dip_no_memory(err);
    }
    return *out != NULL ? DIP_OK : dip_no_memory(err);
}

/* ---- model ---- */

dip_status dip_run_model_config(dip_model_config *out,
                                const dip_settings *settings,
                                const dip_tokenizer *tokenizer,
                                const json_t *labels, const json_t *fields,
                                dip_err *err)
{
    *out = settings->model;
    if (tokenizer != NULL)
        out->text.vocabulary = dip_tokenizer_size(tokenizer);
    for (int h = 0; h < out->head_count; h++) {
        const json_t *names = json_object_get(labels, out->heads[h].name);
        if (json_array_size(names) == 0)
            return dip_fail(err, DIP_EDATA, "label '%s' has no classes",
                            out->heads[h].name);
        out->heads[h].classes = (int64_t)json_array_size(names);
    }
    dip_status st = dip_fields_apply(out, settings, fields, err);
    return st == DIP_OK ? dip_model_config_check(out, err) : st;
}

dip_status dip_run_model(dip_model **out, const dip_settings *settings,
                         const dip_tokenizer *tokenizer, const json_t *labels,
                         const json_t *fields, dip_err *err)
{
    dip_model_config config;
    *out = NULL;
    dip_status st =
        dip_run_model_config(&config, settings, tokenizer, labels, fields, err);
    return st == DIP_OK ? dip_model_create(out, &config, err) : st;
}

/* ---- writing ---- */

dip_status dip_run_write_config(const char *dir, const dip_settings *settings,
                                dip_err *err)
{
    dip_str text = {0};
    char *path = dip_path_join(dir, "config.yaml");
    dip_status st = path != NULL ? DIP_OK : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_config_dump(&text, settings->config, err);
    if (st == DIP_OK)
        st = dip_file_write(path, text.data, text.len, err);
    free(path);
    dip_str_free(&text);
    return st;
}

static json_t *describe_run(const dip_settings *s, const dip_catalog *catalog,
                            const char *tokenizer_digest)
{
    char seed[24], started[32];
    time_t now = time(NULL);
    struct tm utc;
    (void)gmtime_r(&now, &utc);
    (void)strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", &utc);
    (void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)s->seed);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:{s:s, s:s, s:I}, s:s*}",
        "schema", "diptych-run/1", "name", s->name, "started", started,
        "version", dip_version(), "commit", dip_version_commit(), "libtorch",
        dip_tensor_torch_version(), "seed", seed, "threads",
        dip_tensor_threads(), "data", "path", dip_catalog_path(catalog),
        "digest", dip_catalog_digest(catalog), "rows",
        (json_int_t)dip_catalog_rows(catalog), "tokenizer_sha256",
        tokenizer_digest[0] != '\0' ? tokenizer_digest : NULL);
}

static dip_status write_json(const char *dir, const char *name, json_t *json,
                             dip_err *err)
{
    char *path = dip_path_join(dir, name);
    dip_status st = path != NULL
                        ? dip_json_write(path, json, DIP_JSON_AS_BUILT, err)
                        : dip_no_memory(err);
    free(path);
    return st;
}

/* run.json; `digest` is the tokenizer's, or "". */
static dip_status write_about(const char *dir, const dip_settings *settings,
                              const dip_catalog *catalog, const char *digest,
                              json_t *sources, dip_err *err)
{
    json_t *run = describe_run(settings, catalog, digest);
    dip_status st = json_object_update(run, sources) == 0
                        ? write_json(dir, "run.json", run, err)
                        : dip_no_memory(err);
    json_decref(run);
    return st;
}

dip_status dip_run_write_plain(const char *dir, const dip_settings *settings,
                               const dip_catalog *catalog, json_t *sources,
                               dip_err *err)
{
    dip_status st = dip_run_write_config(dir, settings, err);
    return st == DIP_OK ? write_about(dir, settings, catalog, "", sources, err)
                        : st;
}

dip_status dip_run_write(const char *dir, const dip_settings *settings,
                         const dip_corpus *corpus,
                         const dip_tokenizer *tokenizer, json_t *labels,
                         json_t *fields, json_t *sources, dip_err *err)
{
    char digest[DIP_DIGEST_SIZE];
    char *path = dip_path_join(dir, "tokenizer.json");
    dip_status st = path != NULL ? dip_run_write_config(dir, settings, err)
                                 : dip_no_memory(err);
    if (st == DIP_OK && tokenizer != NULL)
        st = dip_tokenizer_save(tokenizer, path, err);
    if (st == DIP_OK)
        st = dip_tokenizer_digest(digest, tokenizer, err);
    if (st == DIP_OK)
        st = write_json(dir, "labels.json", labels, err);
    if (st == DIP_OK && json_object_size(fields) > 0)
        st = write_json(dir, "fields.json", fields, err);
    if (st == DIP_OK)
        st = write_about(dir, settings, corpus->catalog, digest, sources, err);
    free(path);
    return st;
}

/* ---- loading ---- */

/* Says which file is missing rather than what cannot be opened. */
static dip_status check_run(const char *dir, dip_err *err)
{
    if (!dip_file_is_directory(dir))
        return dip_fail(err, DIP_ENOTFOUND, "no run directory '%s'", dir);
    char *path = dip_path_join(dir, "config.yaml");
    if (path == NULL)
        return dip_no_memory(err);
    dip_status st = DIP_OK;
    if (!dip_file_exists(path))
        st = dip_fail(err, DIP_ENOTFOUND,
                      "'%s' is no run directory: it has no config.yaml", dir);
    free(path);
    return st;
}

dip_status dip_run_settings(dip_settings **out, const char *dir,
                            const char *const *overrides, size_t count,
                            dip_err *err)
{
    *out = NULL;
    dip_status st = check_run(dir, err);
    if (st != DIP_OK)
        return st;
    char *path = dip_path_join(dir, "config.yaml");
    if (path == NULL)
        return dip_no_memory(err);
    dip_str faults = {0};
    st = dip_settings_load(out, path, overrides, count, &faults, err);
    dip_str_free(&faults);
    free(path);
    return st;
}

dip_status dip_run_task(dip_task_kind *out, const char *dir, dip_err *err)
{
    dip_settings *settings;
    dip_status st = dip_run_settings(&settings, dir, NULL, 0, err);
    if (st == DIP_OK)
        *out = settings->task;
    dip_settings_free(settings);
    return st;
}

/* The caller ends *out with json_decref(). */
static dip_status load_json(json_t **out, const char *dir, const char *name,
                            dip_err *err)
{
    *out = NULL;
    char *path = dip_path_join(dir, name);
    dip_status st = path != NULL ? dip_json_load(out, path, FILE_LIMIT, err)
                                 : dip_no_memory(err);
    free(path);
    return st;
}

/* A member of run.json, or of one of its objects when `section` says so; owned.
 */
static dip_status read_run(char **out, const char *dir, const char *section,
                           const char *key, dip_err *err)
{
    json_t *run, *part;
    const char *text = NULL;
    char *path = dip_path_join(dir, "run.json");
    *out = NULL;
    if (path == NULL)
        return dip_no_memory(err);
    dip_status st = dip_json_load(&run, path, FILE_LIMIT, err);
    part = run;
    if (st == DIP_OK && section != NULL)
        st = dip_json_get_object(&part, run, section, path, err);
    if (st == DIP_OK)
        st = dip_json_get_string(&text, part, key, path, err);
    if (st == DIP_OK) {
        *out = dip_strdup(text);
        st = *out != NULL ? DIP_OK : dip_no_memory(err);
    }
    json_decref(run);
    free(path);
    return st;
}

/* Ids of other words would fit the weights as well, and mean nothing. */
static dip_status load_tokenizer(dip_tokenizer **out, const char *dir,
                                 dip_err *err)
{
    char digest[DIP_DIGEST_SIZE], *wanted = NULL;
    char *path = dip_path_join(dir, "tokenizer.json");
    *out = NULL;
    dip_status st =
        path != NULL ? dip_tokenizer_load(out, path, err) : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_tokenizer_digest(digest, *out, err);
    if (st == DIP_OK)
        st = read_run(&wanted, dir, NULL, "tokenizer_sha256", err);
    if (st == DIP_OK && strcmp(digest, wanted) != 0)
        st = dip_fail(err, DIP_EFORMAT,
                      "tokenizer is not the one of run.json: '%s'", path);
    free(wanted);
    free(path);
    return st;
}

/* {"name": ["class", ...], ...} */
static bool are_labels(const json_t *labels)
{
    const char *name;
    json_t *classes, *class;
    size_t i;
    if (!json_is_object(labels))
        return false;
    json_object_foreach ((json_t *)labels, name, classes) {
        if (!json_is_array(classes))
            return false;
        json_array_foreach (classes, i, class) {
            if (!json_is_string(class))
                return false;
        }
    }
    return true;
}

/* A run without attributes has no such file. */
static dip_status load_fields(json_t **fields, const char *dir, dip_err *err)
{
    char *path = dip_path_join(dir, "fields.json");
    if (path == NULL)
        return dip_no_memory(err);
    bool exists = dip_file_exists(path);
    free(path);
    if (exists)
        return load_json(fields, dir, "fields.json", err);
    *fields = json_object();
    return *fields != NULL ? DIP_OK : dip_no_memory(err);
}

dip_status dip_run_read_words(dip_tokenizer **tokenizer, json_t **labels,
                              json_t **fields, const char *dir,
                              const dip_settings *settings, dip_err *err)
{
    dip_status st = DIP_OK;
    *tokenizer = NULL;
    *labels = *fields = NULL;
    if (settings->model.towers != DIP_TOWERS_IMAGE)
        st = load_tokenizer(tokenizer, dir, err);
    if (st == DIP_OK)
        st = load_fields(fields, dir, err);
    if (st == DIP_OK)
        st = load_json(labels, dir, "labels.json", err);
    if (st == DIP_OK && !are_labels(*labels))
        st = dip_fail(err, DIP_EFORMAT,
                      "no lists of class names in '%s/labels.json'", dir);
    return st;
}

dip_status dip_run_check_catalog(const char *dir, const dip_catalog *catalog,
                                 dip_err *err)
{
    char *digest;
    dip_status st = read_run(&digest, dir, "data", "digest", err);
    if (st == DIP_OK && strcmp(digest, dip_catalog_digest(catalog)) != 0)
        st = dip_fail(err, DIP_EDATA,
                      "catalog '%s' is not the one that '%s' was begun with",
                      dip_catalog_path(catalog), dir);
    free(digest);
    return st;
}

dip_status dip_run_check_input(const char *dir, const char *section,
                               const char *words, const json_t *input,
                               dip_err *err)
{
    char *wanted;
    const char *path = json_string_value(json_object_get(input, "path"));
    const char *sha256 = json_string_value(json_object_get(input, "sha256"));
    dip_status st = read_run(&wanted, dir, section, "sha256", err);
    if (st == DIP_OK && strcmp(wanted, sha256) != 0)
        st = dip_fail(err, DIP_EDATA,
                      "%s '%s' is not the one that '%s' was begun with", words,
                      path, dir);
    free(wanted);
    return st;
}

/* Lines of a resolved config that may differ; blanks stand for sections.
 */
static bool may_differ(const char *line)
{
    static const char *const keys[] = {
        "name:",        "  catalog:",          "    teacher:",
        "  threads:",   "  loader_threads:",   "  keep_last:",
        "  log_every:", "  checkpoint_every:", /* of sweeps: */ "trials:",
        "workers:"};
    for (size_t i = 0; i < DIP_ARRAY_LEN(keys); i++) {
        if (strncmp(line, keys[i], strlen(keys[i])) == 0)
            return true;
    }
    return false;
}

/* The next line from *at on that must not differ, without its end; *at goes
 * behind it. Empty at the end of the text. */
static dip_bytes next_line(const char **at)
{
    dip_bytes line = {*at, 0};
    do {
        line = (dip_bytes){*at, strcspn(*at, "\n")};
        *at += line.len + ((*at)[line.len] == '\n');
    } while (line.len > 0 && may_differ(line.data));
    return line;
}

static dip_status compare_configs(const char *before, const char *now,
                                  const char *path, dip_err *err)
{
    while (*before != '\0' || *now != '\0') {
        dip_bytes a = next_line(&before), b = next_line(&now);
        if (a.len != b.len || memcmp(a.data, b.data, a.len) != 0)
            return dip_fail(err, DIP_ECONFIG,
                            "config is not the one of '%s', which has '%.*s' "
                            "where this one has '%.*s'",
                            path, (int)a.len, a.data, (int)b.len, b.data);
    }
    return DIP_OK;
}

dip_status dip_run_check_config(const char *dir, const dip_settings *settings,
                                dip_err *err)
{
    return dip_run_check_config_of(dir, "config.yaml", settings->config, err);
}

dip_status dip_run_check_config_of(const char *dir, const char *file,
                                   const dip_config *config, dip_err *err)
{
    dip_str now = {0};
    char *before = NULL, *path = dip_path_join(dir, file);
    size_t length;
    dip_status st = path != NULL
                        ? dip_file_read(&before, &length, path, FILE_LIMIT, err)
                        : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_config_dump(&now, config, err);
    if (st == DIP_OK)
        st = compare_configs(before, dip_str_text(&now), path, err);
    dip_str_free(&now);
    free(before);
    free(path);
    return st;
}

dip_status dip_run_about(json_t **out, const char *dir, dip_err *err)
{
    return load_json(out, dir, "run.json", err);
}

/* A run that was stopped before it looked at a label can only be gone on with,
 * or lend its tower. */
static dip_status check_pretrained(const char *checkpoint,
                                   const dip_settings *settings, dip_err *err)
{
    dip_train_state state;
    int64_t epochs = settings->pretraining_epochs;
    if (epochs == 0)
        return DIP_OK;
    dip_status st = dip_checkpoint_read_state(&state, checkpoint, err);
    if (st == DIP_OK &&
        (state.epoch < epochs || (state.epoch == epochs && state.batch == 0)))
        st = dip_fail(err, DIP_EDATA,
                      "checkpoint '%s' is one of the run's pretraining "
                      "(pretraining.epochs %lld), which has learnt no label "
                      "yet: `diptych train --resume` goes on, or name a later "
                      "one",
                      checkpoint, (long long)epochs);
    return st;
}

dip_status dip_run_weights(char **checkpoint, dip_params *params,
                           const char *dir, const char *which,
                           const dip_settings *settings, dip_err *err)
{
    *checkpoint = NULL;
    char *folder = dip_path_join(dir, "checkpoints");
    if (folder == NULL)
        return dip_no_memory(err);
    dip_status st = dip_checkpoint_find(checkpoint, folder, which, err);
    if (st == DIP_ENOTFOUND && strcmp(which, "best") == 0)
        st = dip_checkpoint_find(checkpoint, folder, "latest", err);
    free(folder);
    if (st == DIP_OK)
        st = check_pretrained(*checkpoint, settings, err);
    if (st != DIP_OK)
        return st;
    dip_checkpoint_parts parts = {0};
    if (settings->loop.ema.decay > 0)
        parts.averages = params;
    else
        parts.params = params;
    return dip_checkpoint_read(*checkpoint, &parts, err);
}

static dip_status prepare_model(dip_trained *run, const char *which,
                                dip_err *err)
{
    int threads;
    dip_status st =
        dip_run_machine(run->settings, &run->device, &run->bf16, &threads, err);
    if (st == DIP_OK)
        st = dip_run_model(&run->model, run->settings, run->tokenizer,
                           run->labels, run->fields, err);
    if (st == DIP_OK)
        st = dip_run_weights(&run->checkpoint, dip_model_params(run->model),
                             run->dir, which, run->settings, err);
    if (st != DIP_OK)
        return st;
    dip_params_to_device(dip_model_params(run->model), run->device);
    if (run->settings->loop.channels_last)
        dip_params_channels_last(dip_model_params(run->model));
    return dip_tensor_status(err);
}

dip_status dip_trained_load(dip_trained **out, const char *dir,
                            const char *which, const char *const *overrides,
                            size_t override_count, dip_err *err)
{
    *out = NULL;
    dip_trained *run = dip_calloc(1, sizeof *run);
    if (run == NULL)
        return dip_no_memory(err);
    run->dir = dip_strdup(dir);
    dip_status st = run->dir != NULL
                        ? dip_run_settings(&run->settings, dir, overrides,
                                           override_count, err)
                        : dip_no_memory(err);
    if (st == DIP_OK && run->settings->task == DIP_TASK_RECOMMENDATION)
        st = dip_fail(err, DIP_EDATA, "'%s' is a run of recommendation", dir);
    if (st == DIP_OK)
        st = dip_run_read_words(&run->tokenizer, &run->labels, &run->fields,
                                dir, run->settings, err);
    if (st == DIP_OK)
        st = prepare_model(run, which, err);
    if (st != DIP_OK) {
        dip_trained_free(run);
        return st;
    }
    *out = run;
    return DIP_OK;
}

void dip_trained_free(dip_trained *run)
{
    if (run == NULL)
        return;
    dip_model_free(run->model);
    json_decref(run->labels);
    json_decref(run->fields);
    dip_tokenizer_free(run->tokenizer);
    dip_settings_free(run->settings);
    free(run->checkpoint);
    free(run->dir);
    free(run);
}

dip_status dip_trained_corpus(dip_corpus **out, const dip_trained *run,
                              const char *path, dip_err *err)
{
    dip_status st = dip_corpus_open(out, run->settings, path, false, err);
    if (st != DIP_OK)
        return st;
    dip_corpus_set_tokenizer(*out, run->tokenizer);
    st = dip_fields_bind(*out, run->fields, err);
    if (st != DIP_OK) {
        dip_corpus_free(*out);
        *out = NULL;
    }
    return st;
}
