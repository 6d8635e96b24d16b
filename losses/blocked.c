#include "losses/blocked_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/gradients.h"

/* A chunk of 96 items by 480 queries, both whole tiles of every kernel, is 180
 * KB. Long rows narrow the block, so that its gradient stays in the cache. */
#define CHUNK          96
#define MOST_WIDTH     480
#define BLOCK_ELEMENTS (768 * MOST_WIDTH)
/* Few enough for their shares of the gradient, enough for many threads. */
#define RANGES 16
/* Elements that are kept: all pairs of 4096 rows. */
#define KEPT_ELEMENTS (INT64_C(18) << 20)
/* Sums of products are made in pieces, which loses less to rounding. */
#define PIECE 256

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t round_up(int64_t x, int64_t step)
{
    return (x + step - 1) / step * step;
}

/* ---- setting up ---------------------------------------------------------- */

static dip_tensor *plain(const dip_tensor *t)
{
    return dip_t_contiguous(dip_t_detach(t));
}

static bool asks(const dip_tensor *t)
{
    return t != NULL && dip_tensor_requires_grad(t);
}

static void build_lists(dip_blocked *b, const dip_tensor *keys)
{
    dip_err err = {0};
    const int64_t *values = NULL;
    int64_t columns = 1;
    if (keys != NULL) {
        values = dip_tensor_data(dip_t_contiguous(keys));
        columns = dip_tensor_size(keys, 1);
    }
    if (dip_tensor_failed())
        return;
    dip_status st =
        dip_positive_lists_build(&b->right, values, b->n, columns, &err);
    if (st != DIP_OK)
        dip_tensor_fail(st, "%s", err.msg);
}

static void choose_sizes(dip_blocked *b, bool twice)
{
    b->tile = dip_tile_choose(DIP_SIMILARITY_COSINE);
    b->lanes = round_up(b->dim, DIP_TILE_LANES);
    b->width = BLOCK_ELEMENTS / b->lanes / CHUNK * CHUNK;
    if (b->width < CHUNK)
        b->width = CHUNK;
    b->width = least(least(b->width, MOST_WIDTH), round_up(b->n, CHUNK));
    b->range_items = round_up((b->n + RANGES - 1) / RANGES, CHUNK);
    b->ranges = (b->n + b->range_items - 1) / b->range_items;
    if (twice && b->with_gradients)
        b->kept_blocks = least(KEPT_ELEMENTS / round_up(b->n, CHUNK) / b->width,
                               (b->n + b->width - 1) / b->width);
}

/* Floats that start on a cache line, [a, b, c]; not set. */
static float *floats(int64_t a, int64_t b, int64_t c)
{
    size_t count;
    if (dip_mul_overflows((size_t)a, (size_t)b, &count))
        return NULL;
    return dip_lines_alloc(count, (size_t)c * sizeof(float));
}

static bool make_room(dip_blocked *b)
{
    b->own = dip_calloc((size_t)b->n, sizeof *b->own);
    b->dots = dip_calloc((size_t)b->width, sizeof *b->dots);
    b->transposed = floats(b->width, b->dim, 1);
    b->last_items = floats(b->tile.rows, b->dim, 1);
    b->chunks = floats(b->ranges, CHUNK, b->width);
    b->aside = floats(b->ranges, CHUNK, b->width);
    b->kept = floats(b->kept_blocks, round_up(b->n, CHUNK), b->width);
    bool ok = b->own != NULL && b->dots != NULL && b->transposed != NULL &&
              b->last_items != NULL && b->chunks != NULL && b->aside != NULL &&
              b->kept != NULL;
    if (!ok || !b->with_gradients)
        return ok;
    b->scaled = floats(b->width, b->lanes, 1);
    b->panels = floats(b->ranges, CHUNK, b->lanes);
    b->shares = floats(b->ranges, b->width, b->lanes);
    return b->scaled != NULL && b->panels != NULL && b->shares != NULL;
}

static double exact_dot(const float *a, const float *b, int64_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < n; k++)
        sum += (double)a[k] * (double)b[k];
    return sum;
}

