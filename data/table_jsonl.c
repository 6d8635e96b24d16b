/* JSON Lines: an object per line. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/table_formats.h"

static dip_status read_object(dip_table_reader *reader, json_t **out,
                              dip_err *err)
{
    *out = NULL;
    bool more;
    dip_status st = dip_table_read_line(reader, &more, err);
    if (st != DIP_OK || !more)
        return st;
    json_error_t fault;
    *out = json_loadb(reader->row.data, reader->row.len, JSON_REJECT_DUPLICATES,
                      &fault);
    if (*out == NULL)
        return dip_table_fail(reader, err, "no JSON at byte %d: %s",
                              fault.position, fault.text);
    if (json_is_object(*out))
        return DIP_OK;
    json_decref(*out);
    *out = NULL;
    return dip_table_fail(reader, err, "not an object");
}

/* Adds the keys that `seen` does not hold yet. */
static dip_status add_keys(dip_table_reader *reader, json_t *seen,
                           json_t *object, dip_err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach (object, key, value) {
        if (json_object_get(seen, key) != NULL)
            continue;
        if (json_object_set_new(seen, key, json_true()) != 0)
            return dip_no_memory(err);
        dip_status st = dip_table_add_column(reader, key, strlen(key), err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

/* Any line may have a key of its own, so the whole file is read once for the
 * columns. */
static dip_status read_keys(dip_table_reader *reader, dip_err *err)
{
    json_t *seen = json_object();
    dip_status st = seen != NULL ? DIP_OK : dip_no_memory(err);
    long start = ftell(reader->file);
    while (st == DIP_OK) {
        json_t *object;
        st = read_object(reader, &object, err);
        if (st != DIP_OK || object == NULL)
            break;
        st = add_keys(reader, seen, object, err);
        json_decref(object);
    }
    json_decref(seen);
    if (st == DIP_OK && fseek(reader->file, start, SEEK_SET) != 0)
        st = dip_fail(err, DIP_EIO, "cannot read '%s' twice", reader->path);
    if (st == DIP_OK && reader->column_count == 0)
        st = dip_fail(err, DIP_EFORMAT, "no rows in '%s'", reader->path);
    reader->next_line = 1;
    return st;
}

/* The shortest decimal that reads back as `value`. */
static void print_real(char *out, size_t size, double value)
{
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(out, size, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            return;
    }
}

static dip_status add_value(dip_table_reader *reader, const char *column,
                            const json_t *value, dip_err *err)
{
    char number[64];
    switch (value != NULL ? json_typeof(value) : JSON_NULL) {
    case JSON_NULL:
        return DIP_OK;
    case JSON_STRING:
        return dip_table_add(reader, json_string_value(value),
                             json_string_length(value), err);
    case JSON_TRUE:
        return dip_table_add(reader, "true", 4, err);
    case JSON_FALSE:
        return dip_table_add(reader, "false", 5, err);
    case JSON_INTEGER:
        (void)snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT,
                       json_integer_value(value));
        return dip_table_add(reader, number, strlen(number), err);
    case JSON_REAL:
        print_real(number, sizeof number, json_real_value(value));
        return dip_table_add(reader, number, strlen(number), err);
    case JSON_OBJECT:
    case JSON_ARRAY:
        break;
    }
    return dip_table_fail(reader, err, "'%s' is neither text nor a number",
                          column);
}

static dip_status read_jsonl_row(dip_table_reader *reader, bool *more,
                                 dip_err *err)
{
    json_t *object;
    dip_status st = read_object(reader, &object, err);
    *more = object != NULL;
    dip_str_clear(&reader->row);
    for (size_t i = 0; i < reader->column_count && st == DIP_OK && *more; i++) {
        const char *column = reader->columns[i];
        st = add_value(reader, column, json_object_get(object, column), err);
        if (st == DIP_OK)
            st = dip_table_end_field(reader, err);
    }
    json_decref(object);
    return st;
}

static const char *const extensions[] = {".jsonl", ".ndjson", NULL};

const dip_table_format dip_table_jsonl = {"jsonl", extensions, read_keys,
                                          read_jsonl_row};
