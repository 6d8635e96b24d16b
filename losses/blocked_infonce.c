/* InfoNCE a block at a time. With l = scale * q . k, the loss of an anchor is
 *
 *   log sum_j exp l_j - (1 - smoothing) attraction - smoothing mean_j l_j
 *
 * and attraction the mean of the right l ("uniform"), the logarithm of their
 * summed exponentials ("sum") or the own l ("exclude", which leaves the other
 * right candidates out of all sums). The first pass finds for each anchor of
 * either side the two sums of exponentials and the two plain sums; the second
 * one the gradient. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "base/mem.h"
#include "losses/blocked_loops.h"
#include "losses/blocked_private.h"

#define HIDDEN       (-1e30F)
#define COLUMN_CHUNK 1024

/* One side: its N anchors. */
typedef struct {
    float *largest;       /* of the candidates, then their log-sum-exp */
    float *sum;           /* of exponentials over those of `largest` */
    float *right_largest; /* "sum": the same of right candidates */
    float *right_sum;
    double *right; /* sum of right l; then what attracts */
    double *all;   /* sum of l, kept with smoothing only */
    float *weight; /* in the loss; all together they sum up to 1 or 1/2 */
    float *even;   /* share of smoothing that each candidate gets */
} side;

typedef struct {
    dip_blocked b;
    const dip_loss_options *options;
    side ahead, back;
    bool one_way;
} infonce;

static bool make_side(side *s, int64_t n)
{
    size_t count = (size_t)n;
    float **floats[] = {&s->largest,   &s->sum,    &s->right_largest,
                        &s->right_sum, &s->weight, &s->even};
    bool ok = true;
    for (size_t i = 0; i < DIP_ARRAY_LEN(floats); i++) {
        *floats[i] = dip_calloc(count, sizeof(float));
        ok = ok && *floats[i] != NULL;
    }
    s->right = dip_calloc(count, sizeof(double));
    s->all = dip_calloc(count, sizeof(double));
    for (int64_t i = 0; ok && i < n; i++)
        s->largest[i] = s->right_largest[i] = -INFINITY;
    return ok && s->right != NULL && s->all != NULL;
}

static void free_side(side *s)
{
    free(s->largest);
    free(s->sum);
    free(s->right_largest);
    free(s->right_sum);
    free(s->right);
    free(s->all);
    free(s->weight);
    free(s->even);
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
        total = fmax(dip_blocked_sum(weights, n), 1e-12);
    }
    for (int64_t i = 0; i < n; i++) {
        double share = (weights ? (double)weights[i] : 1.0) / total;
        f->ahead.weight[i] = (float)(input->one_way ? share : share / 2);
        f->back.weight[i] = (float)(input->one_way ? 0 : share / 2);
    }
}

static bool excludes(const infonce *f)
{
    return f->options->positives == DIP_POSITIVES_EXCLUDE;
}

/* ---- first pass ---- */

/* Adds exp(l) to a sum of exponentials over its largest. */
static void add_online(float *largest, float *sum, float l)
{
    if (l > *largest) {
        *sum = *sum * expf(*largest - l) + 1;
        *largest = l;
    } else {
        *sum += expf(l - *largest);
    }
}

static void add_right(const infonce *f, side *s, int64_t i, float l)
{
    s->right[i] += (double)l;
    if (f->options->positives == DIP_POSITIVES_SUM)
        add_online(&s->right_largest[i], &s->right_sum[i], l);
}

/* What is right for row i, to both sides; other right ones are hidden where
 * they do not count. */
static void take_right(infonce *f, int64_t i, float *row)
{
    const dip_positive_lists *lists = &f->b.right;
    const int32_t *list = lists->rows + lists->start[i];
    for (int64_t k = 0; k < lists->count[i]; k++) {
        int32_t j = list[k];
        float l = f->b.scale * row[j];
        if (excludes(f) && j != i) {
            row[j] = HIDDEN;
            continue;
        }
        add_right(f, &f->ahead, i, l);
        add_right(f, &f->back, j, l);
    }
}

