#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "sweep/trials.h"

static json_t *part(const json_t *object, const char *key)
{
    json_t *out = json_object_get(object, key);
    assert_non_null(out);
    return out;
}

static void begin_case(dip_sweep_trials *out, const json_t *golden)
{
    const json_t *epochs = part(golden, "epochs");
    *out = (dip_sweep_trials){
        .eta = json_integer_value(part(golden, "eta")),
        .rung_count = (int)json_array_size(epochs),
        .higher_is_better = true,
    };
    for (int i = 0; i < out->rung_count; i++)
        out->rungs[i] = json_integer_value(json_array_get(epochs, (size_t)i));
    assert_int_equal(dip_sweep_trials_make(
                         out, json_array_size(part(golden, "values")), NULL),
                     DIP_OK);
}

/* Every begin must be what the search would do next, and where the reference
 * waits for an end the search must have nothing to do, up to the workers. */
static void follow(dip_sweep_trials *trials, const json_t *golden,
                   double direction)
{
    size_t i;
    json_t *event;
    dip_sweep_job next;
    json_array_foreach (part(golden, "events"), i, event) {
        const dip_sweep_job job = {
            (size_t)json_integer_value(json_array_get(event, 1)),
            (int)json_integer_value(json_array_get(event, 2))};
        if (strcmp(json_string_value(json_array_get(event, 0)), "end") == 0) {
            const json_t *values =
                json_array_get(part(golden, "values"), job.trial);
            double value =
                json_number_value(json_array_get(values, (size_t)job.rung));
            dip_sweep_finish(trials, job, direction * value);
            continue;
        }
        assert_true(dip_sweep_next(&next, trials));
        assert_int_equal(next.trial, job.trial);
        assert_int_equal(next.rung, job.rung);
        dip_sweep_begin(trials, job);
    }
    assert_false(dip_sweep_next(&next, trials));
}

static void test_trials_are_promoted_as_in_the_reference(void **state)
{
    (void)state;
    json_t *cases, *golden;
    size_t i;
    dip_err err;
    assert_int_equal(
        dip_json_load(&cases, "tests/golden/halving.json", 1 << 20, &err),
        DIP_OK);
    assert_true(json_array_size(cases) >= 5);
    json_array_foreach (cases, i, golden) {
        dip_sweep_trials trials;
        begin_case(&trials, golden);
        follow(&trials, golden, 1);
        assert_int_equal(dip_sweep_count_heard(&trials), trials.count);
        dip_sweep_trials_free(&trials);
        begin_case(&trials, golden);
        trials.higher_is_better = false;
        follow(&trials, golden, -1);
        dip_sweep_trials_free(&trials);
    }
    json_decref(cases);
}

/* Two rungs, eta 2. */
static void make(dip_sweep_trials *out, size_t count)
{
    *out = (dip_sweep_trials){
        .eta = 2, .rung_count = 2, .rungs = {1, 2}, .higher_is_better = true};
    assert_int_equal(dip_sweep_trials_make(out, count, NULL), DIP_OK);
}

static dip_sweep_job next(const dip_sweep_trials *trials)
{
    dip_sweep_job job;
    assert_true(dip_sweep_next(&job, trials));
    return job;
}

static void train(dip_sweep_trials *trials, size_t trial, int rung,
                  double value)
{
    dip_sweep_job job = next(trials);
    assert_int_equal(job.trial, trial);
    assert_int_equal(job.rung, rung);
    dip_sweep_begin(trials, job);
    dip_sweep_finish(trials, job, value);
}

static void test_trials_go_on_with_what_was_interrupted(void **state)
{
    (void)state;
    dip_sweep_trials trials;
    make(&trials, 4);
    train(&trials, 0, 0, .5);
    dip_sweep_job job = next(&trials);
    dip_sweep_begin(&trials, job);
    assert_int_equal(next(&trials).trial, 2);
    dip_sweep_interrupt(&trials, job);
    assert_int_equal(next(&trials).trial, 1);
    assert_int_equal(next(&trials).rung, 0);
    dip_sweep_trials_free(&trials);
}

/* Failed trials take no place in a rung, are not promoted, and can be begun
 * again where they failed. */
