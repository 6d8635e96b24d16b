/* tests/golden/report.{json,md,txt} were written by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "report/report.h"

/* ---- JSON ---------------------------------------------------------------- */

/* Compares values and types, not the order of keys; ends `found`. */
static void assert_json(json_t *found, const char *wanted)
{
    json_error_t error;
    json_t *value = json_loads(wanted, 0, &error);
    assert_non_null(value);
    assert_non_null(found);
    if (!json_equal(found, value)) {
        char *text = json_dumps(found, 0);
        fail_msg("%s\nis not\n%s", text, wanted);
    }
    json_decref(value);
    json_decref(found);
}

static void test_report_ranking_holds_all_metrics(void **state)
{
    (void)state;
    dip_ranking ranking = {
        .queries = 10,
        .evaluated = 8,
        .empty = 2,
        .gallery = 40,
        .n_cutoffs = 2,
        .cutoffs = {1, 10},
        .median_rank = 2.5,
        .mean = {.mrr = .5,
                 .map = .25,
                 .ndcg = .75,
                 .r_precision = .125,
                 .at = {{.hit = .1,
                         .recall = .2,
                         .precision = .3,
                         .map = .4,
                         .ndcg = .6},
                        {.hit = .7,
                         .recall = .8,
                         .precision = .9,
                         .map = 1.,
                         .ndcg = 0}}},
    };
    assert_json(dip_report_ranking(&ranking),
                "{\"queries\": 10, \"evaluated\": 8, \"skipped\": 2,"
                " \"gallery\": 40, \"mrr\": 0.5, \"map\": 0.25,"
                " \"ndcg\": 0.75, \"r_precision\": 0.125,"
                " \"median_rank\": 2.5, \"hit@1\": 0.1, \"recall@1\": 0.2,"
                " \"precision@1\": 0.3, \"map@1\": 0.4, \"ndcg@1\": 0.6,"
                " \"hit@10\": 0.7, \"recall@10\": 0.8, \"precision@10\": 0.9,"
                " \"map@10\": 1.0, \"ndcg@10\": 0.0}");
}

/* Empty queries that were counted as 0 are among the evaluated. */
static void test_report_ranking_skips_none_that_were_counted(void **state)
{
    (void)state;
    dip_ranking ranking = {.queries = 3, .evaluated = 3, .empty = 1};
    json_t *part = dip_report_ranking(&ranking);
    assert_int_equal(json_integer_value(json_object_get(part, "skipped")), 0);
    json_decref(part);
}

static void test_report_values_that_do_not_exist_are_null(void **state)
{
    (void)state;
    dip_ranking ranking = {
        .queries = 1,
        .median_rank = (double)INFINITY,
        .mean = {(double)NAN, (double)NAN, (double)NAN, (double)NAN, {{0}}}};
    dip_interval interval = {0.5, (double)NAN, -(double)INFINITY};
    assert_json(dip_report_ranking(&ranking),
                "{\"queries\": 1, \"evaluated\": 0, \"skipped\": 1,"
                " \"gallery\": 0, \"mrr\": null, \"map\": null,"
                " \"ndcg\": null, \"r_precision\": null,"
                " \"median_rank\": null}");
    assert_json(dip_report_interval(&interval),
                "{\"mean\": 0.5, \"low\": null, \"high\": null}");
}

static const char *class_name(void *user, int64_t index)
{
    return ((const char **)user)[index];
}

