#include "eval/scores.h"

#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/dot.h"

#define BLOCK (4 * DIP_DOT_LANES) /* queries whose scores are held at once */
#define CHUNK (20 * DIP_DOT_ROWS) /* gallery rows that stay in the L2 cache */
#define MAX_SQ                                                                 \
    5e36 /* squared norms up to here overflow neither a dot product            \
          * nor a squared distance */

typedef struct {
    const dip_embeddings *queries;
    const dip_embeddings *gallery;
    dip_dot_kernel kernel;
    float *panels; /* [BLOCK / lanes, dim, lanes]: the block, transposed */
    float *scores; /* [min(BLOCK, queries), gallery rows] */
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

static void pack_block(const scorer *s, int64_t first, int64_t count)
{
    int64_t dim = s->queries->dim;
    memset(s->panels, 0, (size_t)(BLOCK * dim) * sizeof *s->panels);
    for (int64_t q = 0; q < count; q++) {
        const float *row = s->queries->data + (first + q) * dim;
        float *lane = s->panels + q / DIP_DOT_LANES * DIP_DOT_LANES * dim +
                      q % DIP_DOT_LANES;
        for (int64_t k = 0; k < dim; k++)
            lane[k * DIP_DOT_LANES] = row[k];
    }
}

/* Scores of one panel of queries with the gallery rows [row, end), of which
 * there are at most DIP_DOT_ROWS; the places of missing rows repeat the last
 * one and are not stored. */
static void score_tile(const scorer *s, int64_t panel, int64_t count,
                       int64_t row, int64_t end)
{
    const dip_embeddings *g = s->gallery;
    const float *rows[DIP_DOT_ROWS];
    for (int64_t m = 0; m < DIP_DOT_ROWS; m++) {
        int64_t at = row + m < end ? row + m : end - 1;
        rows[m] = g->data + at * g->dim;
    }
    float tile[DIP_DOT_ROWS][DIP_DOT_LANES];
    s->kernel(tile, s->panels + panel * DIP_DOT_LANES * g->dim, rows, g->dim);
    int64_t lanes = count - panel * DIP_DOT_LANES;
    if (lanes > DIP_DOT_LANES)
        lanes = DIP_DOT_LANES;
    for (int64_t l = 0; l < lanes; l++) {
        float *out = s->scores + (panel * DIP_DOT_LANES + l) * g->rows;
        for (int64_t m = 0; row + m < end && m < DIP_DOT_ROWS; m++)
            out[row + m] = tile[m][l];
    }
}

static void score_chunk(const scorer *s, int64_t count, int64_t first)
{
    int64_t end = first + CHUNK;
    if (end > s->gallery->rows)
        end = s->gallery->rows;
    for (int64_t panel = 0; panel * DIP_DOT_LANES < count; panel++) {
        for (int64_t row = first; row < end; row += DIP_DOT_ROWS)
            score_tile(s, panel, count, row, end);
    }
}

static void visit_block(const scorer *s, int64_t first, int64_t count,
                        dip_scores_visit visit, void *context)
{
    int64_t gallery = s->gallery->rows;
    pack_block(s, first, count);
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

static dip_status check_sides(const dip_embeddings *queries,
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

static dip_status scorer_alloc(scorer *s, dip_err *err)
{
    size_t held = (size_t)(s->queries->rows < BLOCK ? s->queries->rows : BLOCK);
    size_t panel, scores;
    if (dip_mul_overflows((size_t)s->queries->dim, BLOCK * sizeof(float),
                          &panel) ||
        dip_mul_overflows((size_t)s->gallery->rows, held, &scores))
        return dip_no_memory(err);
    s->panels = aligned_alloc(64, panel); /* a multiple of 64 by BLOCK */
    s->scores = dip_calloc(scores, sizeof *s->scores);
    if (s->panels == NULL || s->scores == NULL)
        return dip_no_memory(err);
    return DIP_OK;
}

dip_status dip_scores_each(const dip_embeddings *queries,
                           const dip_embeddings *gallery,
                           dip_scores_visit visit, void *context, dip_err *err)
{
    dip_status st = check_sides(queries, gallery, err);
    if (st != DIP_OK)
        return st;
    scorer s = {queries, gallery, dip_dot_choose(queries->similarity), NULL,
                NULL};
    st = scorer_alloc(&s, err);
    if (st != DIP_OK)
        goto out_free;
    for (int64_t q = 0; q < queries->rows; q += BLOCK) {
        int64_t left = queries->rows - q;
        visit_block(&s, q, left < BLOCK ? left : BLOCK, visit, context);
    }
out_free:
    free(s.scores);
    free(s.panels);
    return st;
}
