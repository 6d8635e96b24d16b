#include "eval/scores.h"

#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/tile.h"

/* Scores that are held at once, unless one tile of queries has more. */
#define HELD  (INT64_C(8) << 20)
#define CHUNK 120 /* gallery rows that stay in the L2 cache: whole tiles */
#define MAX_SQ                                                                 \
    5e36 /* squared norms up to here overflow neither a dot product            \
          * nor a squared distance */

typedef struct {
    const dip_embeddings *queries;
    const dip_embeddings *gallery;
    dip_tile tile;
    int64_t block; /* queries whose scores are held at once: whole tiles */
    float *panels; /* [block / lanes, dim, lanes]: the block, transposed */
    float *scores; /* [min(block, queries), gallery rows] */
    float *last;   /* [tile rows, dim]: what is no whole tile of the gallery */
} scorer;

int dip_scores_workers(void)
{
    int threads = omp_get_max_threads();
    return threads > 0 ? threads : 1;
}

/* The first dimension that is NaN or infinite, or -1. */
static int64_t first_not_finite(const float *row, int64_t dim)
{
    for (int64_t k = 0; k < dim; k++) {
        if (!isfinite(row[k]))
            return k;
    }
    return -1;
}

static bool row_is_usable(const float *row, int64_t dim)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < dim; k++)
        sum += (double)row[k] * (double)row[k];
    return sum <= MAX_SQ; /* false for NaN */
}

dip_status dip_embeddings_check(const dip_embeddings *e, const char *what,
                                dip_err *err)
{
    size_t bytes;
    if (e->rows < 0 || e->dim < 1 ||
        dip_mul_overflows((size_t)e->rows, (size_t)e->dim, &bytes) ||
        dip_mul_overflows(bytes, sizeof(float), &bytes))
        return dip_fail(err, DIP_ERANGE,
                        "impossible %s size %" PRId64 " x %" PRId64, what,
                        e->rows, e->dim);
    int64_t bad = e->rows;
#pragma omp parallel for reduction(min : bad)
    for (int64_t i = 0; i < e->rows; i++) {
        if (i < bad && !row_is_usable(e->data + i * e->dim, e->dim))
            bad = i;
    }
    if (bad == e->rows)
        return DIP_OK;
    int64_t k = first_not_finite(e->data + bad * e->dim, e->dim);
    if (k < 0)
        return dip_fail(err, DIP_ENUMERIC,
                        "%s row %" PRId64 " is too long to compare", what, bad);
    return dip_fail(
        err, DIP_ENUMERIC, "%s row %" PRId64 " holds %s at dimension %" PRId64,
        what, bad, isnan(e->data[bad * e->dim + k]) ? "NaN" : "infinity", k);
}

/* Scores of a panel of queries with the gallery rows [row, row + tile rows), of
 * which those past the end are not stored. */
static void score_tile(const scorer *s, int64_t panel, int64_t count,
                       int64_t row)
{
    const dip_embeddings *g = s->gallery;
    const dip_tile *t = &s->tile;
    int64_t rows = g->rows - row < t->rows ? g->rows - row : t->rows;
    float tile[DIP_TILE_ROWS * DIP_TILE_LANES];
    const dip_tile_input in = {.rows = rows < t->rows ? s->last
                                                      : g->data + row * g->dim,
                               .row = g->dim,
                               .step = 1,
                               .lanes = s->panels + panel * t->lanes * g->dim,
                               .lane_step = t->lanes,
                               .length = g->dim};
    t->sum(tile, t->lanes, &in, false);
    int64_t lanes = count - panel * t->lanes;
    if (lanes > t->lanes)
        lanes = t->lanes;
    for (int64_t l = 0; l < lanes; l++) {
        float *out = s->scores + (panel * t->lanes + l) * g->rows + row;
        for (int64_t m = 0; m < rows; m++)
            out[m] = tile[m * t->lanes + l];
    }
}

