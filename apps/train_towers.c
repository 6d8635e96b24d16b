#include "apps/train_tasks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/corpus.h"
#include "apps/evaluate.h"
#include "apps/feature_cache.h"
#include "apps/fields.h"
#include "apps/initial.h"
#include "apps/label_check.h"
#include "apps/ngram_vocabulary.h"
#include "apps/run_dir.h"
#include "apps/session.h"
#include "apps/teacher.h"
#include "apps/word_vectors.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "train/classification.h"
#include "train/masked.h"
#include "train/retrieval.h"

/* Trains towers over a corpus: for retrieval, or for a classification, which
 * has no tasks but heads alone. */
typedef struct {
    const dip_settings *settings;
    const dip_trainer_options *options;
    dip_session session;
    dip_corpus *corpus;
    dip_tokenizer *tokenizer;
    json_t *labels;
    json_t *vectors; /* what was read of them, for run.json; or NULL */
    json_t *ngrams;  /* which have vectors; or NULL */
    json_t *fields;
    json_t *negatives; /* their file, for run.json; or NULL */
    json_t *initial;   /* what the run starts from, for run.json; or NULL */
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
    dip_classification classes; /* the recipe where there are no tasks, */
    dip_masking masking;        /* and that of its first epochs */
    double masked_loss;         /* summed since the last line of the log, */
    int64_t masked_batches;     /* over so many */
    double scale;               /* of the similarities, 1 / temperature */
} trainer;

static void end(trainer *t)
{
    dip_session_end(&t->session);
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
    json_decref(t->ngrams);
    json_decref(t->negatives);
    json_decref(t->labels);
    json_decref(t->fields);
    dip_tokenizer_free(t->tokenizer);
    dip_corpus_free(t->corpus);
}

/* ---- hooks of the loop ---- */

static dip_status seek(void *user, int64_t epoch, int64_t batch, dip_err *err)
{
    trainer *t = user;
    return dip_loader_start(t->loader, epoch, batch, t->settings->epochs, err);
}

/* An update is of one part of a run, also where it takes batches of two epochs.
 */
static bool pretrains(const trainer *t, const dip_batch *batch)
{
    const dip_loop_options *o = &t->session.loop_options;
    int64_t place = batch->epoch * o->batches_per_epoch + batch->index;
    return place / o->accumulate < o->schedule.restart;
}

