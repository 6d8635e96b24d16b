/* A comparison as tables, in every language. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/compare.h"
#include "report/escape.h"
#include "report/sheet.h"

#define HUGE_NUMBER 1e12

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "–";
}

static double number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static const char *side_name(const json_t *comparison, size_t side)
{
    return text_of(json_array_get(json_object_get(comparison, "sides"), side),
                   "name");
}

static size_t baseline_of(const json_t *comparison)
{
    const json_t *sides = json_object_get(comparison, "sides");
    size_t s = 0;
    while (s < json_array_size(sides) &&
           !json_is_true(json_object_get(json_array_get(sides, s), "baseline")))
        s++;
    return s;
}

/* Whether a side has several runs. */
static bool has_seeds(const json_t *comparison)
{
    const json_t *sides = json_object_get(comparison, "sides");
    bool several = false;
    for (size_t s = 0; s < json_array_size(sides); s++) {
        const json_t *runs = json_object_get(json_array_get(sides, s), "runs");
        several = several || json_array_size(runs) > 1;
    }
    return several;
}

/* `fmt` takes one double. */
static void cell_number(dip_sheet *sheet, const char *fmt, double value)
{
    if (isnan(value))
        dip_sheet_cell(sheet, "–");
    else
        dip_sheet_cellf(sheet, fabs(value) < HUGE_NUMBER ? fmt : "%.3g", value);
}

static void cell_p(dip_sheet *sheet, double p)
{
    if (p < 0.0001)
        dip_sheet_cell(sheet, "<.0001");
    else
        cell_number(sheet, "%.4f", p);
}

/* The name of a side or a query may be shortened on a terminal; everything else
 * is aligned as numbers are, which are not. */
static void columns(dip_sheet *sheet, const char *const *titles, size_t n,
                    size_t left)
{
    for (size_t i = 0; i < n; i++)
        (void)dip_sheet_column(sheet, titles[i],
                               i < left ? DIP_ALIGN_LEFT : DIP_ALIGN_RIGHT);
}

/* ---- the tables ---------------------------------------------------------- */

static bool is_of_task(const json_t *row, const char *task)
{
    return strcmp(text_of(row, "task"), task) == 0;
}

static void fill_differences(dip_sheet *sheet, const json_t *comparison,
                             const char *task, size_t side)
{
    static const char *const titles[] = {"metric", "base",         "here",
                                         "gain",   "low",          "high",
                                         "Holm p", "win/tie/loss", "verdict"};
    size_t i, baseline = baseline_of(comparison);
    const json_t *row;
    dip_str_addf(&sheet->heading, "%s: %s against %s", task,
                 side_name(comparison, side), side_name(comparison, baseline));
    columns(sheet, titles, DIP_ARRAY_LEN(titles), 0);
    json_array_foreach (json_object_get(comparison, "rows"), i, row) {
        const json_t *sides = json_object_get(row, "sides");
        const json_t *d =
            json_array_get(json_object_get(row, "differences"), side);
        if (!is_of_task(row, task))
            continue;
        dip_sheet_cell(sheet, text_of(row, "metric"));
        cell_number(sheet, "%.4f",
                    number_of(json_array_get(sides, baseline), "mean"));
        cell_number(sheet, "%.4f",
                    number_of(json_array_get(sides, side), "mean"));
        cell_number(sheet, "%+.4f", number_of(d, "difference"));
        cell_number(sheet, "%+.4f", number_of(d, "low"));
        cell_number(sheet, "%+.4f", number_of(d, "high"));
        cell_p(sheet, number_of(d, "p_holm"));
        dip_sheet_cellf(sheet, "%.0f/%.0f/%.0f", number_of(d, "win"),
                        number_of(d, "tie"), number_of(d, "loss"));
        dip_sheet_cell(sheet, text_of(d, "verdict"));
    }
}

static void fill_tests(dip_sheet *sheet, const json_t *comparison,
                       const char *task, size_t side)
{
    static const char *const titles[] = {
        "metric",    "queries",    "sign flip",         "t",     "df", "t test",
        "query low", "query high", "seeds and queries", "Holm p"};
    size_t i;
    const json_t *row;
    dip_str_addf(&sheet->heading,
                 "%s: p values of %s, over queries alone, over seeds and "
                 "queries, adjusted",
                 task, side_name(comparison, side));
    columns(sheet, titles, DIP_ARRAY_LEN(titles), 0);
    json_array_foreach (json_object_get(comparison, "rows"), i, row) {
        const json_t *d =
            json_array_get(json_object_get(row, "differences"), side);
        const json_t *queries = json_object_get(d, "queries");
        if (!is_of_task(row, task))
            continue;
        dip_sheet_cell(sheet, text_of(row, "metric"));
        cell_number(sheet, "%.0f", number_of(row, "queries"));
        cell_p(sheet, number_of(d, "p_sign_flip"));
        cell_number(sheet, "%.3f", number_of(d, "t"));
        cell_number(sheet, "%.0f", number_of(d, "df"));
        cell_p(sheet, number_of(d, "p_t"));
        cell_number(sheet, "%+.4f", number_of(queries, "low"));
        cell_number(sheet, "%+.4f", number_of(queries, "high"));
        cell_p(sheet, number_of(d, "p_seeds"));
        cell_p(sheet, number_of(d, "p_holm"));
    }
}

