#include <math.h>
#include <stddef.h>

#include "eval/scan_private.h"

/* ---- a heap of hits ---- */

static bool is_better(const int64_t *keys, dip_hit a, dip_hit b)
{
    if (a.score != b.score)
        return a.score > b.score;
    if (keys != NULL && a.row != b.row && keys[a.row] != keys[b.row])
        return keys[a.row] < keys[b.row];
    return a.row < b.row;
}

/* Lets heap[0] sink in a heap of n hits whose root is the worst. */
static void sink(dip_hit *heap, int64_t n, const int64_t *keys)
{
    dip_hit hit = heap[0];
    int64_t at = 0;
    for (int64_t child = 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && is_better(keys, heap[child], heap[child + 1]))
            child++;
        if (!is_better(keys, hit, heap[child]))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = hit;
}

void dip_best_clear(dip_hit *hits, int64_t k)
{
    for (int64_t i = 0; i < k; i++)
        hits[i] = (dip_hit){-INFINITY, -1};
}

void dip_best_put(dip_hit *heap, int64_t k, const int64_t *keys, dip_hit hit)
{
    if (!is_better(keys, hit, heap[0]))
        return;
    heap[0] = hit;
    sink(heap, k, keys);
}

/* Taking the worst again and again leaves the best in front. */
void dip_best_sort(dip_hit *heap, int64_t k, const int64_t *keys)
{
    for (int64_t left = k - 1; left > 0; left--) {
        dip_hit worst = heap[0];
        heap[0] = heap[left];
        heap[left] = worst;
        sink(heap, left, keys);
    }
}

/* ---- a list that knows some scores roughly ---- */

/* Puts a number in the place of the root, the least, of a heap. */
static void replace_least(float *heap, int64_t n, float x)
{
    int64_t at = 0;
    for (int64_t child = 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && heap[child + 1] < heap[child])
            child++;
        if (x <= heap[child])
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = x;
}

/* Twice the length, for rows whose places the rough scores leave open. */
int64_t dip_best_room(int64_t k)
{
    return 2 * k + 32;
}

void dip_best_start(dip_best *best)
{
    dip_best_clear(best->hits, best->k);
    for (int64_t i = 0; i < best->k; i++)
        best->lows[i] = -INFINITY;
    best->maybes = 0;
}

void dip_best_add(dip_best *best, dip_hit hit)
{
    if (hit.score > best->lows[0])
        replace_least(best->lows, best->k, hit.score);
    dip_best_put(best->hits, best->k, best->keys, hit);
}

/* Forgets the candidates that cannot be among the best any more. */
static void thin_out(dip_best *best)
{
    int64_t kept = 0;
    for (int64_t i = 0; i < best->maybes; i++) {
        if (best->maybe[i].high >= best->lows[0])
            best->maybe[kept++] = best->maybe[i];
    }
    best->maybes = kept;
}

void dip_best_suspect(dip_best *best, dip_candidate candidate)
{
    if (best->maybes == best->room) {
        thin_out(best);
        if (best->maybes > best->room / 2)
            dip_best_settle(best);
    }
    if (candidate.low > best->lows[0])
        replace_least(best->lows, best->k, candidate.low);
    best->maybe[best->maybes++] = candidate;
}

void dip_best_settle(dip_best *best)
{
    for (int64_t i = 0; i < best->maybes;) {
        int64_t rows[DIP_TILE_PAIRS], n = 0;
        float scores[DIP_TILE_PAIRS];
        for (; i < best->maybes && n < DIP_TILE_PAIRS; i++) {
            if (best->maybe[i].high >= best->lows[0])
                rows[n++] = best->maybe[i].row;
        }
        dip_scan_pairs(best->scan, scores, best->query, rows, n);
        for (int64_t j = 0; j < n; j++)
            dip_best_put(best->hits, best->k, best->keys,
                         (dip_hit){scores[j], rows[j]});
    }
    best->maybes = 0;
    for (int64_t i = 0; i < best->k; i++)
        best->lows[i] =
            best->hits[i].score; /* a heap by score is one by both */
}
