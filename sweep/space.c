#include "sweep/space.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

enum { PURPOSE_TRIAL = 0x5ea5 };

#define NUMBER_SIZE 40

size_t dip_sweep_space_size(const dip_sweep_space *space)
{
    size_t size = 1;
    for (size_t p = 0; p < space->count; p++) {
        const dip_sweep_parameter *at = &space->parameters[p];
        size_t values = at->choice_count;
        if (values == 0 && !at->integer)
            return SIZE_MAX;
        if (values == 0)
            values = (size_t)(at->high - at->low) + 1;
        if (dip_mul_overflows(size, values, &size))
            return SIZE_MAX;
    }
    return size;
}

const char *dip_sweep_value(const dip_sweep_points *points, size_t trial,
                            size_t parameter)
{
    return points->values[trial * points->parameters + parameter];
}

void dip_sweep_points_free(dip_sweep_points *points)
{
    for (size_t i = 0;
         points->values != NULL && i < points->trials * points->parameters; i++)
        free(points->values[i]);
    free(points->values);
    *points = (dip_sweep_points){0};
}

static dip_status make(dip_sweep_points *out, const dip_sweep_space *space,
                       size_t trials, dip_err *err)
{
    size_t values;
    *out = (dip_sweep_points){0};
    if (dip_mul_overflows(trials, space->count, &values))
        return dip_fail(err, DIP_ERANGE, "too many trials: %zu", trials);
    out->values = dip_calloc(values, sizeof *out->values);
    if (out->values == NULL)
        return dip_no_memory(err);
    out->trials = trials;
    out->parameters = space->count;
    return DIP_OK;
}

/* ---- grid ---- */

dip_status dip_sweep_grid(dip_sweep_points *out, const dip_sweep_space *space,
                          dip_err *err)
{
    dip_status st = make(out, space, dip_sweep_space_size(space), err);
    for (size_t t = 0; st == DIP_OK && t < out->trials; t++) {
        size_t rest = t;
        for (size_t p = space->count; p-- > 0;) {
            const dip_sweep_parameter *at = &space->parameters[p];
            assert(at->choice_count > 0);
            char *value = dip_strdup(at->choices[rest % at->choice_count]);
            rest /= at->choice_count;
            out->values[t * space->count + p] = value;
            if (value == NULL)
                return dip_no_memory(err);
        }
    }
    return st;
}

/* ---- drawing ---- */

/* Uniform in [low, high), in the logarithm if so wanted. */
static double draw_between(double low, double high, bool log_scale,
                           double uniform)
{
    if (!log_scale)
        return low + uniform * (high - low);
    return exp(log(low) + uniform * (log(high) - log(low)));
}

static double within(const dip_sweep_parameter *p, double value)
{
    return fmin(fmax(value, p->low), p->high);
}

/* One number a value, whatever its kind, so that a parameter's draws do not
 * depend on the kinds of those before it. */
static void draw_number(char out[NUMBER_SIZE], const dip_sweep_parameter *p,
                        double uniform)
{
    double value;
    if (p->integer) {
        value = floor(draw_between(p->low, p->high + 1, p->log, uniform));
        (void)snprintf(out, NUMBER_SIZE, "%.0f", within(p, value));
        return;
    }
    value = within(p, draw_between(p->low, p->high, p->log, uniform));
    (void)snprintf(out, NUMBER_SIZE, "%.4g", value);
    double rounded = strtod(out, NULL);
    if (rounded < p->low || rounded > p->high)
        (void)snprintf(out, NUMBER_SIZE, "%.17g", value);
}

static dip_status draw_point(char **values, const dip_sweep_space *space,
                             uint64_t trial, uint64_t attempt, dip_err *err)
{
    dip_rng rng = dip_rng_stream(space->seed, PURPOSE_TRIAL, trial, attempt);
    for (size_t p = 0; p < space->count; p++) {
        const dip_sweep_parameter *at = &space->parameters[p];
        double uniform = dip_rng_uniform(&rng);
        char number[NUMBER_SIZE];
        const char *text = number;
        if (at->choice_count > 0)
            text = at->choices[(size_t)(uniform * (double)at->choice_count)];
        else
            draw_number(number, at, uniform);
        free(values[p]);
        values[p] = dip_strdup(text);
        if (values[p] == NULL)
            return dip_no_memory(err);
    }
    return DIP_OK;
}

static bool is_new(const dip_sweep_points *points, size_t trial)
{
    for (size_t t = 0; t < trial; t++) {
        bool same = true;
        for (size_t p = 0; p < points->parameters && same; p++)
            same = strcmp(dip_sweep_value(points, t, p),
                          dip_sweep_value(points, trial, p)) == 0;
        if (same)
            return false;
    }
    return true;
}

dip_status dip_sweep_draw(dip_sweep_points *out, const dip_sweep_space *space,
                          size_t trials, dip_err *err)
{
    size_t size = dip_sweep_space_size(space);
    assert(trials <= size);
    dip_status st = make(out, space, trials, err);
    for (size_t t = 0; t < trials && st == DIP_OK; t++) {
        uint64_t attempt = 0;
        do {
            st = draw_point(&out->values[t * space->count], space, t, attempt++,
                            err);
        } while (st == DIP_OK && size < SIZE_MAX && !is_new(out, t));
    }
    return st;
}
