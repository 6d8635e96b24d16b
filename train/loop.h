/* The training loop that every recipe shares: batches, updates, validation,
 * checkpoints, early stopping, signals.
 *
 * A recipe says what a loss is, the caller what a validation and a report are.
 * Random numbers of libtorch (dropout) are seeded anew for each update from
 * (seed, step), so that a run that goes on from a checkpoint draws what an
 * uninterrupted one draws. */
#ifndef DIP_TRAIN_LOOP_H
#define DIP_TRAIN_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/params.h"
#include "train/checkpoint.h"
#include "train/ema.h"
#include "train/optimizer.h"
#include "train/schedule.h"

typedef struct {
    dip_schedule schedule;
    dip_optimizer_options optimizer;
    int64_t batches_per_epoch; /* of micro-batches, at least 1 */
    int64_t accumulate;        /* micro-batches an update, at least 1 */
    double clip_grad_norm;     /* 0: off */
    dip_ema_options ema;
    int64_t validate_every;   /* updates; 0: only at the end */
    int64_t checkpoint_every; /* updates; 0: with each validation */
    int64_t patience;         /* validations without a gain; 0: no early stop */
    bool higher_is_better;
    bool bf16;
    bool channels_last;
    dip_device device;
    /* Stop as if asked to after this update, or at once when it is done; 0:
     * never. */
    int64_t stop_at;
} dip_loop_options;

/* What one update did; for logs and the progress bar. */
typedef struct {
    int64_t step;  /* counted from 1 */
    int64_t epoch; /* of its first batch, from 0 */
    int64_t rows;
    double loss, lr, grad_norm;
    double seconds;      /* since the run began, earlier parts included */
    double step_seconds; /* of this update */
    double wait_seconds; /* of these, waiting for data */
} dip_loop_report;

typedef struct {
    void *user;
    /* Puts the data at a batch of an epoch; called once. From there batches go
     * on, epoch after epoch. */
    dip_status (*seek)(void *user, int64_t epoch, int64_t batch, dip_err *err);
    /* Takes the next micro-batch and computes its mean loss (0 dims) in the
     * open scope; *rows gets its rows. */
    dip_status (*loss)(void *user, dip_tensor **loss, int64_t *rows,
                       dip_err *err);
    /* After the backward of each micro-batch, in its scope: what that has left
     * undone. Failures stick. NULL: nothing. */
    void (*backward)(void *user);
    /* Seconds spent in waiting for data since the start. */
    double (*waited)(void *user);
    /* Evaluates; *metric decides which checkpoint is best. NaN is no gain, but
     * in the first part of a run that has two, where patience does not count
     * before there is a value. Gradients are off meanwhile, and the parameters
     * hold their averages where such are kept. NULL: the last checkpoint is
     * the best. */
    dip_status (*validate)(void *user, int64_t step, double *metric,
                           dip_err *err);
    /* After each update. */
    dip_status (*report)(void *user, const dip_loop_report *report,
                         dip_err *err);
    /* What the losses remember from batch to batch, a part of checkpoints; or
     * NULL. */
    dip_params *memory;
} dip_loop_hooks;

typedef struct dip_loop dip_loop;

/* A loop over `params`, at `state`. With `resume` (a checkpoint's folder)
 * weights, optimizer and state come from there; another seed or thread count
 * than the checkpoint's is DIP_EDATA, since results are only bit-identical at
 * equal ones. Everything passed must outlive the loop. */
dip_status dip_loop_create(dip_loop **out, const dip_loop_options *options,
                           const dip_loop_hooks *hooks,
                           const dip_checkpoints *checkpoints,
                           dip_params *params, const dip_train_state *state,
                           const char *resume, dip_err *err) DIP_MUST_CHECK;
void dip_loop_free(dip_loop *loop);

/* Runs to the end. DIP_EINTERRUPT after a signal (a checkpoint was written);
 * DIP_ENUMERIC, naming the step, when a loss, a gradient or a parameter is NaN
 * or infinite (nothing was written). */
dip_status dip_loop_run(dip_loop *loop, dip_err *err) DIP_MUST_CHECK;

const dip_train_state *dip_loop_state(const dip_loop *loop); /* borrowed */

#endif
