#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/apps.h"
#include "apps/cli.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/term.h"
#include "report/compare.h"

enum {
    OPT_BASELINE = 0x100,
    OPT_METRIC,
    OPT_EACH,
    OPT_GALLERIES,
    OPT_CHANGED,
    OPT_RESAMPLES,
    OPT_SEED,
    OPT_JSON,
};

static const struct argp_option options[] = {
    {"baseline", OPT_BASELINE, "RUN", 0,
     "compare with this run's config (default: that of the first)", 0},
    {"metric", OPT_METRIC, "NAME,...", 0,
     "mrr, or text_to_image.mrr of one task (default: mrr, hit at the least "
     "and the highest cutoff, ndcg at the highest; accuracy of labels)",
     0},
    {"each", OPT_EACH, 0, 0,
     "take each run by itself, also where only the seeds differ", 0},
    {"different-galleries", OPT_GALLERIES, 0, 0,
     "compare the queries that all runs have, each in its own gallery", 0},
    {"changed", OPT_CHANGED, "N", 0,
     "show N queries that gained and N that lost most, by the first metric "
     "(default: 5)",
     0},
    {"resamples", OPT_RESAMPLES, "N", 0,
     "of seeds and queries, for each p and interval (default: 10000)", 0},
    {"seed", OPT_SEED, "N", 0, "of the resamples (default: 0)", 0},
    {"out", 'o', "FILE", 0,
     "write it as .json, .md, .html, .csv or .tex; may be given several times",
     0},
    {"json", OPT_JSON, 0, 0, "print JSON instead of tables", 0},
    {0}};

/* ---- files --------------------------------------------------------------- */

static dip_status format_json(dip_str *out, const json_t *comparison,
                              dip_err *err)
{
    return dip_json_dump(out, comparison, DIP_JSON_AS_BUILT, err);
}

static const struct {
    const char *suffix;
    dip_status (*format)(dip_str *out, const json_t *comparison, dip_err *err);
} formats[] = {
    {".json", format_json},      {".md", dip_compare_markdown},
    {".html", dip_compare_html}, {".csv", dip_compare_csv},
    {".tex", dip_compare_latex},
};

/* Of the path's suffix; -1: none. */
static int format_of(const char *path)
{
    for (size_t f = 0; f < DIP_ARRAY_LEN(formats); f++) {
        if (dip_path_has_suffix(path, formats[f].suffix))
            return (int)f;
    }
    return -1;
}

static dip_status write_file(const char *path, const json_t *comparison,
                             dip_err *err)
{
    dip_str text = {0};
    dip_status st = formats[format_of(path)].format(&text, comparison, err);
    if (st == DIP_OK)
        st = dip_file_write(path, dip_str_text(&text), text.len, err);
    dip_str_free(&text);
    return st;
}

/* ---- command line -------------------------------------------------------- */

typedef struct {
    dip_cli_list metrics;
    const char **runs, **outs; /* of argv, which has room for as many */
    size_t run_count, out_count;
    dip_compare_options compare;
    bool json;
} arguments;

static void add_out(arguments *a, const char *path, struct argp_state *state)
{
    if (format_of(path) < 0)
        argp_error(state,
                   "--out '%s' does not end in .json, .md, .html, .csv or .tex",
                   path);
    a->outs[a->out_count++] = path;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case OPT_BASELINE:
        a->compare.baseline = value;
        return 0;
    case OPT_METRIC:
        dip_cli_list_add(state, "metric", &a->metrics, value);
        return 0;
    case OPT_EACH:
        a->compare.each = true;
        return 0;
    case OPT_GALLERIES:
        a->compare.different_galleries = true;
        return 0;
    case OPT_CHANGED:
        a->compare.changed = dip_cli_int(state, "changed", value, 0, 1000000);
        return 0;
    case OPT_RESAMPLES:
        a->compare.stats.resamples =
            dip_cli_int(state, "resamples", value, 1, 100000000);
        return 0;
    case OPT_SEED:
        a->compare.stats.seed =
            (uint64_t)dip_cli_int(state, "seed", value, 0, INT64_MAX);
        return 0;
    case OPT_JSON:
        a->json = true;
        return 0;
    case 'o':
        add_out(a, value, state);
        return 0;
    case ARGP_KEY_ARG:
        a->runs[a->run_count++] = value;
        return 0;
    case ARGP_KEY_END:
        if (a->run_count < 2)
            argp_error(state, "two runs or more are compared");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- all ----------------------------------------------------------------- */

static dip_status load_runs(dip_compared_run **out, const arguments *a,
                            dip_err *err)
{
    *out = dip_calloc(a->run_count, sizeof **out);
    dip_status st = *out != NULL ? DIP_OK : dip_no_memory(err);
    for (size_t r = 0; r < a->run_count && st == DIP_OK; r++)
        st = dip_compared_run_load(&(*out)[r], a->runs[r], err);
    return st;
}

static dip_status print(const json_t *comparison, bool as_json, dip_err *err)
{
    dip_str text = {0};
    dip_status st = as_json ? format_json(&text, comparison, err)
                            : dip_compare_text(&text, comparison,
                                               dip_term_width(stdout), err);
    if (st == DIP_OK)
        (void)fputs(dip_str_text(&text), stdout);
    dip_str_free(&text);
    return st;
}

static dip_status compare(const arguments *a, dip_err *err)
{
    dip_compared_run *runs = NULL;
    json_t *comparison = NULL;
    dip_compare_options o = a->compare;
    o.metrics = (const char *const *)a->metrics.names;
    o.metric_count = a->metrics.count;
    dip_status st = load_runs(&runs, a, err);
    if (st == DIP_OK)
        st = dip_compare(&comparison, runs, a->run_count, &o, err);
    for (size_t i = 0; i < a->out_count && st == DIP_OK; i++)
        st = write_file(a->outs[i], comparison, err);
    if (st == DIP_OK)
        st = print(comparison, a->json, err);
    json_decref(comparison);
    for (size_t r = 0; r < a->run_count && runs != NULL; r++)
        dip_compared_run_free(&runs[r]);
    free(runs);
    return st;
}

int dip_cmd_compare(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse_option,
        "RUN RUN...",
        "Compare evaluated runs, query by query. A RUN is a run directory or a "
        "report.json. Runs whose configs differ in the seed alone are one "
        "side, and their spread is taken into account.",
        NULL,
        NULL,
        NULL};
    dip_err err = {0};
    size_t room = (size_t)argc;
    arguments a = {.runs = dip_calloc(room, sizeof *a.runs),
                   .outs = dip_calloc(room, sizeof *a.outs),
                   .compare = {.changed = 5, .stats = dip_stats_defaults()}};
    dip_status st =
        a.runs != NULL && a.outs != NULL ? DIP_OK : dip_no_memory(&err);
    if (st == DIP_OK) {
        (void)argp_parse(&argp, argc, argv, 0, NULL, &a);
        st = compare(&a, &err);
    }
    dip_cli_list_free(&a.metrics);
    free(a.runs);
    free(a.outs);
    return st == DIP_OK ? 0 : dip_cli_fail("diptych compare", &err);
}
