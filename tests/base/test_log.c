#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"

static void expect_content(const char *path, const char *content)
{
    char *text;
    size_t n;
    assert_int_equal(dip_file_read(&text, &n, path, 1000, NULL), DIP_OK);
    assert_string_equal(text, content);
    free(text);
}

static void write_step(const char *path, int step)
{
    dip_log *log;
    assert_int_equal(dip_log_open(&log, path, NULL), DIP_OK);
    json_t *line = json_pack("{s:i, s:f}", "step", step, "loss", 0.1);
    assert_int_equal(dip_log_write(log, line, NULL), DIP_OK);
    json_decref(line);
    dip_log_close(log);
}

static void test_log_appends_and_cuts_torn_lines(void **state)
{
    (void)state;
    char folder[] = "/tmp/diptych-test-log-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *path = dip_path_join(folder, "log.jsonl");
    write_step(path, 1);
    write_step(path, 2);
    expect_content(path, "{\"step\":1,\"loss\":0.1}\n"
                         "{\"step\":2,\"loss\":0.1}\n");
    assert_int_equal(dip_file_write(path, "{\"step\":1}\n{\"st", 15, NULL),
                     DIP_OK);
    write_step(path, 3);
    expect_content(path, "{\"step\":1}\n{\"step\":3,\"loss\":0.1}\n");
    assert_int_equal(dip_file_write(path, "torn", 4, NULL), DIP_OK);
    write_step(path, 4);
    expect_content(path, "{\"step\":4,\"loss\":0.1}\n");
    assert_int_equal(dip_tree_remove(folder, NULL), DIP_OK);
    free(path);
}

static void test_log_line_is_there_before_close(void **state)
{
    (void)state;
    char folder[] = "/tmp/diptych-test-log-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *path = dip_path_join(folder, "log.jsonl");
    dip_log *log;
    assert_int_equal(dip_log_open(&log, path, NULL), DIP_OK);
    json_t *line = json_pack("{s:n}", "loss");
    assert_int_equal(dip_log_write(log, line, NULL), DIP_OK);
    json_decref(line);
    expect_content(path, "{\"loss\":null}\n");
    assert_int_equal(dip_log_write(log, NULL, NULL), DIP_ENOMEM);
    dip_log_close(log);
    assert_int_equal(dip_tree_remove(folder, NULL), DIP_OK);
    free(path);
}

static void test_log_reports_what_cannot_be_written(void **state)
{
    (void)state;
    dip_log *log;
    dip_err err = {0};
    assert_int_equal(dip_log_open(&log, "/no/such/log", &err), DIP_EIO);
    assert_null(log);
    assert_string_equal(err.msg, "cannot open '/no/such/log': No such file or "
                                 "directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_appends_and_cuts_torn_lines),
        cmocka_unit_test(test_log_line_is_there_before_close),
        cmocka_unit_test(test_log_reports_what_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
