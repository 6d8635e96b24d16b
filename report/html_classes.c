#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "report/html_parts.h"
#include "report/html_text.h"
#include "report/plot.h"
#include "report/rows.h"

#define WEAKEST   10 /* classes that are shown as such … */
#define FEW_ROWS  10 /* … unless they have fewer rows */
#define MOST      50 /* classes in the long table */
#define MOST_BINS 64

/* ---- tables of classes ---- */

static void add_class(dip_str *out, const dip_report_row *row)
{
    double f1 = dip_html_value(row->values, "f1");
    dip_str_add(out, "<tr><th scope=\"row\">");
    dip_html_name(out, row->name);
    dip_str_add(out, "</th><td>");
    dip_html_count(out, dip_report_support(row));
    dip_str_addf(out,
                 "</td><td><span class=\"bar\" style=\"width:%.0fpx\">"
                 "</span>",
                 isfinite(f1) ? fmin(fmax(f1, 0), 1) * 40 : 0.);
    dip_html_number(out, f1, 3);
    dip_str_add(out, "</td><td>");
    dip_html_number(out, dip_html_value(row->values, "precision"), 3);
    dip_str_add(out, "</td><td>");
    dip_html_number(out, dip_html_value(row->values, "recall"), 3);
    dip_str_add(out, "</td></tr>\n");
}

