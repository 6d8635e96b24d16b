/* JSON over jansson: strict loading, atomic stable writing, typed getters
 * whose messages name the file and the key. */
#ifndef DIP_BASE_JSON_H
#define DIP_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

typedef enum {
    DIP_JSON_AS_BUILT, /* keys in the order in which they were set */
    DIP_JSON_SORTED,
} dip_json_order;

/* Reads a file of at most `limit` bytes. Duplicate keys and text after the
 * value are errors. The caller ends *out with json_decref(). */
dip_status dip_json_load(json_t **out, const char *path, size_t limit,
                         dip_err *err) DIP_MUST_CHECK;
/* The same for `n` bytes; `name` stands in for the file in messages. */
dip_status dip_json_parse(json_t **out, const char *text, size_t n,
                          const char *name, dip_err *err) DIP_MUST_CHECK;

/* Appends the text: two blanks per level, reals with up to 9 significant
 * digits, a final line end. `value` NULL (a json_ constructor ran out of
 * memory) is DIP_ENOMEM. */
dip_status dip_json_dump(dip_str *out, const json_t *value,
                         dip_json_order order, dip_err *err) DIP_MUST_CHECK;
/* Writes the same to a file, atomically. */
dip_status dip_json_write(const char *path, const json_t *value,
                          dip_json_order order, dip_err *err) DIP_MUST_CHECK;

/* A real, or null when it is NaN or infinite. */
json_t *dip_json_real(double value);

/* Typed members of `object`. A missing key or one of another type is
 * DIP_EFORMAT; `file` is named in the message. Strings, arrays and objects are
 * borrowed. A number may be an integer. */
dip_status dip_json_get_string(const char **out, const json_t *object,
                               const char *key, const char *file,
                               dip_err *err) DIP_MUST_CHECK;
dip_status dip_json_get_int(int64_t *out, const json_t *object, const char *key,
                            const char *file, dip_err *err) DIP_MUST_CHECK;
dip_status dip_json_get_number(double *out, const json_t *object,
                               const char *key, const char *file,
                               dip_err *err) DIP_MUST_CHECK;
dip_status dip_json_get_bool(bool *out, const json_t *object, const char *key,
                             const char *file, dip_err *err) DIP_MUST_CHECK;
dip_status dip_json_get_array(json_t **out, const json_t *object,
                              const char *key, const char *file,
                              dip_err *err) DIP_MUST_CHECK;
dip_status dip_json_get_object(json_t **out, const json_t *object,
                               const char *key, const char *file,
                               dip_err *err) DIP_MUST_CHECK;

#endif
