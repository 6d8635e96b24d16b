/* The results of a sweep (docs/sweep.md) as a table for a terminal, as CSV and
 * as a page. `results` is JSON of the schema "diptych-sweep/1". */
#ifndef DIP_REPORT_SWEEP_H
#define DIP_REPORT_SWEEP_H

#include <jansson.h>

#include "base/status.h"
#include "base/str.h"

/* Trials, best first, in `width` columns (0: any); then what went wrong and
 * which run is the best. */
dip_status dip_report_sweep_text(dip_str *out, const json_t *results, int width,
                                 dip_err *err) DIP_MUST_CHECK;
/* The same trials, a line each. */
dip_status dip_report_sweep_csv(dip_str *out, const json_t *results,
                                dip_err *err) DIP_MUST_CHECK;
/* The best by time, and the table; a page that needs nothing else, as
 * report/html.h. */
dip_status dip_report_sweep_html(dip_str *out, const json_t *results,
                                 dip_err *err) DIP_MUST_CHECK;

/* Appends a parameter's value as text; for the report of sweeps alone. */
void dip_report_sweep_value(dip_str *out, const json_t *value);

#endif
