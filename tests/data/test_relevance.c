#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/class_counts.h"
#include "data/relevance.h"
#include "tests/data/small_catalog.h"

/* Groups: {0, 1}, {2, 5}. Titles: 1 and 3 are equal once normalised; 4 and 6
 * are empty. Labels: 0, 2 and 3 are red shirts; 1 has no type. */
static const struct small_row rows[] = {
    {.id = "0",
     .group = "g",
     .title = "Red Shirt",
     .colour = "Red",
     .type = "Shirt"},
    {.id = "1", .group = "g", .title = "RED  caf\xc3\xa9", .colour = "Red"},
    {.id = "2",
     .group = "h",
     .title = "Shirt",
     .colour = "Red",
     .type = "Shirt"},
    {.id = "3", .title = "red cafe\xcc\x81 ", .colour = "Red", .type = "Shirt"},
    {.id = "4", .title = "", .colour = "Blue", .type = "Shirt"},
    {.id = "5", .group = "h", .title = "Bag", .colour = "Red", .type = "Bag"},
    {.id = "6", .title = " ", .colour = "Red"},
};
enum { ROWS = DIP_ARRAY_LEN(rows) };

static const dip_bytes queries[] = {
    {"red shirt", 9}, {"bag", 3}, {"nothing", 7}, {"held out", 8}};

static const dip_judgement judgements[] = {
    {0, 2, 1, DIP_SPLIT_TRAIN}, {0, 0, 2, DIP_SPLIT_TRAIN},
    {0, 5, 0, DIP_SPLIT_TRAIN}, {1, 5, 3, DIP_SPLIT_TRAIN},
    {1, 2, 1, DIP_SPLIT_TRAIN}, {2, 6, 1, DIP_SPLIT_TRAIN},
    {3, 0, 1, DIP_SPLIT_TEST},  {3, 4, 2, DIP_SPLIT_TEST},
};

static struct small_catalog small;

static int setup(void **state)
{
    (void)state;
    dip_err err = {0};
    small_write(&small, rows, ROWS);
    small_ok(dip_catalog_put_judgements(small.path, queries,
                                        DIP_ARRAY_LEN(queries), judgements,
                                        DIP_ARRAY_LEN(judgements), &err),
             &err);
    small_open(&small);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    small_close(&small);
    return 0;
}

/* ---- keys ---- */

/* `expected` has a row of '0' and '1' for each of the catalog. */
static void check_keys(const dip_key_rule *rule, const char *const *expected)
{
    static const int64_t all[ROWS] = {0, 1, 2, 3, 4, 5, 6};
    uint8_t positives[ROWS * ROWS];
    dip_row_keys keys;
    dip_err err = {0};
    small_ok(dip_row_keys_build(&keys, small.catalog, rule, &err), &err);
    memset(positives, 9, sizeof positives);
    dip_row_keys_positives(positives, &keys, all, ROWS);
    for (int64_t i = 0; i < ROWS; i++) {
        for (int64_t j = 0; j < ROWS; j++) {
            if (positives[i * ROWS + j] != expected[i][j] - '0')
                fail_msg("rows %d and %d", (int)i, (int)j);
            assert_int_equal(dip_row_keys_equal(&keys, i, j),
                             expected[i][j] == '1');
        }
        for (int64_t c = 0; c < keys.columns; c++)
            assert_true(keys.values[i * keys.columns + c] >= 0);
    }
    dip_row_keys_free(&keys);
}

static void test_relevance_by_group(void **state)
{
    (void)state;
    dip_key_rule rule = {.group = true};
    check_keys(&rule,
               (const char *const[]){"1100000", "1100000", "0010010", "0001000",
                                     "0000100", "0010010", "0000001"});
}

static void test_relevance_by_normalised_title(void **state)
{
    (void)state;
    dip_key_rule rule = {.texts = &small.column[SMALL_TITLE], .text_count = 1};
    check_keys(&rule,
               (const char *const[]){"1000000", "0101000", "0010000", "0101000",
                                     "0000100", "0000010", "0000001"});
}

static void test_relevance_by_group_or_title(void **state)
{
    (void)state;
    dip_key_rule rule = {
        .group = true, .texts = &small.column[SMALL_TITLE], .text_count = 1};
    check_keys(&rule,
               (const char *const[]){"1100000", "1101000", "0010010", "0101000",
                                     "0000100", "0010010", "0000001"});
}

