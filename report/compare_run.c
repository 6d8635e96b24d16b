/* Reading an evaluated run. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "report/check.h"
#include "report/compare_parts.h"
#include "report/report.h"

#define REPORT_LIMIT ((size_t)256 << 20)
/* Reports have 9 significant digits. */
#define MEAN_TOLERANCE 1e-7

void dip_compared_run_free(dip_compared_run *run)
{
    free(run->path);
    json_decref(run->report);
    dip_outcome_set_free(&run->outcomes);
    *run = (dip_compared_run){0};
}

/* Why there is no report to read. */
static dip_status no_report(const char *path, const char *report, dip_err *err)
{
    if (dip_path_has_suffix(path, ".json"))
        return dip_fail(err, DIP_ENOTFOUND, "no report '%s'", report);
    if (!dip_file_is_directory(path))
        return dip_fail(err, DIP_ENOTFOUND, "no run directory '%s'", path);
    char *config = dip_path_join(path, "config.yaml");
    bool is_run = config != NULL && dip_file_exists(config);
    free(config);
    if (!is_run)
        return dip_fail(err, DIP_ENOTFOUND,
                        "'%s' is no run directory: it has no config.yaml",
                        path);
    return dip_fail(err, DIP_ENOTFOUND,
                    "run '%s' was not evaluated: `diptych eval %s` does it",
                    path, path);
}

static dip_status read_report(dip_compared_run *run, const char *report,
                              dip_err *err)
{
    if (!dip_file_exists(report))
        return no_report(run->path, report, err);
    dip_status st = dip_json_load(&run->report, report, REPORT_LIMIT, err);
    if (st != DIP_OK)
        return st;
    st = dip_report_check(run->report, err);
    if (st != DIP_OK)
        (void)dip_fail_context(err, "'%s'", report);
    return st;
}

/* "X.json" gives "X.queries.h5". */
static dip_status read_outcomes(dip_compared_run *run, const char *report,
                                dip_err *err)
{
    dip_str path = {0};
    dip_str_add_n(&path, report, strlen(report) - strlen(".json"));
    dip_str_add(&path, DIP_REPORT_QUERIES_SUFFIX);
    dip_status st = dip_str_status(&path, err);
    if (st == DIP_OK && !dip_file_exists(path.data))
        st = dip_fail(err, DIP_ENOTFOUND,
                      "no '%s' beside the report: evaluate '%s' anew",
                      dip_path_base(path.data), run->path);
    if (st == DIP_OK)
        st = dip_outcome_set_read(&run->outcomes, path.data, err);
    dip_str_free(&path);
    return st;
}

static double mean(const double *values, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += values[i];
    return sum / (double)n;
}

bool dip_compared_is_lists(const dip_compared_run *run)
{
    return run->outcomes.count == 1 &&
           strcmp(run->outcomes.items[0].task, DIP_REPORT_RANKINGS) == 0 &&
           json_object_get(json_object_get(run->report, "run"), "checkpoint") ==
               NULL;
}

/* Of the label whose name ends before ".kind" in `task`. */
static const json_t *part_of_kind(const dip_compared_run *run, const char *kind,
                                  const char *task)
{
    const char *label;
    json_t *part;
    size_t length = strlen(task), end = strlen(kind) + 1;
    if (length <= end || task[length - end] != '.' ||
        strcmp(task + length - end + 1, kind) != 0)
        return NULL;
    json_object_foreach (json_object_get(run->report, kind), label, part) {
        if (strlen(label) == length - end &&
            strncmp(label, task, length - end) == 0)
            return part;
    }
    return NULL;
}