static void test_trials_that_failed_stand_aside(void **state)
{
    (void)state;
    dip_sweep_trials trials;
    make(&trials, 5);
    train(&trials, 0, 0, .5);
    dip_sweep_job job = next(&trials);
    dip_sweep_begin(&trials, job);
    assert_int_equal(dip_sweep_fail(&trials, job, "loss is NaN", NULL), DIP_OK);
    assert_true(isnan(dip_sweep_trial_value(&trials.trials[1])));
    train(&trials, 2, 0, .6);
    job = next(&trials);
    assert_int_equal(job.trial, 2);
    assert_int_equal(job.rung, 1);
    dip_sweep_begin(&trials, job);
    assert_int_equal(dip_sweep_fail(&trials, job, "disk full", NULL), DIP_OK);
    assert_int_equal(dip_sweep_count_failed(&trials), 2);
    assert_true(dip_sweep_trial_value(&trials.trials[2]) == .6);
    assert_int_equal(next(&trials).trial, 3);
    dip_sweep_retry(&trials, job);
    assert_null(trials.trials[2].message);
    train(&trials, 2, 1, .7);
    dip_sweep_trials_free(&trials);
}

/* Where too few came to a rung the best of all goes on by itself, once nobody
 * is left who could be better; one that fails is not the best. */
static void test_trials_the_best_is_trained_to_its_end(void **state)
{
    (void)state;
    size_t best;
    dip_sweep_job job;
    dip_sweep_trials trials;
    make(&trials, 3);
    trials.eta = 4;
    trials.rung_count = 3;
    trials.rungs[2] = 3;
    assert_false(dip_sweep_best(&best, &trials));
    train(&trials, 0, 0, .5);
    train(&trials, 1, 0, .7);
    dip_sweep_job last = next(&trials);
    assert_int_equal(last.trial, 2);
    dip_sweep_begin(&trials, last);
    assert_false(dip_sweep_next(&job, &trials));
    dip_sweep_finish(&trials, last, .6);
    train(&trials, 1, 1, .8);
    job = next(&trials);
    assert_int_equal(job.trial, 1);
    assert_int_equal(job.rung, 2);
    dip_sweep_begin(&trials, job);
    assert_int_equal(dip_sweep_fail(&trials, job, "loss is NaN", NULL), DIP_OK);
    assert_true(dip_sweep_best(&best, &trials));
    assert_int_equal(best, 2);
    assert_true(dip_sweep_is_before(&trials, 0, 1));
    train(&trials, 2, 1, .6);
    train(&trials, 2, 2, .6);
    assert_false(dip_sweep_next(&job, &trials));
    dip_sweep_trials_free(&trials);
}

static void test_trials_with_equal_values_go_by_number(void **state)
{
    (void)state;
    dip_sweep_trials trials;
    make(&trials, 4);
    train(&trials, 0, 0, .5);
    train(&trials, 1, 0, .5);
    train(&trials, 0, 1, .5);
    assert_true(dip_sweep_is_before(&trials, 0, 1));
    assert_false(dip_sweep_is_before(&trials, 1, 0));
    assert_true(dip_sweep_is_before(&trials, 1, 3));
    assert_false(dip_sweep_is_before(&trials, 3, 1));
    dip_sweep_trials_free(&trials);
}

static void check_rungs(int64_t least, int64_t most, int64_t eta, int count,
                        const int64_t *wanted)
{
    int64_t rungs[DIP_SWEEP_RUNGS_MAX];
    assert_int_equal(dip_sweep_rungs(rungs, least, most, eta), count);
    for (int i = 0; i < count; i++)
        assert_int_equal(rungs[i], wanted[i]);
}

static void test_trials_rungs_end_with_the_whole_run(void **state)
{
    (void)state;
    check_rungs(1, 9, 3, 3, (int64_t[]){1, 3, 9});
    check_rungs(1, 12, 3, 3, (int64_t[]){1, 3, 12});
    check_rungs(2, 3, 2, 1, (int64_t[]){3});
    check_rungs(5, 5, 4, 1, (int64_t[]){5});
    int64_t rungs[DIP_SWEEP_RUNGS_MAX];
    int count = dip_sweep_rungs(rungs, 1, 1000000, 2);
    assert_int_equal(count, 20);
    assert_int_equal(rungs[18], 262144);
    assert_int_equal(rungs[19], 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trials_are_promoted_as_in_the_reference),
        cmocka_unit_test(test_trials_go_on_with_what_was_interrupted),
        cmocka_unit_test(test_trials_that_failed_stand_aside),
        cmocka_unit_test(test_trials_the_best_is_trained_to_its_end),
        cmocka_unit_test(test_trials_with_equal_values_go_by_number),
        cmocka_unit_test(test_trials_rungs_end_with_the_whole_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
