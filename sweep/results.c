#include "sweep/results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"

const char *dip_sweep_run_name(char out[DIP_SWEEP_RUN_SIZE], size_t trial)
{
    (void)snprintf(out, DIP_SWEEP_RUN_SIZE, "trials/%04zu", trial);
    return out;
}

/* A number where the text is one. */
static json_t *value_json(const char *text)
{
    char *end;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(number))
        return json_string(text);
    if (number == rint(number) && fabs(number) < 1e15)
        return json_integer((json_int_t)number);
    return json_real(number);
}

/* Failed json_ calls give NULL, which ends what it was to be put into. */
static json_t *parameters_json(const dip_sweep_results *r, size_t trial)
{
    json_t *out = json_object();
    for (size_t p = 0; p < r->space->count && out != NULL; p++) {
        json_t *value = value_json(dip_sweep_value(r->points, trial, p));
        if (json_object_set_new(out, r->space->parameters[p].name, value) !=
            0) {
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}

static const char *status_of(const dip_sweep_trials *s, size_t t)
{
    const dip_sweep_trial *trial = &s->trials[t];
    if (trial->failed)
        return "failed";
    if (trial->begun > trial->done)
        return "begun";
    return trial->done == s->rung_count - 1 ? "done" : "stopped";
}

static json_t *trial_json(const dip_sweep_results *r, size_t t)
{
    const dip_sweep_trial *trial = &r->trials->trials[t];
    char run[DIP_SWEEP_RUN_SIZE];
    return json_pack("{s:I, s:s, s:o, s:o, s:i, s:I, s:f, s:s, s:s*}", "trial",
                     (json_int_t)t, "status", status_of(r->trials, t), "value",
                     dip_json_real(dip_sweep_trial_value(trial)), "parameters",
                     parameters_json(r, t), "rung", trial->done, "epochs",
                     (json_int_t)trial->epochs, "seconds", trial->seconds,
                     "run", dip_sweep_run_name(run, t), "message",
                     trial->message);
}

/* ---- in order ---- */

/* One result: that a trial came to a rung. */
typedef struct {
    size_t trial;
    int rung;
    double elapsed;
} arrival;

static int by_time(const void *a, const void *b)
{
    const arrival *x = a, *y = b;
    if (x->elapsed != y->elapsed)
        return x->elapsed < y->elapsed ? -1 : 1;
    return x->rung != y->rung ? x->rung - y->rung
                              : (x->trial > y->trial) - (x->trial < y->trial);
}

static json_t *course_json(const dip_sweep_trials *s, arrival *arrivals)
{
    size_t count = 0;
    json_t *out = json_array();
    for (size_t t = 0; t < s->count; t++) {
        for (int rung = 0; rung <= s->trials[t].done; rung++)
            arrivals[count++] = (arrival){t, rung, s->trials[t].elapsed[rung]};
    }
    qsort(arrivals, count, sizeof *arrivals, by_time);
    for (size_t i = 0; i < count && out != NULL; i++) {
        const arrival *at = &arrivals[i];
        json_t *point =
            json_pack("{s:f, s:I, s:i, s:o}", "elapsed", at->elapsed, "trial",
                      (json_int_t)at->trial, "rung", at->rung, "value",
                      dip_json_real(s->trials[at->trial].values[at->rung]));
        if (json_array_append_new(out, point) != 0) {
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}

/* Of what was begun, best first. */
static json_t *trials_json(const dip_sweep_results *r, size_t *order)
{
    const dip_sweep_trials *s = r->trials;
    size_t count = 0;
    json_t *out = json_array();
    for (size_t t = 0; t < s->count; t++) {
        size_t at = count;
        if (s->trials[t].begun < 0)
            continue;
        for (; at > 0 && dip_sweep_is_before(s, t, order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = t;
        count++;
    }
    for (size_t i = 0; i < count && out != NULL; i++) {
        if (json_array_append_new(out, trial_json(r, order[i])) != 0) {
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}

/* ---- all ---- */

static json_t *columns_json(const dip_sweep_space *space)
{
    json_t *out = json_array();
    for (size_t p = 0; p < space->count && out != NULL; p++) {
        const dip_sweep_parameter *at = &space->parameters[p];
        if (json_array_append_new(out, json_pack("{s:s, s:s}", "name", at->name,
                                                 "key", at->key)) != 0) {
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}

static json_t *rungs_json(const dip_sweep_trials *s)
{
    json_t *out = json_array();
    for (int i = 0; i < s->rung_count; i++)
        (void)json_array_append_new(out, json_integer(s->rungs[i]));
    return out;
}

static json_t *best_json(const dip_sweep_results *r)
{
    size_t best;
    char run[DIP_SWEEP_RUN_SIZE];
    if (!dip_sweep_best(&best, r->trials))
        return json_null();
    return json_pack(
        "{s:I, s:o, s:s}", "trial", (json_int_t)best, "value",
        dip_json_real(dip_sweep_trial_value(&r->trials->trials[best])), "run",
        dip_sweep_run_name(run, best));
}

dip_status dip_sweep_results_json(json_t **out, const dip_sweep_results *r,
                                  dip_err *err)
{
    const dip_sweep_trials *s = r->trials;
    size_t *order = dip_calloc(s->count, sizeof *order);
    arrival *arrivals =
        dip_calloc(s->count * DIP_SWEEP_RUNGS_MAX, sizeof *arrivals);
    *out = NULL;
    if (order != NULL && arrivals != NULL)
        *out = json_pack(
            "{s:s, s:s, s:s, s:s, s:b, s:s, s:o, s:o, s:I, s:o, s:o, s:o}",
            "schema", DIP_SWEEP_SCHEMA, "name", r->name, "search", r->search,
            "metric", r->metric, "higher_is_better", s->higher_is_better, "dir",
            r->dir, "parameters", columns_json(r->space), "rungs",
            rungs_json(s), "count", (json_int_t)s->count, "best", best_json(r),
            "trials", trials_json(r, order), "course",
            course_json(s, arrivals));
    free(arrivals);
    free(order);
    return *out != NULL ? DIP_OK : dip_no_memory(err);
}