/* 0 and 3 hang together through 1 alone. */
static void test_relevance_components(void **state)
{
    (void)state;
    static const int64_t all[] = {0, 1, 2, 3, 4, 5, 6}, some[] = {3, 5, 0, 2};
    dip_key_rule rule = {
        .group = true, .texts = &small.column[SMALL_TITLE], .text_count = 1};
    dip_row_keys keys = {0};
    dip_err err = {0};
    int64_t of[ROWS];
    small_ok(dip_row_keys_build(&keys, small.catalog, &rule, &err), &err);
    small_ok(dip_row_keys_components(of, &keys, all, ROWS, &err), &err);
    static const int want[] = {0, 0, 2, 0, 4, 2, 6};
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < ROWS; j++)
            assert_int_equal(of[i] == of[j], want[i] == want[j]);
    small_ok(dip_row_keys_components(of, &keys, some, 4, &err), &err);
    assert_int_equal(of[1], of[3]);
    assert_int_not_equal(of[0], of[1]);
    assert_int_not_equal(of[0], of[2]);
    assert_int_not_equal(of[2], of[1]);
    dip_row_keys_free(&keys);
}

static void test_relevance_by_all_labels(void **state)
{
    (void)state;
    const int labels[] = {small.column[SMALL_COLOUR], small.column[SMALL_TYPE]};
    dip_key_rule rule = {.labels = labels, .label_count = 2};
    check_keys(&rule,
               (const char *const[]){"1011000", "0100000", "1011000", "1011000",
                                     "0000100", "0000010", "0000001"});
}

static void test_relevance_needs_a_rule(void **state)
{
    (void)state;
    dip_row_keys keys;
    dip_err err = {0};
    dip_key_rule rule = {0};
    assert_int_equal(dip_row_keys_build(&keys, small.catalog, &rule, &err),
                     DIP_ECONFIG);
    assert_string_equal(err.msg, "nothing says which rows are right answers");
}

static void test_relevance_gathers_keys_of_a_batch(void **state)
{
    (void)state;
    dip_row_keys keys;
    dip_key_rule rule = {
        .group = true, .texts = &small.column[SMALL_TITLE], .text_count = 1};
    assert_int_equal(dip_row_keys_build(&keys, small.catalog, &rule, NULL),
                     DIP_OK);
    int64_t got[6];
    dip_row_keys_gather(got, &keys, (const int64_t[]){5, 0, 2}, 3);
    assert_int_equal(keys.columns, 2);
    assert_int_equal(got[0], got[4]);     /* group of 5 and 2 */
    assert_int_not_equal(got[0], got[2]); /* of 5 and 0 */
    assert_int_equal(got[3], keys.values[0 * 2 + 1]);
    dip_row_keys_free(&keys);
}

/* ---- judgements ---- */

static void test_relevance_judged_queries_of_a_gallery(void **state)
{
    (void)state;
    const int64_t gallery[] = {5, 2, 0};
    dip_judged_queries judged;
    dip_err err = {0};
    small_ok(dip_judged_queries_build(&judged, small.catalog, DIP_SPLIT_TRAIN,
                                      gallery, 3, &err),
             &err);
    assert_int_equal(judged.queries, 3);
    assert_memory_equal(judged.query, ((int64_t[]){0, 1, 2}), 24);
    assert_memory_equal(judged.offsets, ((int64_t[]){0, 3, 5, 5}), 32);
    /* Of query 0: bag (5) wrong, 2, 0; of query 1: 5, 2. */
    assert_memory_equal(judged.rows, ((int64_t[]){0, 1, 2, 0, 1}), 40);
    assert_memory_equal(judged.grades, ((float[]){0, 1, 2, 3, 1}), 20);
    assert_int_equal(judged.outside, 1);
    dip_judged_queries_free(&judged);
}

static void test_relevance_judged_queries_keep_to_their_split(void **state)
{
    (void)state;
    const int64_t gallery[] = {0, 1, 2, 3, 4, 5, 6};
    dip_judged_queries judged;
    assert_int_equal(dip_judged_queries_build(&judged, small.catalog,
                                              DIP_SPLIT_TEST, gallery, 7, NULL),
                     DIP_OK);
    assert_int_equal(judged.queries, 1);
    assert_int_equal(judged.query[0], 3);
    assert_memory_equal(judged.rows, ((int64_t[]){0, 4}), 16);
    dip_judged_queries_free(&judged);
    assert_int_equal(dip_judged_queries_build(&judged, small.catalog,
                                              DIP_SPLIT_VAL, gallery, 7, NULL),
                     DIP_OK);
    assert_int_equal(judged.queries, 0);
    assert_int_equal(judged.offsets[0], 0);
    dip_judged_queries_free(&judged);
}

