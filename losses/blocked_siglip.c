/* The sigmoid loss a block at a time: each pair is a decision of its own, so
 * one pass gives value and gradient. */
#include <stdlib.h>

#include "base/mem.h"
#include "losses/blocked_loops.h"
#include "losses/blocked_private.h"

/* The sums of one row. */
typedef struct {
    double loss, dot, total;
} row_sums;

/* All pairs as wrong ones first; -log sigmoid(l) of a right one is what a wrong
 * one pays less l. */
static row_sums one_row(const dip_blocked *b, int64_t i, float *row)
{
    const int32_t *list = b->right.rows + b->right.start[i];
    int64_t count = b->right.count[i];
    float share = 1.0F / (float)b->n;
    double linear = 0, dots = 0;
    row_sums s;
    for (int64_t k = 0; k < count; k++) {
        dots += (double)row[list[k]];
        linear += (double)(b->scale * row[list[k]] + b->bias);
    }
    s.loss = dip_blocked_sigmoid_row(row, b->n, b->scale, b->bias, share,
                                     &s.dot, &s.total);
    for (int64_t k = 0; k < count; k++)
        row[list[k]] -= share;
    s.loss -= linear;
    s.dot -= (double)share * dots;
    s.total -= (double)share * (double)count;
    return s;
}

static double block(dip_blocked *b, int64_t first, int64_t rows, float *x,
                    row_sums *sums)
{
    double loss = 0;
#pragma omp parallel for
    for (int64_t i = 0; i < rows; i++) {
        float *row = x + i * b->n;
        sums[i] = one_row(b, first + i, row);
        for (int64_t j = 0; j < b->n; j++)
            row[j] *= b->scale;
    }
    for (int64_t i = 0; i < rows; i++) {
        loss += sums[i].loss;
        b->scale_gradient += sums[i].dot;
        b->bias_gradient += sums[i].total;
    }
    if (b->with_gradients)
        dip_blocked_spread(b, first, rows);
    return loss;
}

static double compute(dip_blocked *b)
{
    double loss = 0;
    row_sums *sums = dip_calloc((size_t)b->block_rows, sizeof *sums);
    if (sums == NULL)
        dip_tensor_fail(DIP_ENOMEM, "out of memory");
    for (int64_t at = 0; at < b->n && !dip_tensor_failed();
         at += b->block_rows) {
        int64_t rows = b->n - at < b->block_rows ? b->n - at : b->block_rows;
        float *x = dip_blocked_products(b, at, rows);
        if (x != NULL)
            loss += block(b, at, rows, x, sums);
    }
    free(sums);
    return loss / (double)b->n;
}

dip_tensor *dip_blocked_siglip(const dip_blocked_input *input)
{
    dip_blocked b;
    bool before;
    dip_tensor *loss = NULL;
    dip_scope_open();
    if (dip_blocked_begin(&b, input, &before)) {
        double value = compute(&b);
        loss = dip_tensor_return(dip_blocked_result(&b, input, value));
    }
    dip_blocked_end(&b, before);
    dip_scope_close();
    return loss;
}