static void cell_runs(dip_sheet *sheet, const json_t *means)
{
    dip_str text = {0};
    size_t i;
    const json_t *mean;
    json_array_foreach (means, i, mean)
        dip_str_addf(&text, "%s%.3f", i > 0 ? " " : "",
                     json_number_value(mean));
    dip_sheet_cell(sheet, dip_str_text(&text));
    sheet->failed |= text.failed;
    dip_str_free(&text);
}

static void fill_summary(dip_sheet *sheet, const json_t *comparison,
                         const char *task)
{
    static const char *const titles[] = {
        "side", "metric", "mean", "deviation", "low", "high", "of each run"};
    size_t i, s;
    const json_t *row, *summary;
    dip_str_addf(&sheet->heading, "%s: each side, over its runs", task);
    columns(sheet, titles, DIP_ARRAY_LEN(titles), 1);
    json_array_foreach (json_object_get(comparison, "rows"), i, row) {
        if (!is_of_task(row, task))
            continue;
        json_array_foreach (json_object_get(row, "sides"), s, summary) {
            dip_sheet_cell(sheet, side_name(comparison, s));
            dip_sheet_cell(sheet, text_of(row, "metric"));
            cell_number(sheet, "%.4f", number_of(summary, "mean"));
            cell_number(sheet, "%.4f", number_of(summary, "deviation"));
            cell_number(sheet, "%.4f", number_of(summary, "low"));
            cell_number(sheet, "%.4f", number_of(summary, "high"));
            cell_runs(sheet, json_object_get(summary, "runs"));
        }
    }
}

static void fill_cost(dip_sheet *sheet, const json_t *comparison)
{
    static const char *const titles[] = {
        "side",        "runs",    "parameters", "seconds",
        "cpu seconds", "threads", "samples/s",  "peak MB"};
    size_t i;
    const json_t *side;
    dip_str_add(&sheet->heading, "Cost of the training, mean over runs");
    columns(sheet, titles, DIP_ARRAY_LEN(titles), 1);
    json_array_foreach (json_object_get(comparison, "sides"), i, side) {
        const json_t *cost = json_object_get(side, "cost");
        dip_sheet_cell(sheet, text_of(side, "name"));
        dip_sheet_cellf(sheet, "%zu",
                        json_array_size(json_object_get(side, "runs")));
        cell_number(sheet, "%.0f", number_of(cost, "parameters"));
        cell_number(sheet, "%.1f", number_of(cost, "seconds"));
        cell_number(sheet, "%.1f", number_of(cost, "cpu_seconds"));
        cell_number(sheet, "%.0f", number_of(cost, "threads"));
        cell_number(sheet, "%.1f", number_of(cost, "samples_per_second"));
        cell_number(sheet, "%.0f", number_of(cost, "peak_bytes") / 1e6);
    }
}

static void fill_config(dip_sheet *sheet, const json_t *comparison)
{
    size_t i, s;
    const json_t *key;
    size_t shown = json_array_size(json_object_get(comparison, "sides"));
    dip_str_add(&sheet->heading, "In what the configs differ");
    columns(sheet, (const char *const[]){"key"}, 1, 1);
    for (s = 0; s < shown; s++) {
        if (!dip_sheet_column(sheet, side_name(comparison, s), DIP_ALIGN_LEFT))
            shown = s;
    }
    json_array_foreach (json_object_get(comparison, "config"), i, key) {
        const json_t *values = json_object_get(key, "values");
        dip_sheet_cell(sheet, text_of(key, "key"));
        for (s = 0; s < shown; s++) {
            const char *value = json_string_value(json_array_get(values, s));
            dip_sheet_cell(sheet, value != NULL ? value : "absent");
        }
    }
}