static void add_class_table(dip_str *out, const char *name,
                            const dip_report_rows *rows, size_t most)
{
    dip_html_scroll(out, name);
    dip_str_add(out, "<table><thead><tr><th scope=\"col\">class</th><th "
                     "scope=\"col\">rows</th><th scope=\"col\">F1</th><th "
                     "scope=\"col\">precision</th><th scope=\"col\">recall"
                     "</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < rows->count && i < most; i++)
        add_class(out, &rows->items[i]);
    dip_str_add(out, "</tbody></table></div>\n");
}

static dip_status add_weakest(dip_str *out, const json_t *label, dip_err *err)
{
    dip_report_rows rows;
    dip_status st =
        dip_report_classes(&rows, label, FEW_ROWS, dip_report_by_f1, err);
    if (st == DIP_OK && rows.count > 0) {
        dip_str_addf(out,
                     "<figure><figcaption><b>Weakest classes</b> <span>"
                     "of those with at least %d rows</span></figcaption>",
                     FEW_ROWS);
        add_class_table(out, "Weakest classes", &rows, WEAKEST);
        dip_str_add(out, "</figure>\n");
    }
    free(rows.items);
    return st;
}

static dip_status add_all(dip_str *out, const json_t *label, dip_err *err)
{
    dip_report_rows rows;
    dip_status st =
        dip_report_classes(&rows, label, 0, dip_report_by_support, err);
    if (st == DIP_OK && rows.count > 0) {
        dip_str_add(out, "<details class=\"numbers\"><summary>");
        if (rows.count > MOST)
            dip_str_addf(out, "The %d largest of %zu classes", MOST,
                         rows.count);
        else
            dip_str_addf(out, "All %zu classes", rows.count);
        dip_str_add(out, "</summary>");
        add_class_table(out, "Classes by size", &rows, MOST);
        dip_str_add(out, "</details>\n");
    }
    free(rows.items);
    return st;
}

/* ---- confusion ---- */

static double count_at(const json_t *counts, size_t label, size_t predicted)
{
    const json_t *value =
        json_array_get(json_array_get(counts, label), predicted);
    return json_is_number(value) ? json_number_value(value) : 0;
}

static double sum_of(const json_t *counts, size_t label, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += count_at(counts, label, i);
    return sum;
}

static void add_class_name(dip_str *out, const json_t *names, size_t i)
{
    const char *name = json_string_value(json_array_get(names, i));
    if (name != NULL)
        dip_html_name(out, name);
    else
        dip_str_add(out, "<i>others</i>");
}

static void add_confusion_row(dip_str *out, const json_t *names,
                              const json_t *counts, size_t label, size_t n)
{
    double sum = sum_of(counts, label, n);
    dip_str_add(out, "<tr><th scope=\"row\">");
    add_class_name(out, names, label);
    dip_str_add(out, "</th>");
    for (size_t i = 0; i < n; i++) {
        double count = count_at(counts, label, i);
        double share = sum > 0 ? count / sum : 0;
        dip_str_addf(out, "<td%s style=\"--v:%.2f\">",
                     i == label ? " class=\"own\"" : "",
                     share > 0 ? .12 + .88 * share : 0.);
        if (count > 0)
            dip_str_addf(out, "%.0f", count);
        dip_str_add(out, "</td>");
    }
    dip_str_add(out, "</tr>\n");
}

static void add_confusion(dip_str *out, const json_t *confusion)
{
    const json_t *names = json_object_get(confusion, "classes");
    const json_t *counts = json_object_get(confusion, "counts");
    size_t n = json_array_size(counts);
    if (n == 0 || n > MOST_BINS)
        return;
    dip_str_add(out, "<figure class=\"wide\"><figcaption><b>Confusion</b> "
                     "<span>rows are what products are, columns what they were "
                     "taken for; blue is right, the darker the larger the "
                     "share of the row</span></figcaption>");
    dip_html_scroll(out, "Confusion matrix");
    dip_str_add(out, "<table class=\"heat\"><thead><tr><td></td>");
    for (size_t i = 0; i < n; i++) {
        dip_str_add(out, "<th scope=\"col\">");
        add_class_name(out, names, i);
        dip_str_add(out, "</th>");
    }
    dip_str_add(out, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < n; i++)
        add_confusion_row(out, names, counts, i, n);
    dip_str_add(out, "</tbody></table></div></figure>\n");
}

/* The pairs that were mixed up most often. */
static void add_confused(dip_str *out, const json_t *pairs)
{
    size_t n = json_array_size(pairs);
    if (n == 0)
        return;
    dip_str_add(out, "<figure><figcaption><b>Most frequent mistakes</b>"
                     "</figcaption>");
    dip_html_scroll(out, "Most frequent mistakes");
    dip_str_add(out, "<table><thead><tr><th scope=\"col\">rows</th><th "
                     "scope=\"col\">of</th><th scope=\"col\">taken for</th>"
                     "</tr></thead><tbody>\n");
    for (size_t i = 0; i < n && i < WEAKEST; i++) {
        const json_t *pair = json_array_get(pairs, i);
        const char *label = json_string_value(json_object_get(pair, "label"));
        const char *taken =
            json_string_value(json_object_get(pair, "predicted"));
        dip_str_add(out, "<tr><td>");
        dip_html_number(out, dip_html_value(pair, "count"), 0);
        dip_str_add(out, "</td><td>");
        dip_html_name(out, label != NULL ? label : "–");
        dip_str_add(out, "</td><td>");
        dip_html_name(out, taken != NULL ? taken : "–");
        dip_str_add(out, "</td></tr>\n");
    }
    dip_str_add(out, "</tbody></table></div></figure>\n");
}

/* ---- calibration ---- */

static void add_calibration(dip_str *out, const json_t *calibration)
{
    double x[MOST_BINS], y[MOST_BINS];
    size_t n = dip_html_numbers(x, json_object_get(calibration, "confidence"),
                                MOST_BINS);
    size_t m = dip_html_numbers(y, json_object_get(calibration, "accuracy"),
                                MOST_BINS);
    dip_plot_series series = {
        .name = "predictions", .x = x, .y = y, .n = n < m ? n : m};
    dip_plot_lines plot = {
        .caption = "Calibration",
        .note = "dotted: as often right as it is sure",
        .x_name = "confidence",
        .y_name = "accuracy",
        .diagonal = true,
        .marks = true,
        .series = &series,
        .count = 1,
    };
    dip_plot_add_lines(out, &plot);
}

/* ---- labels ---- */

/* A label of two classes at the threshold of its probability. */
static void add_threshold(dip_str *out, const json_t *threshold)
{
    static const struct {
        const char *key, *words;
    } parts[] = {{"f1", "F1 "},
                 {"precision", ", precision "},
                 {"recall", ", recall "},
                 {"accuracy", ", accuracy "}};
    const char *name = json_string_value(json_object_get(threshold, "class"));
    if (name == NULL)
        return;
    dip_str_add(out, "<p>Told ");
    dip_html_name(out, name);
    dip_str_add(out, " from a probability of ");
    dip_html_number(out, dip_html_value(threshold, "value"), 3);
    dip_str_add(out, " on, which had the best F1 on the val split: ");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        dip_str_add(out, parts[i].words);
        dip_html_number(out, dip_html_value(threshold, parts[i].key), 3);
    }
    dip_str_add(out, "</p>\n");
}

