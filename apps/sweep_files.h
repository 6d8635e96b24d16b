/* The files in a sweep's folder:
 *
 *   sweep.yaml config.yaml     the sweep's config and that of the runs,
 * resolved journal.jsonl              sweep/journal.h trials/0000 … run
 * directories, and what each printed: 0000.log best -> trials/0003 results.json
 * results.csv sweep.html */
#ifndef DIP_APPS_SWEEP_FILES_H
#define DIP_APPS_SWEEP_FILES_H

#include <jansson.h>
#include <stdbool.h>

#include "apps/sweep_settings.h"
#include "base/status.h"

/* Makes the folder with both configs. With `resume` it must be there, and hold
 * those of this sweep: DIP_ENOTFOUND, DIP_ECONFIG; without, it must hold
 * nothing: DIP_EDATA. */
dip_status dip_sweep_files_begin(const char *dir,
                                 const dip_sweep_settings *settings,
                                 bool resume, dip_err *err) DIP_MUST_CHECK;

/* Writes the results anew, and the link to the best run. */
dip_status dip_sweep_files_write(const char *dir, const json_t *results,
                                 dip_err *err) DIP_MUST_CHECK;

#endif
