#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/copurchase.h"
#include "tests/data/judgement_fixture.h"

static dip_copurchase_options options_of(const json_t *given)
{
    static char into[256];
    (void)snprintf(into, sizeof into, "%s", fixture_path("rows.h5"));
    dip_copurchase_options o = {
        .into = into,
        .query = "{title}",
        .shrink = option_of(given, "shrink", 5),
        .neighbours = (int64_t)option_of(given, "neighbours", 20),
        .least = (int64_t)option_of(given, "min_users", 2),
        .history = (int64_t)option_of(given, "history", 200),
        .same_split = json_is_true(json_object_get(given, "same_split")),
        .grading = grading_of(given)};
    const char *word = json_string_value(json_object_get(given, "affinity"));
    if (word != NULL)
        assert_true(dip_affinity_parse(&o.affinity, word));
    o.own = option_of(given, "own", o.grading.scale + 1);
    return o;
}

static void add_interactions(const char *log)
{
    char table[256], into[256];
    write_text("had.csv", log);
    (void)snprintf(table, sizeof table, "%s", fixture_path("had.csv"));
    (void)snprintf(into, sizeof into, "%s", fixture_path("rows.h5"));
    const dip_import_log_options options = {.table = table,
                                            .into = into,
                                            .owner = "user",
                                            .id = "id",
                                            .time = "time",
                                            .split = "split"};
    dip_import_report report;
    dip_err err = {0};
    if (dip_import_interactions(&report, &options, &err) != DIP_OK)
        fail_msg("%s", err.msg);
}

static void judge(dip_import_report *report, dip_copurchase_report *details,
                  const dip_copurchase_options *options)
{
    dip_err err = {0};
    if (dip_import_copurchases(report, details, options, &err) != DIP_OK)
        fail_msg("%s", err.msg);
}

static void check_case(const json_t *one)
{
    const json_t *wanted = json_object_get(one, "judgements");
    dip_copurchase_options options =
        options_of(json_object_get(one, "options"));
    dip_import_report report;
    dip_copurchase_report details;
    judge(&report, &details, &options);
    dip_catalog *catalog = open_rows();
    assert_int_equal(dip_catalog_judgement_count(catalog),
                     json_array_size(wanted));
    assert_int_equal(report.rows, json_array_size(wanted));
    size_t i;
    json_t *item;
    json_array_foreach (wanted, i, item) {
        const char *query = json_string_value(json_array_get(item, 0));
        int64_t row = json_integer_value(json_array_get(item, 1));
        double grade = json_number_value(json_array_get(item, 2));
        dip_judgement got = find_judgement(catalog, query, row,
                                           dip_catalog_split(catalog, row));
        if (!(fabs((double)got.grade - grade) <= 1e-6 * (1 + grade)))
            fail_msg("'%s', row %d: grade %g, not %g", query, (int)row,
                     (double)got.grade, grade);
    }
    dip_catalog_close(catalog);
}

static void test_copurchase_grades_as_scipy(void **state)
{
    (void)state;
    const json_t *part = json_object_get(golden, "copurchases");
    size_t i;
    json_t *one;
    add_interactions(json_string_value(json_object_get(part, "log")));
    json_array_foreach (json_object_get(part, "cases"), i, one)
        check_case(one);
    assert_true(i > 0);
}

/* Products a to f are of the train split, g and h of val. */
static void test_copurchase_keeps_splits_apart(void **state)
{
    (void)state;
    add_interactions("user,id,time,split\n"
                     "u,a,1,train\nu,b,2,train\nu,g,3,train\nu,h,4,val\n"
                     "v,a,1,train\nv,b,2,test\nv,g,3,val\nv,h,4,val\n");
    dip_copurchase_options options = options_of(NULL);
    dip_import_report report;
    dip_copurchase_report details;
    options.least = 1;
    judge(&report, &details, &options);
    dip_catalog *catalog = open_rows();
    assert_int_equal(details.interactions, 8);
    assert_int_equal(details.counted, 7); /* not v's b, which is of the test */
    assert_true(find_judgement(catalog, "Red mug", 1, DIP_SPLIT_TRAIN).grade ==
                3);
    assert_true(find_judgement(catalog, "Cup", 7, DIP_SPLIT_VAL).grade == 3);
    for (int64_t i = 0; i < dip_catalog_judgement_count(catalog); i++) {
        dip_judgement j = dip_catalog_judgement(catalog, i);
        assert_int_equal(j.split, dip_catalog_split(catalog, j.row));
    }
    assert_int_equal(dip_catalog_judgement_count(catalog), 8);
    dip_catalog_close(catalog);
}

/* With two products of each user, the last ones by time and then by place in
 * the log, u had b and c, v had a and b. */
static void test_copurchase_cuts_long_histories(void **state)
{
    (void)state;
    add_interactions("user,id,time,split\n"
                     "u,a,1,train\nu,b,9,train\nu,b,2,train\nu,c,3,train\n"
                     "v,d,5,train\nv,a,5,train\nv,b,5,train\n"
                     "w,d,1,train\n");
    dip_copurchase_options options = options_of(NULL);
    dip_import_report report;
    dip_copurchase_report details;
    options.least = 1;
    options.history = 2;
    options.own = 0;
    judge(&report, &details, &options);
    dip_catalog *catalog = open_rows();
    assert_int_equal(details.cut_histories, 2);
    assert_int_equal(dip_catalog_judgement_count(catalog), 4);
    assert_true(find_judgement(catalog, "Teapot", 1, DIP_SPLIT_TRAIN).grade >
                0);
    assert_true(find_judgement(catalog, "Red mug", 1, DIP_SPLIT_TRAIN).grade >
                0);
    dip_catalog_close(catalog);
}

static void test_copurchase_refuses_what_gives_no_pair(void **state)
{
    (void)state;
    dip_copurchase_options options = options_of(NULL);
    dip_import_report report;
    dip_copurchase_report details;
    dip_err err = {0};
    char wanted[400];
    assert_int_equal(dip_import_copurchases(&report, &details, &options, &err),
                     DIP_EDATA);
    (void)snprintf(wanted, sizeof wanted,
                   "'%s' has no interactions: `diptych import interactions` "
                   "adds them",
                   options.into);
    assert_string_equal(err.msg, wanted);
    add_interactions("user,id,time,split\nu,a,1,train\nu,b,2,train\n");
    assert_int_equal(dip_import_copurchases(&report, &details, &options, &err),
                     DIP_EDATA);
    (void)snprintf(wanted, sizeof wanted,
                   "no two products of a split that 2 users of '%s' had",
                   options.into);
    assert_string_equal(err.msg, wanted);
    options.query = "{name}";
    assert_int_equal(dip_import_copurchases(&report, &details, &options, &err),
                     DIP_ENOTFOUND);
}

#define WITH_ROWS(test)                                                        \
    cmocka_unit_test_setup_teardown(test, judgement_enter, judgement_leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ROWS(test_copurchase_grades_as_scipy),
        WITH_ROWS(test_copurchase_keeps_splits_apart),
        WITH_ROWS(test_copurchase_cuts_long_histories),
        WITH_ROWS(test_copurchase_refuses_what_gives_no_pair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
