#include "data/row_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/template.h"

#define COLUMN_ID   (-1)
#define MAX_VALUES  32 /* in one template */
#define NUMBER_SIZE 48

struct dip_row_text {
    const dip_catalog *catalog;
    dip_template *format;
    int *columns; /* [count] of the catalog, or COLUMN_ID */
    int count;
};

/* The kinds that have a text, in the order in which names are looked up. */
static const dip_column_kind kinds[] = {DIP_COLUMN_TEXT, DIP_COLUMN_LABEL,
                                        DIP_COLUMN_NUMBER};

/* The names that a template may use; column[i] is that of name[i]. */
struct names {
    const char **name;
    int *column;
    int count;
};

static void names_free(struct names *names)
{
    free(names->name);
    free(names->column);
}

/* A name that two kinds have is the first's. */
static void names_add(struct names *names, const char *name, int column)
{
    for (int i = 0; i < names->count; i++) {
        if (strcmp(names->name[i], name) == 0)
            return;
    }
    names->name[names->count] = name;
    names->column[names->count++] = column;
}

static dip_status names_collect(struct names *names, const dip_catalog *catalog,
                                dip_err *err)
{
    size_t room = (size_t)dip_catalog_column_count(catalog) + 1;
    names->name = dip_calloc(room, sizeof *names->name);
    names->column = dip_calloc(room, sizeof *names->column);
    if (names->name == NULL || names->column == NULL)
        return dip_no_memory(err);
    for (size_t k = 0; k < DIP_ARRAY_LEN(kinds); k++) {
        for (int c = 0; c < dip_catalog_column_count(catalog); c++) {
            const dip_column *column = dip_catalog_column(catalog, c);
            if (column->kind == kinds[k])
                names_add(names, column->name, c);
        }
    }
    names_add(names, "id", COLUMN_ID);
    return DIP_OK;
}

static dip_status bind(dip_row_text *text, const char *source,
                       const struct names *names, dip_err *err)
{
    dip_str braced = {0};
    bool is_name = strpbrk(source, "{}") == NULL;
    dip_str_addf(&braced, is_name ? "{%s}" : "%s", source);
    dip_status st = dip_str_status(&braced, err);
    if (st == DIP_OK)
        st = dip_template_parse(&text->format, braced.data, names->name,
                                names->count, err);
    dip_str_free(&braced);
    if (st != DIP_OK)
        return st;
    text->count = dip_template_column_count(text->format);
    if (text->count > MAX_VALUES)
        return dip_fail(err, DIP_ERANGE, "more than %d values in '%s'",
                        MAX_VALUES, source);
    text->columns = dip_calloc((size_t)text->count, sizeof *text->columns);
    if (text->columns == NULL)
        return dip_no_memory(err);
    for (int i = 0; i < text->count; i++)
        text->columns[i] = names->column[dip_template_column(text->format, i)];
    return DIP_OK;
}

dip_status dip_row_text_compile(dip_row_text **out, const char *source,
                                const dip_catalog *catalog, dip_err *err)
{
    *out = NULL;
    struct names names = {0};
    dip_row_text *text = dip_calloc(1, sizeof *text);
    if (text == NULL)
        return dip_no_memory(err);
    text->catalog = catalog;
    dip_status st = names_collect(&names, catalog, err);
    if (st == DIP_OK)
        st = bind(text, source, &names, err);
    if (st == DIP_OK) {
        *out = text;
        text = NULL; /* now the caller's */
    }
    names_free(&names);
    dip_row_text_free(text);
    return st;
}

void dip_row_text_free(dip_row_text *text)
{
    if (text == NULL)
        return;
    dip_template_free(text->format);
    free(text->columns);
    free(text);
}

/* The shortest of up to 9 digits that reads back as the same float. */
static dip_bytes format_number(float number, char buffer[NUMBER_SIZE])
{
    if (isnan(number))
        return (dip_bytes){"", 0};
    int n = 0;
    if (fabsf(number) < 1e9f && number == rintf(number))
        n = snprintf(buffer, NUMBER_SIZE, "%.0f", (double)number);
    for (int digits = 1; n == 0; digits++) {
        int len = snprintf(buffer, NUMBER_SIZE, "%.*g", digits, (double)number);
        if (digits == 9 || strtof(buffer, NULL) == number)
            n = len;
    }
    return (dip_bytes){buffer, (size_t)n};
}

/* Borrowed from the catalog, or written to `buffer`. */
static dip_bytes value_of(const dip_row_text *text, int i, int64_t row,
                          char buffer[NUMBER_SIZE])
{
    const dip_catalog *catalog = text->catalog;
    int column = text->columns[i];
    if (column == COLUMN_ID)
        return dip_catalog_id(catalog, row);
    dip_column_kind kind = dip_catalog_column(catalog, column)->kind;
    if (kind == DIP_COLUMN_TEXT)
        return dip_catalog_text(catalog, column, row);
    if (kind == DIP_COLUMN_LABEL) {
        int32_t value = dip_catalog_label(catalog, column, row);
        return value < 0 ? (dip_bytes){"", 0}
                         : dip_catalog_label_name(catalog, column, value);
    }
    return format_number(dip_catalog_number(catalog, column, row), buffer);
}

/* In place: runs of blanks become one, those at the ends go. */
static void collapse_blanks(dip_str *text)
{
    size_t kept = 0;
    for (size_t i = 0; i < text->len; i++) {
        bool blank = text->data[i] == ' ';
        if (blank && (kept == 0 || text->data[kept - 1] == ' '))
            continue;
        text->data[kept++] = text->data[i];
    }
    if (kept > 0 && text->data[kept - 1] == ' ')
        kept--;
    if (text->data != NULL)
        text->data[kept] = '\0';
    text->len = kept;
}

void dip_row_text_render(dip_str *out, const dip_row_text *text, int64_t row)
{
    char numbers[MAX_VALUES][NUMBER_SIZE];
    dip_bytes values[MAX_VALUES];
    for (int i = 0; i < text->count; i++)
        values[i] = value_of(text, i, row, numbers[i]);
    dip_str_clear(out);
    dip_template_render(out, text->format, values);
    collapse_blanks(out);
}
