#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "report/compare.h"
#include "report/html.h"
#include "report/html_text.h"
#include "report/plot.h"
#include "report/report.h"

#define HOSTILE "<script>alert(1)</script>]]>\"'&amp;--><!--\xe2\x80\xae"

/* ---- is it HTML at all? -------------------------------------------------- */

static bool is_void(const char *name, size_t n)
{
    static const char *const names[] = {"meta", "link", "img"};
    for (size_t i = 0; i < DIP_ARRAY_LEN(names); i++) {
        if (strlen(names[i]) == n && strncmp(names[i], name, n) == 0)
            return true;
    }
    return false;
}

/* Where the tag that begins at `at` ends: at its '>' outside of quotes. */
static const char *end_of_tag(const char *at)
{
    bool quoted = false;
    for (; *at != '\0'; at++) {
        if (*at == '"')
            quoted = !quoted;
        assert_true(*at != '<' || !quoted);
        if (*at == '>' && !quoted)
            return at;
    }
    fail_msg("a tag does not end");
    return NULL;
}

#define DEEPEST 64

/* Every element is closed in its place. */
static void assert_balanced(const char *page)
{
    struct {
        const char *name;
        size_t n;
    } open[DEEPEST];
    size_t depth = 0;
    const char *at = strstr(page, "<html");
    assert_non_null(at);
    for (at = strchr(at, '<'); at != NULL; at = strchr(at, '<')) {
        bool closing = at[1] == '/';
        const char *name = at + 1 + closing;
        size_t n = 0;
        while (isalnum((unsigned char)name[n]))
            n++;
        assert_true(n > 0);
        const char *end = end_of_tag(name);
        if (closing) {
            assert_true(depth > 0);
            depth--;
            if (open[depth].n != n || strncmp(open[depth].name, name, n) != 0)
                fail_msg("</%.*s> closes <%.*s>", (int)n, name,
                         (int)open[depth].n, open[depth].name);
        } else if (end[-1] != '/' && !is_void(name, n)) {
            assert_true(depth < DEEPEST);
            open[depth].name = name;
            open[depth++].n = n;
        }
        at = end;
    }
    assert_int_equal(depth, 0);
}

/* Nothing is fetched, nothing runs. */
static void assert_self_contained(const char *page)
{
    static const char *const forbidden[] = {
        "<script", "http:",   "https:", "url(",    "@import",    "<iframe",
        "<object", "src=\"/", "onload", "onerror", "javascript:"};
    for (size_t i = 0; i < DIP_ARRAY_LEN(forbidden); i++) {
        if (strstr(page, forbidden[i]) != NULL)
            fail_msg("'%s' stands in the page", forbidden[i]);
    }
}

/* ---- a report with everything, and foreign text wherever there is any ---- */

static json_t *numbers(size_t n, double first, double step)
{
    json_t *out = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(out, json_real(first + step * (double)i));
    return out;
}

static json_t *interval(void)
{
    return json_pack("{s:f, s:f, s:f}", "mean", .5, "low", .4, "high", .6);
}

static json_t *product(int row, bool right)
{
    return json_pack("{s:i, s:s, s:s, s:f, s:b}", "row", row, "id", HOSTILE,
                     "title", HOSTILE, "score", .25, "right", right);
}

static json_t *examples(void)
{
    return json_pack(
        "{s:[{s:s, s:f, s:i, s:[o, o], s:o}], s:[{s:n, s:o, s:n, s:[o]}]}",
        "worst", "query", HOSTILE, "rank", 214., "relevant", 3, "found",
        product(1, false), product(2, true), "wanted", product(3, true),
        "sample", "query", "photo", product(4, true), "rank", "found",
        product(5, true));
}

static json_t *task(void)
{
    return json_pack(
        "{s:i, s:i, s:i, s:f, s:f, s:{s:o}, s:{s:[i,i,i], s:o, s:o}, "
        "s:{s:i, s:f, s:f, s:o, s:o}, s:{s:{s:f, s:{s:o}}}, "
        "s:{s:{s:f, s:{s:o}}}, s:o, "
        "s:{s:[{s:s, s:i, s:{s:o}}]}}",
        "queries", 1234567, "skipped", 0, "gallery", 9, "hit@1", .5, "mrr", .5,
        "interval", "hit@1", interval(), "curve", "k", 1, 10, 100, "hit",
        numbers(3, .5, .2), "recall", numbers(3, .4, .2), "scores", "queries",
        9, "from", -.5, "width", .25, "matches", numbers(4, 0, 2), "others",
        numbers(4, 8, -2), "alone", HOSTILE, "hit@1", .3, "gain", "hit@1",
        interval(), "permuted", HOSTILE, "hit@1", .2, "gain", "hit@1",
        interval(), "examples", examples(), "slices", HOSTILE, "name", HOSTILE,
        "evaluated", 12, "interval", "mrr", interval());
}

