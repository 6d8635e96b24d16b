/* InfoNCE a block at a time. With l = scale * q . k, the loss of an anchor is
 *
 *   log sum_j exp l_j - (1 - smoothing) attraction - smoothing mean_j l_j
 *
 * and attraction the mean of the right l ("uniform"), the logarithm of their
 * summed exponentials ("sum") or the own l ("exclude", which leaves the other
 * right candidates out of all sums). The first pass finds for each anchor of
 * either side the sum of exponentials; the second one the gradient.
 *
 * Where a batch is nearly solved, the two logarithms differ by less than the
 * rounding of either. Right candidates are therefore kept apart: with w and r
 * the logarithms of summed exponentials of wrong and of right ones, log sum_j
 * exp l_j = r + softplus(w - r), and own l are from double precision. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "losses/blocked_loops.h"
#include "losses/blocked_private.h"

/* The right candidates of an anchor but its own, which count. */
typedef struct {
    double largest, sum; /* "uniform" and "sum": of exponentials */
    double total;
} right_ones;

/* One side: its N anchors. */
typedef struct {
    float *largest; /* of wrong candidates; their sum is over it */
    double *sum;
    right_ones *right;
    double *lse, *right_lse;
    float *weight; /* in the loss; all together they sum up to 1 or 1/2 */
    float *even;   /* share of smoothing that each candidate gets */
    /* `lse` and `weight` for single precision: exp(l - near_lse) *
     * near_weight = exp(l - lse) * weight without its rounding. */
    float *near_lse, *near_weight;
} side;

/* Of the queries of a block, from the items of one range. */
typedef struct {
    float *largest;
    double *sum;
    right_ones *right;
} partial;

typedef struct {
    dip_blocked b;
    const dip_loss_options *options;
    side ahead, back;  /* anchors are queries; items */
    partial *partials; /* [ranges] */
    bool one_way;
} infonce;

static const right_ones none = {.largest = -INFINITY};

static double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static bool excludes(const infonce *f)
{
    return f->options->positives == DIP_POSITIVES_EXCLUDE;
}

/* ---- setting up ---------------------------------------------------------- */

static bool make_side(side *s, int64_t n)
{
    size_t count = (size_t)n;
    float **floats[] = {&s->largest, &s->weight, &s->even, &s->near_lse,
                        &s->near_weight};
    double **doubles[] = {&s->sum, &s->lse, &s->right_lse};
    bool ok = true;
    for (size_t i = 0; i < DIP_ARRAY_LEN(floats); i++) {
        *floats[i] = dip_calloc(count, sizeof(float));
        ok = ok && *floats[i] != NULL;
    }
    for (size_t i = 0; i < DIP_ARRAY_LEN(doubles); i++) {
        *doubles[i] = dip_calloc(count, sizeof(double));
        ok = ok && *doubles[i] != NULL;
    }
    s->right = dip_calloc(count, sizeof *s->right);
    ok = ok && s->right != NULL;
    for (int64_t i = 0; ok && i < n; i++) {
        s->largest[i] = -INFINITY;
        s->right[i] = none;
        s->near_lse[i] =
            -DIP_BLOCKED_HIDDEN; /* no exponential over it counts */
    }
    return ok;
}

static void free_side(side *s)
{
    free(s->largest);
    free(s->sum);
    free(s->right);
    free(s->lse);
    free(s->right_lse);
    free(s->weight);
    free(s->even);
    free(s->near_lse);
    free(s->near_weight);
}

static void clear_partial(partial *p, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        p->largest[i] = -INFINITY;
        p->sum[i] = 0;
        p->right[i] = none;
    }
}

static bool make_partials(infonce *f)
{
    size_t width = (size_t)f->b.width;
    f->partials = dip_calloc((size_t)f->b.ranges, sizeof *f->partials);
    for (int64_t r = 0; f->partials != NULL && r < f->b.ranges; r++) {
        partial *p = f->partials + r;
        p->largest = dip_calloc(width, sizeof *p->largest);
        p->sum = dip_calloc(width, sizeof *p->sum);
        p->right = dip_calloc(width, sizeof *p->right);
        if (p->largest == NULL || p->sum == NULL || p->right == NULL)
            return false;
        clear_partial(p, f->b.width);
    }
    return f->partials != NULL;
}

static void free_partials(infonce *f)
{
    for (int64_t r = 0; f->partials != NULL && r < f->b.ranges; r++) {
        free(f->partials[r].largest);
        free(f->partials[r].sum);
        free(f->partials[r].right);
    }
    free(f->partials);
}

