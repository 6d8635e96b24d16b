#include "apps/import_graph.h"

#include <argp.h>
#include <string.h>

#include "apps/cli.h"
#include "apps/import_logs.h"
#include "base/file.h"
#include "data/import_graph.h"

enum { OPT_VAL = 0x100, OPT_TEST, OPT_FORM, OPT_HOLD_OUT, OPT_QUIET };

static const struct argp_option options[] = {
    {"out", 'o', "FILE.h5", 0, "the catalog to write", 0},
    {"val", OPT_VAL, "FILE", 0, "interactions of the val split", 0},
    {"test", OPT_TEST, "FILE", 0, "interactions of the test split", 0},
    {"form", OPT_FORM, "lists|pairs", 0,
     "lists: a user and all items of a line (default); pairs: user, item and "
     "perhaps a weight",
     0},
    {"hold-out", OPT_HOLD_OUT, "PERCENT", 0,
     "so many of the interactions in TRAIN, drawn, are the val split", 0},
    {"quiet", OPT_QUIET, 0, 0, "no progress bar", 0},
    {0}};

typedef struct {
    dip_import_graph_options import;
    bool quiet;
} arguments;

static void parse_form(struct argp_state *state, dip_graph_form *form,
                       const char *text)
{
    if (strcmp(text, "pairs") == 0)
        *form = DIP_GRAPH_FORM_PAIRS;
    else if (strcmp(text, "lists") != 0)
        argp_error(state, "--form: '%s' is neither lists nor pairs", text);
}

static void check(struct argp_state *state, const dip_import_graph_options *o)
{
    if (o->files[DIP_SPLIT_TRAIN] == NULL)
        argp_error(state, "no file is named");
    if (o->out == NULL)
        argp_error(state, "--out is missing");
    if (!dip_path_has_suffix(o->out, ".h5"))
        argp_error(state, "--out: '%s' does not end in .h5", o->out);
    if (o->hold_out > 0 && o->files[DIP_SPLIT_VAL] != NULL)
        argp_error(state, "--val and --hold-out exclude each other");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    dip_import_graph_options *o = &a->import;
    switch (key) {
    case 'o':
        o->out = arg;
        return 0;
    case OPT_VAL:
        o->files[DIP_SPLIT_VAL] = arg;
        return 0;
    case OPT_TEST:
        o->files[DIP_SPLIT_TEST] = arg;
        return 0;
    case OPT_FORM:
        parse_form(state, &o->form, arg);
        return 0;
    case OPT_HOLD_OUT:
        o->hold_out = (int)dip_cli_int(state, "hold-out", arg, 0, 99);
        return 0;
    case OPT_QUIET:
        a->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->files[DIP_SPLIT_TRAIN] != NULL)
            argp_error(state, "more than one file: '%s'", arg);
        o->files[DIP_SPLIT_TRAIN] = arg;
        return 0;
    case ARGP_KEY_END:
        check(state, o);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int dip_import_graph_cli(int argc, char **argv)
{
    static const struct argp parser = {
        options,
        parse,
        "TRAIN --out FILE.h5",
        "Makes a catalog of a user-item graph: text files of numbers, without "
        "a header.",
        0,
        0,
        0};
    arguments a = {0};
    (void)argp_parse(&parser, argc, argv, 0, 0, &a);
    dip_cli_bar bar = {.label = "import", .unit = "pairs", .quiet = a.quiet};
    a.import.progress = (dip_import_progress){dip_cli_tick, &bar};
    dip_import_report report;
    dip_err err = {0};
    double start = dip_cli_now();
    dip_status st = dip_import_graph(&report, &a.import, &err);
    dip_progress_finish(bar.bar);
    int code = dip_import_print(argv[0], &report, a.import.out, "interactions",
                                dip_cli_now() - start, st, &err);
    dip_import_report_free(&report);
    return code;
}
