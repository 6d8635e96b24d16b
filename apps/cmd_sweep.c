#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "apps/cli.h"
#include "apps/model_apps.h"
#include "apps/sweep_run.h"
#include "apps/sweep_settings.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/term.h"
#include "report/sweep.h"
#include "sweep/trials.h"

enum { OPT_RESUME = 0x100, OPT_RETRY, OPT_CHECK, OPT_QUIET, OPT_JSON };

static const struct argp_option options[] = {
    {"out", 'o', "DIR", 0, "folder of the sweep (default: runs/<name>)", 0},
    {"resume", OPT_RESUME, 0, 0, "go on with the sweep in the folder", 0},
    {"retry", OPT_RETRY, 0, 0, "with --resume: train what has failed once more",
     0},
    {"check", OPT_CHECK, 0, 0, "check the configs, and stop", 0},
    {"json", OPT_JSON, 0, 0, "print JSON instead of the table", 0},
    {"quiet", OPT_QUIET, 0, 0, "no lines about trials", 0},
    {0}};

typedef struct {
    dip_cli_target target;
    dip_sweep_run_options run;
    bool check, json;
} arguments;

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case 'o':
        a->run.dir = value;
        return 0;
    case OPT_RESUME:
        a->run.resume = true;
        return 0;
    case OPT_RETRY:
        a->run.retry = true;
        return 0;
    case OPT_CHECK:
        a->check = true;
        return 0;
    case OPT_JSON:
        a->json = true;
        return 0;
    case OPT_QUIET:
        a->run.quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        dip_cli_target_add(&a->target, "sweep's config", value, state);
        return 0;
    case ARGP_KEY_END:
        dip_cli_target_need(&a->target, "sweep's config", state);
        if (a->run.retry && !a->run.resume)
            argp_error(state, "--retry is for --resume");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_check(const dip_sweep_settings *s)
{
    int64_t rungs[DIP_SWEEP_RUNGS_MAX];
    bool asha = s->search == DIP_SWEEP_ASHA;
    int count = dip_sweep_rungs(rungs, asha ? s->min_epochs : s->max_epochs,
                                s->max_epochs, s->eta);
    (void)printf("config is right: %s, trials %lld, parameters %zu, epochs ",
                 s->search_name, (long long)s->trials, s->space.count);
    for (int i = 0; i < count; i++)
        (void)printf("%s%lld", i > 0 ? " " : "", (long long)rungs[i]);
    (void)printf(", metric %s\n", s->metric);
}

static dip_status print_results(const json_t *results, bool as_json,
                                dip_err *err)
{
    dip_str text = {0};
    dip_status st = as_json
                        ? dip_json_dump(&text, results, DIP_JSON_AS_BUILT, err)
                        : dip_report_sweep_text(&text, results,
                                                dip_term_width(stdout), err);
    if (st == DIP_OK)
        (void)fputs(dip_str_text(&text), stdout);
    dip_str_free(&text);
    return st;
}

/* Trials that failed are told at the end, since the table may be long. */
static dip_status count_failures(const json_t *results, const char *dir,
                                 dip_err *err)
{
    size_t i, failed = 0, all;
    json_t *trial;
    const json_t *trials = json_object_get(results, "trials");
    all = json_array_size(trials);
    json_array_foreach ((json_t *)trials, i, trial)
        failed += json_object_get(trial, "message") != NULL;
    if (failed == 0)
        return DIP_OK;
    return dip_fail(err, DIP_FAIL,
                    "%zu of %zu trials failed; what they printed is in "
                    "'%s/trials'",
                    failed, all, dir);
}

static dip_status run(const dip_sweep_settings *settings, arguments *a,
                      dip_err *err)
{
    json_t *results = NULL;
    char *dir = a->run.dir != NULL ? dip_strdup(a->run.dir)
                                   : dip_path_join("runs", settings->name);
    if (dir == NULL)
        return dip_no_memory(err);
    a->run.dir = dir;
    dip_status st = dip_sweep_run(&results, settings, &a->run, err);
    if (results != NULL) {
        dip_err late = {0};
        dip_status printed = print_results(results, a->json, &late);
        if (st == DIP_OK)
            st = printed == DIP_OK ? count_failures(results, dir, err)
                                   : dip_fail(err, printed, "%s", late.msg);
    }
    json_decref(results);
    free(dir);
    return st;
}

int dip_cmd_sweep(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse_option,
        "SWEEP [key=value...]",
        "Train runs of a config with the values of keys that the config SWEEP "
        "lists, and find the best.",
        NULL,
        NULL,
        NULL};
    dip_err err = {0};
    dip_sweep_settings *settings = NULL;
    dip_str faults = {0};
    arguments a = {
        .target = {.overrides = dip_calloc((size_t)argc, sizeof(char *))}};
    if (a.target.overrides == NULL)
        return dip_status_exit_code(dip_no_memory(&err));
    (void)argp_parse(&argp, argc, argv, 0, NULL, &a);
    dip_status st =
        dip_sweep_settings_load(&settings, a.target.path, a.target.overrides,
                                a.target.override_count, &faults, &err);
    if (st == DIP_OK && a.check)
        print_check(settings);
    else if (st == DIP_OK)
        st = run(settings, &a, &err);
    int code =
        st == DIP_OK ? 0 : dip_cli_fail_config("diptych sweep", &faults, &err);
    dip_str_free(&faults);
    dip_sweep_settings_free(settings);
    free(a.target.overrides);
    return code;
}
