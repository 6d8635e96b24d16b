#include "apps/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/corpus.h"
#include "apps/evaluate.h"
#include "apps/feature_cache.h"
#include "apps/fields.h"
#include "apps/initial.h"
#include "apps/run_dir.h"
#include "apps/teacher.h"
#include "apps/word_vectors.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "report/events.h"
#include "train/loop.h"
#include "train/retrieval.h"
#include "train/signals.h"

#define LOG_LIMIT ((size_t)4 << 30)

typedef struct {
    const dip_settings *settings;
    const dip_trainer_options *options;
    char *checkpoint_dir;
    char *resume_from; /* a checkpoint's folder, or NULL */
    dip_corpus *corpus;
    dip_tokenizer *tokenizer;
    json_t *labels;
    json_t *vectors; /* what was read of them, for run.json; or NULL */
    json_t *fields;
    json_t *initial; /* what the run starts from, for run.json; or NULL */
    dip_model *model;
    dip_loader *loader;
    dip_features features; /* of frozen towers */
    dip_teacher teacher;
    dip_retrieval_task tasks[DIP_RETRIEVAL_TASKS_MAX];
    dip_queue *queues[DIP_RETRIEVAL_TASKS_MAX];
    dip_params *memory; /* of the queues; NULL: there are none */
    dip_head_target head_targets[DIP_MODEL_HEADS_MAX];
    dip_retrieval_terms terms;  /* since the last line of the log */
    dip_grad_cache *grad_cache; /* NULL: none */
    dip_retrieval recipe;
    dip_loop_options loop_options;
    dip_train_state start;
    dip_checkpoints checkpoints;
    dip_loop *loop;
    char metric[128];
    double smooth_loss; /* for the progress bar */
    double scale;       /* of the similarities, 1 / temperature */
    dip_log *log;
    dip_events *events;
    dip_progress *progress;
} trainer;

static void end(trainer *t)
{
    dip_progress_finish(t->progress);
    dip_events_close(t->events);
    dip_log_close(t->log);
    dip_loop_free(t->loop);
    if (t->loader != NULL)
        dip_corpus_warn_skipped(t->loader, DIP_SPLIT_TRAIN);
    dip_loader_free(t->loader);
    for (int i = 0; i < DIP_RETRIEVAL_TASKS_MAX; i++)
        dip_queue_free(t->queues[i]);
    dip_params_free(t->memory);
    dip_grad_cache_free(t->grad_cache);
    dip_feature_cache_free(&t->features);
    dip_teacher_free(&t->teacher);
    dip_model_free(t->model);
    json_decref(t->initial);
    json_decref(t->vectors);
    json_decref(t->labels);
    json_decref(t->fields);
    dip_tokenizer_free(t->tokenizer);
    dip_corpus_free(t->corpus);
    free(t->resume_from);
    free(t->checkpoint_dir);
}

/* ---- hooks of the loop ---- */

static dip_status seek(void *user, int64_t epoch, int64_t batch, dip_err *err)
{
    trainer *t = user;
    return dip_loader_start(t->loader, epoch, batch, t->settings->epochs, err);
}

static dip_status compute_loss(void *user, dip_tensor **loss, int64_t *rows,
                               dip_err *err)
{
    trainer *t = user;
    const dip_batch *batch;
    dip_status st = dip_loader_next(&batch, t->loader, err);
    if (st != DIP_OK)
        return st;
    if (batch == NULL)
        return dip_fail(err, DIP_FAIL, "the loader ended before the schedule");
    *rows = batch->size;
    return dip_retrieval_loss(loss, &t->recipe, batch, err);
}

static void finish_backward(void *user)
{
    trainer *t = user;
    dip_grad_cache_backward(t->grad_cache);
}

static double waited(void *user)
{
    const trainer *t = user;
    return dip_loader_waited(t->loader);
}

static dip_status log_validation(trainer *t, int64_t step, double metric,
                                 json_t *report, dip_err *err)
{
    json_t *line = json_pack("{s:s, s:I, s:s, s:o, s:O}", "event", "validation",
                             "step", (json_int_t)step, "metric", t->metric,
                             "value", dip_json_real(metric), "report", report);
    dip_status st =
        line != NULL ? dip_log_write(t->log, line, err) : dip_no_memory(err);
    json_decref(line);
    return st;
}

