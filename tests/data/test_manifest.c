#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "data/manifest.h"
#include "tests/data/catalog_fixture.h"

static const char *write_text(const char *name, const char *text)
{
    dip_err err = {0};
    const char *path = fixture_path(name);
    if (dip_file_write(path, text, strlen(text), &err) != DIP_OK)
        fail_msg("%s", err.msg);
    return path;
}

#define SHA_A "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA_E "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

#define HEAD                                                                   \
    "{\"schema\": \"diptych-manifest/1\", \"version\": 1, \"name\": \"x\", "   \
    "\"created\": \"\", \"source\": \"\", \"rows\": 3, \"columns\": [], "
#define FILE_OF(name, rows, bulk)                                              \
    "{\"file\": \"" name "\", \"rows\": " rows ", \"bytes\": 100, "            \
    "\"sha256\": \"" SHA_A "\", \"metadata_sha256\": \"" SHA_E "\", "          \
    "\"bulk\": " bulk "}"
#define GOOD                                                                   \
    HEAD "\"shards\": [" FILE_OF("x.h5", "3", "[[10, 20], [30, 70]]") "]}"

static void test_manifest_reads_all_fields(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_manifest m;
    const char *path = write_text("good.json", GOOD);
    assert_int_equal(dip_manifest_read(&m, path, &err), DIP_OK);
    assert_int_equal(m.rows, 3);
    assert_int_equal(m.shard_count, 1);
    assert_string_equal(m.shards[0].file, "x.h5");
    assert_string_equal(m.shards[0].sha256, SHA_A);
    assert_int_equal(m.shards[0].bulk_count, 2);
    assert_int_equal(m.shards[0].bulk[1].offset, 30);
    assert_null(m.judgements.file);
    dip_manifest_free(&m);
}

static void test_manifest_survives_writing(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_manifest a, b, c;
    dip_column columns[] = {
        {.kind = DIP_COLUMN_IMAGE, .name = "p", .encoded = true},
        {.kind = DIP_COLUMN_IMAGE,
         .name = "q",
         .height = 4,
         .width = 5,
         .channels = 3},
        {.kind = DIP_COLUMN_LABEL, .name = "颜色", .classes = 7},
        {.kind = DIP_COLUMN_TEXT, .name = "t"},
    };
    const char *good = write_text("a.json", GOOD);
    const char *path = fixture_path("b.json");
    assert_int_equal(dip_manifest_read(&a, good, &err), DIP_OK);
    b = a;
    b.columns = columns;
    b.column_count = 4;
    b.judgements = a.shards[0];
    assert_int_equal(dip_manifest_write(&b, path, &err), DIP_OK);
    assert_int_equal(dip_manifest_read(&c, path, &err), DIP_OK);
    assert_int_equal(c.column_count, 4);
    assert_true(c.columns[0].encoded);
    assert_int_equal(c.columns[1].width, 5);
    assert_string_equal(c.columns[2].name, "颜色");
    assert_int_equal(c.columns[2].classes, 7);
    assert_string_equal(c.judgements.file, "x.h5");
    assert_int_equal(c.shards[0].bulk[0].bytes, 20);
    assert_string_not_equal(a.digest, c.digest);
    dip_manifest_free(&a);
    dip_manifest_free(&c);
}

static void test_manifest_refuses_what_is_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message; /* %s: the manifest */
    } cases[] = {
        {"{", "%s:1:1: string or '}' expected near end of file"},
        {"[]", "no JSON object in '%s'"},
        {"{}", "no key 'schema' in '%s'"},
        {"{\"schema\": \"diptych-manifest/9\"}",
         "schema is 'diptych-manifest/9', not 'diptych-manifest/1', in '%s'"},
        {"{\"schema\": \"diptych-manifest/1\", \"version\": 2}",
         "catalog version 2 is not 1, the one known, in '%s'"},
        {"{\"schema\": \"diptych-manifest/1\", \"version\": 1, \"extra\": 0}",
         "unknown key 'extra' in '%s'"},
        {HEAD "\"shards\": []}", "0 shards in '%s'"},
        {HEAD "\"shards\": [4]}", "list item is no object in '%s'"},
        {HEAD "\"shards\": [" FILE_OF("../x.h5", "3", "[]") "]}",
         "file name '../x.h5' leads out of the folder in '%s'"},
        {HEAD "\"shards\": [" FILE_OF("/etc/passwd", "3", "[]") "]}",
         "file name '/etc/passwd' leads out of the folder in '%s'"},
        {HEAD "\"shards\": [" FILE_OF("..", "3", "[]") "]}",
         "file name '..' leads out of the folder in '%s'"},
        {HEAD "\"shards\": [" FILE_OF("x.h5", "2", "[]") "]}",
         "rows of the shards do not add up to 3 in '%s'"},
        {HEAD "\"shards\": [" FILE_OF("x.h5", "3", "[]") ", " FILE_OF(
             "y.h5", "9223372036854775807", "[]") "]}",
         "rows of the shards do not add up to 3 in '%s'"},
        {HEAD "\"shards\": [" FILE_OF("x.h5", "-3", "[]") "]}",
         "key 'rows' is negative in '%s'"},
        {HEAD "\"shards\": [" FILE_OF("x.h5", "3", "[[10, 91]]") "]}",
         "bulk range 0 of 'x.h5' is wrong in '%s'"},
        {HEAD "\"shards\": [" FILE_OF("x.h5", "3", "[[10, 20], [29, 1]]") "]}",
         "bulk range 1 of 'x.h5' is wrong in '%s'"},
        {HEAD "\"shards\": [" FILE_OF("x.h5", "3", "[[10]]") "]}",
         "bulk range 0 of 'x.h5' is wrong in '%s'"},
        {HEAD "\"shards\": [{\"file\": \"x.h5\", \"rows\": 3, \"bytes\": 1, "
              "\"sha256\": \"12\"}]}",
         "key 'sha256' is no SHA-256 in '%s'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dip_err err = {0};
        dip_manifest m;
        char expected[DIP_ERR_SIZE];
        const char *path = write_text("bad.json", cases[i].text);
        const char *format = cases[i].message;
        (void)snprintf(expected, sizeof expected, format, path);
        assert_int_equal(dip_manifest_read(&m, path, &err), DIP_EFORMAT);
        assert_string_equal(err.msg, expected);
    }
}

