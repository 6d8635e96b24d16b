#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "data/bipartite.h"
#include "data/import_graph.h"

/* A folder with the files of one test. */
typedef struct {
    char dir[32];
    char train[64], test[64], out[64];
    dip_import_graph_options options;
    dip_import_report report;
} graph_case;

static void put(const char *path, const char *text)
{
    dip_err err = {0};
    assert_int_equal(dip_file_write(path, text, strlen(text), &err), DIP_OK);
}

static void begin(graph_case *c, dip_graph_form form, const char *train,
                  const char *test)
{
    *c = (graph_case){.dir = "graph_XXXXXX"};
    assert_non_null(mkdtemp(c->dir));
    (void)snprintf(c->train, sizeof c->train, "%s/train.txt", c->dir);
    (void)snprintf(c->test, sizeof c->test, "%s/test.txt", c->dir);
    (void)snprintf(c->out, sizeof c->out, "%s/graph.h5", c->dir);
    put(c->train, train);
    if (test != NULL)
        put(c->test, test);
    c->options = (dip_import_graph_options){
        .files = {[DIP_SPLIT_TRAIN] = c->train,
                  [DIP_SPLIT_TEST] = test != NULL ? c->test : NULL},
        .form = form,
        .out = c->out,
    };
}

static void end(graph_case *c)
{
    dip_import_report_free(&c->report);
    assert_int_equal(dip_tree_remove(c->dir, NULL), DIP_OK);
}

static dip_catalog *import(graph_case *c)
{
    dip_catalog *catalog;
    dip_err err = {0};
    dip_status st = dip_import_graph(&c->report, &c->options, &err);
    if (st != DIP_OK)
        print_error("%s\n", err.msg);
    assert_int_equal(st, DIP_OK);
    assert_int_equal(dip_catalog_open(&catalog, c->out, NULL, &err), DIP_OK);
    return catalog;
}

static void assert_bytes(dip_bytes bytes, const char *expected)
{
    assert_int_equal(bytes.len, strlen(expected));
    assert_memory_equal(bytes.data, expected, bytes.len);
}

static void assert_interaction(const dip_catalog *catalog, int64_t i,
                               const char *user, const char *item, float weight,
                               dip_split split)
{
    dip_interaction one = dip_catalog_interaction(catalog, i);
    assert_bytes(dip_catalog_user(catalog, one.user), user);
    assert_bytes(dip_catalog_id(catalog, one.row), item);
    assert_true(one.weight == weight);
    assert_int_equal(one.split, split);
}

/* Of lists: an empty user, a double item, numbers beyond 32 bits, users and
 * items of the test file alone. */
static void test_import_graph_lists(void **state)
{
    (void)state;
    graph_case c;
    begin(&c, DIP_GRAPH_FORM_LISTS,
          "0 5 3 5\n\n1\n4294967297 3 9223372036854775807", "0 7\r\n8 03\n");
    dip_catalog *catalog = import(&c);
    assert_int_equal(dip_catalog_rows(catalog), 4);
    assert_int_equal(dip_catalog_user_count(catalog), 4);
    assert_int_equal(c.report.distinct, 4);
    assert_int_equal(c.report.rows, 7);
    assert_int_equal(dip_catalog_interaction_count(catalog), 7);
    assert_interaction(catalog, 0, "0", "5", 1, DIP_SPLIT_TRAIN);
    assert_interaction(catalog, 2, "0", "5", 1, DIP_SPLIT_TRAIN);
    assert_interaction(catalog, 4, "4294967297", "9223372036854775807", 1,
                       DIP_SPLIT_TRAIN);
    assert_interaction(catalog, 5, "0", "7", 1, DIP_SPLIT_TEST);
    assert_interaction(catalog, 6, "8", "3", 1, DIP_SPLIT_TEST);
    dip_bipartite graph;
    dip_err err = {0};
    assert_int_equal(dip_bipartite_of_catalog(
                         &graph, catalog, DIP_SPLIT_BIT(DIP_SPLIT_TRAIN), &err),
                     DIP_OK);
    assert_int_equal(graph.edges, 4);
    assert_int_equal(graph.duplicates, 1);
    assert_int_equal(dip_bipartite_of(&graph, 1).count, 0); /* the user "1" */
    dip_bipartite_free(&graph);
    dip_catalog_close(catalog);
    end(&c);
}

