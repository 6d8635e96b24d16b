/* Which runs may be compared, what makes a side, and the figures, which are
 * those of docs/metrics.md and of scipy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "report/compare.h"

enum { N = 10, RUNS = 6 };

static const double better[N] = {1, .5, .333333, 1, 0, .25, 1, .2, .5, 1};
static const double base[N] = {.5, .5, .25, 1, 0, .2, 1, .1, .333333, .5};

/* A run of task "t" with the values as its mrr and hit@1. */
static void make_run(dip_compared_run *out, const char *path, int seed,
                     const char *lr, const double *values)
{
    double mean = 0;
    *out = (dip_compared_run){.path = dip_strdup(path)};
    out->outcomes.items = dip_calloc(1, sizeof *out->outcomes.items);
    out->outcomes.count = 1;
    dip_outcomes *o = out->outcomes.items;
    assert_int_equal(dip_outcomes_alloc(o, "t", N, 2, 0, NULL), DIP_OK);
    (void)snprintf(o->names[0], sizeof o->names[0], "mrr");
    (void)snprintf(o->names[1], sizeof o->names[1], "hit@1");
    for (int i = 0; i < N; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "q%d", i);
        dip_bytes text = {id, strlen(id)};
        assert_int_equal(dip_text_column_put(&o->ids, i, text, NULL), DIP_OK);
        assert_int_equal(dip_text_column_put(&o->texts, i, text, NULL), DIP_OK);
        o->row[i] = o->group[i] = i;
        o->values[i] = values[i];
        o->values[N + i] = values[i] == 1;
        o->rank[i] = 1 / values[i];
        mean += values[i] / N;
    }
    out->report = json_pack(
        "{s:s, s:{s:s, s:i, s:{s:s, s:i}}, s:{s:s}, s:{s:{s:s, s:s, s:f}}}",
        "schema", "diptych-report/1", "run", "name", path, "seed", seed,
        "config", "train.lr", lr, "train.threads", seed, "data", "split",
        "test", "retrieval", "t", "queries_sha256", "q", "gallery_sha256", "g",
        "mrr", mean);
    assert_non_null(out->report);
}

static void free_runs(dip_compared_run *runs, size_t count)
{
    for (size_t r = 0; r < count; r++)
        dip_compared_run_free(&runs[r]);
}

static void make_two(dip_compared_run runs[2])
{
    make_run(&runs[0], "base", 0, ".1", base);
    make_run(&runs[1], "better", 0, ".2", better);
}

static dip_compare_options options(void)
{
    return (dip_compare_options){.changed = 2, .stats = dip_stats_defaults()};
}

static const json_t *row_of(const json_t *comparison, size_t row)
{
    return json_array_get(json_object_get(comparison, "rows"), row);
}

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static const char *word(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void assert_close(double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance))
        fail_msg("got %.9g, not %.9g", got, expected);
}

/* ---- figures ---- */

static void test_compare_one_run_a_side(void **state)
{
    (void)state;
    dip_compared_run runs[2];
    json_t *c;
    dip_compare_options o = options();
    make_two(runs);
    assert_int_equal(dip_compare(&c, runs, 2, &o, NULL), DIP_OK);
    const json_t *row = row_of(c, 0);
    const json_t *d = json_array_get(json_object_get(row, "differences"), 1);
    assert_string_equal(word(row, "metric"), "mrr");
    assert_close(number(d, "p_sign_flip"), 32. / 1024, 1e-12);
    assert_close(number(d, "p"), 32. / 1024, 1e-12);
    assert_close(number(d, "p_t"), .051751, 5e-7);
    assert_close(number(d, "difference"), .14, 1e-6);
    assert_int_equal(number(d, "win"), 6);
    assert_int_equal(number(d, "tie"), 4);
    assert_int_equal(number(d, "loss"), 0);
    assert_true(json_is_null(json_object_get(d, "p_seeds")));
    /* hit@1: 4 of 10 against 2; p is .5. Holm doubles the first. */
    assert_close(number(d, "p_holm"), 2 * 32. / 1024, 1e-12);
    assert_string_equal(word(d, "verdict"), "unclear");
    assert_true(
        json_is_null(json_array_get(json_object_get(row, "differences"), 0)));
    assert_non_null(strstr(
        json_string_value(json_array_get(json_object_get(c, "notes"), 0)),
        "One run a side"));
    json_decref(c);
    free_runs(runs, 2);
}

