#include "eval/sampled.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

enum { STREAM_QUERIES = 0x73616d71, STREAM_CANDIDATES = 0x73616d63 };

/* The gallery rows of each category, and what one draw is made in. */
typedef struct {
    const dip_sampled_task *task;
    const dip_sampled_options *options;
    int64_t *by_category; /* [gallery] rows, ascending by category */
    int64_t *eligible;    /* [queries] those with a relevant row */
    int64_t eligible_count;
    bool *barred;     /* [gallery] relevant to the query, or taken */
    int64_t *pool;    /* [gallery] */
    int64_t *rows;    /* [queries of a draw, candidates], the right one first */
    double *scores;   /* beside rows */
    int64_t *offsets; /* [queries of a draw + 1], of the lists */
    int64_t *single;  /* [queries of a draw + 1], of the right ones */
    int64_t *right;   /* [queries of a draw] */
    int64_t filled;
} sampler;

/* ---- preparation ---- */

typedef struct {
    int64_t category, row;
} placed;

static int by_place(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    if (x->category != y->category)
        return x->category < y->category ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static dip_status sort_gallery(sampler *s, dip_err *err)
{
    int64_t n = s->task->gallery.rows;
    placed *items = dip_calloc((size_t)n, sizeof *items);
    if (items == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < n; i++)
        items[i] = (placed){s->task->gallery_category[i], i};
    qsort(items, (size_t)n, sizeof *items, by_place);
    for (int64_t i = 0; i < n; i++)
        s->by_category[i] = items[i].row;
    free(items);
    return DIP_OK;
}

static bool is_relevant(const dip_judged *judged, int64_t i)
{
    return judged->grades == NULL || judged->grades[i] > 0;
}

static int64_t count_relevant(const dip_judged *judged)
{
    int64_t count = 0;
    for (int64_t i = 0; i < judged->count; i++)
        count += is_relevant(judged, i);
    return count;
}

/* Finds the eligible queries: those with something relevant. */
static dip_status choose_eligible(sampler *s, dip_err *err)
{
    const dip_sampled_task *t = s->task;
    for (int64_t q = 0; q < t->queries.rows; q++) {
        dip_judged judged = dip_relevance_of(t->relevance, q);
        int64_t relevant = count_relevant(&judged);
        if (relevant == 0)
            continue;
        if (t->gallery.rows - relevant < s->options->candidates - 1)
            return dip_fail(
                err, DIP_EDATA,
                "%" PRId64 " candidates of a gallery of %" PRId64
                ", of which query %" PRId64 " has %" PRId64 " right",
                s->options->candidates, t->gallery.rows, q, relevant);
        s->eligible[s->eligible_count++] = q;
    }
    return s->eligible_count > 0
               ? DIP_OK
               : dip_fail(err, DIP_EDATA, "no query has a relevant row");
}

static dip_status open_sampler(sampler *s, dip_sampled *out, dip_err *err)
{
    const dip_sampled_task *t = s->task;
    size_t gallery = (size_t)t->gallery.rows;
    s->eligible = dip_calloc((size_t)t->queries.rows, sizeof *s->eligible);
    s->barred = dip_calloc(gallery, sizeof *s->barred);
    s->pool = dip_calloc(gallery, sizeof *s->pool);
    s->by_category = dip_calloc(gallery, sizeof *s->by_category);
    if (s->eligible == NULL || s->barred == NULL || s->pool == NULL ||
        s->by_category == NULL)
        return dip_no_memory(err);
    dip_status st = choose_eligible(s, err);
    if (st == DIP_OK && t->gallery_category != NULL)
        st = sort_gallery(s, err);
    if (st != DIP_OK)
        return st;
    out->draws = s->options->draws;
    out->candidates = s->options->candidates;
    out->queries = s->options->queries < s->eligible_count ? s->options->queries
                                                           : s->eligible_count;
    size_t n = (size_t)out->queries, cells;
    if (dip_mul_overflows(n, (size_t)out->candidates, &cells))
        return dip_no_memory(err);
    s->rows = dip_calloc(cells, sizeof *s->rows);
    s->scores = dip_calloc(cells, sizeof *s->scores);
    s->offsets = dip_calloc(n + 1, sizeof *s->offsets);
    s->single = dip_calloc(n + 1, sizeof *s->single);
    s->right = dip_calloc(n, sizeof *s->right);
    out->ranking = dip_calloc((size_t)out->draws, sizeof *out->ranking);
    bool complete = s->rows != NULL && s->scores != NULL &&
                    s->offsets != NULL && s->single != NULL &&
                    s->right != NULL && out->ranking != NULL;
    return complete ? DIP_OK : dip_no_memory(err);
}

static void close_sampler(sampler *s)
{
    free(s->eligible);
    free(s->barred);
    free(s->pool);
    free(s->by_category);
    free(s->rows);
    free(s->scores);
    free(s->offsets);
    free(s->single);
    free(s->right);
}

/* ---- a draw ---- */

/* Draws up to `wanted` of the pool without replacement, and bars them. */
static int64_t take(sampler *s, int64_t *out, int64_t wanted, int64_t pool,
                    dip_rng *rng)
{
    int64_t count = 0;
    for (; count < wanted && count < pool; count++) {
        int64_t left = pool - count;
        int64_t at = count + (int64_t)dip_rng_below(rng, (uint64_t)left);
        int64_t row = s->pool[at];
        s->pool[at] = s->pool[count];
        s->pool[count] = row;
        s->barred[row] = true;
        out[count] = row;
    }
    return count;
}

/* First place in by_category whose category is not below. */
static int64_t lower_bound(const sampler *s, int64_t category)
{
    int64_t low = 0, high = s->task->gallery.rows;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (s->task->gallery_category[s->by_category[middle]] < category)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t pool_of_category(sampler *s, int64_t category)
{
    int64_t count = 0, end = lower_bound(s, category + 1);
    for (int64_t i = lower_bound(s, category); i < end; i++) {
        if (!s->barred[s->by_category[i]])
            s->pool[count++] = s->by_category[i];
    }
    return count;
}

static int64_t pool_of_all(sampler *s)
{
    int64_t count = 0;
    for (int64_t i = 0; i < s->task->gallery.rows; i++) {
        if (!s->barred[i])
            s->pool[count++] = i;
    }
    return count;
}

/* rows[0] is the right one, behind it the others. */
static void draw_candidates(sampler *s, int64_t *rows, int64_t query,
                            dip_rng *rng)
{
    dip_judged judged = dip_relevance_of(s->task->relevance, query);
    int64_t wanted = s->options->candidates - 1, category = -1, found = 0;
    int64_t chosen =
        (int64_t)dip_rng_below(rng, (uint64_t)count_relevant(&judged));
    memset(s->barred, 0, (size_t)s->task->gallery.rows * sizeof *s->barred);
    for (int64_t i = 0; i < judged.count; i++) {
        if (!is_relevant(&judged, i))
            continue;
        if (chosen-- == 0)
            rows[0] = judged.rows[i];
        s->barred[judged.rows[i]] = true;
    }
    if (s->task->query_category != NULL)
        category = s->task->query_category[query];
    if (category >= 0)
        found = take(s, rows + 1, wanted, pool_of_category(s, category), rng);
    if (found == wanted)
        return;
    if (s->task->query_category != NULL)
        s->filled += wanted - found;
    (void)take(s, rows + 1 + found, wanted - found, pool_of_all(s), rng);
}

static double score(const dip_sampled_task *t, int64_t query, int64_t row)
{
    const float *a = t->queries.data + query * t->queries.dim;
    const float *b = t->gallery.data + row * t->gallery.dim;
    bool cosine = t->queries.similarity == DIP_SIMILARITY_COSINE;
    double sum = 0;
    for (int64_t d = 0; d < t->queries.dim; d++) {
        double off = (double)a[d] - (double)b[d];
        sum += cosine ? (double)a[d] * (double)b[d] : -off * off;
    }
    return sum;
}

static dip_status draw(dip_ranking *out, sampler *s, int64_t queries, int64_t d,
                       const dip_ranking_options *options, dip_err *err)
{
    int64_t k = s->options->candidates;
    dip_rng order =
        dip_rng_stream(s->options->seed, STREAM_QUERIES, (uint64_t)d, 0);
    dip_rng_shuffle(&order, s->eligible, s->eligible_count);
    for (int64_t i = 0; i < queries; i++) {
        int64_t query = s->eligible[i];
        dip_rng rng = dip_rng_stream(s->options->seed, STREAM_CANDIDATES,
                                     (uint64_t)d, (uint64_t)query);
        draw_candidates(s, s->rows + i * k, query, &rng);
        for (int64_t c = i * k; c < (i + 1) * k; c++)
            s->scores[c] = score(s->task, query, s->rows[c]);
        s->right[i] = s->rows[i * k];
        s->offsets[i + 1] = (i + 1) * k;
        s->single[i + 1] = i + 1;
    }
    dip_relevance relevance = {.queries = queries,
                               .lists = queries,
                               .offsets = s->single,
                               .rows = s->right};
    dip_run run = {queries, NULL, s->offsets, s->rows, s->scores};
    dip_ranking_options plain = *options;
    plain.exclude = NULL;
    plain.first = NULL;
    plain.graded = false;
    dip_status st =
        dip_ranking_evaluate_run(out, &run, &relevance, &plain, err);
    for (int64_t i = 0; i < queries && st == DIP_OK; i++)
        out->per_query[i].query = s->eligible[i];
    return st;
}

dip_status dip_sampled_evaluate(dip_sampled *out, const dip_sampled_task *task,
                                const dip_sampled_options *sampled,
                                const dip_ranking_options *options,
                                dip_err *err)
{
    sampler s = {.task = task, .options = sampled};
    *out = (dip_sampled){0};
    if (sampled->candidates < 2 || sampled->queries < 1 || sampled->draws < 1)
        return dip_fail(err, DIP_ERANGE,
                        "%" PRId64 " draws of %" PRId64 " queries with %" PRId64
                        " candidates",
                        sampled->draws, sampled->queries, sampled->candidates);
    dip_status st = dip_embeddings_check(&task->queries, "query", err);
    if (st == DIP_OK)
        st = dip_embeddings_check(&task->gallery, "gallery", err);
    if (st == DIP_OK)
        st = open_sampler(&s, out, err);
    for (int64_t d = 0; d < out->draws && st == DIP_OK; d++)
        st = draw(&out->ranking[d], &s, out->queries, d, options, err);
    out->filled = s.filled;
    close_sampler(&s);
    if (st != DIP_OK)
        dip_sampled_free(out);
    return st;
}

void dip_sampled_free(dip_sampled *sampled)
{
    if (sampled == NULL)
        return;
    for (int64_t d = 0; d < sampled->draws && sampled->ranking != NULL; d++)
        dip_ranking_free(&sampled->ranking[d]);
    free(sampled->ranking);
    *sampled = (dip_sampled){0};
}
