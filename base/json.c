#include "base/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"

dip_status dip_json_parse(json_t **out, const char *text, size_t n,
                          const char *name, dip_err *err)
{
    json_error_t fault;
    *out =
        json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &fault);
    if (*out == NULL)
        return dip_fail(err, DIP_EFORMAT, "%s:%d:%d: %s", name, fault.line,
                        fault.column, fault.text);
    return DIP_OK;
}

dip_status dip_json_load(json_t **out, const char *path, size_t limit,
                         dip_err *err)
{
    *out = NULL;
    char *text;
    size_t n;
    dip_status st = dip_file_read(&text, &n, path, limit, err);
    if (st == DIP_OK)
        st = dip_json_parse(out, text, n, path, err);
    free(text);
    return st;
}

static int append(const char *bytes, size_t n, void *out)
{
    dip_str_add_n(out, bytes, n);
    return 0; /* failure sticks in the string */
}

dip_status dip_json_dump(dip_str *out, const json_t *value,
                         dip_json_order order, dip_err *err)
{
    size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(9) | JSON_ENCODE_ANY;
    if (order == DIP_JSON_SORTED)
        flags |= JSON_SORT_KEYS;
    if (value == NULL || json_dump_callback(value, append, out, flags) != 0)
        return dip_no_memory(err);
    dip_str_add(out, "\n");
    return dip_str_status(out, err);
}

dip_status dip_json_write(const char *path, const json_t *value,
                          dip_json_order order, dip_err *err)
{
    dip_str text = {0};
    dip_status st = dip_json_dump(&text, value, order, err);
    if (st == DIP_OK)
        st = dip_file_write(path, text.data, text.len, err);
    dip_str_free(&text);
    return st;
}

json_t *dip_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* ---- getters ---- */

static dip_status fail_member(dip_err *err, const json_t *object,
                              const char *key, const char *file,
                              const char *wanted)
{
    if (json_object_get(object, key) == NULL)
        return dip_fail(err, DIP_EFORMAT, "no key '%s' in '%s'", key, file);
    return dip_fail(err, DIP_EFORMAT, "key '%s' is not %s in '%s'", key, wanted,
                    file);
}

dip_status dip_json_get_string(const char **out, const json_t *object,
                               const char *key, const char *file, dip_err *err)
{
    *out = json_string_value(json_object_get(object, key));
    return *out != NULL ? DIP_OK
                        : fail_member(err, object, key, file, "a string");
}

dip_status dip_json_get_int(int64_t *out, const json_t *object, const char *key,
                            const char *file, dip_err *err)
{
    const json_t *value = json_object_get(object, key);
    *out = json_integer_value(value);
    return json_is_integer(value)
               ? DIP_OK
               : fail_member(err, object, key, file, "an integer");
}

dip_status dip_json_get_number(double *out, const json_t *object,
                               const char *key, const char *file, dip_err *err)
{
    const json_t *value = json_object_get(object, key);
    *out = json_number_value(value);
    return json_is_number(value)
               ? DIP_OK
               : fail_member(err, object, key, file, "a number");
}

dip_status dip_json_get_bool(bool *out, const json_t *object, const char *key,
                             const char *file, dip_err *err)
{
    const json_t *value = json_object_get(object, key);
    *out = json_is_true(value);
    return json_is_boolean(value)
               ? DIP_OK
               : fail_member(err, object, key, file, "true or false");
}

dip_status dip_json_get_array(json_t **out, const json_t *object,
                              const char *key, const char *file, dip_err *err)
{
    *out = json_object_get(object, key);
    return json_is_array(*out)
               ? DIP_OK
               : fail_member(err, object, key, file, "an array");
}

dip_status dip_json_get_object(json_t **out, const json_t *object,
                               const char *key, const char *file, dip_err *err)
{
    *out = json_object_get(object, key);
    return json_is_object(*out)
               ? DIP_OK
               : fail_member(err, object, key, file, "an object");
}
