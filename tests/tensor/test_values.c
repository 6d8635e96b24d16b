#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/tensor/golden.h"

static void test_values_from_copies_and_borrow_does_not(void **state)
{
    (void)state;
    float data[] = {1, 2, 3, 4, 5, 6};
    dip_scope_open();
    dip_tensor *copy = dip_tensor_from(data, DIP_F32, SIZES(2, 3));
    dip_tensor *borrowed = dip_tensor_borrow(data, DIP_F32, SIZES(2, 3));
    data[4] = 50;
    assert_tensor(copy, 1, 2, 3, 4, 5, 6);
    assert_tensor(borrowed, 1, 2, 3, 4, 50, 6);
    assert_ptr_equal(dip_tensor_data(borrowed), data);
    assert_int_equal(dip_tensor_ndim(copy), 2);
    assert_int_equal(dip_tensor_size(copy, -1), 3);
    assert_int_equal(dip_tensor_device(copy), DIP_CPU);
    dip_scope_close();
}

static void test_values_makers(void **state)
{
    (void)state;
    dip_scope_open();
    assert_tensor(dip_tensor_arange(4), 0, 1, 2, 3);
    assert_int_equal(dip_tensor_dtype(dip_tensor_arange(4)), DIP_I64);
    assert_tensor(dip_tensor_eye(2), 1, 0, 0, 1);
    assert_tensor(dip_tensor_full(2.5, DIP_F16, SIZES(1, 2)), 2.5, 2.5);
    dip_tensor *scalar = dip_tensor_scalar(-1.25, DIP_BF16);
    assert_int_equal(dip_tensor_ndim(scalar), 0);
    assert_near(dip_tensor_item(scalar), -1.25, 0);
    assert_int_equal(dip_tensor_numel(dip_tensor_empty(DIP_U8, SIZES(0, 3))),
                     0);
    dip_scope_close();
}

static void test_values_every_dtype_round_trips(void **state)
{
    (void)state;
    for (int i = 0; i < DIP_DTYPE_COUNT; i++) {
        dip_scope_open();
        dip_tensor *t = dip_tensor_full(1, (dip_dtype)i, SIZES(3));
        unsigned char bytes[24];
        assert_int_equal(dip_tensor_dtype(t), i);
        dip_tensor_read(t, (dip_dtype)i, bytes,
                        3 * dip_dtype_size((dip_dtype)i));
        assert_no_error();
        assert_memory_equal(bytes, dip_tensor_data(t),
                            3 * dip_dtype_size((dip_dtype)i));
        assert_tensor(t, 1, 1, 1);
        dip_scope_close();
    }
}

static void test_values_read_gives_row_major_order(void **state)
{
    (void)state;
    const float data[] = {1, 2, 3, 4, 5, 6};
    int32_t out[6];
    dip_scope_open();
    dip_tensor *t =
        dip_t_transpose(dip_tensor_from(data, DIP_F32, SIZES(2, 3)), 0, 1);
    dip_tensor_read(t, DIP_I32, out, sizeof out);
    assert_no_error();
    const int32_t wanted[] = {1, 4, 2, 5, 3, 6};
    assert_memory_equal(out, wanted, sizeof out);
    dip_tensor_read(t, DIP_I32, out, sizeof out - 1);
    assert_error("read: room for 23 bytes, needs 24");
    dip_scope_close();
}

static void test_values_assign_writes_in_place(void **state)
{
    (void)state;
    const float data[] = {1, 2};
    dip_scope_open();
    dip_tensor *w = dip_tensor_full(0, DIP_F32, SIZES(2));
    dip_tensor_set_requires_grad(w, true);
    const void *storage = dip_tensor_data(w);
    dip_tensor_assign(w, dip_tensor_from(data, DIP_F32, SIZES(2)));
    assert_tensor(w, 1, 2);
    assert_ptr_equal(dip_tensor_data(w), storage);
    dip_tensor_assign(w, dip_tensor_full(0, DIP_F32, SIZES(1)));
    assert_error("assign: shape [1] does not fit [2]");
    dip_scope_close();
}

static void test_values_rebind_keeps_handles_and_requires_grad(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *w = dip_tensor_full(2, DIP_F32, SIZES(1, 2, 2, 1));
    dip_tensor_set_requires_grad(w, true);
    dip_tensor *other = dip_tensor_alias(w);
    dip_tensor *source = dip_tensor_full(3, DIP_F32, SIZES(1, 2, 2, 1));
    dip_tensor_rebind(w, source);
    assert_tensor(other, 3, 3, 3, 3);
    assert_true(dip_tensor_requires_grad(w));
    assert_ptr_equal(dip_tensor_data(w), dip_tensor_data(source));
    dip_tensor_backward(dip_t_sum_all(other));
    assert_tensor(dip_tensor_grad(w), 1, 1, 1, 1);
    dip_scope_close();
}