static void test_compare_shows_what_changed_most(void **state)
{
    (void)state;
    dip_compared_run runs[2];
    json_t *c;
    dip_compare_options o = options();
    o.baseline = "better";
    make_two(runs);
    assert_int_equal(dip_compare(&c, runs, 2, &o, NULL), DIP_OK);
    const json_t *changed = json_array_get(json_object_get(c, "changed"), 0);
    assert_int_equal(number(changed, "side"), 0);
    assert_int_equal(json_array_size(json_object_get(changed, "improved")), 0);
    const json_t *worse = json_object_get(changed, "worsened");
    assert_int_equal(json_array_size(worse), 2);
    /* .5 lost by queries 0 and 9, of which the later stands behind. */
    assert_string_equal(word(json_array_get(worse, 0), "id"), "q9");
    assert_string_equal(word(json_array_get(worse, 1), "id"), "q0");
    assert_close(number(json_array_get(worse, 1), "rank"), 2, 1e-12);
    assert_close(number(json_array_get(worse, 1), "rank_baseline"), 1, 1e-12);
    const json_t *key = json_array_get(json_object_get(c, "config"), 0);
    assert_string_equal(word(key, "key"), "train.lr");
    assert_int_equal(json_array_size(json_object_get(c, "config")), 1);
    json_decref(c);
    free_runs(runs, 2);
}

/* Runs of equal queries: Student's t test of the means, of scipy 1.17.1. */
static void test_compare_several_seeds_are_one_side(void **state)
{
    (void)state;
    static const double means[RUNS] = {.50, .52, .49, .55, .58, .54};
    static const char *const names[RUNS] = {"a-0", "a-1", "a-2",
                                            "b-0", "b-1", "b-2"};
    dip_compared_run runs[RUNS];
    json_t *c;
    dip_compare_options o = options();
    for (int r = 0; r < RUNS; r++) {
        double values[N];
        for (int i = 0; i < N; i++)
            values[i] = means[r];
        make_run(&runs[r], names[r], r % 3, r < 3 ? ".1" : ".2", values);
    }
    assert_int_equal(dip_compare(&c, runs, RUNS, &o, NULL), DIP_OK);
    const json_t *sides = json_object_get(c, "sides");
    assert_int_equal(json_array_size(sides), 2);
    assert_string_equal(word(json_array_get(sides, 1), "name"), "b");
    const json_t *row = row_of(c, 0);
    const json_t *d = json_array_get(json_object_get(row, "differences"), 1);
    assert_close(number(d, "p"), .0232151580, 5 * sqrt(.0232 / 10000));
    assert_close(number(d, "p_sign_flip"), 2. / 1024, 1e-12);
    const json_t *a = json_array_get(json_object_get(row, "sides"), 0);
    assert_close(number(a, "mean"), .503333333, 1e-9);
    assert_close(number(a, "deviation"), .0152752523, 1e-9);
    assert_int_equal(json_array_size(json_object_get(a, "runs")), 3);
    json_decref(c);
    o.each = true;
    assert_int_equal(dip_compare(&c, runs, RUNS, &o, NULL), DIP_OK);
    assert_int_equal(json_array_size(json_object_get(c, "sides")), RUNS);
    json_decref(c);
    free_runs(runs, RUNS);
}

