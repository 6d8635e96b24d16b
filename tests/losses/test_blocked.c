#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "losses/blocked.h"
#include "losses/positives.h"
#include "tests/tensor/golden.h"
#include "tests/tensor/scope.h"

#define ROWS 2300 /* more than one block */
#define DIM  8

/* Random unit rows, with a key for every few of them. The dense form in
 * losses/infonce.c, which has goldens of its own, is what is compared with. */
typedef struct {
    int64_t n;
    dip_tensor *queries, *items, *scale; /* leaves that ask for gradients */
    dip_tensor *keys, *positives, *weights;
} fixture;

static dip_tensor *leaf(dip_tensor *t)
{
    dip_tensor *detached = dip_t_detach(t);
    dip_tensor_set_requires_grad(detached, true);
    return detached;
}

static dip_tensor *unit_rows(int64_t n, double phase)
{
    float *x = calloc((size_t)(n * DIM), sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n * DIM; i++)
        x[i] = (float)sin(phase + 12.9898 * (double)i +
                          .0001 * (double)(i % 97) * (double)i);
    dip_tensor *rows = leaf(dip_t_normalize(
        dip_tensor_from(x, DIP_F32, 2, (int64_t[]){n, DIM}), 1));
    free(x);
    return rows;
}

static void make(fixture *f, int64_t n, double scale)
{
    int64_t *keys = calloc((size_t)n, sizeof *keys);
    float *weights = calloc((size_t)n, sizeof *weights);
    assert_non_null(keys);
    assert_non_null(weights);
    for (int64_t i = 0; i < n; i++) {
        keys[i] = i % 3 == 0 ? i % 50 : 1000 + i; /* many alone */
        weights[i] = (float)(i % 5);
    }
    f->n = n;
    f->queries = unit_rows(n, .3);
    f->items = unit_rows(n, 1.7);
    f->scale = leaf(dip_tensor_scalar(scale, DIP_F32));
    f->keys = dip_tensor_from(keys, DIP_I64, 2, (int64_t[]){n, 1});
    f->positives =
        dip_t_eq(f->keys, dip_t_transpose(f->keys, 0, 1)); /* [n, n] */
    f->weights = dip_tensor_from(weights, DIP_F32, 1, &n);
    free(weights);
    free(keys);
    assert_no_error();
}

/* Largest difference relative to the largest element. */
static double gap(const dip_tensor *a, const dip_tensor *b)
{
    double most =
        dip_tensor_item(dip_t_amax(dip_t_flatten(dip_t_abs(b), 0, -1), 0, 0));
    dip_tensor *off = dip_t_flatten(dip_t_abs(dip_t_sub(a, b)), 0, -1);
    return dip_tensor_item(dip_t_amax(off, 0, 0)) / most;
}

static void compare(const fixture *f, const dip_loss_options *options,
                    bool with_keys, bool with_weights)
{
    dip_tensor *leaves[] = {f->queries, f->items, f->scale};
    dip_tensor *wanted[3];
    const dip_loss_input dense = {.queries = f->queries,
                                  .items = f->items,
                                  .scale = f->scale,
                                  .positives = with_keys ? f->positives : NULL,
                                  .weights = with_weights ? f->weights : NULL};
    const dip_blocked_input blocked = {.queries = f->queries,
                                       .items = f->items,
                                       .scale = f->scale,
                                       .keys = with_keys ? f->keys : NULL,
                                       .weights =
                                           with_weights ? f->weights : NULL,
                                       .one_way = options->one_way};
    dip_tensor *loss = dip_loss_infonce(&dense, options);
    dip_tensor_backward(dip_t_mul_scalar(loss, 3));
    for (int i = 0; i < 3; i++) {
        wanted[i] = dip_t_clone(dip_tensor_grad(leaves[i]));
        dip_tensor_clear_grad(leaves[i]);
    }
    dip_tensor *got = dip_blocked_infonce(&blocked, options);
    assert_near(dip_tensor_item(got) / dip_tensor_item(loss), 1, 1e-5);
    dip_tensor_backward(dip_t_mul_scalar(got, 3));
    for (int i = 0; i < 3; i++) {
        double off = gap(dip_tensor_grad(leaves[i]), wanted[i]);
        if (!(off <= 1e-5))
            fail_msg("mode %d, smoothing %g, keys %d: gradient %d is off by %g",
                     (int)options->positives, options->label_smoothing,
                     with_keys, i, off);
        dip_tensor_clear_grad(leaves[i]);
    }
    assert_no_error();
}