static void fill_changed(dip_sheet *sheet, const json_t *comparison,
                         const json_t *changed, const char *kind)
{
    static const char *const titles[] = {
        "query", "id", "baseline", "here", "rank before", "rank now", "right"};
    size_t i;
    const json_t *query;
    dip_str_addf(&sheet->heading, "What %s most in %s.%s of %s", kind,
                 text_of(changed, "task"), text_of(changed, "metric"),
                 side_name(comparison, (size_t)json_integer_value(
                                           json_object_get(changed, "side"))));
    columns(sheet, titles, DIP_ARRAY_LEN(titles), 2);
    json_array_foreach (json_object_get(changed, kind), i, query) {
        const char *text = text_of(query, "text");
        dip_sheet_cell(sheet, text[0] != '\0' ? text : "(photo)");
        dip_sheet_cell(sheet, text_of(query, "id"));
        cell_number(sheet, "%.4f", number_of(query, "baseline"));
        cell_number(sheet, "%.4f", number_of(query, "value"));
        cell_number(sheet, "%.1f", number_of(query, "rank_baseline"));
        cell_number(sheet, "%.1f", number_of(query, "rank"));
        cell_number(sheet, "%.0f", number_of(query, "relevant"));
    }
}

/* ---- in any language ----------------------------------------------------- */

/* How a finished table is written. */
typedef struct {
    dip_str *out;
    int width;  /* of a terminal */
    bool brief; /* without all p values, and changes in the first task alone */
    dip_status (*write)(dip_str *out, const dip_sheet *sheet, int width,
                        dip_err *err);
} writer;

static dip_status write_text(dip_str *out, const dip_sheet *sheet, int width,
                             dip_err *err)
{
    return dip_sheet_text(out, sheet, width, err);
}

static dip_status write_markdown(dip_str *out, const dip_sheet *sheet,
                                 int width, dip_err *err)
{
    (void)width;
    return dip_sheet_markdown(out, sheet, err);
}

static dip_status write_latex(dip_str *out, const dip_sheet *sheet, int width,
                              dip_err *err)
{
    (void)width;
    return dip_sheet_latex(out, sheet, err);
}

static dip_status finish(const writer *w, dip_sheet *sheet, dip_err *err)
{
    dip_status st = w->write(w->out, sheet, w->width, err);
    dip_sheet_free(sheet);
    return st;
}

/* A task's tables: each side against the baseline, then the sides alone. */
static dip_status write_task(const writer *w, const json_t *comparison,
                             const char *task, dip_err *err)
{
    static void (*const fills[])(dip_sheet *, const json_t *, const char *,
                                 size_t) = {fill_differences, fill_tests};
    size_t kinds = w->brief ? 1 : DIP_ARRAY_LEN(fills);
    size_t sides = json_array_size(json_object_get(comparison, "sides"));
    dip_status st = DIP_OK;
    for (size_t k = 0; k < kinds; k++) {
        for (size_t s = 0; s < sides && st == DIP_OK; s++) {
            dip_sheet sheet = {0};
            if (s == baseline_of(comparison))
                continue;
            fills[k](&sheet, comparison, task, s);
            st = finish(w, &sheet, err);
        }
    }
    if (st == DIP_OK && (!w->brief || has_seeds(comparison))) {
        dip_sheet sheet = {0};
        fill_summary(&sheet, comparison, task);
        st = finish(w, &sheet, err);
    }
    return st;
}

static dip_status write_tasks(const writer *w, const json_t *comparison,
                              dip_err *err)
{
    const char *last = "";
    size_t i;
    const json_t *row;
    dip_status st = DIP_OK;
    json_array_foreach (json_object_get(comparison, "rows"), i, row) {
        const char *task = text_of(row, "task");
        if (st == DIP_OK && strcmp(task, last) != 0)
            st = write_task(w, comparison, task, err);
        last = task;
    }
    return st;
}

static dip_status write_changed(const writer *w, const json_t *comparison,
                                dip_err *err)
{
    static const char *const kinds[] = {"improved", "worsened"};
    size_t i;
    const json_t *changed, *all = json_object_get(comparison, "changed");
    const char *first = text_of(json_array_get(all, 0), "task");
    dip_status st = DIP_OK;
    json_array_foreach (all, i, changed) {
        if (w->brief && strcmp(text_of(changed, "task"), first) != 0)
            continue;
        for (size_t k = 0; k < DIP_ARRAY_LEN(kinds) && st == DIP_OK; k++) {
            dip_sheet sheet = {0};
            fill_changed(&sheet, comparison, changed, kinds[k]);
            st = finish(w, &sheet, err);
        }
    }
    return st;
}

