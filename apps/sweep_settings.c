#include "apps/sweep_settings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/evaluate.h"
#include "apps/options.h"
#include "apps/run_dir.h"
#include "base/file.h"
#include "base/mem.h"
#include "sweep/trials.h"

#define MOST_TRIALS 10000
#define MOST_EXACT  9007199254740992.0 /* 2^53 */
#define KEY(...)    dip_config_key((char[DIP_CONFIG_KEY_SIZE]){0}, __VA_ARGS__)

const dip_option *dip_sweep_options(size_t *count)
{
    static const dip_option options[] = {
        {.key = "name",
         .type = DIP_OPTION_STRING,
         .fallback = "sweep",
         .help = "The sweep's folder is runs/<name> where --out names none; "
                 "runs are called <name>-0000 and so on."},
        {.key = "config",
         .type = DIP_OPTION_STRING,
         .required = true,
         .help = "Config of the runs, relative to this file."},
        {.key = "overrides",
         .type = DIP_OPTION_STRINGS,
         .fallback = "[]",
         .help = "`key.path=value` for all runs."},
        {.key = "search",
         .type = DIP_OPTION_ENUM,
         .fallback = "random",
         .choices = "grid|random|asha",
         .help = "grid: all combinations of choices; random: points drawn; "
                 "asha: points drawn, of which only the best train on."},
        {.key = "trials",
         .type = DIP_OPTION_INT,
         .min = 1,
         .max = MOST_TRIALS,
         .help = "Points that are drawn; a grid has those that it has."},
        {.key = "seed",
         .type = DIP_OPTION_INT,
         .fallback = "0",
         .min = 0,
         .max = MOST_EXACT,
         .help = "Of the draws; the seed of the runs is `seed` of their "
                 "config."},
        {.key = "workers",
         .type = DIP_OPTION_INT,
         .fallback = "1",
         .min = 1,
         .max = 256,
         .help = "Trainings at a time, each a process with its share of the "
                 "processors, unless the runs' config sets train.threads."},
        {.key = "metric",
         .type = DIP_OPTION_STRING,
         .help = "What decides, on the validation split; by default what "
                 "decides the best checkpoint of a run."},
        {.key = "max_epochs",
         .type = DIP_OPTION_INT,
         .min = 1,
         .max = 1e6,
         .help = "Epochs of a whole run; by default train.epochs of the "
                 "runs' config."},
        {.key = "min_epochs",
         .type = DIP_OPTION_INT,
         .fallback = "1",
         .min = 1,
         .max = 1e6,
         .help = "asha: epochs of the lowest rung."},
        {.key = "eta",
         .type = DIP_OPTION_INT,
         .fallback = "3",
         .min = 2,
         .max = 1000,
         .help = "asha: one of so many goes on to the next rung, which has so "
                 "many times the epochs."},
        {.key = "parameters.*.key",
         .type = DIP_OPTION_STRING,
         .help = "Key of the runs' config; by default the parameter's name."},
        {.key = "parameters.*.choices",
         .type = DIP_OPTION_STRINGS,
         .help = "Values to choose from; a list stands in quotes."},
        {.key = "parameters.*.range",
         .type = DIP_OPTION_FLOATS,
         .help = "Least and greatest value."},
        {.key = "parameters.*.scale",
         .type = DIP_OPTION_ENUM,
         .fallback = "linear",
         .choices = "linear|log",
         .help = "Of a range: uniform in the value, or in its logarithm."},
        {.key = "parameters.*.integer",
         .type = DIP_OPTION_BOOL,
         .fallback = "false",
         .help = "Of a range: whole numbers, both ends among them."},
    };
    *count = DIP_ARRAY_LEN(options);
    return options;
}

/* ---- parameters ---- */

/* Adds a fault at the parameter's own key, if it was set. */
#define FAULT(s, p, which, ...)                                                \
    dip_config_fault((s)->config, KEY("parameters.%s.%s", (p)->name, which),   \
                     __VA_ARGS__)

static bool has(const dip_sweep_settings *s, const dip_sweep_parameter *p,
                const char *name)
{
    return dip_config_has(s->config, KEY("parameters.%s.%s", p->name, name));
}

