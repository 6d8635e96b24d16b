/* TensorBoard event files: records of protocol buffers with masked CRC-32C, as
 * TensorBoard reads them (tensorflow/core/util/event.proto, record_writer). */
#ifndef DIP_REPORT_EVENTS_H
#define DIP_REPORT_EVENTS_H

#include <stdint.h>

#include "base/status.h"

typedef struct dip_events dip_events;

/* Makes events.out.tfevents.<seconds>.<host>.<pid> in `dir`. A resumed run
 * makes a new file beside the old one; TensorBoard reads both. The caller ends
 * *out with dip_events_close(). */
dip_status dip_events_open(dip_events **out, const char *dir,
                           dip_err *err) DIP_MUST_CHECK;
/* One point of the curve `tag` ("train/loss"), at the time of the call. */
dip_status dip_events_scalar(dip_events *events, const char *tag, int64_t step,
                             double value, dip_err *err) DIP_MUST_CHECK;
dip_status dip_events_flush(dip_events *events, dip_err *err) DIP_MUST_CHECK;
void dip_events_close(dip_events *events); /* NULL allowed */

#endif
