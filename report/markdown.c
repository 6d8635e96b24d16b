#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/check.h"
#include "report/ensemble.h"
#include "report/escape.h"
#include "report/report.h"
#include "report/rows.h"
#include "report/slices.h"

#define MOST_CLASSES  50 /* in a table of classes */
#define MOST_CONFUSED 10
#define MOST_COLUMNS  16

/* ---- tables -------------------------------------------------------------- */

static void add_titles(dip_str *out, const char *first,
                       const dip_report_column *const *columns, size_t n)
{
    dip_str_addf(out, "| %s |", first);
    for (size_t c = 0; c < n; c++)
        dip_str_addf(out, " %s |", columns[c]->title);
    dip_str_add(out, "\n|:--|");
    for (size_t c = 0; c < n; c++)
        dip_str_add(out, "--:|");
    dip_str_add(out, "\n");
}

/* A table of the columns among `all` [n <= MOST_COLUMNS] that exist, of the
 * first `most` rows; nothing when there are none. */
static void add_table(dip_str *out, const char *first,
                      const dip_report_column *all, size_t n,
                      const dip_report_rows *rows, size_t most)
{
    const dip_report_column *columns[MOST_COLUMNS];
    size_t count = dip_report_columns(columns, all, n, rows);
    if (rows->count == 0 || count == 0)
        return;
    add_titles(out, first, columns, count);
    for (size_t r = 0; r < rows->count && r < most; r++) {
        dip_str_add(out, "| ");
        dip_escape_markdown(out, rows->items[r].name);
        dip_str_add(out, " |");
        for (size_t c = 0; c < count; c++) {
            char cell[DIP_REPORT_CELL];
            dip_report_cell(cell, rows->items[r].values, columns[c]);
            dip_str_addf(out, " %s |", cell);
        }
        dip_str_add(out, "\n");
    }
    dip_str_add(out, "\n");
}

static void tabulate(void *out, const char *first,
                     const dip_report_column *columns, size_t n,
                     const dip_report_rows *rows, size_t most)
{
    dip_str title = {0};
    dip_escape_markdown(&title, first);
    add_table(out, dip_str_text(&title), columns, n, rows, most);
    dip_str_free(&title);
}

/* The worst slices of each of the parts, tasks or labels. */
static dip_status add_slices(dip_str *out, const dip_report_rows *parts,
                             const char *metric, dip_err *err)
{
    dip_status st = DIP_OK;
    for (size_t i = 0; i < parts->count && st == DIP_OK; i++) {
        const json_t *part = parts->items[i].values;
        if (json_object_size(json_object_get(part, "slices")) == 0)
            continue;
        dip_str_add(out, "### Worst slices of ");
        dip_escape_markdown(out, parts->items[i].name);
        dip_str_add(out, "\n\n");
        st = dip_report_slices(out, part, metric, tabulate, err);
    }
    return st;
}

/* ---- run and data -------------------------------------------------------- */

static void add_fact(dip_str *out, const char *title, const json_t *value)
{
    if (value == NULL || json_is_null(value))
        return;
    dip_str_addf(out, "- %s: ", title);
    if (json_is_string(value))
        dip_escape_markdown(out, json_string_value(value));
    else if (json_is_integer(value))
        dip_str_addf(out, "%" PRId64, (int64_t)json_integer_value(value));
    else
        dip_str_addf(out, "%.6g", json_number_value(value));
    dip_str_add(out, "\n");
}

static void add_ensemble(dip_str *out, const json_t *report)
{
    const char *title;
    json_t *value, *facts = dip_report_ensemble_facts(report);
    json_object_foreach (facts, title, value) {
        dip_str_add(out, "- ");
        dip_escape_markdown(out, title);
        dip_str_add(out, ": ");
        dip_escape_markdown(out, json_string_value(value));
        dip_str_add(out, "\n");
    }
    out->failed |= facts == NULL;
    json_decref(facts);
}