static void test_import_graph_pairs(void **state)
{
    (void)state;
    graph_case c;
    begin(&c, DIP_GRAPH_FORM_PAIRS, "2\t10\t3.25e+05\n1 10\n", "2 11 0\n");
    dip_catalog *catalog = import(&c);
    assert_int_equal(dip_catalog_interaction_count(catalog), 3);
    assert_interaction(catalog, 0, "2", "10", 325000, DIP_SPLIT_TRAIN);
    assert_interaction(catalog, 1, "1", "10", 1, DIP_SPLIT_TRAIN);
    assert_interaction(catalog, 2, "2", "11", 0, DIP_SPLIT_TEST);
    dip_catalog_close(catalog);
    end(&c);
}

/* About a fifth of the training, none of the test, and always the same. */
static void test_import_graph_holds_out(void **state)
{
    (void)state;
    graph_case c;
    dip_str train = {0};
    for (int i = 0; i < 2000; i++)
        dip_str_addf(&train, "%d %d\n", i % 50, i);
    begin(&c, DIP_GRAPH_FORM_PAIRS, dip_str_text(&train), "0 2001\n");
    c.options.hold_out = 20;
    dip_catalog *catalog = import(&c);
    assert_in_range(c.report.split_rows[DIP_SPLIT_VAL], 330, 470);
    assert_int_equal(c.report.split_rows[DIP_SPLIT_TEST], 1);
    dip_catalog_close(catalog);
    dip_import_report_free(&c.report);
    catalog = import(&c);
    int64_t held = 0;
    for (int64_t i = 0; i < dip_catalog_interaction_count(catalog); i++)
        held += dip_catalog_interaction(catalog, i).split == DIP_SPLIT_VAL;
    assert_int_equal(held, c.report.split_rows[DIP_SPLIT_VAL]);
    dip_catalog_close(catalog);
    dip_str_free(&train);
    end(&c);
}

static void assert_refused(dip_graph_form form, const char *train,
                           dip_status expected, const char *words)
{
    graph_case c;
    dip_err err = {0};
    begin(&c, form, train, NULL);
    assert_int_equal(dip_import_graph(&c.report, &c.options, &err), expected);
    assert_non_null(strstr(err.msg, words));
    assert_false(dip_file_exists(c.out));
    end(&c);
}

static void test_import_graph_refuses(void **state)
{
    (void)state;
    const dip_graph_form lists = DIP_GRAPH_FORM_LISTS,
                         pairs = DIP_GRAPH_FORM_PAIRS;
    assert_refused(lists, "1 2\n3 x4\n", DIP_EFORMAT,
                   "train.txt:2: not a whole number from 0 on: 'x4'");
    assert_refused(lists, "1 2\n-3 4\n", DIP_EFORMAT,
                   "train.txt:2: not a whole number from 0 on: '-3'");
    assert_refused(lists, "1 2 3.2466e+05\n", DIP_EFORMAT,
                   "train.txt:1: not a whole number from 0 on: '3.2466e+05'");
    assert_refused(lists, "1 9223372036854775808\n", DIP_EFORMAT,
                   "train.txt:1: a number beyond 63 bits");
    assert_refused(lists, "1\n2\n", DIP_EDATA, "no interaction in");
    assert_refused(pairs, "1 2\n\n3\n", DIP_EFORMAT,
                   "train.txt:3: a user without an item");
    assert_refused(pairs, "1 2 -1\n", DIP_EFORMAT,
                   "train.txt:1: not a weight from 0 on: '-1'");
    assert_refused(pairs, "1 2 1e39\n", DIP_EFORMAT,
                   "train.txt:1: not a weight from 0 on: '1e39'");
    assert_refused(pairs, "1 2 3 4\n", DIP_EFORMAT,
                   "train.txt:1: a fourth field: '4'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_import_graph_lists),
        cmocka_unit_test(test_import_graph_pairs),
        cmocka_unit_test(test_import_graph_holds_out),
        cmocka_unit_test(test_import_graph_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
