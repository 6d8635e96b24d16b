/* The trials of a sweep and which one is trained next: successive halving as in
 * Li et al., "A system for massively parallel hyperparameter tuning" (ASHA,
 * MLSys 2020, arXiv 1810.05934).
 *
 * Each trial is trained to the epochs of the lowest rung. Whenever there is
 * room for work, the best of those 1/eta of a rung that have not gone on yet
 * goes on to the next rung, the highest rung first; where there is none, the
 * next trial is begun. Nobody waits for a rung to fill. At the very end the
 * best trial of all is trained to its end, which matters where so few have come
 * to a rung that none of them may go on. With one rung this is plain search:
 * every trial is trained to its end, in order. */
#ifndef DIP_SWEEP_TRIALS_H
#define DIP_SWEEP_TRIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* eta is at least 2, and 2^20 is more than the epochs of any run. */
#define DIP_SWEEP_RUNGS_MAX 24

typedef struct {
    int begun; /* the highest rung it was begun for; -1: none */
    int done;  /* the highest rung it has come to; -1: none */
    bool running;
    bool failed;
    char *message;                      /* why; owned, or NULL */
    double values[DIP_SWEEP_RUNGS_MAX]; /* best so far, by the end of a rung */
    /* Seconds of the sweep when it came there, or failed. */
    double elapsed[DIP_SWEEP_RUNGS_MAX];
    int64_t epochs; /* that it was trained for */
    double seconds; /* that its training took */
} dip_sweep_trial;

/* Start it with dip_sweep_trials_make(). */
typedef struct {
    dip_sweep_trial *trials;
    size_t count;
    int64_t rungs[DIP_SWEEP_RUNGS_MAX]; /* epochs, ascending */
    int rung_count;
    int64_t eta;
    bool higher_is_better;
} dip_sweep_trials;

/* The rungs of halving: least, least · eta, least · eta² … as long as that is
 * at most `most`; the last one is `most`. Returns how many. 1 <= least <= most
 * <= 10^6, eta >= 2. */
int dip_sweep_rungs(int64_t rungs[DIP_SWEEP_RUNGS_MAX], int64_t least,
                    int64_t most, int64_t eta);

/* `count` trials that were not begun; the rest of *out stays as it is. */
dip_status dip_sweep_trials_make(dip_sweep_trials *out, size_t count,
                                 dip_err *err) DIP_MUST_CHECK;
void dip_sweep_trials_free(dip_sweep_trials *trials);

typedef struct {
    size_t trial;
    int rung;
} dip_sweep_job;

/* What to train next: what was begun and is not running, as after a stop;
 * else what has deserved it, else a new trial; with nothing running, else the
 * best, if it has not come to the last rung. False when there is nothing to do
 * before a running trial ends. Changes nothing. */
bool dip_sweep_next(dip_sweep_job *job, const dip_sweep_trials *trials);

/* The job runs. */
void dip_sweep_begin(dip_sweep_trials *trials, dip_sweep_job job);
/* It was stopped before its end, and is the next to be trained. */
void dip_sweep_interrupt(dip_sweep_trials *trials, dip_sweep_job job);
/* It has come to the rung with this value as its best so far. */
void dip_sweep_finish(dip_sweep_trials *trials, dip_sweep_job job,
                      double value);
/* It can go no further. `message` is copied; what it was worth at lower rungs
 * stays. */
dip_status dip_sweep_fail(dip_sweep_trials *trials, dip_sweep_job job,
                          const char *message, dip_err *err) DIP_MUST_CHECK;

/* A failed trial goes on with the job that it failed at. */
void dip_sweep_retry(dip_sweep_trials *trials, dip_sweep_job job);

/* The value of the highest rung that the trial has come to, or NaN. */
double dip_sweep_trial_value(const dip_sweep_trial *trial);
/* Whether trial a stands before trial b: what did not fail, then the better
 * value, then the lower number; what has no value comes behind. */
bool dip_sweep_is_before(const dip_sweep_trials *trials, size_t a, size_t b);
/* The first of those that have a value and did not fail; false while there is
 * none. */
bool dip_sweep_best(size_t *trial, const dip_sweep_trials *trials);
/* Seconds of the sweep by the last thing that is known. */
double dip_sweep_elapsed(const dip_sweep_trials *trials);
/* Trials that failed, or stand at the rung that they were begun for. */
size_t dip_sweep_count_heard(const dip_sweep_trials *trials);
size_t dip_sweep_count_failed(const dip_sweep_trials *trials);

#endif