static void fill_in(dip_blocked *b)
{
    int64_t whole = b->n / b->tile.rows * b->tile.rows;
    memset(b->last_items, 0,
           (size_t)(b->tile.rows * b->dim) * sizeof *b->last_items);
    memcpy(b->last_items, b->items + whole * b->dim,
           (size_t)((b->n - whole) * b->dim) * sizeof *b->last_items);
#pragma omp parallel for
    for (int64_t i = 0; i < b->n; i++)
        b->own[i] = b->scale * exact_dot(b->queries + i * b->dim,
                                         b->items + i * b->dim, b->dim) +
                    b->bias;
}

bool dip_blocked_begin(dip_blocked *b, const dip_blocked_input *input,
                       bool twice, bool *before)
{
    *before = dip_tensor_set_grad_mode(false);
    *b = (dip_blocked){
        .query_rows = plain(input->queries),
        .item_rows = plain(input->items),
        .scale = dip_tensor_item(input->scale),
        .bias = input->bias ? dip_tensor_item(input->bias) : 0,
        .n = dip_tensor_size(input->queries, 0),
        .dim = dip_tensor_size(input->queries, 1),
        .with_gradients =
            *before && (asks(input->queries) || asks(input->items) ||
                        asks(input->scale) || asks(input->bias)),
    };
    b->queries = dip_tensor_data(b->query_rows);
    b->items = dip_tensor_data(b->item_rows);
    if (b->with_gradients) {
        b->query_gradient = dip_t_zeros_like(b->query_rows);
        b->item_gradient = dip_t_zeros_like(b->item_rows);
    }
    if (dip_tensor_failed())
        return false;
    build_lists(b, input->keys);
    choose_sizes(b, twice);
    if (!make_room(b))
        dip_tensor_fail(DIP_ENOMEM, "out of memory");
    if (dip_tensor_failed())
        return false;
    fill_in(b);
    return true;
}

void dip_blocked_end(dip_blocked *b, bool before)
{
    free(b->own);
    free(b->dots);
    dip_lines_free(b->transposed);
    dip_lines_free(b->scaled);
    dip_lines_free(b->last_items);
    dip_lines_free(b->chunks);
    dip_lines_free(b->aside);
    dip_lines_free(b->kept);
    dip_lines_free(b->panels);
    dip_lines_free(b->shares);
    dip_positive_lists_free(&b->right);
    (void)dip_tensor_set_grad_mode(before);
}

/* ---- products ------------------------------------------------------------ */

/* A matrix [length, wide] whose element (k, l) is from[k * step + l * lane],
 * times `scale`, as panels [wide / lanes][length][lanes] with zeros behind. */
static void pack(const dip_blocked *b, float *to, const float *from,
                 int64_t length, int64_t step, int64_t wide, int64_t lane,
                 float scale)
{
    int64_t lanes = b->tile.lanes;
    for (int64_t first = 0; first < wide; first += lanes) {
        int64_t some = least(lanes, wide - first);
        for (int64_t k = 0; k < length; k++, to += lanes) {
            const float *row = from + k * step + first * lane;
            for (int64_t l = 0; l < some; l++)
                to[l] = scale * row[l * lane];
            for (int64_t l = some; l < lanes; l++)
                to[l] = 0;
        }
    }
}

static void pack_queries(const dip_blocked *b, int64_t query, int64_t queries)
{
    const float *rows = b->queries + query * b->dim;
    float scale = (float)b->scale;
    pack(b, b->transposed, rows, b->dim, 1, queries, b->dim, scale);
    if (b->with_gradients)
        pack(b, b->scaled, rows, queries, b->dim, b->dim, 1, scale);
}

static void make_products(const dip_blocked *b, const dip_blocked_chunk *c)
{
    const dip_tile *t = &b->tile;
    for (int64_t i = 0; i < c->queries; i += t->lanes) {
        for (int64_t j = 0; j < c->items; j += t->rows) {
            int64_t item = c->item + j;
            bool whole = item + t->rows <= b->n;
            dip_tile_input in = {.rows = whole ? b->items + item * b->dim
                                               : b->last_items,
                                 .row = b->dim,
                                 .step = 1,
                                 .lanes = b->transposed + i * b->dim,
                                 .lane_step = t->lanes};
            for (int64_t k = 0; k < b->dim; k += PIECE) {
                in.length = least(PIECE, b->dim - k);
                t->sum(c->x + j * c->row + i, c->row, &in, k > 0);
                in.rows += PIECE;
                in.lanes += PIECE * t->lanes;
            }
        }
    }
    if (b->bias == 0)
        return;
    for (int64_t j = 0; j < c->items; j++) {
        for (int64_t i = 0; i < c->queries; i++)
            c->x[j * c->row + i] += (float)b->bias;
    }
}

