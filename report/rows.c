#include "report/rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define HUGE_NUMBER 1e12 /* from here on, digits would fill the page */

/* Our own paths are short: longer keys lead to nothing. */
static const json_t *follow(const json_t *object, const char *path)
{
    char key[32];
    while (object != NULL) {
        size_t n = strcspn(path, "/");
        (void)snprintf(key, sizeof key, "%.*s", (int)n, path);
        object = json_object_get(object, key);
        if (path[n] == '\0')
            break;
        path += n + 1;
    }
    return object;
}

static int decimals(dip_report_form form)
{
    switch (form) {
    case DIP_REPORT_COUNT:
        return 0;
    case DIP_REPORT_RANK:
        return 1;
    case DIP_REPORT_REAL:
    case DIP_REPORT_SIGNED:
        break;
    }
    return 3;
}

void dip_report_cell(char out[DIP_REPORT_CELL], const json_t *object,
                     const dip_report_column *column)
{
    const json_t *value = follow(object, column->path);
    double number = json_number_value(value);
    if (!json_is_number(value))
        (void)snprintf(out, DIP_REPORT_CELL, "–");
    else if (json_is_integer(value) && column->form == DIP_REPORT_COUNT)
        (void)snprintf(out, DIP_REPORT_CELL, "%lld",
                       (long long)json_integer_value(value));
    else if (fabs(number) >= HUGE_NUMBER)
        (void)snprintf(out, DIP_REPORT_CELL, "%.3g", number);
    else if (column->form == DIP_REPORT_SIGNED)
        (void)snprintf(out, DIP_REPORT_CELL, "%+.3f", number);
    else
        (void)snprintf(out, DIP_REPORT_CELL, "%.*f", decimals(column->form),
                       number);
}

size_t dip_report_columns(const dip_report_column **out,
                          const dip_report_column *all, size_t n,
                          const dip_report_rows *rows)
{
    size_t count = 0;
    for (size_t c = 0; c < n; c++) {
        size_t row = 0;
        while (row < rows->count &&
               follow(rows->items[row].values, all[c].path) == NULL)
            row++;
        if (row < rows->count)
            out[count++] = &all[c];
    }
    return count;
}

dip_status dip_report_members(dip_report_rows *out, const json_t *object,
                              dip_err *err)
{
    const char *key;
    json_t *value;
    *out = (dip_report_rows){0};
    out->items = dip_calloc(json_object_size(object), sizeof *out->items);
    if (out->items == NULL)
        return dip_no_memory(err);
    json_object_foreach ((json_t *)object, key, value) {
        if (json_is_object(value))
            out->items[out->count++] = (dip_report_row){key, value};
    }
    return DIP_OK;
}

/* ---- classes ------------------------------------------------------------- */

int64_t dip_report_support(const dip_report_row *row)
{
    return json_integer_value(json_object_get(row->values, "support"));
}

static int by_name(const dip_report_row *a, const dip_report_row *b)
{
    return strcmp(a->name, b->name);
}

int dip_report_by_support(const void *a, const void *b)
{
    const dip_report_row *x = a, *y = b;
    int64_t p = dip_report_support(x), q = dip_report_support(y);
    return p != q ? (p < q) - (p > q) : by_name(x, y);
}

int dip_report_by_f1(const void *a, const void *b)
{
    const dip_report_row *x = a, *y = b;
    double p = json_number_value(json_object_get(x->values, "f1"));
    double q = json_number_value(json_object_get(y->values, "f1"));
    return p < q ? -1 : p > q ? 1 : by_name(x, y);
}

dip_status dip_report_items(dip_report_rows *out, const json_t *array,
                            const char *key, int64_t least, dip_err *err)
{
    *out = (dip_report_rows){0};
    out->items = dip_calloc(json_array_size(array), sizeof *out->items);
    if (out->items == NULL)
        return dip_no_memory(err);
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        const char *name = json_string_value(json_object_get(item, "name"));
        if (json_integer_value(json_object_get(item, key)) >= least)
            out->items[out->count++] =
                (dip_report_row){name != NULL ? name : "–", item};
    }
    return DIP_OK;
}

dip_status dip_report_classes(dip_report_rows *out, const json_t *label,
                              int64_t support, dip_report_order order,
                              dip_err *err)
{
    dip_status st = dip_report_items(out, json_object_get(label, "per_class"),
                                     "support", support, err);
    if (st == DIP_OK)
        qsort(out->items, out->count, sizeof *out->items, order);
    return st;
}
