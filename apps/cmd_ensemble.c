#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apps/cli.h"
#include "apps/cli_run.h"
#include "apps/ensemble.h"
#include "apps/ensemble_recommendation.h"
#include "apps/model_apps.h"
#include "apps/report_files.h"
#include "apps/version.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "report/report.h"
#include "train/checkpoint.h"

enum { OPT_VOTE = 0x100, OPT_WEIGHTS, OPT_NORMALISE, OPT_DEPTH, OPT_NO_HTML };

enum { DEPTH = 1000 };

static const struct argp_option options[] = {
    {"vote", OPT_VOTE, "KIND", 0,
     "soft: the mean of probabilities, and of normalised scores of rankings; "
     "hard: the class that most choose; rank: reciprocal ranks of rankings",
     0},
    {"out", 'o', "DIR", 0, "folder of the report", 0},
    {"weights", OPT_WEIGHTS, "HOW", 0,
     "equal (default), tuned on the validation split, or W,W,… of the runs", 0},
    {"normalise", OPT_NORMALISE, "KIND", 0,
     "of soft: zscore (default), minmax or none, over the scores of each query",
     0},
    {"depth", OPT_DEPTH, "N", 0,
     "of rank: products of each run's list that count (default: 1000)", 0},
    {"data", DIP_CLI_DATA, "FILE", 0,
     "catalog (default: that of the first run)", 0},
    {"split", DIP_CLI_SPLIT, "NAME", 0, "train, val or test (default)", 0},
    {"checkpoint", DIP_CLI_CHECKPOINT, "NAME", 0,
     "of each run: best (default), latest or step-…", 0},
    {"no-html", OPT_NO_HTML, 0, 0, "no report.html", 0},
    {"json", DIP_CLI_JSON, 0, 0, "print the report as JSON", 0},
    {"quiet", DIP_CLI_QUIET, 0, 0, "no progress bar", 0},
    {0}};

static const char *const votes[] = {"soft", "hard", "rank"};
static const char *const norms[] = {"none", "minmax", "zscore"};
static const char *const weighings[] = {"equal", "tuned"};

typedef struct {
    const char **runs; /* of argv, which has room for as many */
    int count;
    dip_cli_run run;
    const char *out, *weights, *vote, *norm;
    dip_ensemble_options ensemble;
    bool no_html;
    int64_t depth;
} arguments;

/* ---- command line -------------------------------------------------------- */

static int choose(struct argp_state *state, const char *option,
                  const char *value, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(value, names[i]) == 0)
            return (int)i;
    }
    argp_error(state, "--%s '%s' is none of its kinds", option, value);
    return 0;
}

/* "2,1,0.5": one for each run. */
static void read_weights(struct argp_state *state, arguments *a)
{
    int count = 0;
    double sum = 0;
    for (const char *at = a->weights;; at++) {
        char *end;
        double weight = strtod(at, &end);
        if (end == at || (*end != ',' && *end != '\0') || !isfinite(weight) ||
            weight < 0 || count == DIP_ENSEMBLE_MAX)
            argp_error(state,
                       "--weights '%s' is neither equal, tuned nor a "
                       "list of numbers from 0 on",
                       a->weights);
        a->ensemble.weights[count++] = weight;
        sum += weight;
        at = end;
        if (*end == '\0')
            break;
    }
    if (count != a->count)
        argp_error(state, "--weights names %d weights for %d runs", count,
                   a->count);
    if (!(sum > 0))
        argp_error(state, "--weights are all 0");
}

