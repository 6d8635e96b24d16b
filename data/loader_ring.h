/* The batches that a loader works on: buffers for `depth` of them, in a ring.
 * Nothing here locks; the loader does. */
#ifndef DIP_DATA_LOADER_RING_H
#define DIP_DATA_LOADER_RING_H

#include <stdint.h>

#include "base/status.h"
#include "data/loader.h"

typedef struct {
    dip_batch batch;
    int64_t taken;   /* rows that threads have taken, from 0 on */
    int64_t done;    /* rows that are finished */
    int64_t skipped; /* images among them that could not be decoded */
    int64_t failed;  /* the first row that failed, or -1 */
    dip_err err;     /* why */
} dip_ring_slot;

typedef struct {
    dip_ring_slot *slots;
    int depth;
    int text_count, label_count, attribute_count;
} dip_ring;

/* End it with dip_ring_clear() also when this failed. */
dip_status dip_ring_init(dip_ring *ring, const dip_loader_options *options,
                         int depth, dip_err *err) DIP_MUST_CHECK;
void dip_ring_clear(dip_ring *ring);

#endif
