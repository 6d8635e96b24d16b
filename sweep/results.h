/* The results of a sweep as JSON of the schema "diptych-sweep/1"
 * (docs/sweep.md); tables and the page are made from that alone. */
#ifndef DIP_SWEEP_RESULTS_H
#define DIP_SWEEP_RESULTS_H

#include <jansson.h>

#include "base/status.h"
#include "sweep/space.h"
#include "sweep/trials.h"

#define DIP_SWEEP_SCHEMA "diptych-sweep/1"

/* All borrowed. */
typedef struct {
    const char *name, *search, *metric;
    const char *dir; /* of the sweep */
    const dip_sweep_space *space;
    const dip_sweep_points *points;
    const dip_sweep_trials *trials;
} dip_sweep_results;

#define DIP_SWEEP_RUN_SIZE 32

/* The name of a trial's run directory within the sweep's: "trials/0003". */
const char *dip_sweep_run_name(char out[DIP_SWEEP_RUN_SIZE], size_t trial);

/* The caller ends *out with json_decref(). */
dip_status dip_sweep_results_json(json_t **out,
                                  const dip_sweep_results *results,
                                  dip_err *err) DIP_MUST_CHECK;

#endif