static json_t *label(void)
{
    return json_pack(
        "{s:i, s:f, s:f, s:[{s:s, s:i, s:f, s:f, s:f}], "
        "s:{s:[s, s, s], s:[[i,i,i],[i,i,i],[i,i,i]]}, "
        "s:[{s:s, s:s, s:i}], s:{s:o, s:o, s:[i,i,i,i]}}",
        "rows", 20, "accuracy", .5, "f1_macro", .25, "per_class", "name",
        HOSTILE, "support", 12, "f1", .5, "precision", .5, "recall", .5,
        "confusion", "classes", HOSTILE, "b", "(others)", "counts", 9, 2, 1, 0,
        4, 0, 0, 0, 4, "confused", "label", HOSTILE, "predicted", HOSTILE,
        "count", 2, "calibration", "confidence", numbers(4, .2, .2), "accuracy",
        numbers(4, .1, .2), "rows", 5, 5, 5, 5);
}

/* A label that was told from frozen embeddings. */
static json_t *probed(const char *key, int value)
{
    json_t *out = label();
    assert_int_equal(json_object_set_new(out, key, json_integer(value)), 0);
    assert_int_equal(json_object_set_new(out, "train_rows", json_integer(900)),
                     0);
    return out;
}

static json_t *whole_report(void)
{
    return json_pack(
        "{s:s, s:{s:s, s:s, s:i}, s:{s:s, s:s, s:i}, "
        "s:{s:{s:o, s:o}, s:{s:{s:s, s:o, s:o}}}, s:{s:o}, s:{s:o}, s:{s:o}, "
        "s:{s:o}, s:{s:o, s:{s:s}}, s:{s:s, s:f, s:f, s:{s:o, s:o}}}",
        "schema", DIP_REPORT_SCHEMA, "run", "name", HOSTILE, "checkpoint",
        HOSTILE, "step", 3, "data", "path", HOSTILE, "split", HOSTILE, "rows",
        7, "training", "loss", "step", numbers(5, 1, 1), "value",
        numbers(5, 9, -1), "validation", HOSTILE, "metric", "mrr", "step",
        numbers(2, 1, 4), "value", numbers(2, .1, .3), "retrieval", HOSTILE,
        task(), "classification", HOSTILE, label(), "zero_shot", HOSTILE,
        label(), "knn", HOSTILE, probed("k", 20), "linear_probe", HOSTILE,
        probed("c", 2), "b", "skipped", HOSTILE, "matching", "task", HOSTILE,
        "auc", .9, "threshold", .3, "curve", "recall", numbers(5, 0, .2),
        "precision", numbers(5, 1, -.1));
}

static json_t *changed_query(void)
{
    return json_pack("{s:i, s:s, s:s, s:f, s:f, s:f, s:f}", "row", 1, "id",
                     HOSTILE, "text", HOSTILE, "baseline", .5, "value", 1.,
                     "rank_baseline", 2., "rank", 1.);
}

static json_t *comparison(void)
{
    return json_pack(
        "{s:s, s:s, s:[{s:s, s:b, s:[{}], s:{s:i}}, {s:s, s:b, s:[{}, {}]}], "
        "s:[{s:s, s:s, s:i, s:[{s:f}, {s:f}], s:[n, {s:f, s:f, s:f, s:i, s:i, "
        "s:i, s:f, s:s}]}], s:[{s:s, s:s, s:i, s:[o], s:[o]}], "
        "s:[{s:s, s:[s, n]}], s:[s]}",
        "schema", DIP_COMPARE_SCHEMA, "split", HOSTILE, "sides", "name",
        HOSTILE, "baseline", 1, "runs", "cost", "parameters", 1234567, "name",
        "b", "baseline", 0, "runs", "rows", "task", HOSTILE, "metric", HOSTILE,
        "queries", 9, "sides", "mean", .5, "mean", .6, "differences",
        "difference", .1, "low", .05, "high", .15, "win", 5, "tie", 3, "loss",
        1, "p_holm", .00001, "verdict", "better", "changed", "task", HOSTILE,
        "metric", "mrr", "side", 1, "improved", changed_query(), "worsened",
        changed_query(), "config", "key", HOSTILE, "values", HOSTILE, "notes",
        HOSTILE);
}

