/* The sections that are mostly charts: learning, retrieval, matching. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/html_parts.h"
#include "report/html_text.h"
#include "report/plot.h"
#include "report/rows.h"

#define MOST_POINTS 256
#define MOST_LINES                                                             \
    (DIP_PLOT_SERIES + 1) /* so that the chart can tell of more */

/* Lines of a chart with room for their points. */
typedef struct {
    dip_plot_series series[MOST_LINES];
    double x[MOST_LINES][MOST_POINTS], y[MOST_LINES][MOST_POINTS];
    size_t count;
} lines;

/* Adds a line when both arrays hold something. */
static void add_line(lines *l, const char *name, const json_t *x,
                     const json_t *y)
{
    if (l->count == MOST_LINES)
        return;
    size_t i = l->count;
    size_t n = dip_html_numbers(l->x[i], x, MOST_POINTS);
    size_t m = dip_html_numbers(l->y[i], y, MOST_POINTS);
    if (n == 0 || m == 0)
        return;
    l->series[i] = (dip_plot_series){
        .name = name, .x = l->x[i], .y = l->y[i], .n = n < m ? n : m};
    l->count++;
}

static void add_chart(dip_str *out, const lines *l, dip_plot_lines plot)
{
    plot.series = l->series;
    plot.count = l->count;
    dip_plot_add_lines(out, &plot);
}

/* ---- learning ---- */

/* The validation curves of one metric. */
static void add_validation(dip_str *out, lines *l, const json_t *curves,
                           const char *metric, const char *caption,
                           const char *name)
{
    l->count = 0;
    for (void *i = json_object_iter((json_t *)curves); i != NULL;
         i = json_object_iter_next((json_t *)curves, i)) {
        const json_t *curve = json_object_iter_value(i);
        const char *of = json_string_value(json_object_get(curve, "metric"));
        if (of != NULL && strcmp(of, metric) == 0)
            add_line(l, json_object_iter_key(i), json_object_get(curve, "step"),
                     json_object_get(curve, "value"));
    }
    add_chart(out, l,
              (dip_plot_lines){.caption = caption,
                               .note = "on the validation split",
                               .x_name = "step",
                               .y_name = name,
                               .unit = true});
}

dip_status dip_html_learning(dip_html_page *page, dip_err *err)
{
    const json_t *training = json_object_get(page->report, "training");
    const json_t *loss = json_object_get(training, "loss");
    const json_t *validation = json_object_get(training, "validation");
    lines *l = dip_calloc(1, sizeof *l);
    dip_str *out = page->out;
    if (l == NULL)
        return dip_no_memory(err);
    dip_str_add(out, "<div class=\"charts\">\n");
    size_t start = out->len;
    add_line(l, "loss", json_object_get(loss, "step"),
             json_object_get(loss, "value"));
    add_chart(out, l,
              (dip_plot_lines){.caption = "Training loss",
                               .note = "neighbouring updates averaged",
                               .x_name = "step",
                               .y_name = "loss"});
    add_validation(out, l, validation, "mrr", "MRR while it learned", "MRR");
    add_validation(out, l, validation, "accuracy", "Accuracy while it learned",
                   "accuracy");
    if (out->len == start)
        dip_str_clear(out);
    else
        dip_str_add(out, "</div>\n");
    free(l);
    return DIP_OK;
}

/* ---- histograms ---- */

static void add_histogram(dip_str *out, const json_t *scores,
                          const char *caption, const char *note,
                          const char *others, double mark)
{
    static const char *const names[2] = {"matches", "others"};
    double counts[2][MOST_POINTS];
    size_t n = dip_html_numbers(counts[0], json_object_get(scores, names[0]),
                                MOST_POINTS);
    size_t m = dip_html_numbers(counts[1], json_object_get(scores, names[1]),
                                MOST_POINTS);
    dip_plot_histogram plot = {
        .caption = caption,
        .note = note,
        .x_name = "score",
        .from = dip_html_value(scores, "from"),
        .width = dip_html_value(scores, "width"),
        .names = {"matches", others},
        .counts = {counts[0], counts[1]},
        .bins = n < m ? n : m,
        .mark = mark,
        .mark_name = "threshold",
    };
    if (isfinite(plot.from) && plot.width > 0 && plot.bins > 0)
        dip_plot_add_histogram(out, &plot);
}

