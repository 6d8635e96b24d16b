#include "eval/topk.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    dip_hit *out;
    const int64_t *keys;
    int64_t k;
    int64_t gallery;
} search;

static bool is_better(const search *s, dip_hit a, dip_hit b)
{
    if (a.score != b.score)
        return a.score > b.score;
    if (s->keys != NULL && s->keys[a.row] != s->keys[b.row])
        return s->keys[a.row] < s->keys[b.row];
    return a.row < b.row;
}

/* Lets heap[at] sink in a heap of n hits whose root is the worst. */
static void sift_down(const search *s, dip_hit *heap, int64_t n, int64_t at)
{
    dip_hit hit = heap[at];
    for (int64_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && is_better(s, heap[child], heap[child + 1]))
            child++;
        if (!is_better(s, hit, heap[child]))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = hit;
}

/* The first of scores [row, end) that is at least `bound`, or `end`: looks at
 * many at once, since few are. */
static int64_t next_at_least(const float *scores, int64_t row, int64_t end,
                             float bound)
{
    enum { MANY = 64 };
    for (; row + MANY <= end; row += MANY) {
        int any = 0;
        for (int i = 0; i < MANY; i++)
            any |= scores[row + i] >= bound;
        if (any)
            break;
    }
    while (row < end && scores[row] < bound)
        row++;
    return row;
}

static void select_best(void *context, int worker, int64_t query,
                        const float *scores)
{
    (void)worker;
    const search *s = context;
    dip_hit *heap = s->out + query * s->k;
    int64_t n = s->k < s->gallery ? s->k : s->gallery;
    for (int64_t row = 0; row < n; row++)
        heap[row] = (dip_hit){scores[row], row};
    for (int64_t at = n / 2 - 1; at >= 0; at--)
        sift_down(s, heap, n, at);
    for (int64_t row = n;; row++) {
        row = next_at_least(scores, row, s->gallery, heap[0].score);
        if (row == s->gallery)
            break;
        dip_hit hit = {scores[row], row};
        if (is_better(s, hit, heap[0])) {
            heap[0] = hit;
            sift_down(s, heap, n, 0);
        }
    }
    /* Taking the worst again and again leaves the best in front. */
    for (int64_t left = n - 1; left > 0; left--) {
        dip_hit worst = heap[0];
        heap[0] = heap[left];
        heap[left] = worst;
        sift_down(s, heap, left, 0);
    }
    for (int64_t i = n; i < s->k; i++)
        heap[i] = (dip_hit){-INFINITY, -1};
}

dip_status dip_topk_search(dip_hit *out, const dip_embeddings *queries,
                           const dip_embeddings *gallery, const int64_t *keys,
                           int64_t k, dip_err *err)
{
    if (k < 1)
        return dip_fail(err, DIP_ERANGE, "cannot search for the best %" PRId64,
                        k);
    search s = {out, keys, k, gallery->rows};
    return dip_scores_each(queries, gallery, select_best, &s, err);
}
