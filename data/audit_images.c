#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/audit_sets.h"
#include "image/decode.h"
#include "image/hash.h"
#include "image/resize.h"

enum {
    BLOCK_ROWS = 256,
    GRID = 8,
    MAX_BITS = 3,    /* of two similar hashes */
    MAX_LEVELS = 10, /* of a cell of two similar grids */
    BANDS = MAX_BITS + 1,
    BUCKET_STEPS = 512,
    LEAST_SIDE = 64, /* hashes need no more of a photo */
};

typedef struct {
    uint64_t digest[2]; /* of bytes or pixels */
    uint64_t hash;      /* difference hash */
    uint8_t grid[GRID * GRID * 3];
    int64_t row;
} print_of_row;

typedef enum { STATE_SEEN, STATE_MISSING, STATE_BAD } image_state;

typedef struct {
    dip_decoder *decoder;
    dip_resizer *resizer;
    dip_image small;
} worker;

typedef struct {
    const dip_catalog *catalog;
    int column;
    size_t scratch; /* bytes of a slot */
    char *slots;    /* [BLOCK_ROWS, scratch] */
    dip_image_source sources[BLOCK_ROWS];
    image_state states[BLOCK_ROWS];
    print_of_row block[BLOCK_ROWS];
    worker *workers;
    int worker_count;
    print_of_row *prints; /* of all rows with an image */
    size_t count, capacity;
    dip_finding missing, bad;
} gallery;

/* ---- fingerprints -------------------------------------------------------- */

static dip_status view_source(dip_image_view *out, worker *self,
                              const dip_image_source *source, dip_err *err)
{
    if (source->pixels == NULL) {
        dip_decode_options how = {.min_side = LEAST_SIDE};
        return dip_image_decode(out, self->decoder, source->encoded.data,
                                source->encoded.len, &how, err);
    }
    *out = (dip_image_view){.pixels = source->pixels,
                            .width = (int)source->width,
                            .height = (int)source->height,
                            .channels = (int)source->channels};
    return dip_image_view_check(out, err);
}

static dip_status hash_bytes(print_of_row *out, const dip_image_source *source,
                             dip_err *err)
{
    if (source->pixels == NULL)
        return dip_audit_hash(out->digest, source->encoded.data,
                              source->encoded.len, err);
    int64_t size = source->height * source->width * source->channels;
    return dip_audit_hash(out->digest, source->pixels, (size_t)size, err);
}

static dip_status take_print(print_of_row *out, worker *self,
                             const dip_image_source *source, dip_err *err)
{
    static const dip_resize_options grid = {
        .resample = DIP_RESAMPLE_BILINEAR, .width = GRID, .height = GRID};
    dip_image_view image;
    memset(out->grid, 0, sizeof out->grid);
    dip_status st = view_source(&image, self, source, err);
    if (st == DIP_OK)
        st = hash_bytes(out, source, err);
    if (st == DIP_OK)
        st = dip_image_dhash(&out->hash, self->resizer, &image, err);
    if (st == DIP_OK)
        st = dip_resize(&self->small, self->resizer, &image, &grid, err);
    if (st == DIP_OK)
        memcpy(out->grid, self->small.pixels,
               (size_t)(GRID * GRID * self->small.channels));
    return st;
}

static void note_example(dip_finding *finding, int64_t row)
{
    finding->count++;
    if (finding->example_count == DIP_AUDIT_EXAMPLES)
        return;
    int64_t *example = finding->examples[finding->example_count++];
    example[0] = row;
    example[1] = -1;
}

