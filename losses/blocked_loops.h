/* The inner loops of the blocked losses over one block of products of rows,
 * [rows, n] row-major. Each is compiled for several instruction sets, of which
 * the machine's best is chosen when the program starts. */
#ifndef DIP_LOSSES_BLOCKED_LOOPS_H
#define DIP_LOSSES_BLOCKED_LOOPS_H

#include <stdint.h>

/* The largest of scale * x[0..n), and the sum of exp(scale * x - largest). */
void dip_blocked_row_stats(const float *x, int64_t n, float scale,
                           float *largest, double *sum);

/* The same for columns [0, n) of `rows` rows of `stride`, added to what earlier
 * blocks left in largest [n] (-inf at first) and sum [n]. */
void dip_blocked_column_stats(const float *x, int64_t rows, int64_t stride,
                              int64_t n, float scale, float *largest,
                              float *sum);

/* The sum of x[0..n). */
double dip_blocked_sum(const float *x, int64_t n);

/* One row of an InfoNCE gradient in place of its products:
 *   x[j] = a * (exp(scale * x[j] - lse) - even) +
 *          b[j] * (exp(scale * x[j] - column_lse[j]) - column_even[j])
 * Returns the sum of the new x[j] times the old one. */
double dip_blocked_gradient_row(float *x, int64_t n, float scale, float a,
                                float lse, float even, const float *b,
                                const float *column_lse,
                                const float *column_even);

/* One row of a sigmoid gradient, all pairs being wrong, in place of its
 * products: x[j] = a * sigmoid(l), l = scale * x[j] + bias. Returns the sum of
 * log(1 + exp(l)); *dot gets the sum of new times old, *total that of the new.
 */
double dip_blocked_sigmoid_row(float *x, int64_t n, float scale, float bias,
                               float a, double *dot, double *total);

#endif
