/* A log of JSON lines (log.jsonl), one object a line, flushed per line. */
#ifndef DIP_BASE_LOG_H
#define DIP_BASE_LOG_H

#include <jansson.h>

#include "base/status.h"

typedef struct dip_log dip_log;

/* Opens `path` to append. A last line without its end, left by a crash, is cut
 * off first. The caller ends *out with dip_log_close(). */
dip_status dip_log_open(dip_log **out, const char *path,
                        dip_err *err) DIP_MUST_CHECK;
/* Appends one line. `object` is borrowed; NULL is DIP_ENOMEM. */
dip_status dip_log_write(dip_log *log, const json_t *object,
                         dip_err *err) DIP_MUST_CHECK;
void dip_log_close(dip_log *log); /* accepts NULL */

#endif
