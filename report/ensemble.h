/* What makes an ensemble's report another one than a run's, in words. */
#ifndef DIP_REPORT_ENSEMBLE_H
#define DIP_REPORT_ENSEMBLE_H

#include <jansson.h>

/* {"vote": "soft, zscore", "weights of type": "a 0.667, b 0.333", …}, texts
 * with the names of tasks, labels and runs in them; {} for the report of a run.
 * NULL when memory is out. The caller ends it with json_decref(). */
json_t *dip_report_ensemble_facts(const json_t *report);

#endif
