/* The file of dip_outcome_set:
 *
 *   /                    attrs: format = "diptych-queries", version
 *   /<task>/row, group, relevant      int64 [N]
 *   /<task>/rank                      float64 [N], infinity: nothing found
 *   /<task>/id, text/{bytes,offsets}  as texts stand in a catalog
 *   /<task>/value/<metric>            float64 [N]
 *   /<task>/top/row, score, right     int64, float32, uint8 [N * top] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/catalog_links.h"
#include "data/h5.h"
#include "eval/outcomes.h"

#define FORMAT  "diptych-queries"
#define VERSION 1

/* A place in the file: "text_to_image/value/mrr". */
typedef struct {
    char text[DIP_H5_NAME_SIZE];
} place;

/* What is too long ends as a name that no file has. */
static place at(const char *task, const char *part, const char *name)
{
    place p;
    int n = snprintf(p.text, sizeof p.text, "%s/%s%s", task, part, name);
    if (n < 0 || (size_t)n >= sizeof p.text)
        p.text[0] = '\0';
    return p;
}

/* The columns of numbers but for the metrics. */
typedef struct {
    const char *name;
    dip_h5_type type;
    int64_t items;
    void *values; /* [items] */
} number_column;

enum { COLUMNS = 7 };

static void number_columns(number_column out[COLUMNS], const dip_outcomes *o)
{
    int64_t n = o->count, hits = n * o->top;
    const number_column columns[COLUMNS] = {
        {"row", DIP_H5_I64, n, o->row},
        {"group", DIP_H5_I64, n, o->group},
        {"relevant", DIP_H5_I64, n, o->relevant},
        {"rank", DIP_H5_F64, n, o->rank},
        {"top/row", DIP_H5_I64, hits, o->top_row},
        {"top/score", DIP_H5_F32, hits, o->top_score},
        {"top/right", DIP_H5_U8, hits, o->top_right},
    };
    memcpy(out, columns, sizeof columns);
}

/* ---- writing ------------------------------------------------------------- */

static dip_status write_texts(const dip_h5_file *file, const char *task,
                              const char *name, const dip_text_column *column,
                              int64_t count, dip_err *err)
{
    dip_status st = dip_h5_make_group(file, at(task, name, "").text, err);
    if (st == DIP_OK)
        st = dip_h5_write_packed(file, at(task, name, "/bytes").text, DIP_H5_U8,
                                 column->offsets[count], column->bytes, err);
    if (st == DIP_OK)
        st = dip_h5_write_packed(file, at(task, name, "/offsets").text,
                                 DIP_H5_I64, count + 1, column->offsets, err);
    return st;
}

static dip_status write_task(const dip_h5_file *file, const dip_outcomes *o,
                             dip_err *err)
{
    number_column columns[COLUMNS];
    dip_status st = dip_h5_make_group(file, o->task, err);
    if (st == DIP_OK)
        st = dip_h5_make_group(file, at(o->task, "top", "").text, err);
    number_columns(columns, o);
    for (int c = 0; c < COLUMNS && st == DIP_OK; c++)
        st = dip_h5_write_packed(file, at(o->task, columns[c].name, "").text,
                                 columns[c].type, columns[c].items,
                                 columns[c].values, err);
    if (st == DIP_OK)
        st = write_texts(file, o->task, "id", &o->ids, o->count, err);
    if (st == DIP_OK)
        st = write_texts(file, o->task, "text", &o->texts, o->count, err);
    if (st == DIP_OK)
        st = dip_h5_make_group(file, at(o->task, "value", "").text, err);
    for (int m = 0; m < o->metrics && st == DIP_OK; m++)
        st = dip_h5_write_packed(file, at(o->task, "value/", o->names[m]).text,
                                 DIP_H5_F64, o->count, o->values + m * o->count,
                                 err);
    return st;
}