static void add_head(dip_str *out, const json_t *report)
{
    static const struct {
        const char *part, *key, *title;
    } facts[] = {{"run", "dir", "run directory"},
                 {"run", "checkpoint", "checkpoint"},
                 {"run", "step", "step"},
                 {"run", "version", "version"},
                 {"run", "similarity", "similarity"},
                 {"run", "embed_dim", "numbers of an embedding"},
                 {"run", "dim", "of which rank the first"},
                 {"run", "seed", "seed"},
                 {"run", "parameters", "trained parameters"},
                 {"run", "seconds", "seconds of training"},
                 {"run", "cpu_seconds", "seconds of processor time"},
                 {"run", "threads", "threads"},
                 {"data", "path", "data"},
                 {"data", "digest", "digest"},
                 {"data", "split", "split"},
                 {"data", "rows", "rows"},
                 {"protocol", "ties", "ties"},
                 {"protocol", "gain", "gain of nDCG"},
                 {"protocol", "resamples", "bootstrap resamples"}};
    const char *name = json_string_value(
        json_object_get(json_object_get(report, "run"), "name"));
    dip_str_add(out, "# Evaluation");
    if (name != NULL) {
        dip_str_add(out, " of ");
        dip_escape_markdown(out, name);
    }
    dip_str_add(out, "\n\n");
    size_t start = out->len;
    for (size_t i = 0; i < DIP_ARRAY_LEN(facts); i++)
        add_fact(out, facts[i].title,
                 json_object_get(json_object_get(report, facts[i].part),
                                 facts[i].key));
    add_ensemble(out, report);
    if (out->len > start)
        dip_str_add(out, "\n");
}

/* ---- retrieval ----------------------------------------------------------- */

static const dip_report_column retrieval[] = {
    {"queries", "queries", DIP_REPORT_COUNT},
    {"skipped", "skipped", DIP_REPORT_COUNT},
    {"gallery", "gallery", DIP_REPORT_COUNT},
    {"hit@1", "hit@1", DIP_REPORT_REAL},
    {"hit@5", "hit@5", DIP_REPORT_REAL},
    {"hit@10", "hit@10", DIP_REPORT_REAL},
    {"recall@10", "recall@10", DIP_REPORT_REAL},
    {"MRR", "mrr", DIP_REPORT_REAL},
    {"MAP", "map", DIP_REPORT_REAL},
    {"nDCG@10", "ndcg@10", DIP_REPORT_REAL},
    {"exp. nDCG@10", "ndcg_exp@10", DIP_REPORT_REAL},
    {"ERR", "err", DIP_REPORT_REAL},
    {"RBP", "rbp", DIP_REPORT_REAL},
    {"median rank", "median_rank", DIP_REPORT_RANK},
};

static const dip_report_column intervals[] = {
    {"hit@1", "interval/hit@1/mean", DIP_REPORT_REAL},
    {"low", "interval/hit@1/low", DIP_REPORT_REAL},
    {"high", "interval/hit@1/high", DIP_REPORT_REAL},
};

static const dip_report_column gains[] = {
    {"hit@1", "hit@1", DIP_REPORT_REAL},
    {"gain", "gain/hit@1/mean", DIP_REPORT_SIGNED},
    {"low", "gain/hit@1/low", DIP_REPORT_SIGNED},
    {"high", "gain/hit@1/high", DIP_REPORT_SIGNED},
    {"nDCG@10", "ndcg@10", DIP_REPORT_REAL},
    {"gain", "gain/ndcg@10/mean", DIP_REPORT_SIGNED},
    {"low", "gain/ndcg@10/low", DIP_REPORT_SIGNED},
    {"high", "gain/ndcg@10/high", DIP_REPORT_SIGNED},
};

static bool has_member(const dip_report_rows *rows, const char *key)
{
    for (size_t i = 0; i < rows->count; i++) {
        if (json_object_size(json_object_get(rows->items[i].values, key)) > 0)
            return true;
    }
    return false;
}

/* A table for each task of what it is with other fields, in `key`. */
static dip_status add_gains(dip_str *out, const dip_report_rows *tasks,
                            const char *key, const char *word, dip_err *err)
{
    for (size_t i = 0; i < tasks->count; i++) {
        dip_report_rows fields;
        dip_status st = dip_report_members(
            &fields, json_object_get(tasks->items[i].values, key), err);
        if (st != DIP_OK)
            return st;
        dip_str first = {0};
        dip_escape_markdown(&first, tasks->items[i].name);
        dip_str_addf(&first, " %s", word);
        add_table(out, dip_str_text(&first), gains, DIP_ARRAY_LEN(gains),
                  &fields, SIZE_MAX);
        out->failed |= first.failed;
        dip_str_free(&first);
        free(fields.items);
    }
    return DIP_OK;
}

