#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/onnx_int8.h"
#include "tests/export/onnx_helper.h"

#define GOLDEN "tests/golden/onnx/int8.safetensors"

/* y = Gemm(relu(x w + b), v, c), z = x u, as tests/parity/gen_onnx.py has it.
 */
static dip_onnx *make_layers(const dip_safetensors *golden)
{
    dip_onnx *onnx = make_onnx();
    const char *x = add_input(onnx, "x", 16);
    const char *c[5];
    static const char *const names[] = {"w", "b", "v", "c", "u"};
    for (int i = 0; i < 5; i++)
        c[i] = dip_onnx_tensor(onnx, names[i],
                               golden_get(golden, "int8", names[i]));
    const char *h = dip_onnx_node(onnx, "MatMul", 2, x, c[0]);
    h = dip_onnx_node(onnx, "Add", 2, h, c[1]);
    h = dip_onnx_node(onnx, "Relu", 1, h);
    h = dip_onnx_node(onnx, "Gemm", 3, h, c[2], c[3]);
    dip_onnx_set_int(onnx, "transB", 1);
    add_output(onnx, "y", h, 5);
    add_output(onnx, "z", dip_onnx_node(onnx, "MatMul", 2, x, c[4]), 3);
    return onnx;
}

static void assert_constant(dip_onnx *onnx, const char *name,
                            const dip_tensor *wanted)
{
    const Onnx__TensorProto *t = dip_onnx_find_constant(onnx, name);
    if (t == NULL)
        fail_msg("no constant '%s'", name);
    assert_int_equal(t->data_type, dip_onnx_type(dip_tensor_dtype(wanted)));
    assert_int_equal(t->n_dims, dip_tensor_ndim(wanted));
    for (size_t i = 0; i < t->n_dims; i++)
        assert_int_equal(t->dims[i], dip_tensor_size(wanted, (int)i));
    assert_memory_equal(t->raw_data.data,
                        dip_tensor_data(dip_t_contiguous(wanted)),
                        t->raw_data.len);
}

/* The weights, scales and outputs of quantize_dynamic(). */
static void test_onnx_int8_quantises_as_onnxruntime_does(void **state)
{
    (void)state;
    dip_safetensors *golden = golden_open(GOLDEN);
    dip_onnx *onnx = make_layers(golden);
    dip_err err = {0};
    int matrices = 0;
    dip_tensor *x = golden_get(golden, "int8", "x");
    dip_tensor *exact = run_onnx(onnx, x, "y");
    assert_ok(dip_onnx_quantise(onnx, &matrices, &err), &err);
    assert_int_equal(matrices, 3);
    static const char *const pairs[][2] = {
        {"w_quantized", "w_quantized"},
        {"w_scale", "w_scale"},
        {"v_transposed_quantized", "v_quantized"},
        {"v_transposed_scale", "v_scale"},
        {"u_quantized", "u_quantized"},
        {"u_scale", "u_scale"},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(pairs); i++)
        assert_constant(onnx, pairs[i][0],
                        golden_get(golden, "int8", pairs[i][1]));
    dip_tensor *y = run_onnx(onnx, x, "y");
    assert_true(relative(y, golden_get(golden, "int8", "y")) < 1e-6);
    assert_true(relative(run_onnx(onnx, x, "z"),
                         golden_get(golden, "int8", "z")) < 1e-6);
    assert_true(relative(y, exact) > 1e-5 && relative(y, exact) < 0.02);
    dip_onnx_free(onnx);
    dip_safetensors_close(golden);
}

/* An input of two layers is quantised once, weights of two layers are stored
 * once, and what was replaced is gone. */
static void test_onnx_int8_shares_what_layers_share(void **state)
{
    (void)state;
    dip_err err = {0};
    int matrices = 0;
    dip_onnx *onnx = make_onnx();
    const char *x = add_input(onnx, "x", 4);
    const char *w = dip_onnx_tensor(onnx, "w", pattern(SIZES(4, 4)));
    const char *a = dip_onnx_node(onnx, "MatMul", 2, x, w);
    const char *b = dip_onnx_node(onnx, "Gemm", 2, x, w);
    add_output(onnx, "y", dip_onnx_node(onnx, "MatMul", 2, a, w), 4);
    add_output(onnx, "z", b, 4);
    assert_ok(dip_onnx_quantise(onnx, &matrices, &err), &err);
    assert_int_equal(matrices, 1);
    assert_int_equal(count_nodes(onnx, "MatMulInteger"), 3);
    assert_int_equal(count_nodes(onnx, "DynamicQuantizeLinear"), 2);
    assert_int_equal(count_nodes(onnx, "MatMul"), 0);
    assert_int_equal(count_nodes(onnx, "Gemm"), 0);
    assert_null(dip_onnx_find_constant(onnx, "w"));
    assert_non_null(dip_onnx_find_constant(onnx, "w_quantized"));
    dip_onnx_free(onnx);
}

/* Products of two inputs, tables, Gemm with other factors or a turned left side
 * stay as they are. */
static void test_onnx_int8_leaves_other_products(void **state)
{
    (void)state;
    dip_err err = {0};
    int matrices = 0;
    dip_onnx *onnx = make_onnx();
    const char *x = add_input(onnx, "x", 4);
    const char *w = dip_onnx_tensor(onnx, "w", pattern(SIZES(4, 4)));
    const char *cube = dip_onnx_tensor(onnx, "cube", pattern(SIZES(2, 4, 4)));
    const char *y = dip_onnx_node(onnx, "Gemm", 2, x, w);
    dip_onnx_set_float(onnx, "alpha", 0.5);
    y = dip_onnx_node(onnx, "MatMul", 2, w,
                      dip_onnx_node(onnx, "Gemm", 2, y, x));
    dip_onnx_set_int(onnx, "transB", 1);
    add_output(onnx, "y", y, 4);
    add_output(onnx, "z", dip_onnx_node(onnx, "MatMul", 2, x, cube), 4);
    size_t before = dip_onnx_model(onnx)->graph->n_node;
    assert_ok(dip_onnx_quantise(onnx, &matrices, &err), &err);
    assert_int_equal(matrices, 0);
    assert_int_equal(dip_onnx_model(onnx)->graph->n_node, before);
    assert_non_null(dip_onnx_find_constant(onnx, "cube"));
    dip_onnx_free(onnx);
}

static void test_onnx_int8_refuses_weights_that_are_not_finite(void **state)
{
    (void)state;
    dip_err err = {0};
    int matrices = 0;
    dip_onnx *onnx = make_onnx();
    const char *x = add_input(onnx, "x", 2);
    const float items[] = {1, 2, 3, NAN};
    const char *w =
        dip_onnx_constant(onnx, "text.w", DIP_F32, 2, (int64_t[]){2, 2}, items);
    add_output(onnx, "y", dip_onnx_node(onnx, "MatMul", 2, x, w), 2);
    assert_int_equal(dip_onnx_quantise(onnx, &matrices, &err), DIP_ENUMERIC);
    assert_non_null(strstr(err.msg, "'text.w', column 1"));
    dip_onnx_free(onnx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_onnx_int8_quantises_as_onnxruntime_does),
        MODEL_TEST(test_onnx_int8_shares_what_layers_share),
        MODEL_TEST(test_onnx_int8_leaves_other_products),
        MODEL_TEST(test_onnx_int8_refuses_weights_that_are_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
