#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool make_room(dip_str *s, size_t more)
{
    size_t need;
    if (s->failed || dip_add_overflows(s->len, more, &need) ||
        dip_add_overflows(need, 1, &need) ||
        dip_reserve(&s->data, &s->capacity, need, 1, NULL) != DIP_OK) {
        s->failed = true;
        return false;
    }
    return true;
}

void dip_str_add(dip_str *s, const char *text)
{
    dip_str_add_n(s, text, strlen(text));
}

void dip_str_add_n(dip_str *s, const void *bytes, size_t n)
{
    if (!make_room(s, n))
        return;
    if (n > 0)
        memcpy(s->data + s->len, bytes, n);
    s->len += n;
    s->data[s->len] = '\0';
}

void dip_str_addf(dip_str *s, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0 || !make_room(s, (size_t)n)) {
        s->failed = true;
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(s->data + s->len, (size_t)n + 1, fmt, args);
    va_end(args);
    s->len += (size_t)n;
}

void dip_str_clear(dip_str *s)
{
    s->len = 0;
    if (s->data != NULL)
        s->data[0] = '\0';
}

dip_status dip_str_status(const dip_str *s, dip_err *err)
{
    return s->failed ? dip_no_memory(err) : DIP_OK;
}

const char *dip_str_text(const dip_str *s)
{
    return s->data != NULL ? s->data : "";
}

void dip_str_free(dip_str *s)
{
    free(s->data);
    *s = (dip_str){0};
}
