#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/table_reader.h"

/* The folder of a test: the table is written into it. */
static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/dip-table-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return dip_tree_remove(folder, NULL) == DIP_OK ? 0 : -1;
}

static const char *write_table(const char *name, const char *bytes, size_t n)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(dip_file_write(path, bytes, n, NULL), DIP_OK);
    return path;
}

static void assert_field(const dip_table_reader *reader, int column,
                         const char *expected)
{
    dip_bytes field = dip_table_reader_field(reader, column);
    assert_int_equal(field.len, strlen(expected));
    assert_memory_equal(field.data, expected, field.len);
}

static void assert_reads_like(const json_t *golden)
{
    const char *text = json_string_value(json_object_get(golden, "text"));
    const json_t *rows = json_object_get(golden, "rows");
    const char *path = write_table("case.csv", text, strlen(text));
    dip_table_reader *reader;
    assert_int_equal(dip_table_reader_open(&reader, path, NULL, NULL), DIP_OK);
    const json_t *header = json_array_get(rows, 0);
    assert_int_equal(dip_table_reader_column_count(reader),
                     json_array_size(header));
    for (size_t i = 0; i < json_array_size(header); i++)
        assert_string_equal(dip_table_reader_columns(reader)[i],
                            json_string_value(json_array_get(header, i)));
    bool more;
    for (size_t row = 1; row < json_array_size(rows); row++) {
        assert_int_equal(dip_table_reader_next(reader, &more, NULL), DIP_OK);
        assert_true(more);
        const json_t *fields = json_array_get(rows, row);
        for (size_t i = 0; i < json_array_size(fields); i++)
            assert_field(reader, (int)i,
                         json_string_value(json_array_get(fields, i)));
    }
    assert_int_equal(dip_table_reader_next(reader, &more, NULL), DIP_OK);
    assert_false(more);
    dip_table_reader_close(reader);
}

/* tests/parity/gen_csv.py makes the cases with Python's csv module. */
static void test_table_reader_reads_csv_as_python_does(void **state)
{
    (void)state;
    FILE *file = fopen("tests/golden/csv_cases.jsonl", "r");
    assert_non_null(file);
    int cases = 0;
    json_t *golden;
    while ((golden = json_loadf(file, JSON_DISABLE_EOF_CHECK, NULL)) != NULL) {
        assert_reads_like(golden);
        json_decref(golden);
        cases++;
    }
    fclose(file);
    assert_int_equal(cases, 21);
}

typedef struct {
    const char *name; /* its extension tells the format */
    const char *text;
    dip_status status;
    const char *words; /* of the message, behind the folder's name */
} bad_table;

/* Reads to the end and returns what went wrong. */
static dip_status read_all(const char *path, const char *format, dip_err *err)
{
    dip_table_reader *reader;
    dip_status st = dip_table_reader_open(&reader, path, format, err);
    bool more = true;
    while (st == DIP_OK && more)
        st = dip_table_reader_next(reader, &more, err);
    dip_table_reader_close(reader);
    return st;
}

static void test_table_reader_names_file_and_line(void **state)
{
    (void)state;
    static const bad_table cases[] = {
        {"a.csv", "id,t\n1,a\n2,\"b\nc\n", DIP_EFORMAT,
         "a.csv:3: quote is not closed"},
        {"b.csv", "id,t\n1,a\n2\n", DIP_EFORMAT,
         "b.csv:3: 1 fields where 2 are due"},
        {"c.csv", "id,t\n\n\"x\ny\",a\n1,2,3\n", DIP_EFORMAT,
         "c.csv:5: 3 fields where 2 are due"},
        {"d.csv", "id,t\n1,\"a\"b\n", DIP_EFORMAT,
         "d.csv:2: text after a closing quote"},
        {"e.csv", "id,t\n1,a\"b\n", DIP_EFORMAT,
         "e.csv:2: quote inside a field that is not quoted"},
        {"cr.csv", "id,t\r1,a\r2\r", DIP_EFORMAT,
         "cr.csv:3: 1 fields where 2 are due"},
        {"f.csv", "id,t,id\n", DIP_EFORMAT,
         "f.csv:1: two columns are named 'id'"},
        {"g.tsv", "id\tt\n1\ta\tb\n", DIP_EFORMAT,
         "g.tsv:2: 3 fields where 2 are due"},
        {"h.jsonl", "{\"id\": 1}\n{\"id\": [1]}\n", DIP_EFORMAT,
         "h.jsonl:2: 'id' is neither text nor a number"},
        {"i.jsonl", "{\"id\": 1}\n[1]\n", DIP_EFORMAT,
         "i.jsonl:2: not an object"},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_err err = {0};
        const char *path =
            write_table(cases[i].name, cases[i].text, strlen(cases[i].text));
        assert_int_equal(read_all(path, NULL, &err), cases[i].status);
        assert_string_equal(err.msg + strlen(folder) + 1, cases[i].words);
    }
}

