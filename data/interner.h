/* Numbers for distinct byte strings, counted from 0 in the order in which they
 * were added. */
#ifndef DIP_DATA_INTERNER_H
#define DIP_DATA_INTERNER_H

#include <stdint.h>

#include "base/status.h"
#include "data/catalog.h"

typedef struct dip_interner dip_interner;

dip_status dip_interner_create(dip_interner **out, dip_err *err) DIP_MUST_CHECK;
void dip_interner_free(dip_interner *interner);

/* The number of `bytes`, which are copied when they are new. */
dip_status dip_interner_add(int64_t *out, dip_interner *interner,
                            dip_bytes bytes, dip_err *err) DIP_MUST_CHECK;
/* -1 when they were never added. */
int64_t dip_interner_find(const dip_interner *interner, dip_bytes bytes);

int64_t dip_interner_count(const dip_interner *interner);
/* Borrowed until the next addition; `number` is in [0, count). */
dip_bytes dip_interner_get(const dip_interner *interner, int64_t number);

#endif