static void test_blocked_infonce_is_the_dense_one(void **state)
{
    (void)state;
    fixture f;
    make(&f, ROWS, 14.3);
    compare(&f, &(dip_loss_options){.positives = DIP_POSITIVES_UNIFORM}, false,
            false);
    for (int mode = 0; mode < DIP_POSITIVES_COUNT; mode++) {
        dip_scope_open();
        compare(&f, &(dip_loss_options){.positives = (dip_positives)mode}, true,
                false);
        dip_scope_close();
    }
}

static void
test_blocked_infonce_smooths_and_weighs_as_the_dense_one(void **state)
{
    (void)state;
    fixture f;
    make(&f, 301, 14.3);
    for (int mode = 0; mode < DIP_POSITIVES_COUNT; mode++) {
        const dip_loss_options options = {.positives = (dip_positives)mode,
                                          .label_smoothing = .2};
        compare(&f, &options, true, false);
        compare(&f, &options, true, true);
        dip_loss_options ahead = options;
        ahead.one_way = true;
        compare(&f, &ahead, true, true);
    }
}

/* Logits of +-100, whose exponentials have no room in single precision. */
static void test_blocked_infonce_is_safe_at_scale_100(void **state)
{
    (void)state;
    fixture f;
    make(&f, 257, 100);
    for (int mode = 0; mode < DIP_POSITIVES_COUNT; mode++)
        compare(&f, &(dip_loss_options){.positives = (dip_positives)mode}, true,
                true);
    dip_tensor_assign(f.items, dip_t_neg(f.queries)); /* all own l are -100 */
    compare(&f, &(dip_loss_options){.positives = DIP_POSITIVES_UNIFORM}, false,
            false);
}

/* Loss and gradient in the scale by their definitions in double precision, as
 * sums over what the wrong ones have less than the right one. */
static void solved_loss(const fixture *f, double scale, double *loss,
                        double *slope)
{
    const float *q = dip_tensor_data(f->queries);
    const float *k = dip_tensor_data(f->items);
    *loss = *slope = 0;
    for (int64_t i = 0; i < 2 * f->n; i++) {
        const float *anchor = (i < f->n ? q : k) + i % f->n * DIM;
        const float *others = i < f->n ? k : q;
        double gaps[64], sum = 0, mean = 0;
        for (int64_t j = 0; j < f->n; j++) {
            gaps[j] = 0;
            for (int64_t d = 0; d < DIM; d++)
                gaps[j] +=
                    (double)anchor[d] * ((double)others[j * DIM + d] -
                                         (double)others[i % f->n * DIM + d]);
            sum += j == i % f->n ? 0 : exp(scale * gaps[j]);
        }
        for (int64_t j = 0; j < f->n; j++)
            mean += exp(scale * gaps[j]) / (1 + sum) * gaps[j];
        *loss += log1p(sum) / (double)(2 * f->n);
        *slope += mean / (double)(2 * f->n);
    }
}

/* Where own logits are 100 and the loss a rounding error of theirs. */
static void test_blocked_infonce_is_exact_where_nearly_solved(void **state)
{
    (void)state;
    fixture f;
    double loss, slope;
    make(&f, 8, 100);
    dip_tensor_assign(f.items, f.queries);
    solved_loss(&f, 100, &loss, &slope);
    assert_true(loss > 1e-12 && loss < 1e-3);
    for (int mode = 0; mode < DIP_POSITIVES_COUNT; mode++) {
        const dip_loss_options options = {.positives = (dip_positives)mode};
        const dip_blocked_input input = {
            .queries = f.queries, .items = f.items, .scale = f.scale};
        dip_tensor *got = dip_blocked_infonce(&input, &options);
        assert_near(dip_tensor_item(got) / loss, 1, 1e-5);
        dip_tensor_backward(got);
        assert_near(dip_tensor_item(dip_tensor_grad(f.scale)) / slope, 1, 1e-5);
        dip_tensor_clear_grad(f.scale);
    }
}

static void test_blocked_infonce_of_one_row_is_nothing(void **state)
{
    (void)state;
    fixture f;
    make(&f, 1, 14.3);
    const dip_loss_options options = {.positives = DIP_POSITIVES_UNIFORM};
    const dip_blocked_input input = {
        .queries = f.queries, .items = f.items, .scale = f.scale};
    dip_tensor *loss = dip_blocked_infonce(&input, &options);
    assert_near(dip_tensor_item(loss), 0, 1e-6);
    dip_tensor_backward(loss);
    assert_near(dip_tensor_item(dip_tensor_grad(f.scale)), 0, 1e-6);
}

