#include "apps/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/evaluate.h"
#include "apps/run_dir.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "train/signals.h"

#define LOG_LIMIT ((size_t)4 << 30)

/* ---- preparing ---- */

/* The checkpoint to go on from, or that the directory is free. */
static dip_status find_place(dip_session *s, dip_err *err)
{
    const char *dir = s->options->dir;
    s->checkpoint_dir = dip_path_join(dir, "checkpoints");
    if (s->checkpoint_dir == NULL)
        return dip_no_memory(err);
    if (s->options->resume)
        return dip_checkpoint_find(&s->resume_from, s->checkpoint_dir, "latest",
                                   err);
    char *config = dip_path_join(dir, "config.yaml");
    if (config == NULL)
        return dip_no_memory(err);
    bool used = dip_file_exists(config);
    free(config);
    if (!used)
        return DIP_OK;
    char *latest;
    if (dip_checkpoint_find(&latest, s->checkpoint_dir, "latest", NULL) !=
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

dip_status dip_session_begin(dip_session *s, dip_err *err)
{
    dip_status st = dip_evaluation_check_metric(
        s->metric, sizeof s->metric, &s->loop_options.higher_is_better,
        s->settings, err);
    return st == DIP_OK ? find_place(s, err) : st;
}

dip_status dip_session_machine(dip_session *s, dip_err *err)
{
    int threads;
    bool higher = s->loop_options.higher_is_better;
    s->loop_options = s->settings->loop;
    s->loop_options.higher_is_better = higher;
    dip_status st = dip_run_machine(s->settings, &s->loop_options.device,
                                    &s->loop_options.bf16, &threads, err);
    s->start = (dip_train_state){.seed = s->settings->seed, .threads = threads};
    return st;
}

/* The update after which to stop, 0 for none: the earlier one of those that the
 * options name. The last of an epoch may take batches of the next. */
static int64_t stop_of(const dip_trainer_options *options, int64_t batches,
                       int64_t accumulate)
{
    if (options->stop_after == 0)
        return options->stop_at;
    int64_t step =
        (options->stop_after * batches + accumulate - 1) / accumulate;
    return options->stop_at > 0 && options->stop_at < step ? options->stop_at
                                                           : step;
}

/* Whether a part of the run, which the message names, has an update and an end
 * to its warm-up. */
static dip_status check_part(const dip_session *s, const char *part,
                             int64_t epochs, int64_t updates, dip_err *err)
{
    const dip_settings *c = s->settings;
    const dip_loop_options *o = &s->loop_options;
    if (updates < 1)
        return dip_fail(err, DIP_ECONFIG,
                        "no whole update of %s: %lld batches for "
                        "train.accumulate %lld",
                        part, (long long)(epochs * o->batches_per_epoch),
                        (long long)o->accumulate);
    if (o->schedule.warmup_steps >= updates)
        return dip_fail(err, DIP_ECONFIG,
                        "%s: train.warmup_steps %lld is not below the %lld "
                        "updates of %s",
                        dip_config_place(c->config, "train.warmup_steps"),
                        (long long)o->schedule.warmup_steps, (long long)updates,
                        part);
    return DIP_OK;
}

/* Pretraining and what follows have a warm-up each. */
static dip_status check_parts(const dip_session *s, dip_err *err)
{
    const dip_schedule *o = &s->loop_options.schedule;
    int64_t epochs = s->settings->epochs;
    int64_t first = s->settings->pretraining_epochs;
    if (first == 0)
        return check_part(s, "the run", epochs, o->total_steps, err);
    dip_status st = check_part(s, "pretraining", first, o->restart, err);
    return st == DIP_OK ? check_part(s, "labels", epochs - first,
                                     o->total_steps - o->restart, err)
                        : st;
}

/* The updates of the run, and when it validates. */
dip_status dip_session_schedule(dip_session *s, int64_t batches, dip_err *err)
{
    const dip_settings *c = s->settings;
    dip_loop_options *o = &s->loop_options;
    o->batches_per_epoch = batches;
    o->schedule.total_steps = c->epochs * batches / o->accumulate;
    o->schedule.restart = c->pretraining_epochs * batches / o->accumulate;
    o->stop_at = stop_of(s->options, batches, o->accumulate);
    if (o->validate_every == 0)
        o->validate_every = (batches + o->accumulate - 1) / o->accumulate;
    return check_parts(s, err);
}

dip_status dip_session_make_loop(dip_session *s, const dip_loop_hooks *hooks,
                                 dip_params *params, dip_err *err)
{
    s->checkpoints =
        (dip_checkpoints){s->checkpoint_dir, s->settings->keep_last};
    dip_status st =
        dip_loop_create(&s->loop, &s->loop_options, hooks, &s->checkpoints,
                        params, &s->start, s->resume_from, err);
    return st == DIP_OK && s->options->resume
               ? dip_run_check_config(s->options->dir, s->settings, err)
               : st;
}

void dip_session_warn_unvalidated(const dip_session *s, const char *what,
                                  const dip_catalog *catalog)
{
    if (s->settings->metric != NULL)
        (void)fprintf(stderr,
                      "diptych: warning: train.metric is '%s', but '%s' has no "
                      "%s of the split 'val': the last checkpoint is taken\n",
                      s->settings->metric, dip_catalog_path(catalog), what);
}

/* ---- logs ---- */

dip_status dip_session_make_dir(const dip_session *s, dip_err *err)
{
    return dip_dir_make(s->checkpoint_dir, err);
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

dip_status dip_session_open_logs(dip_session *s, dip_err *err)
{
    const char *dir = s->options->dir;
    char *log = dip_path_join(dir, "log.jsonl");
    dip_status st = log != NULL ? DIP_OK : dip_no_memory(err);
    if (st == DIP_OK && s->options->resume)
        st = forget_lost_steps(log, dip_loop_state(s->loop)->step, err);
    if (st == DIP_OK)
        st = dip_log_open(&s->log, log, err);
    if (st == DIP_OK)
        st = dip_events_open(&s->events, dir, err);
    free(log);
    return st;
}

static dip_status log_validation(dip_session *s, int64_t step, double metric,
                                 json_t *report, dip_err *err)
{
    json_t *line = json_pack("{s:s, s:I, s:s, s:o, s:O}", "event", "validation",
                             "step", (json_int_t)step, "metric", s->metric,
                             "value", dip_json_real(metric), "report", report);
    dip_status st =
        line != NULL ? dip_log_write(s->log, line, err) : dip_no_memory(err);
    json_decref(line);
    return st;
}

/* Every number of the tasks and heads is a curve: "val/text_to_image/mrr". */
static dip_status plot_validation(dip_session *s, int64_t step,
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
                dip_status st = dip_events_scalar(s->events, tag, step,
                                                  json_real_value(value), err);
                if (st != DIP_OK)
                    return st;
            }
        }
    }
    return dip_events_flush(s->events, err);
}

