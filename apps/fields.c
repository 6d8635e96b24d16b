#include "apps/fields.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "data/interner.h"
#include "data/sampler.h"

#define FILE_NAME "fields.json" /* in messages */

/* ---- gathering ---- */

static dip_status gather_names(json_t *out, const dip_corpus *c, int column,
                               const dip_attribute_settings *a,
                               const int64_t *rows, int64_t count, dip_err *err)
{
    int64_t classes = dip_catalog_column(c->catalog, column)->classes;
    int64_t *seen = dip_calloc((size_t)classes, sizeof *seen);
    json_t *names = json_array();
    dip_status st = seen != NULL && names != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t i = 0; i < count && st == DIP_OK; i++) {
        int32_t label = dip_catalog_label(c->catalog, column, rows[i]);
        if (label >= 0)
            seen[label]++;
    }
    for (int64_t k = 0; k < classes && st == DIP_OK; k++) {
        dip_bytes name = dip_catalog_label_name(c->catalog, column, (int32_t)k);
        if (seen[k] >= a->min_count &&
            json_array_append_new(names, json_stringn(name.data, name.len)))
            st = dip_no_memory(err);
    }
    free(seen);
    if (json_object_set_new(out, "names", names) != 0 && st == DIP_OK)
        st = dip_no_memory(err);
    return st;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The finite numbers of the rows, ascending. */
static dip_status take_numbers(double **out, int64_t *kept, const dip_corpus *c,
                               int column, const int64_t *rows, int64_t count,
                               dip_err *err)
{
    *kept = 0;
    *out = dip_calloc((size_t)count, sizeof **out);
    if (*out == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < count; i++) {
        float x = dip_catalog_number(c->catalog, column, rows[i]);
        if (isfinite(x))
            (*out)[(*kept)++] = (double)x;
    }
    qsort(*out, (size_t)*kept, sizeof **out, by_value);
    return *kept > 0 ? DIP_OK
                     : dip_fail(err, DIP_EDATA,
                                "no training row of '%s' has a number in '%s'",
                                dip_catalog_path(c->catalog),
                                dip_catalog_column(c->catalog, column)->name);
}

/* Mean and population deviation; 1 for numbers that are all the same. */
static int put_moments(json_t *out, const double *x, int64_t n)
{
    double sum = 0, square = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    double mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean);
    double deviation = sqrt(square / (double)n);
    return json_object_set_new(out, "mean", dip_json_real(mean)) |
           json_object_set_new(out, "deviation",
                               dip_json_real(deviation > 0 ? deviation : 1));
}

/* Between the values around the place of the quantile. */
static double quantile(const double *x, int64_t n, double share)
{
    double place = share * (double)(n - 1);
    int64_t low = (int64_t)place;
    int64_t high = low + 1 < n ? low + 1 : low;
    return x[low] + (x[high] - x[low]) * (place - (double)low);
}

static int put_edges(json_t *out, const double *x, int64_t n, int64_t buckets)
{
    json_t *edges = json_array();
    float last = -INFINITY;
    int faults = 0;
    for (int64_t b = 1; b < buckets; b++) {
        float edge = (float)quantile(x, n, (double)b / (double)buckets);
        if (edge > last)
            faults |= json_array_append_new(edges, dip_json_real((double)edge));
        last = edge;
    }
    return faults | json_object_set_new(out, "edges", edges);
}

static dip_status gather_numbers(json_t *out, const dip_corpus *c, int column,
                                 int field, const int64_t *rows, int64_t count,
                                 dip_err *err)
{
    dip_attribute_kind kind = c->settings->model.attributes[field].kind;
    double *x;
    int64_t n;
    dip_status st = take_numbers(&x, &n, c, column, rows, count, err);
    if (st == DIP_OK) {
        int faults = json_object_set_new(
            out, "form", json_string(dip_attribute_kind_name(kind)));
        faults |= json_object_set_new(out, "rows", json_integer(n));
        faults |=
            kind == DIP_ATTRIBUTE_STANDARDISED
                ? put_moments(out, x, n)
                : put_edges(out, x, n, c->settings->attributes[field].buckets);
        st = faults == 0 ? DIP_OK : dip_no_memory(err);
    }
    free(x);
    return st;
}