static void score_chunk(const scorer *s, int64_t count, int64_t first)
{
    int64_t end = first + CHUNK;
    if (end > s->gallery->rows)
        end = s->gallery->rows;
    for (int64_t panel = 0; panel * s->tile.lanes < count; panel++) {
        for (int64_t row = first; row < end; row += s->tile.rows)
            score_tile(s, panel, count, row);
    }
}

static void visit_block(const scorer *s, int64_t first, int64_t count,
                        dip_scores_visit visit, void *context)
{
    int64_t gallery = s->gallery->rows;
    dip_tile_pack(s->panels, s->tile.lanes,
                  s->queries->data + first * s->queries->dim, count,
                  s->queries->dim);
#pragma omp parallel num_threads(dip_scores_workers())
    {
#pragma omp for schedule(dynamic)
        for (int64_t row = 0; row < gallery; row += CHUNK)
            score_chunk(s, count, row);
#pragma omp for schedule(dynamic)
        for (int64_t q = 0; q < count; q++)
            visit(context, omp_get_thread_num(), first + q,
                  s->scores + q * gallery);
    }
}

dip_status dip_scores_check(const dip_embeddings *queries,
                            const dip_embeddings *gallery, dip_err *err)
{
    dip_status st = dip_embeddings_check(queries, "query", err);
    if (st != DIP_OK)
        return st;
    st = dip_embeddings_check(gallery, "gallery", err);
    if (st != DIP_OK)
        return st;
    if (queries->dim != gallery->dim)
        return dip_fail(err, DIP_ERANGE,
                        "queries have %" PRId64
                        " dimensions and the gallery has %" PRId64,
                        queries->dim, gallery->dim);
    if (queries->similarity != gallery->similarity)
        return dip_fail(err, DIP_ERANGE,
                        "queries are compared by %s and the gallery by %s",
                        dip_similarity_name(queries->similarity),
                        dip_similarity_name(gallery->similarity));
    return DIP_OK;
}

static dip_status scorer_open(scorer *s, const dip_embeddings *queries,
                              const dip_embeddings *gallery, dip_err *err)
{
    *s = (scorer){.queries = queries,
                  .gallery = gallery,
                  .tile = dip_tile_choose(queries->similarity)};
    int64_t lanes = s->tile.lanes, dim = gallery->dim;
    int64_t most = (queries->rows + lanes - 1) / lanes * lanes;
    s->block = HELD / (gallery->rows + 1) / lanes * lanes;
    if (s->block > most)
        s->block = most;
    if (s->block < lanes)
        s->block = lanes;
    int64_t held = s->block < queries->rows ? s->block : queries->rows;
    s->panels = dip_lines_alloc((size_t)dim, (size_t)s->block * sizeof(float));
    s->scores =
        dip_lines_alloc((size_t)gallery->rows, (size_t)held * sizeof(float));
    s->last =
        dip_lines_alloc((size_t)dim, (size_t)s->tile.rows * sizeof(float));
    if (s->panels == NULL || s->scores == NULL || s->last == NULL)
        return dip_no_memory(err);
    int64_t whole = gallery->rows / s->tile.rows * s->tile.rows;
    memset(s->last, 0, (size_t)(s->tile.rows * dim) * sizeof *s->last);
    if (gallery->rows > whole)
        memcpy(s->last, gallery->data + whole * dim,
               (size_t)((gallery->rows - whole) * dim) * sizeof *s->last);
    return DIP_OK;
}

static void scorer_close(scorer *s)
{
    dip_lines_free(s->last);
    dip_lines_free(s->scores);
    dip_lines_free(s->panels);
}

dip_status dip_scores_each(const dip_embeddings *queries,
                           const dip_embeddings *gallery,
                           dip_scores_visit visit, void *context, dip_err *err)
{
    dip_status st = dip_scores_check(queries, gallery, err);
    if (st != DIP_OK)
        return st;
    scorer s;
    st = scorer_open(&s, queries, gallery, err);
    for (int64_t q = 0; st == DIP_OK && q < queries->rows; q += s.block) {
        int64_t left = queries->rows - q;
        visit_block(&s, q, left < s.block ? left : s.block, visit, context);
    }
    scorer_close(&s);
    return st;
}
