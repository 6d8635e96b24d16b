#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/onnx_fp16.h"
#include "tests/export/onnx_helper.h"

static int32_t type_of_constant(dip_onnx *onnx, const char *name)
{
    const Onnx__TensorProto *t = dip_onnx_find_constant(onnx, name);
    return t != NULL ? t->data_type : 0;
}

/* Rows x w of length 1; of length 0 where they are 0. */
static dip_onnx *make_unit_rows(const dip_tensor *w)
{
    dip_onnx *onnx = make_onnx();
    const char *x = add_input(onnx, "x", dip_tensor_size(w, 0));
    const char *h =
        dip_onnx_node(onnx, "MatMul", 2, x, dip_onnx_tensor(onnx, "w", w));
    const char *squares = dip_onnx_node(onnx, "Mul", 2, h, h);
    const char *length =
        dip_onnx_node(onnx, "Sqrt", 1,
                      dip_onnx_node(onnx, "ReduceSum", 2, squares,
                                    dip_onnx_ints(onnx, 1, (int64_t[]){1})));
    length = dip_onnx_node(onnx, "Max", 2, length,
                           dip_onnx_scalar(onnx, DIP_F32, 1e-12));
    add_output(onnx, "y", dip_onnx_node(onnx, "Div", 2, h, length),
               dip_tensor_size(w, 1));
    return onnx;
}

/* Weights in half precision, rows within its rounding of libtorch's, and no
 * division by a length that F16 has rounded to 0. */
static void test_onnx_fp16_keeps_rows_within_its_rounding(void **state)
{
    (void)state;
    dip_err err = {0};
    int64_t clamped = -1;
    dip_tensor *w = pattern(SIZES(32, 8)), *x = pattern(SIZES(6, 32));
    dip_tensor *zero = dip_tensor_full(0, DIP_F32, SIZES(1, 32));
    x = dip_t_cat((dip_tensor *[]){x, zero}, 2, 0);
    dip_tensor *wanted = dip_t_normalize(dip_t_matmul(x, w), 1);
    dip_onnx *onnx = make_unit_rows(w);
    assert_true(relative(run_onnx(onnx, x, "y"), wanted) < 1e-6);
    assert_ok(dip_onnx_halve(onnx, &clamped, &err), &err);
    assert_int_equal(clamped, 0);
    dip_tensor *y = run_onnx(onnx, x, "y");
    assert_int_equal(dip_tensor_dtype(y), DIP_F32);
    double gap = relative(y, wanted);
    assert_true(gap > 1e-6 && gap < 2e-3);
    assert_null(dip_onnx_find_constant(onnx, "w"));
    assert_int_equal(type_of_constant(onnx, "w_half"), dip_onnx_type(DIP_F16));
    dip_onnx_free(onnx);
}

/* x w / max(|x w|, 1e-12): signs, and 0 where F16 would divide 0 by 0. */
static void test_onnx_fp16_keeps_constants_out_of_its_range(void **state)
{
    (void)state;
    dip_err err = {0};
    int64_t clamped = -1;
    dip_onnx *onnx = make_onnx();
    const char *x = add_input(onnx, "x", 1);
    const char *w =
        dip_onnx_tensor(onnx, "w", dip_tensor_full(3, DIP_F32, SIZES(1, 1)));
    const char *h = dip_onnx_node(onnx, "MatMul", 2, x, w);
    const char *size =
        dip_onnx_node(onnx, "Max", 2, dip_onnx_node(onnx, "Abs", 1, h),
                      dip_onnx_scalar(onnx, DIP_F32, 1e-12));
    add_output(onnx, "y", dip_onnx_node(onnx, "Div", 2, h, size), 1);
    dip_tensor *rows =
        dip_tensor_from((float[]){0, -2, 5}, DIP_F32, SIZES(3, 1));
    assert_ok(dip_onnx_halve(onnx, &clamped, &err), &err);
    assert_tensor(run_onnx(onnx, rows, "y"), 0, -1, 1);
    dip_onnx_free(onnx);
}