static bool is_label(const dip_settings *s, int field)
{
    return s->model.attributes[field].kind == DIP_ATTRIBUTE_LABEL;
}

static dip_status gather_field(json_t *all, const dip_corpus *c, int field,
                               const int64_t *rows, int64_t count, dip_err *err)
{
    const dip_settings *s = c->settings;
    const dip_attribute_settings *a = &s->attributes[field];
    json_t *out = json_object();
    int column = c->attribute_columns[field];
    if (json_object_set_new(out, is_label(s, field) ? "label" : "number",
                            json_string(a->column)) != 0 ||
        json_object_set_new(all, s->fields[field], out) != 0)
        return dip_no_memory(err);
    return is_label(s, field)
               ? gather_names(out, c, column, a, rows, count, err)
               : gather_numbers(out, c, column, field, rows, count, err);
}

dip_status dip_fields_gather(json_t **out, const dip_corpus *c, dip_err *err)
{
    const dip_settings *s = c->settings;
    int64_t *rows = NULL, count = 0;
    *out = json_object();
    dip_status st = *out != NULL ? dip_split_rows(&rows, &count, c->catalog,
                                                  DIP_SPLIT_TRAIN, err)
                                 : dip_no_memory(err);
    for (int f = 0; f < s->field_count && st == DIP_OK; f++) {
        if (s->model.attributes[f].kind != DIP_ATTRIBUTE_NONE)
            st = gather_field(*out, c, f, rows, count, err);
    }
    free(rows);
    return st;
}

/* ---- applying ---- */

static dip_status apply_edges(dip_attribute_options *o, const json_t *field,
                              dip_err *err)
{
    json_t *edges;
    dip_status st = dip_json_get_array(&edges, field, "edges", FILE_NAME, err);
    if (st != DIP_OK)
        return st;
    size_t count = json_array_size(edges);
    if (count >= DIP_ATTRIBUTE_BUCKETS_MAX)
        return dip_fail(err, DIP_EFORMAT, "more than %d edges in %s",
                        DIP_ATTRIBUTE_BUCKETS_MAX - 1, FILE_NAME);
    for (size_t i = 0; i < count; i++) {
        const json_t *edge = json_array_get(edges, i);
        if (!json_is_number(edge))
            return dip_fail(err, DIP_EFORMAT, "edge %zu in %s is no number", i,
                            FILE_NAME);
        o->edges[i] = json_number_value(edge);
    }
    o->edge_count = (int)count;
    return DIP_OK;
}

static dip_status apply_names(dip_attribute_options *o, const json_t *field,
                              dip_err *err)
{
    json_t *names, *name;
    size_t i;
    dip_status st = dip_json_get_array(&names, field, "names", FILE_NAME, err);
    if (st != DIP_OK)
        return st;
    json_array_foreach (names, i, name) {
        if (!json_is_string(name))
            return dip_fail(err, DIP_EFORMAT, "name %zu in %s is no string", i,
                            FILE_NAME);
    }
    o->names = (int64_t)json_array_size(names);
    return DIP_OK;
}

static dip_status apply_field(dip_attribute_options *o, const json_t *field,
                              dip_err *err)
{
    if (o->kind == DIP_ATTRIBUTE_LABEL)
        return apply_names(o, field, err);
    if (o->kind == DIP_ATTRIBUTE_BUCKETISED)
        return apply_edges(o, field, err);
    dip_status st =
        dip_json_get_number(&o->mean, field, "mean", FILE_NAME, err);
    if (st == DIP_OK)
        st = dip_json_get_number(&o->deviation, field, "deviation", FILE_NAME,
                                 err);
    return st;
}

dip_status dip_fields_apply(dip_model_config *model, const dip_settings *s,
                            const json_t *fields, dip_err *err)
{
    for (int f = 0; f < s->field_count; f++) {
        json_t *field;
        if (s->model.attributes[f].kind == DIP_ATTRIBUTE_NONE)
            continue;
        dip_status st =
            dip_json_get_object(&field, fields, s->fields[f], FILE_NAME, err);
        if (st == DIP_OK)
            st = apply_field(&model->attributes[f], field, err);
        if (st != DIP_OK)
            return dip_fail_context(err, "field '%s'", s->fields[f]);
    }
    return DIP_OK;
}