static dip_status write_file(const char *path, const dip_outcome_set *set,
                             dip_err *err)
{
    dip_h5_file file = DIP_H5_NO_FILE;
    dip_status st = dip_h5_create_over(&file, path, err);
    if (st == DIP_OK)
        st = dip_h5_put_text(&file, "format", FORMAT, err);
    if (st == DIP_OK)
        st = dip_h5_put_int(&file, "version", VERSION, err);
    for (int i = 0; i < set->count && st == DIP_OK; i++)
        st = write_task(&file, &set->items[i], err);
    if (st == DIP_OK)
        st = dip_h5_finish(&file, err);
    dip_h5_close(&file);
    return st;
}

dip_status dip_outcome_set_write(const char *path, const dip_outcome_set *set,
                                 dip_err *err)
{
    dip_file_writer *writer;
    dip_status st = dip_file_writer_open(&writer, path, err);
    if (st == DIP_OK)
        st = write_file(dip_file_writer_path(writer), set, err);
    if (st == DIP_OK)
        st = dip_file_writer_commit(writer, err);
    dip_file_writer_close(writer);
    return st;
}

/* ---- reading ------------------------------------------------------------- */

/* The number of items of a dataset [items]. */
static dip_status read_extent(int64_t *items, const dip_h5_file *file,
                              const char *name, dip_h5_type type, dip_err *err)
{
    dip_h5_dataset d;
    dip_status st = dip_h5_dataset_open(&d, file, name, err);
    if (st == DIP_OK)
        st = dip_h5_expect(&d, type, 1, err);
    *items = st == DIP_OK ? d.dims[0] : 0;
    dip_h5_dataset_close(&d);
    return st;
}

/* Exactly `items` into memory that is there. */
static dip_status read_numbers(const dip_h5_file *file, const char *name,
                               dip_h5_type type, int64_t items, void *values,
                               dip_err *err)
{
    dip_h5_dataset d;
    dip_status st = dip_h5_dataset_open(&d, file, name, err);
    if (st == DIP_OK)
        st = dip_h5_expect_rows(&d, type, 1, items, err);
    if (st == DIP_OK && items > 0)
        st = dip_h5_read(&d, type, values, err);
    dip_h5_dataset_close(&d);
    return st;
}

/* Replaces the offsets that were made for writing. */
static dip_status read_texts(dip_text_column *column, const dip_h5_file *file,
                             const char *task, const char *name, int64_t count,
                             dip_err *err)
{
    free(column->offsets);
    return dip_load_texts(&column->bytes, &column->offsets, &count, file,
                          at(task, name, "").text, err);
}

static dip_status read_values(dip_outcomes *o, char *const *names,
                              const dip_h5_file *file, dip_err *err)
{
    dip_status st = DIP_OK;
    for (int m = 0; m < o->metrics && st == DIP_OK; m++) {
        int n = snprintf(o->names[m], sizeof o->names[m], "%s", names[m]);
        if (n < 0 || (size_t)n >= sizeof o->names[m])
            return dip_fail(err, DIP_EFORMAT,
                            "too long a name of a metric in '%s' of '%s'",
                            o->task, file->path);
        st = read_numbers(file, at(o->task, "value/", names[m]).text,
                          DIP_H5_F64, o->count, o->values + m * o->count, err);
    }
    return st;
}

static dip_status bad_query(const dip_outcomes *o, int64_t i, const char *what,
                            const dip_h5_file *file, dip_err *err)
{
    return dip_fail(err, DIP_EFORMAT, "%s of query %lld of '%s' in '%s'", what,
                    (long long)i, o->task, file->path);
}

