#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "data/clicks.h"
#include "tests/data/judgement_fixture.h"

enum { KINDS_MOST = 8 };

/* The kinds of a case, and its options. */
static dip_click_options options_of(const json_t *options,
                                    dip_click_event *events)
{
    const char *name;
    json_t *weight;
    int count = 0;
    json_object_foreach (json_object_get(options, "weights"), name, weight)
        events[count++] =
            (dip_click_event){name, json_number_value(weight), false};
    name = json_string_value(json_object_get(options, "impression"));
    if (name != NULL)
        events[count++] = (dip_click_event){name, 0, true};
    if (count == 0)
        events[count++] = (dip_click_event){"", 1, false};
    assert_true(count <= KINDS_MOST);
    bool ranked = json_object_get(options, "rank") != NULL;
    return (dip_click_options){
        .event = json_object_get(options, "event") != NULL ? "event" : NULL,
        .rank = ranked ? "rank" : NULL,
        .events = events,
        .event_count = count,
        .best = json_is_true(json_object_get(options, "best")),
        .rank_bias = ranked ? option_of(options, "rank_bias", 1) : 0,
        .prior = option_of(options, "prior", 10),
        .least = option_of(options, "least", 1),
        .grading = grading_of(options)};
}

static dip_status import(dip_import_report *report,
                         const dip_click_options *clicks, const char *count,
                         dip_err *err)
{
    char table[256], into[256];
    (void)snprintf(table, sizeof table, "%s", fixture_path("log.csv"));
    (void)snprintf(into, sizeof into, "%s", fixture_path("rows.h5"));
    const dip_import_log_options options = {.table = table,
                                            .into = into,
                                            .owner = "query",
                                            .id = "item",
                                            .value = count,
                                            .clicks = clicks};
    return dip_import_clicks(report, &options, err);
}

