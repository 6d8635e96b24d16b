/* One training run from settings to its last checkpoint: what `diptych train`
 * does after its command line is read. */
#ifndef DIP_APPS_TRAINER_H
#define DIP_APPS_TRAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "apps/settings.h"
#include "base/status.h"

typedef struct {
    const char *dir; /* the run directory */
    bool resume;
    bool quiet;
    int64_t stop_at;    /* update; 0: run to the end */
    int64_t stop_after; /* epochs; 0: all. The schedule stays that of all */
} dip_trainer_options;

/* Trains, validates, logs. An existing run is never overwritten: without
 * `resume` a directory that holds checkpoints is DIP_EDATA. Statuses of
 * dip_loop_run() come through. */
dip_status dip_trainer_run(const dip_settings *settings,
                           const dip_trainer_options *options,
                           dip_err *err) DIP_MUST_CHECK;

#endif
