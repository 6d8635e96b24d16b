#include "eval/stored.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define BLOCK_FLOATS ((int64_t)1 << 22) /* that are searched at a time */

/* ---- searching ---- */

typedef struct {
    float *values;   /* [room, dim] rows that are present */
    int64_t *row;    /* [room] which rows they are */
    dip_hit *hits;   /* [queries, k] of the block */
    dip_hit *merged; /* [k] */
    int64_t room, count;
} block;

static dip_status make_block(block *b, const dip_embedding_info *info,
                             int64_t queries, int64_t k, dip_err *err)
{
    b->room = BLOCK_FLOATS / info->dim > 0 ? BLOCK_FLOATS / info->dim : 1;
    if (b->room > info->rows)
        b->room = info->rows > 0 ? info->rows : 1;
    size_t places;
    if (dip_mul_overflows((size_t)queries, (size_t)k, &places))
        return dip_no_memory(err);
    b->values = dip_calloc((size_t)(b->room * info->dim), sizeof *b->values);
    b->row = dip_calloc((size_t)b->room, sizeof *b->row);
    b->hits = dip_calloc(places, sizeof *b->hits);
    b->merged = dip_calloc((size_t)k, sizeof *b->merged);
    return b->values != NULL && b->row != NULL && b->hits != NULL &&
                   b->merged != NULL
               ? DIP_OK
               : dip_no_memory(err);
}

static void free_block(block *b)
{
    free(b->values);
    free(b->row);
    free(b->hits);
    free(b->merged);
}

/* Reads [first, first + count) and moves what is present to the front. */
static dip_status fill_block(block *b, const dip_embedding_store *store,
                             int64_t first, int64_t count, bool finest,
                             dip_err *err)
{
    int64_t dim = dip_embedding_store_info(store)->dim;
    const uint8_t *present = dip_embedding_store_present(store);
    dip_status st =
        dip_embedding_store_read(b->values, store, first, count, finest, err);
    b->count = 0;
    for (int64_t i = 0; i < count && st == DIP_OK; i++) {
        if (present[first + i] == 0)
            continue;
        if (b->count < i)
            memcpy(b->values + b->count * dim, b->values + i * dim,
                   (size_t)dim * sizeof *b->values);
        b->row[b->count++] = first + i;
    }
    return st;
}

/* Both lists are sorted, and all rows of `more` come behind those of `list`. */
static void merge(dip_hit *list, const dip_hit *more, const int64_t *row,
                  dip_hit *merged, int64_t k)
{
    int64_t a = 0, b = 0;
    for (int64_t i = 0; i < k; i++) {
        bool old = more[b].row < 0 ||
                   (list[a].row >= 0 && list[a].score >= more[b].score);
        merged[i] =
            old ? list[a++] : (dip_hit){more[b].score, row[more[b].row]};
        b += !old;
    }
    memcpy(list, merged, (size_t)k * sizeof *list);
}

static dip_status search_block(dip_hit *out, block *b,
                               const dip_embeddings *queries, int64_t k,
                               dip_err *err)
{
    dip_embeddings gallery = {b->values, b->count, queries->dim,
                              queries->similarity};
    if (b->count == 0)
        return DIP_OK;
    dip_status st = dip_topk_search(b->hits, queries, &gallery, NULL, k, err);
    for (int64_t q = 0; q < queries->rows && st == DIP_OK; q++)
        merge(out + q * k, b->hits + q * k, b->row, b->merged, k);
    return st;
}

dip_status dip_stored_search(dip_hit *out, const dip_embedding_store *store,
                             const dip_embeddings *queries, int64_t k,
                             bool finest, dip_err *err)
{
    const dip_embedding_info *info = dip_embedding_store_info(store);
    block b = {0};
    for (int64_t i = 0; i < queries->rows * k; i++)
        out[i] = (dip_hit){-INFINITY, -1};
    dip_status st = make_block(&b, info, queries->rows, k, err);
    for (int64_t at = 0; at < info->rows && st == DIP_OK; at += b.room) {
        int64_t left = info->rows - at;
        st = fill_block(&b, store, at, left < b.room ? left : b.room, finest,
                        err);
        if (st == DIP_OK)
            st = search_block(out, &b, queries, k, err);
    }
    free_block(&b);
    return st;
}

/* ---- ranking again ---- */

static int by_row(const void *a, const void *b)
{
    const dip_hit *x = a, *y = b;
    return (x->row > y->row) - (x->row < y->row);
}