static void test_report_classification_leaves_out_absent_classes(void **state)
{
    (void)state;
    const char *names[] = {"red", "unused", "gr\xfcn", "only predicted"};
    dip_class classes[] = {
        {3, 2, 2, {1.0, 0.625, 0.75}},
        {0, 0, 0, {0, 0, 0}},
        {1, 1, 0, {0, 0, 0}},
        {0, 1, 0, {0, 0, 0}},
    };
    dip_classification c = {
        .rows = 4,
        .missing = 5,
        .classes = 4,
        .present = 3,
        .accuracy = .5,
        .balanced_accuracy = .3125,
        .macro = {.1, .2, .3},
        .micro = {.4, .6, .7},
        .weighted = {.8, .9, (double)NAN},
        .per_class = classes,
    };
    assert_json(
        dip_report_classification(&c, class_name, names),
        "{\"rows\": 4, \"missing\": 5, \"classes\": 4, \"present\": 3,"
        " \"accuracy\": 0.5, \"balanced_accuracy\": 0.3125,"
        " \"precision_macro\": 0.1,"
        " \"recall_macro\": 0.2, \"f1_macro\": 0.3,"
        " \"precision_micro\": 0.4, \"recall_micro\": 0.6,"
        " \"f1_micro\": 0.7, \"precision_weighted\": 0.8,"
        " \"recall_weighted\": 0.9, \"f1_weighted\": null, \"per_class\": ["
        "{\"name\": \"red\", \"support\": 3, \"predicted\": 2,"
        " \"correct\": 2, \"precision\": 1.0, \"recall\": 0.625,"
        " \"f1\": 0.75},"
        "{\"name\": \"gr\xef\xbf\xbdn\", \"support\": 1, \"predicted\": 1,"
        " \"correct\": 0, \"precision\": 0.0, \"recall\": 0.0, \"f1\": 0.0},"
        "{\"name\": \"only predicted\", \"support\": 0, \"predicted\": 1,"
        " \"correct\": 0, \"precision\": 0.0, \"recall\": 0.0,"
        " \"f1\": 0.0}]}");
}

static void test_report_confusion_and_scores(void **state)
{
    (void)state;
    const char *names[] = {"a", "b", "c"};
    const int32_t labels[] = {0, 0, 1, 1, -1, 2};
    const int32_t predicted[] = {0, 1, 1, 0, 0, 1};
    const float p[] = {.75f, .25f, .25f, .75f, .25f, .75f,
                       .5f,  .5f,  1,    0,    0,    1};
    const int64_t cutoffs[] = {1, 2};
    dip_classification_options options = {0};
    dip_classification c;
    dip_class_scores scores;
    dip_err err = {0};
    assert_int_equal(dip_classification_evaluate(&c, labels, predicted, 6, 3,
                                                 &options, &err),
                     DIP_OK);
    const dip_class_probabilities all = {labels, p, 6, 2};
    assert_int_equal(dip_class_scores_evaluate(&scores, &all, &err), DIP_OK);
    json_t *report = dip_report_classification(&c, class_name, names);
    assert_int_equal(dip_report_put_confusion(report, &c, labels, predicted, 6,
                                              class_name, names, &err),
                     DIP_OK);
    assert_int_equal(
        dip_report_put_scores(report, &c, &scores, 6, 2, cutoffs, 2), 0);
    assert_json(json_incref(json_object_get(report, "confusion")),
                "{\"classes\": [\"b\", \"a\", \"c\"],"
                " \"counts\": [[1, 1, 0], [1, 1, 0], [1, 0, 0]]}");
    assert_json(json_incref(json_object_get(report, "confused")),
                "[{\"label\": \"a\", \"predicted\": \"b\", \"count\": 1},"
                "{\"label\": \"b\", \"predicted\": \"a\", \"count\": 1},"
                "{\"label\": \"c\", \"predicted\": \"b\", \"count\": 1}]");
    assert_int_equal(json_integer_value(json_object_get(report, "areas")), 2);
    assert_null(json_object_get(report, "accuracy@1"));
    assert_true(json_is_null(json_object_get(
        json_array_get(json_object_get(report, "per_class"), 2), "roc_auc")));
    json_decref(report);
    dip_class_scores_free(&scores);
    dip_classification_free(&c);
}

