#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "report/sweep.h"

/* Three trials of four parameters; the second one failed. */
static json_t *make_results(void)
{
    json_error_t error;
    json_t *out = json_loads(
        "{\"schema\": \"diptych-sweep/1\", \"name\": \"a<b\","
        " \"search\": \"random\", \"metric\": \"query_to_product.mrr\","
        " \"higher_is_better\": true, \"dir\": \"runs/a\","
        " \"parameters\": ["
        "  {\"name\": \"learning_rate\", \"key\": \"train.lr\"},"
        "  {\"name\": \"weight_decay\", \"key\": \"train.weight_decay\"},"
        "  {\"name\": \"tower\", \"key\": \"model.image.tower\"},"
        "  {\"name\": \"width\", \"key\": \"model.text.width\"}],"
        " \"rungs\": [1, 3], \"count\": 3,"
        " \"best\": {\"trial\": 2, \"value\": 0.5, \"run\": \"trials/0002\"},"
        " \"trials\": ["
        "  {\"trial\": 2, \"status\": \"done\", \"value\": 0.5,"
        "   \"parameters\": {\"learning_rate\": 0.0001, \"weight_decay\": 0.5,"
        "    \"tower\": \"cnn\", \"width\": 16}, \"rung\": 1, \"epochs\": 3,"
        "   \"seconds\": 7.25, \"run\": \"trials/0002\"},"
        "  {\"trial\": 0, \"status\": \"stopped\", \"value\": 0.25,"
        "   \"parameters\": {\"learning_rate\": 0.1, \"weight_decay\": 0.25,"
        "    \"tower\": \"resnet\", \"width\": 16}, \"rung\": 0, \"epochs\": 1,"
        "   \"seconds\": 2.5, \"run\": \"trials/0000\"},"
        "  {\"trial\": 1, \"status\": \"failed\", \"value\": null,"
        "   \"parameters\": {\"learning_rate\": 0.02, \"weight_decay\": 0.25,"
        "    \"tower\": \"a, \\\"b\\\"\", \"width\": 16}, \"rung\": -1,"
        "   \"epochs\": 0, \"seconds\": 0, \"run\": \"trials/0001\","
        "   \"message\": \"loss is NaN\"}],"
        " \"course\": ["
        "  {\"elapsed\": 3, \"trial\": 0, \"rung\": 0, \"value\": 0.25},"
        "  {\"elapsed\": 5, \"trial\": 2, \"rung\": 0, \"value\": 0.125},"
        "  {\"elapsed\": 9, \"trial\": 2, \"rung\": 1, \"value\": 0.5}]}",
        0, &error);
    assert_non_null(out);
    return out;
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;
    for (; (text = strstr(text, word)) != NULL; text++)
        count++;
    return count;
}

static size_t widest(const char *text)
{
    size_t most = 0;
    while (*text != '\0') {
        size_t n = strcspn(text, "\n"), width = dip_utf8_width(text, n);
        most = width > most ? width : most;
        text += n + (text[n] == '\n');
    }
    return most;
}

/* Where all columns do not fit the metric is named in short, and where that
 * does not help the figures get a table of their own. */
static void test_sweep_tables_fit_the_terminal(void **state)
{
    (void)state;
    json_t *results = make_results();
    dip_str wide = {0}, narrow = {0};
    assert_int_equal(dip_report_sweep_text(&wide, results, 0, NULL), DIP_OK);
    assert_true(widest(dip_str_text(&wide)) > 80);
    assert_int_equal(count_of(dip_str_text(&wide), "trial  "), 1);
    assert_int_equal(dip_report_sweep_text(&narrow, results, 92, NULL), DIP_OK);
    assert_true(widest(dip_str_text(&narrow)) <= 92);
    assert_int_equal(count_of(dip_str_text(&narrow), "trial  "), 1);
    assert_non_null(strstr(dip_str_text(&narrow), "     mrr  epochs"));
    dip_str_clear(&narrow);
    assert_int_equal(dip_report_sweep_text(&narrow, results, 80, NULL), DIP_OK);
    assert_true(widest(dip_str_text(&narrow)) <= 80);
    assert_int_equal(count_of(dip_str_text(&narrow), "trial  "), 2);
    static const char *const lines[] = {
        "    2         0.0001           0.5  cnn        16\n",
        "    2                0.5000       3     2      7.2  done\n",
        "    1                     –       0     0      0.0  failed\n",
        "\ntrial 1 failed: loss is NaN\n",
        "\nbest: trial 2, query_to_product.mrr 0.5000: runs/a/trials/0002\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_non_null(strstr(dip_str_text(&narrow), lines[i]));
    dip_str_free(&wide);
    dip_str_free(&narrow);
    json_decref(results);
}

static void test_sweep_csv_quotes_what_needs_it(void **state)
{
    (void)state;
    json_t *results = make_results();
    dip_str text = {0};
    assert_int_equal(dip_report_sweep_csv(&text, results, NULL), DIP_OK);
    assert_string_equal(
        dip_str_text(&text),
        "trial,learning_rate,weight_decay,tower,width,query_to_product.mrr,"
        "epochs,rung,seconds,status,run,message\n"
        "2,0.0001,0.5,cnn,16,0.5,3,2,7.25,done,trials/0002,\n"
        "0,0.1,0.25,resnet,16,0.25,1,1,2.5,stopped,trials/0000,\n"
        "1,0.02,0.25,\"a, \"\"b\"\"\",16,,0,0,0,failed,trials/0001,"
        "loss is NaN\n");
    dip_str_free(&text);
    json_decref(results);
}

/* The best by time, and the value by each parameter that has several numbers;
 * the learning rates lie so far apart that their axis is a logarithm. */
static void test_sweep_page_shows_time_and_parameters(void **state)
{
    (void)state;
    json_t *results = make_results();
    dip_str page = {0};
    assert_int_equal(dip_report_sweep_html(&page, results, NULL), DIP_OK);
    const char *text = dip_str_text(&page);
    assert_int_equal(count_of(text, "<figure class=\"chart\">"), 3);
    assert_non_null(strstr(text, "<b>The best by time</b>"));
    assert_non_null(strstr(text, "<b>learning_rate</b> <span>train.lr</span>"));
    assert_non_null(strstr(text, "<b>weight_decay</b>"));
    assert_null(strstr(text, "<b>width</b>"));
    assert_null(strstr(text, "<b>tower</b>"));
    assert_int_equal(count_of(text, ">0.005</text>"), 1);
    assert_int_equal(count_of(text, ">stopped before</bdi></li>"), 2);
    assert_non_null(strstr(text, "a&lt;b"));
    assert_null(strstr(text, "a<b"));
    json_array_clear(json_object_get(results, "course"));
    dip_str_clear(&page);
    assert_int_equal(dip_report_sweep_html(&page, results, NULL), DIP_OK);
    assert_null(strstr(dip_str_text(&page), "<figure class=\"chart\">"));
    dip_str_free(&page);
    json_decref(results);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sweep_tables_fit_the_terminal),
        cmocka_unit_test(test_sweep_csv_quotes_what_needs_it),
        cmocka_unit_test(test_sweep_page_shows_time_and_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
