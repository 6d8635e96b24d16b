#include "apps/sweep_run.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "apps/cli.h"
#include "apps/run_dir.h"
#include "apps/sweep_files.h"
#include "apps/sweep_worker.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "report/learning.h"
#include "sweep/journal.h"
#include "sweep/results.h"
#include "train/checkpoint.h"

typedef struct {
    pid_t pid; /* 0: idle */
    dip_sweep_job job;
    size_t log_from; /* bytes that its log had before */
} worker;

typedef struct {
    const dip_sweep_settings *settings;
    const dip_sweep_run_options *options;
    dip_sweep_points points;
    dip_sweep_trials trials;
    dip_sweep_journal *journal;
    worker *workers;
    size_t running;
    double before; /* seconds of earlier parts of the sweep */
    double start;  /* of this one */
    int lock;
    bool stopping;
} sweep;

static double elapsed(const sweep *s)
{
    return s->before + dip_cli_now() - s->start;
}

/* "DIR/trials/0003", with `more` behind it; NULL when memory is out. */
static char *run_path(const sweep *s, size_t trial, const char *more)
{
    char name[DIP_SWEEP_RUN_SIZE], *path = NULL;
    if (asprintf(&path, "%s/%s%s", s->options->dir,
                 dip_sweep_run_name(name, trial), more) < 0)
        return NULL;
    return path;
}

/* ---- what workers are told ---- */

typedef struct {
    char **items;
    size_t count;
    bool failed;
} words;

#define WORDS_BESIDE 12 /* most that are no parameters, and NULL */

static void add_word(words *w, const char *fmt, ...) DIP_PRINTF(2, 3);
static void add_word(words *w, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    w->failed |= vasprintf(&w->items[w->count], fmt, args) < 0;
    va_end(args);
    if (!w->failed)
        w->count++;
}

static void free_words(words *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->items[i]);
    free(w->items);
}

/* The command line of `diptych train` for the job. */
static dip_status list_words(words *w, const sweep *s, dip_sweep_job job,
                             bool resume, dip_err *err)
{
    const dip_sweep_space *space = &s->settings->space;
    const char *dir = s->options->dir;
    char run[DIP_SWEEP_RUN_SIZE];
    *w = (words){.items =
                     dip_calloc(space->count + WORDS_BESIDE, sizeof *w->items)};
    if (w->items == NULL)
        return dip_no_memory(err);
    add_word(w, "diptych");
    add_word(w, "train");
    add_word(w, "--quiet");
    add_word(w, "--run=%s/%s", dir, dip_sweep_run_name(run, job.trial));
    if (resume)
        add_word(w, "--resume");
    if (job.rung < s->trials.rung_count - 1)
        add_word(w, "--stop-after=%lld", (long long)s->trials.rungs[job.rung]);
    add_word(w, "--");
    add_word(w, "%s/config.yaml", dir);
    add_word(w, "name=%s-%04zu", s->settings->name, job.trial);
    for (size_t p = 0; p < space->count; p++)
        add_word(w, "%s=%s", space->parameters[p].key,
                 dip_sweep_value(&s->points, job.trial, p));
    return w->failed ? dip_no_memory(err) : DIP_OK;
}

/* Whether the trial's run has a checkpoint to go on from. What is left of one
 * that was killed before its first is cleared away. */
static dip_status prepare_run(bool *resume, const sweep *s, size_t trial,
                              dip_err *err)
{
    char *dir = run_path(s, trial, "");
    char *latest = run_path(s, trial, "/checkpoints/latest");
    dip_status st = dir != NULL && latest != NULL ? DIP_OK : dip_no_memory(err);
    *resume = st == DIP_OK && dip_file_is_directory(latest);
    if (st == DIP_OK && !*resume)
        st = dip_tree_remove(dir, err);
    free(latest);
    free(dir);
    return st;
}

