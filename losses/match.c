#include "losses/match.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

static void add_pair(dip_match_pairs *out, int64_t query, int64_t item,
                     float target)
{
    out->queries[out->count] = query;
    out->items[out->count] = item;
    out->targets[out->count++] = target;
}

static bool is_negative(const dip_match_batch *b, int64_t query, int64_t item)
{
    return b->valid[item] && !b->positives[query * b->rows + item];
}

static int64_t count_negatives(const dip_match_batch *b, int64_t query)
{
    int64_t count = 0;
    for (int64_t j = 0; j < b->rows; j++)
        count += is_negative(b, query, j);
    return count;
}

/* Keeps the `most` best items in `best`, in order; returns how many. */
static int64_t find_hardest(int64_t *best, const dip_match_batch *b,
                            int64_t query, int64_t most)
{
    const float *scores = b->scores + query * b->rows;
    int64_t kept = 0;
    for (int64_t j = 0; j < b->rows && most > 0; j++) {
        if (!is_negative(b, query, j) ||
            (kept == most && !(scores[j] > scores[best[kept - 1]])))
            continue;
        int64_t at = kept < most ? kept++ : kept - 1;
        for (; at > 0 && scores[j] > scores[best[at - 1]]; at--)
            best[at] = best[at - 1];
        best[at] = j;
    }
    return kept;
}

static int64_t find_nth(const dip_match_batch *b, int64_t query, int64_t n)
{
    for (int64_t j = 0; j < b->rows; j++)
        if (is_negative(b, query, j) && n-- == 0)
            return j;
    return -1;
}

static void add_query(dip_match_pairs *out, const dip_match_batch *b,
                      int64_t query, int64_t *best)
{
    int64_t negatives = count_negatives(b, query);
    add_pair(out, query, query, 1.0f);
    if (negatives == 0)
        return;
    int64_t hard = find_hardest(best, b, query, b->hard);
    for (int64_t k = 0; k < hard; k++)
        add_pair(out, query, best[k], 0.0f);
    int64_t nth = (int64_t)(b->draws[query] % (uint64_t)negatives);
    add_pair(out, query, find_nth(b, query, nth), 0.0f);
}

dip_status dip_match_pairs_choose(dip_match_pairs *out,
                                  const dip_match_batch *b, dip_err *err)
{
    *out = (dip_match_pairs){0};
    int64_t hard = b->hard < b->rows ? b->hard : b->rows;
    size_t room;
    if (dip_mul_overflows((size_t)b->rows, (size_t)hard + 2, &room))
        return dip_no_memory(err);
    int64_t *best = dip_calloc((size_t)hard + 1, sizeof *best);
    out->queries = dip_calloc(room, sizeof *out->queries);
    out->items = dip_calloc(room, sizeof *out->items);
    out->targets = dip_calloc(room, sizeof *out->targets);
    dip_status st = DIP_OK;
    if (best == NULL || out->queries == NULL || out->items == NULL ||
        out->targets == NULL)
        st = dip_no_memory(err);
    for (int64_t i = 0; i < b->rows && st == DIP_OK; i++)
        if (b->valid[i])
            add_query(out, b, i, best);
    free(best);
    if (st != DIP_OK)
        dip_match_pairs_free(out);
    return st;
}

void dip_match_pairs_free(dip_match_pairs *pairs)
{
    free(pairs->queries);
    free(pairs->items);
    free(pairs->targets);
    *pairs = (dip_match_pairs){0};
}

dip_tensor *dip_loss_match(const dip_tensor *logits, const dip_tensor *targets)
{
    dip_scope_open();
    /* -t log s(x) - (1 - t) log(1 - s(x)), s being the sigmoid */
    dip_tensor *each =
        dip_t_sub(dip_t_softplus(logits), dip_t_mul(targets, logits));
    dip_tensor *loss = dip_tensor_numel(logits) > 0 ? dip_t_mean_all(each)
                                                    : dip_t_sum_all(each);
    loss = dip_tensor_return(loss);
    dip_scope_close();
    return loss;
}