static void check_choices(dip_sweep_settings *s, const dip_sweep_parameter *p)
{
    if (p->choice_count == 0)
        FAULT(s, p, "choices", "'parameters.%s.choices' is empty", p->name);
    if (has(s, p, "range") || has(s, p, "scale") || has(s, p, "integer"))
        FAULT(s, p, "choices",
              "'parameters.%s' has choices, and takes no range, scale or "
              "integer",
              p->name);
    for (size_t i = 0; i < p->choice_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(p->choices[i], p->choices[j]) == 0)
                FAULT(s, p, "choices", "'parameters.%s.choices' has '%s' twice",
                      p->name, p->choices[i]);
        }
    }
}

static void read_range(dip_sweep_settings *s, dip_sweep_parameter *p)
{
    const double *ends;
    size_t n = dip_config_floats(&ends, s->config,
                                 KEY("parameters.%s.range", p->name));
    p->log =
        dip_config_choice(s->config, KEY("parameters.%s.scale", p->name)) == 1;
    p->integer =
        dip_config_bool(s->config, KEY("parameters.%s.integer", p->name));
    if (n != 2 || ends[0] >= ends[1]) {
        FAULT(s, p, "range",
              "'parameters.%s.range' must be two numbers, the lower one first",
              p->name);
        return;
    }
    p->low = ends[0];
    p->high = ends[1];
    if (p->log && p->low <= 0)
        FAULT(s, p, "range",
              "'parameters.%s.range' must be above 0 for a log scale", p->name);
    if (p->integer && (p->low != rint(p->low) || p->high != rint(p->high) ||
                       fabs(p->low) > MOST_EXACT || p->high > MOST_EXACT))
        FAULT(s, p, "range", "'parameters.%s.range' must be whole numbers",
              p->name);
    if (s->search == DIP_SWEEP_GRID)
        FAULT(s, p, "range", "'parameters.%s': a grid is made of choices",
              p->name);
}

/* Its values have a column among those of the results. */
static void check_title(dip_sweep_settings *s, const dip_sweep_parameter *p)
{
    static const char *const taken[] = {"trial",  "epochs", "rung",   "seconds",
                                        "status", "run",    "message"};
    for (size_t i = 0; i < DIP_ARRAY_LEN(taken); i++) {
        if (strcmp(p->name, taken[i]) == 0)
            FAULT(s, p, "key",
                  "'parameters.%s': the results have a column '%s' already",
                  p->name, p->name);
    }
}

/* Keys that the sweep itself sets, or that make runs incomparable. */
static void check_key(dip_sweep_settings *s, size_t index)
{
    static const char *const taken[] = {"name", "train.metric", "task"};
    const dip_sweep_parameter *p = &s->parameters[index];
    bool ours = strcmp(p->key, "train.epochs") == 0 &&
                (s->search == DIP_SWEEP_ASHA ||
                 dip_config_has(s->config, "max_epochs"));
    for (size_t i = 0; i < DIP_ARRAY_LEN(taken); i++)
        ours = ours || strcmp(p->key, taken[i]) == 0;
    if (ours)
        FAULT(s, p, "key", "'parameters.%s': '%s' is the same in all runs",
              p->name, p->key);
    for (size_t i = 0; i < index; i++) {
        if (strcmp(p->key, s->parameters[i].key) == 0)
            FAULT(s, p, "key",
                  "'parameters.%s' has the key '%s', as 'parameters.%s' has",
                  p->name, p->key, s->parameters[i].name);
    }
}

static void read_parameter(dip_sweep_settings *s, size_t index)
{
    dip_sweep_parameter *p = &s->parameters[index];
    p->name = dip_config_child(s->config, "parameters", index);
    p->key = dip_config_string(s->config, KEY("parameters.%s.key", p->name));
    if (p->key == NULL)
        p->key = p->name;
    p->choice_count = dip_config_strings(&p->choices, s->config,
                                         KEY("parameters.%s.choices", p->name));
    check_title(s, p);
    check_key(s, index);
    if (has(s, p, "choices"))
        check_choices(s, p);
    else if (has(s, p, "range"))
        read_range(s, p);
    else
        FAULT(s, p, "choices", "'parameters.%s' has neither choices nor range",
              p->name);
}