static void test_report_matching_holds_all_values(void **state)
{
    (void)state;
    dip_matching m = {.positives = 4,
                      .negatives = 5,
                      .random = 3,
                      .same_category = 2,
                      .threshold = -.5,
                      .validation_f1 = .1,
                      .accuracy = .2,
                      .precision = .3,
                      .recall = .4,
                      .f1 = .5,
                      .auc = (double)NAN};
    assert_json(dip_report_matching(&m),
                "{\"positives\": 4, \"negatives\": 5, \"random\": 3,"
                " \"same_category\": 2, \"threshold\": -0.5,"
                " \"validation_f1\": 0.1, \"accuracy\": 0.2,"
                " \"precision\": 0.3, \"recall\": 0.4, \"f1\": 0.5,"
                " \"auc\": null}");
}

/* ---- Markdown and text --------------------------------------------------- */

static int load_golden(void **state)
{
    json_t *report;
    dip_status st =
        dip_json_load(&report, "tests/golden/report.json", 1 << 20, NULL);
    *state = report;
    return st != DIP_OK;
}

static int unload_golden(void **state)
{
    json_decref(*state);
    return 0;
}

static void assert_file(const dip_str *found, const char *path)
{
    char *wanted;
    size_t n;
    assert_int_equal(dip_file_read(&wanted, &n, path, 1 << 20, NULL), DIP_OK);
    assert_string_equal(dip_str_text(found), wanted);
    free(wanted);
}

static void test_report_markdown_is_exact(void **state)
{
    dip_str out = {0};
    assert_int_equal(dip_report_markdown(&out, *state, NULL), DIP_OK);
    assert_file(&out, "tests/golden/report.md");
    dip_str_free(&out);
}

static void test_report_text_is_exact(void **state)
{
    dip_str out = {0};
    assert_int_equal(dip_report_text(&out, *state, 80, NULL), DIP_OK);
    assert_file(&out, "tests/golden/report.txt");
    dip_str_free(&out);
}

static void test_report_text_fits_every_width(void **state)
{
    for (int width = 20; width <= 120; width++) {
        dip_str out = {0};
        assert_int_equal(dip_report_text(&out, *state, width, NULL), DIP_OK);
        assert_non_null(strstr(out.data, "0.750")); /* hit@1 stays */
        for (const char *line = out.data; *line != '\0';) {
            size_t n = strcspn(line, "\n");
            assert_true(dip_utf8_width(line, n) <= (size_t)width);
            line += n + 1;
        }
        dip_str_free(&out);
    }
}

/* Names are cut, in the middle of wide characters too; numbers never. */
static void test_report_text_cuts_long_names(void **state)
{
    (void)state;
    json_t *report = json_pack(
        "{s:s, s:{s:{s:f, s:f}}}", "schema", DIP_REPORT_SCHEMA, "retrieval",
        "赤い靴赤い靴赤い靴赤い靴赤い靴", "hit@1", 0.5, "mrr", 0.625);
    dip_str out = {0};
    assert_int_equal(dip_report_text(&out, report, 80, NULL), DIP_OK);
    assert_non_null(
        strstr(out.data, "\n赤い靴赤い靴赤い靴赤い…  0.500  0.625\n"));
    dip_str_clear(&out);
    assert_int_equal(dip_report_text(&out, report, 20, NULL), DIP_OK);
    assert_non_null(strstr(out.data, "\n赤い靴赤い靴…  0.500\n"));
    dip_str_free(&out);
    json_decref(report);
}

/* A report of one label with `n` classes "c000", "c001", …; the class i has
 * support n - i and an F1 of i / n. */
static json_t *many_classes(int n)
{
    json_t *classes = json_array();
    for (int i = 0; i < n; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "c%03d", i);
        json_array_append_new(classes,
                              json_pack("{s:s, s:i, s:f}", "name", name,
                                        "support", n - i, "f1", (double)i / n));
    }
    return json_pack("{s:s, s:{s:{s:i, s:o}}}", "schema", DIP_REPORT_SCHEMA,
                     "classification", "type", "rows", 1, "per_class", classes);
}

static void test_report_markdown_cuts_long_tables_of_classes(void **state)
{
    (void)state;
    json_t *report = many_classes(53);
    dip_str out = {0};
    assert_int_equal(dip_report_markdown(&out, report, NULL), DIP_OK);
    assert_non_null(strstr(out.data, "| c049 | 4 | 0.925 |\n\n"
                                     "3 more classes, of at most 3 rows each, "
                                     "are in the JSON.\n"));
    assert_null(strstr(out.data, "c050"));
    dip_str_free(&out);
    json_decref(report);
}