/* What the names of two seeds have in common, to their number. */
static void test_compare_names_a_side_by_its_runs(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b, *side;
    } names[] = {
        {"vit-b32-0", "vit-b32-1", "vit-b32"},
        {"vit-2", "vit-10", "vit"},
        {"vit-10", "vit-11", "vit"},
        {"vit-1", "vit-12", "vit"},
        {"\u00e9-0", "\u00e8-0", "\u00e9-0.json"}, /* one byte in common */
        {"same", "same", "same"},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(names); i++) {
        dip_compared_run runs[2];
        json_t *c;
        dip_compare_options o = options();
        const char *const name[2] = {names[i].a, names[i].b};
        for (int r = 0; r < 2; r++) {
            char path[32];
            (void)snprintf(path, sizeof path, "%s%s.json", name[r],
                           r > 0 ? "'" : "");
            make_run(&runs[r], path, r, ".1", base);
            (void)json_object_set_new(json_object_get(runs[r].report, "run"),
                                      "name", json_string(name[r]));
        }
        assert_int_equal(dip_compare(&c, runs, 2, &o, NULL), DIP_OK);
        const json_t *sides = json_object_get(c, "sides");
        assert_int_equal(json_array_size(sides), 1);
        assert_string_equal(word(json_array_get(sides, 0), "name"),
                            names[i].side);
        json_decref(c);
        free_runs(runs, 2);
    }
}

/* A folder's name is any bytes; the JSON holds text. */
static void test_compare_takes_paths_that_are_no_text(void **state)
{
    (void)state;
    dip_compared_run runs[2];
    json_t *c;
    dip_compare_options o = options();
    make_two(runs);
    free(runs[1].path);
    runs[1].path = dip_strdup("b\xff");
    (void)json_object_set_new(json_object_get(runs[1].report, "run"), "name",
                              json_string(""));
    assert_int_equal(dip_compare(&c, runs, 2, &o, NULL), DIP_OK);
    const json_t *side = json_array_get(json_object_get(c, "sides"), 1);
    const json_t *run = json_array_get(json_object_get(side, "runs"), 0);
    assert_string_equal(word(side, "name"), "b\xef\xbf\xbd");
    assert_string_equal(word(run, "path"), "b\xef\xbf\xbd");
    json_decref(c);
    free_runs(runs, 2);
}

/* ---- refusals ---- */

static void set_digest(dip_compared_run *run, const char *key)
{
    json_t *task =
        json_object_get(json_object_get(run->report, "retrieval"), "t");
    (void)json_object_set_new(task, key, json_string("other"));
}

static void other_gallery(dip_compared_run *run)
{
    set_digest(run, "gallery_sha256");
}

static void other_queries(dip_compared_run *run)
{
    set_digest(run, "queries_sha256");
}

static void other_split(dip_compared_run *run)
{
    (void)json_object_set_new(json_object_get(run->report, "data"), "split",
                              json_string("val"));
}

/* Digests may be of another file than the queries. */
static void fewer_queries(dip_compared_run *run)
{
    run->outcomes.items[0].count = 3;
}

static void no_task(dip_compared_run *run)
{
    dip_outcome_set_free(&run->outcomes);
}

static void one_more_task(dip_compared_run *run)
{
    dip_outcomes *items = dip_calloc(2, sizeof *items);
    items[0] = run->outcomes.items[0];
    free(run->outcomes.items);
    run->outcomes = (dip_outcome_set){items, 2};
    assert_int_equal(dip_outcomes_alloc(&items[1], "u", 1, 1, 0, NULL), DIP_OK);
    (void)snprintf(items[1].names[0], sizeof items[1].names[0], "mrr");
}

static void other_metric(dip_compared_run *run)
{
    run->outcomes.items[0].names[1][4] = '3';
}

static void other_scale(dip_compared_run *run)
{
    json_t *task =
        json_object_get(json_object_get(run->report, "retrieval"), "t");
    (void)json_object_set_new(task, "max_grade", json_real(3));
}