static dip_status add_ablations(dip_str *out, const dip_report_rows *tasks,
                                dip_err *err)
{
    dip_status st = DIP_OK;
    if (has_member(tasks, "alone")) {
        dip_str_add(out, "### What fusion adds\n\n"
                         "The task by one field alone, and the gain of all its "
                         "fields over that, with a paired 95 % interval.\n\n");
        st = add_gains(out, tasks, "alone", "by", err);
    }
    if (st == DIP_OK && has_member(tasks, "without")) {
        dip_str_add(out, "### What each field is worth\n\n"
                         "The task without one field, and the gain of all its "
                         "fields over that, with a paired 95 % interval.\n\n");
        st = add_gains(out, tasks, "without", "without", err);
    }
    if (st == DIP_OK && has_member(tasks, "permuted")) {
        dip_str_add(out, "### What relies on each field\n\n"
                         "The task with one field dealt out anew among the "
                         "products, and the gain of all fields as they are "
                         "over that, with a paired 95 % interval.\n\n");
        st = add_gains(out, tasks, "permuted", "with others'", err);
    }
    return st;
}

static const dip_report_column reranked[] = {
    {"first", "rerank/n", DIP_REPORT_COUNT},
    {"hit@1", "rerank/hit@1", DIP_REPORT_REAL},
    {"gain", "rerank/gain/hit@1/mean", DIP_REPORT_SIGNED},
    {"low", "rerank/gain/hit@1/low", DIP_REPORT_SIGNED},
    {"high", "rerank/gain/hit@1/high", DIP_REPORT_SIGNED},
    {"MRR", "rerank/mrr", DIP_REPORT_REAL},
    {"gain", "rerank/gain/mrr/mean", DIP_REPORT_SIGNED},
    {"low", "rerank/gain/mrr/low", DIP_REPORT_SIGNED},
    {"high", "rerank/gain/mrr/high", DIP_REPORT_SIGNED},
};

static const dip_report_column sampled[] = {
    {"candidates", "sampled/candidates", DIP_REPORT_COUNT},
    {"queries", "sampled/queries", DIP_REPORT_COUNT},
    {"draws", "sampled/draws", DIP_REPORT_COUNT},
    {"hit@1", "sampled/hit@1", DIP_REPORT_REAL},
    {"low", "sampled/interval/hit@1/low", DIP_REPORT_REAL},
    {"high", "sampled/interval/hit@1/high", DIP_REPORT_REAL},
    {"hit@5", "sampled/hit@5", DIP_REPORT_REAL},
    {"hit@10", "sampled/hit@10", DIP_REPORT_REAL},
    {"MRR", "sampled/mrr", DIP_REPORT_REAL},
};

static void add_value(dip_str *out, const json_t *value)
{
    if (json_is_number(value))
        dip_str_addf(out, " | %.3f", json_number_value(value));
    else
        dip_str_add(out, " | –");
}

static void add_sampled(dip_str *out, const dip_report_rows *tasks)
{
    if (!has_member(tasks, "sampled"))
        return;
    dip_str_add(out, "### Among sampled candidates\n\n"
                     "One right product and others drawn for each query. Not "
                     "to be compared with figures of the whole gallery.\n\n");
    add_table(out, "task", sampled, DIP_ARRAY_LEN(sampled), tasks, SIZE_MAX);
}

/* " (0.310 to 0.352)"; nothing without an interval. */
static void add_bounds(dip_str *out, const json_t *interval)
{
    const json_t *low = json_object_get(interval, "low");
    const json_t *high = json_object_get(interval, "high");
    if (json_is_number(low) && json_is_number(high))
        dip_str_addf(out, " (%.3f to %.3f)", json_number_value(low),
                     json_number_value(high));
}

