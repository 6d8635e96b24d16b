#include "base/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

#define GAP            2 /* blanks between columns */
#define SMALLEST_WIDTH 8 /* of a shortened column */

struct dip_table {
    dip_table_column *columns; /* titles are copies */
    size_t column_count;
    char **cells; /* row by row */
    size_t cell_count;
    size_t capacity;
    bool failed;
};

dip_status dip_table_new(dip_table **out, const dip_table_column *columns,
                         size_t count, dip_err *err)
{
    *out = NULL;
    dip_table *table = dip_calloc(1, sizeof *table);
    if (table == NULL)
        return dip_no_memory(err);
    table->columns = dip_calloc(count, sizeof *table->columns);
    if (table->columns == NULL) {
        dip_table_free(table);
        return dip_no_memory(err);
    }
    for (; table->column_count < count; table->column_count++) {
        size_t i = table->column_count;
        table->columns[i].align = columns[i].align;
        table->columns[i].title = dip_strdup(columns[i].title);
        if (table->columns[i].title == NULL) {
            dip_table_free(table);
            return dip_no_memory(err);
        }
    }
    *out = table;
    return DIP_OK;
}

void dip_table_free(dip_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->column_count; i++)
        free((char *)table->columns[i].title); /* our copy */
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i]);
    free(table->columns);
    free(table->cells);
    free(table);
}

void dip_table_cell(dip_table *table, const char *text)
{
    char *copy = dip_strdup(text);
    if (copy == NULL ||
        dip_reserve(&table->cells, &table->capacity, table->cell_count + 1,
                    sizeof *table->cells, NULL) != DIP_OK) {
        free(copy);
        table->failed = true;
        return;
    }
    table->cells[table->cell_count++] = copy;
}

void dip_table_cellf(dip_table *table, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n < 0) {
        table->failed = true;
        return;
    }
    dip_table_cell(table, text);
    free(text);
}

/* ---- rendering ---- */

static void measure(size_t *widths, const dip_table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const char *title = table->columns[i].title;
        widths[i] = dip_utf8_width(title, strlen(title));
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        const char *cell = table->cells[i];
        size_t width = dip_utf8_width(cell, strlen(cell));
        size_t *widest = &widths[i % table->column_count];
        *widest = width > *widest ? width : *widest;
    }
}

/* The widest column that may be shortened, or NULL. */
static size_t *widest_text(size_t *widths, const dip_table *table)
{
    size_t *widest = NULL;
    for (size_t i = 0; i < table->column_count; i++) {
        if (table->columns[i].align == DIP_ALIGN_LEFT &&
            widths[i] > SMALLEST_WIDTH &&
            (widest == NULL || widths[i] > *widest))
            widest = &widths[i];
    }
    return widest;
}

/* Takes columns from the widest text until a line fits; this evens out several
 * wide columns. */
static void shrink(size_t *widths, const dip_table *table, size_t limit)
{
    size_t total = (table->column_count - 1) * GAP;
    for (size_t i = 0; i < table->column_count; i++)
        total += widths[i];
    size_t *widest = widest_text(widths, table);
    while (total > limit && widest != NULL) {
        --*widest;
        --total;
        widest = widest_text(widths, table);
    }
}

static void add_blanks(dip_str *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        dip_str_add(out, " ");
}

static void add_cell(dip_str *line, const char *text, size_t width,
                     dip_align align)
{
    dip_str fitted = {0};
    size_t used = dip_utf8_fit(&fitted, text, strlen(text), width);
    if (align == DIP_ALIGN_RIGHT)
        add_blanks(line, width - used);
    dip_str_add(line, dip_str_text(&fitted));
    if (align == DIP_ALIGN_LEFT)
        add_blanks(line, width - used);
    line->failed |= fitted.failed;
    dip_str_free(&fitted);
}

/* Ends a line without the blanks that stand before its end. */
static void end_line(dip_str *out)
{
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->len--;
    dip_str_add(out, "\n");
}

static void add_titles(dip_str *out, const dip_table *table,
                       const size_t *widths)
{
    for (size_t i = 0; i < table->column_count; i++) {
        add_blanks(out, i > 0 ? GAP : 0);
        add_cell(out, table->columns[i].title, widths[i],
                 table->columns[i].align);
    }
    end_line(out);
    for (size_t i = 0; i < table->column_count; i++) {
        add_blanks(out, i > 0 ? GAP : 0);
        for (size_t j = 0; j < widths[i]; j++)
            dip_str_add(out, "-");
    }
    end_line(out);
}

dip_status dip_table_render(dip_str *out, const dip_table *table, int width,
                            dip_err *err)
{
    if (table->failed)
        return dip_no_memory(err);
    size_t *widths = dip_calloc(table->column_count, sizeof *widths);
    if (widths == NULL)
        return dip_no_memory(err);
    measure(widths, table);
    if (width > 0)
        shrink(widths, table, (size_t)width);
    add_titles(out, table, widths);
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t column = i % table->column_count;
        add_blanks(out, column > 0 ? GAP : 0);
        add_cell(out, table->cells[i], widths[column],
                 table->columns[column].align);
        if (column + 1 == table->column_count || i + 1 == table->cell_count)
            end_line(out);
    }
    free(widths);
    return dip_str_status(out, err);
}