static void other_protocol(dip_compared_run *run)
{
    (void)json_object_set_new(run->report, "protocol",
                              json_pack("{s:s}", "ties", "optimistic"));
}

static void no_config(dip_compared_run *run)
{
    (void)json_object_del(json_object_get(run->report, "run"), "config");
}

static void same_config(dip_compared_run *run)
{
    json_t *config =
        json_object_get(json_object_get(run->report, "run"), "config");
    (void)json_object_set_new(config, "train.lr", json_string(".1"));
}

static void same_path(dip_compared_run *run)
{
    (void)memcpy(run->path, "base", sizeof "base");
}

static const struct {
    void (*change)(dip_compared_run *run);
    const char *message;
} refusals[] = {
    {other_gallery, "task 't': galleries of 'base' and 'better' differ "
                    "(--different-galleries compares the queries that all "
                    "have)"},
    {other_queries, "task 't': queries, or what is relevant to them, of 'base' "
                    "and 'better' differ (--different-galleries compares the "
                    "queries that all have)"},
    {fewer_queries, "task 't': queries, or what is relevant to them, of 'base' "
                    "and 'better' differ (--different-galleries compares the "
                    "queries that all have)"},
    {one_more_task, "'base' has no task 'u', which 'better' has (--metric "
                    "TASK.NAME chooses)"},
    {other_split, "'base' was evaluated on split test, 'better' on val"},
    {no_task, "'better' has no task 't', which 'base' has (--metric "
              "TASK.NAME chooses)"},
    {other_scale, "task 't': 'base' and 'better' take different grades for "
                  "the best (eval.max_grade)"},
    {other_protocol,
     "'base' and 'better' were evaluated with different eval.ties"},
    {other_metric, "'better' has no metric 'hit@1' of task 't'"},
    {no_config, "the report of 'better' does not say its config: evaluate it "
                "anew"},
    {same_config, "'base' and 'better' have one config and one seed: they are "
                  "no two samples of it (--each takes each run by itself)"},
    {same_path, "run 'base' is given twice"},
};

static void test_compare_refuses_what_is_not_alike(void **state)
{
    (void)state;
    for (size_t i = 0; i < DIP_ARRAY_LEN(refusals); i++) {
        dip_compared_run runs[2];
        dip_err err = {0};
        json_t *c;
        dip_compare_options o = options();
        make_two(runs);
        refusals[i].change(&runs[1]);
        assert_int_equal(dip_compare(&c, runs, 2, &o, &err), DIP_EDATA);
        assert_string_equal(err.msg, refusals[i].message);
        assert_null(c);
        free_runs(runs, 2);
    }
}

/* Told so, it pairs the queries by their ids: those of the second run stand in
 * another order, and one of them is another. */
static void test_compare_pairs_queries_by_their_ids(void **state)
{
    (void)state;
    double turned[N];
    for (int i = 0; i < N; i++)
        turned[i] = base[N - 1 - i];
    dip_compared_run runs[2];
    json_t *c;
    dip_compare_options o = options();
    make_run(&runs[0], "base", 0, ".1", base);
    make_run(&runs[1], "turned", 0, ".2", turned);
    dip_outcomes *t = &runs[1].outcomes.items[0];
    for (int i = 0; i < N; i++) /* "q0" to "q9" the other way round */
        t->ids.bytes[2 * i + 1] = (char)('9' - i);
    t->ids.bytes[1] = 'x';
    other_queries(&runs[1]);
    o.different_galleries = true;
    assert_int_equal(dip_compare(&c, runs, 2, &o, NULL), DIP_OK);
    const json_t *row = row_of(c, 0);
    const json_t *d = json_array_get(json_object_get(row, "differences"), 1);
    assert_int_equal(number(row, "queries"), N - 1);
    assert_int_equal(number(d, "tie"), N - 1);
    assert_close(number(d, "p"), 1, 0);
    json_decref(c);
    free_runs(runs, 2);
}

