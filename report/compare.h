/* Comparison of evaluated runs, query by query: JSON of the schema
 * "diptych-compare/1" (docs/report.md), and tables made from that JSON alone.
 *
 * Runs whose configs differ in nothing but name, seed and where the data lie,
 * evaluated on equal data, are one side: several seeds of one config. */
#ifndef DIP_REPORT_COMPARE_H
#define DIP_REPORT_COMPARE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"
#include "base/str.h"
#include "eval/outcomes.h"
#include "eval/stats.h"

#define DIP_COMPARE_SCHEMA "diptych-compare/1"

/* An evaluated run. */
typedef struct {
    char *path; /* as given */
    json_t *report;
    dip_outcome_set outcomes;
} dip_compared_run;

/* `path` is a run directory, whose report.json is read, or a report's own path;
 * and the file of queries beside it. What is missing is DIP_ENOTFOUND and says
 * which command makes it; files that do not belong together are DIP_EDATA. The
 * caller ends *out with dip_compared_run_free(), also on failure. */
dip_status dip_compared_run_load(dip_compared_run *out, const char *path,
                                 dip_err *err) DIP_MUST_CHECK;
void dip_compared_run_free(dip_compared_run *run);

typedef struct {
    /* "mrr", of every task that all runs have, or "text_to_image.mrr"; none:
     * mrr, hit at the least and the highest cutoff, ndcg at the highest. */
    const char *const *metrics;
    size_t metric_count;
    const char *baseline; /* path of a run of that side; NULL: of the first */
    bool each;            /* every run is a side of its own */
    bool different_galleries; /* compare the queries that all runs have */
    int64_t changed;          /* queries shown of those that changed most */
    dip_stats_options stats;
} dip_compare_options;

/* Compares two runs or more; with one side it is summarised. The caller ends
 * *out with json_decref(). DIP_EDATA for runs that cannot be compared: other
 * splits, tasks, queries or galleries, a run that was given twice. */
dip_status dip_compare(json_t **out, const dip_compared_run *runs, size_t count,
                       const dip_compare_options *options,
                       dip_err *err) DIP_MUST_CHECK;

/* Append the whole comparison: tables for a terminal of `width` columns (0:
 * any), Markdown, one line of CSV for each task, metric and side, tabulars of
 * LaTeX. `comparison` is what dip_compare() made. */
dip_status dip_compare_text(dip_str *out, const json_t *comparison, int width,
                            dip_err *err) DIP_MUST_CHECK;
dip_status dip_compare_markdown(dip_str *out, const json_t *comparison,
                                dip_err *err) DIP_MUST_CHECK;
dip_status dip_compare_csv(dip_str *out, const json_t *comparison,
                           dip_err *err) DIP_MUST_CHECK;
/* One page that needs nothing else, as report/html.h. */
dip_status dip_compare_html(dip_str *out, const json_t *comparison,
                            dip_err *err) DIP_MUST_CHECK;
dip_status dip_compare_latex(dip_str *out, const json_t *comparison,
                             dip_err *err) DIP_MUST_CHECK;

#endif