/* A row for each cutoff of a task, which its key "coverage@…" names. */
static void add_recommendation(dip_str *out, const char *task, json_t *part,
                               const json_t *values)
{
    static const char *const names[] = {"coverage", "gini", "popularity",
                                        "popularity_lift"};
    for (void *i = json_object_iter(part); i != NULL;
         i = json_object_iter_next(part, i)) {
        const char *at = strchr(json_object_iter_key(i), '@');
        char key[64];
        if (at == NULL || strncmp(json_object_iter_key(i), "coverage@", 9) != 0)
            continue;
        dip_str_add(out, "| ");
        dip_escape_markdown(out, task);
        dip_str_add(out, " ");
        dip_escape_markdown(out, at);
        static const char *const accuracies[] = {"recall", "ndcg"};
        for (size_t n = 0; n < DIP_ARRAY_LEN(accuracies); n++) {
            (void)snprintf(key, sizeof key, "%s%s", accuracies[n], at);
            add_value(out, json_object_get(values, key));
        }
        for (size_t n = 0; n < DIP_ARRAY_LEN(names); n++) {
            (void)snprintf(key, sizeof key, "%s%s", names[n], at);
            add_value(out, json_object_get(part, key));
            add_bounds(out,
                       json_object_get(json_object_get(part, "interval"), key));
        }
        dip_str_add(out, " |\n");
    }
}

static void add_recommendations(dip_str *out, const dip_report_rows *tasks)
{
    if (!has_member(tasks, "recommendation"))
        return;
    dip_str_add(out, "### Recommendations\n\n"
                     "Without what a user had before; with 95 % intervals "
                     "over users.\n\n"
                     "| lists | recall | nDCG | coverage | Gini | popularity | "
                     "lift |\n|:--|--:|--:|--:|--:|--:|--:|\n");
    for (size_t i = 0; i < tasks->count; i++) {
        const json_t *values = tasks->items[i].values;
        json_t *part = json_object_get(values, "recommendation");
        add_recommendation(out, tasks->items[i].name, part, values);
    }
    dip_str_add(out, "\n");
}

/* What the slices of tasks are sorted by. */
static const char *slice_metric(const json_t *report)
{
    const char *metric = json_string_value(
        json_object_get(json_object_get(report, "protocol"), "slice_metric"));
    return metric != NULL ? metric : "mrr";
}

static dip_status add_retrieval(dip_str *out, const json_t *report,
                                dip_err *err)
{
    dip_report_rows tasks;
    dip_status st =
        dip_report_members(&tasks, json_object_get(report, "retrieval"), err);
    if (st != DIP_OK)
        return st;
    if (tasks.count > 0) {
        dip_str_add(out, "## Retrieval\n\n");
        add_table(out, "task", retrieval, DIP_ARRAY_LEN(retrieval), &tasks,
                  SIZE_MAX);
    }
    if (has_member(&tasks, "interval")) {
        dip_str_add(out, "### hit@1 with its 95 % interval\n\n");
        add_table(out, "task", intervals, DIP_ARRAY_LEN(intervals), &tasks,
                  SIZE_MAX);
    }
    add_sampled(out, &tasks);
    add_recommendations(out, &tasks);
    st = add_ablations(out, &tasks, err);
    if (st == DIP_OK)
        st = add_slices(out, &tasks, slice_metric(report), err);
    if (has_member(&tasks, "rerank")) {
        dip_str_add(out, "### What re-ranking adds\n\n"
                         "The first products of each query in the order of the "
                         "match classifier, and the gain over the plain "
                         "ranking, with a paired 95 % interval.\n\n");
        add_table(out, "task", reranked, DIP_ARRAY_LEN(reranked), &tasks,
                  SIZE_MAX);
    }
    free(tasks.items);
    return st;
}

/* ---- classification ------------------------------------------------------ */

static const dip_report_column averages[] = {
    {"rows", "rows", DIP_REPORT_COUNT},
    {"missing", "missing", DIP_REPORT_COUNT},
    {"unknown", "unknown", DIP_REPORT_COUNT},
    {"classes", "classes", DIP_REPORT_COUNT},
    {"accuracy", "accuracy", DIP_REPORT_REAL},
    {"balanced", "balanced_accuracy", DIP_REPORT_REAL},
    {"top 5", "accuracy@5", DIP_REPORT_REAL},
    {"macro precision", "precision_macro", DIP_REPORT_REAL},
    {"macro recall", "recall_macro", DIP_REPORT_REAL},
    {"macro F1", "f1_macro", DIP_REPORT_REAL},
    {"micro F1", "f1_micro", DIP_REPORT_REAL},
    {"weighted F1", "f1_weighted", DIP_REPORT_REAL},
    {"ROC AUC", "roc_auc_macro", DIP_REPORT_REAL},
    {"PR AUC", "average_precision_macro", DIP_REPORT_REAL},
    {"ECE", "ece", DIP_REPORT_REAL},
    {"Brier", "brier", DIP_REPORT_REAL},
};

