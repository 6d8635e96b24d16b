/* The file of outcomes: what is written comes back, and what is damaged is
 * refused in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "data/h5.h"
#include "eval/outcomes.h"
#include "tests/data/catalog_fixture.h"

enum { QUERIES = 3, METRICS = 2, TOP = 2 };

/* libhdf5 1.10.8 loses memory of its own on some malformed files. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

static const char *path_of(void)
{
    return fixture_path("queries.h5");
}

static void fill(dip_outcomes *o, const char *task)
{
    static const char *const ids[] = {"a", "", "shoe \xe2\x82\xac"};
    assert_int_equal(dip_outcomes_alloc(o, task, QUERIES, METRICS, TOP, NULL),
                     DIP_OK);
    for (int i = 0; i < QUERIES; i++) {
        o->row[i] = 7 * i;
        o->group[i] = i / 2;
        o->relevant[i] = i + 1;
        o->rank[i] = i == 2 ? INFINITY : 1.5 + i;
        for (int m = 0; m < METRICS; m++)
            o->values[m * QUERIES + i] = 1. / (3 + i + m);
        for (int k = 0; k < TOP; k++) {
            o->top_row[i * TOP + k] = k == 1 && i == 0 ? -1 : 40 + k;
            o->top_score[i * TOP + k] = -.5F * (float)k;
            o->top_right[i * TOP + k] = k == 0;
        }
        dip_bytes id = {ids[i], strlen(ids[i])};
        dip_bytes text = {"red", (size_t)i};
        assert_int_equal(dip_text_column_put(&o->ids, i, id, NULL), DIP_OK);
        assert_int_equal(dip_text_column_put(&o->texts, i, text, NULL), DIP_OK);
    }
    (void)snprintf(o->names[0], sizeof o->names[0], "mrr");
    (void)snprintf(o->names[1], sizeof o->names[1], "hit@10");
}

static void assert_same(const dip_outcomes *a, const dip_outcomes *b)
{
    size_t n = QUERIES;
    assert_string_equal(a->task, b->task);
    assert_int_equal(b->count, QUERIES);
    assert_int_equal(b->top, TOP);
    assert_memory_equal(a->row, b->row, n * sizeof *a->row);
    assert_memory_equal(a->group, b->group, n * sizeof *a->group);
    assert_memory_equal(a->relevant, b->relevant, n * sizeof *a->relevant);
    assert_memory_equal(a->rank, b->rank, n * sizeof *a->rank);
    assert_memory_equal(a->top_row, b->top_row, n * TOP * sizeof *a->top_row);
    assert_memory_equal(a->top_score, b->top_score,
                        n * TOP * sizeof *a->top_score);
    assert_memory_equal(a->top_right, b->top_right, n * TOP);
    for (int m = 0; m < METRICS; m++) {
        const double *values = dip_outcomes_values(b, a->names[m]);
        assert_non_null(values);
        assert_memory_equal(a->values + m * QUERIES, values,
                            n * sizeof *values);
    }
    for (int i = 0; i < QUERIES; i++) {
        dip_bytes x = dip_text_column_get(&a->ids, i);
        dip_bytes y = dip_text_column_get(&b->ids, i);
        assert_int_equal(x.len, y.len);
        assert_memory_equal(x.data, y.data, x.len);
        assert_int_equal(dip_text_column_get(&b->texts, i).len, i);
    }
}

static void test_outcomes_come_back_from_the_file(void **state)
{
    (void)state;
    dip_outcomes items[2] = {0};
    fill(&items[0], "to image");
    assert_int_equal(dip_outcomes_alloc(&items[1], "empty", 0, 1, 0, NULL),
                     DIP_OK);
    (void)snprintf(items[1].names[0], sizeof items[1].names[0], "mrr");
    dip_outcome_set set = {items, 2}, got;
    for (int twice = 0; twice < 2; twice++) /* an old file is replaced */
        assert_int_equal(dip_outcome_set_write(path_of(), &set, NULL), DIP_OK);
    assert_int_equal(dip_outcome_set_read(&got, path_of(), NULL), DIP_OK);
    assert_int_equal(got.count, 2);
    assert_same(&items[0], dip_outcome_set_find(&got, "to image"));
    assert_int_equal(dip_outcome_set_find(&got, "empty")->count, 0);
    assert_null(dip_outcome_set_find(&got, "other"));
    assert_null(dip_outcomes_values(&got.items[0], "other"));
    dip_outcome_set_free(&got);
    dip_outcomes_free(&items[0]);
    dip_outcomes_free(&items[1]);
}

