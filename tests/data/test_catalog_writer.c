#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/digest.h"
#include "tests/data/catalog_fixture.h"

static void assert_message(dip_status st, const dip_err *err,
                           const char *expected)
{
    assert_int_not_equal(st, DIP_OK);
    assert_string_equal(err->msg, expected);
}

static void must_write(const char *path, int rows, int64_t shard_rows)
{
    dip_err err = {0};
    if (fixture_write(path, rows, shard_rows, &err) != DIP_OK)
        fail_msg("%s", err.msg);
}

static dip_catalog *must_open(const char *path)
{
    dip_err err = {0};
    dip_catalog *catalog;
    if (dip_catalog_open(&catalog, path, NULL, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    return catalog;
}

/* Names in the folder that start with `start` or are hidden. */
static int count_files(const char *start)
{
    dip_err err = {0};
    char **names;
    size_t count;
    int found = 0;
    assert_int_equal(dip_dir_list(&names, &count, fixture_folder, &err),
                     DIP_OK);
    for (size_t i = 0; i < count; i++)
        found +=
            names[i][0] == '.' || strncmp(names[i], start, strlen(start)) == 0;
    dip_dir_list_free(names, count);
    return found;
}

static void test_catalog_writer_refuses_rows_and_goes_on(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_catalog_writer *writer;
    const char *path = fixture_path("bad.h5");
    assert_int_equal(fixture_create(&writer, path, 0, &err), DIP_OK);
    fixture_row good = fixture_row_at(0);
    assert_int_equal(fixture_add(writer, &good, &err), DIP_OK);

    assert_message(fixture_add(writer, &good, &err), &err,
                   "id 'item-0' in row 1 was met in row 0");
    fixture_row row = fixture_row_at(1);
    row.id[0] = '\0';
    assert_message(fixture_add(writer, &row, &err), &err, "empty id in row 1");
    row.id[0] = '\xff';
    assert_message(fixture_add(writer, &row, &err), &err,
                   "id is not UTF-8 in row 1");
    row = fixture_row_at(1);
    row.title[10] = '\xc3';
    assert_message(fixture_add(writer, &row, &err), &err,
                   "'title' is not UTF-8 at byte 10 in row 1");
    row = fixture_row_at(1);
    row.colour = "\xa0";
    assert_message(fixture_add(writer, &row, &err), &err,
                   "'colour' is not UTF-8 at byte 0 in row 1");
    row = fixture_row_at(1);
    row.price = INFINITY;
    assert_message(fixture_add(writer, &row, &err), &err,
                   "infinite 'price' in row 1");
    row = fixture_row_at(1);
    row.split = DIP_SPLIT_COUNT;
    assert_message(fixture_add(writer, &row, &err), &err, "split 3 in row 1");
    dip_value values[FIXTURE_COLUMNS] = {[THUMB] = {.bytes = {"abc", 3}}};
    dip_row small = {.id = bytes_of("small"), .values = values};
    assert_message(dip_catalog_writer_add(writer, &small, &err), &err,
                   "image 'thumb' has 3 bytes, not 18, in row 1");

    row = fixture_row_at(1);
    assert_int_equal(fixture_add(writer, &row, &err), DIP_OK);
    assert_int_equal(dip_catalog_writer_rows(writer), 2);
    assert_int_equal(dip_catalog_writer_commit(writer, &err), DIP_OK);
    dip_catalog_writer_end(writer);
    dip_catalog *catalog = must_open(path);
    assert_int_equal(dip_catalog_rows(catalog), 2);
    dip_catalog_close(catalog);
}

static void test_catalog_writer_abort_leaves_no_file(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_catalog_writer *writer;
    assert_int_equal(fixture_create(&writer, fixture_path("abort.h5"), 2, &err),
                     DIP_OK);
    for (int i = 0; i < 7; i++) {
        fixture_row row = fixture_row_at(i);
        assert_int_equal(fixture_add(writer, &row, &err), DIP_OK);
    }
    assert_true(count_files("abort") > 0); /* full shards wait */
    dip_catalog_writer_end(writer);
    assert_int_equal(count_files("abort"), 0);
}

static void test_catalog_writer_failed_commit_leaves_no_file(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_catalog_writer *writer;
    const char *path = fixture_path("stuck.h5");
    /* A folder stands where the manifest must go. */
    assert_int_equal(dip_dir_make(fixture_path("stuck.manifest.json"), &err),
                     DIP_OK);
    assert_int_equal(fixture_create(&writer, path, 0, &err), DIP_OK);
    fixture_row row = fixture_row_at(0);
    assert_int_equal(fixture_add(writer, &row, &err), DIP_OK);
    assert_int_equal(dip_catalog_writer_commit(writer, &err), DIP_EIO);
    dip_catalog_writer_end(writer);
    assert_int_equal(count_files("stuck"), 1);
    assert_int_equal(dip_tree_remove(fixture_path("stuck.manifest.json"), &err),
                     DIP_OK);
}

static void test_catalog_writer_refuses_schemas(void **state)
{
    (void)state;
    dip_column slash = {.kind = DIP_COLUMN_TEXT, .name = "a/b"};
    dip_column pixels = {
        .kind = DIP_COLUMN_IMAGE, .name = "p", .height = 2, .width = 0};
    dip_column twice[] = {{.kind = DIP_COLUMN_TEXT, .name = "t"},
                          {.kind = DIP_COLUMN_TEXT, .name = "t"}};
    const struct {
        const char *path;
        const dip_column *columns;
        int count;
        const char *message;
    } cases[] = {
        {"x.hdf5", NULL, 0, "name of a catalog is no X.h5: 'x.hdf5'"},
        {".h5", NULL, 0, "name of a catalog is no X.h5: '.h5'"},
        {"no/such/x.h5", NULL, 0, "no folder 'no/such' for 'no/such/x.h5'"},
        {"x.h5", &slash, 1, "bad column name 'a/b' for 'x.h5'"},
        {"x.h5", &pixels, 1, "images of 2 x 0 x 0 in column 'p' for 'x.h5'"},
        {"x.h5", twice, 2, "two text columns 't' for 'x.h5'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dip_err err = {0};
        dip_catalog_writer *writer;
        dip_catalog_schema schema = {.columns = cases[i].columns,
                                     .column_count = cases[i].count};
        assert_message(
            dip_catalog_writer_create(&writer, cases[i].path, &schema, &err),
            &err, cases[i].message);
        assert_null(writer);
    }
}

static void test_catalog_writer_needs_a_row(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_catalog_writer *writer;
    char expected[128];
    const char *path = fixture_path("none.h5");
    (void)snprintf(expected, sizeof expected, "no rows for '%s'", path);
    assert_int_equal(fixture_create(&writer, path, 0, &err), DIP_OK);
    assert_message(dip_catalog_writer_commit(writer, &err), &err, expected);
    dip_catalog_writer_end(writer);
    assert_int_equal(count_files("none"), 0);
}

static void test_catalog_writer_equal_input_makes_equal_files(void **state)
{
    (void)state;
    size_t a_len, b_len;
    char *a, *b;
    dip_err err = {0};
    const char *path = fixture_path("same.h5");
    assert_int_equal(setenv("SOURCE_DATE_EPOCH", "1000000000", 1), 0);
    must_write(path, 9, 0);
    assert_int_equal(dip_file_read(&a, &a_len, path, 1 << 20, &err), DIP_OK);
    must_write(path, 9, 0);
    assert_int_equal(dip_file_read(&b, &b_len, path, 1 << 20, &err), DIP_OK);
    assert_int_equal(unsetenv("SOURCE_DATE_EPOCH"), 0);
    assert_int_equal(a_len, b_len);
    assert_memory_equal(a, b, a_len);
    free(a);
    free(b);
    dip_catalog *catalog = must_open(path);
    assert_string_equal(dip_catalog_created(catalog), "2001-09-09T01:46:40Z");
    dip_catalog_close(catalog);
}

/* ---- search logs and behaviour ---- */

static const dip_judgement judgements[] = {
    {0, 2, 3.0F, DIP_SPLIT_TRAIN},
    {1, 0, 0.0F, DIP_SPLIT_TEST},
};
static const dip_interaction interactions[] = {
    {0, 1, 1.0F, 1700000000, DIP_SPLIT_TRAIN},
    {0, 3, 2.5F, -5, DIP_SPLIT_VAL},
    {1, 3, 0.5F, 0, DIP_SPLIT_TEST},
};

static void put_links(const char *path)
{
    dip_err err = {0};
    dip_bytes queries[] = {bytes_of("red dress"), bytes_of("红裙")};
    dip_bytes users[] = {bytes_of("u1"), bytes_of("u2")};
    if (dip_catalog_put_judgements(path, queries, 2, judgements, 2, &err) !=
            DIP_OK ||
        dip_catalog_put_interactions(path, users, 2, interactions, 3, &err) !=
            DIP_OK)
        fail_msg("%s", err.msg);
}

/* Files, names and times may differ, rows may not. */
static void test_catalog_writer_digest_is_of_the_content(void **state)
{
    (void)state;
    dip_err err = {0};
    char digests[4][DIP_DIGEST_SIZE];
    must_write(fixture_path("one.h5"), 7, 0);
    assert_int_equal(setenv("SOURCE_DATE_EPOCH", "1", 1), 0);
    must_write(fixture_path("parts.h5"), 7, 3);
    assert_int_equal(unsetenv("SOURCE_DATE_EPOCH"), 0);
    must_write(fixture_path("fewer.h5"), 6, 0);
    must_write(fixture_path("logs.h5"), 7, 0);
    const dip_bytes query = {"red", 3};
    const dip_judgement item = {.query = 0, .row = 1, .grade = 1};
    assert_int_equal(dip_catalog_put_judgements(fixture_path("logs.h5"), &query,
                                                1, &item, 1, &err),
                     DIP_OK);
    static const char *const names[] = {"one.h5", "parts.manifest.json",
                                        "fewer.h5", "logs.h5"};
    for (int i = 0; i < 4; i++) {
        dip_catalog *catalog = must_open(fixture_path(names[i]));
        memcpy(digests[i], dip_catalog_digest(catalog), DIP_DIGEST_SIZE);
        dip_catalog_close(catalog);
    }
    assert_string_equal(digests[0], digests[1]);
    assert_string_not_equal(digests[0], digests[2]);
    assert_string_not_equal(digests[0], digests[3]);
}

/* Each thing of a row counts, and what stands in which column. */
static void test_catalog_writer_digest_sees_every_value(void **state)
{
    (void)state;
    dip_err err = {0};
    char digests[6][DIP_DIGEST_SIZE];
    for (int i = 0; i < 6; i++) {
        dip_catalog_writer *writer;
        const char *path = fixture_path("value.h5");
        assert_int_equal(fixture_create(&writer, path, 0, &err), DIP_OK);
        fixture_row row = fixture_row_at(0);
        if (i == 1)
            row.colour = "none of these";
        if (i == 2)
            row.price = 4321;
        if (i == 3)
            row.title[10] = 'x'; /* was a d */
        if (i == 4)
            row.split =
                row.split == DIP_SPLIT_VAL ? DIP_SPLIT_TEST : DIP_SPLIT_VAL;
        if (i == 5)
            row.id[0] = row.id[0] == 'x' ? 'y' : 'x';
        assert_int_equal(fixture_add(writer, &row, &err), DIP_OK);
        assert_int_equal(dip_catalog_writer_commit(writer, &err), DIP_OK);
        dip_catalog_writer_end(writer);
        dip_catalog *catalog = must_open(path);
        memcpy(digests[i], dip_catalog_digest(catalog), DIP_DIGEST_SIZE);
        dip_catalog_close(catalog);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(digests[i], digests[j]);
    }
}

static void test_catalog_writer_puts_logs_and_behaviour(void **state)
{
    (void)state;
    const char *path = fixture_path("logs.h5");
    must_write(path, 5, 2);
    put_links(path);
    put_links(path); /* replaces */
    dip_catalog *catalog = must_open(fixture_path("logs"));
    assert_int_equal(dip_catalog_query_count(catalog), 2);
    dip_bytes query = dip_catalog_query(catalog, 1);
    assert_int_equal(query.len, 6);
    assert_memory_equal(query.data, "红裙", 6);
    assert_int_equal(dip_catalog_judgement_count(catalog), 2);
    dip_judgement j = dip_catalog_judgement(catalog, 0);
    assert_int_equal(j.row, 2);
    assert_true(j.grade == 3.0F);
    assert_int_equal(dip_catalog_judgement(catalog, 1).split, DIP_SPLIT_TEST);
    assert_int_equal(dip_catalog_user_count(catalog), 2);
    assert_int_equal(dip_catalog_interaction_count(catalog), 3);
    dip_interaction i = dip_catalog_interaction(catalog, 1);
    assert_int_equal(i.row, 3);
    assert_int_equal(i.time, -5);
    assert_true(i.weight == 2.5F);
    dip_catalog_close(catalog);
    assert_int_equal(count_files("logs"), 3 + 1 + 2);
}

static void test_catalog_writer_refuses_logs_that_contradict(void **state)
{
    (void)state;
    const char *path = fixture_path("contra.h5");
    must_write(path, 5, 0);
    dip_bytes queries[] = {bytes_of("q"), bytes_of("")};
    dip_bytes bad[] = {bytes_of("\xff")};
    const struct {
        dip_bytes *queries;
        int64_t count;
        dip_judgement item;
        const char *message; /* %s: the catalog */
    } cases[] = {
        {queries, 1, {1, 0, 1, 0}, "query 1 of 1 in judgement 0 of '%s'"},
        {queries, 1, {-1, 0, 1, 0}, "query -1 of 1 in judgement 0 of '%s'"},
        {queries, 1, {0, 5, 1, 0}, "row 5 of 5 in judgement 0 of '%s'"},
        {queries, 1, {0, 0, -1, 0}, "grade -1 in judgement 0 of '%s'"},
        {queries, 1, {0, 0, INFINITY, 0}, "grade inf in judgement 0 of '%s'"},
        {queries,
         1,
         {0, 0, 1, DIP_SPLIT_COUNT},
         "split 255 in judgement 0 of '%s'"},
        {queries, 2, {0, 0, 1, 0}, "query 1 is empty in '%s'"},
        {bad, 1, {0, 0, 1, 0}, "text is not UTF-8 in row 0 of 'query' in '%s'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[DIP_ERR_SIZE];
        dip_err err = {0};
        const char *format = cases[i].message;
        (void)snprintf(expected, sizeof expected, format, path);
        assert_message(dip_catalog_put_judgements(path, cases[i].queries,
                                                  cases[i].count,
                                                  &cases[i].item, 1, &err),
                       &err, expected);
    }
    assert_int_equal(count_files("contra"), 2);
}

static void test_catalog_writer_removes_what_it_replaces(void **state)
{
    (void)state;
    const char *path = fixture_path("again.h5");
    must_write(path, 5, 2);
    put_links(path);
    assert_int_equal(count_files("again"), 3 + 1 + 2);
    must_write(path, 5, 0);
    assert_int_equal(count_files("again"), 2); /* X.h5 and its manifest */
    dip_catalog *catalog = must_open(path);
    assert_int_equal(dip_catalog_judgement_count(catalog), 0);
    dip_catalog_close(catalog);
}

static void test_catalog_writer_missing_files_are_named(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_catalog *catalog;
    char expected[DIP_ERR_SIZE];
    must_write(fixture_path("gone.h5"), 5, 2);
    const char *shard = fixture_path("gone-00001-of-00003.h5");
    assert_int_equal(dip_tree_remove(shard, &err), DIP_OK);
    assert_int_equal(
        dip_catalog_open(&catalog, fixture_path("gone"), NULL, &err),
        DIP_ENOTFOUND);
    assert_non_null(strstr(err.msg, shard));
    (void)snprintf(expected, sizeof expected,
                   "no catalog '%s': there is no manifest '%s'",
                   fixture_path("nil"), fixture_path("nil.manifest.json"));
    assert_message(dip_catalog_open(&catalog, fixture_path("nil"), NULL, &err),
                   &err, expected);
    /* The name that was given to the writer is good for its shards, unless a
     * file of that name stands there. */
    must_write(fixture_path("gone.h5"), 5, 2);
    assert_int_equal(
        dip_catalog_open(&catalog, fixture_path("gone.h5"), NULL, &err),
        DIP_OK);
    dip_catalog_close(catalog);
    assert_int_equal(dip_file_write(fixture_path("gone.h5"), "x", 1, &err),
                     DIP_OK);
    (void)snprintf(expected, sizeof expected, "'%s' does not list 'gone.h5'",
                   fixture_path("gone.manifest.json"));
    assert_message(
        dip_catalog_open(&catalog, fixture_path("gone.h5"), NULL, &err), &err,
        expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_catalog_writer_refuses_rows_and_goes_on),
        cmocka_unit_test(test_catalog_writer_abort_leaves_no_file),
        cmocka_unit_test(test_catalog_writer_failed_commit_leaves_no_file),
        cmocka_unit_test(test_catalog_writer_refuses_schemas),
        cmocka_unit_test(test_catalog_writer_needs_a_row),
        cmocka_unit_test(test_catalog_writer_equal_input_makes_equal_files),
        cmocka_unit_test(test_catalog_writer_digest_is_of_the_content),
        cmocka_unit_test(test_catalog_writer_digest_sees_every_value),
        cmocka_unit_test(test_catalog_writer_puts_logs_and_behaviour),
        cmocka_unit_test(test_catalog_writer_refuses_logs_that_contradict),
        cmocka_unit_test(test_catalog_writer_removes_what_it_replaces),
        cmocka_unit_test(test_catalog_writer_missing_files_are_named),
    };
    return cmocka_run_group_tests(tests, fixture_enter, fixture_leave);
}