const json_t *dip_compared_part(const dip_compared_run *run, const char *task)
{
    static const char *const plain[] = {"retrieval", "classification"};
    static const char *const kinds[] = {"zero_shot", "knn", "linear_probe"};
    const json_t *part = NULL;
    for (size_t k = 0; k < DIP_ARRAY_LEN(plain) && part == NULL; k++)
        part = json_object_get(json_object_get(run->report, plain[k]), task);
    for (size_t k = 0; k < DIP_ARRAY_LEN(kinds) && part == NULL; k++)
        part = part_of_kind(run, kinds[k], task);
    return part;
}

/* One of the two files may be older than the other. */
static dip_status check_means(const dip_compared_run *run,
                              const dip_outcomes *o, dip_err *err)
{
    const json_t *task = dip_compared_part(run, o->task);
    bool same = task != NULL;
    for (int m = 0; m < o->metrics && o->count > 0 && same; m++) {
        const json_t *value = json_object_get(task, o->names[m]);
        double gap =
            mean(o->values + m * o->count, o->count) - json_number_value(value);
        same = json_is_number(value) && fabs(gap) <= MEAN_TOLERANCE;
    }
    if (same)
        return DIP_OK;
    return dip_fail(err, DIP_EDATA,
                    "report and queries of '%s' are not of one evaluation: "
                    "evaluate it anew",
                    run->path);
}

/* What makes another system of a run without being in its config is told as a
 * key of it: an option of `eval`, and the data. */
static dip_status note_others(dip_compared_run *run, dip_err *err)
{
    json_t *part = json_object_get(run->report, "run");
    json_t *config = json_object_get(part, "config");
    json_t *dim = json_object_get(part, "dim");
    json_t *digest =
        json_object_get(json_object_get(run->report, "data"), "digest");
    int faults = 0;
    if (config != NULL && dim != NULL &&
        !json_equal(dim, json_object_get(part, "embed_dim")))
        faults |= json_object_set_new(
            config, "eval --dim",
            json_sprintf("%" JSON_INTEGER_FORMAT, json_integer_value(dim)));
    if (config != NULL && digest != NULL)
        faults |= json_object_set(config, "digest of the data", digest);
    return faults == 0 ? DIP_OK : dip_no_memory(err);
}

/* A report of rankings made elsewhere: its task is named by the run's tag, and
 * here as that of all such reports; the tag and the file are what it has for a
 * config. */
static dip_status take_lists(dip_compared_run *run, dip_err *err)
{
    json_t *part = json_object_get(run->report, "run");
    json_t *tasks = json_object_get(run->report, "retrieval");
    void *only = json_object_iter(tasks);
    json_t *task = json_incref(json_object_iter_value(only));
    if (json_object_size(tasks) != 1) {
        json_decref(task);
        return dip_fail(err, DIP_EDATA,
                        "report and queries of '%s' are not of one "
                        "evaluation: evaluate it anew",
                        run->path);
    }
    int faults = json_object_clear(tasks);
    faults |= json_object_set_new(tasks, DIP_REPORT_RANKINGS, task);
    faults |= json_object_set_new(
        part, "config",
        json_pack("{s:O, s:O}", "tag", json_object_get(part, "name"),
                  "rankings", json_object_get(part, "dir")));
    return faults == 0 ? DIP_OK : dip_no_memory(err);
}

dip_status dip_compared_run_load(dip_compared_run *out, const char *path,
                                 dip_err *err)
{
    *out = (dip_compared_run){.path = dip_strdup(path)};
    char *report = dip_path_has_suffix(path, ".json")
                       ? dip_strdup(path)
                       : dip_path_join(path, "report.json");
    dip_status st = out->path != NULL && report != NULL
                        ? read_report(out, report, err)
                        : dip_no_memory(err);
    if (st == DIP_OK)
        st = read_outcomes(out, report, err);
    if (st == DIP_OK && dip_compared_is_lists(out))
        st = take_lists(out, err);
    if (st == DIP_OK)
        st = note_others(out, err);
    for (int i = 0; i < out->outcomes.count && st == DIP_OK; i++)
        st = check_means(out, &out->outcomes.items[i], err);
    free(report);
    return st;
}
