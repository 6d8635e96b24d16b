#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

static dip_status parse(json_t **out, const char *text, dip_err *err)
{
    return dip_json_parse(out, text, strlen(text), "x.json", err);
}

static void test_json_refuses_what_is_not_strict(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"a\": 1,\n \"a\": 2}",
         "x.json:2:4: duplicate object key near '\"a\"'"},
        {"{} x", "x.json:1:4: end of file expected near 'x'"},
        {"{", "x.json:1:1: string or '}' expected near end of file"},
        {"[1e999]", "x.json:1:6: real number overflow near '1e999'"},
        {"[NaN]", "x.json:1:4: invalid token near 'NaN'"},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        json_t *value;
        dip_err err = {0};
        assert_int_equal(parse(&value, cases[i].text, &err), DIP_EFORMAT);
        assert_null(value);
        assert_string_equal(err.msg, cases[i].message);
    }
}

static void test_json_dump_is_stable(void **state)
{
    (void)state;
    json_t *value = json_pack("{s:[f,f,f,i], s:o, s:o, s:{}}", "b", 0.1, 2.0,
                              1.0 / 3, 7, "a", dip_json_real((double)NAN), "c",
                              dip_json_real(-INFINITY), "d");
    dip_str built = {0}, sorted = {0};
    assert_int_equal(dip_json_dump(&built, value, DIP_JSON_AS_BUILT, NULL),
                     DIP_OK);
    assert_string_equal(built.data, "{\n  \"b\": [\n    0.1,\n    2.0,\n"
                                    "    0.333333333,\n    7\n  ],\n"
                                    "  \"a\": null,\n  \"c\": null,\n"
                                    "  \"d\": {}\n}\n");
    assert_int_equal(dip_json_dump(&sorted, value, DIP_JSON_SORTED, NULL),
                     DIP_OK);
    assert_memory_equal(sorted.data, "{\n  \"a\": null,\n  \"b\"", 20);
    assert_int_equal(dip_json_dump(&sorted, NULL, DIP_JSON_SORTED, NULL),
                     DIP_ENOMEM);
    dip_str_free(&built);
    dip_str_free(&sorted);
    json_decref(value);
}

static void test_json_files_round_trip(void **state)
{
    (void)state;
    char folder[] = "/tmp/diptych-test-json-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char *path = dip_path_join(folder, "a.json");
    json_t *value = json_pack("{s:s, s:I}", "name", "\xc3\xa9", "rows",
                              (json_int_t)INT64_MAX);
    json_t *read;
    assert_int_equal(dip_json_write(path, value, DIP_JSON_SORTED, NULL),
                     DIP_OK);
    assert_int_equal(dip_json_load(&read, path, 1000, NULL), DIP_OK);
    assert_true(json_equal(value, read));
    json_decref(read);
    assert_int_equal(dip_json_load(&read, path, 10, NULL), DIP_ERANGE);
    assert_null(read);
    json_decref(value);
    assert_int_equal(dip_tree_remove(folder, NULL), DIP_OK);
    free(path);
}

static void test_json_getters_read_their_types(void **state)
{
    (void)state;
    json_t *object, *inner;
    const char *text;
    int64_t integer;
    double real;
    bool truth;
    assert_int_equal(parse(&object,
                           "{\"s\":\"x\",\"i\":-5,\"r\":1.5,\"b\":true,"
                           "\"a\":[1],\"o\":{}}",
                           NULL),
                     DIP_OK);
    assert_int_equal(dip_json_get_string(&text, object, "s", "f", NULL),
                     DIP_OK);
    assert_string_equal(text, "x");
    assert_int_equal(dip_json_get_int(&integer, object, "i", "f", NULL),
                     DIP_OK);
    assert_int_equal(integer, -5);
    assert_int_equal(dip_json_get_number(&real, object, "r", "f", NULL),
                     DIP_OK);
    assert_true(real == 1.5);
    assert_int_equal(dip_json_get_number(&real, object, "i", "f", NULL),
                     DIP_OK);
    assert_true(real == -5);
    assert_int_equal(dip_json_get_bool(&truth, object, "b", "f", NULL), DIP_OK);
    assert_true(truth);
    assert_int_equal(dip_json_get_array(&inner, object, "a", "f", NULL),
                     DIP_OK);
    assert_int_equal(json_array_size(inner), 1);
    assert_int_equal(dip_json_get_object(&inner, object, "o", "f", NULL),
                     DIP_OK);
    json_decref(object);
}

static void test_json_getters_name_file_and_key(void **state)
{
    (void)state;
    json_t *object, *inner;
    const char *text;
    int64_t integer;
    double real;
    bool truth;
    dip_err err = {0};
    assert_int_equal(parse(&object, "{\"n\":null,\"r\":1.5}", NULL), DIP_OK);
    assert_int_equal(dip_json_get_string(&text, object, "x", "f.json", &err),
                     DIP_EFORMAT);
    assert_string_equal(err.msg, "no key 'x' in 'f.json'");
    assert_int_equal(dip_json_get_string(&text, object, "n", "f.json", &err),
                     DIP_EFORMAT);
    assert_string_equal(err.msg, "key 'n' is not a string in 'f.json'");
    assert_int_equal(dip_json_get_int(&integer, object, "r", "f.json", &err),
                     DIP_EFORMAT);
    assert_string_equal(err.msg, "key 'r' is not an integer in 'f.json'");
    assert_int_equal(dip_json_get_number(&real, object, "n", "f.json", &err),
                     DIP_EFORMAT);
    assert_string_equal(err.msg, "key 'n' is not a number in 'f.json'");
    assert_int_equal(dip_json_get_bool(&truth, object, "n", "f.json", &err),
                     DIP_EFORMAT);
    assert_string_equal(err.msg, "key 'n' is not true or false in 'f.json'");
    assert_int_equal(dip_json_get_array(&inner, object, "n", "f.json", &err),
                     DIP_EFORMAT);
    assert_string_equal(err.msg, "key 'n' is not an array in 'f.json'");
    assert_int_equal(dip_json_get_object(&inner, object, "n", "f.json", &err),
                     DIP_EFORMAT);
    assert_string_equal(err.msg, "key 'n' is not an object in 'f.json'");
    json_decref(object);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_refuses_what_is_not_strict),
        cmocka_unit_test(test_json_dump_is_stable),
        cmocka_unit_test(test_json_files_round_trip),
        cmocka_unit_test(test_json_getters_read_their_types),
        cmocka_unit_test(test_json_getters_name_file_and_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
