/* TensorBoard event files: records of protocol buffers with masked CRC-32C, as
 * TensorBoard reads them (tensorflow/core/util/event.proto, record_writer). */
#ifndef DIP_REPORT_EVENTS_H
#define DIP_REPORT_EVENTS_H

#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

typedef struct dip_events dip_events;

/* Makes events.out.tfevents.<seconds>.<host>.<pid> in `dir`, with a number
 * behind it if that exists. A resumed run makes a new file beside the old one;
 * TensorBoard reads both. The caller ends *out with dip_events_close(). */
dip_status dip_events_open(dip_events **out, const char *dir,
                           dip_err *err) DIP_MUST_CHECK;
/* One point of the curve `tag` ("train/loss"), at the time of the call. A tag
 * that is not UTF-8 is DIP_EFORMAT: it would make the file unreadable. */
dip_status dip_events_scalar(dip_events *events, const char *tag, int64_t step,
                             double value, dip_err *err) DIP_MUST_CHECK;
dip_status dip_events_flush(dip_events *events, dip_err *err) DIP_MUST_CHECK;
/* What was not flushed is written; that this fails is not told. */
void dip_events_close(dip_events *events); /* NULL allowed */

/* ---- the bytes: appended to `out`; `wall_time` in seconds since 1970 ---- */

/* The record with which a file begins. */
void dip_events_add_version(dip_str *out, double wall_time);
void dip_events_add_scalar(dip_str *out, double wall_time, const char *tag,
                           int64_t step, double value);

#endif
