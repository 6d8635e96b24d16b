/* The order of rows: a pure function of the options and the epoch. */
#ifndef DIP_DATA_SAMPLER_H
#define DIP_DATA_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/catalog.h"

typedef struct {
    const int64_t *rows; /* [count], copied */
    int64_t count;       /* >= 1 */
    int64_t batch_size;  /* >= 1 */
    bool shuffle;
    bool drop_last; /* leave out an incomplete batch at the end */
    uint64_t seed;
    /* Rows that are to share a batch with row i: near[i * near_width ...], -1
     * behind the last, for all rows below near_rows; copied. In a shuffled
     * epoch each row is followed by those of its own that did not come yet.
     * NULL: none are. */
    const int64_t *near;
    int64_t near_rows, near_width;
} dip_sampler_options;

typedef struct dip_sampler dip_sampler;

/* DIP_ERANGE when there is no row, or no whole batch to be had with
 * drop_last. */
dip_status dip_sampler_create(dip_sampler **out,
                              const dip_sampler_options *options,
                              dip_err *err) DIP_MUST_CHECK;
void dip_sampler_free(dip_sampler *sampler);

/* Batches of an epoch. */
int64_t dip_sampler_batches(const dip_sampler *sampler);
/* Puts the rows into the order of `epoch`, which holds until the next call. */
void dip_sampler_set_epoch(dip_sampler *sampler, int64_t epoch);
/* Rows of a batch of that epoch; `batch` is in [0, batches). Returns their
 * number; *rows is borrowed until the next set_epoch. */
int64_t dip_sampler_batch(const dip_sampler *sampler, int64_t batch,
                          const int64_t **rows);

/* The rows of a split, ascending. The caller frees *rows. */
dip_status dip_split_rows(int64_t **rows, int64_t *count,
                          const dip_catalog *catalog, dip_split split,
                          dip_err *err) DIP_MUST_CHECK;

#endif
