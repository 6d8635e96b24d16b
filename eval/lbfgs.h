/* Minimises smooth functions of many numbers: L-BFGS (Liu and Nocedal,
 * Mathematical Programming 1989) with a line search by bisection for the weak
 * Wolfe conditions (Lewis and Overton, Mathematical Programming 2013). */
#ifndef DIP_EVAL_LBFGS_H
#define DIP_EVAL_LBFGS_H

#include <stdint.h>

#include "base/status.h"

/* The value at `at` [n]; writes the gradient [n] there. */
typedef double (*dip_smooth)(double *gradient, const double *at, void *context);

/* It ends when no component of the gradient is larger than `tolerance`, when
 * an iteration gains no more than `progress` (of the value, or of 1 where that
 * is larger), when rounding lets none gain anything, or after `iterations`. */
typedef struct {
    int64_t iterations;
    double tolerance;
    double progress;
} dip_lbfgs_options;

typedef struct {
    double value;
    double gradient; /* its largest component */
    int64_t iterations;
} dip_lbfgs_result;

/* From x [n], which becomes the minimum. Every sum is taken in order, so that
 * the result is a function of the arguments if `smooth` is one. Fails for want
 * of memory only; then x is as it was. */
dip_status dip_lbfgs_minimise(dip_lbfgs_result *out, double *x, int64_t n,
                              dip_smooth smooth, void *context,
                              const dip_lbfgs_options *options,
                              dip_err *err) DIP_MUST_CHECK;

#endif