/* SHA-256 of "abc" and of nothing are FIPS 180-4's own examples. */
static void test_manifest_metadata_digest_leaves_the_bulk_out(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_manifest_file file;
    const char *path = write_text("m.h5", "aXXbXc");
    dip_file_range *bulk = malloc(2 * sizeof *bulk);
    assert_non_null(bulk);
    bulk[0] = (dip_file_range){4, 1}; /* any order */
    bulk[1] = (dip_file_range){1, 2};
    assert_int_equal(dip_manifest_describe(&file, path, 1, bulk, 2, &err),
                     DIP_OK);
    assert_string_equal(file.metadata_sha256, SHA_A);
    assert_int_equal(file.bytes, 6);
    assert_string_equal(file.file, "m.h5");
    dip_manifest_file_free(&file);
    path = write_text("n.h5", "abc");
    assert_int_equal(dip_manifest_describe(&file, path, 1, NULL, 0, &err),
                     DIP_OK);
    assert_string_equal(file.metadata_sha256, SHA_A);
    assert_string_equal(file.sha256, SHA_A);
    dip_manifest_file_free(&file);
}

static void set_time(const char *path, time_t seconds)
{
    struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void flip_byte(const char *path, long at)
{
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fputc('!', file), '!');
    assert_int_equal(fclose(file), 0);
}

/* A bulk byte changes behind the back of the file's time: only the memory of
 * the first check can let it pass, and `again` does not ask it. */
static void test_manifest_check_remembers_whole_digests(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_manifest_file file;
    const char *path = write_text("r.h5", "metadata, bulk");
    dip_file_range *bulk = malloc(sizeof *bulk);
    assert_non_null(bulk);
    *bulk = (dip_file_range){10, 4};
    assert_int_equal(dip_manifest_describe(&file, path, 1, bulk, 1, &err),
                     DIP_OK);
    set_time(path, 1000000000);
    assert_int_equal(dip_manifest_check(&file, path, false, &err), DIP_OK);
    flip_byte(path, 12);
    set_time(path, 1000000000);
    assert_int_equal(dip_manifest_check(&file, path, false, &err), DIP_OK);
    assert_int_equal(dip_manifest_check(&file, path, true, &err), DIP_EFORMAT);
    set_time(path, 1000000001);
    assert_int_equal(dip_manifest_check(&file, path, false, &err), DIP_EFORMAT);
    flip_byte(path, 3);
    set_time(path, 1000000000);
    assert_int_equal(dip_manifest_check(&file, path, false, &err), DIP_EFORMAT);
    dip_manifest_file_free(&file);
}

static void test_manifest_fresh_files_are_not_remembered(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_manifest_file file;
    dip_file_info info;
    const char *path = write_text("w.h5", "abc");
    dip_file_range *bulk = malloc(sizeof *bulk);
    assert_non_null(bulk);
    *bulk = (dip_file_range){0, 3};
    assert_int_equal(dip_manifest_describe(&file, path, 1, bulk, 1, &err),
                     DIP_OK);
    assert_int_equal(dip_manifest_check(&file, path, false, &err), DIP_OK);
    assert_int_equal(dip_file_stat(&info, path, &err), DIP_OK);
    flip_byte(path, 1);
    struct timespec times[2];
    for (int i = 0; i < 2; i++)
        times[i] = (struct timespec){.tv_sec = info.mtime_ns / 1000000000,
                                     .tv_nsec = info.mtime_ns % 1000000000};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(dip_manifest_check(&file, path, false, &err), DIP_EFORMAT);
    dip_manifest_file_free(&file);
}

static void test_manifest_path_of_every_spelling(void **state)
{
    (void)state;
    static const char *const spellings[] = {"d/x", "d/x.h5",
                                            "d/x.manifest.json"};
    for (int i = 0; i < 3; i++) {
        char *path = dip_manifest_path(spellings[i]);
        assert_string_equal(path, "d/x.manifest.json");
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manifest_reads_all_fields),
        cmocka_unit_test(test_manifest_survives_writing),
        cmocka_unit_test(test_manifest_refuses_what_is_malformed),
        cmocka_unit_test(test_manifest_metadata_digest_leaves_the_bulk_out),
        cmocka_unit_test(test_manifest_check_remembers_whole_digests),
        cmocka_unit_test(test_manifest_fresh_files_are_not_remembered),
        cmocka_unit_test(test_manifest_path_of_every_spelling),
    };
    return cmocka_run_group_tests(tests, fixture_enter, fixture_leave);
}