static void test_blocked_infonce_does_not_depend_on_threads(void **state)
{
    (void)state;
    fixture f;
    make(&f, ROWS, 20);
    const dip_loss_options options = {.positives = DIP_POSITIVES_SUM};
    const dip_blocked_input input = {.queries = f.queries,
                                     .items = f.items,
                                     .scale = f.scale,
                                     .keys = f.keys};
    dip_tensor *leaves[] = {f.queries, f.items, f.scale}, *wanted[3];
    int threads = omp_get_max_threads();
    for (int round = 0; round < 2; round++) {
        omp_set_num_threads(round == 0 ? 1 : 3);
        dip_tensor_backward(dip_blocked_infonce(&input, &options));
        for (int i = 0; i < 3; i++) {
            dip_tensor *got = dip_t_clone(dip_tensor_grad(leaves[i]));
            if (round == 0)
                wanted[i] = got;
            else
                assert_memory_equal(dip_tensor_data(got),
                                    dip_tensor_data(wanted[i]),
                                    (i < 2 ? ROWS * DIM : 1) * sizeof(float));
            dip_tensor_clear_grad(leaves[i]);
        }
    }
    omp_set_num_threads(threads);
}

/* Against the definition, by way of autograd. */
static void test_blocked_siglip_is_the_dense_one(void **state)
{
    (void)state;
    fixture f;
    make(&f, ROWS, 10);
    dip_tensor *bias = leaf(dip_tensor_scalar(-3, DIP_F32)), *wanted[4];
    dip_tensor *leaves[] = {f.queries, f.items, f.scale, bias};
    dip_tensor *logits = dip_t_add(
        dip_t_mul(dip_t_matmul(f.queries, dip_t_transpose(f.items, 0, 1)),
                  f.scale),
        bias);
    dip_tensor *pairs =
        dip_t_log_sigmoid(dip_t_where(f.positives, logits, dip_t_neg(logits)));
    dip_tensor *loss = dip_t_mul_scalar(dip_t_sum_all(pairs), -1.0 / ROWS);
    dip_tensor_backward(loss);
    for (int i = 0; i < 4; i++) {
        wanted[i] = dip_t_clone(dip_tensor_grad(leaves[i]));
        dip_tensor_clear_grad(leaves[i]);
    }
    const dip_blocked_input input = {.queries = f.queries,
                                     .items = f.items,
                                     .scale = f.scale,
                                     .bias = bias,
                                     .keys = f.keys};
    dip_tensor *got = dip_blocked_siglip(&input);
    assert_near(dip_tensor_item(got) / dip_tensor_item(loss), 1, 1e-5);
    dip_tensor_backward(got);
    for (int i = 0; i < 4; i++) {
        double off = gap(dip_tensor_grad(leaves[i]), wanted[i]);
        if (!(off <= 1e-5))
            fail_msg("gradient %d is off by %g", i, off);
    }
    assert_no_error();
}

/* Rows 0 and 2 share their first key, 2 and 3 their second. */
static void test_blocked_positives_share_any_key(void **state)
{
    (void)state;
    static const int64_t keys[4][2] = {{5, 1}, {6, 2}, {5, 3}, {7, 3}};
    static const int32_t wanted[4][3] = {{0, 2}, {1}, {0, 2, 3}, {2, 3}};
    static const int64_t counts[4] = {2, 1, 3, 2};
    dip_positive_lists lists;
    dip_err err = {0};
    assert_int_equal(dip_positive_lists_build(&lists, keys[0], 4, 2, &err),
                     DIP_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(lists.count[i], counts[i]);
        assert_memory_equal(lists.rows + lists.start[i], wanted[i],
                            (size_t)counts[i] * sizeof(int32_t));
    }
    dip_positive_lists_free(&lists);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_blocked_infonce_is_the_dense_one),
        CASE(test_blocked_infonce_smooths_and_weighs_as_the_dense_one),
        CASE(test_blocked_infonce_is_safe_at_scale_100),
        CASE(test_blocked_infonce_is_exact_where_nearly_solved),
        CASE(test_blocked_infonce_of_one_row_is_nothing),
        CASE(test_blocked_infonce_does_not_depend_on_threads),
        CASE(test_blocked_siglip_is_the_dense_one),
        CASE(test_blocked_positives_share_any_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
