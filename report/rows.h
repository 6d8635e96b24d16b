/* The tables of a report, before they become Markdown or text: named JSON
 * objects as rows, paths into them as columns. */
#ifndef DIP_REPORT_ROWS_H
#define DIP_REPORT_ROWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define DIP_REPORT_CELL 32 /* bytes of a number as text, with the NUL */

typedef enum {
    DIP_REPORT_COUNT,
    DIP_REPORT_REAL,   /* three decimals */
    DIP_REPORT_SIGNED, /* the same with a sign: a difference */
    DIP_REPORT_RANK    /* one decimal */
} dip_report_form;

typedef struct {
    const char *title;
    const char *path; /* keys with slashes between, "interval/hit@1/low" */
    dip_report_form form;
} dip_report_column;

typedef struct {
    const char *name;     /* borrowed from the report */
    const json_t *values; /* borrowed, an object */
} dip_report_row;

typedef struct {
    dip_report_row *items;
    size_t count;
} dip_report_rows;

/* The number that `path` leads to in `object`, as text; "–" when there is
 * none. */
void dip_report_cell(char out[DIP_REPORT_CELL], const json_t *object,
                     const dip_report_column *column);

/* Keeps those of `all` [n] that lead to something in any row, in their order;
 * `out` [n] borrows them. Returns how many. */
size_t dip_report_columns(const dip_report_column **out,
                          const dip_report_column *all, size_t n,
                          const dip_report_rows *rows);

/* The members of `object` (NULL: none) that are objects, in their order. The
 * caller frees out->items; on failure it is NULL. */
dip_status dip_report_members(dip_report_rows *out, const json_t *object,
                              dip_err *err) DIP_MUST_CHECK;

/* Rows of a class that have its label. */
int64_t dip_report_support(const dip_report_row *row);

/* An order of classes: negative when `a` stands before `b`. */
typedef int (*dip_report_order)(const void *a, const void *b);
int dip_report_by_support(const void *a, const void *b); /* most first */
int dip_report_by_f1(const void *a, const void *b);      /* worst first */

/* The classes of a label's report with at least `support` rows, sorted; equal
 * ones by name. The caller frees out->items; on failure it is NULL. */
dip_status dip_report_classes(dip_report_rows *out, const json_t *label,
                              int64_t support, dip_report_order order,
                              dip_err *err) DIP_MUST_CHECK;

/* The items of an array of objects with a "name" whose count `key` is at least
 * `least`, in their order. The caller frees out->items; on failure it is NULL.
 */
dip_status dip_report_items(dip_report_rows *out, const json_t *array,
                            const char *key, int64_t least,
                            dip_err *err) DIP_MUST_CHECK;

#endif
