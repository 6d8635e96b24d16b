/* Writing JSON objects a key at a time. Every json_object_set_new() takes NULL
 * for what ran out of memory, ends the value and returns non-zero; so failures
 * are summed up and asked for once, by dip_report_whole(). */
#ifndef DIP_REPORT_PUT_H
#define DIP_REPORT_PUT_H

#include <jansson.h>
#include <stdint.h>

/* `object`, or NULL, ending it, after faults. */
json_t *dip_report_whole(json_t *object, int faults);

/* Non-zero when memory is out. A real that is not finite becomes null. */
int dip_report_put_real(json_t *object, const char *key, double value);
int dip_report_put_count(json_t *object, const char *key, int64_t value);

/* JSON holds UTF-8 alone, a catalog's names may be anything: bad bytes become
 * U+FFFD. */
json_t *dip_report_name(const char *bytes);

#endif
