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
#include "base/mem.h"
#include "report/crc32c.h"
#include "report/events.h"

#define LONG_TAG                                                               \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"                       \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"                       \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"                       \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static int make_folder(void **state)
{
    static char path[32];
    (void)snprintf(path, sizeof path, "/tmp/dip-events-XXXXXX");
    *state = mkdtemp(path);
    return *state == NULL;
}

static int remove_folder(void **state)
{
    return dip_tree_remove(*state, NULL) != DIP_OK;
}

/* The check value of the CRC catalogue, and vectors of RFC 3720, B.4. */
static void test_events_crc32c_has_published_values(void **state)
{
    (void)state;
    unsigned char bytes[32];
    assert_int_equal(dip_crc32c("", 0), 0);
    assert_int_equal(dip_crc32c("123456789", 9), 0xe3069283u);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(dip_crc32c(bytes, sizeof bytes), 0x8a9136aau);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(dip_crc32c(bytes, sizeof bytes), 0x62a8ab43u);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    assert_int_equal(dip_crc32c(bytes, sizeof bytes), 0x46dd794eu);
}

/* tests/parity/gen_report_events.py wrote the same list with TensorBoard. */
static void test_events_bytes_are_those_of_tensorboard(void **state)
{
    (void)state;
    static const struct {
        double wall_time;
        const char *tag;
        int64_t step;
        double value;
    } points[] = {
        {1700000000.25, "train/loss", 1, 0.69314718},
        {1700000001.5, "train/loss", 300, -2.5},
        {1700000002.75, "val/Größe/f1_macro", 0, 0.0},
        {1700000003.0, LONG_TAG, ((int64_t)1 << 40) + 5, 1e-30},
        {1700000004.0, "diverged", 7, (double)INFINITY},
    };
    dip_str ours = {0};
    char *golden;
    size_t n;
    assert_int_equal(dip_file_read(&golden, &n,
                                   "tests/golden/report_events.bin", 1 << 20,
                                   NULL),
                     DIP_OK);
    dip_events_add_version(&ours, 1700000000.125);
    for (size_t i = 0; i < DIP_ARRAY_LEN(points); i++)
        dip_events_add_scalar(&ours, points[i].wall_time, points[i].tag,
                              points[i].step, points[i].value);
    assert_int_equal(ours.len, n);
    assert_memory_equal(ours.data, golden, n);
    free(golden);
    dip_str_free(&ours);
}

/* The only file of the folder; the caller frees. */
static char *only_file(const char *folder)
{
    char **names;
    size_t count;
    assert_int_equal(dip_dir_list(&names, &count, folder, NULL), DIP_OK);
    assert_int_equal(count, 1);
    char *path = dip_path_join(folder, names[0]);
    dip_dir_list_free(names, count);
    return path;
}

static void test_events_flush_makes_points_visible(void **state)
{
    dip_events *events;
    char *bytes;
    size_t n;
    assert_int_equal(dip_events_open(&events, *state, NULL), DIP_OK);
    char *path = only_file(*state);
    assert_int_equal(strncmp(dip_path_base(path), "events.out.tfevents.", 20),
                     0);
    assert_int_equal(dip_file_read(&bytes, &n, path, 1000, NULL), DIP_OK);
    assert_int_equal(n, 16 + 9 + 15); /* framing, wall time, version */
    assert_memory_equal(bytes + 23, "brain.Event:2", 13);
    free(bytes);

    assert_int_equal(dip_events_scalar(events, "a", 1, 0.5, NULL), DIP_OK);
    assert_int_equal(dip_events_flush(events, NULL), DIP_OK);
    assert_int_equal(dip_file_read(&bytes, &n, path, 1000, NULL), DIP_OK);
    assert_int_equal(n, 40 + 16 + 9 + 2 + 12); /* and step, summary */
    free(bytes);
    free(path);
    dip_events_close(events);
}

static void test_events_of_one_second_are_files_of_their_own(void **state)
{
    dip_events *first, *second;
    char **names;
    size_t count;
    assert_int_equal(dip_events_open(&first, *state, NULL), DIP_OK);
    assert_int_equal(dip_events_open(&second, *state, NULL), DIP_OK);
    dip_events_close(first);
    dip_events_close(second);
    assert_int_equal(dip_dir_list(&names, &count, *state, NULL), DIP_OK);
    assert_int_equal(count, 2);
    dip_dir_list_free(names, count);
}

static void test_events_failures_name_the_file(void **state)
{
    (void)state;
    dip_events *events;
    dip_err err = {0};
    assert_int_equal(dip_events_open(&events, "/nonexistent/folder", &err),
                     DIP_EIO);
    assert_null(events);
    assert_non_null(strstr(err.msg, "'/nonexistent/folder/events.out."));
    assert_non_null(strstr(err.msg, "No such file or directory"));
    dip_events_close(NULL);
}

static void test_events_refuse_a_tag_that_breaks_the_file(void **state)
{
    dip_events *events;
    dip_err err = {0};
    assert_int_equal(dip_events_open(&events, *state, NULL), DIP_OK);
    assert_int_equal(dip_events_scalar(events, "val/\xff", 1, 0, &err),
                     DIP_EFORMAT);
    assert_non_null(strstr(err.msg, "tag is not UTF-8 at byte 4"));
    dip_events_close(events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_crc32c_has_published_values),
        cmocka_unit_test(test_events_bytes_are_those_of_tensorboard),
        cmocka_unit_test_setup_teardown(test_events_flush_makes_points_visible,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(
            test_events_of_one_second_are_files_of_their_own, make_folder,
            remove_folder),
        cmocka_unit_test(test_events_failures_name_the_file),
        cmocka_unit_test_setup_teardown(
            test_events_refuse_a_tag_that_breaks_the_file, make_folder,
            remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
