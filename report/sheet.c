#include "report/sheet.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "report/escape.h"

bool dip_sheet_column(dip_sheet *sheet, const char *title, dip_align align)
{
    if (sheet->column_count == DIP_SHEET_COLUMNS)
        return false;
    sheet->columns[sheet->column_count++] = (dip_table_column){title, align};
    return true;
}

void dip_sheet_cell(dip_sheet *sheet, const char *text)
{
    char *copy = dip_strdup(text);
    if (copy == NULL ||
        dip_reserve(&sheet->cells, &sheet->capacity, sheet->cell_count + 1,
                    sizeof *sheet->cells, NULL) != DIP_OK) {
        free(copy);
        sheet->failed = true;
        return;
    }
    sheet->cells[sheet->cell_count++] = copy;
}

void dip_sheet_cellf(dip_sheet *sheet, const char *fmt, ...)
{
    char text[128];
    va_list arguments;
    va_start(arguments, fmt);
    (void)vsnprintf(text, sizeof text, fmt, arguments);
    va_end(arguments);
    dip_sheet_cell(sheet, text);
}

void dip_sheet_free(dip_sheet *sheet)
{
    for (size_t i = 0; i < sheet->cell_count; i++)
        free(sheet->cells[i]);
    free(sheet->cells);
    dip_str_free(&sheet->heading);
    *sheet = (dip_sheet){0};
}

static dip_status check(const dip_sheet *sheet, dip_err *err)
{
    return sheet->failed ? dip_no_memory(err)
                         : dip_str_status(&sheet->heading, err);
}

/* ---- terminal ------------------------------------------------------------ */

dip_status dip_sheet_text(dip_str *out, const dip_sheet *sheet, int width,
                          dip_err *err)
{
    dip_table *table = NULL;
    dip_status st = check(sheet, err);
    if (st != DIP_OK || sheet->cell_count == 0)
        return st;
    const char *heading = dip_str_text(&sheet->heading);
    (void)dip_utf8_fit(out, heading, strlen(heading),
                       width > 0 ? (size_t)width : SIZE_MAX);
    dip_str_add(out, "\n");
    st = dip_table_new(&table, sheet->columns, sheet->column_count, err);
    for (size_t i = 0; i < sheet->cell_count && st == DIP_OK; i++)
        dip_table_cell(table, sheet->cells[i]);
    if (st == DIP_OK)
        st = dip_table_render(out, table, width, err);
    dip_str_add(out, "\n");
    dip_table_free(table);
    return st;
}

/* ---- Markdown ------------------------------------------------------------ */

dip_status dip_sheet_markdown(dip_str *out, const dip_sheet *sheet,
                              dip_err *err)
{
    dip_status st = check(sheet, err);
    if (st != DIP_OK || sheet->cell_count == 0)
        return st;
    dip_str_add(out, "## ");
    dip_escape_markdown(out, dip_str_text(&sheet->heading));
    dip_str_add(out, "\n\n|");
    for (size_t c = 0; c < sheet->column_count; c++) {
        dip_str_add(out, " ");
        dip_escape_markdown(out, sheet->columns[c].title);
        dip_str_add(out, " |");
    }
    dip_str_add(out, "\n|");
    for (size_t c = 0; c < sheet->column_count; c++)
        dip_str_add(out, sheet->columns[c].align == DIP_ALIGN_LEFT ? ":--|"
                                                                   : "--:|");
    for (size_t i = 0; i < sheet->cell_count; i++) {
        dip_str_add(out, i % sheet->column_count == 0 ? "\n| " : " ");
        dip_escape_markdown(out, sheet->cells[i]);
        dip_str_add(out, " |");
    }
    dip_str_add(out, "\n\n");
    return DIP_OK;
}

/* ---- LaTeX --------------------------------------------------------------- */

/* A negative number has a minus; a hyphen is what LaTeX would make of it. */
static void add_latex_cell(dip_str *out, const char *text)
{
    bool negative = text[0] == '-' && isdigit((unsigned char)text[1]);
    dip_str_add(out, negative ? "$-$" : "");
    dip_escape_latex(out, text + negative);
}

dip_status dip_sheet_latex(dip_str *out, const dip_sheet *sheet, dip_err *err)
{
    dip_status st = check(sheet, err);
    if (st != DIP_OK || sheet->cell_count == 0)
        return st;
    size_t columns = sheet->column_count;
    dip_str_add(out, "% ");
    dip_escape_latex(out, dip_str_text(&sheet->heading));
    dip_str_add(out, "\n\\begin{tabular}{");
    for (size_t c = 0; c < columns; c++)
        dip_str_add(out, sheet->columns[c].align == DIP_ALIGN_LEFT ? "l" : "r");
    dip_str_add(out, "}\n\\toprule\n");
    for (size_t c = 0; c < columns; c++) {
        dip_escape_latex(out, sheet->columns[c].title);
        dip_str_add(out, c + 1 < columns ? " & " : " \\\\\n\\midrule\n");
    }
    for (size_t i = 0; i < sheet->cell_count; i++) {
        add_latex_cell(out, sheet->cells[i]);
        dip_str_add(out, (i + 1) % columns != 0 ? " & " : " \\\\\n");
    }
    dip_str_add(out, "\\bottomrule\n\\end{tabular}\n\n");
    return DIP_OK;
}