static void check_arguments(struct argp_state *state, arguments *a)
{
    if (a->count < 2)
        argp_error(state, "two runs or more make an ensemble");
    if (a->count > DIP_ENSEMBLE_MAX)
        argp_error(state, "more than %d runs", DIP_ENSEMBLE_MAX);
    if (a->vote == NULL)
        argp_error(state, "--vote soft, hard or rank is missing");
    if (a->out == NULL)
        argp_error(state, "--out DIR is missing");
    a->ensemble.split = a->run.split;
    a->ensemble.vote =
        (dip_vote)choose(state, "vote", a->vote, votes, DIP_ARRAY_LEN(votes));
    if (a->norm != NULL && a->ensemble.vote != DIP_VOTE_SOFT)
        argp_error(state, "--normalise goes with --vote soft");
    if (a->depth > 0 && a->ensemble.vote != DIP_VOTE_RANK)
        argp_error(state, "--depth goes with --vote rank");
    a->ensemble.depth = a->depth > 0 ? a->depth : DEPTH;
    a->ensemble.norm = (dip_ensemble_norm)choose(
        state, "normalise", a->norm != NULL ? a->norm : "zscore", norms,
        DIP_ARRAY_LEN(norms));
    if (strchr("0123456789.", a->weights[0]) != NULL) {
        a->ensemble.weighing = DIP_WEIGHTS_GIVEN;
        read_weights(state, a);
    } else {
        a->ensemble.weighing = (dip_ensemble_weighing)choose(
            state, "weights", a->weights, weighings, DIP_ARRAY_LEN(weighings));
    }
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    const struct {
        int key;
        const char **text;
    } texts[] = {{OPT_VOTE, &a->vote},
                 {OPT_WEIGHTS, &a->weights},
                 {OPT_NORMALISE, &a->norm},
                 {'o', &a->out}};
    for (size_t i = 0; i < DIP_ARRAY_LEN(texts); i++) {
        if (key == texts[i].key) {
            *texts[i].text = value;
            return 0;
        }
    }
    switch (key) {
    case OPT_DEPTH:
        a->depth = dip_cli_int(state, "depth", value, 1, 1000000);
        return 0;
    case OPT_NO_HTML:
        a->no_html = true;
        return 0;
    case ARGP_KEY_ARG:
        a->runs[a->count++] = value;
        return 0;
    case ARGP_KEY_END:
        check_arguments(state, a);
        return 0;
    default:
        return dip_cli_run_option(&a->run, key, value, state);
    }
}

/* ---- the report ---------------------------------------------------------- */

/* A run that takes part; borrowed. */
typedef struct {
    const dip_settings *settings;
    const char *checkpoint; /* folder of its weights */
    const dip_params *params;
} voter;

/* All of them, and what they are evaluated on. */
typedef struct {
    voter items[DIP_ENSEMBLE_MAX];
    const dip_catalog *catalog;
    int64_t rows; /* of the split */
} voters;

static int add_key(json_t *keys, const char *key, const char *value)
{
    return json_object_set_new(keys, key, json_string(value));
}

/* The first run's keys and those that make another system of it. */
static json_t *describe_config(const voters *v, const arguments *a)
{
    dip_str runs = {0};
    json_t *keys = dip_report_files_config(v->items[0].settings->config);
    for (int i = 0; i < a->count; i++)
        dip_str_addf(&runs, "%s%s", i > 0 ? " " : "", a->runs[i]);
    int failed = add_key(keys, "ensemble.runs", dip_str_text(&runs));
    failed |= add_key(keys, "ensemble.vote", a->vote);
    failed |= add_key(keys, "ensemble.weights", a->weights);
    if (a->ensemble.vote == DIP_VOTE_SOFT)
        failed |= add_key(keys, "ensemble.normalise", norms[a->ensemble.norm]);
    if (runs.failed || failed != 0) {
        json_decref(keys);
        keys = NULL;
    }
    dip_str_free(&runs);
    return keys;
}

/* Sums over the members. */
typedef struct {
    int64_t parameters, samples;
    double seconds, cpu_seconds;
} costs;

