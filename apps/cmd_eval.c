#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/cli.h"
#include "apps/cli_run.h"
#include "apps/evaluate.h"
#include "apps/evaluate_recommendation.h"
#include "apps/evaluate_trec.h"
#include "apps/model_apps.h"
#include "apps/page.h"
#include "apps/report_files.h"
#include "apps/run_dir.h"
#include "apps/version.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "report/report.h"
#include "train/checkpoint.h"

/* Those up to OPT_PREDICTIONS mean something with a run directory only. */
enum {
    OPT_NO_HTML = 0x100,
    OPT_TREC,
    OPT_TREC_DEPTH,
    OPT_PREDICTIONS,
    OPT_RUN,
    OPT_QRELS,
    OPT_SEEN
};

enum { TREC_DEPTH = 1000 };

static const struct argp_option options[] = {
    {"data", DIP_CLI_DATA, "FILE", 0, "catalog (default: that of the training)",
     0},
    {"split", DIP_CLI_SPLIT, "NAME", 0, "train, val or test (default)", 0},
    {"checkpoint", DIP_CLI_CHECKPOINT, "NAME", 0,
     "best (default), latest or step-…", 0},
    {"dim", DIP_CLI_DIM, "N", 0,
     "rank by the first N numbers of the embeddings (default: all)", 0},
    {"out", 'o', "FILE.json", 0,
     "report (default: report.json in the run directory); FILE.md, "
     "FILE.html and FILE.queries.h5 beside it",
     0},
    {"no-html", OPT_NO_HTML, 0, 0,
     "no FILE.html, and nothing that only it shows", 0},
    {"trec", OPT_TREC, "DIR", 0,
     "write TASK.run and TASK.qrels, TREC's files, of each task into DIR", 0},
    {"trec-depth", OPT_TREC_DEPTH, "N", 0,
     "products of each query in there (default: 1000)", 0},
    {"predictions", OPT_PREDICTIONS, "DIR", 0,
     "write the predictions of each label into DIR as LABEL.csv", 0},
    {"run", OPT_RUN, "FILE", 0,
     "instead of a run directory: a TREC file of rankings of any system", 0},
    {"qrels", OPT_QRELS, "FILE", 0, "judgements that it is measured by", 0},
    {"seen", OPT_SEEN, "FILE", 0,
     "what its users had before, as judgements: the rankings are "
     "recommendations of other products",
     0},
    {"json", DIP_CLI_JSON, 0, 0, "print the report as JSON", 0},
    {"quiet", DIP_CLI_QUIET, 0, 0, "no progress bar", 0},
    {0}};

typedef struct {
    dip_cli_target target;
    dip_cli_run run;
    const char *out, *trec, *predictions, *lists, *qrels, *seen;
    int64_t trec_depth;
    bool no_html;
    bool of_directory; /* an option that needs one was given */
} arguments;

/* A ranking made elsewhere needs no run directory; all arguments are settings
 * then. */