/* Every number of the tasks and heads is a curve: "val/text_to_image/mrr". */
static dip_status plot_validation(trainer *t, int64_t step,
                                  const json_t *report, dip_err *err)
{
    static const char *const parts[] = {"retrieval", "classification"};
    for (size_t p = 0; p < DIP_ARRAY_LEN(parts); p++) {
        const char *name, *key;
        json_t *section = json_object_get(report, parts[p]);
        json_t *item, *value;
        json_object_foreach (section, name, item) {
            json_object_foreach (item, key, value) {
                char tag[256];
                if (!json_is_real(value))
                    continue;
                (void)snprintf(tag, sizeof tag, "val/%s/%s", name, key);
                dip_status st = dip_events_scalar(t->events, tag, step,
                                                  json_real_value(value), err);
                if (st != DIP_OK)
                    return st;
            }
        }
    }
    return dip_events_flush(t->events, err);
}

static dip_status validate(void *user, int64_t step, double *metric,
                           dip_err *err)
{
    trainer *t = user;
    dip_evaluation evaluation = {
        .job = {.settings = t->settings,
                .corpus = t->corpus,
                .model = t->model,
                .device = t->loop_options.device,
                .bf16 = t->loop_options.bf16,
                .quiet = true},
        .labels = t->labels,
        .split = DIP_SPLIT_VAL,
    };
    json_t *report;
    dip_status st = dip_evaluate(&report, &evaluation, err);
    if (st == DIP_OK)
        st = dip_evaluation_metric(metric, report, t->metric, err);
    if (st == DIP_OK)
        st = log_validation(t, step, *metric, report, err);
    if (st == DIP_OK)
        st = plot_validation(t, step, report, err);
    if (st == DIP_OK && !t->options->quiet) {
        dip_progress_clear(t->progress);
        (void)fprintf(stderr, "step %lld: %s %.4f\n", (long long)step,
                      t->metric, *metric);
    }
    json_decref(report);
    return st;
}

/* {"tasks": {"text_to_image": 2.1}, "heads": {"type": 0.3}}: of those that
 * weigh anything, with what a teacher has a part in under "distill"; means over
 * the batches since the last line. NULL when memory is out. */
static json_t *describe_terms(const trainer *t)
{
    const dip_settings *s = t->settings;
    double batches = t->terms.batches > 0 ? (double)t->terms.batches : 1;
    json_t *tasks = json_object(), *heads = json_object();
    json_t *distill = s->teacher != NULL ? json_object() : NULL;
    for (int i = 0; i < s->task_count; i++) {
        if (s->tasks[i].weight > 0)
            (void)json_object_set_new(
                tasks, s->tasks[i].name,
                dip_json_real(t->terms.tasks[i] / batches));
    }
    for (int i = 0; i < s->task_count; i++) {
        if (s->tasks[i].teacher_query != NULL)
            (void)json_object_set_new(
                distill, s->tasks[i].name,
                dip_json_real(t->terms.distill[i] / batches));
    }
    for (int h = 0; h < s->model.head_count; h++) {
        if (s->head_weights[h] > 0)
            (void)json_object_set_new(
                heads, s->model.heads[h].name,
                dip_json_real(t->terms.heads[h] / batches));
    }
    return json_pack("{s:o, s:o*, s:o}", "tasks", tasks, "distill", distill,
                     "heads", heads);
}

static dip_status log_update(trainer *t, const dip_loop_report *r, dip_err *err)
{
    double rate = (double)r->rows / r->step_seconds;
    json_t *line = json_pack(
        "{s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "event",
        "step", "step", (json_int_t)r->step, "epoch", (json_int_t)r->epoch,
        "loss", dip_json_real(r->loss), "terms", describe_terms(t), "lr",
        dip_json_real(r->lr), "grad_norm", dip_json_real(r->grad_norm), "scale",
        dip_json_real(t->scale), "samples_per_second", dip_json_real(rate),
        "data_wait", dip_json_real(r->wait_seconds / r->step_seconds),
        "seconds", dip_json_real(r->seconds));
    dip_status st =
        line != NULL ? dip_log_write(t->log, line, err) : dip_no_memory(err);
    json_decref(line);
    t->terms = (dip_retrieval_terms){0};
    const struct {
        const char *tag;
        double value;
    } curves[] = {{"train/loss", r->loss},
                  {"train/lr", r->lr},
                  {"train/grad_norm", r->grad_norm},
                  {"train/samples_per_second", rate}};
    for (size_t i = 0; i < DIP_ARRAY_LEN(curves) && st == DIP_OK; i++)
        st = dip_events_scalar(t->events, curves[i].tag, r->step,
                               curves[i].value, err);
    return st;
}

