/* Images per second of the loader: JPEG photos of a catalog to batches of
 * normalised floats, with a random resized crop as open_clip's default has it
 * (scale .9 to 1, bicubic).
 *
 *     bench_loader CATALOG SIZE THREADS BATCH
 *
 * A measurement is one shuffled epoch over all rows, from the start of the
 * loader's threads to its last batch. The counterpart is peer_input.py. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "bench/serve.h"
#include "data/catalog.h"
#include "data/loader.h"

typedef struct {
    dip_loader *loader;
    int64_t epoch;
} reader;

static dip_status one_epoch(void *user, double *result, dip_err *err)
{
    reader *r = user;
    int64_t images = 0;
    const dip_batch *batch = NULL;
    double start = dip_bench_seconds();
    dip_status st = dip_loader_start(r->loader, r->epoch, 0, r->epoch + 1, err);
    do {
        if (st == DIP_OK)
            st = dip_loader_next(&batch, r->loader, err);
        images += st == DIP_OK && batch != NULL ? batch->size : 0;
    } while (st == DIP_OK && batch != NULL);
    *result = (double)images / (dip_bench_seconds() - start);
    r->epoch++;
    return st;
}

static int image_column(const dip_catalog *catalog)
{
    for (int i = 0; i < dip_catalog_column_count(catalog); i++) {
        if (dip_catalog_column(catalog, i)->kind == DIP_COLUMN_IMAGE)
            return i;
    }
    return -1;
}

static dip_status make_loader(dip_loader **out, const dip_catalog *catalog,
                              const int64_t numbers[3], dip_err *err)
{
    int64_t count = dip_catalog_rows(catalog);
    int64_t *rows = dip_calloc((size_t)count, sizeof *rows);
    if (rows == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < count; i++)
        rows[i] = i;
    dip_loader_options o = dip_loader_defaults();
    o.catalog = catalog;
    o.rows = rows;
    o.row_count = count;
    o.transform.size = (int)numbers[0];
    o.transform.augment_count = 1;
    o.transform.augment[0] =
        dip_augment_defaults(DIP_AUGMENT_RANDOM_RESIZED_CROP);
    o.transform.augment[0].resized_crop.scale[0] = 0.9;
    o.threads = (int)numbers[1];
    o.batch_size = numbers[2];
    o.shuffle = o.train = true;
    o.image_column = image_column(catalog);
    dip_status st = o.image_column >= 0
                        ? dip_loader_create(out, &o, err)
                        : dip_fail(err, DIP_EDATA, "no image column in '%s'",
                                   dip_catalog_path(catalog));
    free(rows);
    return st;
}

static dip_status run(const char *path, const int64_t numbers[3], dip_err *err)
{
    reader r = {0};
    dip_catalog *catalog = NULL;
    dip_status st = dip_catalog_open(&catalog, path, NULL, err);
    if (st == DIP_OK)
        st = make_loader(&r.loader, catalog, numbers, err);
    if (st == DIP_OK) {
        char about[64];
        (void)snprintf(about, sizeof about, "{\"photos\": %" PRId64 "}",
                       dip_catalog_rows(catalog));
        st = dip_bench_serve(about, one_epoch, &r, err);
    }
    dip_loader_free(r.loader);
    dip_catalog_close(catalog);
    return st;
}

int main(int argc, char **argv)
{
    int64_t numbers[3] = {0}; /* size, threads, batch */
    bool right = argc == 5;
    for (int i = 0; right && i < 3; i++)
        right = dip_bench_number(&numbers[i], argv[i + 2], 1, 4096);
    if (!right) {
        (void)fprintf(stderr, "usage: %s CATALOG SIZE THREADS BATCH\n",
                      argv[0]);
        return dip_status_exit_code(DIP_EUSAGE);
    }
    dip_err err = {0};
    dip_status st = run(argv[1], numbers, &err);
    if (st != DIP_OK)
        (void)fprintf(stderr, "bench_loader: %s\n", err.msg);
    return dip_status_exit_code(st);
}