/* Sums of all l, before any is hidden: the hidden ones are taken out again. */
static void take_all(infonce *f, int64_t first, int64_t rows, const float *x)
{
    int64_t n = f->b.n;
    const dip_positive_lists *lists = &f->b.right;
#pragma omp parallel for
    for (int64_t i = 0; i < rows; i++)
        f->ahead.all[first + i] =
            (double)f->b.scale * dip_blocked_sum(x + i * n, n);
#pragma omp parallel for
    for (int64_t j = 0; j < n; j++) {
        double sum = 0;
        for (int64_t i = 0; i < rows; i++)
            sum += (double)x[i * n + j];
        f->back.all[j] += (double)f->b.scale * sum;
    }
    for (int64_t i = first; excludes(f) && i < first + rows; i++) {
        const int32_t *list = lists->rows + lists->start[i];
        for (int64_t k = 0; k < lists->count[i]; k++) {
            double l = (double)(f->b.scale * x[(i - first) * n + list[k]]);
            f->ahead.all[i] -= list[k] != i ? l : 0;
            f->back.all[list[k]] -= list[k] != i ? l : 0;
        }
    }
}

static void first_pass_block(infonce *f, int64_t first, int64_t rows, float *x)
{
    int64_t n = f->b.n;
    float scale = f->b.scale;
    if (f->options->label_smoothing > 0)
        take_all(f, first, rows, x);
    for (int64_t i = 0; i < rows; i++)
        take_right(f, first + i, x + i * n);
#pragma omp parallel for
    for (int64_t i = 0; i < rows; i++) {
        double sum;
        dip_blocked_row_stats(x + i * n, n, scale, &f->ahead.largest[first + i],
                              &sum);
        f->ahead.sum[first + i] = (float)sum;
    }
    if (f->one_way)
        return;
#pragma omp parallel for
    for (int64_t at = 0; at < n; at += COLUMN_CHUNK) {
        int64_t width = n - at < COLUMN_CHUNK ? n - at : COLUMN_CHUNK;
        dip_blocked_column_stats(x + at, rows, n, width, scale,
                                 f->back.largest + at, f->back.sum + at);
    }
}

/* The loss of one side; `largest` becomes the log-sum-exp, `right` what
 * attracts. */
static double finish_side(const infonce *f, side *s)
{
    double loss = 0, smoothing = f->options->label_smoothing;
    for (int64_t i = 0; i < f->b.n; i++) {
        int64_t count = f->b.right.count[i];
        int64_t seen = f->b.n - (excludes(f) ? count - 1 : 0);
        if (!(s->weight[i] > 0)) {
            s->largest[i] = -HIDDEN; /* no exponential over it counts */
            continue;
        }
        s->largest[i] += logf(s->sum[i]);
        if (f->options->positives == DIP_POSITIVES_SUM)
            s->right[i] =
                (double)s->right_largest[i] + log((double)s->right_sum[i]);
        else if (!excludes(f))
            s->right[i] /= (double)count;
        s->even[i] = (float)(smoothing / (double)seen);
        loss += (double)s->weight[i] *
                ((double)s->largest[i] - (1 - smoothing) * s->right[i] -
                 smoothing * s->all[i] / (double)seen);
    }
    return loss;
}

/* ---- second pass ---- */

/* What right candidate j takes off the gradient of anchor i. */
static double pull(const infonce *f, const side *s, int64_t anchor, float l)
{
    double share = 1;
    if (!(s->weight[anchor] > 0))
        return 0;
    if (f->options->positives == DIP_POSITIVES_SUM)
        share = exp((double)l - s->right[anchor]);
    else if (!excludes(f))
        share = 1.0 / (double)f->b.right.count[anchor];
    return (double)s->weight[anchor] * (1 - f->options->label_smoothing) *
           share;
}

/* One row: the gradient in place of the products, times the scale. Returns the
 * sum of gradient times product, the row's share of the scale's gradient. */
