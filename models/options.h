/* Checks that the option structs of models/ share. Messages begin with the
 * option's name, "image.width". */
#ifndef DIP_MODELS_OPTIONS_H
#define DIP_MODELS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef enum {
    DIP_FIELD_INT,    /* int64_t */
    DIP_FIELD_COUNT,  /* int, the length of a list */
    DIP_FIELD_REAL,   /* double */
    DIP_FIELD_BOOL,   /* bool */
    DIP_FIELD_STRING, /* const char * */
} dip_field_type;

typedef struct {
    const char *name;
    size_t offset;
    dip_field_type type;
} dip_field;

/* DIP_ECONFIG when a field is set (not zero, false or NULL) that is not among
 * the NULL-terminated `read`. */
dip_status dip_options_unread(const void *options, const dip_field *fields,
                              size_t count, const char *const *read,
                              const char *prefix, const char *kind,
                              dip_err *err) DIP_MUST_CHECK;

/* DIP_ECONFIG unless low <= value <= high. */
dip_status dip_option_int(int64_t value, int64_t low, int64_t high,
                          const char *name, dip_err *err) DIP_MUST_CHECK;
dip_status dip_option_real(double value, double low, double high,
                           const char *name, dip_err *err) DIP_MUST_CHECK;
/* A share in [0, 1). */
dip_status dip_option_share(double value, const char *name,
                            dip_err *err) DIP_MUST_CHECK;
/* Puts the first of the NULL-terminated choices where *value is NULL, and
 * refuses what is none of them. */
dip_status dip_option_choice(const char **value, const char *const *choices,
                             const char *name, dip_err *err) DIP_MUST_CHECK;

/* Whether two strings are equal; NULL equals nothing. */
bool dip_option_is(const char *value, const char *choice);

#endif