static void draw_progress(trainer *t, const dip_loop_report *r)
{
    char words[128];
    t->smooth_loss =
        t->smooth_loss == 0 ? r->loss : .9 * t->smooth_loss + .1 * r->loss;
    (void)snprintf(words, sizeof words,
                   "epoch %lld · loss %.3f · %.0f samples/s · wait %.0f %%",
                   (long long)r->epoch + 1, t->smooth_loss,
                   (double)r->rows / r->step_seconds,
                   100 * r->wait_seconds / r->step_seconds);
    dip_progress_update(t->progress, r->step, words);
}

static dip_status report(void *user, const dip_loop_report *r, dip_err *err)
{
    trainer *t = user;
    dip_scope_open();
    dip_model_constrain(t->model);
    t->scale = dip_tensor_item(dip_model_scale(t->model));
    dip_scope_close();
    dip_status st = dip_tensor_status(err);
    if (st == DIP_OK && r->step % t->settings->log_every == 0)
        st = log_update(t, r, err);
    draw_progress(t, r);
    return st;
}

/* ---- preparing ---- */

static dip_status check_dir(trainer *t, dip_err *err)
{
    const char *dir = t->options->dir;
    t->checkpoint_dir = dip_path_join(dir, "checkpoints");
    if (t->checkpoint_dir == NULL)
        return dip_no_memory(err);
    if (t->options->resume)
        return dip_checkpoint_find(&t->resume_from, t->checkpoint_dir, "latest",
                                   err);
    char *config = dip_path_join(dir, "config.yaml");
    if (config == NULL)
        return dip_no_memory(err);
    bool used = dip_file_exists(config);
    free(config);
    if (!used)
        return DIP_OK;
    char *latest;
    if (dip_checkpoint_find(&latest, t->checkpoint_dir, "latest", NULL) !=
        DIP_OK)
        return dip_fail(err, DIP_EDATA,
                        "run directory '%s' is in use and has no checkpoint "
                        "to go on from: remove it, or make another by --run "
                        "DIR or name=…",
                        dir);
    free(latest);
    return dip_fail(err, DIP_EDATA,
                    "run directory '%s' is in use: --resume goes on with it, "
                    "--run DIR or name=… makes another",
                    dir);
}

/* A resumed run goes on with the rows, words and classes that it began with. */
static dip_status load_words(trainer *t, dip_err *err)
{
    const char *dir = t->options->dir;
    dip_status st = dip_run_check_catalog(dir, t->corpus->catalog, err);
    return st == DIP_OK ? dip_run_read_words(&t->tokenizer, &t->labels,
                                             &t->fields, dir, err)
                        : st;
}

static dip_status prepare_data(trainer *t, dip_err *err)
{
    dip_status st = dip_corpus_open(&t->corpus, t->settings, NULL, true, err);
    if (st != DIP_OK)
        return st;
    if (t->options->resume) {
        st = load_words(t, err);
    } else {
        st = dip_corpus_build_tokenizer(&t->tokenizer, t->corpus, err);
        if (st == DIP_OK)
            st = dip_run_labels(&t->labels, t->corpus, err);
        if (st == DIP_OK)
            st = dip_fields_gather(&t->fields, t->corpus, err);
    }
    if (st == DIP_OK)
        st = dip_fields_bind(t->corpus, t->fields, err);
    if (st != DIP_OK)
        return st;
    dip_corpus_set_tokenizer(t->corpus, t->tokenizer);
    if (!t->options->resume)
        st = dip_corpus_warn_cut(t->corpus, err);
    return st == DIP_OK ? dip_corpus_loader(&t->loader, t->corpus,
                                            DIP_SPLIT_TRAIN, true, err)
                        : st;
}