static void check_arguments(arguments *a, const struct argp_state *state)
{
    dip_cli_target *t = &a->target;
    if ((a->lists == NULL) != (a->qrels == NULL))
        argp_error(state, "--run and --qrels go together");
    if (a->lists != NULL && a->of_directory)
        argp_error(state,
                   "--run goes with --qrels, --seen, --out and --json only");
    if (a->seen != NULL && a->lists == NULL)
        argp_error(state, "--seen goes with --run");
    if (a->trec_depth > 0 && a->trec == NULL)
        argp_error(state, "--trec-depth goes with --trec");
    if (a->trec_depth == 0)
        a->trec_depth = TREC_DEPTH;
    if (a->lists == NULL)
        dip_cli_target_need(t, "run directory", state);
    if (a->lists == NULL || t->path == NULL)
        return;
    memmove(t->overrides + 1, t->overrides,
            t->override_count++ * sizeof *t->overrides);
    t->overrides[0] = t->path;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    arguments *a = state->input;
    a->of_directory |= (key >= OPT_NO_HTML && key <= OPT_PREDICTIONS) ||
                       (key >= DIP_CLI_DATA && key < DIP_CLI_JSON);
    switch (key) {
    case 'o':
        if (!dip_path_has_suffix(value, ".json"))
            argp_error(state, "--out '%s' does not end in .json", value);
        a->out = value;
        return 0;
    case OPT_NO_HTML:
        a->no_html = true;
        return 0;
    case OPT_TREC:
        a->trec = value;
        return 0;
    case OPT_TREC_DEPTH:
        a->trec_depth = dip_cli_int(state, "trec-depth", value, 1, 1000000);
        return 0;
    case OPT_PREDICTIONS:
        a->predictions = value;
        return 0;
    case OPT_RUN:
        a->lists = value;
        return 0;
    case OPT_QRELS:
        a->qrels = value;
        return 0;
    case OPT_SEEN:
        a->seen = value;
        return 0;
    case ARGP_KEY_ARG:
        dip_cli_target_add(&a->target, "run directory", value, state);
        return 0;
    case ARGP_KEY_END:
        check_arguments(a, state);
        return 0;
    default:
        return dip_cli_run_option(&a->run, key, value, state);
    }
}

static bool wants_html(const dip_trained *run, const arguments *a)
{
    return run->settings->html && !a->no_html;
}

/* What a report says of a run, whatever its task. */
typedef struct {
    const dip_settings *settings;
    const char *dir, *checkpoint;
    const dip_params *params;
    int64_t dim, embed_dim;
    const char *similarity; /* NULL: nothing is compared */
    const dip_catalog *catalog;
    int64_t rows; /* of the split */
} evaluated_run;

/* The one of the training, whatever an override makes of it: runs of a config
 * are told apart by it. */
static dip_status read_seed(uint64_t *out, const char *dir, dip_err *err)
{
    dip_settings *trained;
    dip_status st = dip_run_settings(&trained, dir, NULL, 0, err);
    *out = st == DIP_OK ? trained->seed : 0;
    dip_settings_free(trained);
    return st;
}

static json_t *describe_run(const evaluated_run *run, uint64_t seed,
                            const dip_train_state *state)
{
    const dip_settings *s = run->settings;
    double peak = state->peak_bytes > 0 ? (double)state->peak_bytes : NAN;
    return json_pack(
        "{s:s, s:s, s:s, s:I, s:s, s:s*, s:I, s:I, s:I, s:I, s:I, "
        "s:o, s:o, s:o, "
        "s:o, s:i, s:o}",
        "name", s->name, "dir", run->dir, "checkpoint",
        dip_path_base(run->checkpoint), "step", (json_int_t)state->step,
        "version", dip_version(), "similarity", run->similarity, "dim",
        (json_int_t)run->dim, "embed_dim", (json_int_t)run->embed_dim, "seed",
        (json_int_t)seed, "parameters",
        (json_int_t)dip_params_trained_numel(run->params), "samples",
        (json_int_t)state->samples, "seconds", dip_json_real(state->seconds),
        "cpu_seconds", dip_json_real(state->cpu_seconds), "samples_per_second",
        dip_json_real((double)state->samples / state->seconds), "peak_bytes",
        dip_json_real(peak), "threads", state->threads, "config",
        dip_report_files_config(s->config));
}

/* {"run": …, "data": …} in front of what the evaluation found. */
static dip_status describe(json_t **out, const evaluated_run *run,
                           const arguments *a, const json_t *found,
                           dip_err *err)
{
    dip_train_state state;
    uint64_t seed = 0;
    *out = NULL;
    dip_status st = dip_checkpoint_read_state(&state, run->checkpoint, err);
    if (st == DIP_OK)
        st = read_seed(&seed, run->dir, err);
    if (st != DIP_OK)
        return st;
    *out =
        json_pack("{s:s, s:o, s:{s:s, s:s, s:s, s:I}}", "schema",
                  DIP_REPORT_SCHEMA, "run", describe_run(run, seed, &state),
                  "data", "path", dip_catalog_path(run->catalog), "digest",
                  dip_catalog_digest(run->catalog), "split",
                  dip_split_name(a->run.split), "rows", (json_int_t)run->rows);
    if (*out == NULL || json_object_update(*out, (json_t *)found) != 0)
        return dip_no_memory(err);
    return DIP_OK;
}

