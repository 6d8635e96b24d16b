/* What commands on runs are told in the same way: which catalog, split and
 * checkpoint, and how to print. A command lists those of these options that it
 * has among its own, in its own words, and gives dip_cli_run_option() every key
 * that is not its own. */
#ifndef DIP_APPS_CLI_RUN_H
#define DIP_APPS_CLI_RUN_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "data/catalog.h"

/* Keys of a command's own options are below. Those before DIP_CLI_JSON say what
 * of a run directory is meant. */
enum {
    DIP_CLI_DATA = 0x1000,
    DIP_CLI_SPLIT,
    DIP_CLI_CHECKPOINT,
    DIP_CLI_DIM,
    DIP_CLI_JSON,
    DIP_CLI_QUIET
};

typedef struct {
    const char *data;       /* NULL: the catalog of the training */
    const char *checkpoint; /* the command sets what stands for none given */
    dip_split split;        /* likewise */
    bool has_split;         /* it was given */
    bool json, quiet;
    int64_t dim; /* 0: all */
} dip_cli_run;

/* Takes one of the keys above; ARGP_ERR_UNKNOWN is for any other. */
error_t dip_cli_run_option(dip_cli_run *run, int key, char *value,
                           struct argp_state *state);

#endif