/* {"name", "dir", "checkpoint", "step"} of each run. */
static dip_status describe_members(json_t **out, costs *sum, const voters *v,
                                   const arguments *a, dip_err *err)
{
    dip_status st = DIP_OK;
    *out = json_array();
    for (int i = 0; i < a->count && st == DIP_OK; i++) {
        dip_train_state state;
        const voter *run = &v->items[i];
        st = dip_checkpoint_read_state(&state, run->checkpoint, err);
        if (st != DIP_OK)
            break;
        sum->parameters += dip_params_trained_numel(run->params);
        sum->samples += state.samples;
        sum->seconds += state.seconds;
        sum->cpu_seconds += state.cpu_seconds;
        json_t *member = json_pack("{s:s, s:s, s:s, s:I}", "name",
                                   run->settings->name, "dir", a->runs[i],
                                   "checkpoint", dip_path_base(run->checkpoint),
                                   "step", (json_int_t)state.step);
        if (json_array_append_new(*out, member) != 0)
            st = dip_no_memory(err);
    }
    return st;
}

/* Puts what was found behind {"run": …, "data": …}. */
static dip_status describe(json_t **out, const voters *v, const arguments *a,
                           json_t *found, json_t *weights, dip_err *err)
{
    costs sum = {0};
    json_t *members;
    dip_status st = describe_members(&members, &sum, v, a, err);
    json_t *ensemble = json_pack(
        "{s:s, s:s, s:o, s:O}", "vote", a->vote, "normalise",
        a->ensemble.vote == DIP_VOTE_SOFT ? norms[a->ensemble.norm] : "none",
        "runs", members, "weights", weights);
    *out = json_pack(
        "{s:s, s:{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o}, "
        "s:{s:s, s:s, s:s, s:I}}",
        "schema", DIP_REPORT_SCHEMA, "run", "name", dip_path_base(a->out),
        "dir", a->out, "checkpoint", a->run.checkpoint, "version",
        dip_version(), "seed", (json_int_t)v->items[0].settings->seed,
        "parameters", (json_int_t)sum.parameters, "samples",
        (json_int_t)sum.samples, "seconds", dip_json_real(sum.seconds),
        "cpu_seconds", dip_json_real(sum.cpu_seconds), "config",
        describe_config(v, a), "ensemble", ensemble, "data", "path",
        dip_catalog_path(v->catalog), "digest", dip_catalog_digest(v->catalog),
        "split", dip_split_name(a->ensemble.split), "rows",
        (json_int_t)v->rows);
    if (st == DIP_OK && (*out == NULL || json_object_update(*out, found) != 0))
        st = dip_no_memory(err);
    return st;
}

/* Found before the evaluation, not after it. */
static dip_status make_folder(const char *dir, char **path, dip_err *err)
{
    char *config = dip_path_join(dir, "config.yaml");
    *path = dip_path_join(dir, "report.json");
    dip_status st =
        config != NULL && *path != NULL ? DIP_OK : dip_no_memory(err);
    if (st == DIP_OK && dip_file_exists(*path))
        st = dip_fail(err, DIP_EIO, "'%s' exists already", *path);
    else if (st == DIP_OK && dip_file_exists(config))
        st = dip_fail(err, DIP_EIO, "'%s' is a run: --out names a new folder",
                      dir);
    if (st == DIP_OK)
        st = dip_dir_make(dir, err);
    free(config);
    return st;
}

/* What an evaluation gives. */
typedef struct {
    dip_outcome_set outcomes;
    json_t *found, *weights;
} result;

static void free_result(result *r)
{
    json_decref(r->weights);
    json_decref(r->found);
    dip_outcome_set_free(&r->outcomes);
}

/* `corpus`: of the page, or NULL. */
static dip_status write_result(const char *path, const result *r,
                               const voters *v, const dip_corpus *corpus,
                               const arguments *a, dip_err *err)
{
    json_t *report = NULL;
    dip_status st = describe(&report, v, a, r->found, r->weights, err);
    if (st == DIP_OK)
        st = dip_report_files_write(path, report, &r->outcomes, corpus, err);
    if (st == DIP_OK)
        st = dip_report_files_print(report, a->run.json, err);
    json_decref(report);
    return st;
}

