#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "report/pictures.h"

static void assert_json(json_t *found, const char *wanted)
{
    json_t *value = json_loads(wanted, 0, NULL);
    assert_non_null(value);
    assert_non_null(found);
    char *text = json_dumps(found, JSON_REAL_PRECISION(9));
    if (!json_equal(found, value))
        fail_msg("%s\nis not\n%s", text, wanted);
    free(text);
    json_decref(value);
    json_decref(found);
}

static void test_pictures_histogram_leaves_out_empty_ends(void **state)
{
    (void)state;
    dip_histogram h = {.from = -1, .width = .25, .bins = 8};
    h.others[2] = 3;
    h.matches[4] = 5;
    assert_json(dip_report_histogram(&h),
                "{\"from\": -0.5, \"width\": 0.25, \"matches\": [0, 0, 5],"
                " \"others\": [3, 0, 0]}");
}

static void test_pictures_histogram_of_nothing_is_short(void **state)
{
    (void)state;
    dip_histogram h = {0};
    assert_json(dip_report_histogram(&h),
                "{\"from\": 0.0, \"width\": 0.0, \"matches\": [],"
                " \"others\": []}");
}

static void test_pictures_pr_curve_holds_its_points(void **state)
{
    (void)state;
    dip_pr_curve c = {.n = 2,
                      .recall = {.5, 1},
                      .precision = {1, .75},
                      .threshold = {.25, -.5}};
    assert_json(dip_report_pr_curve(&c),
                "{\"recall\": [0.5, 1.0], \"precision\": [1.0, 0.75],"
                " \"threshold\": [0.25, -0.5]}");
}

static void test_pictures_curves_stand_in_the_task(void **state)
{
    (void)state;
    dip_ranking_curves c = {.queries = 7,
                            .n = 2,
                            .k = {1, 10},
                            .hit = {.25, .5},
                            .recall = {.125, .75},
                            .scores = {.from = 0, .width = .5, .bins = 1}};
    json_t *task = json_object();
    assert_int_equal(dip_report_put_curves(task, &c, NULL), DIP_OK);
    assert_json(task,
                "{\"curve\": {\"queries\": 7, \"k\": [1, 10],"
                " \"hit\": [0.25, 0.5], \"recall\": [0.125, 0.75]},"
                " \"scores\": {\"queries\": 7, \"from\": 0.0, \"width\": 0.5,"
                " \"matches\": [0], \"others\": [0]}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pictures_histogram_leaves_out_empty_ends),
        cmocka_unit_test(test_pictures_histogram_of_nothing_is_short),
        cmocka_unit_test(test_pictures_pr_curve_holds_its_points),
        cmocka_unit_test(test_pictures_curves_stand_in_the_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