static const dip_report_column class_intervals[] = {
    {"accuracy", "interval/accuracy/mean", DIP_REPORT_REAL},
    {"low", "interval/accuracy/low", DIP_REPORT_REAL},
    {"high", "interval/accuracy/high", DIP_REPORT_REAL},
    {"balanced", "interval/balanced_accuracy/mean", DIP_REPORT_REAL},
    {"low", "interval/balanced_accuracy/low", DIP_REPORT_REAL},
    {"high", "interval/balanced_accuracy/high", DIP_REPORT_REAL},
    {"macro F1", "interval/f1_macro/mean", DIP_REPORT_REAL},
    {"low", "interval/f1_macro/low", DIP_REPORT_REAL},
    {"high", "interval/f1_macro/high", DIP_REPORT_REAL},
    {"top 5", "interval/accuracy@5/mean", DIP_REPORT_REAL},
    {"low", "interval/accuracy@5/low", DIP_REPORT_REAL},
    {"high", "interval/accuracy@5/high", DIP_REPORT_REAL},
    {"ROC AUC", "interval/roc_auc_macro/mean", DIP_REPORT_REAL},
    {"low", "interval/roc_auc_macro/low", DIP_REPORT_REAL},
    {"high", "interval/roc_auc_macro/high", DIP_REPORT_REAL},
};

static const dip_report_column classes[] = {
    {"support", "support", DIP_REPORT_COUNT},
    {"predicted", "predicted", DIP_REPORT_COUNT},
    {"precision", "precision", DIP_REPORT_REAL},
    {"recall", "recall", DIP_REPORT_REAL},
    {"F1", "f1", DIP_REPORT_REAL},
    {"ROC AUC", "roc_auc", DIP_REPORT_REAL},
    {"PR AUC", "average_precision", DIP_REPORT_REAL},
};

static const dip_report_column thresholds[] = {
    {"probability from", "value", DIP_REPORT_REAL},
    {"F1", "f1", DIP_REPORT_REAL},
    {"precision", "precision", DIP_REPORT_REAL},
    {"recall", "recall", DIP_REPORT_REAL},
    {"accuracy", "accuracy", DIP_REPORT_REAL},
    {"F1 on val", "validation_f1", DIP_REPORT_REAL},
};

/* A label of two classes at the threshold that val chose. */
static void add_threshold(dip_str *out, const dip_report_row *label)
{
    const json_t *values = json_object_get(label->values, "threshold");
    const char *name = json_string_value(json_object_get(values, "class"));
    if (name == NULL)
        return;
    dip_report_row row = {.name = name, .values = values};
    dip_report_rows rows = {.items = &row, .count = 1};
    dip_str_add(out, "### Threshold of ");
    dip_escape_markdown(out, label->name);
    dip_str_add(out, "\n\n");
    add_table(out, "told", thresholds, DIP_ARRAY_LEN(thresholds), &rows,
              SIZE_MAX);
}

/* The most frequent mistakes. */
static void add_confused(dip_str *out, const dip_report_row *label)
{
    const json_t *pairs = json_object_get(label->values, "confused");
    if (json_array_size(pairs) == 0)
        return;
    dip_str_add(out, "### Most confused of ");
    dip_escape_markdown(out, label->name);
    dip_str_add(out, "\n\n| label | taken for | rows |\n|:--|:--|--:|\n");
    for (size_t i = 0; i < json_array_size(pairs) && i < MOST_CONFUSED; i++) {
        const json_t *pair = json_array_get(pairs, i);
        dip_str_add(out, "| ");
        dip_escape_markdown(out,
                            json_string_value(json_object_get(pair, "label")));
        dip_str_add(out, " | ");
        dip_escape_markdown(
            out, json_string_value(json_object_get(pair, "predicted")));
        dip_str_addf(
            out, " | %" PRId64 " |\n",
            (int64_t)json_integer_value(json_object_get(pair, "count")));
    }
    dip_str_add(out, "\n");
}