static dip_status read_parameters(dip_sweep_settings *s, dip_err *err)
{
    size_t count = dip_config_child_count(s->config, "parameters");
    s->parameters = dip_calloc(count, sizeof *s->parameters);
    if (s->parameters == NULL)
        return dip_no_memory(err);
    s->space = (dip_sweep_space){s->parameters, count,
                                 (uint64_t)dip_config_int(s->config, "seed")};
    if (count == 0)
        dip_config_fault(s->config, "parameters", "'parameters' has none");
    for (size_t i = 0; i < count; i++)
        read_parameter(s, i);
    return DIP_OK;
}

static void read_trials(dip_sweep_settings *s)
{
    size_t points = dip_sweep_space_size(&s->space);
    bool set = dip_config_has(s->config, "trials");
    s->trials = dip_config_int(s->config, "trials");
    if (s->search == DIP_SWEEP_GRID) {
        if (set)
            dip_config_fault(s->config, "trials",
                             "'trials': a grid has those that it has");
        else if (points > MOST_TRIALS)
            dip_config_fault(s->config, "parameters",
                             "a grid of more than %d trials", MOST_TRIALS);
        s->trials = (int64_t)points;
    } else if (!set) {
        dip_config_fault(s->config, "trials", "missing key 'trials'");
    } else if ((size_t)s->trials > points) {
        dip_config_fault(s->config, "trials",
                         "'trials' is %lld, but there are %zu points",
                         (long long)s->trials, points);
    }
}

static void read_rungs(dip_sweep_settings *s)
{
    static const char *const of_asha[] = {"min_epochs", "eta"};
    s->min_epochs = dip_config_int(s->config, "min_epochs");
    s->eta = dip_config_int(s->config, "eta");
    for (size_t i = 0; i < DIP_ARRAY_LEN(of_asha); i++) {
        if (s->search != DIP_SWEEP_ASHA &&
            dip_config_has(s->config, of_asha[i]))
            dip_config_fault(s->config, of_asha[i], "'%s' is of asha alone",
                             of_asha[i]);
    }
}

/* ---- the runs' config ---- */

/* What all runs have: the sweep's overrides, then our own. */
typedef struct {
    const char **items;
    size_t count;
} overrides;

static dip_status list_overrides(overrides *out, const dip_sweep_settings *s,
                                 dip_err *err)
{
    const char *const *given;
    size_t n = dip_config_strings(&given, s->config, "overrides");
    *out = (overrides){
        dip_calloc(n + DIP_ARRAY_LEN(s->set) + 1, sizeof *out->items), 0};
    if (out->items == NULL)
        return dip_no_memory(err);
    for (size_t i = 0; i < n; i++)
        out->items[out->count++] = given[i];
    for (size_t i = 0; i < DIP_ARRAY_LEN(s->set); i++) {
        if (s->set[i] != NULL)
            out->items[out->count++] = s->set[i];
    }
    return DIP_OK;
}

/* Appends the lines, with `place` where they say "command line". */
static void add_faults(dip_str *out, const char *lines, const char *place)
{
    static const char ours[] = "command line: ";
    while (*lines != '\0') {
        size_t n = strcspn(lines, "\n");
        bool moved = strncmp(lines, ours, sizeof ours - 1) == 0;
        size_t skip = moved ? sizeof ours - 1 : 0;
        dip_str_addf(out, "%s%s%.*s\n", moved ? place : "", moved ? ": " : "",
                     (int)(n - skip), lines + skip);
        lines += n + (lines[n] == '\n');
    }
}

static dip_status load_run(dip_sweep_settings *s, dip_str *faults, dip_err *err)
{
    overrides list;
    dip_str words = {0};
    dip_settings_free(s->run);
    s->run = NULL;
    dip_status st = list_overrides(&list, s, err);
    if (st == DIP_OK)
        st = dip_settings_load(&s->run, s->base, list.items, list.count, &words,
                               err);
    add_faults(faults, dip_str_text(&words),
               dip_config_place(s->config, "overrides"));
    dip_str_free(&words);
    free(list.items);
    return st;
}

