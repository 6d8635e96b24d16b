/* The files of an evaluation: X.json, X.md, X.html and X.queries.h5. */
#ifndef DIP_APPS_REPORT_FILES_H
#define DIP_APPS_REPORT_FILES_H

#include <jansson.h>
#include <stdbool.h>

#include "apps/corpus.h"
#include "base/config.h"
#include "base/status.h"
#include "eval/outcomes.h"

/* Writes `path`, which ends in .json, and the others beside it; `corpus`: where
 * the photos of the page are, NULL: no page. */
dip_status dip_report_files_write(const char *path, const json_t *report,
                                  const dip_outcome_set *outcomes,
                                  const dip_corpus *corpus,
                                  dip_err *err) DIP_MUST_CHECK;

/* {"train.lr": "0.002", …}: what runs are compared by, new. NULL when memory is
 * out. */
json_t *dip_report_files_config(const dip_config *config);

/* Prints the report as tables, or as JSON. */
dip_status dip_report_files_print(const json_t *report, bool as_json,
                                  dip_err *err) DIP_MUST_CHECK;

#endif
