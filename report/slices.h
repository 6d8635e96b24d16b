/* The slices of a part of a report, as Markdown tables. */
#ifndef DIP_REPORT_SLICES_H
#define DIP_REPORT_SLICES_H

#include <jansson.h>
#include <stddef.h>

#include "base/status.h"
#include "report/rows.h"

/* Writes a table of the rows, at most `most` of them. */
typedef void (*dip_report_tabulate)(void *out, const char *first,
                                    const dip_report_column *columns, size_t n,
                                    const dip_report_rows *rows, size_t most);

/* A table of the worst slices of each kind that `part`, a task's or a label's,
 * has; those with few queries or rows are left out. `metric` is what the slices
 * of a task go by, or NULL. Nothing when there are no slices. */
dip_status dip_report_slices(void *out, const json_t *part, const char *metric,
                             dip_report_tabulate tabulate,
                             dip_err *err) DIP_MUST_CHECK;

#endif
