/* Distinct byte strings, numbered from 0 in the order in which they were met:
 * ids of rows, names of label values, groups. Start it as {0}. */
#ifndef DIP_DATA_CATALOG_NAMES_H
#define DIP_DATA_CATALOG_NAMES_H

#include "base/status.h"
#include "data/catalog.h"

typedef struct {
    char *bytes; /* all names, one behind the other */
    size_t len, byte_capacity;
    int64_t *offsets; /* [count + 1] once count > 0 */
    size_t offset_capacity;
    int64_t *slots; /* open addressing; a number or -1 */
    size_t slot_count;
    int64_t count;
} dip_names;

/* The number of `name`, which becomes the next one if it is new: *number is
 * then what `count` was before. On failure nothing changes. */
dip_status dip_names_add(dip_names *names, dip_bytes name, int64_t *number,
                         dip_err *err) DIP_MUST_CHECK;
/* The number, or -1. */
int64_t dip_names_find(const dip_names *names, dip_bytes name);
/* Borrowed until the next addition; `number` is in [0, count). */
dip_bytes dip_names_get(const dip_names *names, int64_t number);
/* All names in their order; the caller frees *out, an array of names that are
 * borrowed until the next addition. */
dip_status dip_names_list(dip_bytes **out, const dip_names *names,
                          dip_err *err) DIP_MUST_CHECK;
void dip_names_free(dip_names *names);

#endif
