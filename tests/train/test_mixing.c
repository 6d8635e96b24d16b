#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "train/mixing.h"

#define ROWS 3
#define SIDE 4
#define ROW  (3 * SIDE * SIDE)

/* Mean 1/2 and variance 1 / (4 (2 alpha + 1)), those of Beta(alpha, alpha);
 * the tolerances are some five deviations of the estimates. */
static void test_mixing_shares_of_mixup_are_beta(void **state)
{
    (void)state;
    static const double alphas[] = {0.1, 0.2, 1, 2, 8};
    enum { DRAWS = 20000 };
    for (int a = 0; a < 5; a++) {
        dip_mixing mixing = {.mixup = alphas[a], .seed = 7};
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < DRAWS; i++) {
            dip_mix mix = dip_mixing_draw(&mixing, i % 3, i, 32);
            assert_false(mix.cut);
            assert_true(mix.share >= 0 && mix.share <= 1);
            sum += mix.share;
            squares += (mix.share - .5) * (mix.share - .5);
        }
        double variance = 1 / (4 * (2 * alphas[a] + 1));
        assert_true(fabs(sum / DRAWS - .5) < .018);
        assert_true(fabs(squares / DRAWS - variance) < .05 * variance + .002);
    }
}

/* With a uniform share (alpha 1) a rectangle of side s, s^2 uniform, around a
 * uniform centre keeps s - s^2 / 4 of a side behind the edges in the mean, and
 * its sides are independent given s: the mean area is that of (s - s^2/4)^2,
 * 1/2 - 1/5 + 1/48. */
static void test_mixing_rectangles_of_cutmix(void **state)
{
    (void)state;
    enum { DRAWS = 20000, SIZE = 1000 };
    dip_mixing mixing = {.cutmix = 1, .seed = 9};
    double sum = 0;
    for (int64_t i = 0; i < DRAWS; i++) {
        dip_mix mix = dip_mixing_draw(&mixing, 0, i, SIZE);
        assert_true(mix.cut);
        assert_in_range(mix.left, 0, SIZE - 1);
        assert_in_range(mix.top, 0, SIZE - 1);
        assert_true(mix.left + mix.width <= SIZE);
        assert_true(mix.top + mix.height <= SIZE);
        double area = (double)(mix.width * mix.height) / (SIZE * SIZE);
        assert_true(fabs(mix.share - (1 - area)) < 1e-12);
        sum += area;
    }
    assert_true(fabs(sum / DRAWS - (.5 - .2 + 1.0 / 48)) < .01);
}

static void test_mixing_with_both_takes_either(void **state)
{
    (void)state;
    dip_mixing both = {.mixup = 1, .cutmix = 1, .seed = 1}, off = {.seed = 1};
    int cuts = 0;
    for (int64_t i = 0; i < 1000; i++)
        cuts += dip_mixing_draw(&both, 0, i, 32).cut;
    assert_in_range(cuts, 420, 580);
    dip_mix once = dip_mixing_draw(&both, 2, 5, 32);
    dip_mix again = dip_mixing_draw(&both, 2, 5, 32);
    dip_mix other = dip_mixing_draw(&both, 3, 5, 32);
    assert_true(once.share == again.share && once.cut == again.cut);
    assert_true(once.share != other.share);
    assert_false(dip_mixing_is_on(&off));
    assert_true(dip_mixing_draw(&off, 0, 0, 32).share == 1);
}

static float pixel(int row, int i)
{
    return (float)sin(1 + row * 100 + i);
}

static void mix_rows(float out[ROWS * ROW], const dip_mix *mix)
{
    static const int64_t sizes[] = {ROWS, 3, SIDE, SIDE};
    float images[ROWS * ROW];
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < ROW; i++)
            images[r * ROW + i] = pixel(r, i);
    dip_scope_open();
    dip_tensor *mixed =
        dip_mix_images(mix, dip_tensor_from(images, DIP_F32, 4, sizes));
    dip_tensor_read(mixed, DIP_F32, out, ROWS * ROW * sizeof *out);
    dip_scope_close();
    dip_err err = {0};
    if (dip_tensor_status(&err) != DIP_OK)
        fail_msg("%s", err.msg);
}

static void test_mixing_blends_each_row_with_the_one_before(void **state)
{
    (void)state;
    static const int before[ROWS] = {2, 0, 1};
    const dip_mix mix = {.share = .3};
    float got[ROWS * ROW];
    mix_rows(got, &mix);
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < ROW; i++)
            assert_float_equal(got[r * ROW + i],
                               .3f * pixel(r, i) + .7f * pixel(before[r], i),
                               1e-6);
}

static void test_mixing_puts_a_rectangle_of_the_one_before(void **state)
{
    (void)state;
    static const int before[ROWS] = {2, 0, 1};
    const dip_mix mix = {.share = 1 - 6.0 / 16,
                         .cut = true,
                         .left = 1,
                         .top = 0,
                         .width = 2,
                         .height = 3};
    float got[ROWS * ROW];
    mix_rows(got, &mix);
    for (int r = 0; r < ROWS; r++) {
        for (int i = 0; i < ROW; i++) {
            int x = i % SIDE, y = i / SIDE % SIDE;
            bool inside = x >= 1 && x < 3 && y < 3;
            assert_float_equal(got[r * ROW + i],
                               pixel(inside ? before[r] : r, i), 1e-6);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixing_shares_of_mixup_are_beta),
        cmocka_unit_test(test_mixing_rectangles_of_cutmix),
        cmocka_unit_test(test_mixing_with_both_takes_either),
        cmocka_unit_test(test_mixing_blends_each_row_with_the_one_before),
        cmocka_unit_test(test_mixing_puts_a_rectangle_of_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
