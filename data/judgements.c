/* The part of data/relevance.h that reads the catalog's judgements. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/relevance.h"
#include "data/streams.h"

/* A judgement as both kinds of lists need it: `owner` has the list. */
struct entry {
    int64_t owner, item;
    float grade;
};

struct entries {
    struct entry *items;
    size_t count, capacity;
};

/* By owner, then item, then falling grade. */
static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->owner != y->owner)
        return x->owner < y->owner ? -1 : 1;
    if (x->item != y->item)
        return x->item < y->item ? -1 : 1;
    return (x->grade < y->grade) - (x->grade > y->grade);
}

static dip_status add_entry(struct entries *entries, struct entry entry,
                            dip_err *err)
{
    dip_status st =
        dip_reserve(&entries->items, &entries->capacity, entries->count + 1,
                    sizeof *entries->items, err);
    if (st == DIP_OK)
        entries->items[entries->count++] = entry;
    return st;
}

/* Sorts, and keeps of equal pairs the one with the highest grade. */
static void sort_entries(struct entries *entries)
{
    if (entries->count == 0)
        return;
    qsort(entries->items, entries->count, sizeof *entries->items,
          compare_entries);
    size_t kept = 1;
    for (size_t i = 1; i < entries->count; i++) {
        const struct entry *last = &entries->items[kept - 1];
        const struct entry *entry = &entries->items[i];
        if (entry->owner != last->owner || entry->item != last->item)
            entries->items[kept++] = *entry;
    }
    entries->count = kept;
}

/* ---- for evaluation ---- */

/* Where each row of the catalog stands in the gallery, or -1. */
static int64_t *gallery_positions(const dip_catalog *catalog,
                                  const int64_t *gallery, int64_t count)
{
    int64_t rows = dip_catalog_rows(catalog);
    int64_t *position = dip_calloc((size_t)rows, sizeof *position);
    if (position == NULL)
        return NULL;
    for (int64_t row = 0; row < rows; row++)
        position[row] = -1;
    for (int64_t i = 0; i < count; i++)
        position[gallery[i]] = i;
    return position;
}

/* The judgements of the split with positions for rows. What lies outside the
 * gallery keeps position -1, so that its query is not lost. */