/* ---- binding ---- */

/* The id that each class of the catalog's column has in the run, by its name.
 */
static dip_status map_names(int64_t *ids, const dip_catalog *catalog,
                            int column, const json_t *names, dip_err *err)
{
    int64_t known = (int64_t)json_array_size(names), index;
    dip_interner *interner = NULL;
    dip_status st = dip_interner_create(&interner, err);
    for (int64_t i = 0; i < known && st == DIP_OK; i++) {
        const json_t *name = json_array_get(names, (size_t)i);
        st = dip_interner_add(
            &index, interner,
            (dip_bytes){json_string_value(name), json_string_length(name)},
            err);
        if (st == DIP_OK && index != i)
            st = dip_fail(err, DIP_EFORMAT, "name '%s' stands twice in %s",
                          json_string_value(name), FILE_NAME);
    }
    for (int64_t k = 0;
         k < dip_catalog_column(catalog, column)->classes && st == DIP_OK;
         k++) {
        st = dip_interner_add(
            &index, interner,
            dip_catalog_label_name(catalog, column, (int32_t)k), err);
        ids[k] = index < known ? index : known;
    }
    dip_interner_free(interner);
    return st;
}

static dip_status bind_label(dip_corpus *c, int field, const json_t *names,
                             dip_attribute_source *source, dip_err *err)
{
    size_t classes =
        (size_t)dip_catalog_column(c->catalog, source->column)->classes;
    int64_t *ids = dip_calloc(classes, sizeof *ids);
    free(c->attribute_ids[field]);
    c->attribute_ids[field] = ids;
    if (ids == NULL)
        return dip_no_memory(err);
    source->ids = ids;
    source->unknown = (int64_t)json_array_size(names);
    source->unknown_dropout = c->settings->attributes[field].unknown_dropout;
    return map_names(ids, c->catalog, source->column, names, err);
}

dip_status dip_fields_bind(dip_corpus *c, const json_t *fields, dip_err *err)
{
    const dip_settings *s = c->settings;
    dip_status st = DIP_OK;
    c->attribute_count = 0;
    for (int f = 0; f < s->field_count && st == DIP_OK; f++) {
        if (s->model.attributes[f].kind == DIP_ATTRIBUTE_NONE)
            continue;
        dip_attribute_source *source = &c->attributes[c->attribute_count++];
        *source = (dip_attribute_source){.column = c->attribute_columns[f]};
        const json_t *field = json_object_get(fields, s->fields[f]);
        if (is_label(s, f))
            st = bind_label(c, f, json_object_get(field, "names"), source, err);
    }
    return st;
}

/* ---- counting ---- */

static json_t *count_field(const dip_corpus *c,
                           const dip_attribute_source *source,
                           const int64_t *rows, int64_t count)
{
    int64_t missing = 0, unknown = 0;
    for (int64_t i = 0; i < count; i++) {
        if (source->ids == NULL) {
            missing += !isfinite(
                dip_catalog_number(c->catalog, source->column, rows[i]));
            continue;
        }
        int32_t label = dip_catalog_label(c->catalog, source->column, rows[i]);
        missing += label < 0;
        unknown += label >= 0 && source->ids[label] == source->unknown;
    }
    json_t *out = json_pack("{s:I, s:I}", "rows", (json_int_t)count, "missing",
                            (json_int_t)missing);
    if (source->ids != NULL)
        (void)json_object_set_new(out, "unknown",
                                  json_integer((json_int_t)unknown));
    return out;
}

json_t *dip_fields_count(const dip_corpus *c, dip_split split)
{
    const dip_settings *s = c->settings;
    int64_t *rows = NULL, count = 0;
    json_t *out = json_object();
    if (dip_split_rows(&rows, &count, c->catalog, split, NULL) != DIP_OK) {
        json_decref(out);
        return NULL;
    }
    for (int f = 0, a = 0; f < s->field_count; f++) {
        if (s->model.attributes[f].kind != DIP_ATTRIBUTE_NONE)
            (void)json_object_set_new(
                out, s->fields[f],
                count_field(c, &c->attributes[a++], rows, count));
    }
    free(rows);
    return out;
}
