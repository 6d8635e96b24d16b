/* The inner loops of the blocked losses over one chunk of logits. Each is
 * compiled for several instruction sets, of which the machine's best is chosen
 * when the program starts. */
#ifndef DIP_LOSSES_BLOCKED_LOOPS_H
#define DIP_LOSSES_BLOCKED_LOOPS_H

#include <stdint.h>

/* Adds x[0..n) to a sum of exponentials over that of its largest: *sum is the
 * sum of exp(x - *largest); -inf and 0 at first. */
void dip_blocked_row_stats(const float *x, int64_t n, float *largest,
                           double *sum);

/* The same for each of n columns of `rows` rows of `stride`: largest, sum [n].
 */
void dip_blocked_column_stats(const float *x, int64_t rows, int64_t stride,
                              int64_t n, float *largest, double *sum);

/* What an anchor of InfoNCE pays for a candidate of logit x is
 * weight * (exp(x - lse) - even). */
typedef struct {
    float weight, lse, even;
} dip_blocked_anchor;

/* x[i] becomes the sum of what its two anchors pay: `item`, and the query with
 * weight[i], lse[i] and even[i]. */
void dip_blocked_gradient_row(float *x, int64_t n, dip_blocked_anchor item,
                              const float *weight, const float *lse,
                              const float *even);

/* x[i] becomes a * sigmoid(x[i]), the gradient of a wrong pair. Returns the sum
 * of log(1 + exp(x)); *total gets the sum of the new x. */
double dip_blocked_sigmoid_row(float *x, int64_t n, float a, double *total);

#endif
