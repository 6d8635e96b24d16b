#include "sweep/journal.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#define FILE_LIMIT ((size_t)1 << 30)

struct dip_sweep_journal {
    char *path;
    dip_log *log;
    dip_sweep_trials *trials;
};

/* A line, and where it stands. */
typedef struct {
    const json_t *json;
    const char *place; /* "journal.jsonl:12" */
} entry;

/* ---- applying ---- */

static dip_status contradicts(const entry *e, dip_err *err)
{
    return dip_fail(err, DIP_EFORMAT, "contradicts what stands before it: '%s'",
                    e->place);
}

/* The trial that a line speaks of, and its rung. */
static dip_status read_job(dip_sweep_job *job, const entry *e,
                           const dip_sweep_trials *trials, dip_err *err)
{
    int64_t trial, rung;
    dip_status st = dip_json_get_int(&trial, e->json, "trial", e->place, err);
    if (st == DIP_OK)
        st = dip_json_get_int(&rung, e->json, "rung", e->place, err);
    if (st != DIP_OK)
        return st;
    if (trial < 0 || (uint64_t)trial >= trials->count)
        return dip_fail(err, DIP_EDATA,
                        "trial %lld is none of the %zu of this sweep: '%s'",
                        (long long)trial, trials->count, e->place);
    if (rung < 0 || rung >= trials->rung_count)
        return dip_fail(err, DIP_EDATA,
                        "rung %lld is none of the %d of this sweep: '%s'",
                        (long long)rung, trials->rung_count, e->place);
    *job = (dip_sweep_job){(size_t)trial, (int)rung};
    return DIP_OK;
}

static dip_status apply_begin(dip_sweep_trials *trials, dip_sweep_job job,
                              const entry *e, dip_err *err)
{
    const dip_sweep_trial *trial = &trials->trials[job.trial];
    if (trial->failed || job.rung != trial->done + 1)
        return contradicts(e, err);
    dip_sweep_begin(trials, job);
    return DIP_OK;
}

/* What both ends of a job tell. */
static dip_status apply_end(dip_sweep_trials *trials, dip_sweep_job job,
                            const entry *e, dip_err *err)
{
    dip_sweep_trial *trial = &trials->trials[job.trial];
    if (trial->failed || job.rung != trial->begun || job.rung <= trial->done)
        return contradicts(e, err);
    dip_status st =
        dip_json_get_int(&trial->epochs, e->json, "epochs", e->place, err);
    if (st == DIP_OK)
        st = dip_json_get_number(&trial->seconds, e->json, "seconds", e->place,
                                 err);
    if (st == DIP_OK)
        st = dip_json_get_number(&trial->elapsed[job.rung], e->json, "elapsed",
                                 e->place, err);
    return st;
}

static dip_status apply_done(dip_sweep_trials *trials, dip_sweep_job job,
                             const entry *e, dip_err *err)
{
    double value;
    dip_status st = apply_end(trials, job, e, err);
    if (st == DIP_OK)
        st = dip_json_get_number(&value, e->json, "value", e->place, err);
    if (st == DIP_OK)
        dip_sweep_finish(trials, job, value);
    return st;
}

static dip_status apply_failed(dip_sweep_trials *trials, dip_sweep_job job,
                               const entry *e, dip_err *err)
{
    const char *message;
    dip_status st = apply_end(trials, job, e, err);
    if (st == DIP_OK)
        st = dip_json_get_string(&message, e->json, "message", e->place, err);
    return st == DIP_OK ? dip_sweep_fail(trials, job, message, err) : st;
}

static dip_status apply_retry(dip_sweep_trials *trials, dip_sweep_job job,
                              const entry *e, dip_err *err)
{
    const dip_sweep_trial *trial = &trials->trials[job.trial];
    if (!trial->failed || job.rung != trial->begun)
        return contradicts(e, err);
    dip_sweep_retry(trials, job);
    return DIP_OK;
}

static dip_status apply(dip_sweep_trials *trials, const entry *e, dip_err *err)
{
    static const struct {
        const char *event;
        dip_status (*apply)(dip_sweep_trials *trials, dip_sweep_job job,
                            const entry *e, dip_err *err);
    } events[] = {{"begin", apply_begin},
                  {"done", apply_done},
                  {"failed", apply_failed},
                  {"retry", apply_retry}};
    const char *event;
    dip_sweep_job job;
    dip_status st =
        dip_json_get_string(&event, e->json, "event", e->place, err);
    if (st == DIP_OK)
        st = read_job(&job, e, trials, err);
    for (size_t i = 0; i < DIP_ARRAY_LEN(events) && st == DIP_OK; i++) {
        if (strcmp(event, events[i].event) == 0)
            return events[i].apply(trials, job, e, err);
    }
    return st != DIP_OK ? st
                        : dip_fail(err, DIP_EFORMAT, "unknown event '%s': '%s'",
                                   event, e->place);
}

