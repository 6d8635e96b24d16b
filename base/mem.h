/* Memory with checked sizes. Everything here but lines is released with free().
 */
#ifndef DIP_BASE_MEM_H
#define DIP_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define DIP_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Each is true and leaves *out alone when the exact result does not fit. */
bool dip_add_overflows(size_t a, size_t b, size_t *out);
bool dip_mul_overflows(size_t a, size_t b, size_t *out);

/* Zeroed array of `count` items of `size` bytes; NULL when the product
 * overflows or memory is out. count = 0 gives a valid pointer. */
void *dip_calloc(size_t count, size_t size);

/* An array that starts on a cache line, its contents not set; NULL as above.
 * Ends with dip_lines_free(), which accepts NULL. (aligned_alloc() would do,
 * but that of glibc before 2.38 does not find what it freed again.) */
void *dip_lines_alloc(size_t count, size_t size);
void dip_lines_free(void *lines);

/* Makes room for at least `need` items in the array *items of *capacity items
 * of `size` bytes, at least doubling. On failure nothing changes. */
dip_status dip_reserve(void *items, size_t *capacity, size_t need, size_t size,
                       dip_err *err) DIP_MUST_CHECK;

/* Copies of strings; NULL when memory is out. */
char *dip_strdup(const char *s);
char *dip_strndup(const char *s, size_t n);

/* The message that all modules give: "out of memory". */
dip_status dip_no_memory(dip_err *err);

#endif