/* A resumed run goes on with the teacher that it began with. */
static dip_status prepare_teacher(trainer *t, dip_err *err)
{
    dip_status st =
        dip_teacher_load(&t->teacher, t->corpus, t->options->quiet, err);
    if (st != DIP_OK || t->teacher.about == NULL || !t->options->resume)
        return st;
    const char *digest =
        json_string_value(json_object_get(t->teacher.about, "sha256"));
    return dip_run_check_teacher(t->options->dir, t->settings->teacher, digest,
                                 err);
}

/* Of each task that weighs anything, where earlier rows are wanted. */
static dip_status make_queues(trainer *t, dip_err *err)
{
    const dip_settings *s = t->settings;
    dip_status st = s->queue > 0 ? dip_params_create(&t->memory, err) : DIP_OK;
    for (int i = 0; i < s->task_count && s->queue > 0 && st == DIP_OK; i++) {
        const dip_queue_size size = {
            .rows = s->queue,
            .dim = s->model.embed_dim,
            .key_columns = t->corpus->keys[i].columns,
            .device = t->loop_options.device,
        };
        if (s->tasks[i].weight > 0)
            st = dip_queue_create(&t->queues[i], t->memory, s->tasks[i].name,
                                  &size, err);
    }
    return st;
}

static void prepare_tasks(trainer *t)
{
    const dip_settings *s = t->settings;
    for (int i = 0; i < s->task_count; i++) {
        const dip_task_settings *task = &s->tasks[i];
        t->tasks[i] = (dip_retrieval_task){
            .query = task->query,
            .mix = task->mix,
            .weight = task->weight,
            .keys = task->judged ? NULL : &t->corpus->keys[i],
            .judged = task->judged ? &t->corpus->judged : NULL,
            .queue = t->queues[i],
            .teacher = dip_teacher_rows_of(&t->teacher, task),
        };
        memcpy(t->tasks[i].fields, task->fields, sizeof task->fields);
    }
    for (int h = 0; h < s->model.head_count; h++)
        t->head_targets[h] =
            (dip_head_target){.label_smoothing = s->heads[h].label_smoothing,
                              .class_weights = t->corpus->class_weights[h]};
    t->recipe = (dip_retrieval){
        .model = t->model,
        .tasks = t->tasks,
        .task_count = s->task_count,
        .text_count = s->text_count,
        .field_text = s->field_text,
        .head_weights = s->head_weights,
        .head_targets = t->head_targets,
        .terms = &t->terms,
        .loss = s->loss,
        .loss_options = s->loss_options,
        .matryoshka = s->matryoshka,
        .match = s->match,
        .distill = s->distill,
        .blocked_from = s->blocked_from,
        .field_dropout = s->field_dropout,
        .seed = s->seed,
        .image_size = s->transform.size,
        .device = t->loop_options.device,
        .channels_last = s->loop.channels_last,
    };
    dip_score_options *score = &t->recipe.loss_options.score;
    if (score->max == 0)
        score->max = t->corpus->judged.highest > 0
                         ? (double)t->corpus->judged.highest
                         : 1;
}

static dip_status make_grad_cache(trainer *t, dip_err *err)
{
    const dip_settings *s = t->settings;
    const dip_grad_cache_options options = {
        .rows = s->grad_cache, .seed = s->seed, .bf16 = t->loop_options.bf16};
    if (s->grad_cache == 0 || s->grad_cache >= s->batch_size)
        return DIP_OK;
    dip_status st =
        dip_grad_cache_create(&t->grad_cache, t->model, &options, err);
    t->recipe.grad_cache = t->grad_cache;
    return st;
}

/* The updates of the run, and when it validates. */
static dip_status prepare_schedule(trainer *t, dip_err *err)
{
    const dip_settings *s = t->settings;
    int64_t batches = dip_loader_batches(t->loader);
    dip_loop_options *o = &t->loop_options;
    o->batches_per_epoch = batches;
    o->schedule.total_steps = s->epochs * batches / o->accumulate;
    o->stop_at = t->options->stop_at;
    if (o->validate_every == 0)
        o->validate_every = (batches + o->accumulate - 1) / o->accumulate;
    if (o->schedule.total_steps < 1)
        return dip_fail(err, DIP_ECONFIG,
                        "no whole update: %lld batches for train.accumulate "
                        "%lld",
                        (long long)(s->epochs * batches),
                        (long long)o->accumulate);
    if (o->schedule.warmup_steps >= o->schedule.total_steps)
        return dip_fail(err, DIP_ECONFIG,
                        "%s: train.warmup_steps %lld is not below the %lld "
                        "updates of the run",
                        dip_config_place(s->config, "train.warmup_steps"),
                        (long long)o->schedule.warmup_steps,
                        (long long)o->schedule.total_steps);
    return DIP_OK;
}

