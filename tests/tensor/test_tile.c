#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "tensor/tile.h"

enum { LENGTH = 37, ROOM = LENGTH * DIP_TILE_LANES };

/* Numbers in [-1, 1) without a pattern. */
static void fill(float *x, int n, unsigned seed)
{
    for (int i = 0; i < n; i++) {
        seed = seed * 1664525U + 1013904223U;
        x[i] = (float)(seed >> 8) / (float)(1 << 23) - 1;
    }
}

static void check_tile(const dip_tile *t, dip_similarity similarity,
                       const dip_tile_input *in, bool add)
{
    float out[DIP_TILE_ROWS * DIP_TILE_LANES], before[sizeof out / sizeof *out];
    fill(out, sizeof out / sizeof *out, 3);
    fill(before, sizeof out / sizeof *out, 3);
    t->sum(out, t->lanes, in, add);
    for (int64_t at = 0; at < t->rows * t->lanes; at++) {
        double sum = add ? (double)before[at] : 0;
        for (int64_t k = 0; k < in->length; k++) {
            double a = (double)in->rows[at / t->lanes * in->row + k * in->step];
            double b = (double)in->lanes[at % t->lanes + k * in->lane_step];
            sum += similarity == DIP_SIMILARITY_COSINE ? a * b
                                                       : -(a - b) * (a - b);
        }
        assert_true(fabs((double)out[at] - sum) < 1e-4);
    }
    for (int64_t at = t->rows * t->lanes; at < DIP_TILE_ROWS * DIP_TILE_LANES;
         at++)
        assert_true(out[at] == before[at]);
}

/* All kernels of this CPU, not just the one that would be chosen; rows as they
 * lie and interleaved, and nothing aligned. */
static void test_tile_kernels_are_dot_products_or_distances(void **state)
{
    (void)state;
    static float rows[DIP_TILE_ROWS * LENGTH], lanes[ROOM + 1];
    fill(rows, DIP_TILE_ROWS * LENGTH, 1);
    fill(lanes, ROOM + 1, 2);
    for (int s = 0; s < DIP_SIMILARITY_COUNT; s++) {
        dip_tile kernels[DIP_TILE_KERNELS];
        dip_similarity similarity = (dip_similarity)s;
        int n = dip_tile_kernels(kernels, similarity);
        assert_in_range(n, 1, DIP_TILE_KERNELS);
        for (int i = 0; i < 4 * n; i++) {
            const dip_tile *t = &kernels[i / 4];
            dip_tile_input in = {rows,          LENGTH,   1,
                                 lanes + i % 2, t->lanes, LENGTH};
            if (i % 4 > 1) {
                in.row = 1;
                in.step = t->rows;
            }
            assert_true(DIP_TILE_LANES % t->lanes == 0);
            assert_true(t->rows <= DIP_TILE_ROWS);
            check_tile(t, similarity, &in, i % 4 == 1 || i % 4 == 2);
        }
        assert_ptr_equal(dip_tile_choose(similarity).sum, kernels[n - 1].sum);
    }
}

/* Every pair of rows: the same bits as from a tile. */
static void test_tile_pairs_are_those_of_tiles(void **state)
{
    (void)state;
    static float rows[DIP_TILE_ROWS * LENGTH], lanes[DIP_TILE_LANES * LENGTH],
        panels[ROOM], out[DIP_TILE_ROWS * DIP_TILE_LANES];
    fill(rows, DIP_TILE_ROWS * LENGTH, 4);
    fill(lanes, DIP_TILE_LANES * LENGTH, 5);
    for (int i = 0; i < DIP_SIMILARITY_COUNT * DIP_TILE_KERNELS; i++) {
        dip_tile kernels[DIP_TILE_KERNELS];
        int n =
            dip_tile_kernels(kernels, (dip_similarity)(i / DIP_TILE_KERNELS));
        const dip_tile *t = &kernels[i % DIP_TILE_KERNELS % n];
        const dip_tile_input in = {rows, LENGTH, 1, panels, t->lanes, LENGTH};
        dip_tile_pack(panels, t->lanes, lanes, t->lanes, LENGTH);
        t->sum(out, t->lanes, &in, false);
        for (int64_t at = 0; at < t->rows * t->lanes; at++) {
            const float *others[DIP_TILE_PAIRS];
            float got[DIP_TILE_PAIRS];
            for (int j = 0; j < DIP_TILE_PAIRS; j++)
                others[j] = rows + (at / t->lanes + j) % t->rows * LENGTH;
            t->pairs(got, lanes + at % t->lanes * LENGTH, others, LENGTH);
            assert_memory_equal(got, out + at, sizeof *got);
        }
    }
}

/* Rows that fill no panel leave zeros. */
static void test_tile_pack_transposes(void **state)
{
    (void)state;
    static const float rows[] = {1, 2, 3, 4, 5, 6};
    static const float right[] = {1, 3, 2, 4, 5, 0, 6, 0};
    float panels[8];
    dip_tile_pack(panels, 2, rows, 3, 2);
    assert_memory_equal(panels, right, sizeof right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tile_kernels_are_dot_products_or_distances),
        cmocka_unit_test(test_tile_pairs_are_those_of_tiles),
        cmocka_unit_test(test_tile_pack_transposes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
