#include "train/loop.h"

#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "base/mem.h"
#include "base/rng.h"
#include "train/signals.h"

enum { PURPOSE_STEP_SEED = 0x57e9 };

struct dip_loop {
    dip_loop_options options;
    dip_loop_hooks hooks;
    const dip_checkpoints *checkpoints;
    dip_params *params;
    dip_optimizer *optimizer;
    dip_ema *ema; /* NULL: no averages */
    dip_train_state state;
    double wall, cpu; /* clocks when the state's seconds were last brought up */
    int64_t checkpointed; /* the step of the newest checkpoint, or -1 */
};

static double clock_seconds(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A resumed run's is the highest of its processes. */
static void bring_up_memory(dip_train_state *state)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    int64_t peak = (int64_t)usage.ru_maxrss * 1024;
    if (peak > state->peak_bytes)
        state->peak_bytes = peak;
}

static void bring_up_costs(dip_loop *loop)
{
    double wall = clock_seconds(CLOCK_MONOTONIC);
    double cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    loop->state.seconds += wall - loop->wall;
    loop->state.cpu_seconds += cpu - loop->cpu;
    loop->wall = wall;
    loop->cpu = cpu;
    bring_up_memory(&loop->state);
}

static dip_checkpoint_parts parts_of(const dip_loop *loop)
{
    return (dip_checkpoint_parts){
        .params = loop->params,
        .averages = loop->ema != NULL ? dip_ema_params(loop->ema) : NULL,
        .optimizer = loop->optimizer,
        .memory = loop->hooks.memory};
}

static dip_status restore(dip_loop *loop, const char *path, dip_err *err)
{
    int threads = loop->state.threads;
    uint64_t seed = loop->state.seed;
    dip_status st = dip_checkpoint_read_state(&loop->state, path, err);
    if (st != DIP_OK)
        return st;
    if (loop->state.threads != threads)
        return dip_fail(err, DIP_EDATA,
                        "checkpoint '%s' was made with %d threads, this run "
                        "has %d: set train.threads=%d",
                        path, loop->state.threads, threads,
                        loop->state.threads);
    if (loop->state.seed != seed)
        return dip_fail(err, DIP_EDATA,
                        "checkpoint '%s' was made with seed %llu, this run "
                        "has %llu",
                        path, (unsigned long long)loop->state.seed,
                        (unsigned long long)seed);
    if (loop->state.batch >= loop->options.batches_per_epoch)
        return dip_fail(err, DIP_EDATA,
                        "checkpoint '%s' stands before batch %lld of an epoch, "
                        "which has %lld in this run",
                        path, (long long)loop->state.batch + 1,
                        (long long)loop->options.batches_per_epoch);
    loop->checkpointed = loop->state.step;
    dip_checkpoint_parts parts = parts_of(loop);
    return dip_checkpoint_read(path, &parts, err);
}

dip_status dip_loop_create(dip_loop **out, const dip_loop_options *options,
                           const dip_loop_hooks *hooks,
                           const dip_checkpoints *checkpoints,
                           dip_params *params, const dip_train_state *state,
                           const char *resume, dip_err *err)
{
    *out = NULL;
    dip_loop *loop = dip_calloc(1, sizeof *loop);
    if (loop == NULL)
        return dip_no_memory(err);
    loop->options = *options;
    loop->options.optimizer.restart = options->schedule.restart;
    loop->hooks = *hooks;
    loop->checkpoints = checkpoints;
    loop->params = params;
    loop->state = *state;
    loop->checkpointed = -1;
    /* First, so that the optimizer's state gets the same layout: the fused
     * update walks all of them in memory order. */
    if (options->channels_last)
        dip_params_channels_last(params);
    dip_status st = dip_tensor_status(err);
    if (st == DIP_OK)
        st = dip_optimizer_create(&loop->optimizer, params,
                                  &loop->options.optimizer, err);
    if (st == DIP_OK && options->ema.decay > 0)
        st = dip_ema_create(&loop->ema, params, &options->ema, err);
    if (st == DIP_OK && resume != NULL)
        st = restore(loop, resume, err);
    if (st != DIP_OK) {
        dip_loop_free(loop);
        return st;
    }
    *out = loop;
    return DIP_OK;
}

void dip_loop_free(dip_loop *loop)
{
    if (loop == NULL)
        return;
    dip_ema_free(loop->ema);
    dip_optimizer_free(loop->optimizer);
    free(loop);
}

