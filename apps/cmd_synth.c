#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "apps/apps.h"
#include "apps/cli.h"
#include "apps/import_logs.h"
#include "base/file.h"
#include "data/synth.h"

enum {
    OPT_ROWS = 0x100,
    OPT_SEED,
    OPT_SIZE,
    OPT_QUERIES,
    OPT_USERS,
    OPT_SHARD_ROWS,
    OPT_QUIET,
};

static const struct argp_option options[] = {
    {"rows", OPT_ROWS, "N", 0, "rows to draw (default 10000)", 0},
    {"seed", OPT_SEED, "S", 0, "equal seeds give equal files (default 1)", 0},
    {"size", OPT_SIZE, "PIXELS", 0, "side of the images (default 96)", 0},
    {"queries", OPT_QUERIES, "N", 0,
     "search queries with graded judgements (default: one for 50 rows, at most "
     "200)",
     0},
    {"users", OPT_USERS, "N", 0,
     "users with interactions (default: one for 20 rows, at most 1000)", 0},
    {"out", 'o', "FILE.h5", 0, "the catalog to write", 0},
    {"shard-rows", OPT_SHARD_ROWS, "N", 0, "begin a new file every N rows", 0},
    {"quiet", OPT_QUIET, 0, 0, "no progress bar", 0},
    {0}};

typedef struct {
    dip_synth_options synth;
    bool quiet;
} arguments;

static int64_t share_of(int64_t rows, int64_t rows_each, int64_t most)
{
    return rows / rows_each < most ? rows / rows_each : most;
}

static void check(struct argp_state *state, dip_synth_options *synth)
{
    if (synth->out == NULL)
        argp_error(state, "--out is missing");
    if (!dip_path_has_suffix(synth->out, ".h5"))
        argp_error(state, "--out: '%s' does not end in .h5", synth->out);
    if (synth->queries < 0)
        synth->queries = share_of(synth->rows, 50, 200);
    if (synth->users < 0)
        synth->users = share_of(synth->rows, 20, 1000);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    dip_synth_options *o = &a->synth;
    switch (key) {
    case OPT_ROWS:
        o->rows = dip_cli_int(state, "rows", arg, 1, INT64_C(1) << 40);
        return 0;
    case OPT_SEED:
        o->seed = (uint64_t)dip_cli_int(state, "seed", arg, 0, INT64_MAX);
        return 0;
    case OPT_SIZE:
        o->size = (int)dip_cli_int(state, "size", arg, DIP_SYNTH_MIN_SIZE,
                                   DIP_SYNTH_MAX_SIZE);
        return 0;
    case OPT_QUERIES:
        o->queries = dip_cli_int(state, "queries", arg, 0, 100000);
        return 0;
    case OPT_USERS:
        o->users = dip_cli_int(state, "users", arg, 0, INT64_C(100000000));
        return 0;
    case OPT_SHARD_ROWS:
        o->shard_rows = dip_cli_int(state, "shard-rows", arg, 1, INT64_MAX);
        return 0;
    case 'o':
        o->out = arg;
        return 0;
    case OPT_QUIET:
        a->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "nothing is known about '%s'", arg);
        return 0;
    case ARGP_KEY_END:
        check(state, o);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int dip_cmd_synth(int argc, char **argv)
{
    static const struct argp parser = {
        options,
        parse,
        "--out FILE.h5",
        "Draws a catalog of made-up products, with titles in English and "
        "Chinese, labels, judged queries and user behaviour.",
        0,
        0,
        0};
    arguments a = {
        .synth = {
            .rows = 10000, .seed = 1, .size = 96, .queries = -1, .users = -1}};
    (void)argp_parse(&parser, argc, argv, 0, 0, &a);
    /* Equal seeds give equal files: what nobody photographed has no date. */
    (void)setenv("SOURCE_DATE_EPOCH", "0", 0);
    dip_cli_catch_signals();
    dip_cli_bar bar = {.label = "synth", .unit = "rows", .quiet = a.quiet};
    a.synth.progress = (dip_import_progress){dip_cli_tick, &bar};
    dip_import_report report;
    dip_err err = {0};
    double start = dip_cli_now();
    dip_status st = dip_synth_write(&report, &a.synth, &err);
    dip_progress_finish(bar.bar);
    int code = dip_import_print(argv[0], &report, a.synth.out, "rows",
                                dip_cli_now() - start, st, &err);
    dip_import_report_free(&report);
    return code;
}
