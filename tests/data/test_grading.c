#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/grading.h"

enum { COUNT = 6 };

static const double values[COUNT] = {8, 4, 4, 1, 0.5, 0};

/* Whatever the kind: the best has the highest grade, equal ones the same, and
 * nothing is 0. */
static void test_grading_keeps_the_order(void **state)
{
    (void)state;
    for (int kind = 0; kind < DIP_GRADING_COUNT; kind++) {
        for (int how = 0; how < 4; how++) {
            const dip_grading g = {.kind = (dip_grading_kind)kind,
                                   .scale = 4,
                                   .full = 8,
                                   .log = how % 2 == 1,
                                   .whole = how >= 2};
            float grades[COUNT];
            dip_grading_list(grades, values, COUNT, &g);
            assert_float_equal(grades[0], 4, 1e-6);
            assert_true(grades[1] == grades[2] && (g.whole || grades[1] < 4));
            for (int i = 1; i < COUNT; i++)
                assert_true(grades[i] <= grades[i - 1]);
            assert_true(grades[COUNT - 2] > 0 && grades[COUNT - 1] == 0);
        }
    }
}

/* 25 places give 25 grades, although 25 * (7 / 25) is more than 7 by rounding.
 */
static void test_grading_rounds_up_what_is_not_whole(void **state)
{
    (void)state;
    enum { PLACES = 25 };
    const dip_grading rank = {
        .kind = DIP_GRADING_RANK, .scale = PLACES, .whole = true};
    const dip_grading relative = {.scale = 3, .whole = true};
    double falling[PLACES];
    float grades[PLACES];
    for (int i = 0; i < PLACES; i++)
        falling[i] = PLACES - i;
    dip_grading_list(grades, falling, PLACES, &rank);
    for (int i = 0; i < PLACES; i++)
        assert_true(grades[i] == (float)(PLACES - i));
    dip_grading_list(grades, values, COUNT, &relative);
    assert_true(grades[1] == 2 && grades[3] == 1);
}

static void test_grading_stops_at_the_scale(void **state)
{
    (void)state;
    const dip_grading g = {.kind = DIP_GRADING_ABSOLUTE, .scale = 3, .full = 2};
    float grades[COUNT];
    dip_grading_list(grades, values, COUNT, &g);
    assert_true(grades[0] == 3 && grades[2] == 3 && grades[3] == 1.5F);
}

static void test_grading_knows_its_words(void **state)
{
    (void)state;
    dip_grading_kind kind;
    assert_true(dip_grading_parse(&kind, "rank"));
    assert_int_equal(kind, DIP_GRADING_RANK);
    assert_false(dip_grading_parse(&kind, "best"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grading_keeps_the_order),
        cmocka_unit_test(test_grading_rounds_up_what_is_not_whole),
        cmocka_unit_test(test_grading_stops_at_the_scale),
        cmocka_unit_test(test_grading_knows_its_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
