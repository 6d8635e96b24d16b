/* Which runs may be compared, and all of their comparison. */
#include "report/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "report/compare_parts.h"
#include "report/put.h"

/* ---- what may be compared ------------------------------------------------ */

/* Definitions of metrics that a config may choose. */
static dip_status check_protocol(const dip_compared_run *a,
                                 const dip_compared_run *b, dip_err *err)
{
    static const char *const keys[] = {"ties", "gain", "count_empty",
                                       "rbp_persistence"};
    const json_t *x = json_object_get(a->report, "protocol");
    const json_t *y = json_object_get(b->report, "protocol");
    for (size_t k = 0; k < DIP_ARRAY_LEN(keys); k++) {
        const json_t *p = json_object_get(x, keys[k]);
        const json_t *q = json_object_get(y, keys[k]);
        if (p != q && (p == NULL || q == NULL || !json_equal(p, q)))
            return dip_fail(err, DIP_EDATA,
                            "'%s' and '%s' were evaluated with different "
                            "eval.%s",
                            a->path, b->path, keys[k]);
    }
    return DIP_OK;
}

static dip_status check_runs(const dip_compared_run *runs, size_t count,
                             dip_err *err)
{
    const dip_compared_run *first = &runs[0];
    if (count < 2)
        return dip_fail(err, DIP_EDATA, "one run alone is nothing to compare");
    for (size_t r = 0; r < count; r++) {
        if (dip_compared_config(&runs[r]) == NULL)
            return dip_fail(err, DIP_EDATA,
                            "the report of '%s' does not say its config: "
                            "evaluate it anew",
                            runs[r].path);
        if (dip_compared_is_lists(first) != dip_compared_is_lists(&runs[r]))
            return dip_fail(
                err, DIP_EDATA,
                "of '%s' and '%s' one is a report of rankings alone: `eval "
                "--trec` and `eval --run` make one of the other, too",
                first->path, runs[r].path);
        if (strcmp(dip_compared_text(first, "data", "split"),
                   dip_compared_text(&runs[r], "data", "split")) != 0)
            return dip_fail(
                err, DIP_EDATA, "'%s' was evaluated on split %s, '%s' on %s",
                first->path, dip_compared_text(first, "data", "split"),
                runs[r].path, dip_compared_text(&runs[r], "data", "split"));
        for (size_t i = 0; i < r; i++) {
            if (strcmp(runs[i].path, runs[r].path) == 0)
                return dip_fail(err, DIP_EDATA, "run '%s' is given twice",
                                runs[r].path);
        }
        dip_status st = check_protocol(first, &runs[r], err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

static dip_status lacks_task(const dip_compared_run *without,
                             const dip_compared_run *with, const char *task,
                             dip_err *err)
{
    return dip_fail(err, DIP_EDATA,
                    "'%s' has no task '%s', which '%s' has (--metric TASK.NAME "
                    "chooses)",
                    without->path, task, with->path);
}

static const char *digest_of(const dip_compared_run *run, const char *task,
                             const char *key)
{
    const char *digest =
        json_string_value(json_object_get(dip_compared_part(run, task), key));
    return digest != NULL ? digest : "";
}

/* Equal digests are believed only of as many queries: rows are then paired by
 * their numbers. */
static bool agree(const dip_compared_run *a, const dip_compared_run *b,
                  const char *task, const char *digest)
{
    return strcmp(digest_of(a, task, digest), digest_of(b, task, digest)) ==
               0 &&
           dip_outcome_set_find(&a->outcomes, task)->count ==
               dip_outcome_set_find(&b->outcomes, task)->count;
}

/* err and rbp depend on the best grade. */
static bool same_scale(const dip_compared_run *a, const dip_compared_run *b,
                       const char *task)
{
    const json_t *x = json_object_get(dip_compared_part(a, task), "max_grade");
    const json_t *y = json_object_get(dip_compared_part(b, task), "max_grade");
    return x == y || (x != NULL && y != NULL && json_equal(x, y));
}

/* Sets *same unless queries or galleries differ, which is refused without the
 * option. */
static dip_status check_task(bool *same, const char *task,
                             const dip_compared_run *runs, size_t count,
                             const dip_compare_options *options, dip_err *err)
{
    static const struct {
        const char *key, *words;
    } digests[] = {{"queries_sha256", "queries, or what is relevant to them,"},
                   {"gallery_sha256", "galleries"}};
    *same = true;
    for (size_t r = 1; r < count; r++) {
        if (dip_outcome_set_find(&runs[r].outcomes, task) == NULL)
            return lacks_task(&runs[r], &runs[0], task, err);
        if (!same_scale(&runs[0], &runs[r], task))
            return dip_fail(err, DIP_EDATA,
                            "task '%s': '%s' and '%s' take different grades "
                            "for the best (eval.max_grade)",
                            task, runs[0].path, runs[r].path);
        for (size_t d = 0; d < DIP_ARRAY_LEN(digests); d++) {
            if (agree(&runs[0], &runs[r], task, digests[d].key))
                continue;
            if (!options->different_galleries)
                return dip_fail(err, DIP_EDATA,
                                "task '%s': %s of '%s' and '%s' differ "
                                "(--different-galleries compares the queries "
                                "that all have)",
                                task, digests[d].words, runs[0].path,
                                runs[r].path);
            *same = false;
        }
    }
    return DIP_OK;
}

/* ---- metrics ------------------------------------------------------------- */

enum { HEADLINE = 4 };

/* The metrics of one task; `text` holds the names that are made here. */
typedef struct {
    const char **names;
    size_t count;
    dip_metric_name text[HEADLINE];
} choice;

/* "@k" with the least or the highest cutoff of the task's metrics. */
static int cutoff_of(const dip_outcomes *o, bool highest)
{
    int found = 0;
    for (int m = 0; m < o->metrics; m++) {
        int k;
        if (sscanf(o->names[m], "hit@%d", &k) == 1 &&
            (found == 0 || (highest ? k > found : k < found)))
            found = k;
    }
    return found;
}

static void choose_headline(choice *c, const dip_outcomes *o)
{
    int least = cutoff_of(o, false), highest = cutoff_of(o, true);
    (void)snprintf(c->text[0], sizeof c->text[0], "mrr");
    (void)snprintf(c->text[1], sizeof c->text[1], "hit@%d", least);
    (void)snprintf(c->text[2], sizeof c->text[2], "hit@%d", highest);
    (void)snprintf(c->text[3], sizeof c->text[3], "ndcg@%d", highest);
    for (size_t i = 0; i < HEADLINE; i++) {
        bool repeated = i == 2 && least == highest;
        if (dip_outcomes_values(o, c->text[i]) != NULL && !repeated)
            c->names[c->count++] = c->text[i];
    }
}

/* Rows of a label rather than queries. */
static bool is_label(const dip_outcomes *o)
{
    return dip_outcomes_values(o, "mrr") == NULL &&
           dip_outcomes_values(o, "accuracy") != NULL;
}

/* "text_to_image.mrr" is of that task alone, "mrr" of any. NULL: not of this
 * one. */
static const char *metric_of(const char *wanted, const char *task)
{
    size_t length = strlen(task);
    if (strncmp(wanted, task, length) == 0 && wanted[length] == '.')
        return wanted + length + 1;
    return strchr(wanted, '.') == NULL ? wanted : NULL;
}

static bool is_chosen(const choice *c, const char *name)
{
    size_t i = 0;
    while (i < c->count && strcmp(c->names[i], name) != 0)
        i++;
    return i < c->count;
}

static dip_status choose(choice *c, const dip_outcomes *o,
                         const dip_compare_options *options, dip_err *err)
{
    *c = (choice){.names = dip_calloc(options->metric_count + HEADLINE,
                                      sizeof *c->names)};
    if (c->names == NULL)
        return dip_no_memory(err);
    if (options->metric_count == 0 && is_label(o))
        c->names[c->count++] = "accuracy";
    else if (options->metric_count == 0)
        choose_headline(c, o);
    for (size_t i = 0; i < options->metric_count; i++) {
        const char *name = metric_of(options->metrics[i], o->task);
        if (name != NULL && dip_outcomes_values(o, name) != NULL &&
            !is_chosen(c, name))
            c->names[c->count++] = name;
    }
    return DIP_OK;
}

/* The names of all tasks' metrics, each once. */
static void list_metrics(dip_str *out, const dip_outcome_set *tasks)
{
    for (int t = 0; t < tasks->count; t++) {
        for (int m = 0; m < tasks->items[t].metrics; m++) {
            const char *name = tasks->items[t].names[m];
            int before = 0;
            while (before < t &&
                   dip_outcomes_values(&tasks->items[before], name) == NULL)
                before++;
            if (before == t)
                dip_str_addf(out, " %s", name);
        }
    }
}

/* Each metric that is asked for must be one of some task. */
static dip_status check_metrics(const dip_outcome_set *tasks,
                                const dip_compare_options *options,
                                dip_err *err)
{
    for (size_t i = 0; i < options->metric_count; i++) {
        bool known = false;
        for (int t = 0; t < tasks->count; t++) {
            const char *name =
                metric_of(options->metrics[i], tasks->items[t].task);
            known = known || (name != NULL &&
                              dip_outcomes_values(&tasks->items[t], name));
        }
        if (known)
            continue;
        dip_str all = {0};
        list_metrics(&all, tasks);
        dip_status st =
            dip_fail(err, DIP_ENOTFOUND, "unknown metric '%s'; there are:%s",
                     options->metrics[i], dip_str_text(&all));
        dip_str_free(&all);
        return st;
    }
    return DIP_OK;
}

/* A cutoff that one run lacks, say. */
static dip_status check_have(const choice *c, const char *task,
                             const dip_compared_run *runs, size_t count,
                             dip_err *err)
{
    for (size_t r = 0; r < count; r++) {
        const dip_outcomes *o = dip_outcome_set_find(&runs[r].outcomes, task);
        for (size_t m = 0; m < c->count; m++) {
            if (dip_outcomes_values(o, c->names[m]) == NULL)
                return dip_fail(err, DIP_EDATA,
                                "'%s' has no metric '%s' of task '%s'",
                                runs[r].path, c->names[m], task);
        }
    }
    return DIP_OK;
}

/* ---- rows ---------------------------------------------------------------- */

static dip_status add_note(json_t *out, const char *note, dip_err *err)
{
    return json_array_append_new(json_object_get(out, "notes"),
                                 json_string(note)) == 0
               ? DIP_OK
               : dip_no_memory(err);
}

/* Labels are compared by themselves only where all runs tell them. */
static bool left_out(const dip_outcomes *o, const dip_compared_run *runs,
                     size_t count, const dip_compare_options *options)
{
    bool everywhere = true;
    for (size_t r = 0; r < count; r++)
        everywhere = everywhere &&
                     dip_outcome_set_find(&runs[r].outcomes, o->task) != NULL;
    return options->metric_count == 0 && is_label(o) && !everywhere;
}

static dip_status note_left_out(json_t *out, const dip_outcomes *o,
                                dip_err *err)
{
    dip_str note = {0};
    dip_str_addf(&note,
                 "The label %s is told by some of the runs only, and "
                 "left out.",
                 o->task);
    dip_status st = dip_str_status(&note, err);
    if (st == DIP_OK)
        st = add_note(out, note.data, err);
    dip_str_free(&note);
    return st;
}

static dip_status compare_one(json_t *out, const dip_outcomes *o,
                              const dip_compared_run *runs, size_t count,
                              const dip_sides *sides,
                              const dip_compare_options *options, dip_err *err)
{
    choice c;
    bool same = true;
    if (left_out(o, runs, count, options))
        return note_left_out(out, o, err);
    dip_status st = choose(&c, o, options, err);
    if (st == DIP_OK && c.count > 0)
        st = check_task(&same, o->task, runs, count, options, err);
    if (st == DIP_OK && c.count > 0)
        st = check_have(&c, o->task, runs, count, err);
    if (st == DIP_OK && !same)
        st = add_note(out,
                      "Queries or galleries differ: only queries that all runs "
                      "have are compared, each in its own gallery.",
                      err);
    if (st == DIP_OK && c.count > 0)
        st = dip_compare_task(json_object_get(out, "rows"),
                              json_object_get(out, "changed"), o->task, c.names,
                              c.count, sides, same, options, err);
    free(c.names);
    return st;
}

/* What one run has and the first one lacks. */
static dip_status check_more(json_t *out, const dip_outcomes *o,
                             const dip_compared_run *run,
                             const dip_compared_run *runs, size_t count,
                             const dip_compare_options *options, dip_err *err)
{
    choice c;
    if (o->count == 0 ||
        dip_outcome_set_find(&runs[0].outcomes, o->task) != NULL)
        return DIP_OK;
    if (left_out(o, runs, count, options))
        return note_left_out(out, o, err);
    dip_status st = choose(&c, o, options, err);
    if (st == DIP_OK && c.count > 0)
        st = lacks_task(&runs[0], run, o->task, err);
    free(c.names);
    return st;
}

/* Whether the first run lacks a task of which something is to be compared. */
static dip_status check_first(json_t *out, const dip_compared_run *runs,
                              size_t count, const dip_compare_options *options,
                              dip_err *err)
{
    dip_status st = DIP_OK;
    for (size_t r = 1; r < count; r++) {
        for (int t = 0; t < runs[r].outcomes.count && st == DIP_OK; t++)
            st = check_more(out, &runs[r].outcomes.items[t], &runs[r], runs,
                            count, options, err);
    }
    return st;
}

static dip_status compare_tasks(json_t *out, const dip_compared_run *runs,
                                size_t count, const dip_sides *sides,
                                const dip_compare_options *options,
                                dip_err *err)
{
    const dip_outcome_set *tasks = &runs[0].outcomes;
    dip_status st = check_metrics(tasks, options, err);
    if (st == DIP_OK)
        st = check_first(out, runs, count, options, err);
    for (int t = 0; t < 2 * tasks->count && st == DIP_OK; t++) {
        const dip_outcomes *o = &tasks->items[t % tasks->count];
        bool label_turn = t >= tasks->count; /* after the tasks */
        if (o->count > 0 && is_label(o) == label_turn)
            st = compare_one(out, o, runs, count, sides, options, err);
    }
    if (st == DIP_OK && json_array_size(json_object_get(out, "rows")) == 0)
        st = dip_fail(err, DIP_EDATA, "'%s' has no query to compare",
                      runs[0].path);
    return st;
}

/* ---- several comparisons ------------------------------------------------- */

/* The differences of all rows; the caller frees *out. */
static dip_status list_differences(json_t ***out, int64_t *count,
                                   const json_t *rows, dip_err *err)
{
    size_t i, s, capacity = 0;
    json_t *row, *d;
    *out = NULL;
    *count = 0;
    json_array_foreach (rows, i, row) {
        const json_t *all = json_object_get(row, "differences");
        json_array_foreach (all, s, d) {
            if (!json_is_object(d))
                continue;
            dip_status st = dip_reserve(out, &capacity, (size_t)*count + 1,
                                        sizeof **out, err);
            if (st != DIP_OK)
                return st;
            (*out)[(*count)++] = d;
        }
    }
    return DIP_OK;
}

/* Puts "p_holm" and "verdict" into each. */
static dip_status adjust(json_t *rows, double level, dip_err *err)
{
    json_t **all;
    int64_t n;
    dip_status st = list_differences(&all, &n, rows, err);
    double *p = dip_calloc((size_t)n, sizeof *p);
    if (st == DIP_OK && p == NULL)
        st = dip_no_memory(err);
    for (int64_t i = 0; i < n && st == DIP_OK; i++)
        p[i] = json_number_value(json_object_get(all[i], "p"));
    if (st == DIP_OK)
        st = dip_holm_adjust(p, p, n, err);
    for (int64_t i = 0; i < n && st == DIP_OK; i++) {
        double d = json_number_value(json_object_get(all[i], "difference"));
        const char *verdict = p[i] > 1 - level ? "unclear"
                              : d > 0          ? "better"
                                               : "worse";
        int faults = json_object_set_new(all[i], "p_holm", dip_json_real(p[i]));
        faults |= json_object_set_new(all[i], "verdict", json_string(verdict));
        st = faults == 0 ? DIP_OK : dip_no_memory(err);
    }
    free(p);
    free(all);
    return st;
}

/* ---- what the sides are -------------------------------------------------- */

static json_t *describe_runs(const dip_side *side)
{
    json_t *runs = json_array();
    for (size_t r = 0; r < side->count; r++) {
        const dip_compared_run *run = side->runs[r];
        (void)json_array_append_new(
            runs, json_pack("{s:o, s:s, s:s, s:I}", "path",
                            dip_report_name(run->path), "name",
                            dip_compared_text(run, "run", "name"), "checkpoint",
                            dip_compared_text(run, "run", "checkpoint"), "seed",
                            dip_compared_seed(run)));
    }
    return runs;
}

/* Means over the side's runs; null where one does not say. */
static json_t *describe_cost(const dip_side *side)
{
    static const char *const keys[] = {
        "parameters",         "seconds",    "cpu_seconds", "threads",
        "samples_per_second", "peak_bytes", "step"};
    json_t *cost = json_object();
    for (size_t k = 0; k < DIP_ARRAY_LEN(keys); k++) {
        double sum = 0;
        for (size_t r = 0; r < side->count; r++) {
            const json_t *value = json_object_get(
                json_object_get(side->runs[r]->report, "run"), keys[k]);
            sum += json_is_number(value) ? json_number_value(value) : NAN;
        }
        (void)json_object_set_new(cost, keys[k],
                                  dip_json_real(sum / (double)side->count));
    }
    return cost;
}

static json_t *describe_sides(const dip_sides *sides)
{
    json_t *out = json_array();
    for (size_t s = 0; s < sides->count; s++) {
        const dip_side *side = &sides->items[s];
        (void)json_array_append_new(
            out, json_pack("{s:o, s:b, s:o, s:o}", "name",
                           dip_report_name(side->name), "baseline",
                           (int)(s == sides->baseline), "runs",
                           describe_runs(side), "cost", describe_cost(side)));
    }
    return out;
}

/* {"key", "values"} of one key, unless all sides agree in it. */
static void describe_key(json_t *out, const char *key, const dip_sides *sides)
{
    bool differs = false;
    json_t *values = json_array();
    const json_t *first =
        json_object_get(dip_compared_config(sides->items[0].runs[0]), key);
    for (size_t s = 0; s < sides->count; s++) {
        json_t *value =
            json_object_get(dip_compared_config(sides->items[s].runs[0]), key);
        differs = differs || (value == NULL) != (first == NULL) ||
                  (value != NULL && !json_equal(value, first));
        (void)(value != NULL ? json_array_append(values, value)
                             : json_array_append_new(values, json_null()));
    }
    if (differs)
        (void)json_array_append_new(
            out, json_pack("{s:s, s:O}", "key", key, "values", values));
    json_decref(values);
}

/* The keys in which the sides differ, in the order of the configs. */
static json_t *describe_configs(const dip_sides *sides)
{
    json_t *out = json_array(), *seen = json_object();
    for (size_t s = 0; s < sides->count; s++) {
        const char *key;
        json_t *value;
        json_object_foreach (
            (json_t *)dip_compared_config(sides->items[s].runs[0]), key,
            value) {
            if (dip_compared_may_differ(key) ||
                json_object_get(seen, key) != NULL)
                continue;
            (void)json_object_set(seen, key, json_true());
            describe_key(out, key, sides);
        }
    }
    json_decref(seen);
    return out;
}

static dip_status add_notes(json_t *out, const dip_compared_run *runs,
                            size_t count, const dip_sides *sides, dip_err *err)
{
    dip_status st = DIP_OK;
    bool digests = true, single = false;
    for (size_t r = 1; r < count; r++)
        digests = digests &&
                  strcmp(dip_compared_text(&runs[0], "data", "digest"),
                         dip_compared_text(&runs[r], "data", "digest")) == 0;
    for (size_t s = 0; s < sides->count; s++)
        single =
            single ||
            (s != sides->baseline &&
             sides->items[s].count + sides->items[sides->baseline].count == 2);
    if (!digests)
        st = add_note(out,
                      "The catalogs differ; the ids of queries and galleries "
                      "are equal where nothing else is said.",
                      err);
    if (st == DIP_OK && single)
        st = add_note(out,
                      "One run a side: p tells these two models apart, not "
                      "their configs. Another seed may turn it round; give "
                      "several runs of each config.",
                      err);
    return st;
}

/* A note that stands twice, of two tasks, is said once. */
static void drop_repeated(json_t *notes)
{
    for (size_t i = json_array_size(notes); i-- > 1;) {
        for (size_t j = 0; j < i; j++) {
            if (json_equal(json_array_get(notes, i),
                           json_array_get(notes, j))) {
                (void)json_array_remove(notes, i);
                break;
            }
        }
    }
}

dip_status dip_compare(json_t **out, const dip_compared_run *runs, size_t count,
                       const dip_compare_options *options, dip_err *err)
{
    dip_sides sides = {0};
    *out = NULL;
    dip_status st = check_runs(runs, count, err);
    if (st == DIP_OK)
        st = dip_sides_make(&sides, runs, count, options, err);
    if (st == DIP_OK) {
        *out = json_pack(
            "{s:s, s:s, s:s, s:{s:f, s:I, s:I}, s:o, s:[], s:[], s:o, s:[]}",
            "schema", DIP_COMPARE_SCHEMA, "split",
            dip_compared_text(&runs[0], "data", "split"), "data",
            dip_compared_text(&runs[0], "data", "path"), "settings", "level",
            options->stats.level, "resamples",
            (json_int_t)options->stats.resamples, "seed",
            (json_int_t)options->stats.seed, "sides", describe_sides(&sides),
            "rows", "changed", "config", describe_configs(&sides), "notes");
        st = *out != NULL
                 ? compare_tasks(*out, runs, count, &sides, options, err)
                 : dip_no_memory(err);
    }
    if (st == DIP_OK)
        st = adjust(json_object_get(*out, "rows"), options->stats.level, err);
    if (st == DIP_OK)
        st = add_notes(*out, runs, count, &sides, err);
    if (st == DIP_OK)
        drop_repeated(json_object_get(*out, "notes"));
    dip_sides_free(&sides);
    if (st != DIP_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return st;
}