/* Numbers that come in and are only compared, shifted and scaled keep their 24
 * bits: 2049 is none of F16. */
static void test_onnx_fp16_keeps_plain_numbers(void **state)
{
    (void)state;
    dip_err err = {0};
    int64_t clamped = -1;
    dip_onnx *onnx = make_onnx();
    const char *x = add_input(onnx, "x", 1);
    const char *y =
        dip_onnx_node(onnx, "Sub", 2, x, dip_onnx_scalar(onnx, DIP_F32, 2047));
    y = dip_onnx_node(onnx, "Mul", 2, y, dip_onnx_floats(onnx, 1, &(float){3}));
    add_output(onnx, "y", y, 1);
    dip_tensor *rows =
        dip_tensor_from((float[]){2049, 70000}, DIP_F32, SIZES(2, 1));
    assert_ok(dip_onnx_halve(onnx, &clamped, &err), &err);
    assert_tensor(run_onnx(onnx, rows, "y"), 6, 3 * 67953.0);
    dip_onnx_free(onnx);
}

/* An operation reads one value in both precisions, each made once. */
static void test_onnx_fp16_casts_a_value_once(void **state)
{
    (void)state;
    dip_err err = {0};
    int64_t clamped = -1;
    dip_onnx *onnx = make_onnx();
    const char *x = add_input(onnx, "x", 3);
    const char *w = dip_onnx_tensor(onnx, "w", pattern(SIZES(3, 3)));
    const char *a = dip_onnx_node(onnx, "MatMul", 2, x, w);
    const char *b = dip_onnx_node(onnx, "MatMul", 2, x, w);
    const char *soft = dip_onnx_node(onnx, "Softmax", 1, a);
    soft = dip_onnx_node(onnx, "Add", 2, soft,
                         dip_onnx_node(onnx, "Softmax", 1, a));
    add_output(onnx, "y", dip_onnx_node(onnx, "Mul", 2, soft, b), 3);
    assert_ok(dip_onnx_halve(onnx, &clamped, &err), &err);
    /* x down, a up, soft down; and the output up. */
    assert_int_equal(count_nodes(onnx, "Cast"), 4);
    dip_tensor *y = run_onnx(onnx, pattern(SIZES(4, 3)), "y");
    assert_int_equal(dip_tensor_size(y, 0), 4);
    dip_onnx_free(onnx);
}

static void test_onnx_fp16_tells_weights_out_of_its_range(void **state)
{
    (void)state;
    dip_err err = {0};
    int64_t clamped = -1;
    const float large[] = {1e6F, -2, -7e4F, 65504}, not [] = {1, 2, NAN, 4};
    for (int i = 0; i < 2; i++) {
        dip_onnx *onnx = make_onnx();
        const char *x = add_input(onnx, "x", 2);
        const char *w = dip_onnx_constant(onnx, "w", DIP_F32, 2,
                                          (int64_t[]){2, 2}, i ? not : large);
        add_output(onnx, "y", dip_onnx_node(onnx, "MatMul", 2, x, w), 2);
        dip_status st = dip_onnx_halve(onnx, &clamped, &err);
        assert_int_equal(st, i ? DIP_ENUMERIC : DIP_OK);
        if (i == 0) {
            assert_int_equal(clamped, 2);
            assert_tensor(
                run_onnx(onnx,
                         dip_tensor_from((float[]){1, 0}, DIP_F32, SIZES(1, 2)),
                         "y"),
                65504, -2);
        } else {
            assert_non_null(strstr(err.msg, "'w'"));
        }
        dip_onnx_free(onnx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_onnx_fp16_keeps_rows_within_its_rounding),
        MODEL_TEST(test_onnx_fp16_keeps_constants_out_of_its_range),
        MODEL_TEST(test_onnx_fp16_keeps_plain_numbers),
        MODEL_TEST(test_onnx_fp16_casts_a_value_once),
        MODEL_TEST(test_onnx_fp16_tells_weights_out_of_its_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