dip_status dip_session_validated(double *metric, dip_session *s, int64_t step,
                                 json_t *report, dip_err *err)
{
    dip_status st = dip_evaluation_metric(metric, report, s->metric, err);
    if (st == DIP_OK)
        st = log_validation(s, step, *metric, report, err);
    if (st == DIP_OK)
        st = plot_validation(s, step, report, err);
    if (st == DIP_OK && !s->options->quiet) {
        dip_progress_clear(s->progress);
        (void)fprintf(stderr, "step %lld: %s %.4f\n", (long long)step,
                      s->metric, *metric);
    }
    return st;
}

dip_status dip_session_log_update(dip_session *s, const dip_loop_report *r,
                                  json_t *more, dip_err *err)
{
    double rate = (double)r->rows / r->step_seconds;
    json_t *line = json_pack(
        "{s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "event", "step",
        "step", (json_int_t)r->step, "epoch", (json_int_t)r->epoch, "loss",
        dip_json_real(r->loss), "lr", dip_json_real(r->lr), "grad_norm",
        dip_json_real(r->grad_norm), "samples_per_second", dip_json_real(rate),
        "data_wait", dip_json_real(r->wait_seconds / r->step_seconds),
        "seconds", dip_json_real(r->seconds));
    dip_status st =
        line != NULL && (more == NULL || json_object_update(line, more) == 0)
            ? dip_log_write(s->log, line, err)
            : dip_no_memory(err);
    json_decref(line);
    const struct {
        const char *tag;
        double value;
    } curves[] = {{"train/loss", r->loss},
                  {"train/lr", r->lr},
                  {"train/grad_norm", r->grad_norm},
                  {"train/samples_per_second", rate}};
    for (size_t i = 0; i < DIP_ARRAY_LEN(curves) && st == DIP_OK; i++)
        st = dip_events_scalar(s->events, curves[i].tag, r->step,
                               curves[i].value, err);
    return st;
}

void dip_session_draw(dip_session *s, const dip_loop_report *r)
{
    char words[128];
    s->smooth_loss =
        s->smooth_loss == 0 ? r->loss : .9 * s->smooth_loss + .1 * r->loss;
    (void)snprintf(words, sizeof words,
                   "epoch %lld · loss %.3f · %.0f samples/s · wait %.0f %%",
                   (long long)r->epoch + 1, s->smooth_loss,
                   (double)r->rows / r->step_seconds,
                   100 * r->wait_seconds / r->step_seconds);
    dip_progress_update(s->progress, r->step, words);
}

/* ---- running ---- */

dip_status dip_session_run(dip_session *s, dip_err *err)
{
    s->progress = dip_progress_start(
        &(dip_progress_options){.stream = stderr,
                                .label = "train",
                                .unit = "steps",
                                .total = s->loop_options.schedule.total_steps,
                                .first = dip_loop_state(s->loop)->step,
                                .quiet = s->options->quiet});
    dip_signals_install();
    return dip_loop_run(s->loop, err);
}

void dip_session_end(dip_session *s)
{
    dip_progress_finish(s->progress);
    dip_events_close(s->events);
    dip_log_close(s->log);
    dip_loop_free(s->loop);
    free(s->resume_from);
    free(s->checkpoint_dir);
}