static dip_status write_tables(const writer *w, const json_t *comparison,
                               dip_err *err)
{
    static void (*const fills[])(dip_sheet *, const json_t *) = {fill_cost,
                                                                 fill_config};
    dip_status st = write_tasks(w, comparison, err);
    for (size_t f = 0; f < DIP_ARRAY_LEN(fills) && st == DIP_OK; f++) {
        dip_sheet sheet = {0};
        fills[f](&sheet, comparison);
        st = finish(w, &sheet, err);
    }
    if (st == DIP_OK)
        st = write_changed(w, comparison, err);
    return st == DIP_OK ? dip_str_status(w->out, err) : st;
}

/* Each note between `before` and a line end. */
static void add_notes(dip_str *out, const json_t *comparison,
                      const char *before,
                      void (*escape)(dip_str *out, const char *text))
{
    size_t i;
    const json_t *note;
    const json_t *notes = json_object_get(comparison, "notes");
    json_array_foreach (notes, i, note) {
        dip_str_add(out, before);
        escape(out, json_string_value(note));
        dip_str_add(out, "\n");
    }
    if (json_array_size(notes) > 0)
        dip_str_add(out, "\n");
}

dip_status dip_compare_text(dip_str *out, const json_t *comparison, int width,
                            dip_err *err)
{
    dip_status st = write_tables(
        &(writer){
            .out = out, .width = width, .brief = true, .write = write_text},
        comparison, err);
    add_notes(out, comparison, "note: ", dip_str_add);
    return st == DIP_OK ? dip_str_status(out, err) : st;
}

dip_status dip_compare_markdown(dip_str *out, const json_t *comparison,
                                dip_err *err)
{
    dip_str_add(out, "# Comparison on ");
    dip_escape_markdown(out, text_of(comparison, "split"));
    dip_str_add(out, " of ");
    dip_escape_markdown(out, text_of(comparison, "data"));
    dip_str_add(out, "\n\n");
    add_notes(out, comparison, "- ", dip_escape_markdown);
    return write_tables(&(writer){.out = out, .write = write_markdown},
                        comparison, err);
}

dip_status dip_compare_latex(dip_str *out, const json_t *comparison,
                             dip_err *err)
{
    dip_str_add(out, "% needs \\usepackage{booktabs}\n");
    add_notes(out, comparison, "% ", dip_escape_latex);
    return write_tables(&(writer){.out = out, .write = write_latex}, comparison,
                        err);
}

/* ---- CSV ----------------------------------------------------------------- */

/* Empty for what does not exist. */
static void add_number(dip_str *out, const json_t *object, const char *key)
{
    double value = number_of(object, key);
    dip_str_add(out, ",");
    if (!isnan(value))
        dip_str_addf(out, "%.9g", value);
}

static void add_csv_line(dip_str *out, const json_t *comparison,
                         const json_t *row, size_t side)
{
    static const char *const means[] = {"mean", "low", "high", "deviation"};
    static const char *const tested[] = {
        "difference", "low", "high",        "win",     "tie", "loss",  "t",
        "df",         "p_t", "p_sign_flip", "p_seeds", "p",   "p_holm"};
    const json_t *summary = json_array_get(json_object_get(row, "sides"), side);
    const json_t *d = json_array_get(json_object_get(row, "differences"), side);
    const char *const words[] = {text_of(row, "task"), text_of(row, "metric"),
                                 side_name(comparison, side)};
    for (size_t i = 0; i < DIP_ARRAY_LEN(words); i++) {
        dip_str_add(out, i > 0 ? "," : "");
        dip_escape_csv(out, words[i]);
    }
    dip_str_addf(out, ",%zu",
                 json_array_size(json_object_get(summary, "runs")));
    add_number(out, row, "queries");
    for (size_t i = 0; i < DIP_ARRAY_LEN(means); i++)
        add_number(out, summary, means[i]);
    for (size_t i = 0; i < DIP_ARRAY_LEN(tested); i++)
        add_number(out, d, tested[i]);
    dip_str_addf(out, ",%s\n",
                 json_is_object(d) ? text_of(d, "verdict") : "baseline");
}

dip_status dip_compare_csv(dip_str *out, const json_t *comparison, dip_err *err)
{
    size_t i, sides = json_array_size(json_object_get(comparison, "sides"));
    const json_t *row;
    dip_str_add(out, "task,metric,side,runs,queries,mean,low,high,deviation,"
                     "difference,difference_low,difference_high,win,tie,loss,t,"
                     "df,p_t,p_sign_flip,p_seeds,p,p_holm,verdict\n");
    json_array_foreach (json_object_get(comparison, "rows"), i, row) {
        for (size_t s = 0; s < sides; s++)
            add_csv_line(out, comparison, row, s);
    }
    return dip_str_status(out, err);
}
