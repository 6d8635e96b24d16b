/* TREC files: what is read from them, what is refused, and that what is written
 * comes back. That trec_eval and ranx read the same is for
 * tests/parity/check_trec.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "eval/trec.h"

#define RUN "q1 Q0 a 1 3 sys\nq1 Q0 b 2 2.5e-1 sys\n\nq2\tQ0 c 1 -1 sys"

static char folder[] = "/tmp/test_trec_XXXXXX";
static char run_path[64], qrels_path[64];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return 1;
    (void)snprintf(run_path, sizeof run_path, "%s/x.run", folder);
    (void)snprintf(qrels_path, sizeof qrels_path, "%s/x.qrels", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return dip_tree_remove(folder, NULL) != DIP_OK;
}

static dip_status read_texts(dip_trec *out, const char *run, const char *qrels,
                             dip_err *err)
{
    assert_int_equal(dip_file_write(run_path, run, strlen(run), err), DIP_OK);
    assert_int_equal(dip_file_write(qrels_path, qrels, strlen(qrels), err),
                     DIP_OK);
    return dip_trec_read(out, run_path, qrels_path, err);
}

static void test_trec_reads_run_and_judgements(void **state)
{
    (void)state;
    dip_trec trec;
    dip_ranking ranking;
    dip_err err = {0};
    dip_ranking_options options = dip_ranking_defaults();
    assert_int_equal(
        read_texts(&trec, RUN, "q1 0 b 1\nq2 0 c 2\nq2 0 d 0\n", &err), DIP_OK);
    assert_true(trec.graded);
    assert_string_equal(trec.tag, "sys");
    assert_int_equal(dip_ranking_evaluate_run(&ranking, &trec.run,
                                              &trec.relevance, &options, &err),
                     DIP_OK);
    assert_int_equal(ranking.evaluated, 2);
    assert_true(fabs(ranking.mean.mrr - .75) < 1e-12);
    dip_ranking_free(&ranking);
    dip_trec_free(&trec);
}

static void test_trec_query_without_judgements_counts_nowhere(void **state)
{
    (void)state;
    dip_trec trec;
    dip_err err = {0};
    assert_int_equal(read_texts(&trec, RUN, "q1 0 a 1\n", &err), DIP_OK);
    assert_false(trec.graded);
    assert_int_equal(trec.relevance.queries, 2);
    assert_int_equal(dip_relevance_of(&trec.relevance, 1).count, 0);
    dip_trec_free(&trec);
}

static void assert_refused(const char *run, const char *qrels, dip_status code,
                           const char *message)
{
    dip_trec trec;
    dip_err err = {0};
    assert_int_equal(read_texts(&trec, run, qrels, &err), code);
    assert_null(trec.queries);
    if (strstr(err.msg, message) == NULL)
        fail_msg("'%s' does not say '%s'", err.msg, message);
}

static void test_trec_refuses_what_is_broken(void **state)
{
    (void)state;
    const char *qrels = "q1 0 a 1\n";
    assert_refused("q1 Q0 a 1 3\n", qrels, DIP_EFORMAT,
                   "x.run' line 1 has 5 fields, not 6");
    assert_refused("q1 Q0 a 1 3 s\nq1 Q0 b 1 nan s\n", qrels, DIP_EFORMAT,
                   "x.run' line 2: the score 'nan' is no number");
    assert_refused("q1 Q0 a 1 1e999 s\n", qrels, DIP_EFORMAT, "is no number");
    assert_refused("q1 Q0 a 1 3 s\nq1 Q0 a 2 2 s\n", qrels, DIP_EFORMAT,
                   "document 'a' twice for query 'q1', in lines 1 and 2");
    assert_refused("\n \n", qrels, DIP_EFORMAT, "x.run' is empty");
    assert_refused(RUN, "q1 0 a -1\n", DIP_EFORMAT,
                   "x.qrels' line 1: grade -1 is outside 0 to 1000");
    assert_refused(RUN, "q1 0 a 1\nq3 0 a 0\n", DIP_EDATA, "query 'q3' of '");
}

static dip_bytes name_of(void *user, int64_t i)
{
    const char *const *names = user;
    return (dip_bytes){names[i], strlen(names[i])};
}

static void test_trec_writes_what_it_reads(void **state)
{
    (void)state;
    const char *names[] = {"red shoe", "100%", "\xc3\xa9"};
    const dip_hit hits[] = {{.5f, 2}, {.1f, 0}, {.25f, 1}, {-INFINITY, -1}};
    int64_t offsets[] = {0, 1, 2}, rows[] = {2, 1};
    dip_relevance relevance = {2, 2, NULL, offsets, rows, NULL};
    dip_trec_names who = {name_of, name_of, (void *)names, "a b"};
    dip_err err = {0};
    FILE *run = fopen(run_path, "w"), *qrels = fopen(qrels_path, "w");
    assert_true(run != NULL && qrels != NULL);
    dip_trec_put_lists(run, hits, 0, 2, 2, &who);
    dip_trec_put_judgements(qrels, &relevance, &who);
    (void)fclose(run);
    (void)fclose(qrels);
    char *text;
    size_t n;
    assert_int_equal(dip_file_read(&text, &n, run_path, 1000, &err), DIP_OK);
    assert_string_equal(text, "red%20shoe Q0 \xc3\xa9 1 0.5 a%20b\n"
                              "red%20shoe Q0 red%20shoe 2 0.100000001 a%20b\n"
                              "100%25 Q0 100%25 1 0.25 a%20b\n");
    free(text);
    dip_trec trec;
    assert_int_equal(dip_trec_read(&trec, run_path, qrels_path, &err), DIP_OK);
    assert_int_equal(trec.run.lists, 2);
    assert_int_equal(trec.run.offsets[2], 3);
    assert_string_equal(trec.tag, "a%20b");
    dip_trec_free(&trec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trec_reads_run_and_judgements),
        cmocka_unit_test(test_trec_query_without_judgements_counts_nowhere),
        cmocka_unit_test(test_trec_refuses_what_is_broken),
        cmocka_unit_test(test_trec_writes_what_it_reads),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