/* ---- reading ---- */

static dip_status apply_line(dip_sweep_trials *trials, const char *line,
                             size_t n, const char *place, dip_err *err)
{
    json_t *json;
    dip_status st = dip_json_parse(&json, line, n, place, err);
    if (st == DIP_OK)
        st = apply(trials, &(entry){json, place}, err);
    json_decref(json);
    return st;
}

static dip_status replay(dip_sweep_journal *j, dip_err *err)
{
    char *text;
    size_t length, number = 1;
    dip_str place = {0};
    dip_status st = dip_file_read(&text, &length, j->path, FILE_LIMIT, err);
    if (st != DIP_OK)
        return st;
    for (const char *line = text; line < text + length && st == DIP_OK;) {
        const char *end = memchr(line, '\n', (size_t)(text + length - line));
        size_t n =
            end != NULL ? (size_t)(end - line) : (size_t)(text + length - line);
        dip_str_clear(&place);
        dip_str_addf(&place, "%s:%zu", j->path, number++);
        st = apply_line(j->trials, line, n, dip_str_text(&place), err);
        line += n + 1;
    }
    for (size_t t = 0; t < j->trials->count; t++)
        j->trials->trials[t].running = false;
    dip_str_free(&place);
    free(text);
    return st;
}

dip_status dip_sweep_journal_open(dip_sweep_journal **out, const char *path,
                                  dip_sweep_trials *trials, dip_err *err)
{
    *out = NULL;
    dip_sweep_journal *j = dip_calloc(1, sizeof *j);
    if (j == NULL)
        return dip_no_memory(err);
    j->trials = trials;
    j->path = dip_strdup(path);
    dip_status st =
        j->path != NULL ? dip_log_open(&j->log, path, err) : dip_no_memory(err);
    if (st == DIP_OK)
        st = replay(j, err);
    if (st != DIP_OK) {
        dip_sweep_journal_close(j);
        return st;
    }
    *out = j;
    return DIP_OK;
}

void dip_sweep_journal_close(dip_sweep_journal *journal)
{
    if (journal == NULL)
        return;
    dip_log_close(journal->log);
    free(journal->path);
    free(journal);
}

/* ---- writing ---- */

/* Takes `line`; NULL is DIP_ENOMEM. */
static dip_status record(dip_sweep_journal *j, json_t *line, dip_err *err)
{
    dip_status st =
        line != NULL ? dip_log_write(j->log, line, err) : dip_no_memory(err);
    if (st == DIP_OK)
        st = apply(j->trials, &(entry){line, j->path}, err);
    json_decref(line);
    return st;
}

dip_status dip_sweep_journal_begin(dip_sweep_journal *journal,
                                   dip_sweep_job job, dip_err *err)
{
    return record(journal,
                  json_pack("{s:s, s:I, s:i}", "event", "begin", "trial",
                            (json_int_t)job.trial, "rung", job.rung),
                  err);
}

/* As the line has it, so that reading it again gives the same order. */
static double with_nine_digits(double value)
{
    char text[40];
    (void)snprintf(text, sizeof text, "%.9g", value);
    return strtod(text, NULL);
}

dip_status dip_sweep_journal_end(dip_sweep_journal *journal, dip_sweep_job job,
                                 const dip_sweep_outcome *o, dip_err *err)
{
    bool done = o->message == NULL;
    json_t *value = done ? dip_json_real(with_nine_digits(o->value))
                         : json_string(o->message);
    return record(journal,
                  json_pack("{s:s, s:I, s:i, s:o, s:I, s:f, s:f}", "event",
                            done ? "done" : "failed", "trial",
                            (json_int_t)job.trial, "rung", job.rung,
                            done ? "value" : "message", value, "epochs",
                            (json_int_t)o->epochs, "seconds",
                            with_nine_digits(o->seconds), "elapsed",
                            with_nine_digits(o->elapsed)),
                  err);
}

dip_status dip_sweep_journal_retry(dip_sweep_journal *journal, dip_err *err)
{
    dip_status st = DIP_OK;
    for (size_t t = 0; t < journal->trials->count && st == DIP_OK; t++) {
        const dip_sweep_trial *trial = &journal->trials->trials[t];
        if (trial->failed)
            st = record(journal,
                        json_pack("{s:s, s:I, s:i}", "event", "retry", "trial",
                                  (json_int_t)t, "rung", trial->begun),
                        err);
    }
    return st;
}
