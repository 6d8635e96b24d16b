#include "data/class_counts.h"

#include <stdlib.h>

#include "base/mem.h"

static int compare(const void *a, const void *b)
{
    const dip_class_count *x = a, *y = b;
    if (x->rows != y->rows)
        return x->rows > y->rows ? -1 : 1;
    return (x->value > y->value) - (x->value < y->value);
}

dip_status dip_class_counts_make(dip_class_counts *out,
                                 const dip_catalog *catalog, int column,
                                 dip_err *err)
{
    *out = (dip_class_counts){.count =
                                  dip_catalog_column(catalog, column)->classes};
    out->items = dip_calloc((size_t)out->count, sizeof *out->items);
    if (out->items == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < out->count; i++)
        out->items[i].value = (int32_t)i;
    for (int64_t i = 0; i < dip_catalog_rows(catalog); i++) {
        int32_t value = dip_catalog_label(catalog, column, i);
        if (value < 0) {
            out->missing++;
            continue;
        }
        out->items[value].rows++;
        out->items[value].split_rows[dip_catalog_split(catalog, i)]++;
    }
    qsort(out->items, (size_t)out->count, sizeof *out->items, compare);
    return DIP_OK;
}

void dip_class_counts_free(dip_class_counts *counts)
{
    free(counts->items);
    *counts = (dip_class_counts){0};
}

dip_status dip_class_weights_balanced(float **out, const dip_catalog *catalog,
                                      int column, dip_split split, dip_err *err)
{
    *out = NULL;
    dip_class_counts counts;
    dip_status st = dip_class_counts_make(&counts, catalog, column, err);
    if (st != DIP_OK)
        return st;
    float *weights = dip_calloc((size_t)counts.count, sizeof *weights);
    int64_t rows = 0, present = 0;
    for (int64_t i = 0; i < counts.count; i++) {
        rows += counts.items[i].split_rows[split];
        present += counts.items[i].split_rows[split] > 0;
    }
    for (int64_t i = 0; weights != NULL && i < counts.count; i++) {
        int64_t n = counts.items[i].split_rows[split];
        if (n > 0)
            weights[counts.items[i].value] =
                (float)((double)rows / ((double)present * (double)n));
    }
    dip_class_counts_free(&counts);
    *out = weights;
    return weights != NULL ? DIP_OK : dip_no_memory(err);
}

json_t *dip_class_counts_json(const dip_class_counts *counts,
                              const dip_catalog *catalog, int column,
                              int64_t most)
{
    json_t *list = json_array();
    for (int64_t i = 0; i < counts->count && i < most; i++) {
        const dip_class_count *c = &counts->items[i];
        dip_bytes name = dip_catalog_label_name(catalog, column, c->value);
        json_t *item = json_pack("{s:s%, s:I}", "name", name.data, name.len,
                                 "rows", (json_int_t)c->rows);
        for (int s = 0; s < DIP_SPLIT_COUNT; s++)
            (void)json_object_set_new(item, dip_split_name((dip_split)s),
                                      json_integer(c->split_rows[s]));
        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return json_pack("{s:s, s:I, s:I, s:o}", "name",
                     dip_catalog_column(catalog, column)->name, "classes",
                     (json_int_t)counts->count, "missing",
                     (json_int_t)counts->missing, "counts", list);
}