static dip_row_queries row_queries(void)
{
    dip_row_queries answered;
    dip_err err = {0};
    small_ok(
        dip_row_queries_build(&answered, small.catalog, DIP_SPLIT_TRAIN, &err),
        &err);
    return answered;
}

static void test_relevance_row_queries_leave_wrong_answers_out(void **state)
{
    (void)state;
    dip_row_queries answered = row_queries();
    assert_int_equal(answered.rows, ROWS);
    assert_memory_equal(answered.offsets, ((int64_t[]){0, 1, 1, 3, 3, 3, 4, 5}),
                        64);
    assert_memory_equal(answered.queries, ((int64_t[]){0, 0, 1, 1, 2}), 40);
    dip_row_queries_free(&answered);
}

static void test_relevance_row_queries_know_their_grades(void **state)
{
    (void)state;
    dip_row_queries answered = row_queries();
    assert_true(answered.highest == 3);
    assert_true(dip_row_queries_grade(&answered, 0, 0) == 2);
    assert_true(dip_row_queries_grade(&answered, 1, 2) == 1);
    assert_true(dip_row_queries_grade(&answered, 1, 5) == 3);
    assert_true(dip_row_queries_grade(&answered, 0, 5) == 0); /* grade 0 */
    assert_true(dip_row_queries_grade(&answered, 3, 0) == 0); /* held out */
    assert_true(dip_row_queries_grade(&answered, -1, 2) == 0);
    dip_row_queries_free(&answered);
}

/* scikit-learn's compute_class_weight("balanced") of four shirts and a bag. */
static void test_relevance_balanced_weights_of_classes(void **state)
{
    (void)state;
    float *weights;
    dip_err err = {0};
    small_ok(dip_class_weights_balanced(&weights, small.catalog,
                                        small.column[SMALL_TYPE],
                                        DIP_SPLIT_TRAIN, &err),
             &err);
    for (int64_t row = 0; row < ROWS; row++) {
        int32_t type =
            dip_catalog_label(small.catalog, small.column[SMALL_TYPE], row);
        if (type >= 0)
            assert_true(weights[type] == (row == 5 ? 2.5F : .625F));
    }
    free(weights);
}

static void test_relevance_pick_takes_each_query_of_a_row(void **state)
{
    (void)state;
    dip_row_queries answered = row_queries();
    int counts[2] = {0};
    for (int64_t epoch = 0; epoch < 400; epoch++) {
        int64_t query = dip_row_queries_pick(&answered, 7, epoch, 2);
        assert_in_range(query, 0, 1);
        counts[query]++;
        assert_int_equal(query, dip_row_queries_pick(&answered, 7, epoch, 2));
        assert_int_equal(dip_row_queries_pick(&answered, 7, epoch, 5), 1);
        assert_int_equal(dip_row_queries_pick(&answered, 7, epoch, 1), -1);
    }
    assert_in_range(counts[0], 155, 245); /* 4.5 standard deviations */
    dip_row_queries_free(&answered);
}

static void test_relevance_positives_of_judged_queries(void **state)
{
    (void)state;
    dip_row_queries answered = row_queries();
    uint8_t out[16];
    memset(out, 9, sizeof out);
    dip_row_queries_positives(out, &answered, (const int64_t[]){0, 1, -1, 2},
                              (const int64_t[]){0, 2, 1, 6}, 4);
    static const uint8_t expected[16] = {1, 1, 0, 0, /* red shirt: 0, 2 */
                                         0, 1, 0, 0, /* bag: 2, not 0 */
                                         0, 0, 0, 0, /* none */
                                         0, 0, 0, 1};
    assert_memory_equal(out, expected, 16);
    dip_row_queries_free(&answered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relevance_by_group),
        cmocka_unit_test(test_relevance_by_normalised_title),
        cmocka_unit_test(test_relevance_by_group_or_title),
        cmocka_unit_test(test_relevance_components),
        cmocka_unit_test(test_relevance_by_all_labels),
        cmocka_unit_test(test_relevance_needs_a_rule),
        cmocka_unit_test(test_relevance_gathers_keys_of_a_batch),
        cmocka_unit_test(test_relevance_judged_queries_of_a_gallery),
        cmocka_unit_test(test_relevance_judged_queries_keep_to_their_split),
        cmocka_unit_test(test_relevance_row_queries_leave_wrong_answers_out),
        cmocka_unit_test(test_relevance_row_queries_know_their_grades),
        cmocka_unit_test(test_relevance_balanced_weights_of_classes),
        cmocka_unit_test(test_relevance_pick_takes_each_query_of_a_row),
        cmocka_unit_test(test_relevance_positives_of_judged_queries),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
