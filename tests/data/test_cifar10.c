#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/cifar10.h"
#include "tests/data/catalog_fixture.h"

enum { PLANE = 32 * 32, RECORD = 1 + 3 * PLANE };

/* Channel c of pixel i in the record of number n. */
static unsigned char value(int n, int c, int i)
{
    return (unsigned char)(n * 31 + c * 7 + i);
}

/* `count` records; number n, counted over the whole set, has class n % 10. */
static void write_batch(const char *name, int first, int count, size_t extra)
{
    unsigned char bytes[4 * RECORD + 8] = {0};
    for (int n = 0; n < count; n++) {
        unsigned char *record = bytes + n * RECORD;
        record[0] = (unsigned char)((first + n) % 10);
        for (int c = 0; c < 3; c++)
            for (int i = 0; i < PLANE; i++)
                record[1 + c * PLANE + i] = value(first + n, c, i);
    }
    assert_int_equal(dip_file_write(fixture_path(name), bytes,
                                    (size_t)(count * RECORD) + extra, NULL),
                     DIP_OK);
}

static void write_text(const char *name, const char *text)
{
    assert_int_equal(
        dip_file_write(fixture_path(name), text, strlen(text), NULL), DIP_OK);
}

static int enter(void **state)
{
    if (fixture_enter(state) != 0)
        return -1;
    write_batch("data_batch_1.bin", 0, 3, 0);
    write_batch("data_batch_2.bin", 3, 2, 0);
    write_batch("test_batch.bin", 5, 2, 0);
    return 0;
}

static dip_status import(int64_t val, dip_err *err)
{
    const char *out = fixture_path("out.h5");
    dip_photo_set_options options = {
        .folder = fixture_folder, .out = out, .val_rows = val};
    dip_import_report report;
    dip_status st = dip_import_cifar10(&report, &options, err);
    dip_import_report_free(&report);
    return st;
}

static dip_catalog *open_out(void)
{
    dip_catalog *catalog;
    dip_err err = {0};
    if (dip_catalog_open(&catalog, fixture_path("out.h5"), NULL, &err) !=
        DIP_OK)
        fail_msg("%s", err.msg);
    return catalog;
}

static void assert_text(dip_bytes found, const char *text)
{
    assert_int_equal(found.len, strlen(text));
    assert_memory_equal(found.data, text, found.len);
}

static void test_cifar10_reads_batches(void **state)
{
    (void)state;
    dip_err err = {0};
    if (import(2, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    dip_catalog *c = open_out();
    assert_int_equal(dip_catalog_rows(c), 7);
    assert_int_equal(dip_catalog_split_rows(c, DIP_SPLIT_TRAIN), 3);
    assert_int_equal(dip_catalog_split(c, 3), DIP_SPLIT_VAL);
    assert_text(dip_catalog_id(c, 4), "train-00004");
    assert_text(dip_catalog_id(c, 6), "test-00001");
    int class, title;
    assert_int_equal(
        dip_catalog_find(c, DIP_COLUMN_LABEL, "class", &class, NULL), DIP_OK);
    assert_int_equal(
        dip_catalog_find(c, DIP_COLUMN_TEXT, "title", &title, NULL), DIP_OK);
    /* The published order: 4 is the deer, 6 the frog. */
    assert_text(
        dip_catalog_label_name(c, class, dip_catalog_label(c, class, 4)),
        "deer");
    assert_text(dip_catalog_text(c, title, 6), "frog");
    uint8_t scratch[3 * PLANE];
    dip_image_source source;
    for (int row = 0; row < 7; row++) {
        assert_int_equal(dip_catalog_image(c, 0, row, scratch, &source, NULL),
                         DIP_OK);
        assert_int_equal(source.channels, 3);
        for (int i = 0; i < PLANE; i++)
            for (int ch = 0; ch < 3; ch++)
                assert_int_equal(source.pixels[3 * i + ch], value(row, ch, i));
    }
    dip_catalog_close(c);
}

static void test_cifar10_takes_the_names_of_its_folder(void **state)
{
    (void)state;
    dip_err err = {0};
    write_text("batches.meta.txt", "a\r\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
    if (import(0, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    dip_catalog *c = open_out();
    int class;
    assert_int_equal(
        dip_catalog_find(c, DIP_COLUMN_LABEL, "class", &class, NULL), DIP_OK);
    assert_text(
        dip_catalog_label_name(c, class, dip_catalog_label(c, class, 6)), "g");
    dip_catalog_close(c);
}

static void assert_refused(int64_t val, dip_status status, const char *words)
{
    dip_err err = {0};
    dip_status st = import(val, &err);
    if (st != status || strstr(err.msg, words) == NULL)
        fail_msg("%d: %s", st, err.msg);
    assert_false(dip_file_exists(fixture_path("out.h5")));
}

static void test_cifar10_refuses_damaged_folders(void **state)
{
    (void)state;
    assert_refused(6, DIP_ERANGE, "have only 5");
    write_text("batches.meta.txt", "a\nb\n");
    assert_refused(0, DIP_EFORMAT, "2 names of classes in '");
    write_text("batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\nb\nj\n");
    assert_refused(0, DIP_EFORMAT, "class 'b' twice in '");
    write_text("batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n");
    assert_refused(0, DIP_EFORMAT, "11 names of classes");
    assert_int_equal(remove(fixture_path("batches.meta.txt")), 0);
    write_batch("data_batch_2.bin", 3, 2, 1);
    assert_refused(0, DIP_EFORMAT, "6147 bytes in '");
    unsigned char bad[RECORD] = {10};
    assert_int_equal(
        dip_file_write(fixture_path("data_batch_2.bin"), bad, sizeof bad, NULL),
        DIP_OK);
    assert_refused(0, DIP_EFORMAT, "has class 10");
    write_text("data_batch_2.bin", "");
    assert_refused(0, DIP_EFORMAT, "0 bytes in '");
    assert_int_equal(remove(fixture_path("data_batch_2.bin")), 0);
    write_batch("data_batch_4.bin", 3, 2, 0);
    assert_refused(0, DIP_ENOTFOUND, "/data_batch_2.bin', but one '");
    assert_int_equal(remove(fixture_path("data_batch_4.bin")), 0);
    assert_int_equal(remove(fixture_path("test_batch.bin")), 0);
    assert_refused(0, DIP_ENOTFOUND, "test_batch.bin");
    assert_int_equal(remove(fixture_path("data_batch_1.bin")), 0);
    assert_refused(0, DIP_ENOTFOUND, "no file '");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_cifar10_reads_batches, enter,
                                        fixture_leave),
        cmocka_unit_test_setup_teardown(
            test_cifar10_takes_the_names_of_its_folder, enter, fixture_leave),
        cmocka_unit_test_setup_teardown(test_cifar10_refuses_damaged_folders,
                                        enter, fixture_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
