#include "apps/cli_run.h"

#include "apps/cli.h"
#include "data/embedding_store.h"

error_t dip_cli_run_option(dip_cli_run *run, int key, char *value,
                           struct argp_state *state)
{
    switch (key) {
    case DIP_CLI_DATA:
        run->data = value;
        return 0;
    case DIP_CLI_SPLIT:
        if (!dip_split_parse(&run->split, value))
            argp_error(state, "unknown split '%s': train, val or test", value);
        run->has_split = true;
        return 0;
    case DIP_CLI_CHECKPOINT:
        run->checkpoint = value;
        return 0;
    case DIP_CLI_DIM:
        run->dim = dip_cli_int(state, "dim", value, 1, DIP_EMBEDDING_DIM_MAX);
        return 0;
    case DIP_CLI_JSON:
        run->json = true;
        return 0;
    case DIP_CLI_QUIET:
        run->quiet = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}