/* Weights of the mean; both ways count half each. */
static void set_weights(infonce *f, const dip_blocked_input *input)
{
    int64_t n = f->b.n;
    const float *weights = NULL;
    double total = (double)n;
    if (input->weights) {
        weights = dip_tensor_data(dip_t_contiguous(input->weights));
        if (weights == NULL)
            return;
        total = 0;
        for (int64_t i = 0; i < n; i++)
            total += (double)weights[i];
        total = fmax(total, 1e-12);
    }
    for (int64_t i = 0; i < n; i++) {
        double share = (weights ? (double)weights[i] : 1.0) / total;
        f->ahead.weight[i] = (float)(input->one_way ? share : share / 2);
        f->back.weight[i] = (float)(input->one_way ? 0 : share / 2);
    }
}

/* ---- first pass ---------------------------------------------------------- */

/* Brings a sum of exponentials over `from` to one over `to`. */
static double rescaled(double sum, double from, double to)
{
    return sum > 0 ? sum * exp(from - to) : 0;
}

static void join_right(right_ones *r, const right_ones *other)
{
    double most = fmax(r->largest, other->largest);
    r->sum = rescaled(r->sum, r->largest, most) +
             rescaled(other->sum, other->largest, most);
    r->largest = most;
    r->total += other->total;
}

static void first_visit(void *user, const dip_blocked_chunk *c)
{
    infonce *f = user;
    partial *p = f->partials + c->range;
    dip_blocked_set_aside(&f->b, c);
    dip_blocked_right at = {0};
    while (dip_blocked_next(&at, &f->b, c)) {
        double l = (double)c->aside[at.number];
        const right_ones one = {l, 1, l};
        if (at.item == at.query)
            continue;
        join_right(&f->back.right[at.item], &one);
        join_right(&p->right[at.query - c->query], &one);
    }
    dip_blocked_column_stats(c->x, c->items, c->row, c->queries, p->largest,
                             p->sum);
    for (int64_t j = 0; j < c->items && !f->one_way; j++)
        dip_blocked_row_stats(c->x + j * c->row, c->queries,
                              &f->back.largest[c->item + j],
                              &f->back.sum[c->item + j]);
    dip_blocked_put_back(&f->b, c);
}

/* Joins what the ranges found for a block of queries. */
static void join_partials(void *user, int64_t query, int64_t queries)
{
    infonce *f = user;
    for (int64_t r = 0; r < f->b.ranges; r++) {
        partial *p = f->partials + r;
        for (int64_t i = 0; i < queries; i++) {
            float *largest = &f->ahead.largest[query + i];
            double *sum = &f->ahead.sum[query + i];
            float most = fmaxf(*largest, p->largest[i]);
            *sum = rescaled(*sum, (double)*largest, (double)most) +
                   rescaled(p->sum[i], (double)p->largest[i], (double)most);
            *largest = most;
            join_right(&f->ahead.right[query + i], &p->right[i]);
        }
        clear_partial(p, queries);
    }
}

/* ---- the loss ------------------------------------------------------------ */

/* sums [N]: of all candidates' l, for each of `anchors`. */
static void sum_all(const dip_blocked *b, double *sums, const float *anchors,
                    const float *candidates, double *whole)
{
    for (int64_t d = 0; d < b->dim; d++)
        whole[d] = 0;
    for (int64_t j = 0; j < b->n; j++) {
        for (int64_t d = 0; d < b->dim; d++)
            whole[d] += (double)candidates[j * b->dim + d];
    }
    for (int64_t i = 0; i < b->n; i++) {
        sums[i] = 0;
        for (int64_t d = 0; d < b->dim; d++)
            sums[i] += b->scale * (double)anchors[i * b->dim + d] * whole[d];
    }
}

/* The loss of anchor i, whose lse it sets; `all`: the sum of all l. */
static double finish_anchor(const infonce *f, side *s, int64_t i, double all)
{
    double own = f->b.own[i], smoothing = f->options->label_smoothing;
    double count = (double)f->b.right.count[i], seen = (double)f->b.n;
    right_ones right = {own, 1, own};
    double attraction = own;
    if (excludes(f)) {
        seen -= count - 1;
        all -= s->right[i].total;
    } else {
        join_right(&right, &s->right[i]);
    }
    double right_lse = right.largest + log(right.sum);
    if (f->options->positives == DIP_POSITIVES_SUM)
        attraction = right_lse;
    else if (!excludes(f))
        attraction = right.total / count;
    double over = softplus((double)s->largest[i] + log(s->sum[i]) - right_lse);
    s->right_lse[i] = right_lse;
    s->lse[i] = right_lse + over;
    s->near_lse[i] = (float)s->lse[i];
    s->near_weight[i] =
        (float)((double)s->weight[i] * exp((double)s->near_lse[i] - s->lse[i]));
    s->even[i] = (float)(smoothing / seen);
    return (double)s->weight[i] * (over + (right_lse - attraction) +
                                   smoothing * (attraction - all / seen));
}