const dip_train_state *dip_loop_state(const dip_loop *loop)
{
    return &loop->state;
}

/* Moves the position on by one micro-batch. */
static void advance(dip_loop *loop)
{
    loop->state.batch++;
    if (loop->state.batch == loop->options.batches_per_epoch) {
        loop->state.batch = 0;
        loop->state.epoch++;
    }
}

/* Forward and backward of one micro-batch; adds its share of the loss. */
static dip_status micro_batch(dip_loop *loop, double *loss, int64_t *rows,
                              dip_err *err)
{
    const dip_loop_options *o = &loop->options;
    dip_tensor *value = NULL;
    int64_t n = 0;
    dip_scope_open();
    bool before = dip_tensor_set_autocast(o->device, o->bf16);
    dip_status st = loop->hooks.loss(loop->hooks.user, &value, &n, err);
    (void)dip_tensor_set_autocast(o->device, before);
    if (st == DIP_OK) {
        double share = 1.0 / (double)o->accumulate;
        double number = dip_tensor_item(value);
        *loss += share * number;
        *rows += n;
        if (isfinite(number))
            dip_tensor_backward(
                o->accumulate > 1 ? dip_t_mul_scalar(value, share) : value);
        if (isfinite(number) && loop->hooks.backward != NULL)
            loop->hooks.backward(loop->hooks.user);
    }
    dip_scope_close();
    dip_status tensors = dip_tensor_status(st == DIP_OK ? err : NULL);
    return st != DIP_OK ? st : tensors;
}

static dip_status update(dip_loop *loop, dip_loop_report *report, dip_err *err)
{
    int64_t step = loop->state.step + 1;
    dip_rng rng =
        dip_rng_stream(loop->state.seed, PURPOSE_STEP_SEED, (uint64_t)step, 0);
    dip_tensor_seed(dip_rng_u64(&rng) >> 1);
    report->step = step;
    dip_optimizer_unlock(loop->optimizer, step);
    report->epoch = loop->state.epoch;
    for (int64_t i = 0; i < loop->options.accumulate; i++) {
        dip_status st = micro_batch(loop, &report->loss, &report->rows, err);
        if (st != DIP_OK)
            return st;
        if (!isfinite(report->loss))
            return dip_fail(err, DIP_ENUMERIC, "loss is %s at step %lld",
                            isnan(report->loss) ? "NaN" : "infinite",
                            (long long)step);
        advance(loop);
    }
    report->lr = dip_schedule_lr(&loop->options.schedule, step);
    return dip_optimizer_step(loop->optimizer, step, report->lr,
                              loop->options.clip_grad_norm, &report->grad_norm,
                              err);
}

static dip_status timed_update(dip_loop *loop, dip_err *err)
{
    dip_loop_report report = {0};
    double waited = loop->hooks.waited(loop->hooks.user);
    double start = loop->state.seconds;
    dip_status st = update(loop, &report, err);
    if (st != DIP_OK)
        return st;
    bring_up_costs(loop);
    loop->state.step = report.step;
    loop->state.samples += report.rows;
    report.seconds = loop->state.seconds;
    report.step_seconds = loop->state.seconds - start;
    report.wait_seconds = loop->hooks.waited(loop->hooks.user) - waited;
    st = loop->hooks.report(loop->hooks.user, &report, err);
    /* Last, since the report may set bounds to weights. */
    if (st == DIP_OK && loop->ema != NULL)
        st = dip_ema_update(
            loop->ema,
            dip_schedule_own_step(&loop->options.schedule, report.step), err);
    return st;
}

/* The last update may have gone wrong although its loss was finite. */
static dip_status check_finite(const dip_loop *loop, dip_err *err)
{
    const char *bad = NULL;
    for (int i = 0; i < dip_params_count(loop->params) && bad == NULL; i++) {
        dip_scope_open();
        dip_tensor *odd = dip_t_logical_not(
            dip_t_isfinite(dip_params_tensor(loop->params, i)));
        if (dip_tensor_item(dip_t_sum_all(dip_t_to_dtype(odd, DIP_F32))) > 0)
            bad = dip_params_name(loop->params, i);
        dip_scope_close();
    }
    dip_status st = dip_tensor_status(err);
    if (st == DIP_OK && bad != NULL)
        st = dip_fail(err, DIP_ENUMERIC, "'%s' is not finite after step %lld",
                      bad, (long long)loop->state.step);
    return st;
}