static void check_case(const json_t *one)
{
    dip_click_event events[KINDS_MOST];
    const json_t *options = json_object_get(one, "options");
    const json_t *wanted = json_object_get(one, "judgements");
    dip_click_options clicks = options_of(options, events);
    dip_import_report report;
    dip_err err = {0};
    bool counted = json_object_get(options, "count") != NULL;
    if (import(&report, &clicks, counted ? "count" : NULL, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    dip_catalog *catalog = open_rows();
    assert_int_equal(dip_catalog_judgement_count(catalog),
                     json_array_size(wanted));
    assert_int_equal(report.rows, json_array_size(wanted));
    size_t i;
    json_t *row;
    json_array_foreach (wanted, i, row) {
        dip_split split;
        const char *query = json_string_value(json_array_get(row, 0));
        const char *id = json_string_value(json_array_get(row, 1));
        double grade = json_number_value(json_array_get(row, 3));
        assert_true(
            dip_split_parse(&split, json_string_value(json_array_get(row, 2))));
        dip_judgement got = find_judgement(
            catalog, query, dip_catalog_row_of(catalog, bytes_of(id)), split);
        if (!(fabs((double)got.grade - grade) <= 1e-6 * (1 + grade)))
            fail_msg("'%s', '%s': grade %g, not %g", query, id,
                     (double)got.grade, grade);
    }
    dip_catalog_close(catalog);
    dip_import_report_free(&report);
}

static void test_import_clicks_grades_as_pandas(void **state)
{
    (void)state;
    const json_t *part = json_object_get(golden, "clicks");
    size_t i;
    json_t *one;
    write_text("log.csv", json_string_value(json_object_get(part, "log")));
    json_array_foreach (json_object_get(part, "cases"), i, one)
        check_case(one);
    assert_true(i > 0);
}

/* The first query has no judgement left, and the numbers of the others fit. */
static void test_import_clicks_drops_queries_of_rare_pairs(void **state)
{
    (void)state;
    static const dip_click_event plain = {"", 1, false};
    const dip_click_options clicks = {.events = &plain,
                                      .event_count = 1,
                                      .least = 2,
                                      .grading = {.scale = 3}};
    dip_import_report report;
    dip_err err = {0};
    write_text("log.csv", "query,item\nrare,a\nlate,b\nmug,a\nmug,a\nlate,a\n"
                          "late,a\n");
    if (import(&report, &clicks, NULL, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(report.rare, 2);
    assert_int_equal(report.distinct, 2);
    dip_catalog *catalog = open_rows();
    assert_int_equal(dip_catalog_query_count(catalog), 2);
    assert_true(find_judgement(catalog, "mug", 0, DIP_SPLIT_TRAIN).grade == 3);
    assert_true(find_judgement(catalog, "late", 0, DIP_SPLIT_TRAIN).grade == 3);
    assert_true(find_judgement(catalog, "late", 1, DIP_SPLIT_TRAIN).grade < 0);
    dip_catalog_close(catalog);
}

static void test_import_clicks_names_bad_rows(void **state)
{
    (void)state;
    static const dip_click_event kinds[] = {{"click", 1, false},
                                            {"view", 0, true}};
    const dip_click_options clicks = {.event = "event",
                                      .rank = "rank",
                                      .events = kinds,
                                      .event_count = 2,
                                      .rank_bias = 1,
                                      .least = 1,
                                      .grading = {.scale = 3}};
    static const struct {
        const char *row, *words;
        dip_bad_row reason;
    } cases[] = {
        {"mug,a,buy,1,1", "id 'a': 'event' is 'buy', none of: click, view",
         DIP_BAD_ROW_EVENT},
        {"mug,a,,1,1", "id 'a': 'event' is '', none of: click, view",
         DIP_BAD_ROW_EVENT},
        {"mug,a,click,0,1", "id 'a': 'rank': no rank: '0'", DIP_BAD_ROW_NUMBER},
        {"mug,a,click,1.5,1", "id 'a': 'rank': no rank: '1.5'",
         DIP_BAD_ROW_NUMBER},
        {"mug,a,click,x,1", "id 'a': 'rank': not a number: 'x'",
         DIP_BAD_ROW_NUMBER},
        {"mug,a,click,1,-1", "id 'a': 'count' is negative: -1",
         DIP_BAD_ROW_NUMBER},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        char text[256], wanted[600];
        dip_import_report report;
        (void)snprintf(text, sizeof text,
                       "query,item,event,rank,count\nmug,a,view,1,1\n%s\n",
                       cases[i].row);
        write_text("log.csv", text);
        assert_int_equal(import(&report, &clicks, "count", NULL), DIP_EDATA);
        assert_int_equal(report.bad[cases[i].reason], 1);
        (void)snprintf(wanted, sizeof wanted, "%s:3: %s",
                       fixture_path("log.csv"), cases[i].words);
        assert_string_equal(report.messages[0], wanted);
        dip_import_report_free(&report);
    }
    dip_catalog *catalog = open_rows();
    assert_int_equal(dip_catalog_judgement_count(catalog), 0);
    dip_catalog_close(catalog);
}

static void test_import_clicks_wants_a_pair(void **state)
{
    (void)state;
    static const dip_click_event plain = {"", 1, false};
    const dip_click_options clicks = {.events = &plain,
                                      .event_count = 1,
                                      .least = 9,
                                      .grading = {.scale = 3}};
    dip_import_report report;
    dip_err err = {0};
    char wanted[400];
    write_text("log.csv", "query,item\nmug,a\nmug,b\n");
    assert_int_equal(import(&report, &clicks, NULL, &err), DIP_EDATA);
    (void)snprintf(wanted, sizeof wanted,
                   "none of 2 pairs of query and item in '%s' was seen 9 times",
                   fixture_path("log.csv"));
    assert_string_equal(err.msg, wanted);
}

#define WITH_ROWS(test)                                                        \
    cmocka_unit_test_setup_teardown(test, judgement_enter, judgement_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ROWS(test_import_clicks_grades_as_pandas),
        WITH_ROWS(test_import_clicks_drops_queries_of_rare_pairs),
        WITH_ROWS(test_import_clicks_names_bad_rows),
        WITH_ROWS(test_import_clicks_wants_a_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
