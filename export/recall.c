#include "export/recall.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/topk.h"

/* The pairs of both sides, one behind the other: [pairs, width] each. */
typedef struct {
    float *partner, *rows, *wanted;
    int64_t pairs, width;
    dip_hit *found, *expected; /* [pairs, DIP_RECALL_AT] */
} searches;

static bool is_zero(const float *row, int64_t width)
{
    for (int64_t i = 0; i < width; i++) {
        if (row[i] != 0.0f)
            return false;
    }
    return true;
}

static dip_status make_room(searches *s, int64_t count, dip_err *err)
{
    size_t size = (size_t)s->width * sizeof(float);
    s->partner = dip_calloc((size_t)count, size);
    s->rows = dip_calloc((size_t)count, size);
    s->wanted = dip_calloc((size_t)count, size);
    s->found = dip_calloc((size_t)count, DIP_RECALL_AT * sizeof *s->found);
    s->expected =
        dip_calloc((size_t)count, DIP_RECALL_AT * sizeof *s->expected);
    return s->partner != NULL && s->rows != NULL && s->wanted != NULL &&
                   s->found != NULL && s->expected != NULL
               ? DIP_OK
               : dip_no_memory(err);
}

static void keep_pairs(searches *s, const dip_recall_partner *partner,
                       const float *rows, const float *wanted, int64_t count)
{
    int64_t width = s->width;
    size_t size = (size_t)width * sizeof(float);
    for (int64_t i = 0; i < count; i++) {
        if ((partner->paired != NULL && partner->paired[i] == 0) ||
            is_zero(partner->rows + i * width, width) ||
            is_zero(wanted + i * width, width))
            continue;
        memcpy(s->partner + s->pairs * width, partner->rows + i * width, size);
        memcpy(s->rows + s->pairs * width, rows + i * width, size);
        memcpy(s->wanted + s->pairs * width, wanted + i * width, size);
        s->pairs++;
    }
}

static dip_status search(dip_hit *out, const searches *s, const float *rows,
                         const dip_recall_partner *partner, dip_err *err)
{
    const dip_embeddings theirs = {s->partner, s->pairs, s->width,
                                   partner->similarity};
    const dip_embeddings given = {rows, s->pairs, s->width,
                                  partner->similarity};
    return partner->answers
               ? dip_topk_search(out, &given, &theirs, NULL, DIP_RECALL_AT, err)
               : dip_topk_search(out, &theirs, &given, NULL, DIP_RECALL_AT,
                                 err);
}

static bool holds(const dip_hit *list, int64_t row)
{
    for (int i = 0; i < DIP_RECALL_AT; i++) {
        if (list[i].row == row)
            return true;
    }
    return false;
}

static void count_hits(dip_recall *out, const searches *s)
{
    int64_t live = 0, artefact = 0, common = 0;
    int64_t depth = s->pairs < DIP_RECALL_AT ? s->pairs : DIP_RECALL_AT;
    for (int64_t i = 0; i < s->pairs; i++) {
        const dip_hit *found = s->found + i * DIP_RECALL_AT;
        const dip_hit *expected = s->expected + i * DIP_RECALL_AT;
        live += holds(expected, i);
        artefact += holds(found, i);
        for (int64_t k = 0; k < depth; k++)
            common += holds(found, expected[k].row);
    }
    double pairs = (double)s->pairs;
    *out = (dip_recall){.pairs = s->pairs,
                        .live = (double)live / pairs,
                        .artefact = (double)artefact / pairs,
                        .overlap = (double)common / (pairs * (double)depth)};
}

dip_status dip_recall_compare(dip_recall *out,
                              const dip_recall_partner *partner,
                              const float *rows, const float *wanted,
                              int64_t count, int64_t width, dip_err *err)
{
    searches s = {.width = width};
    *out = (dip_recall){0, (double)NAN, (double)NAN, (double)NAN};
    dip_status st = make_room(&s, count, err);
    if (st == DIP_OK)
        keep_pairs(&s, partner, rows, wanted, count);
    if (st == DIP_OK && s.pairs > 0) {
        st = search(s.expected, &s, s.wanted, partner, err);
        if (st == DIP_OK)
            st = search(s.found, &s, s.rows, partner, err);
        if (st == DIP_OK)
            count_hits(out, &s);
    }
    free(s.partner);
    free(s.rows);
    free(s.wanted);
    free(s.found);
    free(s.expected);
    return st;
}
