/* Fusion of rankings. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/ensemble.h"

#define RECIPROCAL_OFFSET 60.0 /* of the paper */
#define BLOCK             512  /* queries whose lists are in memory at once */

/* ---- scores ---- */

/* The spread of each query's scores, by which they are divided. */
typedef struct {
    dip_ensemble_norm norm;
    int64_t gallery;
    double *spreads; /* [queries] */
} spread_reader;

static void read_spread(void *context, int worker, int64_t query,
                        const float *scores)
{
    const spread_reader *r = context;
    double low = INFINITY, high = -INFINITY, sum = 0, square = 0;
    (void)worker;
    for (int64_t i = 0; i < r->gallery; i++) {
        low = fmin(low, (double)scores[i]);
        high = fmax(high, (double)scores[i]);
        sum += (double)scores[i];
    }
    double mean = sum / (double)r->gallery;
    for (int64_t i = 0; i < r->gallery; i++)
        square += ((double)scores[i] - mean) * ((double)scores[i] - mean);
    double spread = high - low;
    /* Equal scores have no deviation, whatever rounding makes of it. */
    if (r->norm == DIP_ENSEMBLE_ZSCORE && spread > 0)
        spread = sqrt(square / (double)r->gallery);
    r->spreads[query] = spread;
}

/* Factors [queries] of a member's scores. */
static dip_status find_factors(double *factors, const dip_ensemble_side *side,
                               double weight, dip_ensemble_norm norm,
                               dip_err *err)
{
    dip_status st = DIP_OK;
    spread_reader r = {norm, side->gallery.rows, factors};
    if (norm != DIP_ENSEMBLE_PLAIN && side->gallery.rows > 0)
        st = dip_scores_each(&side->queries, &side->gallery, read_spread, &r,
                             err);
    for (int64_t q = 0; q < side->queries.rows; q++) {
        if (norm == DIP_ENSEMBLE_PLAIN)
            factors[q] = weight;
        else
            factors[q] = factors[q] > 0 ? weight / factors[q] : 0;
    }
    return st;
}

/* Minus the squared distance is 2 q p - |p|^2, but for a number that all rows
 * of the gallery share: a dot product with one dimension more. */
static int64_t width_of(const dip_ensemble_side *side)
{
    return side->gallery.dim +
           (side->gallery.similarity == DIP_SIMILARITY_EUCLIDEAN);
}

static void put_query(float *out, const dip_ensemble_side *side, int64_t q,
                      double factor)
{
    const float *row = side->queries.data + q * side->queries.dim;
    bool distance = side->queries.similarity == DIP_SIMILARITY_EUCLIDEAN;
    for (int64_t d = 0; d < side->queries.dim; d++)
        out[d] = (float)((distance ? 2 : 1) * factor * (double)row[d]);
    if (distance)
        out[side->queries.dim] = (float)-factor;
}

static void put_product(float *out, const dip_ensemble_side *side, int64_t p)
{
    const float *row = side->gallery.data + p * side->gallery.dim;
    double square = 0;
    memcpy(out, row, (size_t)side->gallery.dim * sizeof *out);
    for (int64_t d = 0; d < side->gallery.dim; d++)
        square += (double)row[d] * (double)row[d];
    if (side->gallery.similarity == DIP_SIMILARITY_EUCLIDEAN)
        out[side->gallery.dim] = (float)square;
}

dip_status dip_ensemble_join(dip_ensemble_joined *out,
                             const dip_ensemble_rankers *r,
                             dip_ensemble_norm norm, dip_err *err)
{
    int64_t dim = 0, at = 0;
    int64_t count = r->sides[0].queries.rows, size = r->sides[0].gallery.rows;
    for (int m = 0; m < r->members; m++)
        dim += width_of(&r->sides[m]);
    float *queries = dip_calloc((size_t)count, (size_t)dim * sizeof(float));
    float *gallery = dip_calloc((size_t)size, (size_t)dim * sizeof(float));
    double *factors = dip_calloc((size_t)count, sizeof *factors);
    *out = (dip_ensemble_joined){{queries, gallery},
                                 {queries, count, dim, DIP_SIMILARITY_COSINE},
                                 {gallery, size, dim, DIP_SIMILARITY_COSINE}};
    dip_status st = queries != NULL && gallery != NULL && factors != NULL
                        ? DIP_OK
                        : dip_no_memory(err);
    for (int m = 0; m < r->members && st == DIP_OK; m++) {
        const dip_ensemble_side *side = &r->sides[m];
        st = find_factors(factors, side, r->weights[m], norm, err);
        for (int64_t q = 0; q < count && st == DIP_OK; q++)
            put_query(queries + q * dim + at, side, q, factors[q]);
        for (int64_t p = 0; p < size && st == DIP_OK; p++)
            put_product(gallery + p * dim + at, side, p);
        at += width_of(side);
    }
    free(factors);
    return st;
}

