#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/table.h"
#include "base/utf8.h"
#include "report/check.h"
#include "report/ensemble.h"
#include "report/report.h"
#include "report/rows.h"

#define WORST_CLASSES 5
#define WORST_SUPPORT 10 /* rows of a class below which its F1 says little */
#define MOST_COLUMNS  12
#define LONGEST_NAME  24 /* columns of a task or class */

/* ---- lines and tables ---------------------------------------------------- */

static size_t line_limit(int width)
{
    return width > 0 ? (size_t)width : SIZE_MAX;
}

/* A line of its own, cut to the width; it may hold foreign text. */
static void add_line(dip_str *out, const dip_str *line, int width)
{
    (void)dip_utf8_fit(out, dip_str_text(line), line->len, line_limit(width));
    dip_str_add(out, "\n");
    out->failed |= line->failed;
}

static size_t widest_line(const char *text)
{
    size_t widest = 0;
    while (*text != '\0') {
        size_t n = strcspn(text, "\n");
        size_t columns = dip_utf8_width(text, n);
        widest = columns > widest ? columns : widest;
        text += n + (text[n] == '\n');
    }
    return widest;
}

/* Names are cut to LONGEST_NAME, so that they leave room for numbers. */
static dip_status fill(dip_table **out, const char *first,
                       const dip_report_column *const *columns, size_t n,
                       const dip_report_rows *rows, dip_err *err)
{
    dip_table_column titles[MOST_COLUMNS + 1] = {{first, DIP_ALIGN_LEFT}};
    for (size_t c = 0; c < n; c++)
        titles[c + 1] = (dip_table_column){columns[c]->title, DIP_ALIGN_RIGHT};
    dip_status st = dip_table_new(out, titles, n + 1, err);
    if (st != DIP_OK)
        return st;
    dip_str name = {0};
    for (size_t r = 0; r < rows->count; r++) {
        const char *text = rows->items[r].name;
        dip_str_clear(&name);
        (void)dip_utf8_fit(&name, text, strlen(text), LONGEST_NAME);
        dip_table_cell(*out, dip_str_text(&name));
        for (size_t c = 0; c < n; c++) {
            char cell[DIP_REPORT_CELL];
            dip_report_cell(cell, rows->items[r].values, columns[c]);
            dip_table_cell(*out, cell);
        }
    }
    st = dip_str_status(&name, err);
    dip_str_free(&name);
    return st;
}

static dip_status render(dip_str *out, const char *first,
                         const dip_report_column *const *columns, size_t n,
                         const dip_report_rows *rows, int width, dip_err *err)
{
    dip_table *table;
    dip_status st = fill(&table, first, columns, n, rows, err);
    if (st == DIP_OK)
        st = dip_table_render(out, table, width, err);
    dip_table_free(table);
    return st;
}

/* A table of the columns among `all` [n <= MOST_COLUMNS] that exist, and an
 * empty line before it. Where the width does not do, the last columns are left
 * out (they are ordered by what matters), and names are cut beside the only
 * one. */
static dip_status add_table(dip_str *out, const char *first,
                            const dip_report_column *all, size_t n,
                            const dip_report_rows *rows, int width,
                            dip_err *err)
{
    const dip_report_column *columns[MOST_COLUMNS];
    size_t count = dip_report_columns(columns, all, n, rows);
    dip_str table = {0};
    dip_status st = DIP_OK;
    if (rows->count == 0 || count == 0)
        return DIP_OK;
    for (; count > 0 && st == DIP_OK; count--) {
        dip_str_clear(&table);
        st = render(&table, first, columns, count, rows, count > 1 ? 0 : width,
                    err);
        if (widest_line(dip_str_text(&table)) <= line_limit(width))
            break;
    }
    dip_str_add(out, "\n");
    dip_str_add(out, dip_str_text(&table));
    dip_str_free(&table);
    return st;
}

/* ---- run and data -------------------------------------------------------- */

static const char *get_text(const json_t *report, const char *part,
                            const char *key)
{
    const char *text =
        json_string_value(json_object_get(json_object_get(report, part), key));
    return text != NULL ? text : "–";
}

/* Where only the first numbers of the embeddings rank. */
static void add_part(dip_str *out, const json_t *run)
{
    const json_t *dim = json_object_get(run, "dim");
    const json_t *whole = json_object_get(run, "embed_dim");
    if (json_integer_value(dim) < json_integer_value(whole))
        dip_str_addf(out, " of the first %" PRId64 " of %" PRId64 " numbers",
                     (int64_t)json_integer_value(dim),
                     (int64_t)json_integer_value(whole));
}

