/* Is a foreign JSON a report? Afterwards the tables can read it blindly. */
#ifndef DIP_REPORT_CHECK_H
#define DIP_REPORT_CHECK_H

#include <jansson.h>

#include "base/status.h"

/* DIP_EFORMAT, naming the key, unless `report` is of the schema
 * DIP_REPORT_SCHEMA and each key that docs/report.md names is either absent or
 * of its type. Other keys may hold anything. */
dip_status dip_report_check(const json_t *report, dip_err *err) DIP_MUST_CHECK;

#endif