static void test_report_text_names_the_worst_classes(void **state)
{
    (void)state;
    json_t *report = many_classes(16);
    dip_str out = {0};
    assert_int_equal(dip_report_text(&out, report, 80, NULL), DIP_OK);
    assert_non_null(strstr(out.data, "\nc000           0.000       16\n"
                                     "c001           0.062       15\n"));
    assert_non_null(strstr(out.data, "c004"));
    assert_null(strstr(out.data, "c005"));
    dip_str_free(&out);
    json_decref(report);

    report = many_classes(12);
    out = (dip_str){0};
    assert_int_equal(dip_report_text(&out, report, 80, NULL), DIP_OK);
    assert_non_null(strstr(out.data, "c002"));
    assert_null(strstr(out.data, "c003")); /* 9 rows */
    dip_str_free(&out);
    json_decref(report);
}

static void test_report_markdown_escapes_names(void **state)
{
    (void)state;
    json_t *report =
        json_pack("{s:s, s:{s:s}, s:{s:s}}", "schema", DIP_REPORT_SCHEMA, "run",
                  "name", "a\nb <i>x</i> [l](u) `c` a_b _c_ ~d~ \\| #1 &amp; !",
                  "matching", "skipped", "no *pairs*");
    dip_str out = {0};
    assert_int_equal(dip_report_markdown(&out, report, NULL), DIP_OK);
    assert_string_equal(out.data,
                        "# Evaluation of a b \\<i\\>x\\</i\\> \\[l\\](u) "
                        "\\`c\\` a_b \\_c\\_ \\~d\\~ \\\\\\| \\#1 \\&amp; \\!\n"
                        "\n## Matching\n\nSkipped: no \\*pairs\\*\n");
    dip_str_free(&out);
    json_decref(report);
}

static void test_report_of_nothing_is_fine(void **state)
{
    (void)state;
    json_t *report =
        json_pack("{s:s, s:{}, s:{s:{}}, s:{s:{s:[{}]}}, s:{}, s:{}}", "schema",
                  DIP_REPORT_SCHEMA, "run", "retrieval", "t", "zero_shot", "l",
                  "per_class", "matching", "later");
    dip_str out = {0};
    assert_int_equal(dip_report_markdown(&out, report, NULL), DIP_OK);
    assert_int_equal(dip_report_text(&out, report, 80, NULL), DIP_OK);
    assert_non_null(strstr(out.data, "# Evaluation\n"));
    dip_str_free(&out);
    json_decref(report);
}