/* ---- gradients ----------------------------------------------------------- */

/* Adds a tile that passes an edge of the matrix `to` [rows, wide]. */
static void add_edge(const dip_tile *t, float *to, int64_t rows, int64_t wide,
                     int64_t row, const dip_tile_input *in)
{
    float all[DIP_TILE_ROWS * DIP_TILE_LANES];
    t->sum(all, t->lanes, in, false);
    for (int64_t m = 0; m < least(rows, t->rows); m++) {
        for (int64_t l = 0; l < least(wide, t->lanes); l++)
            to[m * row + l] += all[m * t->lanes + l];
    }
}

static void spread_to_items(const dip_blocked *b, const dip_blocked_chunk *c)
{
    const dip_tile *t = &b->tile;
    float *gradient = dip_tensor_data(b->item_gradient);
    for (int64_t d = 0; d < b->dim; d += t->lanes) {
        for (int64_t j = 0; j < c->items; j += t->rows) {
            const dip_tile_input in = {.rows = c->x + j * c->row,
                                       .row = c->row,
                                       .step = 1,
                                       .lanes = b->scaled + d * c->queries,
                                       .lane_step = t->lanes,
                                       .length = c->queries};
            float *to = gradient + (c->item + j) * b->dim + d;
            if (j + t->rows <= c->items && d + t->lanes <= b->dim)
                t->sum(to, b->dim, &in, true);
            else
                add_edge(t, to, c->items - j, b->dim - d, b->dim, &in);
        }
    }
}

static void spread_to_queries(const dip_blocked *b, const dip_blocked_chunk *c,
                              bool first)
{
    const dip_tile *t = &b->tile;
    float *panels = b->panels + c->range * CHUNK * b->lanes;
    float *share = b->shares + c->range * b->width * b->lanes;
    pack(b, panels, b->items + c->item * b->dim, c->items, b->dim, b->dim, 1,
         1.0F);
    for (int64_t d = 0; d < b->dim; d += t->lanes) {
        for (int64_t i = 0; i < c->queries; i += t->rows) {
            const dip_tile_input in = {.rows = c->x + i,
                                       .row = 1,
                                       .step = c->row,
                                       .lanes = panels + d * c->items,
                                       .lane_step = t->lanes,
                                       .length = c->items};
            t->sum(share + d * b->width + i * t->lanes, t->lanes, &in, !first);
        }
    }
}

/* Adds the row of query i, out of panels of lanes. */
static void add_share(const dip_blocked *b, float *to, const float *share,
                      int64_t i)
{
    int64_t lanes = b->tile.lanes;
    for (int64_t d = 0; d < b->dim; d += lanes) {
        const float *from = share + d * b->width + i * lanes;
        for (int64_t l = 0; l < least(lanes, b->dim - d); l++)
            to[d + l] += from[l];
    }
}

/* Sums up what the ranges have for a block of queries. */
static void take_shares(dip_blocked *b, int64_t query, int64_t queries)
{
    float *gradient = dip_tensor_data(b->query_gradient);
#pragma omp parallel for
    for (int64_t i = 0; i < queries; i++) {
        float *to = gradient + (query + i) * b->dim;
        for (int64_t r = 0; r < b->ranges; r++)
            add_share(b, to, b->shares + r * b->width * b->lanes, i);
        b->dots[i] = exact_dot(b->queries + (query + i) * b->dim, to, b->dim);
        for (int64_t d = 0; d < b->dim; d++)
            to[d] *= (float)b->scale;
    }
    for (int64_t i = 0; i < queries; i++)
        b->scale_gradient += b->dots[i];
}

/* ---- passes -------------------------------------------------------------- */