void dip_ensemble_joined_free(dip_ensemble_joined *joined)
{
    free(joined->rows[0]);
    free(joined->rows[1]);
    *joined = (dip_ensemble_joined){0};
}

dip_status dip_ensemble_rank_scores(dip_ranking *out, dip_hit *best, int64_t k,
                                    const dip_ensemble_rankers *rankers,
                                    dip_ensemble_norm norm,
                                    const dip_relevance *relevance,
                                    const dip_ranking_options *options,
                                    dip_err *err)
{
    dip_ensemble_joined joined;
    dip_status st = dip_ensemble_join(&joined, rankers, norm, err);
    if (st == DIP_OK)
        st = dip_ranking_with_best(out, best, k, &joined.queries,
                                   &joined.gallery, relevance, options, err);
    dip_ensemble_joined_free(&joined);
    return st;
}

/* ---- ranks ---- */

/* Lists that grow query by query. */
typedef struct {
    int64_t *offsets; /* [queries + 1] */
    int64_t *rows;
    double *scores;
    size_t row_room, score_room;
} fused_lists;

typedef struct {
    double score;
    int64_t row;
} fused_item;

/* Then by score, so that those of a row are added up in one order. */
static int by_row(const void *a, const void *b)
{
    const fused_item *x = a, *y = b;
    if (x->row != y->row)
        return x->row < y->row ? -1 : 1;
    return (x->score > y->score) - (x->score < y->score);
}

static int best_first(const void *a, const void *b)
{
    const fused_item *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return by_row(a, b);
}

/* *out, which the caller frees, gets each row once, best first. */
static dip_status fuse(fused_item **out, int64_t *count,
                       const dip_hit *const *hits, int64_t depth,
                       const double *weights, int members, dip_err *err)
{
    int64_t n = 0, kept = 0;
    fused_item *items =
        dip_calloc((size_t)depth * (size_t)members, sizeof *items);
    *out = items;
    if (items == NULL)
        return dip_no_memory(err);
    for (int m = 0; m < members; m++) {
        for (int64_t i = 0; i < depth && hits[m][i].row >= 0 && weights[m] > 0;
             i++)
            items[n++] =
                (fused_item){weights[m] / (RECIPROCAL_OFFSET + (double)i + 1),
                             hits[m][i].row};
    }
    qsort(items, (size_t)n, sizeof *items, by_row);
    for (int64_t i = 0; i < n; i++) {
        if (kept > 0 && items[kept - 1].row == items[i].row)
            items[kept - 1].score += items[i].score;
        else
            items[kept++] = items[i];
    }
    qsort(items, (size_t)kept, sizeof *items, best_first);
    *count = kept;
    return DIP_OK;
}

dip_status dip_ensemble_fuse(dip_hit *out, int64_t k,
                             const dip_hit *const *hits, int64_t depth,
                             const double *weights, int members, dip_err *err)
{
    fused_item *items;
    int64_t count = 0;
    dip_status st = fuse(&items, &count, hits, depth, weights, members, err);
    for (int64_t i = 0; i < k; i++)
        out[i] = i < count ? (dip_hit){(float)items[i].score, items[i].row}
                           : (dip_hit){-INFINITY, -1};
    free(items);
    return st;
}