/* The processors are shared out where the runs' config leaves them open: a
 * training that goes on must have the threads that it began with. */
static dip_status share_processors(dip_sweep_settings *s, dip_str *faults,
                                   dip_err *err)
{
    int64_t each = dip_run_processors() / s->workers;
    if (s->run->threads > 0)
        return DIP_OK;
    if (asprintf(&s->set[2], "train.threads=%lld",
                 (long long)(each > 0 ? each : 1)) < 0)
        return dip_no_memory(err);
    return load_run(s, faults, err);
}

static dip_status check_metric(dip_sweep_settings *s, dip_str *faults,
                               dip_err *err)
{
    dip_err fault = {0};
    dip_status st = dip_evaluation_check_metric(
        s->metric, sizeof s->metric, &s->higher_is_better, s->run, &fault);
    if (st == DIP_OK)
        return st;
    const char *key = s->set[0] != NULL ? "metric" : "overrides";
    add_faults(faults, fault.msg, dip_config_place(s->config, key));
    return dip_fail(err, st, "%s", fault.msg);
}

/* A rung must not end before there is a figure. */
static void check_first_rung(dip_sweep_settings *s, int64_t pretraining_epochs)
{
    if (s->search == DIP_SWEEP_ASHA && s->min_epochs <= pretraining_epochs)
        dip_config_fault(s->config, "min_epochs",
                         "'min_epochs' is %lld, within a run's "
                         "pretraining.epochs %lld, behind which there is the "
                         "first figure",
                         (long long)s->min_epochs,
                         (long long)pretraining_epochs);
}

/* The runs' config with what all runs have. */
static dip_status read_run(dip_sweep_settings *s, dip_str *faults, dip_err *err)
{
    const char *metric = dip_config_string(s->config, "metric");
    s->max_epochs = dip_config_int(s->config, "max_epochs");
    bool failed =
        (metric != NULL &&
         asprintf(&s->set[0], "train.metric=%s", metric) < 0) ||
        (s->max_epochs > 0 && asprintf(&s->set[1], "train.epochs=%lld",
                                       (long long)s->max_epochs) < 0);
    dip_status st = failed ? dip_no_memory(err) : load_run(s, faults, err);
    if (st == DIP_OK)
        st = share_processors(s, faults, err);
    if (st == DIP_OK)
        st = check_metric(s, faults, err);
    if (st != DIP_OK)
        return st;
    s->max_epochs = s->run->epochs;
    if (s->search == DIP_SWEEP_ASHA && s->min_epochs > s->max_epochs)
        dip_config_fault(s->config, "min_epochs",
                         "'min_epochs' is %lld, above the %lld epochs of a run",
                         (long long)s->min_epochs, (long long)s->max_epochs);
    check_first_rung(s, s->run->pretraining_epochs);
    return DIP_OK;
}

/* ---- whether the runs' config takes the values ---- */

typedef struct {
    dip_sweep_settings *settings;
    const dip_option *table;
    size_t rows;
    overrides list; /* with room for one more */
} value_check;

/* False, with a fault at `place`, when the config does not take the value for
 * itself; what it means beside others shows when it is trained. */
static bool check_value(const value_check *c, const dip_sweep_parameter *p,
                        const char *place, const char *value)
{
    dip_config *config;
    dip_str text = {0}, words = {0};
    dip_str_addf(&text, "%s=%s", p->key, value);
    c->list.items[c->list.count] = dip_str_text(&text);
    dip_status st =
        dip_config_load(&config, c->table, c->rows, c->settings->base,
                        c->list.items, c->list.count + 1, NULL);
    if (config != NULL)
        add_faults(&words, dip_config_faults(config), "");
    if (st != DIP_OK) {
        const char *line = dip_str_text(&words);
        line += strncmp(line, ": ", 2) == 0 ? 2 : 0;
        FAULT(c->settings, p, place, "%.*s", (int)strcspn(line, "\n"), line);
    }
    if (st == DIP_OK && strcmp(p->key, "pretraining.epochs") == 0)
        check_first_rung(c->settings, dip_config_int(config, p->key));
    dip_config_free(config);
    dip_str_free(&words);
    dip_str_free(&text);
    return st == DIP_OK;
}

