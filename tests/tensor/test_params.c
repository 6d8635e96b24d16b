#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tensor/params.h"
#include "tests/tensor/golden.h"

static dip_params *new_params(void)
{
    dip_params *params;
    assert_int_equal(dip_params_create(&params, NULL), DIP_OK);
    return params;
}

static void test_params_hold_tensors_by_name_in_order(void **state)
{
    (void)state;
    dip_params *params = new_params();
    dip_scope_open();
    dip_tensor *w = dip_params_add(params, "a.weight", DIP_PARAM_WEIGHT,
                                   dip_tensor_full(1, DIP_F32, SIZES(2, 3)));
    dip_tensor *b = dip_params_add(params, "a.bias", DIP_PARAM_NO_DECAY,
                                   dip_tensor_full(2, DIP_F32, SIZES(2)));
    dip_tensor *mean =
        dip_params_add(params, "a.running_mean", DIP_PARAM_BUFFER,
                       dip_tensor_full(3, DIP_F32, SIZES(4)));
    dip_scope_close();
    assert_no_error();
    assert_int_equal(dip_params_count(params), 3);
    assert_string_equal(dip_params_name(params, 1), "a.bias");
    assert_ptr_equal(dip_params_tensor(params, 1), b);
    assert_int_equal(dip_params_kind(params, 1), DIP_PARAM_NO_DECAY);
    assert_int_equal(dip_params_find(params, "a.running_mean"), 2);
    assert_int_equal(dip_params_find(params, "a"), -1);
    assert_true(dip_tensor_requires_grad(w) && dip_tensor_requires_grad(b));
    assert_false(dip_tensor_requires_grad(mean));
    assert_int_equal(dip_params_trained_numel(params), 8);
    assert_tensor(mean, 3, 3, 3, 3);
    dip_params_free(params);
    dip_params_free(NULL);
    assert_int_equal(dip_tensor_live_count(), 0);
}

static void test_params_refuse_a_name_twice_and_null(void **state)
{
    (void)state;
    dip_params *params = new_params();
    dip_scope_open();
    dip_tensor *t = dip_tensor_full(1, DIP_F32, SIZES(2));
    assert_non_null(dip_params_add(params, "w", DIP_PARAM_BUFFER, t));
    assert_null(dip_params_add(params, "w", DIP_PARAM_BUFFER, t));
    assert_error("two parameters named 'w'");
    assert_null(dip_params_add(params, "x", DIP_PARAM_BUFFER, NULL));
    assert_error("parameter 'x' is NULL");
    assert_null(dip_params_add(params, "ids", DIP_PARAM_WEIGHT,
                               dip_tensor_full(1, DIP_I64, SIZES(2))));
    assert_error("set_requires_grad: ");
    assert_int_equal(dip_params_count(params), 1);
    dip_scope_close();
    dip_params_free(params);
    assert_int_equal(dip_tensor_live_count(), 0);
}

static void test_params_change_layout_in_place(void **state)
{
    (void)state;
    dip_params *params = new_params();
    dip_scope_open();
    dip_tensor *x = dip_tensor_full(1, DIP_F32, SIZES(1, 2, 4, 4));
    dip_tensor *w = dip_params_add(
        params, "conv", DIP_PARAM_WEIGHT,
        dip_t_reshape(dip_t_to_dtype(dip_tensor_arange(54), DIP_F32),
                      SIZES(3, 2, 3, 3)));
    dip_tensor *before = dip_t_detach(dip_t_conv2d(x, w, NULL, 1, 0, 1));
    dip_params_to_device(params, DIP_CPU); /* already there */
    assert_non_null(dip_tensor_data(w));
    dip_params_channels_last(params);
    assert_null(dip_tensor_data(w));
    assert_error("not contiguous");
    assert_true(dip_tensor_requires_grad(w));
    dip_tensor *after = dip_t_conv2d(x, w, NULL, 1, 0, 1);
    assert_true(distance(after, before) < 1e-6);
    dip_tensor_backward(dip_t_sum_all(after));
    assert_true(distance(dip_tensor_grad(w),
                         dip_tensor_full(4, DIP_F32, SIZES(3, 2, 3, 3))) <
                1e-6);
    dip_scope_close();
    dip_params_free(params);
    assert_int_equal(dip_tensor_live_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_params_hold_tensors_by_name_in_order),
        cmocka_unit_test(test_params_refuse_a_name_twice_and_null),
        cmocka_unit_test(test_params_change_layout_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
