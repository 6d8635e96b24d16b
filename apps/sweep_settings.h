/* A sweep's config: its table of keys, and what it says. */
#ifndef DIP_APPS_SWEEP_SETTINGS_H
#define DIP_APPS_SWEEP_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "apps/settings.h"
#include "base/config.h"
#include "base/status.h"
#include "base/str.h"
#include "sweep/space.h"

/* In the order of the choices of `search`. */
typedef enum {
    DIP_SWEEP_GRID,
    DIP_SWEEP_RANDOM,
    DIP_SWEEP_ASHA
} dip_sweep_search;

typedef struct {
    dip_config *config;
    const char *name;
    dip_sweep_search search;
    const char *search_name;
    int64_t trials; /* of a grid too */
    int64_t workers;
    int64_t min_epochs, max_epochs, eta;
    char *base;        /* path of the runs' config */
    dip_settings *run; /* that config, with what is the same in all runs */
    char metric[128];
    bool higher_is_better;
    dip_sweep_space space;
    dip_sweep_parameter *parameters; /* of space */
    char *set[3];                    /* overrides of our own, or NULL */
} dip_sweep_settings;

/* Static; *count gets the number of rows. */
const dip_option *dip_sweep_options(size_t *count);

/* Reads the sweep's config with the overrides of the command line, and the
 * config that it names. On faults, which are appended to `faults` a line each,
 * DIP_ECONFIG. In any case the caller ends *out with
 * dip_sweep_settings_free(). */
dip_status dip_sweep_settings_load(dip_sweep_settings **out, const char *path,
                                   const char *const *overrides, size_t count,
                                   dip_str *faults,
                                   dip_err *err) DIP_MUST_CHECK;
void dip_sweep_settings_free(dip_sweep_settings *settings); /* accepts NULL */

#endif