static dip_status start_worker(sweep *s, worker *w, dip_sweep_job job,
                               dip_err *err)
{
    words list = {0};
    pid_t pid;
    bool resume;
    dip_file_info info = {0};
    char *log = run_path(s, job.trial, ".log");
    dip_status st = log != NULL ? prepare_run(&resume, s, job.trial, err)
                                : dip_no_memory(err);
    if (st == DIP_OK)
        st = list_words(&list, s, job, resume, err);
    if (st == DIP_OK)
        st = dip_sweep_journal_begin(s->journal, job, err);
    if (st == DIP_OK && dip_file_exists(log))
        st = dip_file_stat(&info, log, err);
    if (st == DIP_OK)
        st = dip_sweep_worker_start(&pid, list.items, log, err);
    if (st == DIP_OK) {
        *w = (worker){pid, job, (size_t)info.size};
        s->running++;
    }
    free_words(&list);
    free(log);
    return st;
}

/* ---- what became of them ---- */

/* Where the run's newest checkpoint stands; zeros when it has none. */
static dip_status read_progress(dip_train_state *state, const sweep *s,
                                size_t trial, dip_err *err)
{
    char *latest = run_path(s, trial, "/checkpoints/latest");
    *state = (dip_train_state){0};
    dip_status st = latest != NULL ? DIP_OK : dip_no_memory(err);
    if (st == DIP_OK && dip_file_is_directory(latest))
        st = dip_checkpoint_read_state(state, latest, err);
    free(latest);
    return st;
}

static dip_status read_best(double *value, const sweep *s, size_t trial,
                            dip_err *err)
{
    char *log = run_path(s, trial, "/log.jsonl");
    dip_status st =
        log != NULL
            ? dip_report_learning_best(value, log, s->settings->metric,
                                       s->settings->higher_is_better, err)
            : dip_no_memory(err);
    free(log);
    return st;
}

/* Why a worker has not come to its rung. The caller frees *out. */
static dip_status explain(char **out, const sweep *s, const worker *w, int code,
                          int number, dip_err *err)
{
    *out = NULL;
    char *log = run_path(s, w->job.trial, ".log");
    dip_status st = log != NULL ? DIP_OK : dip_no_memory(err);
    if (st == DIP_OK && code >= 0)
        st = dip_sweep_worker_message(out, log, w->log_from, err);
    if (st == DIP_OK && code >= 0 && *out[0] == '\0') {
        free(*out);
        if (asprintf(out, "exit code %d", code) < 0)
            st = dip_no_memory(err);
    }
    if (st == DIP_OK && code < 0 &&
        asprintf(out, "killed by signal %d (%s)", number, strsignal(number)) <
            0)
        st = dip_no_memory(err);
    free(log);
    return st;
}

/* Why a rung has no value: no rows to validate on, or it ended before the first
 * validation. The caller frees *out. */
static dip_status explain_silence(char **out, const sweep *s, dip_err *err)
{
    char every[80] = "";
    int64_t updates = s->settings->run->loop.validate_every;
    if (updates > 0)
        (void)snprintf(every, sizeof every,
                       ": train.validate_every is %lld updates",
                       (long long)updates);
    return asprintf(out, "no validation has given a value%s", every) >= 0
               ? DIP_OK
               : dip_no_memory(err);
}

static void tell(const sweep *s, dip_sweep_job job, const dip_sweep_outcome *o)
{
    if (s->options->quiet)
        return;
    dip_str text = {0};
    for (size_t p = 0; p < s->settings->space.count; p++)
        dip_str_addf(&text, "%s%s %s", p > 0 ? ", " : "",
                     s->settings->space.parameters[p].name,
                     dip_sweep_value(&s->points, job.trial, p));
    (void)fprintf(stderr, "trial %zu (%s): ", job.trial, dip_str_text(&text));
    if (o->message != NULL)
        (void)fprintf(stderr, "failed: %s\n", o->message);
    else
        (void)fprintf(stderr, "%s %.4f, epoch %lld, %.1f s\n",
                      s->settings->metric, o->value, (long long)o->epochs,
                      o->seconds);
    dip_str_free(&text);
}

static dip_status end_job(sweep *s, dip_sweep_job job,
                          const dip_sweep_outcome *outcome, dip_err *err)
{
    dip_status st = dip_sweep_journal_end(s->journal, job, outcome, err);
    if (st == DIP_OK)
        tell(s, job, outcome);
    return st;
}

/* A worker has ended by itself or by our signal. The rung is reached when the
 * run has ended, which patience may bring about early, or has stopped there. */
