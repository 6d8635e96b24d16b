#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/tensor/golden.h"

static dip_arg of_tensor(const dip_tensor *t)
{
    return (dip_arg){.kind = DIP_ARG_TENSOR, .as.tensor = t};
}

static dip_arg of_int(int64_t i)
{
    return (dip_arg){.kind = DIP_ARG_INT, .as.i = i};
}

static dip_arg of_float(double f)
{
    return (dip_arg){.kind = DIP_ARG_FLOAT, .as.f = f};
}

static dip_arg of_bool(bool b)
{
    return (dip_arg){.kind = DIP_ARG_BOOL, .as.b = b};
}

static dip_arg of_string(const char *string)
{
    return (dip_arg){.kind = DIP_ARG_STRING, .as.string = string};
}

static dip_arg of_ints(const int64_t *items, int count)
{
    return (dip_arg){.kind = DIP_ARG_INT_LIST, .as.ints = {items, count}};
}

static dip_arg of_tensors(dip_tensor *const *items, int count)
{
    return (dip_arg){.kind = DIP_ARG_TENSOR_LIST, .as.tensors = {items, count}};
}

static const dip_arg none = {.kind = DIP_ARG_NONE};

#define CALL(outs, count, name, overload, ...)                                 \
    dip_tensor_call(outs, count, name, overload, (dip_arg[]){__VA_ARGS__},     \
                    (int)DIP_ARRAY_LEN(((dip_arg[]){__VA_ARGS__})))

static dip_tensor *row(void)
{
    static const float data[] = {3, 1, 4, 1.5F};
    return dip_tensor_from(data, DIP_F32, SIZES(4));
}

static void test_call_fills_in_defaults(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *outs[2];
    CALL(outs, 2, "aten::topk", "", of_tensor(row()), of_int(2));
    assert_tensor(outs[0], 4, 3);
    assert_tensor(outs[1], 2, 0);
    CALL(outs, 1, "aten::topk", "", of_tensor(row()), of_int(2), of_int(-1),
         of_bool(false));
    assert_tensor(outs[0], 1, 1.5);
    dip_scope_close();
}

static void test_call_converts_by_the_schema(void **state)
{
    (void)state;
    dip_scope_open();
    const int64_t sizes[] = {2, 2};
    dip_tensor *out, *x = row();
    /* an int for a float, a Scalar, an optional Scalar */
    CALL(&out, 1, "aten::leaky_relu", "", of_tensor(x), of_int(2));
    assert_tensor(out, 3, 1, 4, 1.5);
    CALL(&out, 1, "aten::clamp", "", of_tensor(x), none, of_int(3));
    assert_tensor(out, 3, 1, 3, 1.5);
    CALL(&out, 1, "aten::clamp", "", of_tensor(x), of_float(1.5));
    assert_tensor(out, 3, 1.5, 4, 1.5);
    CALL(&out, 1, "aten::nan_to_num", "", of_tensor(x), of_int(2));
    assert_tensor(out, 3, 1, 4, 1.5);
    /* an int list, a string, a dtype, a device */
    CALL(&out, 1, "aten::reshape", "", of_tensor(x), of_ints(sizes, 2));
    assert_int_equal(dip_tensor_size(out, 1), 2);
    CALL(&out, 1, "aten::div", "Tensor_mode", of_tensor(x),
         of_tensor(dip_tensor_scalar(2, DIP_F32)), of_string("floor"));
    assert_tensor(out, 1, 0, 2, 0);
    CALL(&out, 1, "aten::zeros", "", of_ints(sizes, 1), of_int(DIP_I32), none,
         of_string("cpu"));
    assert_int_equal(dip_tensor_dtype(out), DIP_I32);
    /* one int for a pair, None for an optional tensor */
    CALL(&out, 1, "aten::avg_pool2d", "",
         of_tensor(dip_t_reshape(x, SIZES(1, 1, 2, 2))), of_int(2));
    assert_tensor(out, 2.375);
    CALL(&out, 1, "aten::linear", "", of_tensor(x),
         of_tensor(dip_tensor_eye(4)), of_tensor(NULL));
    assert_tensor(out, 3, 1, 4, 1.5);
    assert_no_error();
    dip_scope_close();
}

