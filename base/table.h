/* Text tables with aligned columns for a terminal. */
#ifndef DIP_BASE_TABLE_H
#define DIP_BASE_TABLE_H

#include <stddef.h>

#include "base/status.h"
#include "base/str.h"

typedef enum {
    DIP_ALIGN_LEFT,  /* text: may be shortened with an ellipsis */
    DIP_ALIGN_RIGHT, /* numbers: never shortened */
} dip_align;

typedef struct {
    const char *title;
    dip_align align;
} dip_table_column;

typedef struct dip_table dip_table;

/* Copies the columns. The caller ends *out with dip_table_free(). */
dip_status dip_table_new(dip_table **out, const dip_table_column *columns,
                         size_t count, dip_err *err) DIP_MUST_CHECK;

/* Appends the next cell, row by row from the left. Out of memory sticks and
 * is told by dip_table_render(). */
void dip_table_cell(dip_table *table, const char *text);
void dip_table_cellf(dip_table *table, const char *fmt, ...) DIP_PRINTF(2, 3);

/* Appends the lines of the table: titles, a rule, the rows; cells that are
 * missing from the last row are blank. Lines fit into `width` columns (0 =
 * any) as far as shortening the widest text columns, down to 8, can do it. */
dip_status dip_table_render(dip_str *out, const dip_table *table, int width,
                            dip_err *err) DIP_MUST_CHECK;

void dip_table_free(dip_table *table); /* accepts NULL */

#endif