/* `corpus`: where the photos of a page are; NULL: no page. */
static dip_status write_report(const arguments *a, const dip_corpus *corpus,
                               json_t *report, const dip_outcome_set *outcomes,
                               dip_err *err)
{
    char *path = a->out != NULL ? dip_strdup(a->out)
                                : dip_path_join(a->target.path, "report.json");
    if (path == NULL)
        return dip_no_memory(err);
    dip_status st = dip_report_files_write(path, report, outcomes, corpus, err);
    if (st == DIP_OK)
        st = dip_report_files_print(report, a->run.json, err);
    free(path);
    return st;
}

static dip_status evaluate(const dip_trained *run, const arguments *a,
                           dip_err *err)
{
    dip_corpus *corpus = NULL;
    dip_outcome_set outcomes = {0};
    json_t *found = NULL, *report = NULL;
    dip_evaluation evaluation = {
        .job = dip_embed_job_of(run, NULL, a->run.quiet),
        .labels = run->labels,
        .split = a->run.split,
        .full = true,
        .outcomes = &outcomes,
        .pictured = wants_html(run, a),
        .trec = a->trec,
        .trec_depth = a->trec_depth,
        .predictions = a->predictions,
    };
    evaluation.job.probabilities = true;
    evaluation.job.dim = a->run.dim;
    dip_status st =
        dip_embed_check_dim(&evaluation.job, run->settings->rerank, err);
    if (st == DIP_OK)
        st = dip_trained_corpus(&corpus, run, a->run.data, err);
    evaluation.job.corpus = corpus;
    if (st == DIP_OK)
        st = dip_evaluate(&found, &evaluation, err);
    if (st == DIP_OK) {
        const evaluated_run about = {
            .settings = run->settings,
            .dir = run->dir,
            .checkpoint = run->checkpoint,
            .params = dip_model_params(run->model),
            .dim = dip_embed_dim(&evaluation.job),
            .embed_dim = dip_model_embed_dim(run->model),
            .similarity =
                run->settings->task_count > 0
                    ? dip_similarity_name(run->settings->model.similarity)
                    : NULL,
            .catalog = corpus->catalog,
            .rows = dip_catalog_split_rows(corpus->catalog, a->run.split)};
        st = describe(&report, &about, a, found, err);
    }
    if (st == DIP_OK && wants_html(run, a))
        st = dip_page_add_training(report, run->dir, err);
    if (st == DIP_OK)
        st = write_report(a, wants_html(run, a) ? corpus : NULL, report,
                          &outcomes, err);
    dip_outcome_set_free(&outcomes);
    json_decref(report);
    json_decref(found);
    dip_corpus_free(corpus);
    return st;
}

/* A recommender has neither texts nor heads, and no page. */
static dip_status check_recommender(const arguments *a, dip_err *err)
{
    if (a->trec != NULL || a->predictions != NULL || a->run.dim > 0)
        return dip_fail(err, DIP_EUSAGE,
                        "'%s' is a run of recommendation: --trec, "
                        "--predictions and --dim are not for it "
                        "(`diptych recommend --all` writes its lists)",
                        a->target.path);
    return DIP_OK;
}

static dip_status report_recommender(const dip_recommending *r,
                                     const arguments *a, dip_err *err)
{
    dip_outcome_set outcomes = {0};
    json_t *found = NULL, *report = NULL;
    const dip_recommender_options *model = &r->model->options;
    const evaluated_run about = {
        .settings = r->settings,
        .dir = a->target.path,
        .checkpoint = r->checkpoint,
        .params = dip_recommender_params(r->model),
        .dim = model->dim,
        .embed_dim = model->dim,
        .similarity = r->settings->recommendation.cosine ? "cosine" : "dot",
        .catalog = r->catalog,
        .rows = dip_recommending_count(r->catalog, a->run.split)};
    dip_status st =
        dip_evaluate_recommendation(&found, &outcomes, r, a->run.split, err);
    if (st == DIP_OK)
        st = describe(&report, &about, a, found, err);
    if (st == DIP_OK)
        st = write_report(a, NULL, report, &outcomes, err);
    dip_outcome_set_free(&outcomes);
    json_decref(report);
    json_decref(found);
    return st;
}

