#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "apps/cli.h"
#include "apps/evaluate.h"
#include "apps/model_apps.h"
#include "apps/settings.h"
#include "apps/trainer.h"
#include "base/file.h"
#include "base/mem.h"

enum {
    OPT_DATA = 0x100,
    OPT_RUN,
    OPT_RESUME,
    OPT_CHECK,
    OPT_QUIET,
    OPT_STOP,
    OPT_AFTER
};

static const struct argp_option options[] = {
    {"data", OPT_DATA, "FILE", 0, "catalog instead of data.catalog", 0},
    {"run", OPT_RUN, "DIR", 0, "run directory (default: runs/<name>)", 0},
    {"resume", OPT_RESUME, 0, 0,
     "go on from the latest checkpoint of the run directory", 0},
    {"check", OPT_CHECK, 0, 0, "check the config, and stop", 0},
    {"stop-at", OPT_STOP, "STEP", 0,
     "stop after this update as if a signal had come", 0},
    {"stop-after", OPT_AFTER, "EPOCHS", 0,
     "stop after so many epochs in the same way; the schedule stays that of "
     "train.epochs",
     0},
    {"quiet", OPT_QUIET, 0, 0, "no progress bar", 0},
    {0}};

typedef struct {
    dip_cli_target target; /* with room for an override more, --data */
    const char *run;
    char *data; /* override, or NULL */
    dip_trainer_options trainer;
    bool check;
} arguments;

/* --data is short for an override, so that the run remembers it. */
static void set_data(struct argp_state *state, arguments *a, const char *path)
{
    free(a->data);
    if (asprintf(&a->data, "data.catalog=%s", path) < 0)
        argp_failure(state, dip_status_exit_code(DIP_ENOMEM), 0,
                     "out of memory");
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    switch (key) {
    case OPT_DATA:
        set_data(state, a, value);
        return 0;
    case OPT_RUN:
        a->run = value;
        return 0;
    case OPT_RESUME:
        a->trainer.resume = true;
        return 0;
    case OPT_CHECK:
        a->check = true;
        return 0;
    case OPT_QUIET:
        a->trainer.quiet = true;
        return 0;
    case OPT_STOP:
        a->trainer.stop_at = dip_cli_int(state, "stop-at", value, 1, INT64_MAX);
        return 0;
    case OPT_AFTER:
        a->trainer.stop_after =
            dip_cli_int(state, "stop-after", value, 1, 1000000);
        return 0;
    case ARGP_KEY_ARG:
        dip_cli_target_add(&a->target, "config", value, state);
        return 0;
    case ARGP_KEY_END:
        dip_cli_target_need(&a->target, "config", state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static dip_status check_config(const dip_settings *settings, dip_err *err)
{
    char metric[128];
    bool higher;
    dip_status st = dip_evaluation_check_metric(metric, sizeof metric, &higher,
                                                settings, err);
    if (st == DIP_OK && settings->task_count > 0)
        (void)printf("config is right: tasks %d, texts %d, metric %s\n",
                     settings->task_count, settings->text_count, metric);
    else if (st == DIP_OK)
        (void)printf("config is right: heads %d, metric %s\n",
                     settings->model.head_count, metric);
    return st;
}

static dip_status run(const dip_settings *settings, arguments *a, dip_err *err)
{
    if (a->check)
        return check_config(settings, err);
    char *dir = a->run != NULL ? dip_strdup(a->run)
                               : dip_path_join("runs", settings->name);
    if (dir == NULL)
        return dip_no_memory(err);
    a->trainer.dir = dir;
    dip_status st = dip_trainer_run(settings, &a->trainer, err);
    if (st == DIP_OK)
        (void)printf("trained: %s\n", dir);
    free(dir);
    return st;
}

int dip_cmd_train(int argc, char **argv)
{
    static const struct argp argp = {options,
                                     parse_option,
                                     "CONFIG [key.path=value...]",
                                     "Train the model that CONFIG describes.",
                                     NULL,
                                     NULL,
                                     NULL};
    dip_err err = {0};
    dip_settings *settings = NULL;
    dip_str faults = {0};
    arguments a = {
        .target = {.overrides = dip_calloc((size_t)argc + 1, sizeof(char *))}};
    if (a.target.overrides == NULL)
        return dip_status_exit_code(dip_no_memory(&err));
    (void)argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (a.data != NULL)
        a.target.overrides[a.target.override_count++] = a.data;
    dip_status st =
        dip_settings_load(&settings, a.target.path, a.target.overrides,
                          a.target.override_count, &faults, &err);
    if (st == DIP_OK)
        st = run(settings, &a, &err);
    int code =
        st == DIP_OK ? 0 : dip_cli_fail_config("diptych train", &faults, &err);
    dip_str_free(&faults);
    dip_settings_free(settings);
    free(a.data);
    free(a.target.overrides);
    return code;
}
