#include "apps/import_logs.h"

#include <argp.h>
#include <math.h>
#include <stdio.h>

#include "apps/cli.h"
#include "data/import.h"

/* ---- what every import prints ---- */

static void add_bad_counts(dip_str *out, const dip_import_report *report)
{
    dip_cli_add_count(out, report->bad_total);
    const char *between = " bad rows: ";
    if (report->bad_total == 1)
        between = " bad row: ";
    for (int i = 0; i < DIP_BAD_ROW_COUNT; i++) {
        if (report->bad[i] == 0)
            continue;
        dip_str_add(out, between);
        dip_cli_add_count(out, report->bad[i]);
        dip_str_addf(out, " %s", dip_bad_row_words((dip_bad_row)i));
        between = ", ";
    }
    dip_str_add(out, "\n");
}

static void print_bad_rows(const dip_import_report *report)
{
    for (int i = 0; i < report->message_count; i++)
        (void)fprintf(stderr, "%s\n", report->messages[i]);
    if (report->bad_total == 0)
        return;
    dip_str line = {0};
    if (report->bad_total > report->message_count) {
        dip_str_add(&line, "... and ");
        dip_cli_add_count(&line, report->bad_total - report->message_count);
        dip_str_add(&line, " more\n");
    }
    add_bad_counts(&line, report);
    (void)fputs(dip_str_text(&line), stderr);
    dip_str_free(&line);
}

static void add_summary(dip_str *out, const dip_import_report *report,
                        const char *path, const char *unit, double seconds)
{
    dip_str_addf(out, "%s: ", path);
    dip_cli_add_count(out, report->rows);
    dip_str_addf(out, " %s (", unit);
    for (int i = 0; i < DIP_SPLIT_COUNT; i++) {
        dip_str_addf(out, "%s%s ", i > 0 ? ", " : "",
                     dip_split_name((dip_split)i));
        dip_cli_add_count(out, report->split_rows[i]);
    }
    dip_str_add(out, ")");
    if (report->image_bytes > 0) {
        dip_str_add(out, ", ");
        dip_cli_add_bytes(out, report->image_bytes);
        dip_str_add(out, " of images");
    }
    dip_str_addf(out, ", %.1f s\n", seconds);
}

int dip_import_print(const char *command, const dip_import_report *report,
                     const char *path, const char *unit, double seconds,
                     dip_status st, const dip_err *err)
{
    print_bad_rows(report);
    if (st != DIP_OK)
        return dip_cli_fail(command, err);
    dip_str line = {0};
    add_summary(&line, report, path, unit, seconds);
    if (report->rare > 0) {
        dip_cli_add_count(&line, report->rare);
        dip_str_add(&line, " pairs were seen too seldom and are left out\n");
    }
    (void)fputs(dip_str_text(&line), stdout);
    dip_str_free(&line);
    return 0;
}

/* ---- diptych import judgements|interactions ---- */

static const struct argp_option judgement_options[] = {
    {"query", DIP_LOG_OPT_OWNER, "COLUMN", 0,
     "the query's text (default query)", 0},
    {"grade", DIP_LOG_OPT_VALUE, "COLUMN", 0,
     "how well the item answers it, 0 for not at all (default: all 1)", 0},
    DIP_IMPORT_LOG_OPTIONS};

static const struct argp_option interaction_options[] = {
    {"user", DIP_LOG_OPT_OWNER, "COLUMN", 0, "the user's id (default user)", 0},
    {"weight", DIP_LOG_OPT_VALUE, "COLUMN", 0,
     "how much it counts (default: all 1)", 0},
    {"time", DIP_LOG_OPT_TIME, "COLUMN", 0,
     "seconds since 1970 (default: all 0)", 0},
    DIP_IMPORT_LOG_OPTIONS};

error_t dip_import_log_parse(int key, char *arg, struct argp_state *state)
{
    dip_import_log_arguments *a = state->input;
    const struct {
        int key;
        const char **value;
    } columns[] = {{DIP_LOG_OPT_INTO, &a->import.into},
                   {DIP_LOG_OPT_OWNER, &a->import.owner},
                   {DIP_LOG_OPT_ID, &a->import.id},
                   {DIP_LOG_OPT_VALUE, &a->import.value},
                   {DIP_LOG_OPT_TIME, &a->import.time},
                   {DIP_LOG_OPT_SPLIT, &a->import.split},
                   {DIP_LOG_OPT_FORMAT, &a->import.format}};
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        if (columns[i].key == key) {
            *columns[i].value = arg;
            return 0;
        }
    }
    switch (key) {
    case DIP_LOG_OPT_SKIP_BAD:
        a->import.skip_bad = true;
        return 0;
    case DIP_LOG_OPT_QUIET:
        a->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->import.table != NULL)
            argp_error(state, "more than one table: '%s'", arg);
        a->import.table = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->import.table == NULL)
            argp_error(state, "no table is named");
        if (a->import.into == NULL)
            argp_error(state, "--into is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

error_t dip_import_grading_parse(dip_grading *g, int key, char *arg,
                                 struct argp_state *state)
{
    switch (key) {
    case DIP_LOG_OPT_GRADES:
        if (!dip_grading_parse(&g->kind, arg))
            argp_error(state,
                       "--grades: '%s' is none of relative, absolute and rank",
                       arg);
        return 0;
    case DIP_LOG_OPT_SCALE:
        g->scale = dip_cli_real(state, "scale", arg, 1e-3, 1e6);
        return 0;
    case DIP_LOG_OPT_WHOLE:
        g->whole = true;
        return 0;
    case ARGP_KEY_END:
        if (g->whole && g->scale != floor(g->scale))
            argp_error(state, "--whole: --scale is %g", g->scale);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int dip_import_log_run(dip_import_log_arguments *a, const char *command,
                       const char *unit, dip_import_log_function import)
{
    dip_cli_bar bar = {.label = "import", .unit = "rows", .quiet = a->quiet};
    a->import.progress = (dip_import_progress){dip_cli_tick, &bar};
    dip_import_report report;
    dip_err err = {0};
    double start = dip_cli_now();
    dip_status st = import(&report, &a->import, &err);
    dip_progress_finish(bar.bar);
    int code = dip_import_print(command, &report, a->import.into, unit,
                                dip_cli_now() - start, st, &err);
    dip_import_report_free(&report);
    return code;
}

static int import_log(int argc, char **argv, const struct argp *parser,
                      const char *owner, const char *unit,
                      dip_import_log_function import)
{
    dip_import_log_arguments a = {.import = {.owner = owner, .id = "id"}};
    (void)argp_parse(parser, argc, argv, 0, 0, &a);
    return dip_import_log_run(&a, argv[0], unit, import);
}

int dip_import_judgements_cli(int argc, char **argv)
{
    static const struct argp parser = {
        judgement_options,
        dip_import_log_parse,
        "TABLE --into FILE.h5",
        "Adds graded judgements of search results, in place of those that the "
        "catalog has.",
        0,
        0,
        0};
    return import_log(argc, argv, &parser, "query", "judgements",
                      dip_import_judgements);
}

int dip_import_interactions_cli(int argc, char **argv)
{
    static const struct argp parser = {
        interaction_options,
        dip_import_log_parse,
        "TABLE --into FILE.h5",
        "Adds what users did with items, in place of what the catalog has.",
        0,
        0,
        0};
    return import_log(argc, argv, &parser, "user", "interactions",
                      dip_import_interactions);
}
