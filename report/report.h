/* The report of an evaluation: JSON of the schema "diptych-report/1"
 * (docs/report.md), and Markdown and terminal tables made from that JSON alone.
 *
 * Functions that return json_t * return a new reference, or NULL when memory is
 * out. A value that does not exist (NaN, infinite) is null. */
#ifndef DIP_REPORT_REPORT_H
#define DIP_REPORT_REPORT_H

#include <jansson.h>

#include "base/status.h"
#include "base/str.h"
#include "eval/class_scores.h"
#include "eval/classification.h"
#include "eval/matching.h"
#include "eval/ranking.h"
#include "eval/stats.h"

#define DIP_REPORT_SCHEMA "diptych-report/1"
/* Of the file beside X.json that keeps the outcome of each query
 * (eval/outcomes.h). */
#define DIP_REPORT_QUERIES_SUFFIX ".queries.h5"
/* The only task there of rankings made elsewhere. */
#define DIP_REPORT_RANKINGS "rankings"

/* {"queries", "evaluated", "skipped", "gallery", "hit@1", …, "median_rank"},
 * and "max_grade" beside the graded metrics: means over the evaluated queries.
 */
json_t *dip_report_ranking(const dip_ranking *ranking);
/* {"mean", "low", "high"} */
json_t *dip_report_interval(const dip_interval *interval);
/* Name of a class; NUL-terminated, borrowed. */
typedef const char *(*dip_class_name)(void *user, int64_t class_index);
/* {"rows", "missing", "classes", "present", "accuracy", "precision_macro", …,
 * "f1_weighted", "per_class": [{"name", "support", "predicted", "correct",
 * "precision", "recall", "f1"}]}; classes that occur neither as label nor as
 * prediction are left out of per_class. Names that are not UTF-8 are repaired
 * with U+FFFD. */
json_t *dip_report_classification(const dip_classification *c,
                                  dip_class_name name, void *user);
/* Adds to the latter, of `n` rows and the probabilities of `columns` classes:
 * "accuracy@k" for the cutoffs above 1 and below `columns`, "areas",
 * "roc_auc_macro", "average_precision_macro", the same with
 * "_weighted", "brier", "ece", "ece_max",
 * "calibration", and the areas of the items of per_class. Non-zero when memory
 * is out. */
int dip_report_put_scores(json_t *report, const dip_classification *c,
                          const dip_class_scores *scores, int64_t n,
                          int64_t columns, const int64_t *cutoffs,
                          int n_cutoffs);
/* Adds "confusion" {"classes", "counts"}, of the classes with most rows and of
 * all others together, and "confused" [{"label", "predicted", "count"}], the
 * most frequent mistakes, from the rows of `c`. */
dip_status dip_report_put_confusion(json_t *report, const dip_classification *c,
                                    const int32_t *labels,
                                    const int32_t *predicted, int64_t n,
                                    dip_class_name name, void *user,
                                    dip_err *err) DIP_MUST_CHECK;
/* {"positives", "negatives", "random", "same_category", "threshold",
 * "validation_f1", "accuracy", "precision", "recall", "f1", "auc"} */
json_t *dip_report_matching(const dip_matching *matching);

/* Appends the whole report: run and data, a table of the retrieval tasks (with
 * what each field alone gives and the paired intervals), of classification
 * and zero-shot (averages, then the classes), of matching, and what is known of
 * the fields that are labels or numbers. `report` is checked
 * as untrusted input: DIP_EFORMAT names the key, and *out is as it was. */
dip_status dip_report_markdown(dip_str *out, const json_t *report,
                               dip_err *err) DIP_MUST_CHECK;
/* The same in short for a terminal of `width` columns. */
dip_status dip_report_text(dip_str *out, const json_t *report, int width,
                           dip_err *err) DIP_MUST_CHECK;

#endif
