/* What a sweep chooses from: parameters, and the points of their space that
 * become trials. */
#ifndef DIP_SWEEP_SPACE_H
#define DIP_SWEEP_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* All borrowed. */
typedef struct {
    const char *name; /* in tables: "lr" */
    const char *key;  /* of the config: "train.lr" */
    /* Texts as they stand behind "key=", no two the same. */
    const char *const *choices;
    size_t choice_count; /* 0: a range */
    double low, high;    /* of a range, low < high; above 0 if `log` */
    bool log;            /* uniform in the logarithm */
    bool integer;        /* whole numbers, both ends among them */
} dip_sweep_parameter;

typedef struct {
    const dip_sweep_parameter *parameters;
    size_t count; /* at least 1 */
    uint64_t seed;
} dip_sweep_space;

/* How many different points there are; SIZE_MAX when that is not known. */
size_t dip_sweep_space_size(const dip_sweep_space *space);

/* Points, trial by trial; start it as {0}. */
typedef struct {
    char **values; /* [trials, parameters] texts as behind "key=" */
    size_t trials, parameters;
} dip_sweep_points;

/* All combinations of choices; the last parameter changes fastest. No range
 * may be among them. In any case *out ends with dip_sweep_points_free(). */
dip_status dip_sweep_grid(dip_sweep_points *out, const dip_sweep_space *space,
                          dip_err *err) DIP_MUST_CHECK;

/* Draws `trials` points, independently of each other but that none comes
 * twice where the space can be counted; it then has as many. Trial i is a pure
 * function of the space and i: more trials begin with the same. Numbers of a
 * range have four digits, or as many as keep them inside. */
dip_status dip_sweep_draw(dip_sweep_points *out, const dip_sweep_space *space,
                          size_t trials, dip_err *err) DIP_MUST_CHECK;

/* Borrowed. */
const char *dip_sweep_value(const dip_sweep_points *points, size_t trial,
                            size_t parameter);
void dip_sweep_points_free(dip_sweep_points *points);

#endif