static dip_status judge(sweep *s, const worker *w, int status, dip_err *err)
{
    int number, code = dip_sweep_worker_code(&number, status);
    bool stopped = code == dip_status_exit_code(DIP_EINTERRUPT);
    char *message = NULL;
    dip_train_state state;
    dip_status st = read_progress(&state, s, w->job.trial, err);
    dip_sweep_outcome outcome = {
        .epochs = state.epoch, .seconds = state.seconds, .elapsed = elapsed(s)};
    bool reached =
        code == 0 || (stopped && state.epoch >= s->trials.rungs[w->job.rung]);
    if (st == DIP_OK && !reached && s->stopping && (stopped || code < 0)) {
        dip_sweep_interrupt(&s->trials, w->job);
        return DIP_OK;
    }
    if (st == DIP_OK && reached)
        st = read_best(&outcome.value, s, w->job.trial, err);
    else if (st == DIP_OK)
        st = explain(&message, s, w, code, number, err);
    if (st == DIP_OK && reached && isnan(outcome.value))
        st = explain_silence(&message, s, err);
    outcome.message = message;
    if (st == DIP_OK)
        st = end_job(s, w->job, &outcome, err);
    free(message);
    return st;
}

static dip_status write_files(const sweep *s, json_t **results, dip_err *err)
{
    const dip_sweep_results r = {.name = s->settings->name,
                                 .search = s->settings->search_name,
                                 .metric = s->settings->metric,
                                 .dir = s->options->dir,
                                 .space = &s->settings->space,
                                 .points = &s->points,
                                 .trials = &s->trials};
    json_decref(*results);
    dip_status st = dip_sweep_results_json(results, &r, err);
    return st == DIP_OK ? dip_sweep_files_write(s->options->dir, *results, err)
                        : st;
}

/* ---- waiting ---- */

static void signal_workers(const sweep *s, int number)
{
    for (int64_t i = 0; i < s->settings->workers; i++) {
        if (s->workers[i].pid > 0)
            (void)kill(s->workers[i].pid, number);
    }
}

/* The first signal asks the workers to write checkpoints, the next ends them.
 */
static void stop(sweep *s)
{
    signal_workers(s, s->stopping ? SIGKILL : SIGTERM);
    if (!s->stopping && !s->options->quiet && s->running > 0)
        (void)fprintf(stderr, "stopping: waiting for %zu checkpoint%s\n",
                      s->running, s->running == 1 ? "" : "s");
    s->stopping = true;
}

/* Takes the workers that have ended. */
static dip_status reap(sweep *s, json_t **results, dip_err *err)
{
    dip_status st = DIP_OK;
    for (int64_t i = 0; i < s->settings->workers && st == DIP_OK; i++) {
        worker *w = &s->workers[i];
        int status;
        if (w->pid == 0 || waitpid(w->pid, &status, WNOHANG) != w->pid)
            continue;
        w->pid = 0;
        s->running--;
        st = judge(s, w, status, err);
        if (st == DIP_OK)
            st = write_files(s, results, err);
    }
    return st;
}

static void awaited_signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGCHLD);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
}

/* Gives work to idle workers. */
static dip_status feed(sweep *s, dip_err *err)
{
    dip_sweep_job job;
    dip_status st = DIP_OK;
    for (int64_t i = 0; i < s->settings->workers && st == DIP_OK; i++) {
        worker *w = &s->workers[i];
        if (w->pid == 0 && !s->stopping && dip_sweep_next(&job, &s->trials))
            st = start_worker(s, w, job, err);
    }
    return st;
}

static dip_status work(sweep *s, json_t **results, dip_err *err)
{
    sigset_t signals, before;
    awaited_signals(&signals);
    if (sigprocmask(SIG_BLOCK, &signals, &before) != 0)
        return dip_fail(err, DIP_FAIL, "cannot block signals: %s",
                        strerror(errno));
    dip_status st = feed(s, err);
    while (st == DIP_OK && s->running > 0) {
        int number = sigwaitinfo(&signals, NULL);
        if (number == SIGINT || number == SIGTERM)
            stop(s);
        st = reap(s, results, err);
        if (st == DIP_OK)
            st = feed(s, err);
    }
    signal_workers(s, SIGKILL); /* after an error */
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    return st;
}