static dip_status add_classes(dip_str *out, const dip_report_row *label,
                              dip_err *err)
{
    dip_report_rows rows;
    dip_status st =
        dip_report_classes(&rows, label->values, 0, dip_report_by_support, err);
    if (st != DIP_OK)
        return st;
    if (rows.count > 0) {
        dip_str_add(out, "### Classes of ");
        dip_escape_markdown(out, label->name);
        dip_str_add(out, "\n\n");
        add_table(out, "class", classes, DIP_ARRAY_LEN(classes), &rows,
                  MOST_CLASSES);
    }
    if (rows.count > MOST_CLASSES)
        dip_str_addf(out,
                     "%zu more classes, of at most %" PRId64
                     " rows each, are in the JSON.\n\n",
                     rows.count - MOST_CLASSES,
                     dip_report_support(&rows.items[MOST_CLASSES]));
    free(rows.items);
    return DIP_OK;
}

static dip_status add_labels(dip_str *out, const json_t *report,
                             const char *key, const char *heading, dip_err *err)
{
    dip_report_rows labels;
    dip_status st =
        dip_report_members(&labels, json_object_get(report, key), err);
    if (st != DIP_OK)
        return st;
    if (labels.count > 0) {
        dip_str_addf(out, "## %s\n\n", heading);
        add_table(out, "label", averages, DIP_ARRAY_LEN(averages), &labels,
                  SIZE_MAX);
    }
    if (has_member(&labels, "interval")) {
        dip_str_add(out, "### 95 % intervals\n\n");
        add_table(out, "label", class_intervals, DIP_ARRAY_LEN(class_intervals),
                  &labels, SIZE_MAX);
    }
    for (size_t i = 0; i < labels.count && st == DIP_OK; i++) {
        add_threshold(out, &labels.items[i]);
        st = add_classes(out, &labels.items[i], err);
        add_confused(out, &labels.items[i]);
    }
    if (st == DIP_OK)
        st = add_slices(out, &labels, NULL, err);
    free(labels.items);
    return st;
}

/* ---- frozen embeddings --------------------------------------------------- */

static const dip_report_column neighbours[] = {
    {"neighbours", "k", DIP_REPORT_COUNT},
    {"temperature", "temperature", DIP_REPORT_REAL},
    {"training rows", "train_rows", DIP_REPORT_COUNT},
};

static const dip_report_column lines[] = {
    {"C", "c", DIP_REPORT_REAL},
    {"val accuracy", "validation_accuracy", DIP_REPORT_REAL},
    {"updates", "iterations", DIP_REPORT_COUNT},
    {"training rows", "train_rows", DIP_REPORT_COUNT},
};

/* Labels, and how they were learnt from the train split. */
static dip_status add_probes(dip_str *out, const json_t *report,
                             const char *key, const char *heading,
                             const dip_report_column *columns, size_t count,
                             dip_err *err)
{
    dip_report_rows labels;
    dip_status st = add_labels(out, report, key, heading, err);
    if (st == DIP_OK)
        st = dip_report_members(&labels, json_object_get(report, key), err);
    if (st != DIP_OK)
        return st;
    if (labels.count > 0) {
        dip_str_add(out, "### How they were learnt\n\n");
        add_table(out, "label", columns, count, &labels, SIZE_MAX);
    }
    for (size_t i = 0; i < labels.count; i++) {
        const char *why = json_string_value(
            json_object_get(labels.items[i].values, "skipped"));
        if (why == NULL)
            continue;
        dip_escape_markdown(out, labels.items[i].name);
        dip_str_add(out, " was skipped: ");
        dip_escape_markdown(out, why);
        dip_str_add(out, "\n\n");
    }
    free(labels.items);
    return DIP_OK;
}

/* ---- matching ------------------------------------------------------------ */