static dip_status evaluate_recommender(const arguments *a, dip_err *err)
{
    dip_recommending r = {0};
    dip_status st = check_recommender(a, err);
    if (st == DIP_OK)
        st = dip_recommending_load(&r, a->target.path, a->run.checkpoint,
                                   a->run.data, a->target.overrides,
                                   a->target.override_count, err);
    if (st == DIP_OK)
        st = report_recommender(&r, a, err);
    dip_recommending_end(&r);
    return st;
}

static dip_status evaluate_towers(const arguments *a, dip_err *err)
{
    dip_trained *run;
    dip_status st =
        dip_trained_load(&run, a->target.path, a->run.checkpoint,
                         a->target.overrides, a->target.override_count, err);
    if (st == DIP_OK)
        st = evaluate(run, a, err);
    dip_trained_free(run);
    return st;
}

/* By the task that the run's config says. */
static dip_status evaluate_run(const arguments *a, dip_err *err)
{
    dip_task_kind task;
    dip_status st = dip_run_task(&task, a->target.path, err);
    if (st != DIP_OK)
        return st;
    return task == DIP_TASK_RECOMMENDATION ? evaluate_recommender(a, err)
                                           : evaluate_towers(a, err);
}

static dip_status evaluate_lists(const arguments *a, dip_err *err)
{
    json_t *report = NULL;
    dip_outcome_set outcomes = {0};
    dip_status st =
        dip_evaluate_lists(&report, &outcomes, a->lists, a->qrels, a->seen,
                           a->target.overrides, a->target.override_count, err);
    if (st == DIP_OK && a->out != NULL)
        st = dip_report_files_write(a->out, report, &outcomes, NULL, err);
    if (st == DIP_OK)
        st = dip_report_files_print(report, a->run.json, err);
    dip_outcome_set_free(&outcomes);
    json_decref(report);
    return st;
}

/* Found before the evaluation, not after it. */
static dip_status check_out(const char *out, dip_err *err)
{
    char *dir = dip_path_dir(out);
    if (dir == NULL)
        return dip_no_memory(err);
    dip_status st = DIP_OK;
    if (!dip_file_is_directory(dir))
        st = dip_fail(err, DIP_EIO, "no folder '%s' for --out '%s'", dir, out);
    free(dir);
    return st;
}

int dip_cmd_eval(int argc, char **argv)
{
    static const struct argp argp = {
        options,
        parse_option,
        "RUN [key.path=value...]\n"
        "--run=FILE --qrels=FILE [--seen=FILE] [key.path=value...]",
        "Evaluate the run in the directory RUN, and write a report; or measure "
        "rankings of any system.",
        NULL,
        NULL,
        NULL};
    dip_err err = {0};
    arguments a = {
        .target = {.overrides = dip_calloc((size_t)argc, sizeof(char *))},
        .run = {.checkpoint = "best", .split = DIP_SPLIT_TEST}};
    if (a.target.overrides == NULL)
        return dip_status_exit_code(dip_no_memory(&err));
    (void)argp_parse(&argp, argc, argv, 0, NULL, &a);
    dip_status st = a.out != NULL ? check_out(a.out, &err) : DIP_OK;
    if (st == DIP_OK && a.lists != NULL)
        st = evaluate_lists(&a, &err);
    else if (st == DIP_OK)
        st = evaluate_run(&a, &err);
    free(a.target.overrides);
    return st == DIP_OK ? 0 : dip_cli_fail("diptych eval", &err);
}
