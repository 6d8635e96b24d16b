#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "report/learning.h"

/* The curves of a log with this text. */
static json_t *learn(const char *log)
{
    char path[] = "/tmp/dip-learning-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, log, strlen(log)), (ssize_t)strlen(log));
    (void)close(file);
    json_t *out = NULL;
    dip_err err = {0};
    assert_int_equal(dip_report_learning(&out, path, &err), DIP_OK);
    (void)unlink(path);
    return out;
}

static void assert_json(json_t *found, const char *wanted)
{
    json_t *value = json_loads(wanted, 0, NULL);
    assert_non_null(value);
    char *text = json_dumps(found, 0);
    if (!json_equal(found, value))
        fail_msg("%s\nis not\n%s", text, wanted);
    free(text);
    json_decref(value);
    json_decref(found);
}

static void test_learning_reads_losses_and_validations(void **state)
{
    (void)state;
    assert_json(
        learn("{\"event\":\"step\",\"step\":1,\"loss\":4.5}\n"
              "{\"event\":\"start\"}\n"
              "{\"event\":\"step\",\"step\":2,\"loss\":4.0}\n"
              "{\"event\":\"validation\",\"step\":2,\"report\":{\"retrieval\":"
              "{\"t\":{\"mrr\":0.5}},\"classification\":{\"c\":{\"accuracy\":"
              "null}}}}\n"),
        "{\"loss\":{\"step\":[1.0,2.0],\"value\":[4.5,4.0]},\"validation\":{"
        "\"t\":{\"metric\":\"mrr\",\"step\":[2.0],\"value\":[0.5]},"
        "\"c\":{\"metric\":\"accuracy\",\"step\":[2.0],\"value\":[null]}}}");
}

static void test_learning_counts_repeated_updates_once(void **state)
{
    (void)state;
    const char *validation = "{\"event\":\"validation\",\"step\":2,\"report\":{"
                             "\"retrieval\":{\"t\":{\"mrr\":%s}}}}\n";
    char first[128], second[128], log[1024];
    (void)snprintf(first, sizeof first, validation, "0.5");
    (void)snprintf(second, sizeof second, validation, "0.25");
    (void)snprintf(log, sizeof log,
                   "{\"event\":\"step\",\"step\":1,\"loss\":4.5}\n"
                   "{\"event\":\"step\",\"step\":2,\"loss\":4.0}\n%s"
                   "{\"event\":\"step\",\"step\":3,\"loss\":3.0}\n"
                   "{\"event\":\"step\",\"step\":2,\"loss\":2.0}\n%s"
                   "{\"event\":\"step\",\"st",
                   first, second);
    assert_json(learn(log),
                "{\"loss\":{\"step\":[1.0,2.0],\"value\":[4.5,2.0]},"
                "\"validation\":{\"t\":{\"metric\":\"mrr\",\"step\":[2.0],"
                "\"value\":[0.25]}}}");
}

static void test_learning_averages_long_logs(void **state)
{
    (void)state;
    size_t room = 64 * 1000, at = 0;
    char *log = malloc(room);
    assert_non_null(log);
    for (int i = 1; i <= 900; i++)
        at += (size_t)snprintf(log + at, room - at,
                               "{\"event\":\"step\",\"step\":%d,\"loss\":%d}\n",
                               i, i);
    json_t *out = learn(log);
    const json_t *loss = json_object_get(out, "loss");
    const json_t *steps = json_object_get(loss, "step");
    const json_t *values = json_object_get(loss, "value");
    assert_int_equal(json_array_size(steps), 180);
    assert_int_equal(json_array_size(values), 180);
    assert_true(json_number_value(json_array_get(steps, 0)) == 5.0);
    assert_true(json_number_value(json_array_get(values, 0)) == 3.0);
    assert_true(json_number_value(json_array_get(steps, 179)) == 900.0);
    assert_true(json_number_value(json_array_get(values, 179)) == 898.0);
    json_decref(out);
    free(log);
}

static void test_learning_without_a_log_is_not_found(void **state)
{
    (void)state;
    json_t *out = NULL;
    dip_err err = {0};
    assert_int_equal(dip_report_learning(&out, "/nowhere/log.jsonl", &err),
                     DIP_ENOTFOUND);
    assert_string_equal(err.msg, "no file '/nowhere/log.jsonl'");
    assert_null(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learning_reads_losses_and_validations),
        cmocka_unit_test(test_learning_counts_repeated_updates_once),
        cmocka_unit_test(test_learning_averages_long_logs),
        cmocka_unit_test(test_learning_without_a_log_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
