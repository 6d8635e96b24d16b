/* The parts of `diptych import` that add to a catalog, and what all print. */
#ifndef DIP_APPS_IMPORT_LOGS_H
#define DIP_APPS_IMPORT_LOGS_H

#include <argp.h>
#include <stdbool.h>

#include "base/status.h"
#include "data/grading.h"
#include "data/import.h"
#include "data/import_report.h"

int dip_import_judgements_cli(int argc, char **argv);
int dip_import_clicks_cli(int argc, char **argv);
int dip_import_copurchases_cli(int argc, char **argv);
int dip_import_interactions_cli(int argc, char **argv);

/* Prints the bad rows and the error to stderr, or the summary to stdout.
 * Returns the exit code of `st`. `unit` is what was counted: "rows". */
int dip_import_print(const char *command, const dip_import_report *report,
                     const char *path, const char *unit, double seconds,
                     dip_status st, const dip_err *err);

/* ---- what logs share ---- */

/* Keys below 0x200 are for the options of all logs. */
enum {
    DIP_LOG_OPT_INTO = 0x100,
    DIP_LOG_OPT_OWNER,
    DIP_LOG_OPT_ID,
    DIP_LOG_OPT_VALUE,
    DIP_LOG_OPT_TIME,
    DIP_LOG_OPT_SPLIT,
    DIP_LOG_OPT_FORMAT,
    DIP_LOG_OPT_SKIP_BAD,
    DIP_LOG_OPT_QUIET,
    DIP_LOG_OPT_GRADES,
    DIP_LOG_OPT_SCALE,
    DIP_LOG_OPT_WHOLE,
};

/* The options that all logs have; ends the array. */
#define DIP_IMPORT_LOG_OPTIONS                                                 \
    {"into", DIP_LOG_OPT_INTO, "FILE.h5", 0, "the catalog to add to", 0},      \
        {"id", DIP_LOG_OPT_ID, "COLUMN", 0, "the item's id (default id)", 0},  \
        {"split",                                                              \
         DIP_LOG_OPT_SPLIT,                                                    \
         "COLUMN",                                                             \
         0,                                                                    \
         "train, val or test (default: the split of the item)",                \
         0},                                                                   \
        {"format",                                                             \
         DIP_LOG_OPT_FORMAT,                                                   \
         "csv|tsv|jsonl",                                                      \
         0,                                                                    \
         "when the extension is another",                                      \
         0},                                                                   \
        {"skip-bad",                                                           \
         DIP_LOG_OPT_SKIP_BAD,                                                 \
         0,                                                                    \
         0,                                                                    \
         "leave bad rows out and count them",                                  \
         0},                                                                   \
        {"quiet", DIP_LOG_OPT_QUIET, 0, 0, "no progress bar", 0},              \
    {                                                                          \
        0                                                                      \
    }

/* What the parser of a log fills in; the first member of what it is given. */
typedef struct {
    dip_import_log_options import;
    bool quiet;
} dip_import_log_arguments;

error_t dip_import_log_parse(int key, char *arg, struct argp_state *state);

typedef dip_status (*dip_import_log_function)(
    dip_import_report *report, const dip_import_log_options *options,
    dip_err *err);

/* --grades, --scale and --whole; at the end they are checked. */
error_t dip_import_grading_parse(dip_grading *grading, int key, char *arg,
                                 struct argp_state *state);

/* Imports, prints and returns the exit code. */
int dip_import_log_run(dip_import_log_arguments *arguments, const char *command,
                       const char *unit, dip_import_log_function import);

#endif