static dip_status compute_masked(trainer *t, dip_tensor **loss,
                                 const dip_batch *batch, dip_err *err)
{
    dip_status st = dip_masked_loss(loss, &t->masking, batch, err);
    if (st == DIP_OK)
        t->masked_loss += dip_tensor_item(*loss);
    t->masked_batches++;
    return st;
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
    if (t->settings->task_count > 0)
        return dip_retrieval_loss(loss, &t->recipe, batch, err);
    if (pretrains(t, batch))
        return compute_masked(t, loss, batch, err);
    t->terms.batches++;
    return dip_classification_loss(loss, &t->classes, batch, err);
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

static dip_status validate(void *user, int64_t step, double *metric,
                           dip_err *err)
{
    trainer *t = user;
    if (step <= t->session.loop_options.schedule
                    .restart) { /* nothing to tell labels from yet */
        *metric = NAN;
        return DIP_OK;
    }
    dip_evaluation evaluation = {
        .job = {.settings = t->settings,
                .corpus = t->corpus,
                .model = t->model,
                .device = t->session.loop_options.device,
                .bf16 = t->session.loop_options.bf16,
                .quiet = true},
        .labels = t->labels,
        .split = DIP_SPLIT_VAL,
    };
    json_t *report;
    dip_status st = dip_evaluate(&report, &evaluation, err);
    if (st == DIP_OK)
        st = dip_session_validated(metric, &t->session, step, report, err);
    json_decref(report);
    return st;
}

/* {"tasks": {"text_to_image": 2.1}, "heads": {"type": 0.3}}, or {"masked": 3.5}
 * where only pretraining was done: of those that weigh anything, with what a
 * teacher has a part in under "distill"; means over the batches since the last
 * line. NULL when memory is out. */
static json_t *describe_terms(const trainer *t)
{
    const dip_settings *s = t->settings;
    double batches = t->terms.batches > 0 ? (double)t->terms.batches : 1;
    if (t->masked_batches > 0 && t->terms.batches == 0)
        return json_pack(
            "{s:o}", "masked",
            dip_json_real(t->masked_loss / (double)t->masked_batches));
    json_t *tasks = s->task_count > 0 ? json_object() : NULL;
    json_t *heads = json_object();
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
    return json_pack("{s:o*, s:o*, s:o}", "tasks", tasks, "distill", distill,
                     "heads", heads);
}

static dip_status log_update(trainer *t, const dip_loop_report *r, dip_err *err)
{
    json_t *scale = NULL; /* a classification compares nothing */
    if (t->settings->task_count > 0)
        scale = dip_json_real(t->scale);
    json_t *more =
        json_pack("{s:o, s:o*}", "terms", describe_terms(t), "scale", scale);
    dip_status st = more != NULL
                        ? dip_session_log_update(&t->session, r, more, err)
                        : dip_no_memory(err);
    json_decref(more);
    t->terms = (dip_retrieval_terms){0};
    t->masked_loss = 0;
    t->masked_batches = 0;
    return st;
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
    dip_session_draw(&t->session, r);
    return st;
}

/* ---- preparing ---- */

/* A resumed run goes on with the rows, words and classes that it began with. */
static dip_status load_words(trainer *t, dip_err *err)
{
    const char *dir = t->options->dir;
    dip_status st = dip_run_check_catalog(dir, t->corpus->catalog, err);
    return st == DIP_OK ? dip_run_read_words(&t->tokenizer, &t->labels,
                                             &t->fields, dir, t->settings, err)
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
        st = dip_label_check(t->corpus, err);
        if (st == DIP_OK)
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

/* A resumed run goes on with the hard negatives that it began with. */
static dip_status prepare_negatives(trainer *t, dip_err *err)
{
    const char *path = t->settings->hard_negatives;
    char digest[DIP_DIGEST_SIZE];
    if (path == NULL)
        return DIP_OK;
    dip_status st = dip_digest_file(digest, path, err);
    if (st != DIP_OK)
        return st;
    t->negatives = json_pack("{s:s, s:s}", "path", path, "sha256", digest);
    if (t->negatives == NULL)
        return dip_no_memory(err);
    return t->options->resume
               ? dip_run_check_input(t->options->dir, "hard_negatives",
                                     "file of hard negatives", t->negatives,
                                     err)
               : DIP_OK;
}

/* A resumed run goes on with the teacher that it began with. */
static dip_status prepare_teacher(trainer *t, dip_err *err)
{
    dip_status st =
        dip_teacher_load(&t->teacher, t->corpus, t->options->quiet, err);
    if (st != DIP_OK || t->teacher.about == NULL || !t->options->resume)
        return st;
    return dip_run_check_input(t->options->dir, "teacher", "teacher",
                               t->teacher.about, err);
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
            .device = t->session.loop_options.device,
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
                              .dropout = s->heads[h].dropout,
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
        .device = t->session.loop_options.device,
        .channels_last = s->loop.channels_last,
    };
    dip_score_options *score = &t->recipe.loss_options.score;
    if (score->max == 0)
        score->max = t->corpus->judged.highest > 0
                         ? (double)t->corpus->judged.highest
                         : 1;
}

static void prepare_classes(trainer *t)
{
    const dip_settings *s = t->settings;
    t->classes = (dip_classification){.model = t->model,
                                      .text_count = s->text_count,
                                      .head_weights = s->head_weights,
                                      .head_targets = t->head_targets,
                                      .terms = t->terms.heads,
                                      .mixing = s->mixing,
                                      .image_size = s->transform.size,
                                      .device = t->session.loop_options.device,
                                      .channels_last = s->loop.channels_last};
}

static dip_status prepare_pretraining(trainer *t, dip_err *err)
{
    const dip_settings *s = t->settings;
    if (s->pretraining_epochs == 0)
        return DIP_OK;
    t->masking = (dip_masking){
        .model = t->model,
        .probability = s->mlm_probability,
        .mask = dip_tokenizer_mask(t->tokenizer),
        .special = dip_tokenizer_special(t->tokenizer),
        .seed = s->seed,
        .device = t->session.loop_options.device,
    };
    if (t->masking.mask < 0)
        return dip_fail(err, DIP_ECONFIG,
                        "the tokenizer has no token to mask others with, which "
                        "pretraining needs");
    return DIP_OK;
}

static dip_status make_grad_cache(trainer *t, dip_err *err)
{
    const dip_settings *s = t->settings;
    const dip_grad_cache_options options = {.rows = s->grad_cache,
                                            .seed = s->seed,
                                            .bf16 =
                                                t->session.loop_options.bf16};
    if (s->grad_cache == 0 || s->grad_cache >= s->batch_size)
        return DIP_OK;
    dip_status st =
        dip_grad_cache_create(&t->grad_cache, t->model, &options, err);
    t->recipe.grad_cache = t->grad_cache;
    return st;
}

static dip_status prepare_model(trainer *t, dip_err *err)
{
    const dip_settings *s = t->settings;
    dip_status st = dip_session_machine(&t->session, err);
    if (st == DIP_OK)
        st = dip_run_model(&t->model, s, t->tokenizer, t->labels, t->fields,
                           err);
    if (st == DIP_OK && !t->options->resume)
        st = dip_word_vectors_apply(&t->vectors, t->corpus, t->tokenizer,
                                    t->model, err);
    if (st == DIP_OK && !t->options->resume)
        st = dip_ngram_vocabulary_apply(&t->ngrams, t->corpus, t->tokenizer,
                                        t->model, err);
    if (st == DIP_OK && !t->options->resume)
        st = dip_initial_apply(&t->initial, s, t->model, err);
    if (st != DIP_OK)
        return st;
    if (!t->options->quiet) {
        dip_word_vectors_print(t->vectors);
        dip_ngram_vocabulary_print(t->ngrams);
        dip_initial_print(t->initial);
    }
    dip_params_to_device(dip_model_params(t->model),
                         t->session.loop_options.device);
    st = dip_session_schedule(&t->session, dip_loader_batches(t->loader), err);
    if (st == DIP_OK)
        st = make_queues(t, err);
    if (st != DIP_OK)
        return st;
    prepare_tasks(t);
    prepare_classes(t);
    st = prepare_pretraining(t, err);
    if (st == DIP_OK)
        st = make_grad_cache(t, err);
    return st == DIP_OK ? dip_tensor_status(err) : st;
}

static dip_status write_run(const trainer *t, dip_err *err)
{
    json_t *sources =
        json_pack("{s:O*, s:O*, s:O*, s:O*, s:O*}", "init", t->initial,
                  "word_vectors", t->vectors, "ngrams", t->ngrams, "teacher",
                  t->teacher.about, "hard_negatives", t->negatives);
    dip_status st = sources != NULL ? DIP_OK : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_run_write(t->options->dir, t->settings, t->corpus,
                           t->tokenizer, t->labels, t->fields, sources, err);
    json_decref(sources);
    return st;
}

/* ---- running ---- */

/* Whether the text tower is trained at some time of the pretraining. */
static bool text_pretrains(const trainer *t)
{
    const dip_loop_options *o = &t->session.loop_options;
    int64_t unlocked = o->optimizer.tuning.unlock_after;
    return (unlocked > 0 && unlocked < o->schedule.restart) ||
           dip_model_trains(t->model, "text");
}

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
    dip_status st = dip_session_make_loop(&t->session, &hooks,
                                          dip_model_params(t->model), err);
    if (st == DIP_OK && t->settings->pretraining_epochs > 0 &&
        !text_pretrains(t))
        st = dip_fail(
            err, DIP_ECONFIG,
            "pretraining.epochs: the text tower is frozen, and there is "
            "nothing to pretrain");
    return st;
}