static dip_status prepare_model(trainer *t, dip_err *err)
{
    const dip_settings *s = t->settings;
    int threads;
    t->loop_options = s->loop;
    dip_status st = dip_run_machine(s, &t->loop_options.device,
                                    &t->loop_options.bf16, &threads, err);
    if (st == DIP_OK)
        st = dip_run_model(&t->model, s, t->tokenizer, t->labels, t->fields,
                           err);
    if (st == DIP_OK && !t->options->resume)
        st = dip_word_vectors_apply(&t->vectors, t->corpus, t->tokenizer,
                                    t->model, err);
    if (st == DIP_OK && !t->options->resume)
        st = dip_initial_apply(&t->initial, s, t->model, err);
    if (st != DIP_OK)
        return st;
    if (!t->options->quiet) {
        dip_word_vectors_print(t->vectors);
        dip_initial_print(t->initial);
    }
    dip_params_to_device(dip_model_params(t->model), t->loop_options.device);
    t->start = (dip_train_state){.seed = s->seed, .threads = threads};
    st = prepare_schedule(t, err);
    if (st == DIP_OK)
        st = make_queues(t, err);
    if (st != DIP_OK)
        return st;
    prepare_tasks(t);
    st = make_grad_cache(t, err);
    return st == DIP_OK ? dip_tensor_status(err) : st;
}

/* Whether a line of the log tells of a step that no checkpoint holds. */
static bool is_lost(const char *line, size_t length, int64_t step)
{
    json_t *json;
    int64_t at = 0;
    bool lost = dip_json_parse(&json, line, length, "log", NULL) != DIP_OK ||
                (dip_json_get_int(&at, json, "step", "log", NULL) == DIP_OK &&
                 at > step);
    json_decref(json);
    return lost;
}

/* Takes the steps after the checkpoint out of the log: a run that was killed
 * has done them, and does them again. */
static dip_status forget_lost_steps(const char *path, int64_t step,
                                    dip_err *err)
{
    char *text;
    size_t length;
    dip_str kept = {0};
    if (!dip_file_exists(path))
        return DIP_OK;
    dip_status st = dip_file_read(&text, &length, path, LOG_LIMIT, err);
    if (st != DIP_OK)
        return st;
    for (const char *line = text, *end; line < text + length; line = end + 1) {
        end = memchr(line, '\n', (size_t)(text + length - line));
        if (end == NULL)
            break; /* torn: dip_log_open() would cut it off */
        size_t n = (size_t)(end - line);
        if (!is_lost(line, n, step))
            dip_str_add_n(&kept, line, n + 1);
    }
    st = dip_str_status(&kept, err);
    if (st == DIP_OK && kept.len < length)
        st = dip_file_write(path, dip_str_text(&kept), kept.len, err);
    dip_str_free(&kept);
    free(text);
    return st;
}

static dip_status write_run(const trainer *t, dip_err *err)
{
    json_t *sources =
        json_pack("{s:O*, s:O*, s:O*}", "init", t->initial, "word_vectors",
                  t->vectors, "teacher", t->teacher.about);
    dip_status st = sources != NULL ? DIP_OK : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_run_write(t->options->dir, t->settings, t->corpus,
                           t->tokenizer, t->labels, t->fields, sources, err);
    json_decref(sources);
    return st;
}

static dip_status open_logs(trainer *t, dip_err *err)
{
    const char *dir = t->options->dir;
    dip_status st = dip_dir_make(t->checkpoint_dir, err);
    if (st == DIP_OK && !t->options->resume)
        st = write_run(t, err);
    char *log = dip_path_join(dir, "log.jsonl");
    if (st == DIP_OK && log == NULL)
        st = dip_no_memory(err);
    if (st == DIP_OK && t->options->resume)
        st = forget_lost_steps(log, dip_loop_state(t->loop)->step, err);
    if (st == DIP_OK)
        st = dip_log_open(&t->log, log, err);
    if (st == DIP_OK)
        st = dip_events_open(&t->events, dir, err);
    free(log);
    return st;
}