static void test_table_reader_refuses_what_is_no_table(void **state)
{
    (void)state;
    dip_err err = {0};
    char words[256];
    const char *path = write_table("a.csv", "", 0);
    assert_int_equal(read_all(path, NULL, &err), DIP_EFORMAT);
    (void)snprintf(words, sizeof words, "no line of column names in '%s'",
                   path);
    assert_string_equal(err.msg, words);

    path = write_table("b.csv", "\xff\xfei\0d\0", 6);
    assert_int_equal(read_all(path, NULL, &err), DIP_EFORMAT);
    assert_non_null(strstr(err.msg, "is UTF-16; save it as UTF-8"));

    path = write_table("c.csv", "id\na\0b\n", 7);
    assert_int_equal(read_all(path, NULL, &err), DIP_EFORMAT);
    assert_string_equal(err.msg + strlen(folder) + 1, "c.csv:2: NUL byte");

    path = write_table("d.txt", "id\n1\n", 5);
    assert_int_equal(read_all(path, NULL, &err), DIP_ENOTFOUND);
    assert_non_null(strstr(err.msg, "cannot tell the format of"));
    assert_int_equal(read_all(path, "xls", &err), DIP_ENOTFOUND);
    assert_string_equal(err.msg,
                        "unknown table format 'xls'; formats: csv, tsv, jsonl");
    assert_int_equal(read_all(path, "csv", &err), DIP_OK);

    path = write_table("e.jsonl", "{\"id\": 1\n", 9);
    assert_int_equal(read_all(path, NULL, &err), DIP_EFORMAT);
    assert_non_null(strstr(err.msg, "e.jsonl:1: no JSON at byte"));

    assert_int_equal(read_all(folder, "csv", &err), DIP_EIO);
    assert_int_equal(read_all("/nowhere/x.csv", NULL, &err), DIP_ENOTFOUND);
}

static void test_table_reader_limits_rows(void **state)
{
    (void)state;
    size_t n = DIP_TABLE_MAX_ROW + 16;
    char *text = malloc(n);
    assert_non_null(text);
    memset(text, 'x', n);
    memcpy(text, "id\n\"", 4);
    dip_err err = {0};
    const char *path = write_table("long.csv", text, n);
    free(text);
    assert_int_equal(read_all(path, NULL, &err), DIP_EFORMAT);
    assert_non_null(strstr(err.msg, "long.csv:2: row is longer than 16 MiB"));
}

static void test_table_reader_skips_the_byte_order_mark(void **state)
{
    (void)state;
    const char *path = write_table("bom.csv", "\xef\xbb\xbfid\n1\n", 8);
    dip_table_reader *reader;
    assert_int_equal(dip_table_reader_open(&reader, path, NULL, NULL), DIP_OK);
    assert_string_equal(dip_table_reader_columns(reader)[0], "id");
    dip_table_reader_close(reader);
}

/* Names and fields of no bytes at all. */
static void test_table_reader_reads_nothing(void **state)
{
    (void)state;
    const char *path = write_table("none.csv", ",\n,\n", 4);
    dip_table_reader *reader;
    bool more;
    assert_int_equal(dip_table_reader_open(&reader, path, NULL, NULL), DIP_OK);
    assert_int_equal(dip_table_reader_column_count(reader), 2);
    assert_string_equal(dip_table_reader_columns(reader)[1], "");
    assert_int_equal(dip_table_reader_next(reader, &more, NULL), DIP_OK);
    assert_true(more);
    assert_field(reader, 1, "");
    dip_table_reader_close(reader);
}