static dip_status checkpoint(dip_loop *loop, bool best, dip_err *err)
{
    dip_status st = check_finite(loop, err);
    if (st != DIP_OK)
        return st;
    bring_up_costs(loop);
    loop->checkpointed = loop->state.step;
    dip_checkpoint_parts parts = parts_of(loop);
    return dip_checkpoint_write(loop->checkpoints, &loop->state, &parts, best,
                                err);
}

/* The metric of the weights that a user of the run gets: their averages where
 * such are kept. */
static dip_status measure(dip_loop *loop, double *metric, dip_err *err)
{
    dip_status st = loop->ema != NULL ? dip_ema_swap(loop->ema, err) : DIP_OK;
    if (st != DIP_OK)
        return st;
    bool before = dip_tensor_set_grad_mode(false);
    st = loop->hooks.validate(loop->hooks.user, loop->state.step, metric, err);
    (void)dip_tensor_set_grad_mode(before);
    if (loop->ema != NULL) {
        dip_status back = dip_ema_swap(loop->ema, st == DIP_OK ? err : NULL);
        st = st != DIP_OK ? st : back;
    }
    return st;
}

/* Evaluates, remembers the best, and checkpoints. */
static dip_status validate(dip_loop *loop, dip_err *err)
{
    dip_train_state *state = &loop->state;
    double metric = (double)state->step; /* without a metric later is better */
    bool higher = true;
    if (loop->hooks.validate != NULL) {
        dip_status st = measure(loop, &metric, err);
        if (st == DIP_ENUMERIC)
            return dip_fail_context(err, "validation after step %lld",
                                    (long long)state->step);
        if (st != DIP_OK)
            return st;
        higher = loop->options.higher_is_better;
    }
    bool best = !isnan(metric) &&
                (!state->has_best ||
                 (higher ? metric > state->best : metric < state->best));
    if (best)
        state->without_gain = 0;
    else if (state->has_best || state->step > loop->options.schedule.restart)
        state->without_gain++;
    if (best) {
        state->has_best = true;
        state->best = metric;
        state->best_step = state->step;
    }
    return checkpoint(loop, best, err);
}

static bool due(int64_t step, int64_t every)
{
    return every > 0 && step % every == 0;
}

static dip_status after_update(dip_loop *loop, bool *stop, dip_err *err)
{
    const dip_loop_options *o = &loop->options;
    int64_t step = loop->state.step;
    dip_status st = DIP_OK;
    bool last = step == o->schedule.total_steps;
    if (last || due(step, o->validate_every)) {
        st = validate(loop, err);
        *stop = last ||
                (o->patience > 0 && loop->state.without_gain >= o->patience);
    } else if (due(step, o->checkpoint_every)) {
        st = checkpoint(loop, false, err);
    }
    if (st != DIP_OK || *stop)
        return st;
    if (!dip_signals_asked() && step != o->stop_at)
        return DIP_OK;
    if (loop->checkpointed != step)
        st = checkpoint(loop, false, err);
    if (st == DIP_OK)
        st = dip_fail(err, DIP_EINTERRUPT,
                      "stopped after step %lld, whose checkpoint is written",
                      (long long)step);
    return st;
}

dip_status dip_loop_run(dip_loop *loop, dip_err *err)
{
    const dip_loop_options *o = &loop->options;
    loop->wall = clock_seconds(CLOCK_MONOTONIC);
    loop->cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    bool stop = loop->state.step >= o->schedule.total_steps ||
                (o->patience > 0 && loop->state.without_gain >= o->patience);
    if (stop)
        return DIP_OK;
    if (o->stop_at > 0 && loop->state.step >= o->stop_at)
        return dip_fail(err, DIP_EINTERRUPT,
                        "stopped at once: step %lld is done, and the run is to "
                        "stop after step %lld",
                        (long long)loop->state.step, (long long)o->stop_at);
    dip_status st = loop->hooks.seek(loop->hooks.user, loop->state.epoch,
                                     loop->state.batch, err);
    while (st == DIP_OK && !stop) {
        st = timed_update(loop, err);
        if (st == DIP_OK)
            st = after_update(loop, &stop, err);
    }
    return st;
}
