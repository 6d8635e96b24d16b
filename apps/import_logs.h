/* The parts of `diptych import` that add to a catalog, and what all print. */
#ifndef DIP_APPS_IMPORT_LOGS_H
#define DIP_APPS_IMPORT_LOGS_H

#include "base/status.h"
#include "data/import_report.h"

int dip_import_judgements_cli(int argc, char **argv);
int dip_import_interactions_cli(int argc, char **argv);

/* Prints the bad rows and the error to stderr, or the summary to stdout.
 * Returns the exit code of `st`. `unit` is what was counted: "rows". */
int dip_import_print(const char *command, const dip_import_report *report,
                     const char *path, const char *unit, double seconds,
                     dip_status st, const dip_err *err);

#endif