static double gradient_row(const infonce *f, int64_t i, float *row,
                           float *pulls)
{
    const dip_positive_lists *lists = &f->b.right;
    const int32_t *list = lists->rows + lists->start[i];
    int64_t count = lists->count[i], n = f->b.n;
    double pulled = 0;
    for (int64_t k = 0; k < count; k++) {
        int32_t j = list[k];
        float l = f->b.scale * row[j];
        bool hidden = excludes(f) && j != i;
        double p =
            hidden ? 0 : pull(f, &f->ahead, i, l) + pull(f, &f->back, j, l);
        pulls[k] = (float)p;
        pulled += p * (double)row[j];
        if (hidden)
            row[j] = 0; /* counts for nothing in the sum below */
    }
    double sum = dip_blocked_gradient_row(
        row, n, f->b.scale, f->ahead.weight[i], f->ahead.largest[i],
        f->ahead.even[i], f->back.weight, f->back.largest, f->back.even);
    for (int64_t k = 0; k < count; k++) {
        int32_t j = list[k];
        row[j] = excludes(f) && j != i ? 0 : row[j] - pulls[k];
    }
    return sum - pulled;
}

static void second_pass_block(infonce *f, int64_t first, int64_t rows, float *x,
                              float *pulls, double *shares)
{
    int64_t n = f->b.n;
#pragma omp parallel for
    for (int64_t i = 0; i < rows; i++) {
        float *row = x + i * n;
        shares[i] =
            gradient_row(f, first + i, row, pulls + n * omp_get_thread_num());
        for (int64_t j = 0; j < n; j++)
            row[j] *= f->b.scale;
    }
    for (int64_t i = 0; i < rows; i++)
        f->b.scale_gradient += shares[i];
    dip_blocked_spread(&f->b, first, rows);
}

static void second_pass(infonce *f)
{
    size_t threads = (size_t)omp_get_max_threads();
    float *pulls = dip_calloc(threads * (size_t)f->b.n, sizeof *pulls);
    double *shares = dip_calloc((size_t)f->b.block_rows, sizeof *shares);
    if (pulls == NULL || shares == NULL)
        dip_tensor_fail(DIP_ENOMEM, "out of memory");
    for (int64_t at = 0; at < f->b.n && !dip_tensor_failed();
         at += f->b.block_rows) {
        int64_t rows =
            f->b.n - at < f->b.block_rows ? f->b.n - at : f->b.block_rows;
        float *x = dip_blocked_products_again(&f->b, at, rows);
        if (x != NULL)
            second_pass_block(f, at, rows, x, pulls, shares);
    }
    free(shares);
    free(pulls);
}

/* ---- all ---- */

static double compute(infonce *f, const dip_blocked_input *input)
{
    if (!make_side(&f->ahead, f->b.n) || !make_side(&f->back, f->b.n)) {
        dip_tensor_fail(DIP_ENOMEM, "out of memory");
        return 0;
    }
    set_weights(f, input);
    dip_blocked_keep(&f->b);
    for (int64_t at = 0; at < f->b.n && !dip_tensor_failed();
         at += f->b.block_rows) {
        int64_t rows =
            f->b.n - at < f->b.block_rows ? f->b.n - at : f->b.block_rows;
        float *x = dip_blocked_products(&f->b, at, rows);
        if (x != NULL)
            first_pass_block(f, at, rows, x);
    }
    double loss = finish_side(f, &f->ahead) + finish_side(f, &f->back);
    if (f->b.with_gradients)
        second_pass(f);
    return loss;
}

dip_tensor *dip_blocked_infonce(const dip_blocked_input *input,
                                const dip_loss_options *options)
{
    infonce f = {.options = options, .one_way = input->one_way};
    bool before;
    dip_tensor *loss = NULL;
    dip_scope_open();
    if (dip_blocked_begin(&f.b, input, &before)) {
        double value = compute(&f, input);
        loss = dip_tensor_return(dip_blocked_result(&f.b, input, value));
    }
    free_side(&f.ahead);
    free_side(&f.back);
    dip_blocked_end(&f.b, before);
    dip_scope_close();
    return loss;
}