static void test_html_of_a_comparison_is_well_formed(void **state)
{
    (void)state;
    json_t *value = comparison();
    dip_str page = {0};
    assert_non_null(value);
    assert_int_equal(dip_compare_html(&page, value, NULL), DIP_OK);
    assert_balanced(page.data);
    assert_self_contained(page.data);
    static const char *const parts[] = {
        "▲ better", "&lt; 0.001", "+0.100",   "1,234,567",       "Gained most",
        "2 runs",   "5 / 3 / 1",  "baseline", "<bdi>b against ", "0.600"};
    for (size_t i = 0; i < DIP_ARRAY_LEN(parts); i++) {
        if (strstr(page.data, parts[i]) == NULL)
            fail_msg("no '%s' in the page", parts[i]);
    }
    dip_str_free(&page);
    json_decref(value);
}

/* One side has no difference, but a mean. */
static void test_html_of_one_side_shows_its_means(void **state)
{
    (void)state;
    json_t *value = comparison();
    dip_str page = {0};
    (void)json_array_remove(json_object_get(value, "sides"), 1);
    (void)json_object_set_new(value, "changed", json_array());
    assert_int_equal(dip_compare_html(&page, value, NULL), DIP_OK);
    assert_balanced(page.data);
    assert_non_null(strstr(page.data, "0.500"));
    assert_null(strstr(page.data, " against "));
    dip_str_free(&page);
    json_decref(value);
}

static void test_html_of_an_empty_comparison_is_a_page(void **state)
{
    (void)state;
    json_t *value = json_object();
    dip_str page = {0};
    assert_int_equal(dip_compare_html(&page, value, NULL), DIP_OK);
    assert_balanced(page.data);
    dip_str_free(&page);
    json_decref(value);
}

/* A photo whose size tells its row; every fourth row has none. */
static dip_status add_photo(void *user, dip_str *jpeg, int64_t row,
                            dip_err *err)
{
    (void)err;
    size_t *size = user;
    for (size_t i = 0; row % 4 != 0 && i < *size; i++)
        dip_str_add_n(jpeg, &(char){(char)row}, 1);
    return DIP_OK;
}

static char *make_page(json_t *report, size_t photo)
{
    dip_str out = {0};
    dip_err err = {0};
    dip_report_photos photos = {add_photo, &photo};
    assert_non_null(report);
    assert_int_equal(dip_report_html(&out, report, &photos, &err), DIP_OK);
    json_decref(report);
    return out.data;
}

static void test_html_is_well_formed_and_self_contained(void **state)
{
    (void)state;
    char *page = make_page(whole_report(), 9);
    assert_balanced(page);
    assert_self_contained(page);
    static const char *const parts[] = {"id=\"summary\"",
                                        "<p class=\"over\">retrieval</p>",
                                        "id=\"learning\"",
                                        "id=\"retrieval\"",
                                        "id=\"classification\"",
                                        "id=\"zero-shot\"",
                                        "id=\"knn\"",
                                        "id=\"linear-probe\"",
                                        "the votes of the 20 nearest",
                                        "C = 2 has the best accuracy",
                                        "Skipped: &lt;script&gt;",
                                        "id=\"matching\"",
                                        "id=\"galleries\"",
                                        "id=\"facts\"",
                                        "id=\"slices\"",
                                        "<th scope=\"row\">",
                                        "1,234,567 queries",
                                        "class=\"heat\"",
                                        "hit@k",
                                        "achieves alone",
                                        "with a field of other products",
                                        "prefers-color-scheme",
                                        "alt=\"&lt;script&gt;"};
    for (size_t i = 0; i < DIP_ARRAY_LEN(parts); i++) {
        if (strstr(page, parts[i]) == NULL)
            fail_msg("no '%s' in the page", parts[i]);
    }
    free(page);
}

static void test_html_of_the_same_report_is_the_same(void **state)
{
    (void)state;
    char *a = make_page(whole_report(), 9), *b = make_page(whole_report(), 9);
    assert_string_equal(a, b);
    free(a);
    free(b);
}

static void test_html_of_nothing_is_a_page(void **state)
{
    (void)state;
    char *page = make_page(json_pack("{s:s}", "schema", DIP_REPORT_SCHEMA), 0);
    assert_balanced(page);
    assert_null(strstr(page, "id=\"summary\""));
    assert_null(strstr(page, "href=\"#summary\""));
    assert_null(strstr(page, "NaN"));
    free(page);
}

static void test_html_refuses_what_is_no_report(void **state)
{
    (void)state;
    dip_str out = {0};
    dip_err err = {0};
    json_t *report =
        json_pack("{s:s, s:i}", "schema", DIP_REPORT_SCHEMA, "retrieval", 1);
    assert_int_equal(dip_report_html(&out, report, NULL, &err), DIP_EFORMAT);
    assert_string_equal(err.msg, "key 'retrieval' is not an object");
    assert_int_equal(out.len, 0);
    json_decref(report);
}

