#include "data/sampler.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/streams.h"

struct dip_sampler {
    dip_sampler_options options; /* .rows are ours */
    int64_t *given;              /* [count] as they came */
    int64_t *order;              /* [count] of the epoch */
    int64_t batches;
};

static dip_status check(const dip_sampler_options *options, dip_err *err)
{
    if (options->batch_size < 1)
        return dip_fail(err, DIP_ERANGE, "batch size is not positive: %lld",
                        (long long)options->batch_size);
    if (options->count < 1)
        return dip_fail(err, DIP_ERANGE, "no rows to take batches from");
    if (options->drop_last && options->count < options->batch_size)
        return dip_fail(
            err, DIP_ERANGE, "%lld rows make no whole batch of %lld",
            (long long)options->count, (long long)options->batch_size);
    return DIP_OK;
}

static int64_t *copy_rows(const dip_sampler_options *options)
{
    int64_t *copy = dip_calloc((size_t)options->count, sizeof *copy);
    if (copy != NULL)
        memcpy(copy, options->rows, (size_t)options->count * sizeof *copy);
    return copy;
}

dip_status dip_sampler_create(dip_sampler **out,
                              const dip_sampler_options *options, dip_err *err)
{
    *out = NULL;
    dip_status st = check(options, err);
    if (st != DIP_OK)
        return st;
    dip_sampler *sampler = dip_calloc(1, sizeof *sampler);
    if (sampler == NULL)
        return dip_no_memory(err);
    sampler->options = *options;
    sampler->given = copy_rows(options);
    sampler->order = copy_rows(options);
    if (sampler->given == NULL || sampler->order == NULL) {
        dip_sampler_free(sampler);
        return dip_no_memory(err);
    }
    sampler->options.rows = sampler->given;
    sampler->batches = options->count / options->batch_size;
    if (!options->drop_last && options->count % options->batch_size > 0)
        sampler->batches++;
    dip_sampler_set_epoch(sampler, 0);
    *out = sampler;
    return DIP_OK;
}

void dip_sampler_free(dip_sampler *sampler)
{
    if (sampler == NULL)
        return;
    free(sampler->given);
    free(sampler->order);
    free(sampler);
}

int64_t dip_sampler_batches(const dip_sampler *sampler)
{
    return sampler->batches;
}

/* Starts from the given order each time, so that an epoch's order does not
 * depend on the epochs before it. */
void dip_sampler_set_epoch(dip_sampler *sampler, int64_t epoch)
{
    const dip_sampler_options *options = &sampler->options;
    if (!options->shuffle)
        return;
    memcpy(sampler->order, sampler->given,
           (size_t)options->count * sizeof *sampler->order);
    dip_rng rng =
        dip_rng_stream(options->seed, DIP_STREAM_ORDER, (uint64_t)epoch, 0);
    dip_rng_shuffle(&rng, sampler->order, options->count);
}

int64_t dip_sampler_batch(const dip_sampler *sampler, int64_t batch,
                          const int64_t **rows)
{
    int64_t size = sampler->options.batch_size;
    int64_t start = batch * size;
    int64_t left = sampler->options.count - start;
    *rows = sampler->order + start;
    return left < size ? left : size;
}

dip_status dip_split_rows(int64_t **rows, int64_t *count,
                          const dip_catalog *catalog, dip_split split,
                          dip_err *err)
{
    int64_t *list = dip_calloc((size_t)dip_catalog_split_rows(catalog, split),
                               sizeof *list);
    if (list == NULL)
        return dip_no_memory(err);
    int64_t found = 0;
    for (int64_t row = 0; row < dip_catalog_rows(catalog); row++) {
        if (dip_catalog_split(catalog, row) == split)
            list[found++] = row;
    }
    *rows = list;
    *count = found;
    return DIP_OK;
}
