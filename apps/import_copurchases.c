#include <argp.h>
#include <stdio.h>

#include "apps/cli.h"
#include "apps/import_logs.h"
#include "data/copurchase.h"

enum {
    OPT_INTO = 0x200,
    OPT_QUERY,
    OPT_AFFINITY,
    OPT_SHRINK,
    OPT_NEIGHBOURS,
    OPT_LEAST,
    OPT_HISTORY,
    OPT_SAME_SPLIT,
    OPT_OWN,
    OPT_QUIET,
};

static const struct argp_option options[] = {
    {"into", OPT_INTO, "FILE.h5", 0, "the catalog, with interactions", 0},
    {"query", OPT_QUERY, "TEMPLATE", 0,
     "the text that stands for a product (default '{title}')", 0},
    {"affinity", OPT_AFFINITY, "HOW", 0,
     "cosine (default), jaccard, confidence or npmi", 0},
    {"shrink", OPT_SHRINK, "X", 0,
     "affinities times c / (c + X), with c users of both (default 5)", 0},
    {"neighbours", OPT_NEIGHBOURS, "N", 0,
     "of a product at most, the nearest (default 20)", 0},
    {"min-users", OPT_LEAST, "N", 0,
     "users who had both products, at least (default 2)", 0},
    {"history", OPT_HISTORY, "N", 0,
     "of a user the last N products count (default 200)", 0},
    {"same-split", OPT_SAME_SPLIT, 0, 0,
     "interactions count for their own split alone, not for later ones", 0},
    {"grades", DIP_LOG_OPT_GRADES, "HOW", 0,
     "relative: to the nearest product (default); absolute: affinity times "
     "scale; rank: by the place among the nearest",
     0},
    {"scale", DIP_LOG_OPT_SCALE, "X", 0,
     "the highest grade of another (default 3)", 0},
    {"whole", DIP_LOG_OPT_WHOLE, 0, 0, "round grades up to whole numbers", 0},
    {"own", OPT_OWN, "X", 0,
     "grade of a product for its own text; 0: none (default: scale + 1)", 0},
    {"quiet", OPT_QUIET, 0, 0, "no progress bar", 0},
    {0}};

typedef struct {
    dip_copurchase_options import;
    bool quiet;
} arguments;

static error_t parse_value(int key, char *arg, struct argp_state *state)
{
    dip_copurchase_options *o = &((arguments *)state->input)->import;
    switch (key) {
    case OPT_SHRINK:
        o->shrink = dip_cli_real(state, "shrink", arg, 0, 1e9);
        return 0;
    case OPT_NEIGHBOURS:
        o->neighbours = dip_cli_int(state, "neighbours", arg, 1, 1000000);
        return 0;
    case OPT_LEAST:
        o->least = dip_cli_int(state, "min-users", arg, 1, INT32_MAX);
        return 0;
    case OPT_HISTORY:
        o->history = dip_cli_int(state, "history", arg, 2, INT32_MAX);
        return 0;
    case OPT_OWN:
        o->own = dip_cli_real(state, "own", arg, 0, 1e6);
        return 0;
    default:
        return dip_import_grading_parse(&o->grading, key, arg, state);
    }
}

static void check(dip_copurchase_options *o, struct argp_state *state)
{
    const dip_grading *g = &o->grading;
    if (o->into == NULL)
        argp_error(state, "--into is missing");
    if (o->own < 0)
        o->own = g->scale + 1;
    if (o->own > 0 && o->own < g->scale)
        argp_error(state, "--own: %g is below --scale, %g", o->own, g->scale);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    arguments *a = state->input;
    dip_copurchase_options *o = &a->import;
    switch (key) {
    case OPT_INTO:
        o->into = arg;
        return 0;
    case OPT_QUERY:
        o->query = arg;
        return 0;
    case OPT_AFFINITY:
        if (!dip_affinity_parse(&o->affinity, arg))
            argp_error(state,
                       "--affinity: '%s' is none of cosine, jaccard, "
                       "confidence and npmi",
                       arg);
        return 0;
    case OPT_SAME_SPLIT:
        o->same_split = true;
        return 0;
    case OPT_QUIET:
        a->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "nothing is known about '%s'", arg);
        return 0;
    case ARGP_KEY_END:
        check(o, state);
        return dip_import_grading_parse(&o->grading, key, arg, state);
    default:
        return parse_value(key, arg, state);
    }
}

static void print_details(const dip_import_report *report,
                          const dip_copurchase_report *details, int64_t history)
{
    dip_str text = {0};
    dip_cli_add_count(&text, report->distinct);
    dip_str_add(&text, " queries, from ");
    dip_cli_add_count(&text, details->counted);
    dip_str_add(&text, " of ");
    dip_cli_add_count(&text, details->interactions);
    dip_str_add(&text, " interactions\n");
    if (details->cut_histories > 0) {
        dip_cli_add_count(&text, details->cut_histories);
        dip_str_add(&text, " histories are of more than ");
        dip_cli_add_count(&text, history);
        dip_str_add(&text, " products: the last ones count\n");
    }
    if (details->textless > 0) {
        dip_cli_add_count(&text, details->textless);
        dip_str_add(&text, " products with neighbours have no text\n");
    }
    (void)fputs(dip_str_text(&text), stdout);
    dip_str_free(&text);
}

int dip_import_copurchases_cli(int argc, char **argv)
{
    static const struct argp parser = {
        options,
        parse,
        "--into FILE.h5",
        "Makes graded judgements of which products go with which, of the "
        "catalog's interactions, in place of those that it has.",
        0,
        0,
        0};
    arguments a = {.import = {.query = "{title}",
                              .shrink = 5,
                              .neighbours = 20,
                              .least = 2,
                              .history = 200,
                              .grading = {.scale = 3},
                              .own = -1}};
    (void)argp_parse(&parser, argc, argv, 0, 0, &a);
    dip_cli_bar bar = {.label = "judge", .unit = "rows", .quiet = a.quiet};
    a.import.progress = (dip_import_progress){dip_cli_tick, &bar};
    dip_import_report report;
    dip_copurchase_report details;
    dip_err err = {0};
    double start = dip_cli_now();
    dip_status st = dip_import_copurchases(&report, &details, &a.import, &err);
    dip_progress_finish(bar.bar);
    int code = dip_import_print(argv[0], &report, a.import.into, "judgements",
                                dip_cli_now() - start, st, &err);
    if (code == 0)
        print_details(&report, &details, a.import.history);
    dip_import_report_free(&report);
    return code;
}
