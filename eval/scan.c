#include "eval/scan.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/scan_private.h"

enum { LANES = DIP_TILE_LANES, ROWS = DIP_TILE_ROWS, CHUNK = DIP_SCAN_CHUNK };

/* Panels that take turns with a chunk of the gallery, so that it is read and
 * rounded once for all of them. */
#define GROUP 32
/* Bytes that the lists of a group may take, if it has more than a panel. */
#define LISTS (INT64_C(4) << 20)

/* What a thread works with. */
typedef struct {
    dip_panel *panels; /* [group] */
    float *rows;       /* [group, dim, LANES] in panels of the tile's lanes */
    float *scores;     /* [CHUNK, LANES] */
    uint16_t *rounded; /* [group, couples, LANES, 2] */
    uint16_t *chunk;   /* [CHUNK, 2 couples] of the gallery */
    dip_hit *hits;     /* [group, LANES, k] */
    float *lows;       /* the same */
    dip_candidate *maybe; /* [group, LANES, room] */
} desk;

/* How a job is cut: into `groups` of panels times `parts` of the gallery. */
typedef struct {
    const dip_scan *scan;
    const dip_scan_job *job;
    int64_t panels, group, groups;
    int64_t chunks, parts;
} plan;

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* ---- opening ---- */

static void measure_chunk(dip_scan *s, int64_t chunk, uint16_t *rounded)
{
    const dip_embeddings *g = s->gallery;
    dip_bf16_norms most = {0};
    for (int64_t row = chunk * CHUNK;
         row < g->rows && row < (chunk + 1) * CHUNK; row++) {
        dip_bf16_round(rounded, g->data + row * g->dim, g->dim);
        dip_bf16_norms norms =
            dip_bf16_measure(g->data + row * g->dim, rounded, g->dim);
        if (norms.norm > most.norm)
            most.norm = norms.norm;
        if (norms.lost > most.lost)
            most.lost = norms.lost;
    }
    s->most[chunk] = most;
}

static dip_status measure_gallery(dip_scan *s, dip_err *err)
{
    int64_t chunks = divide_up(s->gallery->rows, CHUNK);
    size_t dim = (size_t)s->gallery->dim;
    uint16_t *rounded =
        dip_lines_alloc((size_t)dip_scores_workers(), dim * sizeof *rounded);
    s->most = dip_calloc((size_t)chunks, sizeof *s->most);
    dip_status st =
        rounded != NULL && s->most != NULL ? DIP_OK : dip_no_memory(err);
#pragma omp parallel for num_threads(dip_scores_workers())
    for (int64_t c = 0; c < (st == DIP_OK ? chunks : 0); c++)
        measure_chunk(s, c, rounded + (size_t)omp_get_thread_num() * dim);
    dip_lines_free(rounded);
    return st;
}

/* The last tile of the gallery, filled up with rows of 0. */
static dip_status copy_last(dip_scan *s, dip_err *err)
{
    const dip_embeddings *g = s->gallery;
    s->last_row = g->rows / ROWS * ROWS;
    s->last = dip_calloc((size_t)g->dim, ROWS * sizeof *s->last);
    if (s->last == NULL)
        return dip_no_memory(err);
    if (s->last_row < g->rows)
        memcpy(s->last, g->data + s->last_row * g->dim,
               (size_t)((g->rows - s->last_row) * g->dim) * sizeof *s->last);
    return DIP_OK;
}

dip_status dip_scan_open(dip_scan **out, const dip_embeddings *queries,
                         const dip_embeddings *gallery, bool plain,
                         dip_err *err)
{
    *out = NULL;
    dip_status st = dip_scores_check(queries, gallery, err);
    if (st != DIP_OK)
        return st;
    dip_scan *s = dip_calloc(1, sizeof *s);
    if (s == NULL)
        return dip_no_memory(err);
    s->queries = queries;
    s->gallery = gallery;
    s->tile = dip_tile_choose(queries->similarity);
    s->couples = divide_up(gallery->dim, 2);
    if (!plain && queries->similarity == DIP_SIMILARITY_COSINE)
        s->rough = dip_tile_bf16_choose();
    st = copy_last(s, err);
    if (st == DIP_OK && s->rough != NULL)
        st = measure_gallery(s, err);
    if (st == DIP_OK) {
        *out = s;
        s = NULL;
    }
    dip_scan_close(s);
    return st;
}