static void add_ensemble(dip_str *out, const json_t *report, int width)
{
    const char *title;
    json_t *value, *facts = dip_report_ensemble_facts(report);
    json_object_foreach (facts, title, value) {
        dip_str line = {0};
        dip_str_addf(&line, "%s: %s", title, json_string_value(value));
        add_line(out, &line, width);
        dip_str_free(&line);
    }
    out->failed |= facts == NULL;
    json_decref(facts);
}

static void add_head(dip_str *out, const json_t *report, int width)
{
    dip_str line = {0};
    const json_t *rows =
        json_object_get(json_object_get(report, "data"), "rows");
    dip_str_add(&line, get_text(report, "run", "name"));
    if (json_object_get(json_object_get(report, "data"), "split") != NULL)
        dip_str_addf(&line, ", %s on %s", get_text(report, "run", "checkpoint"),
                     get_text(report, "data", "split"));
    if (rows != NULL)
        dip_str_addf(&line, " (%" PRId64 " rows)",
                     (int64_t)json_integer_value(rows));
    dip_str_addf(&line, " of %s", get_text(report, "data", "path"));
    if (json_object_get(json_object_get(report, "run"), "similarity") != NULL)
        dip_str_addf(&line, ", by %s", get_text(report, "run", "similarity"));
    add_part(&line, json_object_get(report, "run"));
    add_line(out, &line, width);
    dip_str_free(&line);
    add_ensemble(out, report, width);
}

/* ---- retrieval ----------------------------------------------------------- */

static const dip_report_column retrieval[] = {
    {"hit@1", "hit@1", DIP_REPORT_REAL},
    {"low", "interval/hit@1/low", DIP_REPORT_REAL},
    {"high", "interval/hit@1/high", DIP_REPORT_REAL},
    {"hit@10", "hit@10", DIP_REPORT_REAL},
    {"MRR", "mrr", DIP_REPORT_REAL},
    {"nDCG@10", "ndcg@10", DIP_REPORT_REAL},
    {"median", "median_rank", DIP_REPORT_RANK},
    {"queries", "queries", DIP_REPORT_COUNT},
    {"gallery", "gallery", DIP_REPORT_COUNT},
};

static const dip_report_column gains[] = {
    {"hit@1", "hit@1", DIP_REPORT_REAL},
    {"gain", "gain/hit@1/mean", DIP_REPORT_SIGNED},
    {"low", "gain/hit@1/low", DIP_REPORT_SIGNED},
    {"high", "gain/hit@1/high", DIP_REPORT_SIGNED},
};

static dip_status add_gains(dip_str *out, const dip_report_row *task, int width,
                            dip_err *err)
{
    dip_report_rows fields;
    dip_status st = dip_report_members(
        &fields, json_object_get(task->values, "alone"), err);
    if (st == DIP_OK && fields.count > 0) {
        dip_str line = {0};
        dip_str_addf(&line, "What fusion adds to %s", task->name);
        dip_str_add(out, "\n");
        add_line(out, &line, width);
        dip_str_free(&line);
        st = add_table(out, "alone", gains, DIP_ARRAY_LEN(gains), &fields,
                       width, err);
    }
    free(fields.items);
    return st;
}

static const dip_report_column reranked[] = {
    {"hit@1", "rerank/hit@1", DIP_REPORT_REAL},
    {"gain", "rerank/gain/hit@1/mean", DIP_REPORT_SIGNED},
    {"low", "rerank/gain/hit@1/low", DIP_REPORT_SIGNED},
    {"high", "rerank/gain/hit@1/high", DIP_REPORT_SIGNED},
    {"MRR", "rerank/mrr", DIP_REPORT_REAL},
    {"gain", "rerank/gain/mrr/mean", DIP_REPORT_SIGNED},
    {"first", "rerank/n", DIP_REPORT_COUNT},
};

/* At the usual cutoffs, where they were asked for. */
static const dip_report_column recommended[] = {
    {"recall@10", "recall@10", DIP_REPORT_REAL},
    {"recall@20", "recall@20", DIP_REPORT_REAL},
    {"nDCG@20", "ndcg@20", DIP_REPORT_REAL},
    {"coverage@20", "recommendation/coverage@20", DIP_REPORT_REAL},
    {"Gini@20", "recommendation/gini@20", DIP_REPORT_REAL},
    {"popularity@20", "recommendation/popularity@20", DIP_REPORT_REAL},
    {"lift@20", "recommendation/popularity_lift@20", DIP_REPORT_SIGNED},
    {"users", "recommendation/users", DIP_REPORT_COUNT},
};

