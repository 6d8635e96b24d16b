#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "sweep/journal.h"

static char folder[] = "/tmp/test_journal_XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    (void)snprintf(path, sizeof path, "%s/journal.jsonl", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return dip_tree_remove(folder, NULL) == DIP_OK ? 0 : -1;
}

static int remove_journal(void **state)
{
    (void)state;
    (void)unlink(path);
    return 0;
}

static void make(dip_sweep_trials *out)
{
    *out = (dip_sweep_trials){
        .eta = 2, .rung_count = 2, .rungs = {1, 2}, .higher_is_better = true};
    assert_int_equal(dip_sweep_trials_make(out, 3, NULL), DIP_OK);
}

static dip_sweep_journal *open_well(dip_sweep_trials *trials)
{
    dip_sweep_journal *journal;
    dip_err err = {0};
    make(trials);
    if (dip_sweep_journal_open(&journal, path, trials, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    return journal;
}

/* The first trial done at the lowest rung, the second failed, the third begun;
 * then the first goes on. */
static void write_well(void)
{
    dip_sweep_trials trials;
    dip_sweep_journal *j = open_well(&trials);
    const dip_sweep_outcome done = {.value = .12345678912345,
                                    .epochs = 1,
                                    .seconds = 2.5,
                                    .elapsed = 3},
                            failed = {.message = "loss is NaN at step 3",
                                      .epochs = 0,
                                      .elapsed = 5};
    const dip_sweep_job jobs[] = {{0, 0}, {1, 0}, {2, 0}};
    for (int i = 0; i < 3; i++)
        assert_int_equal(dip_sweep_journal_begin(j, jobs[i], NULL), DIP_OK);
    assert_int_equal(dip_sweep_journal_end(j, jobs[0], &done, NULL), DIP_OK);
    assert_int_equal(dip_sweep_journal_end(j, jobs[1], &failed, NULL), DIP_OK);
    assert_true(trials.trials[0].values[0] == .123456789);
    assert_true(trials.trials[2].running);
    dip_sweep_journal_close(j);
    dip_sweep_trials_free(&trials);
}

static void test_journal_brings_trials_back(void **state)
{
    (void)state;
    dip_sweep_trials trials;
    dip_sweep_job job;
    write_well();
    dip_sweep_journal *j = open_well(&trials);
    const dip_sweep_trial *t = trials.trials;
    assert_int_equal(t[0].done, 0);
    assert_true(t[0].values[0] == .123456789);
    assert_true(t[0].seconds == 2.5 && t[0].epochs == 1);
    assert_true(t[1].failed);
    assert_string_equal(t[1].message, "loss is NaN at step 3");
    assert_true(t[2].begun == 0 && t[2].done == -1 && !t[2].running);
    assert_true(dip_sweep_elapsed(&trials) == 5);
    assert_true(dip_sweep_next(&job, &trials));
    assert_int_equal(job.trial, 2);
    assert_int_equal(dip_sweep_journal_begin(j, job, NULL), DIP_OK);
    dip_sweep_journal_close(j);
    dip_sweep_trials_free(&trials);
}

static void test_journal_takes_a_torn_line_off(void **state)
{
    (void)state;
    dip_sweep_trials trials;
    write_well();
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    assert_true(fputs("{\"event\":\"done\",\"trial\":2,\"ru", file) > 0);
    assert_int_equal(fclose(file), 0);
    dip_sweep_journal *j = open_well(&trials);
    assert_int_equal(trials.trials[2].done, -1);
    dip_sweep_journal_close(j);
    dip_sweep_trials_free(&trials);
}

static void test_journal_retries_what_failed(void **state)
{
    (void)state;
    dip_sweep_trials trials;
    write_well();
    dip_sweep_journal *j = open_well(&trials);
    assert_int_equal(dip_sweep_journal_retry(j, NULL), DIP_OK);
    dip_sweep_journal_close(j);
    dip_sweep_trials_free(&trials);
    j = open_well(&trials);
    assert_false(trials.trials[1].failed);
    assert_null(trials.trials[1].message);
    dip_sweep_journal_close(j);
    dip_sweep_trials_free(&trials);
}

static void refuses(const char *line, dip_status code, const char *words)
{
    char wanted[256];
    dip_sweep_trials trials;
    dip_sweep_journal *journal;
    dip_err err = {0};
    write_well();
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    assert_true(fprintf(file, "%s\n", line) > 0);
    assert_int_equal(fclose(file), 0);
    make(&trials);
    assert_int_equal(dip_sweep_journal_open(&journal, path, &trials, &err),
                     code);
    assert_null(journal);
    (void)snprintf(wanted, sizeof wanted, words, path);
    assert_string_equal(err.msg, wanted);
    dip_sweep_trials_free(&trials);
    (void)unlink(path);
}

static void test_journal_refuses_what_cannot_have_happened(void **state)
{
    (void)state;
    refuses("{\"event\":\"begin\",\"trial\":7,\"rung\":0}", DIP_EDATA,
            "trial 7 is none of the 3 of this sweep: '%s:6'");
    refuses("{\"event\":\"begin\",\"trial\":-1,\"rung\":0}", DIP_EDATA,
            "trial -1 is none of the 3 of this sweep: '%s:6'");
    refuses("{\"event\":\"begin\",\"trial\":0,\"rung\":2}", DIP_EDATA,
            "rung 2 is none of the 2 of this sweep: '%s:6'");
    refuses("{\"event\":\"begin\",\"trial\":0,\"rung\":0}", DIP_EFORMAT,
            "contradicts what stands before it: '%s:6'");
    refuses("{\"event\":\"begin\",\"trial\":1,\"rung\":0}", DIP_EFORMAT,
            "contradicts what stands before it: '%s:6'");
    refuses("{\"event\":\"done\",\"trial\":0,\"rung\":1,\"value\":1,"
            "\"epochs\":2,\"seconds\":1,\"elapsed\":1}",
            DIP_EFORMAT, "contradicts what stands before it: '%s:6'");
    refuses("{\"event\":\"retry\",\"trial\":0,\"rung\":0}", DIP_EFORMAT,
            "contradicts what stands before it: '%s:6'");
    refuses("{\"event\":\"lost\",\"trial\":0,\"rung\":0}", DIP_EFORMAT,
            "unknown event 'lost': '%s:6'");
    refuses("{\"event\":\"begin\",\"trial\":\"0\",\"rung\":0}", DIP_EFORMAT,
            "key 'trial' is not an integer in '%s:6'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_journal_brings_trials_back,
                                  remove_journal),
        cmocka_unit_test_teardown(test_journal_takes_a_torn_line_off,
                                  remove_journal),
        cmocka_unit_test_teardown(test_journal_retries_what_failed,
                                  remove_journal),
        cmocka_unit_test_teardown(
            test_journal_refuses_what_cannot_have_happened, remove_journal),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