static void test_values_gradients_accumulate_until_cleared(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *w = dip_tensor_full(3, DIP_F32, SIZES(2));
    assert_null(dip_tensor_grad(w));
    assert_no_error();
    dip_tensor_set_requires_grad(w, true);
    dip_tensor_backward(dip_t_sum_all(dip_t_mul(w, w)));
    dip_tensor_backward(dip_t_sum_all(w));
    assert_tensor(dip_tensor_grad(w), 7, 7);
    dip_tensor_set_grad(w, dip_tensor_full(9, DIP_F32, SIZES(2)));
    assert_tensor(dip_tensor_grad(w), 9, 9);
    dip_tensor_clear_grad(w);
    assert_null(dip_tensor_grad(w));
    assert_no_error();
    bool before = dip_tensor_set_grad_mode(false);
    assert_true(before);
    assert_false(dip_tensor_requires_grad(dip_t_neg(w)));
    assert_false(dip_tensor_set_grad_mode(before));
    assert_true(dip_tensor_requires_grad(dip_t_neg(w)));
    assert_false(dip_tensor_requires_grad(dip_t_detach(w)));
    dip_scope_close();
}

static void test_values_autocast_computes_products_in_bf16(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *x = dip_tensor_full(1, DIP_F32, SIZES(2, 4));
    dip_tensor *w = dip_tensor_full(1, DIP_F32, SIZES(3, 4));
    dip_tensor_set_requires_grad(w, true);
    assert_false(dip_tensor_set_autocast(DIP_CPU, true));
    assert_true(dip_tensor_set_autocast(DIP_CPU, true)); /* nested */
    dip_tensor *y = dip_t_linear(x, w, NULL);
    assert_int_equal(dip_tensor_dtype(y), DIP_BF16);
    assert_true(dip_tensor_set_autocast(DIP_CPU, true));
    assert_true(dip_tensor_set_autocast(DIP_CPU, false));
    assert_int_equal(dip_tensor_dtype(dip_t_linear(x, w, NULL)), DIP_F32);
    dip_tensor_backward(dip_t_sum_all(y));
    dip_tensor *grad = dip_tensor_grad(w);
    assert_int_equal(dip_tensor_dtype(grad), DIP_F32);
    assert_near(dip_tensor_item(dip_t_sum_all(grad)), 24, 0);
    dip_scope_close();
}

/* A cast weight is cached while autocast is on: a change of the weight behind
 * autograd's back shows only after it was turned off. */
static void test_values_autocast_cache_ends_when_turned_off(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *x = dip_tensor_full(1, DIP_F32, SIZES(1, 1));
    dip_tensor *w = dip_tensor_full(1, DIP_F32, SIZES(1, 1));
    dip_tensor_set_requires_grad(w, true);
    float *weight = dip_tensor_data(w);
    (void)dip_tensor_set_autocast(DIP_CPU, true);
    assert_near(dip_tensor_item(dip_t_linear(x, w, NULL)), 1, 0);
    *weight = 2;
    assert_near(dip_tensor_item(dip_t_linear(x, w, NULL)), 1, 0);
    (void)dip_tensor_set_autocast(DIP_CPU, false);
    (void)dip_tensor_set_autocast(DIP_CPU, true);
    assert_near(dip_tensor_item(dip_t_linear(x, w, NULL)), 2, 0);
    (void)dip_tensor_set_autocast(DIP_CPU, false);
    assert_no_error();
    dip_scope_close();
}

static dip_tensor *noise(void)
{
    return dip_t_dropout(dip_tensor_full(1, DIP_F32, SIZES(64)), 0.5, true);
}

static void test_values_rng_state_round_trips(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor_seed(3);
    dip_tensor *first = noise();
    dip_tensor *saved = dip_tensor_rng_state();
    assert_int_equal(dip_tensor_dtype(saved), DIP_U8);
    dip_tensor *second = noise();
    dip_tensor_set_rng_state(saved);
    assert_true(distance(noise(), second) == 0);
    dip_tensor_seed(3);
    assert_true(distance(noise(), first) == 0);
    assert_true(distance(noise(), first) > 0);
    dip_tensor_set_rng_state(dip_tensor_full(0, DIP_U8, SIZES(5)));
    assert_error("set_rng_state: ");
    dip_scope_close();
}

static void test_values_cuda_is_an_error_without_a_device(void **state)
{
    (void)state;
    if (dip_tensor_has_cuda())
        return;
    dip_scope_open();
    assert_false(dip_tensor_has_fast_bf16(DIP_CUDA));
    assert_null(dip_t_to_device(dip_tensor_eye(2), DIP_CUDA));
    assert_error("to_device: ");
    dip_scope_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_from_copies_and_borrow_does_not),
        cmocka_unit_test(test_values_makers),
        cmocka_unit_test(test_values_every_dtype_round_trips),
        cmocka_unit_test(test_values_read_gives_row_major_order),
        cmocka_unit_test(test_values_assign_writes_in_place),
        cmocka_unit_test(test_values_rebind_keeps_handles_and_requires_grad),
        cmocka_unit_test(test_values_gradients_accumulate_until_cleared),
        cmocka_unit_test(test_values_autocast_computes_products_in_bf16),
        cmocka_unit_test(test_values_autocast_cache_ends_when_turned_off),
        cmocka_unit_test(test_values_rng_state_round_trips),
        cmocka_unit_test(test_values_cuda_is_an_error_without_a_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