static const dip_report_column matching[] = {
    {"positives", "positives", DIP_REPORT_COUNT},
    {"negatives", "negatives", DIP_REPORT_COUNT},
    {"same category", "same_category", DIP_REPORT_COUNT},
    {"threshold", "threshold", DIP_REPORT_REAL},
    {"accuracy", "accuracy", DIP_REPORT_REAL},
    {"precision", "precision", DIP_REPORT_REAL},
    {"recall", "recall", DIP_REPORT_REAL},
    {"F1", "f1", DIP_REPORT_REAL},
    {"AUC", "auc", DIP_REPORT_REAL},
};

static const dip_report_column match_intervals[] = {
    {"accuracy", "interval/accuracy/mean", DIP_REPORT_REAL},
    {"low", "interval/accuracy/low", DIP_REPORT_REAL},
    {"high", "interval/accuracy/high", DIP_REPORT_REAL},
    {"F1", "interval/f1/mean", DIP_REPORT_REAL},
    {"low", "interval/f1/low", DIP_REPORT_REAL},
    {"high", "interval/f1/high", DIP_REPORT_REAL},
    {"AUC", "interval/auc/mean", DIP_REPORT_REAL},
    {"low", "interval/auc/low", DIP_REPORT_REAL},
    {"high", "interval/auc/high", DIP_REPORT_REAL},
};

static void add_matching(dip_str *out, const json_t *report)
{
    const json_t *part = json_object_get(report, "matching");
    const char *skipped = json_string_value(json_object_get(part, "skipped"));
    const char *task = json_string_value(json_object_get(part, "task"));
    if (part == NULL)
        return;
    dip_str_add(out, "## Matching\n\n");
    if (skipped != NULL) {
        dip_str_add(out, "Skipped: ");
        dip_escape_markdown(out, skipped);
        dip_str_add(out, "\n\n");
        return;
    }
    dip_report_row row = {task != NULL ? task : "–", part};
    dip_report_rows rows = {&row, 1};
    add_table(out, "task", matching, DIP_ARRAY_LEN(matching), &rows, 1);
    if (json_object_size(json_object_get(part, "interval")) > 0) {
        dip_str_add(out, "### 95 % intervals\n\n");
        add_table(out, "task", match_intervals, DIP_ARRAY_LEN(match_intervals),
                  &rows, 1);
    }
}

/* ---- fields -------------------------------------------------------------- */

static const dip_report_column attributes[] = {
    {"rows", "rows", DIP_REPORT_COUNT},
    {"missing", "missing", DIP_REPORT_COUNT},
    {"unknown", "unknown", DIP_REPORT_COUNT},
};

static dip_status add_attributes(dip_str *out, const json_t *report,
                                 dip_err *err)
{
    dip_report_rows fields;
    dip_status st =
        dip_report_members(&fields, json_object_get(report, "fields"), err);
    if (st == DIP_OK && fields.count > 0) {
        dip_str_add(out, "## Labels and numbers of the products\n\n");
        add_table(out, "field", attributes, DIP_ARRAY_LEN(attributes), &fields,
                  SIZE_MAX);
    }
    free(fields.items);
    return st;
}

/* ---- all ----------------------------------------------------------------- */

/* Parts end with an empty line; the text with one line end. */
static void end_text(dip_str *out)
{
    while (out->len > 1 && out->data[out->len - 1] == '\n' &&
           out->data[out->len - 2] == '\n')
        out->data[--out->len] = '\0';
}

dip_status dip_report_markdown(dip_str *out, const json_t *report, dip_err *err)
{
    dip_status st = dip_report_check(report, err);
    if (st != DIP_OK)
        return st;
    add_head(out, report);
    st = add_retrieval(out, report, err);
    if (st == DIP_OK)
        st = add_labels(out, report, "classification", "Classification", err);
    if (st == DIP_OK)
        st = add_labels(out, report, "zero_shot", "Zero-shot classification",
                        err);
    if (st == DIP_OK)
        st = add_probes(out, report, "knn", "Nearest neighbours", neighbours,
                        DIP_ARRAY_LEN(neighbours), err);
    if (st == DIP_OK)
        st = add_probes(out, report, "linear_probe", "Linear probe", lines,
                        DIP_ARRAY_LEN(lines), err);
    if (st == DIP_OK)
        add_matching(out, report);
    if (st == DIP_OK)
        st = add_attributes(out, report, err);
    end_text(out);
    return st == DIP_OK ? dip_str_status(out, err) : st;
}