static bool recommends(const dip_report_rows *tasks)
{
    bool any = false;
    for (size_t i = 0; i < tasks->count; i++)
        any |=
            json_object_get(tasks->items[i].values, "recommendation") != NULL;
    return any;
}

static dip_status add_retrieval(dip_str *out, const json_t *report, int width,
                                dip_err *err)
{
    dip_report_rows tasks;
    dip_status st =
        dip_report_members(&tasks, json_object_get(report, "retrieval"), err);
    if (st == DIP_OK)
        st = add_table(out, "task", retrieval, DIP_ARRAY_LEN(retrieval), &tasks,
                       width, err);
    if (st == DIP_OK && recommends(&tasks))
        st = add_table(out, "recommended", recommended,
                       DIP_ARRAY_LEN(recommended), &tasks, width, err);
    for (size_t i = 0; i < tasks.count && st == DIP_OK; i++)
        st = add_gains(out, &tasks.items[i], width, err);
    if (st == DIP_OK)
        st = add_table(out, "re-ranked", reranked, DIP_ARRAY_LEN(reranked),
                       &tasks, width, err);
    free(tasks.items);
    return st;
}

/* ---- classification ------------------------------------------------------ */

static const dip_report_column averages[] = {
    {"accuracy", "accuracy", DIP_REPORT_REAL},
    {"low", "interval/accuracy/low", DIP_REPORT_REAL},
    {"high", "interval/accuracy/high", DIP_REPORT_REAL},
    {"macro F1", "f1_macro", DIP_REPORT_REAL},
    {"weighted F1", "f1_weighted", DIP_REPORT_REAL},
    {"balanced", "balanced_accuracy", DIP_REPORT_REAL},
    {"ROC AUC", "roc_auc_macro", DIP_REPORT_REAL},
    {"ECE", "ece", DIP_REPORT_REAL},
    {"classes", "classes", DIP_REPORT_COUNT},
    {"rows", "rows", DIP_REPORT_COUNT},
};

static const dip_report_column worst[] = {
    {"F1", "f1", DIP_REPORT_REAL},
    {"precision", "precision", DIP_REPORT_REAL},
    {"recall", "recall", DIP_REPORT_REAL},
    {"support", "support", DIP_REPORT_COUNT},
};

static dip_status add_worst(dip_str *out, const dip_report_row *label,
                            int width, dip_err *err)
{
    dip_report_rows rows;
    dip_str first = {0};
    dip_status st = dip_report_classes(&rows, label->values, WORST_SUPPORT,
                                       dip_report_by_f1, err);
    if (rows.count > WORST_CLASSES)
        rows.count = WORST_CLASSES;
    dip_str_add(&first, "worst of ");
    (void)dip_utf8_fit(&first, label->name, strlen(label->name),
                       LONGEST_NAME - first.len);
    if (st == DIP_OK)
        st = dip_str_status(&first, err);
    if (st == DIP_OK)
        st = add_table(out, dip_str_text(&first), worst, DIP_ARRAY_LEN(worst),
                       &rows, width, err);
    dip_str_free(&first);
    free(rows.items);
    return st;
}

/* Why a label was not told from frozen embeddings. */
static void add_skipped(dip_str *out, const char *first,
                        const dip_report_row *label, int width)
{
    const char *why =
        json_string_value(json_object_get(label->values, "skipped"));
    dip_str line = {0};
    if (why == NULL)
        return;
    dip_str_addf(&line, "%s %s skipped: %s", first, label->name, why);
    dip_str_add(out, "\n");
    add_line(out, &line, width);
    dip_str_free(&line);
}

static const dip_report_column thresholds[] = {
    {"from", "value", DIP_REPORT_REAL},
    {"F1", "f1", DIP_REPORT_REAL},
    {"precision", "precision", DIP_REPORT_REAL},
    {"recall", "recall", DIP_REPORT_REAL},
    {"accuracy", "accuracy", DIP_REPORT_REAL},
    {"F1 on val", "validation_f1", DIP_REPORT_REAL},
};