static void run_range(const dip_blocked *b, const dip_blocked_pass *pass,
                      int64_t range, int64_t query)
{
    int64_t first = range * b->range_items, block = query / b->width;
    int64_t end = least(b->n, first + b->range_items);
    bool kept = block < b->kept_blocks && (pass->keeps || pass->again);
    dip_blocked_chunk c = {.range = range,
                           .query = query,
                           .queries = least(b->width, b->n - query),
                           .row = b->width,
                           .aside = b->aside + range * CHUNK * b->width};
    for (c.item = first; c.item < end; c.item += CHUNK) {
        c.items = least(CHUNK, end - c.item);
        c.x = kept ? b->kept + (block * round_up(b->n, CHUNK) + c.item) * c.row
                   : b->chunks + range * CHUNK * c.row;
        if (!kept || !pass->again)
            make_products(b, &c);
        pass->visit(pass->user, &c);
        if (!pass->spreads)
            continue;
        spread_to_items(b, &c);
        spread_to_queries(b, &c, c.item == first);
    }
}

void dip_blocked_run(dip_blocked *b, const dip_blocked_pass *pass)
{
    for (int64_t query = 0; query < b->n; query += b->width) {
        int64_t queries = least(b->width, b->n - query);
        pack_queries(b, query, queries);
#pragma omp parallel for schedule(dynamic)
        for (int64_t range = 0; range < b->ranges; range++)
            run_range(b, pass, range, query);
        if (pass->spreads)
            take_shares(b, query, queries);
        if (pass->finish != NULL)
            pass->finish(pass->user, query, queries);
    }
}

/* ---- right pairs --------------------------------------------------------- */

static void find_list(dip_blocked_right *at, const dip_blocked *b,
                      const dip_blocked_chunk *c)
{
    int64_t start = b->right.start[at->item], low = 0;
    int64_t count = b->right.count[at->item];
    for (int64_t high = count; low < high;) {
        int64_t middle = low + (high - low) / 2;
        if (b->right.rows[start + middle] < c->query)
            low = middle + 1;
        else
            high = middle;
    }
    at->place = start + low;
    at->left = count - low;
}

bool dip_blocked_next(dip_blocked_right *at, const dip_blocked *b,
                      const dip_blocked_chunk *c)
{
    if (!at->started) {
        *at =
            (dip_blocked_right){.item = c->item, .number = -1, .started = true};
        find_list(at, b, c);
    }
    while (at->left == 0 || b->right.rows[at->place] >= c->query + c->queries) {
        if (++at->item == c->item + c->items)
            return false;
        find_list(at, b, c);
    }
    at->query = b->right.rows[at->place++];
    at->left--;
    at->number++;
    at->x = c->x + (at->item - c->item) * c->row + at->query - c->query;
    return true;
}

void dip_blocked_set_aside(const dip_blocked *b, const dip_blocked_chunk *c)
{
    dip_blocked_right at = {0};
    while (dip_blocked_next(&at, b, c)) {
        c->aside[at.number] = *at.x;
        *at.x = DIP_BLOCKED_HIDDEN;
    }
}

void dip_blocked_put_back(const dip_blocked *b, const dip_blocked_chunk *c)
{
    dip_blocked_right at = {0};
    while (dip_blocked_next(&at, b, c))
        *at.x = c->aside[at.number];
}

/* ---- the result ---------------------------------------------------------- */

static dip_tensor *number_like(const dip_tensor *t, double value)
{
    return dip_t_add_scalar(dip_t_zeros_like(t), value);
}

dip_tensor *dip_blocked_result(const dip_blocked *b,
                               const dip_blocked_input *input, double value)
{
    dip_tensor *total = dip_tensor_scalar(value, DIP_F32);
    if (!b->with_gradients)
        return total;
    dip_tensor *inputs[] = {dip_tensor_alias(input->queries),
                            dip_tensor_alias(input->items),
                            dip_tensor_alias(input->scale),
                            input->bias ? dip_tensor_alias(input->bias) : NULL};
    dip_tensor *gradients[] = {
        b->query_gradient, b->item_gradient,
        number_like(input->scale, b->scale_gradient),
        input->bias ? number_like(input->bias, b->bias_gradient) : NULL};
    (void)dip_tensor_set_grad_mode(true);
    return dip_t_with_gradients(total, inputs, gradients, input->bias ? 4 : 3);
}
