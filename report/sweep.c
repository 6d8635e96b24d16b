/* Results of a sweep as tables. */
#include "report/sweep.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"
#include "base/utf8.h"
#include "report/escape.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static long long count_of(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

static const json_t *list_of(const json_t *object, const char *key,
                             size_t *count)
{
    const json_t *list = json_object_get(object, key);
    *count = json_array_size(list);
    return list;
}

void dip_report_sweep_value(dip_str *out, const json_t *value)
{
    if (json_is_string(value))
        dip_str_add(out, json_string_value(value));
    else if (json_is_integer(value))
        dip_str_addf(out, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        dip_str_addf(out, "%.6g", json_real_value(value));
    else
        dip_str_add(out, "–");
}

/* ---- terminal ------------------------------------------------------------ */

/* Numbers stand to the right, and are never cut. */
static dip_align align_of(const json_t *results, const char *parameter)
{
    size_t count;
    const json_t *trials = list_of(results, "trials", &count);
    for (size_t i = 0; i < count; i++) {
        const json_t *values =
            json_object_get(json_array_get(trials, i), "parameters");
        if (!json_is_number(json_object_get(values, parameter)))
            return DIP_ALIGN_LEFT;
    }
    return DIP_ALIGN_RIGHT;
}

/* What stands in a table beside the number of the trial. */
typedef struct {
    bool parameters, figures;
    bool brief; /* "mrr", not "text_to_image.mrr" */
} columns;

static const char *metric_title(const json_t *results, bool brief)
{
    const char *name = text_of(results, "metric");
    const char *dot = brief ? strrchr(name, '.') : NULL;
    return dot != NULL ? dot + 1 : name;
}

static dip_status make_table(dip_table **out, const json_t *results,
                             columns which, dip_err *err)
{
    size_t parameters, n = 0;
    const json_t *list = list_of(results, "parameters", &parameters);
    const dip_table_column figures[] = {
        {metric_title(results, which.brief), DIP_ALIGN_RIGHT},
        {"epochs", DIP_ALIGN_RIGHT},
        {"rung", DIP_ALIGN_RIGHT},
        {"seconds", DIP_ALIGN_RIGHT},
        {"status", DIP_ALIGN_LEFT}};
    dip_table_column *all =
        dip_calloc(parameters + 1 + DIP_ARRAY_LEN(figures), sizeof *all);
    *out = NULL;
    if (all == NULL)
        return dip_no_memory(err);
    all[n++] = (dip_table_column){"trial", DIP_ALIGN_RIGHT};
    for (size_t p = 0; p < parameters && which.parameters; p++) {
        const char *name = text_of(json_array_get(list, p), "name");
        all[n++] = (dip_table_column){name, align_of(results, name)};
    }
    for (size_t i = 0; i < DIP_ARRAY_LEN(figures) && which.figures; i++)
        all[n++] = figures[i];
    dip_status st = dip_table_new(out, all, n, err);
    free(all);
    return st;
}

static void add_parameters(dip_table *table, const json_t *results,
                           const json_t *trial, dip_str *room)
{
    size_t parameters;
    const json_t *list = list_of(results, "parameters", &parameters);
    const json_t *values = json_object_get(trial, "parameters");
    for (size_t p = 0; p < parameters; p++) {
        const char *name = text_of(json_array_get(list, p), "name");
        dip_str_clear(room);
        dip_report_sweep_value(room, json_object_get(values, name));
        dip_table_cell(table, dip_str_text(room));
    }
}

static void add_figures(dip_table *table, const json_t *trial)
{
    double value = number_of(trial, "value");
    if (isnan(value))
        dip_table_cell(table, "–");
    else
        dip_table_cellf(table, "%.4f", value);
    dip_table_cellf(table, "%lld", count_of(trial, "epochs"));
    dip_table_cellf(table, "%lld", count_of(trial, "rung") + 1);
    dip_table_cellf(table, "%.1f", number_of(trial, "seconds"));
    dip_table_cell(table, text_of(trial, "status"));
}

static dip_status add_table(dip_str *out, const json_t *results, columns which,
                            int width, dip_err *err)
{
    size_t count;
    const json_t *trials = list_of(results, "trials", &count);
    dip_table *table;
    dip_str room = {0};
    dip_status st = make_table(&table, results, which, err);
    for (size_t i = 0; i < count && st == DIP_OK; i++) {
        const json_t *trial = json_array_get(trials, i);
        dip_table_cellf(table, "%lld", count_of(trial, "trial"));
        if (which.parameters)
            add_parameters(table, results, trial, &room);
        if (which.figures)
            add_figures(table, trial);
    }
    if (st == DIP_OK)
        st = dip_str_status(&room, err);
    if (st == DIP_OK)
        st = dip_table_render(out, table, width, err);
    if (st == DIP_OK)
        dip_str_add(out, "\n");
    dip_str_free(&room);
    dip_table_free(table);
    return st;
}

static bool fits(const dip_str *table, int width)
{
    const char *line = dip_str_text(table);
    return width <= 0 ||
           dip_utf8_width(line, strcspn(line, "\n")) <= (size_t)width;
}

/* The first of these that fits: one table, the same under a short name of the
 * metric, a table of parameters and one of figures. */
static dip_status add_tables(dip_str *out, const json_t *results, int width,
                             dip_err *err)
{
    static const columns ways[] = {{true, true, false}, {true, true, true}};
    dip_status st = DIP_OK;
    for (size_t i = 0; i < DIP_ARRAY_LEN(ways) && st == DIP_OK; i++) {
        dip_str whole = {0};
        st = add_table(&whole, results, ways[i], width, err);
        bool done = st == DIP_OK && fits(&whole, width);
        if (done)
            dip_str_add(out, dip_str_text(&whole));
        dip_str_free(&whole);
        if (done)
            return DIP_OK;
    }
    if (st == DIP_OK)
        st = add_table(out, results, (columns){.parameters = true}, width, err);
    if (st == DIP_OK)
        st = add_table(out, results, (columns){.figures = true}, width, err);
    return st;
}

static void add_failures(dip_str *out, const json_t *results)
{
    size_t count;
    const json_t *trials = list_of(results, "trials", &count);
    for (size_t i = 0; i < count; i++) {
        const json_t *trial = json_array_get(trials, i);
        if (strcmp(text_of(trial, "status"), "failed") == 0)
            dip_str_addf(out, "trial %lld failed: %s\n",
                         count_of(trial, "trial"), text_of(trial, "message"));
    }
}

static void add_best(dip_str *out, const json_t *results)
{
    const json_t *best = json_object_get(results, "best");
    if (!json_is_object(best))
        dip_str_add(out, "no trial has come through\n");
    else
        dip_str_addf(out, "best: trial %lld, %s %.4f: %s/%s\n",
                     count_of(best, "trial"), text_of(results, "metric"),
                     number_of(best, "value"), text_of(results, "dir"),
                     text_of(best, "run"));
}

dip_status dip_report_sweep_text(dip_str *out, const json_t *results, int width,
                                 dip_err *err)
{
    dip_status st = add_tables(out, results, width, err);
    if (st != DIP_OK)
        return st;
    add_failures(out, results);
    add_best(out, results);
    return dip_str_status(out, err);
}

/* ---- CSV ----------------------------------------------------------------- */

static void add_field(dip_str *out, const char *text)
{
    dip_str_add(out, ",");
    dip_escape_csv(out, text);
}

static void add_number(dip_str *out, double value)
{
    if (isnan(value))
        dip_str_add(out, ",");
    else
        dip_str_addf(out, ",%.9g", value);
}

static void add_line(dip_str *out, const json_t *results, const json_t *trial)
{
    size_t parameters;
    const json_t *list = list_of(results, "parameters", &parameters);
    const json_t *values = json_object_get(trial, "parameters");
    dip_str_addf(out, "%lld", count_of(trial, "trial"));
    for (size_t p = 0; p < parameters; p++) {
        const char *name = text_of(json_array_get(list, p), "name");
        dip_str text = {0};
        dip_report_sweep_value(&text, json_object_get(values, name));
        add_field(out, dip_str_text(&text));
        out->failed |= text.failed;
        dip_str_free(&text);
    }
    add_number(out, number_of(trial, "value"));
    dip_str_addf(out, ",%lld,%lld", count_of(trial, "epochs"),
                 count_of(trial, "rung") + 1);
    add_number(out, number_of(trial, "seconds"));
    add_field(out, text_of(trial, "status"));
    add_field(out, text_of(trial, "run"));
    add_field(out, text_of(trial, "message"));
    dip_str_add(out, "\n");
}

dip_status dip_report_sweep_csv(dip_str *out, const json_t *results,
                                dip_err *err)
{
    size_t parameters, count;
    const json_t *list = list_of(results, "parameters", &parameters);
    const json_t *trials = list_of(results, "trials", &count);
    dip_str_add(out, "trial");
    for (size_t p = 0; p < parameters; p++)
        add_field(out, text_of(json_array_get(list, p), "name"));
    add_field(out, text_of(results, "metric"));
    dip_str_add(out, ",epochs,rung,seconds,status,run,message\n");
    for (size_t i = 0; i < count; i++)
        add_line(out, results, json_array_get(trials, i));
    return dip_str_status(out, err);
}