/* ---- retrieval ---- */

static void add_curves(dip_str *out, lines *l, const dip_report_rows *tasks,
                       const char *key, const char *caption, const char *note)
{
    l->count = 0;
    for (size_t i = 0; i < tasks->count; i++) {
        const json_t *curve = json_object_get(tasks->items[i].values, "curve");
        add_line(l, tasks->items[i].name, json_object_get(curve, "k"),
                 json_object_get(curve, key));
    }
    add_chart(out, l,
              (dip_plot_lines){.caption = caption,
                               .note = note,
                               .x_name = "k, the first so many results",
                               .y_name = key,
                               .log_x = true,
                               .unit = true,
                               .marks = true});
}

static void add_score_charts(dip_str *out, const dip_report_rows *tasks)
{
    for (size_t i = 0; i < tasks->count; i++) {
        const json_t *values = tasks->items[i].values;
        dip_str caption = {0}, note = {0};
        dip_str_addf(&caption, "Scores of %s", tasks->items[i].name);
        const json_t *scores = json_object_get(values, "scores");
        dip_str_addf(
            &note, "right products against all others, %lld queries",
            (long long)json_integer_value(json_object_get(scores, "queries")));
        add_histogram(out, scores, dip_str_text(&caption), dip_str_text(&note),
                      "others", (double)NAN);
        out->failed |= caption.failed || note.failed;
        dip_str_free(&caption);
        dip_str_free(&note);
    }
}

/* Rows of `object`, each with what it gives and the paired interval `gain` of
 * the metric. */
static dip_status add_gain_table(dip_str *out, const char *first,
                                 const json_t *object, const char *metric,
                                 dip_err *err)
{
    dip_report_rows rows;
    dip_status st = dip_report_members(&rows, object, err);
    if (st != DIP_OK || rows.count == 0) {
        free(rows.items);
        return st;
    }
    dip_html_scroll(out, first);
    dip_str_addf(out,
                 "<table><thead><tr><th scope=\"col\">%s</th><th "
                 "scope=\"col\">%s</th><th scope=\"col\">gain with all "
                 "fields</th><th scope=\"col\"><span class=\"unseen\">drawn"
                 "</span></th></tr></thead><tbody>",
                 first, metric);
    for (size_t i = 0; i < rows.count; i++) {
        const json_t *values = rows.items[i].values;
        dip_str_add(out, "<tr><th scope=\"row\">");
        dip_html_name(out, rows.items[i].name);
        dip_str_add(out, "</th><td>");
        dip_html_number(out, dip_html_value(values, metric), 3);
        dip_str_add(out, "</td>");
        dip_html_interval_cells(
            out, json_object_get(json_object_get(values, "gain"), metric), -1,
            1, true);
        dip_str_add(out, "</tr>\n");
    }
    dip_str_add(out, "</tbody></table></div>\n");
    free(rows.items);
    return DIP_OK;
}

/* What a task achieves with other fields than its own. */
static const struct {
    const char *key, *before, *behind, *first;
} ablations[] = {
    {"alone", "What each field of ", " achieves alone", "field alone"},
    {"without", "What ", " achieves without a field", "without"},
    {"permuted", "What ", " achieves with a field of other products",
     "field dealt out anew"},
};

static dip_status add_ablations(dip_str *out, const dip_report_rows *tasks,
                                size_t kind, dip_err *err)
{
    dip_status st = DIP_OK;
    for (size_t i = 0; i < tasks->count && st == DIP_OK; i++) {
        const json_t *fields =
            json_object_get(tasks->items[i].values, ablations[kind].key);
        if (json_object_size(fields) == 0)
            continue;
        dip_str_addf(out, "<figure class=\"wide\"><figcaption><b>%s",
                     ablations[kind].before);
        dip_html_name(out, tasks->items[i].name);
        dip_str_addf(out, "%s</b></figcaption>", ablations[kind].behind);
        st = add_gain_table(out, ablations[kind].first, fields, "hit@1", err);
        dip_str_add(out, "</figure>\n");
    }
    return st;
}