void dip_scan_close(dip_scan *scan)
{
    if (scan == NULL)
        return;
    free(scan->last);
    free(scan->most);
    free(scan);
}

typedef void (*sum_pairs)(float out[DIP_TILE_PAIRS], const float *one,
                          const float *const others[DIP_TILE_PAIRS],
                          int64_t length);

static void score_pairs(const dip_scan *scan, sum_pairs sum, float *scores,
                        int64_t query, const int64_t *rows, int64_t n)
{
    int64_t dim = scan->gallery->dim;
    const float *one = scan->queries->data + query * dim;
    for (int64_t i = 0; i < n; i += DIP_TILE_PAIRS) {
        const float *others[DIP_TILE_PAIRS];
        float found[DIP_TILE_PAIRS];
        int64_t here = n - i < DIP_TILE_PAIRS ? n - i : DIP_TILE_PAIRS;
        for (int64_t j = 0; j < DIP_TILE_PAIRS; j++)
            others[j] =
                j < here ? scan->gallery->data + rows[i + j] * dim : one;
        sum(found, one, others, dim);
        memcpy(scores + i, found, (size_t)here * sizeof *found);
    }
}

void dip_scan_pairs(const dip_scan *scan, float *scores, int64_t query,
                    const int64_t *rows, int64_t n)
{
    score_pairs(scan, scan->tile.pairs, scores, query, rows, n);
}

void dip_scan_pairs_loose(const dip_scan *scan, float *scores, int64_t query,
                          const int64_t *rows, int64_t n)
{
    score_pairs(scan, scan->tile.loose, scores, query, rows, n);
}

/* ---- a chunk of the gallery and a panel of queries ---- */

static void score_tile(const dip_scan *s, float *scores, const float *rows,
                       int64_t row)
{
    int64_t dim = s->gallery->dim;
    const float *gallery = row < s->last_row || s->last_row == s->gallery->rows
                               ? s->gallery->data + row * dim
                               : s->last;
    for (int64_t l = 0; l < LANES; l += s->tile.lanes) {
        for (int64_t m = 0; m < ROWS; m += s->tile.rows) {
            const dip_tile_input in = {.rows = gallery + m * dim,
                                       .row = dim,
                                       .step = 1,
                                       .lanes = rows + l * dim,
                                       .lane_step = s->tile.lanes,
                                       .length = dim};
            s->tile.sum(scores + m * LANES + l, LANES, &in, false);
        }
    }
}

static void scan_chunk(const plan *p, const desk *d, int64_t g, int64_t chunk)
{
    const dip_scan *s = p->scan;
    dip_panel *panel = d->panels + g;
    int64_t first = chunk * CHUNK, width = 2 * s->couples;
    int64_t rows = s->gallery->rows - first;
    if (rows > CHUNK)
        rows = CHUNK;
    float error[LANES];
    bool rough = dip_panel_is_rough(panel);
    for (int64_t l = 0; l < LANES && rough; l++)
        error[l] = dip_tile_bf16_error(panel->norms[l], s->most[chunk],
                                       s->gallery->dim);
    for (int64_t m = 0; m < rows; m += ROWS) {
        int64_t here = rows - m < ROWS ? rows - m : ROWS;
        float *scores = d->scores + m * LANES;
        bool taken = false;
        if (rough) {
            const dip_tile_bf16_input in = {d->chunk + m * width, width,
                                            d->rounded + g * LANES * width,
                                            s->couples};
            s->rough(scores, &in);
            taken = dip_panel_take(panel, scores, first + m, here, error);
        }
        if (taken)
            continue;
        score_tile(s, scores, d->rows + g * LANES * s->gallery->dim, first + m);
        (void)dip_panel_take(panel, scores, first + m, here, NULL);
    }
    dip_panel_end_chunk(panel, d->scores, rows);
}