/* A label of two classes at the threshold of its probability. */
static dip_status add_threshold(dip_str *out, const dip_report_row *label,
                                int width, dip_err *err)
{
    const json_t *values = json_object_get(label->values, "threshold");
    const char *name = json_string_value(json_object_get(values, "class"));
    if (name == NULL)
        return DIP_OK;
    dip_report_row row = {.name = name, .values = values};
    dip_report_rows rows = {.items = &row, .count = 1};
    dip_str first = {0};
    dip_str_add(&first, "threshold of ");
    (void)dip_utf8_fit(&first, label->name, strlen(label->name),
                       LONGEST_NAME - first.len);
    dip_status st = dip_str_status(&first, err);
    if (st == DIP_OK)
        st = add_table(out, dip_str_text(&first), thresholds,
                       DIP_ARRAY_LEN(thresholds), &rows, width, err);
    dip_str_free(&first);
    return st;
}

static dip_status add_labels(dip_str *out, const json_t *report,
                             const char *key, const char *first, int width,
                             dip_err *err)
{
    dip_report_rows labels;
    dip_status st =
        dip_report_members(&labels, json_object_get(report, key), err);
    if (st == DIP_OK)
        st = add_table(out, first, averages, DIP_ARRAY_LEN(averages), &labels,
                       width, err);
    for (size_t i = 0; i < labels.count && st == DIP_OK; i++)
        add_skipped(out, first, &labels.items[i], width);
    for (size_t i = 0; i < labels.count && st == DIP_OK; i++)
        st = add_threshold(out, &labels.items[i], width, err);
    for (size_t i = 0; i < labels.count && st == DIP_OK; i++)
        st = add_worst(out, &labels.items[i], width, err);
    free(labels.items);
    return st;
}

/* ---- matching ------------------------------------------------------------ */

static const dip_report_column matching[] = {
    {"F1", "f1", DIP_REPORT_REAL},
    {"low", "interval/f1/low", DIP_REPORT_REAL},
    {"high", "interval/f1/high", DIP_REPORT_REAL},
    {"AUC", "auc", DIP_REPORT_REAL},
    {"accuracy", "accuracy", DIP_REPORT_REAL},
    {"precision", "precision", DIP_REPORT_REAL},
    {"recall", "recall", DIP_REPORT_REAL},
    {"positives", "positives", DIP_REPORT_COUNT},
};

static dip_status add_matching(dip_str *out, const json_t *report, int width,
                               dip_err *err)
{
    const json_t *part = json_object_get(report, "matching");
    const char *skipped = json_string_value(json_object_get(part, "skipped"));
    if (part == NULL)
        return DIP_OK;
    if (skipped != NULL) {
        dip_str line = {0};
        dip_str_addf(&line, "matching skipped: %s", skipped);
        dip_str_add(out, "\n");
        add_line(out, &line, width);
        dip_str_free(&line);
        return DIP_OK;
    }
    dip_report_row row = {get_text(report, "matching", "task"), part};
    dip_report_rows rows = {&row, 1};
    return add_table(out, "matching", matching, DIP_ARRAY_LEN(matching), &rows,
                     width, err);
}

/* ---- fields -------------------------------------------------------------- */

static const dip_report_column attributes[] = {
    {"rows", "rows", DIP_REPORT_COUNT},
    {"missing", "missing", DIP_REPORT_COUNT},
    {"unknown", "unknown", DIP_REPORT_COUNT},
};

static dip_status add_attributes(dip_str *out, const json_t *report, int width,
                                 dip_err *err)
{
    dip_report_rows fields;
    dip_status st =
        dip_report_members(&fields, json_object_get(report, "fields"), err);
    if (st == DIP_OK)
        st = add_table(out, "field", attributes, DIP_ARRAY_LEN(attributes),
                       &fields, width, err);
    free(fields.items);
    return st;
}

/* ---- all ----------------------------------------------------------------- */

dip_status dip_report_text(dip_str *out, const json_t *report, int width,
                           dip_err *err)
{
    dip_status st = dip_report_check(report, err);
    if (st != DIP_OK)
        return st;
    add_head(out, report, width);
    st = add_retrieval(out, report, width, err);
    if (st == DIP_OK)
        st = add_labels(out, report, "classification", "label", width, err);
    if (st == DIP_OK)
        st =
            add_labels(out, report, "zero_shot", "zero-shot label", width, err);
    if (st == DIP_OK)
        st = add_labels(out, report, "knn", "k-NN label", width, err);
    if (st == DIP_OK)
        st = add_labels(out, report, "linear_probe", "linear probe of", width,
                        err);
    if (st == DIP_OK)
        st = add_matching(out, report, width, err);
    if (st == DIP_OK)
        st = add_attributes(out, report, width, err);
    return st == DIP_OK ? dip_str_status(out, err) : st;
}