static void test_table_reader_reads_tsv_without_quoting(void **state)
{
    (void)state;
    static const char text[] =
        "id\ttitle\tnote\r\n1\t5\" heel\t\r\n\t\"\ta,b\n";
    const char *path = write_table("t.tsv", text, strlen(text));
    dip_table_reader *reader;
    bool more;
    assert_int_equal(dip_table_reader_open(&reader, path, NULL, NULL), DIP_OK);
    assert_int_equal(dip_table_reader_column_count(reader), 3);
    assert_int_equal(dip_table_reader_next(reader, &more, NULL), DIP_OK);
    assert_field(reader, 0, "1");
    assert_field(reader, 1, "5\" heel");
    assert_field(reader, 2, "");
    assert_int_equal(dip_table_reader_next(reader, &more, NULL), DIP_OK);
    assert_field(reader, 0, "");
    assert_field(reader, 1, "\"");
    assert_field(reader, 2, "a,b");
    assert_int_equal(dip_table_reader_line(reader), 3);
    assert_int_equal(dip_table_reader_next(reader, &more, NULL), DIP_OK);
    assert_false(more);
    dip_table_reader_close(reader);
}

static void test_table_reader_reads_json_lines(void **state)
{
    (void)state;
    static const char text[] =
        "{\"id\": 1563, \"price\": 19.9, \"title\": \"\\u7ea2 \\\"x\\\"\"}\n"
        "\n"
        "{\"id\": \"b\", \"sale\": true, \"price\": null}\n"
        "{\"price\": 1e-7, \"id\": -3}\n";
    static const char *const expected[][4] = {{"1563", "19.9", "红 \"x\"", ""},
                                              {"b", "", "", "true"},
                                              {"-3", "1e-07", "", ""}};
    static const int64_t lines[] = {1, 3, 4};
    const char *path = write_table("t.jsonl", text, strlen(text));
    dip_table_reader *reader;
    bool more;
    assert_int_equal(dip_table_reader_open(&reader, path, NULL, NULL), DIP_OK);
    assert_int_equal(dip_table_reader_column_count(reader), 4);
    assert_string_equal(dip_table_reader_columns(reader)[3], "sale");
    for (size_t row = 0; row < DIP_ARRAY_LEN(expected); row++) {
        assert_int_equal(dip_table_reader_next(reader, &more, NULL), DIP_OK);
        assert_int_equal(dip_table_reader_line(reader), lines[row]);
        for (int i = 0; i < 4; i++)
            assert_field(reader, i, expected[row][i]);
    }
    assert_int_equal(dip_table_reader_next(reader, &more, NULL), DIP_OK);
    assert_false(more);
    dip_table_reader_close(reader);
}

static void test_table_reader_suggests_columns(void **state)
{
    (void)state;
    const char *path = write_table("t.csv", "id,title,price\n", 15);
    dip_table_reader *reader;
    dip_err err = {0};
    int column;
    char words[256];
    assert_int_equal(dip_table_reader_open(&reader, path, NULL, NULL), DIP_OK);
    assert_int_equal(dip_table_reader_find(reader, "price", &column, &err),
                     DIP_OK);
    assert_int_equal(column, 2);
    assert_int_equal(dip_table_reader_find(reader, "titel", &column, &err),
                     DIP_ENOTFOUND);
    (void)snprintf(words, sizeof words,
                   "no column 'titel' in '%s' (did you mean 'title'?); "
                   "columns: id, title, price",
                   path);
    assert_string_equal(err.msg, words);
    assert_int_equal(dip_table_reader_find(reader, "colour", &column, &err),
                     DIP_ENOTFOUND);
    assert_null(strstr(err.msg, "did you mean"));
    dip_table_reader_close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_reader_reads_csv_as_python_does),
        cmocka_unit_test(test_table_reader_names_file_and_line),
        cmocka_unit_test(test_table_reader_refuses_what_is_no_table),
        cmocka_unit_test(test_table_reader_limits_rows),
        cmocka_unit_test(test_table_reader_skips_the_byte_order_mark),
        cmocka_unit_test(test_table_reader_reads_nothing),
        cmocka_unit_test(test_table_reader_reads_tsv_without_quoting),
        cmocka_unit_test(test_table_reader_reads_json_lines),
        cmocka_unit_test(test_table_reader_suggests_columns),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