static dip_status collect_judged(struct entries *entries, int64_t *outside,
                                 const dip_catalog *catalog, dip_split split,
                                 const int64_t *position, dip_err *err)
{
    for (int64_t i = 0; i < dip_catalog_judgement_count(catalog); i++) {
        dip_judgement judgement = dip_catalog_judgement(catalog, i);
        if (judgement.split != split)
            continue;
        int64_t at = position[judgement.row];
        *outside += at < 0;
        dip_status st = add_entry(
            entries, (struct entry){judgement.query, at, judgement.grade}, err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

static dip_status fill_judged(dip_judged_queries *judged,
                              const struct entries *entries, dip_err *err)
{
    size_t n = entries->count;
    judged->query = dip_calloc(n, sizeof *judged->query);
    judged->offsets = dip_calloc(n + 1, sizeof *judged->offsets);
    judged->rows = dip_calloc(n, sizeof *judged->rows);
    judged->grades = dip_calloc(n, sizeof *judged->grades);
    if (judged->query == NULL || judged->offsets == NULL ||
        judged->rows == NULL || judged->grades == NULL)
        return dip_no_memory(err);
    int64_t written = 0;
    for (size_t i = 0; i < n; i++) {
        const struct entry *entry = &entries->items[i];
        if (i == 0 || entry->owner != entry[-1].owner)
            judged->query[judged->queries++] = entry->owner;
        if (entry->item >= 0) {
            judged->rows[written] = entry->item;
            judged->grades[written++] = entry->grade;
        }
        judged->offsets[judged->queries] = written;
    }
    return DIP_OK;
}

dip_status dip_judged_queries_build(dip_judged_queries *out,
                                    const dip_catalog *catalog, dip_split split,
                                    const int64_t *gallery, int64_t count,
                                    dip_err *err)
{
    *out = (dip_judged_queries){0};
    dip_judged_queries judged = {0};
    struct entries entries = {0};
    int64_t *position = gallery_positions(catalog, gallery, count);
    if (position == NULL)
        return dip_no_memory(err);
    dip_status st = collect_judged(&entries, &judged.outside, catalog, split,
                                   position, err);
    if (st == DIP_OK) {
        sort_entries(&entries);
        st = fill_judged(&judged, &entries, err);
    }
    if (st == DIP_OK)
        *out = judged;
    else
        dip_judged_queries_free(&judged);
    free(entries.items);
    free(position);
    return st;
}

void dip_judged_queries_free(dip_judged_queries *judged)
{
    free(judged->query);
    free(judged->offsets);
    free(judged->rows);
    free(judged->grades);
    *judged = (dip_judged_queries){0};
}

/* ---- for training ---- */

static dip_status collect_answered(struct entries *entries,
                                   const dip_catalog *catalog, dip_split split,
                                   dip_err *err)
{
    for (int64_t i = 0; i < dip_catalog_judgement_count(catalog); i++) {
        dip_judgement judgement = dip_catalog_judgement(catalog, i);
        if (judgement.split != split || !(judgement.grade > 0))
            continue;
        dip_status st = add_entry(
            entries,
            (struct entry){judgement.row, judgement.query, judgement.grade},
            err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

static dip_status fill_answered(dip_row_queries *queries,
                                const struct entries *entries, dip_err *err)
{
    queries->offsets =
        dip_calloc((size_t)queries->rows + 1, sizeof *queries->offsets);
    queries->queries = dip_calloc(entries->count, sizeof *queries->queries);
    queries->grades = dip_calloc(entries->count, sizeof *queries->grades);
    if (queries->offsets == NULL || queries->queries == NULL ||
        queries->grades == NULL)
        return dip_no_memory(err);
    for (size_t i = 0; i < entries->count; i++) {
        float grade = entries->items[i].grade;
        queries->queries[i] = entries->items[i].item;
        queries->grades[i] = grade;
        queries->highest = grade > queries->highest ? grade : queries->highest;
        queries->offsets[entries->items[i].owner + 1]++;
    }
    for (int64_t row = 0; row < queries->rows; row++)
        queries->offsets[row + 1] += queries->offsets[row];
    return DIP_OK;
}

dip_status dip_row_queries_build(dip_row_queries *out,
                                 const dip_catalog *catalog, dip_split split,
                                 dip_err *err)
{
    *out = (dip_row_queries){0};
    dip_row_queries queries = {.rows = dip_catalog_rows(catalog)};
    struct entries entries = {0};
    dip_status st = collect_answered(&entries, catalog, split, err);
    if (st == DIP_OK) {
        sort_entries(&entries);
        st = fill_answered(&queries, &entries, err);
    }
    if (st == DIP_OK)
        *out = queries;
    else
        dip_row_queries_free(&queries);
    free(entries.items);
    return st;
}

void dip_row_queries_free(dip_row_queries *queries)
{
    free(queries->offsets);
    free(queries->queries);
    free(queries->grades);
    *queries = (dip_row_queries){0};
}

int64_t dip_row_queries_pick(const dip_row_queries *queries, uint64_t seed,
                             int64_t epoch, int64_t row)
{
    int64_t first = queries->offsets[row];
    int64_t count = queries->offsets[row + 1] - first;
    if (count == 0)
        return -1;
    dip_rng rng =
        dip_rng_stream(seed, DIP_STREAM_QUERY, (uint64_t)epoch, (uint64_t)row);
    return queries
        ->queries[first + (int64_t)dip_rng_below(&rng, (uint64_t)count)];
}

float dip_row_queries_grade(const dip_row_queries *queries, int64_t query,
                            int64_t row)
{
    int64_t low = queries->offsets[row], high = queries->offsets[row + 1];
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (queries->queries[middle] < query)
            low = middle + 1;
        else
            high = middle;
    }
    bool found =
        low < queries->offsets[row + 1] && queries->queries[low] == query;
    return found ? queries->grades[low] : 0;
}

void dip_row_queries_positives(uint8_t *out, const dip_row_queries *queries,
                               const int64_t *query, const int64_t *rows,
                               int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        for (int64_t j = 0; j < count; j++)
            out[i * count + j] =
                dip_row_queries_grade(queries, query[i], rows[j]) > 0;
    }
}