static void test_compare_metrics_are_chosen_by_name(void **state)
{
    (void)state;
    dip_compared_run runs[2];
    json_t *c;
    dip_err err = {0};
    dip_compare_options o = options();
    const char *const metrics[] = {"t.hit@1", "hit@1", "wrong"};
    make_two(runs);
    o.metrics = metrics;
    o.metric_count = 2; /* named twice, it is compared once */
    assert_int_equal(dip_compare(&c, runs, 2, &o, NULL), DIP_OK);
    assert_int_equal(json_array_size(json_object_get(c, "rows")), 1);
    assert_string_equal(word(row_of(c, 0), "metric"), "hit@1");
    json_decref(c);
    o.metric_count = 3;
    assert_int_equal(dip_compare(&c, runs, 2, &o, &err), DIP_ENOTFOUND);
    assert_string_equal(err.msg,
                        "unknown metric 'wrong'; there are: mrr hit@1");
    free_runs(runs, 2);
}

/* ---- languages ---- */

static void test_compare_is_written_in_each_language(void **state)
{
    (void)state;
    dip_compared_run runs[2];
    json_t *c;
    dip_compare_options o = options();
    make_run(&runs[0], "a_b", 0, ".1", base);
    make_run(&runs[1], "x,|y", 0, ".2", better);
    assert_int_equal(dip_compare(&c, runs, 2, &o, NULL), DIP_OK);
    dip_str text = {0}, markdown = {0}, csv = {0}, latex = {0};
    assert_int_equal(dip_compare_text(&text, c, 80, NULL), DIP_OK);
    assert_int_equal(dip_compare_markdown(&markdown, c, NULL), DIP_OK);
    assert_int_equal(dip_compare_csv(&csv, c, NULL), DIP_OK);
    assert_int_equal(dip_compare_latex(&latex, c, NULL), DIP_OK);
    assert_non_null(strstr(
        text.data, "metric    base    here     gain      low     high  Holm p  "
                   "win/tie/loss  verdict\n"));
    assert_non_null(strstr(markdown.data,
                           "| mrr | 0.4383 | 0.5783 | +0.1400 | +0.0367 | "));
    assert_non_null(strstr(markdown.data, "## t: x,\\|y against a_b\n"));
    assert_non_null(strstr(csv.data, "\nt,mrr,\"x,|y\",1,10,0.578333"));
    assert_non_null(strstr(csv.data, ",0.03125,0.0625,unclear\n"));
    assert_non_null(strstr(latex.data, "% t: x,\\textbar{}y against a\\_b\n"));
    assert_non_null(strstr(latex.data, "mrr & 0.4383 & 0.5783 & +0.1400"));
    json_decref(c);
    o.baseline = "x,|y"; /* losses have a minus, not a hyphen */
    assert_int_equal(dip_compare(&c, runs, 2, &o, NULL), DIP_OK);
    dip_str_clear(&latex);
    assert_int_equal(dip_compare_latex(&latex, c, NULL), DIP_OK);
    assert_non_null(strstr(latex.data, "0.5783 & 0.4383 & $-$0.1400 & $-$0."));
    dip_str_free(&latex);
    dip_str_free(&csv);
    dip_str_free(&markdown);
    dip_str_free(&text);
    json_decref(c);
    free_runs(runs, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare_one_run_a_side),
        cmocka_unit_test(test_compare_shows_what_changed_most),
        cmocka_unit_test(test_compare_several_seeds_are_one_side),
        cmocka_unit_test(test_compare_names_a_side_by_its_runs),
        cmocka_unit_test(test_compare_takes_paths_that_are_no_text),
        cmocka_unit_test(test_compare_refuses_what_is_not_alike),
        cmocka_unit_test(test_compare_pairs_queries_by_their_ids),
        cmocka_unit_test(test_compare_metrics_are_chosen_by_name),
        cmocka_unit_test(test_compare_is_written_in_each_language),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
