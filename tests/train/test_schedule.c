#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "tests/tensor/golden.h"
#include "train/schedule.h"

#define PEAK 0.02

static void test_schedule_follows_torch(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        dip_schedule schedule;
    } cases[] = {
        {"cosine", {DIP_SCHEDULE_COSINE, PEAK, 0, 4, 23, 0}},
        {"cosine_floor", {DIP_SCHEDULE_COSINE, PEAK, .1, 5, 20, 0}},
        {"cosine_plain", {DIP_SCHEDULE_COSINE, PEAK, 0, 0, 10, 0}},
        {"linear", {DIP_SCHEDULE_LINEAR, PEAK, 0, 3, 15, 0}},
        {"linear_floor", {DIP_SCHEDULE_LINEAR, PEAK, .25, 1, 12, 0}},
        {"constant", {DIP_SCHEDULE_CONSTANT, PEAK, 0, 6, 11, 0}},
    };
    dip_scope_open();
    dip_safetensors *file =
        golden_open("tests/golden/train/schedule.safetensors");
    assert_int_equal(dip_safetensors_count(file), DIP_ARRAY_LEN(cases));
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        int found = dip_safetensors_find(file, cases[i].name);
        assert_true(found >= 0);
        double wanted[32];
        dip_tensor *golden = dip_safetensors_tensor(file, found);
        int64_t total = dip_tensor_numel(golden);
        assert_int_equal(total, cases[i].schedule.total_steps);
        dip_tensor_read(golden, DIP_F64, wanted, sizeof wanted);
        for (int64_t step = 1; step <= total; step++)
            assert_near(dip_schedule_lr(&cases[i].schedule, step),
                        wanted[step - 1], 1e-9);
    }
    dip_safetensors_close(file);
    dip_scope_close();
}

/* Halfway down a cosine is half of the way, a third of the cosine's 60 degrees
 * leaves three quarters. */
static void test_schedule_has_the_values_of_its_formula(void **state)
{
    (void)state;
    const dip_schedule cosine = {DIP_SCHEDULE_COSINE, 1, .2, 2, 14, 0};
    assert_near(dip_schedule_lr(&cosine, 1), .5, 1e-15);
    assert_near(dip_schedule_lr(&cosine, 2), 1, 1e-15);
    assert_near(dip_schedule_lr(&cosine, 6), .2 + .8 * .75, 1e-15);
    assert_near(dip_schedule_lr(&cosine, 8), .2 + .8 * .5, 1e-15);
    assert_near(dip_schedule_lr(&cosine, 14), .2, 1e-15);
}

/* Two schedules one after the other, each with its warm-up. */
static void test_schedule_begins_anew_after_its_restart(void **state)
{
    (void)state;
    const dip_schedule both = {DIP_SCHEDULE_COSINE, 1, .2, 2, 18, .restart = 8};
    const dip_schedule first = {DIP_SCHEDULE_COSINE, 1, .2, 2, 8, 0};
    const dip_schedule second = {DIP_SCHEDULE_COSINE, 1, .2, 2, 10, 0};
    for (int64_t step = 1; step <= 8; step++)
        assert_near(dip_schedule_lr(&both, step), dip_schedule_lr(&first, step),
                    0);
    for (int64_t step = 1; step <= 10; step++)
        assert_near(dip_schedule_lr(&both, 8 + step),
                    dip_schedule_lr(&second, step), 0);
    assert_near(dip_schedule_lr(&both, 8), .2, 1e-15);
    assert_near(dip_schedule_lr(&both, 9), .5, 1e-15);
}

static void test_schedule_stays_at_its_end_after_the_last_step(void **state)
{
    (void)state;
    const dip_schedule linear = {DIP_SCHEDULE_LINEAR, 1, .25, 0, 4, 0};
    assert_near(dip_schedule_lr(&linear, 4), .25, 1e-15);
    assert_near(dip_schedule_lr(&linear, 5), .25, 1e-15);
    assert_near(dip_schedule_lr(&linear, 1000), .25, 1e-15);
}

/* A warm-up as long as the run leaves no way to fall, and nothing to divide
 * by. */
static void test_schedule_of_warmup_alone_ends_at_the_peak(void **state)
{
    (void)state;
    const dip_schedule cosine = {DIP_SCHEDULE_COSINE, 1, 0, 4, 4, 0};
    assert_near(dip_schedule_lr(&cosine, 1), .25, 1e-15);
    assert_near(dip_schedule_lr(&cosine, 4), 1, 1e-15);
}

static void test_schedule_names_parse(void **state)
{
    (void)state;
    dip_schedule_kind kind = DIP_SCHEDULE_COUNT;
    assert_true(dip_schedule_parse(&kind, "cosine"));
    assert_int_equal(kind, DIP_SCHEDULE_COSINE);
    assert_true(dip_schedule_parse(&kind, "linear"));
    assert_int_equal(kind, DIP_SCHEDULE_LINEAR);
    assert_true(dip_schedule_parse(&kind, "constant"));
    assert_int_equal(kind, DIP_SCHEDULE_CONSTANT);
    assert_false(dip_schedule_parse(&kind, "Cosine"));
    assert_false(dip_schedule_parse(&kind, ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schedule_follows_torch),
        cmocka_unit_test(test_schedule_begins_anew_after_its_restart),
        cmocka_unit_test(test_schedule_has_the_values_of_its_formula),
        cmocka_unit_test(test_schedule_stays_at_its_end_after_the_last_step),
        cmocka_unit_test(test_schedule_of_warmup_alone_ends_at_the_peak),
        cmocka_unit_test(test_schedule_names_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
