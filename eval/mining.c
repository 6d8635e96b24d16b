#include "eval/mining.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/topk.h"

typedef struct {
    const dip_mine_input *mining;
    const dip_mine_options *options;
    dip_hit *lists; /* [workers, to] wrong answers, best first */
    int64_t *out;   /* [queries, count] */
} search;

/* Puts a hit into the list of `held`; what falls off its end is lost. Equal
 * scores stay in the order of rows. Returns how many the list holds. */
static int64_t insert(dip_hit *list, int64_t held, int64_t most, dip_hit hit)
{
    int64_t at = held < most ? held++ : most - 1;
    while (at > 0 && list[at - 1].score < hit.score) {
        list[at] = list[at - 1];
        at--;
    }
    list[at] = hit;
    return held;
}

static bool is_right(const dip_mine_input *m, int64_t query, int64_t row)
{
    return m->judged != NULL
               ? dip_row_queries_grade(m->judged, m->asked[query], row) > 0
               : dip_row_keys_equal(m->keys, m->query_rows[query], row);
}

static int64_t list_wrong(dip_hit *list, const search *s, int64_t query,
                          const float *scores)
{
    const dip_mine_input *m = s->mining;
    int64_t held = 0, most = s->options->to;
    for (int64_t g = 0; g < m->gallery.rows; g++) {
        if (held == most && !(scores[g] > list[most - 1].score))
            continue;
        if (!is_right(m, query, m->gallery_rows[g]))
            held = insert(list, held, most, (dip_hit){scores[g], g});
    }
    return held;
}

static void mine_query(void *context, int worker, int64_t query,
                       const float *scores)
{
    const search *s = context;
    const dip_mine_options *o = s->options;
    dip_hit *list = s->lists + worker * o->to;
    int64_t *out = s->out + query * o->count, own = s->mining->own[query];
    int64_t held = list_wrong(list, s, query, scores), kept = 0;
    if (o->has_margin && own < 0)
        return;
    for (int64_t i = o->from - 1; i < held && kept < o->count; i++) {
        if (!o->has_margin ||
            (double)list[i].score <= (double)scores[own] - o->margin)
            out[kept++] = s->mining->gallery_rows[list[i].row];
    }
}

dip_status dip_mine(int64_t *out, const dip_mine_input *mining,
                    const dip_mine_options *options, dip_err *err)
{
    if (options->from < 1 || options->to < options->from || options->count < 1)
        return dip_fail(err, DIP_ERANGE, "no ranks from %lld to %lld",
                        (long long)options->from, (long long)options->to);
    for (int64_t i = 0; i < mining->queries.rows * options->count; i++)
        out[i] = -1;
    size_t places;
    if (dip_mul_overflows((size_t)dip_scores_workers(), (size_t)options->to,
                          &places))
        return dip_no_memory(err);
    search s = {mining, options, dip_calloc(places, sizeof *s.lists), out};
    dip_status st = s.lists != NULL
                        ? dip_scores_each(&mining->queries, &mining->gallery,
                                          mine_query, &s, err)
                        : dip_no_memory(err);
    free(s.lists);
    return st;
}