/* The weights are those to train with now, also of a resumed run. The loader
 * is made anew, since it need not read photos of which there are features. */
static dip_status prepare_features(trainer *t, dip_err *err)
{
    const dip_embed_job job = {.settings = t->settings,
                               .corpus = t->corpus,
                               .model = t->model,
                               .device = t->session.loop_options.device,
                               .bf16 = t->session.loop_options.bf16,
                               .quiet = t->options->quiet};
    if (t->settings->loop.optimizer.tuning.unlock_after > 0)
        return DIP_OK; /* they do not stay as they are */
    dip_status st = dip_feature_cache_prepare(&t->features, &job,
                                              dip_model_params(t->model), err);
    if (st != DIP_OK)
        return st;
    t->corpus->features = &t->features;
    t->recipe.features = t->classes.features = &t->features;
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

/* The first that writes into the run directory. */
static dip_status open_logs(trainer *t, dip_err *err)
{
    dip_status st = dip_session_make_dir(&t->session, err);
    if (st == DIP_OK && !t->options->resume)
        st = write_run(t, err);
    return st == DIP_OK ? dip_session_open_logs(&t->session, err) : st;
}

dip_status dip_train_towers(const dip_settings *settings,
                            const dip_trainer_options *options, dip_err *err)
{
    trainer t = {.settings = settings,
                 .options = options,
                 .session = {.settings = settings, .options = options}};
    dip_session *session = &t.session;
    dip_status st = dip_session_begin(session, err);
    if (st == DIP_OK)
        st = prepare_negatives(&t, err);
    if (st == DIP_OK)
        st = prepare_data(&t, err);
    if (st == DIP_OK)
        st = prepare_teacher(&t, err);
    if (st == DIP_OK)
        st = prepare_model(&t, err);
    if (st == DIP_OK &&
        dip_catalog_split_rows(t.corpus->catalog, DIP_SPLIT_VAL) == 0)
        dip_session_warn_unvalidated(session, "rows", t.corpus->catalog);
    if (st == DIP_OK)
        st = make_loop(&t, err);
    if (st == DIP_OK)
        st = prepare_features(&t, err);
    if (st == DIP_OK)
        st = open_logs(&t, err);
    if (st == DIP_OK) {
        warn_of_norms(&t);
        st = dip_session_run(session, err);
    }
    end(&t);
    return st;
}
