#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <signal.h>

#include "tests/tensor/scope.h"
#include "tests/train/small_params.h"
#include "train/loop.h"
#include "train/signals.h"

/* The recipe of these tests: a line through ROWS points of three features, by
 * least squares. Batches go through the points in order, around and around. */
#define ROWS     24
#define FEATURES 3
#define STEPS    32 /* most updates of a test */

typedef struct {
    char dir[64];
    dip_params *params;
    dip_tensor *weight, *bias; /* borrowed */
    int64_t size, batches;     /* rows of a batch, batches of an epoch */
    int64_t epoch, batch;      /* of the next one */
    double dropout;            /* of the features */
    const double *metrics;     /* what validations find; NULL: no validation */
    dip_status verdict;        /* of a validation */
    float seen[FEATURES];      /* weights that the last validation saw */
    int64_t nan_at, signal_at; /* calls of loss() from 1; 0: never */
    int64_t calls, validations, seeks;
    int64_t sought_epoch, sought_batch;
    dip_loop_report reports[STEPS];
    int updates;
    dip_loop_options options;
    dip_train_state start;
    int64_t keep_last;
} regression;

static dip_status seek(void *user, int64_t epoch, int64_t batch, dip_err *err)
{
    regression *r = user;
    (void)err;
    r->seeks++;
    r->epoch = r->sought_epoch = epoch;
    r->batch = r->sought_batch = batch;
    return DIP_OK;
}

/* Fixed points: features are sines, targets a line with a ripple. */
static void fill_batch(const regression *r, float *x, float *y)
{
    int64_t first = (r->epoch * r->batches + r->batch) * r->size;
    for (int64_t i = 0; i < r->size; i++) {
        double row = (double)((first + i) % ROWS);
        for (int f = 0; f < FEATURES; f++)
            x[i * FEATURES + f] = (float)sin(1 + row * (f + 1));
        y[i] = (float)(2 * sin(1 + row) - sin(1 + 3 * row) + .1 * sin(row * 7));
    }
}

static dip_status loss(void *user, dip_tensor **out, int64_t *rows,
                       dip_err *err)
{
    regression *r = user;
    float x[ROWS * FEATURES], y[ROWS];
    (void)err;
    fill_batch(r, x, y);
    r->calls++;
    if (r->calls == r->signal_at)
        assert_int_equal(raise(SIGTERM), 0);
    int64_t sizes[2] = {r->size, FEATURES};
    dip_tensor *features =
        dip_t_dropout(dip_tensor_from(x, DIP_F32, 2, sizes), r->dropout, true);
    dip_tensor *gap =
        dip_t_sub(dip_t_add(dip_t_matmul(features, r->weight), r->bias),
                  dip_tensor_from(y, DIP_F32, 1, sizes));
    *out = dip_t_mean_all(dip_t_mul(gap, gap));
    if (r->calls == r->nan_at)
        *out = dip_t_mul_scalar(*out, (double)NAN);
    *rows = r->size;
    r->batch++;
    if (r->batch == r->batches) {
        r->batch = 0;
        r->epoch++;
    }
    return DIP_OK;
}

static double waited(void *user)
{
    (void)user;
    return 0;
}

static dip_status validate(void *user, int64_t step, double *metric,
                           dip_err *err)
{
    regression *r = user;
    (void)step;
    dip_tensor_read(r->weight, DIP_F32, r->seen, sizeof r->seen);
    *metric = r->metrics[r->validations++];
    if (r->verdict != DIP_OK)
        return dip_fail(err, r->verdict, "what was wrong");
    return DIP_OK;
}

static dip_status report(void *user, const dip_loop_report *report,
                         dip_err *err)
{
    regression *r = user;
    (void)err;
    assert_true(r->updates < STEPS);
    r->reports[r->updates++] = *report;
    return DIP_OK;
}

