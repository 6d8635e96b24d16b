/* A table before it is written in one of several languages. */
#ifndef DIP_REPORT_SHEET_H
#define DIP_REPORT_SHEET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/str.h"
#include "base/table.h"

#define DIP_SHEET_COLUMNS 16

/* Start it as {0} and end it with dip_sheet_free(). Titles are borrowed. Cells
 * are added row by row; what runs out of memory is told when it is written. */
typedef struct {
    dip_str heading;
    dip_table_column columns[DIP_SHEET_COLUMNS];
    size_t column_count;
    char **cells;
    size_t cell_count, capacity;
    bool failed;
} dip_sheet;

/* Columns beyond DIP_SHEET_COLUMNS are left out: false. */
bool dip_sheet_column(dip_sheet *sheet, const char *title, dip_align align);
void dip_sheet_cell(dip_sheet *sheet, const char *text);
void dip_sheet_cellf(dip_sheet *sheet, const char *fmt, ...) DIP_PRINTF(2, 3);
void dip_sheet_free(dip_sheet *sheet);

/* Append the heading and the table, an empty line after it; nothing when there
 * are no cells. */
dip_status dip_sheet_text(dip_str *out, const dip_sheet *sheet, int width,
                          dip_err *err) DIP_MUST_CHECK;
dip_status dip_sheet_markdown(dip_str *out, const dip_sheet *sheet,
                              dip_err *err) DIP_MUST_CHECK;
/* A tabular between rules of booktabs, the heading as a comment. */
dip_status dip_sheet_latex(dip_str *out, const dip_sheet *sheet,
                           dip_err *err) DIP_MUST_CHECK;

#endif
