#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

bool dip_add_overflows(size_t a, size_t b, size_t *out)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return true;
    *out = sum;
    return false;
}

bool dip_mul_overflows(size_t a, size_t b, size_t *out)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return true;
    *out = product;
    return false;
}

void *dip_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (dip_mul_overflows(count, size, &bytes))
        return NULL; /* calloc() says so too, but a sanitizer's aborts */
    return calloc(1, bytes > 0 ? bytes : 1);
}

#define LINE ((size_t)64)

/* The line before the array holds what malloc() gave. */
void *dip_lines_alloc(size_t count, size_t size)
{
    size_t bytes;
    if (dip_mul_overflows(count, size, &bytes) ||
        dip_add_overflows(bytes, 2 * LINE, &bytes))
        return NULL;
    void *whole = malloc(bytes);
    if (whole == NULL)
        return NULL;
    char *start = (char *)whole + 2 * LINE - (uintptr_t)whole % LINE;
    memcpy(start - LINE, &whole, sizeof whole);
    return start;
}

void dip_lines_free(void *lines)
{
    void *whole;
    if (lines == NULL)
        return;
    memcpy(&whole, (char *)lines - LINE, sizeof whole);
    free(whole);
}

dip_status dip_reserve(void *items, size_t *capacity, size_t need, size_t size,
                       dip_err *err)
{
    if (need <= *capacity)
        return DIP_OK;
    size_t grown = *capacity < 8 ? 8 : *capacity;
    while (grown < need) {
        if (dip_mul_overflows(grown, 2, &grown))
            return dip_no_memory(err);
    }
    size_t bytes;
    if (dip_mul_overflows(grown, size, &bytes))
        return dip_no_memory(err);
    /* `items` is the address of a pointer of any object type. */
    void *old;
    memcpy(&old, items, sizeof old);
    void *moved = realloc(old, bytes);
    if (moved == NULL)
        return dip_no_memory(err);
    memcpy(items, &moved, sizeof moved);
    *capacity = grown;
    return DIP_OK;
}

char *dip_strdup(const char *s)
{
    return dip_strndup(s, strlen(s));
}

char *dip_strndup(const char *s, size_t n)
{
    char *copy = malloc(n + 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

dip_status dip_no_memory(dip_err *err)
{
    return dip_fail(err, DIP_ENOMEM, "out of memory");
}