static dip_status run_towers(const char *path, const arguments *a, dip_err *err)
{
    voters v = {0};
    result r = {0};
    dip_ensemble *e = dip_calloc(1, sizeof *e);
    if (e == NULL)
        return dip_no_memory(err);
    dip_status st = dip_ensemble_open(e, a->runs, a->count, a->run.checkpoint,
                                      a->run.data, a->run.quiet, err);
    if (st == DIP_OK)
        st = dip_ensemble_evaluate(&r.found, &r.weights, &r.outcomes, e,
                                   &a->ensemble, err);
    if (st == DIP_OK) {
        const dip_corpus *corpus = e->members[0].corpus;
        v.catalog = corpus->catalog;
        v.rows = dip_catalog_split_rows(v.catalog, a->ensemble.split);
        for (int i = 0; i < a->count; i++) {
            const dip_trained *run = e->members[i].run;
            v.items[i] = (voter){run->settings, run->checkpoint,
                                 dip_model_params(run->model)};
        }
        st = write_result(path, &r, &v, a->no_html ? NULL : corpus, a, err);
    }
    free_result(&r);
    dip_ensemble_close(e);
    free(e);
    return st;
}

static dip_status run_recommenders(const char *path, const arguments *a,
                                   dip_err *err)
{
    voters v = {0};
    result r = {0};
    dip_recommenders *e = dip_calloc(1, sizeof *e);
    if (e == NULL)
        return dip_no_memory(err);
    dip_status st = dip_recommenders_open(e, a->runs, a->count,
                                          a->run.checkpoint, a->run.data, err);
    if (st == DIP_OK)
        st = dip_recommenders_evaluate(&r.found, &r.weights, &r.outcomes, e,
                                       &a->ensemble, err);
    if (st == DIP_OK) {
        v.catalog = e->members[0].catalog;
        v.rows = dip_recommending_count(v.catalog, a->ensemble.split);
        for (int i = 0; i < a->count; i++) {
            const dip_recommending *run = &e->members[i];
            v.items[i] = (voter){run->settings, run->checkpoint,
                                 dip_recommender_params(run->model)};
        }
        st = write_result(path, &r, &v, NULL, a, err);
    }
    free_result(&r);
    dip_recommenders_close(e);
    free(e);
    return st;
}

static dip_status run(const arguments *a, dip_err *err)
{
    char *path = NULL;
    dip_task_kind task;
    bool there = dip_file_exists(a->out);
    dip_status st = dip_run_task(&task, a->runs[0], err);
    if (st == DIP_OK)
        st = make_folder(a->out, &path, err);
    if (st == DIP_OK)
        st = task == DIP_TASK_RECOMMENDATION ? run_recommenders(path, a, err)
                                             : run_towers(path, a, err);
    if (st != DIP_OK && !there)
        (void)rmdir(a->out); /* unless something stands in it */
    free(path);
    return st;
}

int dip_cmd_ensemble(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse_option,
        "RUN RUN...",
        "Evaluate several runs as one: their labels by votes, their rankings "
        "fused. The report is one as of a run, for diptych compare too.",
        NULL,
        NULL,
        NULL};
    dip_err err = {0};
    arguments a = {.runs = dip_calloc((size_t)argc, sizeof(char *)),
                   .run = {.checkpoint = "best", .split = DIP_SPLIT_TEST},
                   .weights = "equal"};
    if (a.runs == NULL)
        return dip_status_exit_code(dip_no_memory(&err));
    (void)argp_parse(&argp, argc, argv, 0, NULL, &a);
    dip_status st = run(&a, &err);
    free(a.runs);
    return st == DIP_OK ? 0 : dip_cli_fail("diptych ensemble", &err);
}
