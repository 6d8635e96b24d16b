/* What a training's log tells about its course, for reports. */
#ifndef DIP_REPORT_LEARNING_H
#define DIP_REPORT_LEARNING_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"

/* Points of each curve at most; what is more is averaged in steps of equal
 * length. */
#define DIP_LEARNING_POINTS 200

/* Reads log.jsonl into the `training` of docs/report.md. Updates that a resumed
 * run made again count once, as they were made last; those that pretrained are
 * left out, since their loss is another. Lines that are cut short
 * are passed over; a missing file is DIP_ENOTFOUND. The caller ends *out with
 * json_decref(). */
dip_status dip_report_learning(json_t **out, const char *path,
                               dip_err *err) DIP_MUST_CHECK;

/* The best value that the log's validations have of `metric`; NaN when none has
 * one. */
dip_status dip_report_learning_best(double *out, const char *path,
                                    const char *metric, bool higher_is_better,
                                    dip_err *err) DIP_MUST_CHECK;

#endif