static void round_chunk(const dip_scan *s, uint16_t *out, int64_t chunk)
{
    const dip_embeddings *g = s->gallery;
    for (int64_t row = chunk * CHUNK;
         row < g->rows && row < (chunk + 1) * CHUNK;
         row++, out += 2 * s->couples)
        dip_bf16_round(out, g->data + row * g->dim, g->dim);
}

/* ---- a task: a group of panels, a part of the gallery ---- */

/* Queries [first, first + count) of the job as a panel of rounded lanes. */
static void round_panel(const dip_scan *s, dip_panel *panel, uint16_t *out,
                        uint16_t *row)
{
    int64_t dim = s->queries->dim;
    memset(out, 0, (size_t)(LANES * 2 * s->couples) * sizeof *out);
    memset(panel->norms, 0, sizeof panel->norms);
    for (int64_t l = 0; l < panel->count; l++) {
        const float *x =
            s->queries->data + (panel->job->first + panel->first + l) * dim;
        dip_bf16_round(row, x, dim);
        panel->norms[l] = dip_bf16_measure(x, row, dim);
        for (int64_t k = 0; k < dim; k++)
            out[(k / 2 * LANES + l) * 2 + k % 2] = row[k];
    }
}

/* Returns how many panels the group has. */
static int64_t start_group(const plan *p, const desk *d, int64_t group)
{
    const dip_scan *s = p->scan;
    int64_t dim = s->queries->dim, n = p->panels - group * p->group;
    if (n > p->group)
        n = p->group;
    for (int64_t g = 0; g < n; g++) {
        dip_panel *panel = d->panels + g;
        dip_panel_start(panel, s, p->job, (group * p->group + g) * LANES);
        const float *queries =
            s->queries->data + (p->job->first + panel->first) * dim;
        float *rows = d->rows + g * LANES * dim;
        memset(rows, 0, (size_t)(LANES * dim) * sizeof *rows);
        dip_tile_pack(rows, s->tile.lanes, queries, panel->count, dim);
        if (dip_panel_may_be_rough(panel))
            round_panel(s, panel, d->rounded + g * LANES * 2 * s->couples,
                        d->chunk);
    }
    return n;
}

static void run_task(const plan *p, const desk *d, int64_t task)
{
    int64_t part = task / p->groups;
    int64_t n = start_group(p, d, task % p->groups);
    int64_t end = p->chunks * (part + 1) / p->parts;
    for (int64_t c = p->chunks * part / p->parts; c < end; c++) {
        bool rough = false;
        for (int64_t g = 0; g < n; g++)
            rough |= dip_panel_is_rough(d->panels + g);
        if (rough)
            round_chunk(p->scan, d->chunk, c);
        for (int64_t g = 0; g < n; g++) {
            if (!d->panels[g].idle)
                scan_chunk(p, d, g, c);
        }
    }
    for (int64_t g = 0; g < n; g++)
        dip_panel_settle(d->panels + g);
#pragma omp critical(dip_scan_report)
    for (int64_t g = 0; g < n; g++)
        dip_panel_report(d->panels + g);
}

/* ---- a job ---- */

static int64_t clamp(int64_t x, int64_t least, int64_t most)
{
    if (x > most)
        x = most;
    return x > least ? x : least;
}

/* How long the lists need to be; 0: there are none. */
static int64_t length_of_lists(const dip_scan *scan, const dip_scan_job *job)
{
    return job->best == NULL ? 0 : clamp(job->k, 1, scan->gallery->rows);
}

static bool has_many_levels(const dip_scan_job *job)
{
    bool many = false;
    for (int64_t i = 0; job->levels != NULL && i < job->count; i++)
        many |= job->levels[i].count > DIP_SCAN_FEW;
    return many;
}

/* Cuts the queries so that every thread has as much to do as any other, and
 * the gallery only if they are too few for that; many levels are counted in
 * place, by one task. */
