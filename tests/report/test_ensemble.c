#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "report/ensemble.h"
#include "report/report.h"

/* Two runs that vote about a label; the second task has too few weights. */
static json_t *make_report(void)
{
    json_error_t error;
    json_t *out = json_loads(
        "{\"schema\": \"diptych-report/1\", \"run\": {\"name\": \"ab\","
        " \"ensemble\": {\"vote\": \"soft\", \"normalise\": \"zscore\","
        "  \"runs\": [{\"name\": \"a*\"}, {\"name\": \"b\"}],"
        "  \"weights\": {\"type\": [0.75, 0.25], \"x_y\": [1]}}},"
        " \"classification\": {\"type\": {\"rows\": 4, \"accuracy\": 0.5}}}",
        0, &error);
    assert_non_null(out);
    return out;
}

static void test_ensemble_says_who_votes_with_what(void **state)
{
    (void)state;
    json_t *report = make_report(), *facts = dip_report_ensemble_facts(report);
    assert_int_equal(json_object_size(facts), 3);
    assert_string_equal(json_string_value(json_object_get(facts, "vote")),
                        "soft, zscore");
    assert_string_equal(
        json_string_value(json_object_get(facts, "weights of type")),
        "a* 0.750, b 0.250");
    assert_string_equal(
        json_string_value(json_object_get(facts, "weights of x_y")),
        "a* 1.000, b 0.000");
    json_decref(facts);
    json_object_del(json_object_get(report, "run"), "ensemble");
    facts = dip_report_ensemble_facts(report);
    assert_int_equal(json_object_size(facts), 0);
    json_decref(facts);
    json_decref(report);
}

static void test_ensemble_stands_in_markdown_and_text(void **state)
{
    (void)state;
    json_t *report = make_report();
    dip_str out = {0};
    assert_int_equal(dip_report_markdown(&out, report, NULL), DIP_OK);
    assert_non_null(strstr(out.data, "\n- vote: soft, zscore\n"));
    assert_non_null(
        strstr(out.data, "\n- weights of type: a\\* 0.750, b 0.250\n"));
    assert_non_null(strstr(out.data, "\n- weights of x_y: "));
    dip_str_clear(&out);
    assert_int_equal(dip_report_text(&out, report, 80, NULL), DIP_OK);
    assert_non_null(strstr(out.data, "\nvote: soft, zscore\n"
                                     "weights of type: a* 0.750, b 0.250\n"));
    dip_str_free(&out);
    json_decref(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ensemble_says_who_votes_with_what),
        cmocka_unit_test(test_ensemble_stands_in_markdown_and_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
