/* A growable string. Start it as {0}; end it with dip_str_free(). `data` is
 * NUL-terminated once anything was added, and NULL before. */
#ifndef DIP_BASE_STR_H
#define DIP_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct {
    char *data;
    size_t len;
    size_t capacity;
    bool failed; /* an addition ran out of memory; sticks */
} dip_str;

/* Additions do not return a status: out of memory sticks in `failed`, and
 * dip_str_status() asks for it once at the end. */
void dip_str_add(dip_str *s, const char *text);
void dip_str_add_n(dip_str *s, const void *bytes, size_t n);
void dip_str_addf(dip_str *s, const char *fmt, ...) DIP_PRINTF(2, 3);
void dip_str_clear(dip_str *s); /* keeps the memory */
dip_status dip_str_status(const dip_str *s, dip_err *err) DIP_MUST_CHECK;
/* The text, "" when nothing was added; borrowed. */
const char *dip_str_text(const dip_str *s);
void dip_str_free(dip_str *s);

#endif