/* The list of one query from each member's hits [depth] for it. */
static dip_status fuse_query(fused_lists *lists, int64_t query,
                             const dip_hit *const *hits, int64_t depth,
                             const dip_ensemble_rankers *r, dip_err *err)
{
    int64_t start = lists->offsets[query], count = 0;
    fused_item *items;
    dip_status st =
        fuse(&items, &count, hits, depth, r->weights, r->members, err);
    size_t need = (size_t)(start + count);
    if (st == DIP_OK)
        st = dip_reserve(&lists->rows, &lists->row_room, need,
                         sizeof *lists->rows, err);
    if (st == DIP_OK)
        st = dip_reserve(&lists->scores, &lists->score_room, need,
                         sizeof *lists->scores, err);
    for (int64_t i = 0; i < count && st == DIP_OK; i++) {
        lists->rows[start + i] = items[i].row;
        lists->scores[start + i] = items[i].score;
    }
    lists->offsets[query + 1] = start + count;
    free(items);
    return st;
}

/* The lists of `count` queries from `first` on; `hits` is room for those of all
 * members. */
static dip_status fuse_block(fused_lists *lists, dip_hit *hits, int64_t first,
                             int64_t count, int64_t depth,
                             const dip_ensemble_rankers *r, dip_err *err)
{
    const dip_hit *of_query[DIP_ENSEMBLE_MAX];
    dip_status st = DIP_OK;
    for (int m = 0; m < r->members && st == DIP_OK; m++) {
        dip_embeddings some = r->sides[m].queries;
        some.data += first * some.dim;
        some.rows = count;
        st = dip_topk_search(hits + m * BLOCK * depth, &some,
                             &r->sides[m].gallery, NULL, depth, err);
    }
    for (int64_t q = 0; q < count && st == DIP_OK; q++) {
        for (int m = 0; m < r->members; m++)
            of_query[m] = hits + (m * BLOCK + q) * depth;
        st = fuse_query(lists, first + q, of_query, depth, r, err);
    }
    return st;
}

static dip_status fuse_all(fused_lists *lists, int64_t depth,
                           const dip_ensemble_rankers *r, dip_err *err)
{
    int64_t queries = r->sides[0].queries.rows;
    size_t room;
    dip_hit *hits = NULL;
    lists->offsets = dip_calloc((size_t)queries + 1, sizeof *lists->offsets);
    if (!dip_mul_overflows((size_t)r->members * BLOCK, (size_t)depth, &room))
        hits = dip_calloc(room, sizeof *hits);
    dip_status st =
        lists->offsets != NULL && hits != NULL ? DIP_OK : dip_no_memory(err);
    for (int64_t q = 0; q < queries && st == DIP_OK; q += BLOCK)
        st = fuse_block(lists, hits, q,
                        queries - q < BLOCK ? queries - q : BLOCK, depth, r,
                        err);
    free(hits);
    return st;
}

static void take_best(dip_hit *best, int64_t k, const fused_lists *lists,
                      int64_t queries)
{
    for (int64_t i = 0; i < queries * k; i++) {
        int64_t at = lists->offsets[i / k] + i % k;
        best[i] = at < lists->offsets[i / k + 1]
                      ? (dip_hit){(float)lists->scores[at], lists->rows[at]}
                      : (dip_hit){-INFINITY, -1};
    }
}

dip_status
dip_ensemble_rank_reciprocal(dip_ranking *out, dip_hit *best, int64_t k,
                             const dip_ensemble_rankers *rankers, int64_t depth,
                             const dip_relevance *relevance,
                             const dip_ranking_options *options, dip_err *err)
{
    fused_lists lists = {0};
    int64_t queries = rankers->sides[0].queries.rows;
    int64_t gallery = rankers->sides[0].gallery.rows;
    *out = (dip_ranking){0};
    dip_status st =
        fuse_all(&lists, depth < gallery ? depth : gallery, rankers, err);
    const dip_run run = {.lists = queries,
                         .offsets = lists.offsets,
                         .rows = lists.rows,
                         .scores = lists.scores};
    if (st == DIP_OK)
        st = dip_ranking_evaluate_run(out, &run, relevance, options, err);
    if (st == DIP_OK) {
        out->gallery = gallery;
        if (best != NULL)
            take_best(best, k, &lists, queries);
    }
    free(lists.scores);
    free(lists.rows);
    free(lists.offsets);
    return st;
}
