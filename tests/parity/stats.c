/* The statistics of eval/ on cases of JSON, one a line, for the checks against
 * other implementations: each line of standard input is answered by one line.
 *
 *   {"a": […], "b": […], "groups": […], "resamples", "seed"}
 *       sign_flip, t, df, t_p, interval [low, high] of the mean difference
 *   {"p": […]}
 *       holm […]
 *   {"runs_a": [[…], …], "runs_b": [[…], …], "groups", "resamples", "seed"}
 *       p, interval; and of a alone: mean, deviation, summary [low, high]
 *
 * "groups" may be absent. A failure is {"error": message}. Numbers that do not
 * exist are null; "inf" and "nan" may stand for values. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "eval/seeds.h"
#include "eval/stats.h"

/* ---- in ---- */

static double number(const json_t *value)
{
    const char *word = json_string_value(value);
    if (word != NULL)
        return strcmp(word, "nan") == 0 ? (double)NAN : (double)INFINITY;
    return json_number_value(value);
}

static double *numbers(const json_t *array)
{
    size_t n = json_array_size(array);
    double *out = dip_calloc(n, sizeof *out);
    for (size_t i = 0; i < n && out != NULL; i++)
        out[i] = number(json_array_get(array, i));
    return out;
}

static int64_t *integers(const json_t *array)
{
    size_t n = json_array_size(array);
    int64_t *out = array != NULL ? dip_calloc(n, sizeof *out) : NULL;
    for (size_t i = 0; i < n && out != NULL; i++)
        out[i] = (int64_t)json_integer_value(json_array_get(array, i));
    return out;
}

static dip_stats_options options_of(const json_t *in)
{
    dip_stats_options options = dip_stats_defaults();
    if (json_object_get(in, "resamples") != NULL)
        options.resamples =
            (int64_t)json_integer_value(json_object_get(in, "resamples"));
    options.seed = (uint64_t)json_integer_value(json_object_get(in, "seed"));
    return options;
}

/* ---- out: all digits, which dip_json_dump() would cut ---- */

static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *pair(const dip_interval *interval)
{
    return json_pack("[o, o]", real(interval->low), real(interval->high));
}

/* ---- cases ---- */

static dip_status compare_two(json_t *out, const json_t *in, dip_err *err)
{
    dip_stats_options options = options_of(in);
    int64_t n = (int64_t)json_array_size(json_object_get(in, "a"));
    double *a = numbers(json_object_get(in, "a"));
    double *b = numbers(json_object_get(in, "b")), p;
    int64_t *groups = integers(json_object_get(in, "groups"));
    dip_t_test t;
    dip_interval interval;
    dip_status st = dip_sign_flip_test(&p, a, b, groups, n, &options, err);
    if (st == DIP_OK)
        st = dip_bootstrap_paired(&interval, a, b, groups, n, &options, err);
    if (st == DIP_OK)
        st = dip_paired_t_test(&t, a, b, groups, n, err);
    if (st == DIP_OK) {
        (void)json_object_set_new(out, "sign_flip", real(p));
        (void)json_object_set_new(out, "t", real(t.t));
        (void)json_object_set_new(out, "df", json_integer(t.df));
        (void)json_object_set_new(out, "t_p", real(t.p));
        (void)json_object_set_new(out, "interval", pair(&interval));
    }
    free(groups);
    free(b);
    free(a);
    return st;
}

static dip_status adjust(json_t *out, const json_t *in, dip_err *err)
{
    int64_t n = (int64_t)json_array_size(json_object_get(in, "p"));
    double *p = numbers(json_object_get(in, "p"));
    json_t *adjusted = json_array();
    dip_status st = dip_holm_adjust(p, p, n, err);
    for (int64_t i = 0; i < n && st == DIP_OK; i++)
        (void)json_array_append_new(adjusted, real(p[i]));
    (void)json_object_set_new(out, "holm", adjusted);
    free(p);
    return st;
}

/* [runs, n] behind each other; the caller frees it. */
static double *runs_of(dip_runs *out, int64_t *n, const json_t *arrays)
{
    *out = (dip_runs){.runs = (int64_t)json_array_size(arrays)};
    *n = (int64_t)json_array_size(json_array_get(arrays, 0));
    double *values = dip_calloc((size_t)(out->runs * *n), sizeof *values);
    for (int64_t r = 0; r < out->runs && values != NULL; r++) {
        for (int64_t i = 0; i < *n; i++)
            values[r * *n + i] = number(
                json_array_get(json_array_get(arrays, (size_t)r), (size_t)i));
    }
    out->values = values;
    return values;
}

static dip_status compare_runs(json_t *out, const json_t *in, dip_err *err)
{
    dip_stats_options options = options_of(in);
    int64_t n;
    dip_runs a, b;
    double *values_a = runs_of(&a, &n, json_object_get(in, "runs_a"));
    double *values_b = runs_of(&b, &n, json_object_get(in, "runs_b"));
    int64_t *groups = integers(json_object_get(in, "groups"));
    dip_runs_difference d;
    dip_runs_summary s;
    dip_status st = dip_runs_compare(&d, &a, &b, groups, n, &options, err);
    if (st == DIP_OK)
        st = dip_runs_summarise(&s, &a, groups, n, &options, err);
    if (st == DIP_OK) {
        (void)json_object_set_new(out, "p", real(d.p));
        (void)json_object_set_new(out, "interval", pair(&d.interval));
        (void)json_object_set_new(out, "mean", real(s.interval.mean));
        (void)json_object_set_new(out, "deviation", real(s.deviation));
        (void)json_object_set_new(out, "summary", pair(&s.interval));
    }
    free(groups);
    free(values_b);
    free(values_a);
    return st;
}

static void answer(const char *line)
{
    dip_err err = {0};
    json_t *in = NULL, *out = json_object();
    dip_status st =
        dip_json_parse(&in, line, strlen(line), "standard input", &err);
    if (st == DIP_OK && json_object_get(in, "runs_a") != NULL)
        st = compare_runs(out, in, &err);
    else if (st == DIP_OK && json_object_get(in, "p") != NULL)
        st = adjust(out, in, &err);
    else if (st == DIP_OK)
        st = compare_two(out, in, &err);
    if (st != DIP_OK)
        (void)json_object_set_new(out, "error", json_string(err.msg));
    (void)json_dumpf(out, stdout, JSON_COMPACT | JSON_REAL_PRECISION(17));
    (void)putchar('\n');
    json_decref(in);
    json_decref(out);
}

int main(void)
{
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0)
        answer(line);
    free(line);
    return 0;
}