/* ---- running ---- */

static dip_status make_loop(trainer *t, dip_err *err)
{
    const dip_loop_hooks hooks = {
        .user = t,
        .seek = seek,
        .loss = compute_loss,
        .backward = t->grad_cache != NULL ? finish_backward : NULL,
        .waited = waited,
        .validate =
            dip_catalog_split_rows(t->corpus->catalog, DIP_SPLIT_VAL) > 0
                ? validate
                : NULL,
        .report = report,
        .memory = t->memory,
    };
    t->checkpoints =
        (dip_checkpoints){t->checkpoint_dir, t->settings->keep_last};
    return dip_loop_create(&t->loop, &t->loop_options, &hooks, &t->checkpoints,
                           dip_model_params(t->model), &t->start,
                           t->resume_from, err);
}

/* The weights are those to train with now, also of a resumed run. The loader
 * is made anew, since it need not read photos of which there are features. */
static dip_status prepare_features(trainer *t, dip_err *err)
{
    const dip_embed_job job = {.settings = t->settings,
                               .corpus = t->corpus,
                               .model = t->model,
                               .device = t->loop_options.device,
                               .bf16 = t->loop_options.bf16,
                               .quiet = t->options->quiet};
    if (t->settings->loop.optimizer.tuning.unlock_after > 0)
        return DIP_OK; /* they do not stay as they are */
    dip_status st = dip_feature_cache_prepare(&t->features, &job,
                                              dip_model_params(t->model), err);
    if (st != DIP_OK)
        return st;
    t->corpus->features = &t->features;
    t->recipe.features = &t->features;
    dip_loader_free(t->loader);
    return dip_corpus_loader(&t->loader, t->corpus, DIP_SPLIT_TRAIN, true, err);
}

static void warn_of_norms(const trainer *t)
{
    bool unlocks = t->settings->loop.optimizer.tuning.unlock_after > 0;
    if (t->grad_cache == NULL ||
        !dip_grad_cache_splits_norms(dip_model_params(t->model), unlocks))
        return;
    (void)fprintf(stderr,
                  "diptych: warning: train.grad_cache is %lld: batch norms see "
                  "so many rows, not the %lld of a batch\n",
                  (long long)t->settings->grad_cache,
                  (long long)t->settings->batch_size);
}

static dip_status run_loop(trainer *t, dip_err *err)
{
    warn_of_norms(t);
    t->progress = dip_progress_start(
        &(dip_progress_options){.stream = stderr,
                                .label = "train",
                                .unit = "steps",
                                .total = t->loop_options.schedule.total_steps,
                                .first = dip_loop_state(t->loop)->step,
                                .quiet = t->options->quiet});
    dip_signals_install();
    return dip_loop_run(t->loop, err);
}

dip_status dip_trainer_run(const dip_settings *settings,
                           const dip_trainer_options *options, dip_err *err)
{
    trainer t = {.settings = settings, .options = options};
    dip_status st = dip_evaluation_check_metric(
        t.metric, sizeof t.metric, &t.loop_options.higher_is_better, settings,
        err);
    bool higher = t.loop_options.higher_is_better;
    if (st == DIP_OK)
        st = check_dir(&t, err);
    if (st == DIP_OK)
        st = prepare_data(&t, err);
    if (st == DIP_OK)
        st = prepare_teacher(&t, err);
    if (st == DIP_OK)
        st = prepare_model(&t, err);
    t.loop_options.higher_is_better = higher;
    if (st == DIP_OK && settings->metric != NULL &&
        dip_catalog_split_rows(t.corpus->catalog, DIP_SPLIT_VAL) == 0)
        (void)fprintf(stderr,
                      "diptych: warning: train.metric is '%s', but '%s' has no "
                      "rows of the split 'val': the last checkpoint is taken\n",
                      settings->metric, dip_catalog_path(t.corpus->catalog));
    if (st == DIP_OK)
        st = make_loop(&t, err);
    if (st == DIP_OK && options->resume)
        st = dip_run_check_config(options->dir, settings, err);
    if (st == DIP_OK)
        st = prepare_features(&t, err);
    if (st == DIP_OK) /* the first that writes into the run directory */
        st = open_logs(&t, err);
    if (st == DIP_OK)
        st = run_loop(&t, err);
    end(&t);
    return st;
}