static plan make_plan(const dip_scan *scan, const dip_scan_job *job)
{
    int64_t workers = dip_scores_workers(), k = length_of_lists(scan, job);
    int64_t list = k * (int64_t)(sizeof(dip_hit) + sizeof(float)) +
                   dip_best_room(k) * (int64_t)sizeof(dip_candidate);
    plan p = {.scan = scan,
              .job = job,
              .panels = divide_up(job->count, LANES),
              .chunks = divide_up(scan->gallery->rows, CHUNK),
              .parts = 1};
    int64_t most = clamp(LISTS / (list * LANES), 1, GROUP);
    int64_t groups = divide_up(p.panels, most * workers) * workers;
    p.group = groups > 0 ? divide_up(p.panels, groups) : 1;
    p.groups = divide_up(p.panels, p.group);
    if (p.groups > 0 && p.groups < workers && !has_many_levels(job))
        p.parts = clamp(divide_up(workers, p.groups), 1, p.chunks);
    return p;
}

static void desk_close(desk *d)
{
    dip_lines_free(d->panels);
    dip_lines_free(d->rows);
    dip_lines_free(d->scores);
    dip_lines_free(d->rounded);
    dip_lines_free(d->chunk);
    dip_lines_free(d->hits);
    dip_lines_free(d->lows);
    dip_lines_free(d->maybe);
}

static bool desk_open(desk *d, const plan *p)
{
    size_t lanes = (size_t)(p->group * LANES);
    size_t dim = (size_t)p->scan->gallery->dim;
    size_t width = 2 * (size_t)p->scan->couples * sizeof(uint16_t);
    int64_t k = length_of_lists(p->scan, p->job);
    int64_t room = k > 0 ? dip_best_room(k) : 0;
    *d = (desk){.panels = dip_lines_alloc((size_t)p->group, sizeof *d->panels),
                .rows = dip_lines_alloc(lanes, dim * sizeof(float)),
                .scores = dip_lines_alloc(CHUNK, LANES * sizeof(float)),
                .rounded = dip_lines_alloc(lanes, width),
                .chunk = dip_lines_alloc(CHUNK, width),
                .hits = dip_lines_alloc(lanes, (size_t)k * sizeof *d->hits),
                .lows = dip_lines_alloc(lanes, (size_t)k * sizeof *d->lows),
                .maybe =
                    dip_lines_alloc(lanes, (size_t)room * sizeof *d->maybe)};
    if (d->panels == NULL || d->rows == NULL || d->scores == NULL ||
        d->rounded == NULL || d->chunk == NULL || d->hits == NULL ||
        d->lows == NULL || d->maybe == NULL)
        return false;
    memset(d->chunk, 0, CHUNK * width);
    for (int64_t l = 0; l < p->group * LANES; l++)
        d->panels[l / LANES].best[l % LANES] =
            (dip_best){.k = k,
                       .hits = d->hits + l * k,
                       .lows = d->lows + l * k,
                       .maybe = d->maybe + l * room,
                       .room = room};
    return true;
}

static void clear_results(const dip_scan_job *job)
{
    if (job->best != NULL)
        dip_best_clear(job->best, job->count * job->k);
    for (int64_t i = 0; job->levels != NULL && i < job->count; i++) {
        for (int64_t l = 0; l < job->levels[i].count; l++)
            job->levels[i].items[l].above = job->levels[i].items[l].equal = 0;
    }
}

dip_status dip_scan_run(const dip_scan *scan, const dip_scan_job *job,
                        dip_err *err)
{
    const plan p = make_plan(scan, job);
    int workers = dip_scores_workers();
    desk *desks = dip_calloc((size_t)workers, sizeof *desks);
    bool complete = desks != NULL;
    for (int w = 0; w < workers && complete; w++)
        complete = desk_open(desks + w, &p);
    clear_results(job);
#pragma omp parallel for schedule(dynamic) num_threads(workers)
    for (int64_t t = 0; t < (complete ? p.groups * p.parts : 0); t++)
        run_task(&p, desks + omp_get_thread_num(), t);
#pragma omp parallel for num_threads(workers)
    for (int64_t q = 0; q < (job->best != NULL ? job->count : 0); q++)
        dip_best_sort(job->best + q * job->k, job->k, job->keys);
    for (int w = 0; w < workers && desks != NULL; w++)
        desk_close(desks + w);
    free(desks);
    return complete ? DIP_OK : dip_no_memory(err);
}
