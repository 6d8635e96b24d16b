#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void test_mem_arithmetic_tells_overflow(void **state)
{
    (void)state;
    size_t out = 7;
    assert_true(dip_add_overflows(SIZE_MAX, 1, &out));
    assert_true(dip_mul_overflows(SIZE_MAX / 2 + 1, 2, &out));
    assert_int_equal(out, 7);
    assert_false(dip_add_overflows(SIZE_MAX - 1, 1, &out));
    assert_true(out == SIZE_MAX);
    assert_false(dip_mul_overflows(6, 7, &out));
    assert_int_equal(out, 42);
}

static void test_mem_calloc_takes_no_items_and_refuses_too_many(void **state)
{
    (void)state;
    void *none = dip_calloc(0, 8);
    assert_non_null(none);
    free(none);
    volatile size_t huge = SIZE_MAX / 4;
    assert_null(dip_calloc(huge, 8));
}

static void test_mem_reserve_keeps_items_and_fails_cleanly(void **state)
{
    (void)state;
    int *items = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(
            dip_reserve(&items, &capacity, i + 1, sizeof *items, NULL), DIP_OK);
        items[i] = (int)i;
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(items[i], i);
    const int *before = items;
    size_t had = capacity;
    dip_err err = {0};
    assert_int_equal(
        dip_reserve(&items, &capacity, SIZE_MAX / 2, sizeof *items, &err),
        DIP_ENOMEM);
    assert_ptr_equal(items, before);
    assert_int_equal(capacity, had);
    assert_string_equal(err.msg, "out of memory");
    free(items);
}

static void test_mem_strndup_copies_and_ends(void **state)
{
    (void)state;
    char *copy = dip_strndup("product", 4);
    assert_string_equal(copy, "prod");
    free(copy);
}

static void test_mem_lines_are_aligned_and_refuse_too_many(void **state)
{
    (void)state;
    for (size_t count = 0; count < 200; count += 7) {
        char *lines = dip_lines_alloc(count, 3);
        assert_non_null(lines);
        assert_int_equal((uintptr_t)lines % 64, 0);
        memset(lines, 1, 3 * count);
        dip_lines_free(lines);
    }
    assert_null(dip_lines_alloc(SIZE_MAX / 2, 3));
    assert_null(dip_lines_alloc(SIZE_MAX, 1));
    dip_lines_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mem_arithmetic_tells_overflow),
        cmocka_unit_test(test_mem_calloc_takes_no_items_and_refuses_too_many),
        cmocka_unit_test(test_mem_reserve_keeps_items_and_fails_cleanly),
        cmocka_unit_test(test_mem_strndup_copies_and_ends),
        cmocka_unit_test(test_mem_lines_are_aligned_and_refuse_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
