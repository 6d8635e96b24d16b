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
    int64_t *near;               /* of the options, ours; NULL: none */
    int64_t *shuffled;           /* [count] what is put into order; with near */
    bool *waits;                 /* [near_rows] not in order yet; with near */
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

static dip_status copy_near(dip_sampler *sampler, dip_err *err)
{
    const dip_sampler_options *o = &sampler->options;
    if (o->near == NULL)
        return DIP_OK;
    for (int64_t i = 0; i < o->count; i++) {
        if (o->rows[i] >= o->near_rows)
            return dip_fail(err, DIP_ERANGE, "row %lld has no place among %lld",
                            (long long)o->rows[i], (long long)o->near_rows);
    }
    size_t places = (size_t)o->near_rows * (size_t)o->near_width;
    sampler->near = dip_calloc(places, sizeof *sampler->near);
    sampler->shuffled = dip_calloc((size_t)o->count, sizeof *sampler->shuffled);
    sampler->waits = dip_calloc((size_t)o->near_rows, sizeof *sampler->waits);
    if (sampler->near == NULL || sampler->shuffled == NULL ||
        sampler->waits == NULL)
        return dip_no_memory(err);
    memcpy(sampler->near, o->near, places * sizeof *sampler->near);
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
    st = sampler->given != NULL && sampler->order != NULL
             ? copy_near(sampler, err)
             : dip_no_memory(err);
    if (st != DIP_OK) {
        dip_sampler_free(sampler);
        return st;
    }
    sampler->options.rows = sampler->given;
    sampler->options.near = sampler->near;
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
    free(sampler->near);
    free(sampler->shuffled);
    free(sampler->waits);
    free(sampler);
}

int64_t dip_sampler_batches(const dip_sampler *sampler)
{
    return sampler->batches;
}

static int64_t take(dip_sampler *s, int64_t row, int64_t taken)
{
    if (row < 0 || row >= s->options.near_rows || !s->waits[row])
        return taken;
    s->waits[row] = false;
    s->order[taken] = row;
    return taken + 1;
}

/* Lets rows that are near each other follow each other. */
static void gather_near(dip_sampler *s)
{
    int64_t count = s->options.count, width = s->options.near_width, taken = 0;
    memcpy(s->shuffled, s->order, (size_t)count * sizeof *s->order);
    for (int64_t i = 0; i < count; i++)
        s->waits[s->shuffled[i]] = true;
    for (int64_t i = 0; i < count; i++) {
        int64_t row = s->shuffled[i];
        if (!s->waits[row])
            continue;
        taken = take(s, row, taken);
        for (int64_t k = 0; k < width; k++)
            taken = take(s, s->near[row * width + k], taken);
    }
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
    if (sampler->near != NULL)
        gather_near(sampler);
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
