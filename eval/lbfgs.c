#include "eval/lbfgs.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define MEMORY   10   /* pairs of steps and changes of the gradient */
#define TRIES    30   /* of a line search */
#define DECREASE 1e-4 /* of the first Wolfe condition */
#define CURVE    .9   /* of the second */

typedef struct {
    int64_t n;
    dip_smooth smooth;
    void *context;
    double *x; /* [n] the caller's */
    double value;
    double *gradient;            /* [n] at x */
    double *direction;           /* [n] */
    double *trial, *at_trial;    /* [n] a point and its gradient */
    double *steps, *changes;     /* [MEMORY, n] ring of x and gradient */
    double curvature[MEMORY];    /* step . change */
    double coefficients[MEMORY]; /* of the first loop */
    int64_t kept;                /* pairs so far, in place kept % MEMORY next */
} minimiser;

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void add_scaled(double *to, double factor, const double *from, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] += factor * from[i];
}

static double largest(const double *values, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++)
        most = fmax(most, fabs(values[i]));
    return most;
}

/* Minus the gradient times the approximate inverse of the Hessian, by the two
 * loops over the pairs; returns the slope along it. */
static double find_direction(minimiser *m)
{
    int64_t n = m->n, oldest = m->kept > MEMORY ? m->kept - MEMORY : 0;
    double *d = m->direction;
    for (int64_t i = 0; i < n; i++)
        d[i] = -m->gradient[i];
    for (int64_t k = m->kept - 1; k >= oldest; k--) {
        int64_t p = k % MEMORY;
        m->coefficients[p] = dot(m->steps + p * n, d, n) / m->curvature[p];
        add_scaled(d, -m->coefficients[p], m->changes + p * n, n);
    }
    if (m->kept > 0) {
        int64_t p = (m->kept - 1) % MEMORY;
        const double *change = m->changes + p * n;
        double scale = m->curvature[p] / dot(change, change, n);
        for (int64_t i = 0; i < n; i++)
            d[i] *= scale;
    }
    for (int64_t k = oldest; k < m->kept; k++) {
        int64_t p = k % MEMORY;
        double back = dot(m->changes + p * n, d, n) / m->curvature[p];
        add_scaled(d, m->coefficients[p] - back, m->steps + p * n, n);
    }
    return dot(m->gradient, d, n);
}

/* Goes to a point along the direction that meets both conditions; false when
 * rounding lets none be found. */
static bool search_line(minimiser *m, double *value, double slope, double step)
{
    double low = 0, high = (double)INFINITY;
    for (int t = 0; t < TRIES; t++) {
        memcpy(m->trial, m->x, (size_t)m->n * sizeof *m->trial);
        add_scaled(m->trial, step, m->direction, m->n);
        *value = m->smooth(m->at_trial, m->trial, m->context);
        if (!(*value <= m->value + DECREASE * step * slope)) /* NaN, too */
            high = step;
        else if (dot(m->at_trial, m->direction, m->n) < CURVE * slope)
            low = step;
        else
            return true;
        step = isfinite(high) ? (low + high) / 2 : 2 * step;
    }
    return false;
}

/* Takes the trial point, and remembers how it got there. */
static void advance(minimiser *m, double value)
{
    int64_t n = m->n, p = m->kept % MEMORY;
    double *step = m->steps + p * n, *change = m->changes + p * n;
    for (int64_t i = 0; i < n; i++) {
        step[i] = m->trial[i] - m->x[i];
        change[i] = m->at_trial[i] - m->gradient[i];
    }
    m->curvature[p] = dot(step, change, n);
    m->kept += m->curvature[p] > 0;
    memcpy(m->x, m->trial, (size_t)n * sizeof *m->x);
    memcpy(m->gradient, m->at_trial, (size_t)n * sizeof *m->gradient);
    m->value = value;
}

static dip_status make_room(minimiser *m, dip_err *err)
{
    size_t n = (size_t)m->n, ring;
    if (dip_mul_overflows(n, MEMORY, &ring))
        return dip_no_memory(err);
    m->gradient = dip_calloc(n, sizeof *m->gradient);
    m->direction = dip_calloc(n, sizeof *m->direction);
    m->trial = dip_calloc(n, sizeof *m->trial);
    m->at_trial = dip_calloc(n, sizeof *m->at_trial);
    m->steps = dip_calloc(ring, sizeof *m->steps);
    m->changes = dip_calloc(ring, sizeof *m->changes);
    bool whole = m->gradient != NULL && m->direction != NULL &&
                 m->trial != NULL && m->at_trial != NULL && m->steps != NULL &&
                 m->changes != NULL;
    return whole ? DIP_OK : dip_no_memory(err);
}

static void free_room(minimiser *m)
{
    free(m->changes);
    free(m->steps);
    free(m->at_trial);
    free(m->trial);
    free(m->direction);
    free(m->gradient);
}

static int64_t minimise(minimiser *m, const dip_lbfgs_options *options)
{
    int64_t done = 0;
    m->value = m->smooth(m->gradient, m->x, m->context);
    while (done < options->iterations &&
           largest(m->gradient, m->n) > options->tolerance) {
        double slope = find_direction(m), value, before = m->value;
        double length = sqrt(dot(m->direction, m->direction, m->n));
        double step = m->kept == 0 && length > 1 ? 1 / length : 1;
        if (!search_line(m, &value, slope, step))
            break;
        advance(m, value);
        done++;
        if (before - value <= options->progress * fmax(fabs(value), 1))
            break;
    }
    return done;
}

dip_status dip_lbfgs_minimise(dip_lbfgs_result *out, double *x, int64_t n,
                              dip_smooth smooth, void *context,
                              const dip_lbfgs_options *options, dip_err *err)
{
    minimiser m = {.n = n, .smooth = smooth, .context = context, .x = x};
    dip_status st = make_room(&m, err);
    if (st == DIP_OK) {
        out->iterations = minimise(&m, options);
        out->value = m.value;
        out->gradient = largest(m.gradient, n);
    }
    free_room(&m);
    return st;
}