/* The loss of one side. */
static double finish_side(const infonce *f, side *s, const float *anchors,
                          const float *candidates)
{
    double loss = 0;
    double *sums = dip_calloc((size_t)f->b.n, sizeof *sums);
    double *whole = dip_calloc((size_t)f->b.dim, sizeof *whole);
    if (sums == NULL || whole == NULL)
        dip_tensor_fail(DIP_ENOMEM, "out of memory");
    else if (f->options->label_smoothing > 0)
        sum_all(&f->b, sums, anchors, candidates, whole);
    for (int64_t i = 0; i < f->b.n && !dip_tensor_failed(); i++)
        loss += s->weight[i] > 0 ? finish_anchor(f, s, i, sums[i]) : 0;
    free(whole);
    free(sums);
    return loss;
}

/* ---- second pass --------------------------------------------------------- */

/* What anchor i pays for a right candidate of logit l that counts: its share
 * of the exponentials less that of the attraction, where both may be nearly
 * 1, less that of smoothing. */
static double pull(const infonce *f, const side *s, int64_t i, double l)
{
    double smoothing = f->options->label_smoothing, share = 1, paid;
    if (!(s->weight[i] > 0))
        return 0;
    if (f->options->positives == DIP_POSITIVES_SUM) {
        share = exp(l - s->right_lse[i]);
        paid = share * (expm1(s->right_lse[i] - s->lse[i]) + smoothing);
    } else {
        if (!excludes(f))
            share = 1 / (double)f->b.right.count[i];
        paid = expm1(l - s->lse[i]) + (1 - (1 - smoothing) * share);
    }
    return (double)s->weight[i] * (paid - (double)s->even[i]);
}

static void second_visit(void *user, const dip_blocked_chunk *c)
{
    infonce *f = user;
    const side *ahead = &f->ahead, *back = &f->back;
    dip_blocked_set_aside(&f->b, c);
    for (int64_t j = 0; j < c->items; j++) {
        int64_t item = c->item + j;
        const dip_blocked_anchor anchor = {
            back->near_weight[item], back->near_lse[item], back->even[item]};
        dip_blocked_gradient_row(c->x + j * c->row, c->queries, anchor,
                                 ahead->near_weight + c->query,
                                 ahead->near_lse + c->query,
                                 ahead->even + c->query);
    }
    dip_blocked_right at = {0};
    while (dip_blocked_next(&at, &f->b, c)) {
        bool own = at.item == at.query;
        double l = own ? f->b.own[at.item] : (double)c->aside[at.number];
        *at.x = own || !excludes(f) ? (float)(pull(f, ahead, at.query, l) +
                                              pull(f, back, at.item, l))
                                    : 0;
    }
}

/* ---- all ----------------------------------------------------------------- */

static double compute(infonce *f, const dip_blocked_input *input)
{
    dip_blocked *b = &f->b;
    if (!make_side(&f->ahead, b->n) || !make_side(&f->back, b->n) ||
        !make_partials(f)) {
        dip_tensor_fail(DIP_ENOMEM, "out of memory");
        return 0;
    }
    set_weights(f, input);
    const dip_blocked_pass first = {.visit = first_visit,
                                    .finish = join_partials,
                                    .user = f,
                                    .keeps = true};
    const dip_blocked_pass second = {
        .visit = second_visit, .user = f, .spreads = true, .again = true};
    dip_blocked_run(b, &first);
    double loss = finish_side(f, &f->ahead, b->queries, b->items) +
                  finish_side(f, &f->back, b->items, b->queries);
    if (b->with_gradients && !dip_tensor_failed())
        dip_blocked_run(b, &second);
    return loss;
}

dip_tensor *dip_blocked_infonce(const dip_blocked_input *input,
                                const dip_loss_options *options)
{
    infonce f = {.options = options, .one_way = input->one_way};
    dip_blocked_input unbiased = *input;
    unbiased.bias = NULL; /* which leaves the loss as it is */
    bool before;
    dip_tensor *loss = NULL;
    dip_scope_open();
    if (dip_blocked_begin(&f.b, &unbiased, true, &before)) {
        double value = compute(&f, input);
        loss = dip_tensor_return(dip_blocked_result(&f.b, input, value));
    }
    free_side(&f.ahead);
    free_side(&f.back);
    free_partials(&f);
    dip_blocked_end(&f.b, before);
    dip_scope_close();
    return loss;
}