/* In the order of rows, so that equal scores end in it. */
static dip_status rescore_list(dip_hit *list, dip_hit *better, float *values,
                               int64_t depth, const dip_embedding_store *store,
                               const dip_embeddings *query, dip_err *err)
{
    int64_t count = 0;
    dip_status st = DIP_OK;
    while (count < depth && list[count].row >= 0)
        count++;
    if (count == 0)
        return DIP_OK;
    qsort(list, (size_t)count, sizeof *list, by_row);
    for (int64_t i = 0; i < count && st == DIP_OK; i++)
        st = dip_embedding_store_read(values + i * query->dim, store,
                                      list[i].row, 1, true, err);
    dip_embeddings gallery = {values, count, query->dim, query->similarity};
    if (st == DIP_OK)
        st = dip_topk_search(better, query, &gallery, NULL, count, err);
    for (int64_t i = 0; i < count && st == DIP_OK; i++)
        better[i].row = list[better[i].row].row;
    if (st == DIP_OK)
        memcpy(list, better, (size_t)count * sizeof *list);
    return st;
}

dip_status dip_stored_rescore(dip_hit *hits, int64_t k, int64_t depth,
                              const dip_embedding_store *store,
                              const dip_embeddings *queries, dip_err *err)
{
    dip_hit *better = dip_calloc((size_t)depth, sizeof *better);
    float *values =
        dip_calloc((size_t)depth * (size_t)queries->dim, sizeof *values);
    dip_status st =
        better != NULL && values != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t q = 0; q < queries->rows && st == DIP_OK; q++) {
        dip_embeddings query = *queries;
        query.data += q * queries->dim;
        query.rows = 1;
        st = rescore_list(hits + q * k, better, values, depth, store, &query,
                          err);
    }
    free(better);
    free(values);
    return st;
}

/* ---- rows as queries ---- */

static int64_t present_rows(const dip_embedding_store *store)
{
    const uint8_t *present = dip_embedding_store_present(store);
    int64_t count = 0;
    for (int64_t i = 0; i < dip_embedding_store_info(store)->rows; i++)
        count += present[i] != 0;
    return count;
}

dip_status dip_stored_sample_read(dip_stored_sample *out,
                                  const dip_embedding_store *store,
                                  int64_t most, dip_err *err)
{
    const dip_embedding_info *info = dip_embedding_store_info(store);
    const uint8_t *present = dip_embedding_store_present(store);
    int64_t there = present_rows(store);
    int64_t wanted = there < most ? there : most;
    *out =
        (dip_stored_sample){.dim = info->dim, .similarity = info->similarity};
    if (there == 0)
        return dip_fail(err, DIP_EDATA, "no embedding in '%s'",
                        dip_embedding_store_path(store));
    out->values =
        dip_calloc((size_t)wanted * (size_t)info->dim, sizeof *out->values);
    out->rows = dip_calloc((size_t)wanted, sizeof *out->rows);
    if (out->values == NULL || out->rows == NULL)
        return dip_no_memory(err);
    int64_t seen = 0;
    dip_status st = DIP_OK;
    for (int64_t i = 0; out->count < wanted && st == DIP_OK; i++) {
        if (present[i] == 0 || seen++ < out->count * there / wanted)
            continue;
        st = dip_embedding_store_read(out->values + out->count * info->dim,
                                      store, i, 1, true, err);
        out->rows[out->count++] = i;
    }
    return st;
}

void dip_stored_sample_free(dip_stored_sample *sample)
{
    free(sample->values);
    free(sample->rows);
    *sample = (dip_stored_sample){0};
}

dip_embeddings dip_stored_sample_view(const dip_stored_sample *s)
{
    return (dip_embeddings){s->values, s->count, s->dim, s->similarity};
}

/* ---- comparing lists ---- */

void dip_hits_drop(dip_hit *hits, int64_t queries, int64_t k,
                   const int64_t *rows)
{
    for (int64_t q = 0; q < queries; q++) {
        dip_hit *list = hits + q * k;
        int64_t at = 0;
        while (at < k - 1 && list[at].row != rows[q])
            at++;
        memmove(list + at, list + at + 1, (size_t)(k - 1 - at) * sizeof *list);
        list[k - 1] = (dip_hit){-INFINITY, -1};
    }
}

double dip_hits_recall(const dip_hit *found, const dip_hit *exact,
                       int64_t queries, int64_t k, int64_t first)
{
    int64_t wanted = 0, there = 0;
    for (int64_t q = 0; q < queries; q++) {
        const dip_hit *right = exact + q * k, *list = found + q * k;
        int64_t count = 0;
        while (count < first && right[count].row >= 0)
            count++;
        wanted += count;
        for (int64_t i = 0; i < first && count > 0; i++)
            there +=
                list[i].row >= 0 && list[i].score >= right[count - 1].score;
    }
    return wanted > 0 ? (double)there / (double)wanted : (double)NAN;
}