static dip_status load_block(gallery *g, int64_t first, int count, dip_err *err)
{
    for (int i = 0; i < count; i++) {
        dip_status st = dip_catalog_image(g->catalog, g->column, first + i,
                                          g->slots + (size_t)i * g->scratch,
                                          &g->sources[i], err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

static dip_status print_block(gallery *g, int count, dip_err *err)
{
    dip_status worst = DIP_OK;
#pragma omp parallel for schedule(dynamic, 4)
    for (int i = 0; i < count; i++) {
        const dip_image_source *source = &g->sources[i];
        g->states[i] = STATE_MISSING;
        if (source->pixels == NULL && source->encoded.len == 0)
            continue;
        dip_status st = take_print(
            &g->block[i], &g->workers[omp_get_thread_num()], source, NULL);
        g->states[i] = st == DIP_OK ? STATE_SEEN : STATE_BAD;
        if (st == DIP_ENOMEM) {
#pragma omp critical(dip_audit_fault)
            worst = dip_no_memory(err);
        }
    }
    return worst;
}

static dip_status keep_block(gallery *g, int64_t first, int count, dip_err *err)
{
    dip_status st =
        dip_reserve(&g->prints, &g->capacity, g->count + (size_t)count,
                    sizeof *g->prints, err);
    for (int i = 0; i < count && st == DIP_OK; i++) {
        g->block[i].row = first + i;
        if (g->states[i] == STATE_SEEN)
            g->prints[g->count++] = g->block[i];
        else
            note_example(g->states[i] == STATE_BAD ? &g->bad : &g->missing,
                         first + i);
    }
    return st;
}

static dip_status take_prints(gallery *g, const dip_import_progress *progress,
                              dip_err *err)
{
    int64_t rows = dip_catalog_rows(g->catalog);
    dip_status st = DIP_OK;
    for (int64_t first = 0; first < rows && st == DIP_OK; first += BLOCK_ROWS) {
        int64_t left = rows - first;
        int count = left < BLOCK_ROWS ? (int)left : BLOCK_ROWS;
        st = load_block(g, first, count, err);
        if (st == DIP_OK)
            st = print_block(g, count, err);
        if (st == DIP_OK)
            st = keep_block(g, first, count, err);
        if (st == DIP_OK)
            st = dip_import_tick(progress, first + count, rows, err);
    }
    return st;
}

/* ---- similar images: buckets of a part of the hash, then pairs ----------- */

/* Hashes that differ in at most 3 of 64 bits agree in at least one of 4 bands
 * of 16. The bands take the bits along diagonals: rows and columns of one
 * colour, the background of product photos, would fill one bucket else. */
static uint64_t band_of(uint64_t hash, int band)
{
    uint64_t bits = 0;
    for (int y = 0; y < 8; y++) {
        for (int x = (band + y) % BANDS; x < 8; x += BANDS)
            bits = bits << 1 | (hash >> (8 * y + x) & 1);
    }
    return bits;
}

typedef struct {
    uint64_t band, hash;
    size_t print;
} bucket_entry;

static int compare_entries(const void *a, const void *b)
{
    const bucket_entry *x = a, *y = b;
    if (x->band != y->band)
        return x->band < y->band ? -1 : 1;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return (x->print > y->print) - (x->print < y->print);
}

static bool are_similar(const print_of_row *a, const print_of_row *b)
{
    if (dip_image_hash_distance(a->hash, b->hash) > MAX_BITS)
        return false;
    for (size_t i = 0; i < sizeof a->grid; i++) {
        if (abs(a->grid[i] - b->grid[i]) > MAX_LEVELS)
            return false;
    }
    return memcmp(a->digest, b->digest, sizeof a->digest) != 0;
}

/* For each image a similar one in another split, and one of another product
 * in the same split; -1 while there is none. */
typedef struct {
    int64_t *across, *within;
} partners;

static void join_pair(partners *p, const gallery *g, size_t a, size_t b)
{
    int64_t x = g->prints[a].row, y = g->prints[b].row;
    if (dip_catalog_group(g->catalog, x) == dip_catalog_group(g->catalog, y))
        return;
    bool apart =
        dip_catalog_split(g->catalog, x) != dip_catalog_split(g->catalog, y);
    int64_t *list = apart ? p->across : p->within;
    list[a] = list[a] < 0 ? y : list[a];
    list[b] = list[b] < 0 ? x : list[b];
}

/* In a bucket that is very full only neighbours by hash are compared, so that
 * the time does not grow with the square of the rows. */
static void join_similar(partners *p, const gallery *g, bucket_entry *entries,
                         int band)
{
    for (size_t i = 0; i < g->count; i++)
        entries[i] = (bucket_entry){band_of(g->prints[i].hash, band),
                                    g->prints[i].hash, i};
    qsort(entries, g->count, sizeof *entries, compare_entries);
    for (size_t i = 0; i < g->count; i++) {
        for (size_t j = i + 1; j < g->count && j <= i + BUCKET_STEPS &&
                               entries[j].band == entries[i].band;
             j++) {
            size_t a = entries[i].print, b = entries[j].print;
            if (are_similar(&g->prints[a], &g->prints[b]))
                join_pair(p, g, a, b);
        }
    }
}

/* A pair is an example once, under its first row. */
static void note_partner(dip_finding *finding, int64_t row, int64_t partner)
{
    if (partner < 0)
        return;
    finding->count++;
    if (partner < row || finding->example_count == DIP_AUDIT_EXAMPLES)
        return;
    int64_t *example = finding->examples[finding->example_count++];
    example[0] = row;
    example[1] = partner;
}

static dip_status find_similar(dip_audit *audit, const gallery *g,
                               const char *column, dip_err *err)
{
    dip_finding leak = {.kind = DIP_AUDIT_SIMILAR_LEAK, .column = column};
    dip_finding similar = {.kind = DIP_AUDIT_IMAGE_SIMILAR, .column = column};
    bucket_entry *entries = dip_calloc(g->count, sizeof *entries);
    partners p = {dip_calloc(g->count, sizeof *p.across),
                  dip_calloc(g->count, sizeof *p.within)};
    dip_status st = DIP_OK;
    if (entries == NULL || p.across == NULL || p.within == NULL) {
        st = dip_no_memory(err);
        goto out_free;
    }
    for (size_t i = 0; i < g->count; i++)
        p.across[i] = p.within[i] = -1;
    for (int band = 0; band < BANDS; band++)
        join_similar(&p, g, entries, band);
    for (size_t i = 0; i < g->count; i++) {
        note_partner(&leak, g->prints[i].row, p.across[i]);
        note_partner(&similar, g->prints[i].row, p.within[i]);
    }
    st = dip_audit_add(audit, &leak, err);
    if (st == DIP_OK)
        st = dip_audit_add(audit, &similar, err);
out_free:
    free(entries);
    free(p.across);
    free(p.within);
    return st;
}

static dip_status find_equal(dip_audit *audit, const gallery *g,
                             dip_audit_key *keys, const char *column,
                             dip_err *err)
{
    for (size_t i = 0; i < g->count; i++)
        keys[i] = (dip_audit_key){
            .key = {g->prints[i].digest[0], g->prints[i].digest[1]},
            .row = g->prints[i].row};
    return dip_audit_sets(audit, NULL, keys, g->count, g->catalog, column,
                          DIP_AUDIT_IMAGE_LEAK, DIP_AUDIT_IMAGE_SAME, err);
}

/* ---- the whole ----------------------------------------------------------- */

static dip_status open_gallery(gallery *g, const dip_catalog *catalog,
                               int column, dip_err *err)
{
    const char *name = dip_catalog_column(catalog, column)->name;
    *g = (gallery){.catalog = catalog,
                   .column = column,
                   .scratch = dip_catalog_image_scratch(catalog, column),
                   .missing = {.kind = DIP_AUDIT_IMAGE_MISSING, .column = name},
                   .bad = {.kind = DIP_AUDIT_IMAGE_BAD, .column = name}};
    g->slots = dip_calloc(BLOCK_ROWS, g->scratch);
    int threads = omp_get_max_threads();
    g->workers = dip_calloc((size_t)threads, sizeof *g->workers);
    if (g->slots == NULL || g->workers == NULL)
        return dip_no_memory(err);
    g->worker_count = threads;
    dip_status st = DIP_OK;
    for (int i = 0; i < threads && st == DIP_OK; i++) {
        st = dip_decoder_create(&g->workers[i].decoder, err);
        if (st == DIP_OK)
            st = dip_resizer_create(&g->workers[i].resizer, false, err);
    }
    return st;
}

static void close_gallery(gallery *g)
{
    for (int i = 0; i < g->worker_count; i++) {
        dip_decoder_destroy(g->workers[i].decoder);
        dip_resizer_destroy(g->workers[i].resizer);
        dip_image_free(&g->workers[i].small);
    }
    free(g->workers);
    free(g->slots);
    free(g->prints);
}

dip_status dip_audit_images(dip_audit *audit, const dip_catalog *catalog,
                            int column, const dip_audit_options *options,
                            dip_err *err)
{
    const char *name = dip_catalog_column(catalog, column)->name;
    dip_audit_key *keys = NULL;
    gallery *g = calloc(1, sizeof *g); /* its block is too large for a stack */
    if (g == NULL)
        return dip_no_memory(err);
    dip_status st = open_gallery(g, catalog, column, err);
    if (st == DIP_OK)
        st = take_prints(g, &options->progress, err);
    if (st == DIP_OK)
        st = dip_audit_add(audit, &g->missing, err);
    if (st == DIP_OK)
        st = dip_audit_add(audit, &g->bad, err);
    if (st == DIP_OK) {
        keys = dip_calloc(g->count, sizeof *keys);
        st = keys != NULL ? DIP_OK : dip_no_memory(err);
    }
    if (st == DIP_OK)
        st = find_equal(audit, g, keys, name, err);
    if (st == DIP_OK)
        st = find_similar(audit, g, name, err);
    free(keys);
    close_gallery(g);
    free(g);
    return st;
}
