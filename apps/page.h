/* The page report.html of an evaluation. */
#ifndef DIP_APPS_PAGE_H
#define DIP_APPS_PAGE_H

#include <jansson.h>

#include "apps/corpus.h"
#include "base/status.h"

/* Sets the report's `training` from the log of the run in `dir`; a run whose
 * log is gone does without. */
dip_status dip_page_add_training(json_t *report, const char *dir,
                                 dip_err *err) DIP_MUST_CHECK;

/* Writes the page, with photos of the corpus. */
dip_status dip_page_write(const char *path, const json_t *report,
                          const dip_corpus *corpus,
                          dip_err *err) DIP_MUST_CHECK;

#endif