static dip_status check_numbers(const dip_outcomes *o, const dip_h5_file *file,
                                dip_err *err)
{
    for (int64_t i = 0; i < o->count; i++) {
        if (!(o->rank[i] >= 1))
            return bad_query(o, i, "no rank", file, err);
        if (o->row[i] < 0 || o->relevant[i] < 0)
            return bad_query(o, i, "a number below 0", file, err);
    }
    for (int64_t i = 0; i < o->count * o->metrics; i++) {
        if (!isfinite(o->values[i]))
            return bad_query(o, i % o->count, "no value of a metric", file,
                             err);
    }
    for (int64_t i = 0; i < o->count * o->top; i++) {
        if (o->top_row[i] < -1 || o->top_right[i] > 1)
            return bad_query(o, i / o->top, "a wrong row of the ranking", file,
                             err);
    }
    return DIP_OK;
}

static dip_status read_task(dip_outcomes *o, const dip_h5_file *file,
                            const char *task, dip_err *err)
{
    int64_t count, hits = 0;
    int metrics = 0;
    char **names = NULL;
    number_column columns[COLUMNS];
    dip_status st =
        read_extent(&count, file, at(task, "row", "").text, DIP_H5_I64, err);
    if (st == DIP_OK)
        st = read_extent(&hits, file, at(task, "top/row", "").text, DIP_H5_I64,
                         err);
    if (st == DIP_OK && (count == 0 ? hits != 0 : hits % count != 0))
        st = dip_fail(err, DIP_EFORMAT,
                      "%lld rows of rankings for %lld queries in '%s' of '%s'",
                      (long long)hits, (long long)count, task, file->path);
    if (st == DIP_OK)
        st = dip_h5_list(&names, &metrics, file, at(task, "value", "").text,
                         err);
    if (st == DIP_OK)
        st = dip_outcomes_alloc(o, task, count, metrics,
                                count > 0 ? hits / count : 0, err);
    if (st == DIP_OK)
        number_columns(columns, o);
    for (int c = 0; c < COLUMNS && st == DIP_OK; c++)
        st = read_numbers(file, at(task, columns[c].name, "").text,
                          columns[c].type, columns[c].items, columns[c].values,
                          err);
    if (st == DIP_OK)
        st = read_texts(&o->ids, file, task, "id", count, err);
    if (st == DIP_OK)
        st = read_texts(&o->texts, file, task, "text", count, err);
    if (st == DIP_OK)
        st = read_values(o, names, file, err);
    dip_h5_list_free(names, metrics);
    return st == DIP_OK ? check_numbers(o, file, err) : st;
}

static dip_status check_format(const dip_h5_file *file, dip_err *err)
{
    char *format;
    int64_t version = 0;
    dip_status st = dip_h5_get_text(&format, file, "format", err);
    if (st == DIP_OK && strcmp(format, FORMAT) != 0)
        st = dip_fail(err, DIP_EFORMAT, "'%s' holds '%s', not " FORMAT,
                      file->path, format);
    if (st == DIP_OK)
        st = dip_h5_get_int(&version, file, "version", err);
    if (st == DIP_OK && version != VERSION)
        st = dip_fail(err, DIP_EFORMAT, "'%s' is of version %lld, not %d",
                      file->path, (long long)version, VERSION);
    free(format);
    return st;
}

dip_status dip_outcome_set_read(dip_outcome_set *out, const char *path,
                                dip_err *err)
{
    dip_h5_file file = DIP_H5_NO_FILE;
    char **tasks = NULL;
    int count = 0;
    *out = (dip_outcome_set){0};
    dip_status st = dip_h5_open(&file, path, err);
    if (st == DIP_OK)
        st = check_format(&file, err);
    if (st == DIP_OK)
        st = dip_h5_list(&tasks, &count, &file, "/", err);
    if (st == DIP_OK) {
        out->items = dip_calloc((size_t)count, sizeof *out->items);
        st = out->items != NULL ? DIP_OK : dip_no_memory(err);
    }
    for (int i = 0; i < count && st == DIP_OK; i++) {
        out->count++;
        st = read_task(&out->items[i], &file, tasks[i], err);
    }
    dip_h5_list_free(tasks, count);
    dip_h5_close(&file);
    if (st != DIP_OK)
        dip_outcome_set_free(out);
    return st;
}