static void test_call_takes_and_gives_lists(void **state)
{
    (void)state;
    dip_scope_open();
    static const int64_t at[] = {2, 0};
    dip_tensor *x = row(), *out, *outs[2];
    CALL(&out, 1, "aten::cat", "", of_tensors((dip_tensor *[]){x, x}, 2));
    assert_int_equal(dip_tensor_numel(out), 8);
    CALL(outs, 2, "aten::split", "Tensor", of_tensor(x), of_int(2));
    assert_tensor(outs[1], 4, 1.5);
    dip_tensor *index = dip_tensor_from(at, DIP_I64, SIZES(2));
    CALL(&out, 1, "aten::index", "Tensor",
         of_tensor(dip_t_reshape(x, SIZES(1, 4))),
         of_tensors((dip_tensor *[]){NULL, index}, 2));
    assert_tensor(out, 4, 3);
    CALL(&out, 1, "aten::cat", "", of_tensors((dip_tensor *[]){x, NULL}, 2));
    assert_error("aten::cat: tensor 2 of a list is NULL");
    CALL(&out, 1, "aten::is_floating_point", "", of_tensor(x));
    assert_tensor(out, 1); /* numbers come as tensors */
    dip_scope_close();
}

static void test_call_is_differentiable(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *x = row(), *outs[2];
    dip_tensor_set_requires_grad(x, true);
    CALL(outs, 2, "aten::topk", "", of_tensor(x), of_int(2));
    dip_tensor_backward(dip_t_sum_all(outs[0]));
    assert_tensor(dip_tensor_grad(x), 1, 0, 1, 0);
    dip_scope_close();
}

static void test_call_faults_are_named(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *x = row(), *outs[3] = {x, x, x};
    CALL(outs, 1, "aten::topkk", "", of_tensor(x));
    assert_error("aten::topkk: there is no operation 'aten::topkk' with "
                 "overload ''");
    assert_null(outs[0]);
    CALL(outs, 1, "aten::topk", "nope", of_tensor(x));
    assert_error("no operation 'aten::topk' with overload 'nope'");
    dip_tensor_call(outs, 1, NULL, "", NULL, 0);
    assert_error("call: the name or overload is NULL");
    CALL(outs, 1, "aten::topk", "", of_tensor(x));
    assert_error("argument 'k' is missing");
    CALL(outs, 1, "aten::topk", "", of_tensor(x), of_float(2));
    assert_error("argument 'k' is a float, not int");
    CALL(outs, 1, "aten::topk", "", of_int(1), of_int(2));
    assert_error("argument 'self' is an int, not Tensor");
    CALL(outs, 1, "aten::topk", "", of_tensor(NULL), of_int(2));
    assert_error("argument 'self' is a tensor that is NULL, not Tensor");
    CALL(outs, 3, "aten::topk", "", of_tensor(x), of_int(2));
    assert_error("aten::topk: 2 results, not 3");
    CALL(outs, 1, "aten::topk", "", of_tensor(x), of_int(9));
    assert_error("aten::topk: selected index k out of range");
    CALL(outs, 1, "aten::neg", "", of_tensor(x), of_int(2));
    assert_error("aten::neg: 2 arguments, takes 1");
    CALL(outs, 1, "aten::neg", "", {.kind = (dip_arg_kind)99});
    assert_error("argument 'self' is of no known kind");
    CALL(outs, 1, "aten::zeros", "", of_ints(NULL, 1));
    assert_error("aten::zeros: the list of sizes is NULL");
    CALL(outs, 1, "aten::zeros", "", of_ints(NULL, 0), of_int(77));
    assert_error("aten::zeros: no dtype of number 77");
    CALL(outs, 1, "aten::zeros", "", of_ints(NULL, 0), none, none,
         of_string("mars"));
    assert_error("aten::zeros: ");
    dip_scope_close();
    assert_int_equal(dip_tensor_live_count(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call_fills_in_defaults),
        cmocka_unit_test(test_call_converts_by_the_schema),
        cmocka_unit_test(test_call_takes_and_gives_lists),
        cmocka_unit_test(test_call_is_differentiable),
        cmocka_unit_test(test_call_faults_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