static void begin(regression *r)
{
    dip_err err = {0};
    *r = (regression){.size = 4, .batches = 6, .keep_last = 100};
    r->options = (dip_loop_options){
        .schedule = {DIP_SCHEDULE_COSINE, .05, 0, 2, 12, 0},
        .optimizer = small_adamw,
        .batches_per_epoch = 6,
        .accumulate = 1,
        .higher_is_better = true,
    };
    r->start = (dip_train_state){.seed = 7, .threads = 1};
    (void)snprintf(r->dir, sizeof r->dir, "/tmp/diptych-loop-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    assert_int_equal(dip_params_create(&r->params, &err), DIP_OK);
    r->weight = dip_params_add(r->params, "weight", DIP_PARAM_WEIGHT,
                               dip_tensor_full(.1, DIP_F32, SIZES(FEATURES)));
    r->bias = dip_params_add(r->params, "bias", DIP_PARAM_NO_DECAY,
                             dip_tensor_full(0, DIP_F32, SIZES(1)));
    dip_signals_install();
}

static void end(regression *r)
{
    dip_params_free(r->params);
    assert_int_equal(dip_tree_remove(r->dir, NULL), DIP_OK);
}

/* Runs, or goes on from `resume`; *final (may be NULL) gets the state. */
static dip_status run(regression *r, const char *resume, dip_train_state *final,
                      dip_err *err)
{
    const dip_loop_hooks hooks = {.user = r,
                                  .seek = seek,
                                  .loss = loss,
                                  .waited = waited,
                                  .validate = r->metrics ? validate : NULL,
                                  .report = report};
    const dip_checkpoints checkpoints = {r->dir, r->keep_last};
    dip_loop *loop;
    *err = (dip_err){0};
    dip_status st = dip_loop_create(&loop, &r->options, &hooks, &checkpoints,
                                    r->params, &r->start, resume, err);
    if (st == DIP_OK)
        st = dip_loop_run(loop, err);
    if (final != NULL && loop != NULL)
        *final = *dip_loop_state(loop);
    dip_loop_free(loop);
    return st;
}

static void run_well(regression *r, const char *resume, dip_train_state *final)
{
    dip_err err;
    if (run(r, resume, final, &err) != DIP_OK)
        fail_msg("%s", err.msg);
}

static char *latest(const regression *r)
{
    char *path;
    dip_err err = {0};
    if (dip_checkpoint_find(&path, r->dir, "latest", &err) != DIP_OK)
        fail_msg("%s", err.msg);
    return path;
}

static int64_t count_checkpoints(const regression *r)
{
    char **names;
    size_t count;
    int64_t found = 0;
    assert_int_equal(dip_dir_list(&names, &count, r->dir, NULL), DIP_OK);
    for (size_t i = 0; i < count; i++)
        found += strncmp(names[i], "step-", 5) == 0;
    dip_dir_list_free(names, count);
    return found;
}

/* ---- updates ------------------------------------------------------------- */

static void test_loop_learns(void **state)
{
    (void)state;
    regression r;
    begin(&r);
    r.options.schedule = (dip_schedule){DIP_SCHEDULE_CONSTANT, .2, 0, 0, 30, 0};
    r.options.optimizer.weight_decay = 0;
    run_well(&r, NULL, NULL);
    assert_int_equal(r.updates, 30);
    assert_true(r.reports[0].loss > 1);
    assert_true(r.reports[29].loss < .1);
    end(&r);
}

static void test_loop_reports_steps_epochs_rows_and_rates(void **state)
{
    (void)state;
    regression r;
    dip_train_state final;
    begin(&r);
    run_well(&r, NULL, &final);
    assert_int_equal(r.seeks, 1);
    assert_int_equal(r.updates, 12);
    for (int i = 0; i < r.updates; i++) {
        assert_int_equal(r.reports[i].step, i + 1);
        assert_int_equal(r.reports[i].epoch, i / 6);
        assert_int_equal(r.reports[i].rows, 4);
        assert_near(r.reports[i].lr,
                    dip_schedule_lr(&r.options.schedule, i + 1), 0);
        assert_true(r.reports[i].grad_norm > 0);
    }
    assert_int_equal(final.step, 12);
    assert_int_equal(final.epoch, 2);
    assert_int_equal(final.batch, 0);
    assert_int_equal(final.samples, 48);
    end(&r);
}

/* Three batches of four rows make the update of one batch of twelve. */
static void test_loop_accumulates_small_batches_to_a_large_one(void **state)
{
    (void)state;
    regression small, large;
    begin(&small);
    begin(&large);
    small.options.accumulate = 3;
    small.options.schedule.total_steps = 4;
    small.options.clip_grad_norm = .5;
    large.options.schedule.total_steps = 4;
    large.options.clip_grad_norm = .5;
    large.size = 12;
    large.batches = large.options.batches_per_epoch = 2;
    run_well(&small, NULL, NULL);
    run_well(&large, NULL, NULL);
    assert_int_equal(small.calls, 12);
    assert_int_equal(large.calls, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(small.reports[i].rows, 12);
        assert_int_equal(small.reports[i].epoch, large.reports[i].epoch);
        assert_near(small.reports[i].loss, large.reports[i].loss, 1e-6);
        assert_near(small.reports[i].grad_norm, large.reports[i].grad_norm,
                    1e-5);
    }
    assert_true(distance(small.weight, large.weight) <= 1e-6);
    assert_true(distance(small.bias, large.bias) <= 1e-6);
    end(&small);
    end(&large);
}

/* ---- validation ---------------------------------------------------------- */

static void test_loop_stops_early_and_keeps_the_best(void **state)
{
    (void)state;
    static const double metrics[] = {.1, .5, .4, .5, .9, 1};
    regression r;
    dip_train_state final;
    char target[64];
    begin(&r);
    r.metrics = metrics;
    r.options.validate_every = 2;
    r.options.patience = 2;
    run_well(&r, NULL, &final);
    assert_int_equal(r.validations, 4); /* .5 again is no gain */
    assert_int_equal(final.step, 8);
    assert_int_equal(final.best_step, 4);
    assert_near(final.best, .5, 0);
    assert_int_equal(final.without_gain, 2);
    assert_string_equal(small_link(target, r.dir, "best"), "step-00000004");
    assert_string_equal(small_link(target, r.dir, "latest"), "step-00000008");
    /* It stays stopped. */
    char *path = latest(&r);
    run_well(&r, path, NULL);
    assert_int_equal(r.updates, 8);
    free(path);
    end(&r);
}

/* Validations that tell nothing yet are not ones without a gain. */
static void test_loop_waits_for_a_first_metric(void **state)
{
    (void)state;
    static const double metrics[] = {NAN, NAN, NAN, .5, .4, .3};
    regression r;
    dip_train_state final;
    begin(&r);
    r.metrics = metrics;
    r.options.validate_every = 2;
    r.options.patience = 2;
    r.options.schedule.restart = 6;
    run_well(&r, NULL, &final);
    assert_int_equal(r.validations, 6);
    assert_int_equal(final.best_step, 8);
    assert_int_equal(final.without_gain, 2);
    end(&r);
    begin(&r); /* of one part: nothing is waited for */
    r.metrics = metrics;
    r.options.validate_every = 2;
    r.options.patience = 2;
    run_well(&r, NULL, &final);
    assert_int_equal(r.validations, 2);
    end(&r);
}

/* A validation sees the averaged weights; training goes on with its own. */
static void test_loop_validates_the_averaged_weights(void **state)
{
    (void)state;
    static const double metrics[] = {1};
    regression with, without;
    float own[FEATURES], saved[FEATURES];
    begin(&with);
    begin(&without);
    with.metrics = without.metrics = metrics;
    with.options.ema = (dip_ema_options){.9, false};
    with.options.validate_every = without.options.validate_every = 100;
    run_well(&with, NULL, NULL);
    run_well(&without, NULL, NULL);
    dip_tensor_read(with.weight, DIP_F32, own, sizeof own);
    assert_memory_equal(own, without.seen, sizeof own);
    assert_memory_not_equal(own, with.seen, sizeof own);
    char *path = latest(&with);
    char *file = dip_path_join(path, "ema.safetensors");
    dip_safetensors *averages = golden_open(file);
    dip_tensor_read(dip_safetensors_tensor(
                        averages, dip_safetensors_find(averages, "weight")),
                    DIP_F32, saved, sizeof saved);
    assert_memory_equal(saved, with.seen, sizeof saved);
    dip_safetensors_close(averages);
    free(file);
    free(path);
    end(&with);
    end(&without);
}

static void test_loop_knows_metrics_that_should_be_low(void **state)
{
    (void)state;
    static const double metrics[] = {3, (double)NAN, 1, 2};
    regression r;
    dip_train_state final;
    char target[64];
    begin(&r);
    r.metrics = metrics;
    r.options.validate_every = 3;
    r.options.higher_is_better = false;
    run_well(&r, NULL, &final);
    assert_int_equal(r.validations, 4);
    assert_int_equal(final.best_step, 9);
    assert_near(final.best, 1, 0);
    assert_string_equal(small_link(target, r.dir, "best"), "step-00000009");
    end(&r);
}

static void test_loop_without_a_best_metric_has_no_best(void **state)
{
    (void)state;
    static const double metrics[] = {(double)NAN};
    regression r;
    dip_train_state final;
    begin(&r);
    r.metrics = metrics;
    run_well(&r, NULL, &final);
    assert_false(final.has_best);
    assert_false(small_exists(r.dir, "best"));
    assert_true(small_exists(r.dir, "latest"));
    end(&r);
}

static void test_loop_without_validation_takes_the_last_for_best(void **state)
{
    (void)state;
    regression r;
    char target[64];
    begin(&r);
    r.options.validate_every = 5;
    run_well(&r, NULL, NULL);
    assert_int_equal(count_checkpoints(&r), 3); /* 5, 10 and the last */
    assert_string_equal(small_link(target, r.dir, "best"), "step-00000012");
    end(&r);
}

static void
test_loop_names_the_step_of_a_validation_that_is_not_finite(void **state)
{
    (void)state;
    static const double metrics[] = {0};
    regression r;
    dip_err err;
    begin(&r);
    r.metrics = metrics;
    r.options.validate_every = 4;
    r.verdict = DIP_ENUMERIC;
    assert_int_equal(run(&r, NULL, NULL, &err), DIP_ENUMERIC);
    assert_string_equal(err.msg, "validation after step 4: what was wrong");
    assert_int_equal(count_checkpoints(&r), 0);
    end(&r);
}

static void test_loop_checkpoints_between_validations(void **state)
{
    (void)state;
    static const double metrics[] = {1, 2};
    regression r;
    begin(&r);
    r.metrics = metrics;
    r.options.validate_every = 10;
    r.options.checkpoint_every = 4;
    run_well(&r, NULL, NULL);
    assert_true(small_exists(r.dir, "step-00000004"));
    assert_true(small_exists(r.dir, "step-00000008"));
    assert_true(small_exists(r.dir, "step-00000010"));
    assert_true(small_exists(r.dir, "step-00000012"));
    assert_int_equal(count_checkpoints(&r), 4);
    end(&r);
}

/* ---- numbers that are none ----------------------------------------------- */

static void test_loop_stops_at_a_loss_that_is_nan(void **state)
{
    (void)state;
    regression r;
    dip_err err;
    begin(&r);
    r.options.checkpoint_every = 1;
    r.options.accumulate = 2;
    r.nan_at = 6; /* the second half of the third update */
    assert_int_equal(run(&r, NULL, NULL, &err), DIP_ENUMERIC);
    assert_string_equal(err.msg, "loss is NaN at step 3");
    assert_int_equal(r.updates, 2);
    assert_int_equal(count_checkpoints(&r), 2);
    assert_true(small_exists(r.dir, "step-00000002"));
    end(&r);
}

/* The loss was finite, but what it made of the weights is not. */
static void
test_loop_never_checkpoints_weights_that_are_not_finite(void **state)
{
    (void)state;
    regression r;
    dip_err err;
    begin(&r);
    r.options.checkpoint_every = 1;
    r.options.schedule =
        (dip_schedule){DIP_SCHEDULE_CONSTANT, 1e38, 0, 0, 12, 0};
    r.options.optimizer =
        (dip_optimizer_options){.kind = DIP_OPTIMIZER_SGD, .weight_decay = 1e3};
    assert_int_equal(run(&r, NULL, NULL, &err), DIP_ENUMERIC);
    assert_string_equal(err.msg, "'weight' is not finite after step 1");
    assert_int_equal(count_checkpoints(&r), 0);
    end(&r);
}

/* ---- stopping and going on ----------------------------------------------- */

/* The newest checkpoints of two runs hold the same bytes under this name. */
static void assert_same_file(const regression *a, const regression *b,
                             const char *name)
{
    const regression *runs[] = {a, b};
    char digests[2][DIP_DIGEST_SIZE];
    dip_err err = {0};
    for (int i = 0; i < 2; i++) {
        char *path = latest(runs[i]);
        char *file = dip_path_join(path, name);
        if (dip_digest_file(digests[i], file, &err) != DIP_OK)
            fail_msg("%s", err.msg);
        free(file);
        free(path);
    }
    assert_string_equal(digests[0], digests[1]);
}

/* With dropout on and two batches to an update, a run that was stopped in the
 * middle of an epoch ends as one that was not: same losses, same bytes. */
static void test_loop_goes_on_as_if_it_had_not_stopped(void **state)
{
    (void)state;
    regression whole, cut;
    dip_train_state a, b;
    dip_err err;
    begin(&whole);
    begin(&cut);
    whole.dropout = cut.dropout = .5;
    whole.options.accumulate = cut.options.accumulate = 2;
    whole.options.ema = cut.options.ema = (dip_ema_options){.8, true};
    run_well(&whole, NULL, &a);
    cut.options.stop_at = 5;
    assert_int_equal(run(&cut, NULL, NULL, &err), DIP_EINTERRUPT);
    assert_string_equal(err.msg,
                        "stopped after step 5, whose checkpoint is written");
    assert_int_equal(cut.updates, 5);
    char *path = latest(&cut);
    assert_int_equal(run(&cut, path, NULL, &err), DIP_EINTERRUPT);
    assert_string_equal(err.msg, "stopped at once: step 5 is done, and the run "
                                 "is to stop after step 5");
    assert_int_equal(cut.updates, 5);
    cut.options.stop_at = 0;
    dip_tensor_assign(cut.weight, dip_tensor_full(9, DIP_F32, SIZES(FEATURES)));
    run_well(&cut, path, &b);
    assert_int_equal(cut.sought_epoch, 1); /* ten batches of six an epoch */
    assert_int_equal(cut.sought_batch, 4);
    assert_int_equal(cut.updates, whole.updates);
    for (int i = 0; i < whole.updates; i++)
        assert_true(cut.reports[i].loss == whole.reports[i].loss);
    assert_int_equal(a.samples, b.samples);
    free(path);
    assert_same_file(&whole, &cut, "model.safetensors");
    assert_same_file(&whole, &cut, "optimizer.safetensors");
    assert_same_file(&whole, &cut, "ema.safetensors");
    end(&whole);
    end(&cut);
}

/* Behind a restart a run is one that begins with the weights of the first part:
 * rates, moments and averages. */
static void test_loop_begins_anew_in_its_second_part(void **state)
{
    (void)state;
    regression both, second;
    dip_err err;
    begin(&both);
    begin(&second);
    both.options.ema = second.options.ema = (dip_ema_options){.8, true};
    both.options.schedule.restart = both.options.stop_at = 6;
    assert_int_equal(run(&both, NULL, NULL, &err), DIP_EINTERRUPT);
    dip_tensor_assign(second.weight, both.weight);
    dip_tensor_assign(second.bias, both.bias);
    char *path = latest(&both);
    both.options.stop_at = 0;
    run_well(&both, path, NULL);
    free(path);
    second.options.schedule.total_steps = 6;
    second.start.epoch = 1;
    run_well(&second, NULL, NULL);
    assert_int_equal(second.updates, 6);
    for (int i = 0; i < 6; i++) {
        assert_true(both.reports[6 + i].loss == second.reports[i].loss);
        assert_true(both.reports[6 + i].lr == second.reports[i].lr);
    }
    assert_same_file(&both, &second, "model.safetensors");
    assert_same_file(&both, &second, "optimizer.safetensors");
    assert_same_file(&both, &second, "ema.safetensors");
    end(&both);
    end(&second);
}

/* That a run goes on would prove little if its noise were the same everywhere.
 */
static void test_loop_draws_other_noise_for_other_seeds(void **state)
{
    (void)state;
    regression one, two;
    begin(&one);
    begin(&two);
    one.dropout = two.dropout = .5;
    two.start.seed = 8;
    run_well(&one, NULL, NULL);
    run_well(&two, NULL, NULL);
    assert_true(one.reports[0].loss != two.reports[0].loss);
    assert_true(distance(one.weight, two.weight) > 1e-4);
    end(&one);
    end(&two);
}

static void test_loop_finishes_its_step_when_a_signal_comes(void **state)
{
    (void)state;
    regression r;
    dip_err err;
    char target[64];
    begin(&r);
    r.signal_at = 3;
    assert_int_equal(run(&r, NULL, NULL, &err), DIP_EINTERRUPT);
    assert_string_equal(err.msg,
                        "stopped after step 3, whose checkpoint is written");
    assert_int_equal(r.updates, 3);
    assert_string_equal(small_link(target, r.dir, "latest"), "step-00000003");
    char *path = latest(&r);
    r.signal_at = 0;
    dip_signals_install();
    run_well(&r, path, NULL);
    assert_int_equal(r.updates, 12);
    free(path);
    end(&r);
}

static void test_loop_that_has_ended_does_nothing_more(void **state)
{
    (void)state;
    regression r;
    begin(&r);
    run_well(&r, NULL, NULL);
    char *path = latest(&r);
    run_well(&r, path, NULL);
    assert_int_equal(r.updates, 12);
    assert_int_equal(r.seeks, 1);
    free(path);
    end(&r);
}

static void refuses(regression *r, const char *words)
{
    dip_err err;
    char wanted[256], *path = latest(r);
    assert_int_equal(run(r, path, NULL, &err), DIP_EDATA);
    (void)snprintf(wanted, sizeof wanted, "checkpoint '%s' was made with %s",
                   path, words);
    assert_string_equal(err.msg, wanted);
    free(path);
}

static void test_loop_refuses_what_would_not_be_bit_identical(void **state)
{
    (void)state;
    regression r;
    dip_err err;
    begin(&r);
    r.options.stop_at = 2;
    assert_int_equal(run(&r, NULL, NULL, &err), DIP_EINTERRUPT);
    r.start.threads = 2;
    refuses(&r, "1 threads, this run has 2: set train.threads=1");
    r.start.threads = 1;
    r.start.seed = 6;
    refuses(&r, "seed 7, this run has 6");
    assert_int_equal(r.updates, 2);
    end(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_loop_learns),
        CASE(test_loop_reports_steps_epochs_rows_and_rates),
        CASE(test_loop_accumulates_small_batches_to_a_large_one),
        CASE(test_loop_stops_early_and_keeps_the_best),
        CASE(test_loop_waits_for_a_first_metric),
        CASE(test_loop_validates_the_averaged_weights),
        CASE(test_loop_knows_metrics_that_should_be_low),
        CASE(test_loop_without_a_best_metric_has_no_best),
        CASE(test_loop_without_validation_takes_the_last_for_best),
        CASE(test_loop_names_the_step_of_a_validation_that_is_not_finite),
        CASE(test_loop_checkpoints_between_validations),
        CASE(test_loop_stops_at_a_loss_that_is_nan),
        CASE(test_loop_never_checkpoints_weights_that_are_not_finite),
        CASE(test_loop_goes_on_as_if_it_had_not_stopped),
        CASE(test_loop_begins_anew_in_its_second_part),
        CASE(test_loop_draws_other_noise_for_other_seeds),
        CASE(test_loop_finishes_its_step_when_a_signal_comes),
        CASE(test_loop_that_has_ended_does_nothing_more),
        CASE(test_loop_refuses_what_would_not_be_bit_identical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