/* How a classifier of frozen embeddings was made, or why it was not. */
static void add_learning(dip_str *out, const json_t *label)
{
    const json_t *rows = json_object_get(label, "train_rows");
    const char *why = json_string_value(json_object_get(label, "skipped"));
    if (why != NULL) {
        dip_str_add(out, "<p>Skipped: ");
        dip_html_text(out, why);
        dip_str_add(out, "</p>\n");
    }
    if (!json_is_integer(rows))
        return;
    dip_str_add(out, "<p>From ");
    dip_html_count(out, json_integer_value(rows));
    dip_str_add(out, " rows of the train split");
    if (json_object_get(label, "k") != NULL) {
        dip_str_add(out, ": the votes of the ");
        dip_html_number(out, dip_html_value(label, "k"), 0);
        dip_str_add(out, " nearest, at temperature ");
        dip_html_number(out, dip_html_value(label, "temperature"), 3);
    }
    if (json_object_get(label, "c") != NULL) {
        dip_str_addf(out, ": C = %.3g has the best accuracy on val, ",
                     dip_html_value(label, "c"));
        dip_html_number(out, dip_html_value(label, "validation_accuracy"), 3);
    }
    dip_str_add(out, "</p>\n");
}

static dip_status add_label(dip_str *out, const dip_report_row *label,
                            bool open, dip_err *err)
{
    dip_str_addf(out, "<details class=\"panel\"%s><summary>",
                 open ? " open" : "");
    dip_html_name(out, label->name);
    dip_str_add(out, " <small>accuracy ");
    dip_html_number(out, dip_html_value(label->values, "accuracy"), 3);
    dip_str_add(out, ", macro F1 ");
    dip_html_number(out, dip_html_value(label->values, "f1_macro"), 3);
    dip_str_add(out, "</small></summary>\n");
    add_learning(out, label->values);
    add_threshold(out, json_object_get(label->values, "threshold"));
    add_confusion(out, json_object_get(label->values, "confusion"));
    dip_str_add(out, "<div class=\"charts\">\n");
    add_calibration(out, json_object_get(label->values, "calibration"));
    add_confused(out, json_object_get(label->values, "confused"));
    dip_status st = add_weakest(out, label->values, err);
    dip_str_add(out, "</div>\n");
    if (st == DIP_OK)
        st = add_all(out, label->values, err);
    dip_str_add(out, "</details>\n");
    return st;
}

static dip_status add_labels(dip_html_page *page, const char *key, dip_err *err)
{
    dip_report_rows labels;
    dip_status st =
        dip_report_members(&labels, json_object_get(page->report, key), err);
    for (size_t i = 0; i < labels.count && st == DIP_OK; i++)
        st = add_label(page->out, &labels.items[i], i == 0, err);
    free(labels.items);
    return st;
}

dip_status dip_html_classification(dip_html_page *page, dip_err *err)
{
    return add_labels(page, "classification", err);
}

dip_status dip_html_zero_shot(dip_html_page *page, dip_err *err)
{
    return add_labels(page, "zero_shot", err);
}

dip_status dip_html_knn(dip_html_page *page, dip_err *err)
{
    return add_labels(page, "knn", err);
}

dip_status dip_html_linear_probe(dip_html_page *page, dip_err *err)
{
    return add_labels(page, "linear_probe", err);
}
