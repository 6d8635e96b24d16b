/* A sweep from its settings to its results: workers that train trials, the
 * journal of what became of them, the files that show it. */
#ifndef DIP_APPS_SWEEP_RUN_H
#define DIP_APPS_SWEEP_RUN_H

#include <jansson.h>
#include <stdbool.h>

#include "apps/sweep_settings.h"
#include "base/status.h"

typedef struct {
    const char *dir; /* of the sweep */
    bool resume;
    bool retry; /* what has failed */
    bool quiet;
} dip_sweep_run_options;

/* Trains until there is nothing left to do. Without `resume` a folder that
 * holds a sweep is DIP_EDATA; with it, one that began otherwise is DIP_ECONFIG
 * (there may be more trials, and other workers). DIP_EINTERRUPT after a signal:
 * the workers have written checkpoints. Trials that failed are no error of
 * this. *out, also with DIP_EINTERRUPT, gets the results (sweep/results.h);
 * the caller ends it with json_decref(). */
dip_status dip_sweep_run(json_t **out, const dip_sweep_settings *settings,
                         const dip_sweep_run_options *options,
                         dip_err *err) DIP_MUST_CHECK;

#endif