static void add_reranked(dip_str *out, const dip_report_rows *tasks)
{
    size_t start = out->len;
    dip_str_add(out,
                "<figure class=\"wide\"><figcaption><b>What re-ranking adds to "
                "MRR</b></figcaption>");
    dip_html_scroll(out, "Re-ranking");
    dip_str_add(out, "<table><thead><tr><th scope=\"col\">task</th><th "
                     "scope=\"col\">first</th><th scope=\"col\">gain</th><th "
                     "scope=\"col\"><span class=\"unseen\">drawn</span></th>"
                     "</tr></thead><tbody>");
    bool any = false;
    for (size_t i = 0; i < tasks->count; i++) {
        const json_t *part = json_object_get(tasks->items[i].values, "rerank");
        if (part == NULL)
            continue;
        any = true;
        dip_str_add(out, "<tr><th scope=\"row\">");
        dip_html_name(out, tasks->items[i].name);
        dip_str_add(out, "</th><td>");
        dip_html_number(out, dip_html_value(part, "n"), 0);
        dip_str_add(out, "</td>");
        dip_html_interval_cells(
            out, json_object_get(json_object_get(part, "gain"), "mrr"), -1, 1,
            true);
        dip_str_add(out, "</tr>");
    }
    dip_str_add(out, "</tbody></table></div></figure>\n");
    if (!any && !out->failed)
        out->data[out->len = start] = '\0';
}

dip_status dip_html_retrieval(dip_html_page *page, dip_err *err)
{
    dip_str *out = page->out;
    dip_report_rows tasks;
    lines *l = dip_calloc(1, sizeof *l);
    if (l == NULL)
        return dip_no_memory(err);
    dip_status st = dip_report_members(
        &tasks, json_object_get(page->report, "retrieval"), err);
    if (st == DIP_OK && tasks.count > 0) {
        dip_str_add(out, "<div class=\"charts\">\n");
        add_curves(out, l, &tasks, "hit", "hit@k",
                   "share of the queries that find anything right");
        add_curves(out, l, &tasks, "recall", "recall@k",
                   "share of what is right that is found");
        add_score_charts(out, &tasks);
        dip_str_add(out, "</div>\n");
        for (size_t k = 0; k < DIP_ARRAY_LEN(ablations) && st == DIP_OK; k++)
            st = add_ablations(out, &tasks, k, err);
        add_reranked(out, &tasks);
    }
    free(tasks.items);
    free(l);
    return st;
}

/* ---- matching ---- */

static void add_matching_line(dip_str *out, const json_t *matching)
{
    dip_str_add(out, "<p>At the threshold ");
    dip_html_number(out, dip_html_value(matching, "threshold"), 3);
    dip_str_add(out, ", chosen on the validation split: precision <b>");
    dip_html_number(out, dip_html_value(matching, "precision"), 3);
    dip_str_add(out, "</b>, recall <b>");
    dip_html_number(out, dip_html_value(matching, "recall"), 3);
    dip_str_add(out, "</b>, accuracy <b>");
    dip_html_number(out, dip_html_value(matching, "accuracy"), 3);
    dip_str_add(out, "</b>.</p>\n");
}

dip_status dip_html_matching(dip_html_page *page, dip_err *err)
{
    const json_t *matching = json_object_get(page->report, "matching");
    const char *skipped =
        json_string_value(json_object_get(matching, "skipped"));
    const json_t *curve = json_object_get(matching, "curve");
    dip_str *out = page->out;
    if (skipped != NULL) {
        dip_str_add(out, "<p>Skipped: ");
        dip_html_text(out, skipped);
        dip_str_add(out, "</p>\n");
    }
    if (json_object_get(matching, "auc") == NULL)
        return DIP_OK;
    lines *l = dip_calloc(1, sizeof *l);
    if (l == NULL)
        return dip_no_memory(err);
    add_matching_line(out, matching);
    dip_str_add(out, "<div class=\"charts\">\n");
    add_line(l, "pairs", json_object_get(curve, "recall"),
             json_object_get(curve, "precision"));
    add_chart(out, l,
              (dip_plot_lines){.caption = "Precision and recall",
                               .note = "of all thresholds",
                               .x_name = "recall",
                               .y_name = "precision",
                               .unit = true});
    add_histogram(out, json_object_get(matching, "scores"), "Scores of pairs",
                  "matches against drawn non-matches", "non-matches",
                  dip_html_value(matching, "threshold"));
    dip_str_add(out, "</div>\n");
    free(l);
    return DIP_OK;
}
