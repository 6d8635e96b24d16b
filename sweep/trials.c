#include "sweep/trials.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

int dip_sweep_rungs(int64_t rungs[DIP_SWEEP_RUNGS_MAX], int64_t least,
                    int64_t most, int64_t eta)
{
    int count = 0;
    for (int64_t epochs = least; epochs <= most; epochs *= eta)
        rungs[count++] = epochs;
    rungs[count - 1] = most;
    return count;
}

dip_status dip_sweep_trials_make(dip_sweep_trials *out, size_t count,
                                 dip_err *err)
{
    out->trials = dip_calloc(count, sizeof *out->trials);
    out->count = out->trials != NULL ? count : 0;
    for (size_t t = 0; t < out->count; t++)
        out->trials[t] = (dip_sweep_trial){.begun = -1, .done = -1};
    return out->trials != NULL ? DIP_OK : dip_no_memory(err);
}

void dip_sweep_trials_free(dip_sweep_trials *trials)
{
    for (size_t t = 0; t < trials->count; t++)
        free(trials->trials[t].message);
    free(trials->trials);
    *trials = (dip_sweep_trials){0};
}

/* ---- order ---- */

/* NaN is worse than anything. */
static bool is_better(const dip_sweep_trials *s, double a, double b)
{
    if (isnan(a) || isnan(b))
        return !isnan(a);
    return s->higher_is_better ? a > b : a < b;
}

static bool precedes(const dip_sweep_trials *s, double value_a, size_t a,
                     double value_b, size_t b)
{
    if (is_better(s, value_a, value_b))
        return true;
    return !is_better(s, value_b, value_a) && a < b;
}

double dip_sweep_trial_value(const dip_sweep_trial *trial)
{
    return trial->done >= 0 ? trial->values[trial->done] : (double)NAN;
}

bool dip_sweep_is_before(const dip_sweep_trials *s, size_t a, size_t b)
{
    double value_a = dip_sweep_trial_value(&s->trials[a]);
    double value_b = dip_sweep_trial_value(&s->trials[b]);
    if (s->trials[a].failed != s->trials[b].failed)
        return s->trials[b].failed;
    if (isnan(value_a) && isnan(value_b))
        return a < b;
    return precedes(s, value_a, a, value_b, b);
}

bool dip_sweep_best(size_t *trial, const dip_sweep_trials *s)
{
    bool found = false;
    for (size_t t = 0; t < s->count; t++) {
        if (s->trials[t].done < 0 || s->trials[t].failed)
            continue;
        if (!found || dip_sweep_is_before(s, t, *trial))
            *trial = t;
        found = true;
    }
    return found;
}

/* ---- what is next ---- */

/* The place of a trial among those that have come to the rung, from 0. */
static size_t place_at(const dip_sweep_trials *s, size_t trial, int rung)
{
    size_t before = 0;
    double value = s->trials[trial].values[rung];
    for (size_t t = 0; t < s->count; t++)
        before += t != trial && s->trials[t].done >= rung &&
                  precedes(s, s->trials[t].values[rung], t, value, trial);
    return before;
}

/* The best of the highest 1/eta of the rung that has not gone on. */
static bool find_promotion(dip_sweep_job *job, const dip_sweep_trials *s,
                           int rung)
{
    size_t reached = 0, best = SIZE_MAX;
    for (size_t t = 0; t < s->count; t++)
        reached += s->trials[t].done >= rung;
    size_t most = reached / (size_t)s->eta;
    for (size_t t = 0; t < s->count; t++) {
        const dip_sweep_trial *trial = &s->trials[t];
        if (trial->begun != rung || trial->done != rung || trial->failed)
            continue;
        size_t place = place_at(s, t, rung);
        if (place < most) {
            most = place;
            best = t;
        }
    }
    if (best == SIZE_MAX)
        return false;
    *job = (dip_sweep_job){best, rung + 1};
    return true;
}

/* The best of all, when nobody is left who could be better. */
static bool find_winner(dip_sweep_job *job, const dip_sweep_trials *s)
{
    size_t best;
    for (size_t t = 0; t < s->count; t++) {
        if (s->trials[t].running)
            return false;
    }
    if (!dip_sweep_best(&best, s) || s->trials[best].done == s->rung_count - 1)
        return false;
    *job = (dip_sweep_job){best, s->trials[best].done + 1};
    return true;
}

bool dip_sweep_next(dip_sweep_job *job, const dip_sweep_trials *s)
{
    for (size_t t = 0; t < s->count; t++) {
        const dip_sweep_trial *trial = &s->trials[t];
        if (trial->begun > trial->done && !trial->running && !trial->failed) {
            *job = (dip_sweep_job){t, trial->begun};
            return true;
        }
    }
    for (int rung = s->rung_count - 2; rung >= 0; rung--) {
        if (find_promotion(job, s, rung))
            return true;
    }
    for (size_t t = 0; t < s->count; t++) {
        if (s->trials[t].begun < 0) {
            *job = (dip_sweep_job){t, 0};
            return true;
        }
    }
    return find_winner(job, s);
}

/* ---- what became of it ---- */

void dip_sweep_begin(dip_sweep_trials *s, dip_sweep_job job)
{
    s->trials[job.trial].begun = job.rung;
    s->trials[job.trial].running = true;
}

void dip_sweep_interrupt(dip_sweep_trials *s, dip_sweep_job job)
{
    s->trials[job.trial].running = false;
}

void dip_sweep_finish(dip_sweep_trials *s, dip_sweep_job job, double value)
{
    dip_sweep_trial *trial = &s->trials[job.trial];
    assert(job.rung < s->rung_count);
    trial->running = false;
    trial->done = job.rung;
    trial->values[job.rung] = value;
}

dip_status dip_sweep_fail(dip_sweep_trials *s, dip_sweep_job job,
                          const char *message, dip_err *err)
{
    dip_sweep_trial *trial = &s->trials[job.trial];
    trial->running = false;
    trial->failed = true;
    free(trial->message);
    trial->message = dip_strdup(message);
    return trial->message != NULL ? DIP_OK : dip_no_memory(err);
}

void dip_sweep_retry(dip_sweep_trials *s, dip_sweep_job job)
{
    dip_sweep_trial *trial = &s->trials[job.trial];
    trial->failed = false;
    free(trial->message);
    trial->message = NULL;
}

double dip_sweep_elapsed(const dip_sweep_trials *s)
{
    double latest = 0;
    for (size_t t = 0; t < s->count; t++) {
        for (int rung = 0; rung <= s->trials[t].begun; rung++)
            latest = fmax(latest, s->trials[t].elapsed[rung]);
    }
    return latest;
}

size_t dip_sweep_count_heard(const dip_sweep_trials *s)
{
    size_t count = 0;
    for (size_t t = 0; t < s->count; t++)
        count +=
            s->trials[t].failed ||
            (s->trials[t].done >= 0 && s->trials[t].done == s->trials[t].begun);
    return count;
}

size_t dip_sweep_count_failed(const dip_sweep_trials *s)
{
    size_t count = 0;
    for (size_t t = 0; t < s->count; t++)
        count += s->trials[t].failed;
    return count;
}