static void test_report_malformed_names_the_key(void **state)
{
    (void)state;
    static const struct {
        const char *members, *message;
    } cases[] = {
        {"\"run\": []", "key 'run' is not an object"},
        {"\"run\": {\"step\": 1.5}", "'run': key 'step' is not an integer"},
        {"\"run\": {\"name\": null}", "'run': key 'name' is not a string"},
        {"\"data\": {\"rows\": \"7\"}", "'data': key 'rows' is not an integer"},
        {"\"retrieval\": 1", "key 'retrieval' is not an object"},
        {"\"retrieval\": {\"t\": 1}", "'retrieval': key 't' is not an object"},
        {"\"retrieval\": {\"t\": {\"mrr\": \"x\"}}",
         "'retrieval': 't': key 'mrr' is not a number or null"},
        {"\"retrieval\": {\"t\": {\"hit@3\": {}}}",
         "'retrieval': 't': key 'hit@3' is not a number or null"},
        {"\"retrieval\": {\"t\": {\"interval\": {\"mrr\": {\"low\": []}}}}",
         "'retrieval': 't': 'interval': 'mrr': key 'low' is not a number or "
         "null"},
        {"\"retrieval\": {\"t\": {\"alone\": {\"f\": {\"gain\": 3}}}}",
         "'retrieval': 't': 'alone': 'f': key 'gain' is not an object"},
        {"\"retrieval\": {\"t\": {\"permuted\": {\"f\": {\"mrr\": []}}}}",
         "'retrieval': 't': 'permuted': 'f': key 'mrr' is not a number or "
         "null"},
        {"\"classification\": {\"l\": {\"per_class\": {}}}",
         "'classification': 'l': key 'per_class' is not an array"},
        {"\"zero_shot\": {\"l\": {\"per_class\": [{}, 1]}}",
         "'zero_shot': 'l': item 1 of 'per_class' is not an object"},
        {"\"zero_shot\": {\"l\": {\"per_class\": [{\"name\": 1}]}}",
         "'zero_shot': 'l': item 0 of 'per_class': key 'name' is not a "
         "string"},
        {"\"zero_shot\": {\"l\": {\"accuracy\": true}}",
         "'zero_shot': 'l': key 'accuracy' is not a number or null"},
        {"\"knn\": {\"l\": {\"k\": 1.5}}",
         "'knn': 'l': key 'k' is not an integer"},
        {"\"linear_probe\": {\"l\": {\"c\": \"much\"}}",
         "'linear_probe': 'l': key 'c' is not a number or null"},
        {"\"matching\": {\"auc\": \"high\"}",
         "'matching': key 'auc' is not a number or null"},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_str text = {0}, out = {0};
        json_t *report;
        dip_err err = {0};
        dip_str_addf(&text, "{\"schema\": \"" DIP_REPORT_SCHEMA "\", %s}",
                     cases[i].members);
        assert_int_equal(
            dip_json_parse(&report, text.data, text.len, "x", NULL), DIP_OK);
        assert_int_equal(dip_report_markdown(&out, report, &err), DIP_EFORMAT);
        assert_string_equal(err.msg, cases[i].message);
        assert_int_equal(dip_report_text(&out, report, 80, NULL), DIP_EFORMAT);
        assert_int_equal(out.len, 0);
        json_decref(report);
        dip_str_free(&text);
    }
}

static void test_report_of_another_schema_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"3", "report is not an object"},
        {"{}", "report has no key 'schema'"},
        {"{\"schema\": 1}", "key 'schema' is not 'diptych-report/1'"},
        {"{\"schema\": \"diptych-report/2\"}",
         "key 'schema' is not 'diptych-report/1'"},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_str out = {0};
        json_t *report;
        dip_err err = {0};
        assert_int_equal(dip_json_parse(&report, cases[i].text,
                                        strlen(cases[i].text), "x", NULL),
                         DIP_OK);
        assert_int_equal(dip_report_markdown(&out, report, &err), DIP_EFORMAT);
        assert_string_equal(err.msg, cases[i].message);
        json_decref(report);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report_ranking_holds_all_metrics),
        cmocka_unit_test(test_report_ranking_skips_none_that_were_counted),
        cmocka_unit_test(test_report_values_that_do_not_exist_are_null),
        cmocka_unit_test(test_report_classification_leaves_out_absent_classes),
        cmocka_unit_test(test_report_confusion_and_scores),
        cmocka_unit_test(test_report_matching_holds_all_values),
        cmocka_unit_test_setup_teardown(test_report_markdown_is_exact,
                                        load_golden, unload_golden),
        cmocka_unit_test_setup_teardown(test_report_text_is_exact, load_golden,
                                        unload_golden),
        cmocka_unit_test_setup_teardown(test_report_text_fits_every_width,
                                        load_golden, unload_golden),
        cmocka_unit_test(test_report_text_cuts_long_names),
        cmocka_unit_test(test_report_markdown_cuts_long_tables_of_classes),
        cmocka_unit_test(test_report_text_names_the_worst_classes),
        cmocka_unit_test(test_report_markdown_escapes_names),
        cmocka_unit_test(test_report_of_nothing_is_fine),
        cmocka_unit_test(test_report_malformed_names_the_key),
        cmocka_unit_test(test_report_of_another_schema_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