/* ---- damage ---- */

static const int64_t two[] = {1, 2}, negative[] = {0, -1, 1};
static const int64_t hits[] = {0, 1, 2, 3, 4}, low[] = {0, 1, -2, 3, 4, 5};
static const double no_rank[] = {1, NAN, 2}, rank_0[] = {1, 2, 0};
static const double no_value[] = {1, 0, INFINITY};
static const uint8_t odd[] = {0, 1, 0, 1, 2, 0};
static const int64_t offsets[] = {0, 1, 1, 99};

static const struct {
    const char *dataset;
    dip_h5_type type;
    int64_t count;
    const void *values;
    const char *message;
} damages[] = {
    {"t/group", DIP_H5_I64, 2, two,
     "dataset 't/group' of '%s' has 2 rows, not 3"},
    {"t/relevant", DIP_H5_F64, 3, no_rank,
     "dataset 't/relevant' of '%s' is not int64"},
    {"t/row", DIP_H5_I64, 3, negative,
     "a number below 0 of query 1 of 't' in '%s'"},
    {"t/rank", DIP_H5_F64, 3, no_rank, "no rank of query 1 of 't' in '%s'"},
    {"t/rank", DIP_H5_F64, 3, rank_0, "no rank of query 2 of 't' in '%s'"},
    {"t/value/mrr", DIP_H5_F64, 3, no_value,
     "no value of a metric of query 2 of 't' in '%s'"},
    {"t/top/row", DIP_H5_I64, 5, hits,
     "5 rows of rankings for 3 queries in 't' of '%s'"},
    {"t/top/row", DIP_H5_I64, 6, low,
     "a wrong row of the ranking of query 1 of 't' in '%s'"},
    {"t/top/right", DIP_H5_U8, 6, odd,
     "a wrong row of the ranking of query 2 of 't' in '%s'"},
    {"t/id/offsets", DIP_H5_I64, 4, offsets,
     "offsets end at 99, beyond 9 bytes, in 't/id' of '%s'"},
};

static void damage(size_t at)
{
    dip_h5_file file;
    assert_int_equal(dip_h5_open_write(&file, path_of(), NULL), DIP_OK);
    assert_true(H5Ldelete(file.id, damages[at].dataset, H5P_DEFAULT) >= 0);
    assert_int_equal(dip_h5_write(&file, damages[at].dataset, damages[at].type,
                                  damages[at].count, damages[at].values, NULL),
                     DIP_OK);
    assert_int_equal(dip_h5_finish(&file, NULL), DIP_OK);
}

static void test_outcomes_refuse_a_damaged_file(void **state)
{
    (void)state;
    dip_outcomes item = {0};
    fill(&item, "t");
    dip_outcome_set set = {&item, 1}, got;
    for (size_t i = 0; i < DIP_ARRAY_LEN(damages); i++) {
        dip_err err = {0};
        char message[256];
        assert_int_equal(dip_outcome_set_write(path_of(), &set, NULL), DIP_OK);
        damage(i);
        assert_int_equal(dip_outcome_set_read(&got, path_of(), &err),
                         DIP_EFORMAT);
        (void)snprintf(message, sizeof message, damages[i].message, path_of());
        assert_string_equal(err.msg, message);
        assert_null(got.items);
    }
    assert_int_equal(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
    dip_outcomes_free(&item);
}

static void test_outcomes_refuse_another_file(void **state)
{
    (void)state;
    dip_outcome_set got;
    dip_err err = {0};
    dip_h5_file file;
    assert_int_equal(dip_outcome_set_read(&got, "no such file.h5", &err),
                     DIP_EFORMAT);
    assert_int_equal(dip_h5_create_over(&file, path_of(), NULL), DIP_OK);
    assert_int_equal(dip_h5_put_text(&file, "format", "a catalog", NULL),
                     DIP_OK);
    assert_int_equal(dip_h5_finish(&file, NULL), DIP_OK);
    assert_int_equal(dip_outcome_set_read(&got, path_of(), &err), DIP_EFORMAT);
    assert_non_null(strstr(err.msg, "holds 'a catalog', not diptych-queries"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes_come_back_from_the_file),
        cmocka_unit_test(test_outcomes_refuse_a_damaged_file),
        cmocka_unit_test(test_outcomes_refuse_another_file),
    };
    return cmocka_run_group_tests(tests, fixture_enter, fixture_leave);
}