/* ---- the folder ---- */

/* Held by the sweep and by its workers, should they outlive it: nobody else
 * writes into the folder meanwhile. A sweep that was killed takes its workers
 * with it, which needs a moment. */
static dip_status lock_folder(sweep *s, dip_err *err)
{
    enum { TRIES = 50 };
    static const struct timespec pause = {.tv_nsec = 100000000};
    char *path = dip_path_join(s->options->dir, "journal.jsonl");
    if (path == NULL)
        return dip_no_memory(err);
    s->lock = open(path, O_RDWR | O_CREAT, 0666); /* workers inherit it */
    dip_status st = s->lock >= 0
                        ? DIP_OK
                        : dip_fail(err, DIP_EIO, "cannot open '%s': %s", path,
                                   strerror(errno));
    free(path);
    for (int i = 0; st == DIP_OK && flock(s->lock, LOCK_EX | LOCK_NB) != 0;
         i++) {
        if (i == TRIES)
            st = dip_fail(err, DIP_EIO,
                          "another process works on the sweep '%s'",
                          s->options->dir);
        else
            (void)nanosleep(&pause, NULL);
    }
    return st;
}

static dip_status make_points(sweep *s, dip_err *err)
{
    const dip_sweep_settings *c = s->settings;
    size_t count = (size_t)c->trials;
    dip_status st = c->search == DIP_SWEEP_GRID
                        ? dip_sweep_grid(&s->points, &c->space, err)
                        : dip_sweep_draw(&s->points, &c->space, count, err);
    if (st == DIP_OK)
        st = dip_sweep_trials_make(&s->trials, count, err);
    s->trials.eta = c->eta;
    s->trials.higher_is_better = c->higher_is_better;
    s->trials.rung_count = dip_sweep_rungs(
        s->trials.rungs,
        c->search == DIP_SWEEP_ASHA ? c->min_epochs : c->max_epochs,
        c->max_epochs, c->eta);
    return st;
}

static dip_status open_journal(sweep *s, dip_err *err)
{
    char *path = dip_path_join(s->options->dir, "journal.jsonl");
    dip_status st = path != NULL ? dip_sweep_journal_open(&s->journal, path,
                                                          &s->trials, err)
                                 : dip_no_memory(err);
    free(path);
    if (st == DIP_OK && s->options->retry)
        st = dip_sweep_journal_retry(s->journal, err);
    s->before = dip_sweep_elapsed(&s->trials);
    return st;
}

static dip_status prepare(sweep *s, dip_err *err)
{
    s->workers = dip_calloc((size_t)s->settings->workers, sizeof *s->workers);
    dip_status st =
        s->workers != NULL ? make_points(s, err) : dip_no_memory(err);
    if (st == DIP_OK)
        st = dip_sweep_files_begin(s->options->dir, s->settings,
                                   s->options->resume, err);
    if (st == DIP_OK)
        st = lock_folder(s, err);
    return st == DIP_OK ? open_journal(s, err) : st;
}

dip_status dip_sweep_run(json_t **out, const dip_sweep_settings *settings,
                         const dip_sweep_run_options *options, dip_err *err)
{
    sweep s = {.settings = settings,
               .options = options,
               .start = dip_cli_now(),
               .lock = -1};
    dip_sweep_job job;
    *out = NULL;
    dip_status st = prepare(&s, err);
    if (st == DIP_OK)
        st = work(&s, out, err);
    if (st == DIP_OK)
        st = write_files(&s, out, err);
    if (st == DIP_OK && s.stopping && dip_sweep_next(&job, &s.trials))
        st = dip_fail(err, DIP_EINTERRUPT,
                      "stopped with results of %zu of %zu trials: the same "
                      "command with --resume goes on",
                      dip_sweep_count_heard(&s.trials), s.trials.count);
    dip_sweep_journal_close(s.journal);
    if (s.lock >= 0)
        (void)close(s.lock);
    free(s.workers);
    dip_sweep_trials_free(&s.trials);
    dip_sweep_points_free(&s.points);
    return st;
}