/* Photos end at the limit, titles do not. */
static void test_html_photos_stay_within_their_limit(void **state)
{
    (void)state;
    json_t *report = whole_report(), *found = json_array();
    json_t *many =
        json_pack("{s:[{s:s, s:o}]}", "worst", "query", "q", "found", found);
    for (int i = 0; i < 600; i++)
        json_array_append_new(found, product(i, false));
    json_t *tasks = json_object_get(report, "retrieval");
    json_object_set_new(json_object_get(tasks, HOSTILE), "examples", many);
    char *page = make_page(report, 6000);
    size_t n = strlen(page);
    assert_true(n > DIP_REPORT_PHOTO_BYTES);
    assert_true(n < DIP_REPORT_PHOTO_BYTES + 400000);
    assert_balanced(page);
    free(page);
}

/* ---- text ---------------------------------------------------------------- */

static void test_html_text_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *html;
    } cases[] = {
        {"a<b>&\"c'", "a&lt;b&gt;&amp;&quot;c&#39;"},
        {"]]>", "]]&gt;"},
        {"a\x01\n\tb", "a   b"},
        {"x\xff\xc3", "x\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xef\xbf\xbf\xc2\x85\x7f", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"Gr\xc3\xbc\xc3\x9f", "Gr\xc3\xbc\xc3\x9f"},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_str out = {0};
        dip_html_text(&out, cases[i].text);
        assert_string_equal(dip_str_text(&out), cases[i].html);
        dip_str_free(&out);
    }
}

/* RFC 4648, section 10. */
static void test_html_base64_is_that_of_the_rfc(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xff\xfe\xfd", "//79"}};
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_str out = {0};
        dip_html_base64(&out, cases[i][0], strlen(cases[i][0]));
        assert_string_equal(dip_str_text(&out), cases[i][1]);
        dip_str_free(&out);
    }
}

/* ---- charts -------------------------------------------------------------- */

static void test_html_plot_ticks_are_round_and_inside(void **state)
{
    (void)state;
    static const struct {
        dip_plot_axis axis;
        size_t most, count;
        double first, last;
    } cases[] = {
        {{.low = 0, .high = 1}, 6, 6, 0, 1},
        {{.low = 0, .high = 840}, 7, 5, 0, 800},
        {{.low = -.35, .high = .97}, 7, 6, -.2, .8},
        {{.low = 1, .high = 100, .log = true}, 7, 7, 1, 100},
        {{.low = 3, .high = 3}, 6, 0, 0, 0},
        {{.low = 0, .high = 3e-7}, 6, 4, 0, 3e-7},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        double ticks[DIP_PLOT_TICKS];
        size_t n = dip_plot_ticks(ticks, &cases[i].axis, cases[i].most);
        assert_int_equal(n, cases[i].count);
        if (n == 0)
            continue;
        assert_true(fabs(ticks[0] - cases[i].first) < 1e-9);
        assert_true(fabs(ticks[n - 1] - cases[i].last) < 1e-9);
    }
}

static void test_html_plot_without_points_is_nothing(void **state)
{
    (void)state;
    const double x[] = {1, 2}, y[] = {(double)NAN, (double)INFINITY};
    dip_plot_series series = {.name = "a", .x = x, .y = y, .n = 2};
    dip_str out = {0};
    dip_plot_add_lines(&out, &(dip_plot_lines){.caption = "c",
                                               .x_name = "x",
                                               .y_name = "y",
                                               .series = &series,
                                               .count = 1});
    assert_int_equal(out.len, 0);
    dip_plot_add_histogram(
        &out, &(dip_plot_histogram){.caption = "c", .x_name = "x"});
    assert_int_equal(out.len, 0);
    dip_plot_add_interval(&out, (double)NAN, 0, 1, 0, 1);
    assert_int_equal(out.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_html_is_well_formed_and_self_contained),
        cmocka_unit_test(test_html_of_the_same_report_is_the_same),
        cmocka_unit_test(test_html_of_nothing_is_a_page),
        cmocka_unit_test(test_html_of_a_comparison_is_well_formed),
        cmocka_unit_test(test_html_of_one_side_shows_its_means),
        cmocka_unit_test(test_html_of_an_empty_comparison_is_a_page),
        cmocka_unit_test(test_html_refuses_what_is_no_report),
        cmocka_unit_test(test_html_photos_stay_within_their_limit),
        cmocka_unit_test(test_html_text_escapes),
        cmocka_unit_test(test_html_base64_is_that_of_the_rfc),
        cmocka_unit_test(test_html_plot_ticks_are_round_and_inside),
        cmocka_unit_test(test_html_plot_without_points_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
