/* What a page draws, as keys of the report: curves, histograms, examples. */
#ifndef DIP_REPORT_PICTURES_H
#define DIP_REPORT_PICTURES_H

#include <jansson.h>

#include "base/status.h"
#include "data/catalog.h"
#include "eval/curves.h"
#include "eval/examples.h"

/* Products that are shown of what a query found. */
#define DIP_EXAMPLE_FOUND 6

/* Puts `curve` and `scores` into a task; the rest of this file returns a new
 * reference, NULL when memory is out. */
dip_status dip_report_put_curves(json_t *task, const dip_ranking_curves *curves,
                                 dip_err *err) DIP_MUST_CHECK;

/* {"from", "width", "matches": […], "others": […]} without the empty bins at
 * both ends. */
json_t *dip_report_histogram(const dip_histogram *histogram);
/* {"recall": […], "precision": […], "threshold": […]} */
json_t *dip_report_pr_curve(const dip_pr_curve *curve);

/* Where an example's rows come from; borrowed. */
typedef struct {
    const dip_outcomes *outcomes;
    const dip_catalog *catalog;
    const int64_t *gallery; /* row of the catalog of each gallery row */
    bool of_photos;         /* queries are photos of rows */
} dip_example_rows;

/* {"worst": […], "confusions": […], "sample": […]} as docs/report.md has it. */
json_t *dip_report_examples(const dip_examples *examples,
                            const dip_example_rows *rows);

#endif
