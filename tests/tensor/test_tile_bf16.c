#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "tensor/tile_bf16.h"

enum { LENGTH = 90, ROWS = DIP_TILE_ROWS, LANES = DIP_TILE_LANES };

static float value_of(uint16_t rounded)
{
    uint32_t bits = (uint32_t)rounded << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* By the definition: 8 bits of a number stay, ties go to the even one. */
static void test_tile_bf16_rounds_to_the_nearest(void **state)
{
    (void)state;
    static const float x[] = {0,       1,          1.00390625F, 1.01171875F,
                              1.0039F, -1.004F,    3e-39F,      -1e-45F,
                              3e38F,   1.0000001F, 0x1.fffp3F,  0x1p-126F};
    static const uint16_t right[] = {0, 0x3f80, 0x3f80, 0x3f82, 0x3f80, 0xbf81,
                                     0, 0,      0x7f62, 0x3f80, 0x4180, 0x0080};
    uint16_t got[12];
    dip_bf16_round(got, x, 12);
    assert_memory_equal(got, right, sizeof right);
}

static void test_tile_bf16_measures_what_rounding_loses(void **state)
{
    (void)state;
    static const float x[] = {3, 4, 1 + 0x1p-8F, 1e-40F};
    uint16_t rounded[4];
    dip_bf16_round(rounded, x, 4);
    dip_bf16_norms norms = dip_bf16_measure(x, rounded, 4);
    double third = 1 + 0x1p-8;
    assert_true(fabs(norms.norm - sqrt(25 + third * third)) < 1e-12);
    assert_true(fabs(norms.lost - 0x1p-8) < 1e-12);
}

/* Numbers in [-1, 1) without a pattern, times 2^scale. */
static void fill(float *x, int n, unsigned seed, int scale)
{
    for (int i = 0; i < n; i++) {
        seed = seed * 1664525U + 1013904223U;
        x[i] = ldexpf((float)(seed >> 8) / (float)(1 << 23) - 1, scale);
    }
}

/* Numbers halfway between two rounded ones, of one sign: all errors add up. */
static void fill_worst(float *x, int n)
{
    for (int i = 0; i < n; i++)
        x[i] = 1 + 0x1p-8F;
}

static void check_bound(dip_tile_bf16 tile, const float *rows,
                        const float *lanes)
{
    static uint16_t a[ROWS * LENGTH], b[LENGTH * LANES], lane[LENGTH];
    static float got[ROWS * LANES];
    dip_bf16_norms of_row[ROWS];
    dip_bf16_round(a, rows, ROWS * LENGTH);
    for (int m = 0; m < ROWS; m++)
        of_row[m] = dip_bf16_measure(rows + m * LENGTH, a + m * LENGTH, LENGTH);
    for (int l = 0; l < LANES; l++) {
        dip_bf16_round(lane, lanes + l * LENGTH, LENGTH);
        for (int k = 0; k < LENGTH; k++)
            b[(k / 2 * LANES + l) * 2 + k % 2] = lane[k];
    }
    const dip_tile_bf16_input in = {a, LENGTH, b, LENGTH / 2};
    tile(got, &in);
    for (int at = 0; at < ROWS * LANES; at++) {
        int m = at / LANES, l = at % LANES;
        double exact = 0, rounded = 0;
        dip_bf16_round(lane, lanes + l * LENGTH, LENGTH);
        for (int k = 0; k < LENGTH; k++) {
            exact +=
                (double)rows[m * LENGTH + k] * (double)lanes[l * LENGTH + k];
            rounded +=
                (double)value_of(a[m * LENGTH + k]) * (double)value_of(lane[k]);
        }
        dip_bf16_norms of_lane =
            dip_bf16_measure(lanes + l * LENGTH, lane, LENGTH);
        double error = (double)dip_tile_bf16_error(of_row[m], of_lane, LENGTH);
        double sums = 1e-5 * of_row[m].norm * of_lane.norm + 0x1p-116;
        assert_true(fabs((double)got[at] - exact) <= error);
        assert_true(fabs((double)got[at] - rounded) <= sums);
        assert_true(error <= 0.01 * of_row[m].norm * of_lane.norm + 0x1p-110);
    }
}

static void test_tile_bf16_stays_within_its_bound(void **state)
{
    (void)state;
    static const int scales[][2] = {{0, 0},     {40, -40}, {50, 50},
                                    {-60, -60}, {0, -126}, {-64, -62}};
    static float rows[ROWS * LENGTH], lanes[LANES * LENGTH];
    dip_tile_bf16 tile = dip_tile_bf16_choose();
    if (tile == NULL)
        return; /* nothing that could be wrong on this CPU */
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        fill(rows, ROWS * LENGTH, 1, scales[i][0]);
        fill(lanes, LANES * LENGTH, 2, scales[i][1]);
        check_bound(tile, rows, lanes);
    }
    fill_worst(rows, ROWS * LENGTH);
    fill_worst(lanes, LANES * LENGTH);
    check_bound(tile, rows, lanes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tile_bf16_rounds_to_the_nearest),
        cmocka_unit_test(test_tile_bf16_measures_what_rounding_loses),
        cmocka_unit_test(test_tile_bf16_stays_within_its_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
