#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>

#include "eval/relevance.h"

static bool share_a_key(const int64_t *a, const int64_t *b, int64_t columns)
{
    for (int64_t c = 0; c < columns; c++) {
        if (a[c] >= 0 && a[c] == b[c])
            return true;
    }
    return false;
}

/* Every list against the definition, for each query and gallery row. */
static void check_lists(const int64_t *query_keys, int64_t queries,
                        const int64_t *gallery_keys, int64_t gallery,
                        int64_t columns, int64_t lists)
{
    dip_relevance r;
    dip_err err = {0};
    assert_int_equal(dip_relevance_by_keys(&r, query_keys, queries,
                                           gallery_keys, gallery, columns,
                                           &err),
                     DIP_OK);
    assert_int_equal(r.queries, queries);
    assert_int_equal(r.lists, lists);
    assert_int_equal(dip_relevance_check(&r, gallery, &err), DIP_OK);
    for (int64_t q = 0; q < queries; q++) {
        dip_judged judged = dip_relevance_of(&r, q);
        int64_t at = 0;
        for (int64_t g = 0; g < gallery; g++) {
            if (!share_a_key(query_keys + q * columns,
                             gallery_keys + g * columns, columns))
                continue;
            assert_true(at < judged.count);
            assert_int_equal(judged.rows[at++], g);
        }
        assert_int_equal(at, judged.count);
        assert_null(judged.grades);
    }
    dip_relevance_free(&r);
    assert_null(r.rows);
}

static void test_relevance_by_one_key_shares_lists(void **state)
{
    (void)state;
    static const int64_t queries[] = {7, 3, 7, -1, 9, 3};
    static const int64_t gallery[] = {3, 7, -1, 3, 8, 7, 7};
    check_lists(queries, 6, gallery, 7, 1, 4);
}

static void test_relevance_by_either_of_two_keys(void **state)
{
    (void)state;
    static const int64_t queries[] = {1, 5, 1, -1, -1, 6, -1, -1, 2, 2};
    static const int64_t gallery[] = {1, 5, 1, 6, 5, 1, -1, 6, -1, -1, 3, 5};
    check_lists(queries, 5, gallery, 6, 2, 5);
}

static void test_relevance_of_nothing(void **state)
{
    (void)state;
    static const int64_t keys[] = {4, 4};
    check_lists(keys, 0, keys, 2, 1, 0);
    check_lists(keys, 2, keys, 0, 1, 1);
}

typedef struct {
    int64_t offsets[3], rows[4];
    float grades[4];
    const char *message;
} broken;

static void test_relevance_check_names_query_and_row(void **state)
{
    (void)state;
    const broken cases[] = {
        {{0, 2, 4},
         {0, 1, 2, 5},
         {1, 1, 1, 1},
         "query 1 judges row 5 of a gallery of 5"},
        {{0, 2, 4},
         {0, -1, 2, 4},
         {1, 1, 1, 1},
         "query 0 judges row -1 of a gallery of 5"},
        {{0, 2, 4}, {0, 1, 3, 3}, {1, 1, 1, 1}, "query 1 judges row 3 twice"},
        {{0, 2, 4},
         {0, 1, 2, 3},
         {1, -1, 1, 1},
         "query 0 gives row 1 the grade -1, outside 0 to 1000"},
        {{0, 2, 4},
         {0, 1, 2, 3},
         {1, 1, 1, NAN},
         "query 1 gives row 3 the grade nan, outside 0 to 1000"},
        {{0, 3, 2},
         {0, 1, 2, 3},
         {1, 1, 1, 1},
         "broken offsets of relevance list 1"},
        {{1, 3, 4},
         {0, 1, 2, 3},
         {1, 1, 1, 1},
         "broken offsets of relevance list 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        broken c = cases[i];
        dip_relevance r = {2, 2, NULL, c.offsets, c.rows, c.grades};
        dip_err err = {0};
        assert_int_equal(dip_relevance_check(&r, 5, &err), DIP_EDATA);
        assert_string_equal(err.msg, c.message);
    }
}

static void test_relevance_check_refuses_wrong_lists(void **state)
{
    (void)state;
    int64_t offsets[] = {0, 1}, rows[] = {0}, list_of[] = {0, -1, 1};
    dip_relevance r = {3, 1, NULL, offsets, rows, NULL};
    dip_err err = {0};
    assert_int_equal(dip_relevance_check(&r, 1, &err), DIP_EDATA);
    assert_string_equal(err.msg, "relevance has 1 lists for 3 queries");
    r.list_of = list_of;
    assert_int_equal(dip_relevance_check(&r, 1, &err), DIP_EDATA);
    assert_string_equal(err.msg, "query 2 has no list 1");
    list_of[2] = 0;
    assert_int_equal(dip_relevance_check(&r, 1, &err), DIP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_relevance_by_one_key_shares_lists),
        cmocka_unit_test(test_relevance_by_either_of_two_keys),
        cmocka_unit_test(test_relevance_of_nothing),
        cmocka_unit_test(test_relevance_check_names_query_and_row),
        cmocka_unit_test(test_relevance_check_refuses_wrong_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
