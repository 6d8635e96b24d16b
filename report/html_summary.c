#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/html_parts.h"
#include "report/html_text.h"
#include "report/plot.h"
#include "report/rows.h"

typedef struct {
    const char *key, *title;
} figure;

/* Of each part, those that its values have. */
static const figure task_figures[] = {{"hit@1", "hit@1"},
                                      {"recall@10", "recall@10"},
                                      {"ndcg@10", "nDCG@10"},
                                      {"mrr", "MRR"}};
static const figure label_figures[] = {{"accuracy", "accuracy"},
                                       {"f1_macro", "macro F1"}};
static const figure matching_figures[] = {{"auc", "ROC AUC"}, {"f1", "F1"}};

static void add_figure(dip_str *out, const json_t *values, const figure *f)
{
    const json_t *interval =
        json_object_get(json_object_get(values, "interval"), f->key);
    double low = dip_html_value(interval, "low");
    double high = dip_html_value(interval, "high");
    double value = dip_html_value(values, f->key);
    dip_str_addf(out, "<div><dt>%s</dt><dd><b>", f->title);
    dip_html_number(out, value, 3);
    dip_str_add(out, "</b>");
    if (isfinite(low) && isfinite(high))
        dip_str_addf(out, " <small>%.3f to %.3f</small>", low, high);
    dip_plot_add_interval(out, value, low, high, 0, 1);
    dip_str_add(out, "</dd></div>");
}

static void add_part(dip_str *out, const json_t *values, const char *key,
                     const char *words)
{
    const json_t *value = json_object_get(values, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return;
    dip_str_add(out, "<span>");
    dip_html_count(out, json_integer_value(value));
    dip_str_addf(out, " %s</span> ", words);
}

/* A card: `counts` [n] are keys and what is counted. */
static void add_card(dip_str *out, const char *kind, const char *name,
                     const json_t *values, const figure *figures, size_t n,
                     const figure *counts, size_t n_counts)
{
    dip_str_addf(out, "<article class=\"card\"><p class=\"over\">%s</p><h3>",
                 kind);
    dip_html_name(out, name);
    dip_str_add(out, "</h3><p class=\"counts\">");
    for (size_t i = 0; i < n_counts; i++)
        add_part(out, values, counts[i].key, counts[i].title);
    dip_str_add(out, "</p><dl>");
    for (size_t i = 0; i < n; i++) {
        if (json_object_get(values, figures[i].key) != NULL)
            add_figure(out, values, &figures[i]);
    }
    dip_str_add(out, "</dl></article>\n");
}

/* Why, in words; the skipped queries of a task are a count. */
static bool was_skipped(const json_t *values)
{
    return json_is_string(json_object_get(values, "skipped"));
}

static dip_status add_cards(dip_html_page *page, const char *key,
                            const char *kind, const figure *figures, size_t n,
                            const figure *counts, size_t n_counts, dip_err *err)
{
    dip_report_rows rows;
    dip_status st =
        dip_report_members(&rows, json_object_get(page->report, key), err);
    for (size_t i = 0; i < rows.count && st == DIP_OK; i++)
        if (!was_skipped(rows.items[i].values))
            add_card(page->out, kind, rows.items[i].name, rows.items[i].values,
                     figures, n, counts, n_counts);
    free(rows.items);
    return st;
}

static void add_matching_card(dip_html_page *page)
{
    static const figure counts[] = {{"positives", "matches"},
                                    {"negatives", "others"}};
    const json_t *matching = json_object_get(page->report, "matching");
    const char *task = json_string_value(json_object_get(matching, "task"));
    if (json_object_get(matching, "auc") != NULL)
        add_card(page->out, "pair matching", task != NULL ? task : "pairs",
                 matching, matching_figures, DIP_ARRAY_LEN(matching_figures),
                 counts, DIP_ARRAY_LEN(counts));
}

dip_status dip_html_summary(dip_html_page *page, dip_err *err)
{
    static const figure queries[] = {{"queries", "queries"},
                                     {"gallery", "in the gallery"}};
    static const figure rows[] = {{"rows", "rows"}, {"present", "classes"}};
    static const figure labels[] = {{"classification", "classification"},
                                    {"zero_shot", "zero-shot"},
                                    {"knn", "nearest neighbours"},
                                    {"linear_probe", "linear probe"}};
    dip_str *out = page->out;
    dip_str_add(out, "<div class=\"cards\">\n");
    size_t start = out->len;
    dip_status st = add_cards(page, "retrieval", "retrieval", task_figures,
                              DIP_ARRAY_LEN(task_figures), queries, 2, err);
    for (size_t i = 0; i < DIP_ARRAY_LEN(labels) && st == DIP_OK; i++)
        st = add_cards(page, labels[i].key, labels[i].title, label_figures,
                       DIP_ARRAY_LEN(label_figures), rows, 2, err);
    add_matching_card(page);
    if (out->len == start)
        dip_str_clear(out);
    else
        dip_str_add(out, "</div>\n");
    return st;
}