/* Both ends, and a value between them that is whole in no range. */
static void check_range_values(const value_check *c,
                               const dip_sweep_parameter *p)
{
    char text[40];
    double inside = p->low + (3 - sqrt(5)) / 2 * (p->high - p->low);
    double values[] = {p->low, p->high, inside};
    size_t n = p->integer ? 2 : 3;
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(text, sizeof text, p->integer ? "%.0f" : "%.17g",
                       values[i]);
        if (!check_value(c, p, "range", text))
            return;
    }
}

static dip_status check_values(dip_sweep_settings *s, dip_err *err)
{
    value_check c = {.settings = s};
    dip_option *table = dip_options_of_task(&c.rows, s->run->task);
    c.table = table;
    dip_status st =
        table != NULL ? list_overrides(&c.list, s, err) : dip_no_memory(err);
    for (size_t i = 0; i < s->space.count && st == DIP_OK; i++) {
        const dip_sweep_parameter *p = &s->parameters[i];
        bool right = true;
        for (size_t j = 0; j < p->choice_count && right; j++)
            right = check_value(&c, p, "choices", p->choices[j]);
        if (p->choice_count == 0)
            check_range_values(&c, p);
    }
    free(c.list.items);
    free(table);
    return st;
}

/* ---- all ---- */

/* The folder is named after it. */
static void check_name(dip_sweep_settings *s)
{
    if (s->name[0] == '\0' || strchr(s->name, '/') != NULL ||
        strcmp(s->name, ".") == 0 || strcmp(s->name, "..") == 0)
        dip_config_fault(s->config, "name", "'name' cannot be '%s'", s->name);
}

static dip_status find_base(dip_sweep_settings *s, const char *path,
                            dip_err *err)
{
    char *folder = dip_path_dir(path);
    if (folder != NULL)
        s->base = dip_path_join(folder, dip_config_string(s->config, "config"));
    free(folder);
    return s->base != NULL ? DIP_OK : dip_no_memory(err);
}

static dip_status read_all(dip_sweep_settings *s, const char *path,
                           dip_str *faults, dip_err *err)
{
    const dip_config *c = s->config;
    s->name = dip_config_string(c, "name");
    s->search = (dip_sweep_search)dip_config_choice(c, "search");
    s->search_name = dip_config_string(c, "search");
    s->workers = dip_config_int(c, "workers");
    check_name(s);
    read_rungs(s);
    dip_status st = read_parameters(s, err);
    if (st == DIP_OK)
        st = dip_config_status(c, err);
    if (st == DIP_OK) {
        read_trials(s); /* of parameters that are right */
        st = find_base(s, path, err);
    }
    if (st == DIP_OK)
        st = read_run(s, faults, err);
    if (st == DIP_OK)
        st = check_values(s, err);
    return st == DIP_OK ? dip_config_status(c, err) : st;
}

dip_status dip_sweep_settings_load(dip_sweep_settings **out, const char *path,
                                   const char *const *given, size_t count,
                                   dip_str *faults, dip_err *err)
{
    size_t rows;
    const dip_option *table = dip_sweep_options(&rows);
    dip_sweep_settings *s = dip_calloc(1, sizeof *s);
    *out = s;
    if (s == NULL)
        return dip_no_memory(err);
    dip_str more = {0}; /* of the runs' config, after those of the sweep's */
    dip_status st =
        dip_config_load(&s->config, table, rows, path, given, count, err);
    if (st == DIP_OK)
        st = read_all(s, path, &more, err);
    if (st != DIP_OK && s->config != NULL)
        dip_str_add(faults, dip_config_faults(s->config));
    dip_str_add(faults, dip_str_text(&more));
    dip_str_free(&more);
    return st;
}

void dip_sweep_settings_free(dip_sweep_settings *settings)
{
    if (settings == NULL)
        return;
    for (size_t i = 0; i < DIP_ARRAY_LEN(settings->set); i++)
        free(settings->set[i]);
    dip_settings_free(settings->run);
    dip_config_free(settings->config);
    free(settings->parameters);
    free(settings->base);
    free(settings);
}
