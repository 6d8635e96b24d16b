#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/tensor/golden.h"

#define GOLDEN     "tests/golden/tensor/ops.safetensors"
#define INPUTS_MAX 20

/* Each case computes from its inputs what the case of the same name in
 * tests/parity/gen_tensor.py computes in PyTorch. */
typedef dip_tensor *(*case_fn)(dip_tensor *const *in);

#define CASE(name, expression)                                                 \
    static dip_tensor *case_##name(dip_tensor *const *in)                      \
    {                                                                          \
        return expression;                                                     \
    }

static dip_tensor *ids(void)
{
    static const int64_t data[] = {0, 2, 1, 3, 3, 5};
    return dip_tensor_from(data, DIP_I64, SIZES(2, 3));
}

static dip_tensor *targets(void)
{
    static const int64_t data[] = {2, 0, -100, 1};
    return dip_tensor_from(data, DIP_I64, SIZES(4));
}

static dip_tensor *mask(void)
{
    static const unsigned char data[] = {1, 1, 0, 1, 0, 1, 0, 1, 1};
    return dip_tensor_from(data, DIP_BOOL, SIZES(3, 3));
}

static dip_tensor *rows(void)
{
    static const int64_t data[] = {2, 0, 2};
    return dip_tensor_from(data, DIP_I64, SIZES(3));
}

static dip_tensor *columns(void)
{
    static const int64_t data[] = {0, 2, 1, 1, 3, 0};
    return dip_tensor_from(data, DIP_I64, SIZES(3, 2));
}

static dip_tensor *triple(double a, double b, double c)
{
    const double data[] = {a, b, c};
    return dip_tensor_from(data, DIP_F64, SIZES(3));
}

static dip_tensor *batch_norm(dip_tensor *const *in, bool training)
{
    return dip_t_batch_norm(in[0], in[1], in[2], triple(0.1, -0.2, 0.3),
                            triple(1.1, 0.8, 1.3), training, 0.1, 1e-5);
}

static dip_tensor *lstm(dip_tensor *const *in, bool want_hidden)
{
    dip_tensor *hidden;
    dip_tensor *out = dip_t_lstm(in[0], in + 1, 16, 2, 0, false, true, &hidden);
    return want_hidden ? hidden : out;
}

static dip_tensor *second_chunk(const dip_tensor *a)
{
    dip_tensor *parts[3];
    dip_t_chunk(parts, a, 3, 1);
    return parts[1];
}

CASE(add, dip_t_add(in[0], in[1]))
CASE(sub, dip_t_sub(in[0], in[1]))
CASE(mul, dip_t_mul(in[0], in[1]))
CASE(div, dip_t_div(in[0], in[1]))
CASE(maximum, dip_t_maximum(in[0], in[1]))
CASE(add_scalar, dip_t_add_scalar(in[0], 1.5))
CASE(mul_scalar, dip_t_mul_scalar(in[0], -2.5))
CASE(pow_scalar, dip_t_pow_scalar(in[0], 1.7))
CASE(clamp, dip_t_clamp(in[0], -0.5, 0.8))
CASE(neg, dip_t_neg(in[0]))
CASE(exp, dip_t_exp(in[0]))
CASE(log, dip_t_log(in[0]))
CASE(sqrt, dip_t_sqrt(in[0]))
CASE(abs, dip_t_abs(in[0]))
CASE(relu, dip_t_relu(in[0]))
CASE(gelu, dip_t_gelu(in[0]))
CASE(gelu_tanh, dip_t_gelu_tanh(in[0]))
CASE(quick_gelu, dip_t_quick_gelu(in[0]))
CASE(silu, dip_t_silu(in[0]))
CASE(sigmoid, dip_t_sigmoid(in[0]))
CASE(log_sigmoid, dip_t_log_sigmoid(in[0]))
CASE(tanh, dip_t_tanh(in[0]))
CASE(softplus, dip_t_softplus(in[0]))
CASE(masked_fill, dip_t_masked_fill(in[0], mask(), -3))
CASE(where, dip_t_where(mask(), in[0], in[1]))
CASE(sum, dip_t_sum(in[0], 1, true))
CASE(mean, dip_t_mean(in[0], 0, false))
CASE(amax, dip_t_amax(in[0], -1, false))
CASE(logsumexp, dip_t_logsumexp(in[0], 1, false))
CASE(sum_all, dip_t_sum_all(in[0]))
CASE(mean_all, dip_t_mean_all(in[0]))
CASE(norm_all, dip_t_norm_all(in[0]))
CASE(normalize, dip_t_normalize(in[0], -1))
CASE(matmul, dip_t_matmul(in[0], in[1]))
CASE(linear, dip_t_linear(in[0], in[1], in[2]))
CASE(linear_plain, dip_t_linear(in[0], in[1], NULL))
CASE(conv2d, dip_t_conv2d(in[0], in[1], in[2], 2, 1, 2))
CASE(batch_norm_train, batch_norm(in, true))
CASE(batch_norm_eval, batch_norm(in, false))
CASE(layer_norm, dip_t_layer_norm(in[0], in[1], in[2], 1e-6))
CASE(max_pool2d, dip_t_max_pool2d(in[0], 3, 2, 1))
CASE(avg_pool2d, dip_t_avg_pool2d(in[0], 2, 2, 1))
CASE(adaptive_avg_pool2d, dip_t_adaptive_avg_pool2d(in[0], 2, 3))
CASE(embedding, dip_t_embedding(in[0], ids(), 3))
CASE(attention, dip_t_attention(in[0], in[1], in[2], NULL, 0, false))
CASE(attention_mask, dip_t_attention(in[0], in[1], in[2], mask(), 0, false))
CASE(attention_causal, dip_t_attention(in[0], in[1], in[2], NULL, 0, true))
CASE(lstm, lstm(in, false))
CASE(lstm_hidden, lstm(in, true))
CASE(softmax, dip_t_softmax(in[0], 0))
CASE(log_softmax, dip_t_log_softmax(in[0], -1))
CASE(cross_entropy, dip_t_cross_entropy(in[0], targets(), NULL, -100, 0))
CASE(cross_entropy_weights,
     dip_t_cross_entropy(in[0], targets(), triple(0.5, 1, 2), -100, 0))
CASE(cross_entropy_smooth,
     dip_t_cross_entropy(in[0], targets(), NULL, -100, 0.1))
CASE(reshape, dip_t_reshape(in[0], SIZES(2, -1)))
CASE(flatten, dip_t_flatten(in[0], 1, 2))
CASE(unflatten, dip_t_unflatten(in[0], 1, SIZES(2, -1)))
CASE(transpose, dip_t_transpose(in[0], 0, 1))
CASE(permute, dip_t_permute(in[0], SIZES(2, 0, 1)))
CASE(unsqueeze, dip_t_unsqueeze(in[0], 1))
CASE(squeeze, dip_t_squeeze(in[0], 1))
CASE(expand, dip_t_expand(in[0], SIZES(2, 3, 4)))
CASE(expand_as,
     dip_t_add(dip_t_expand_as(in[0], in[1]), dip_t_mul_scalar(in[1], 0)))
CASE(cat, dip_t_cat(in, 2, 1))
CASE(stack, dip_t_stack(in, 2, 1))
CASE(chunk, second_chunk(in[0]))
CASE(narrow, dip_t_narrow(in[0], 1, 2, 3))
CASE(select, dip_t_select(in[0], 1, -1))
CASE(index_select, dip_t_index_select(in[0], 0, rows()))
CASE(gather, dip_t_gather(in[0], 1, columns()))
CASE(contiguous, dip_t_contiguous(dip_t_transpose(in[0], 0, 1)))
CASE(channels_last, dip_t_channels_last(in[0]))
CASE(clone, dip_t_clone(in[0]))

#define ROW(name)                                                              \
    {                                                                          \
#name, case_##name                                                     \
    }
static const struct {
    const char *name;
    case_fn fn;
} cases[] = {
    ROW(add),
    ROW(sub),
    ROW(mul),
    ROW(div),
    ROW(maximum),
    ROW(add_scalar),
    ROW(mul_scalar),
    ROW(pow_scalar),
    ROW(clamp),
    ROW(neg),
    ROW(exp),
    ROW(log),
    ROW(sqrt),
    ROW(abs),
    ROW(relu),
    ROW(gelu),
    ROW(gelu_tanh),
    ROW(quick_gelu),
    ROW(silu),
    ROW(sigmoid),
    ROW(log_sigmoid),
    ROW(tanh),
    ROW(softplus),
    ROW(masked_fill),
    ROW(where),
    ROW(sum),
    ROW(mean),
    ROW(amax),
    ROW(logsumexp),
    ROW(sum_all),
    ROW(mean_all),
    ROW(norm_all),
    ROW(normalize),
    ROW(matmul),
    ROW(linear),
    ROW(linear_plain),
    ROW(conv2d),
    ROW(batch_norm_train),
    ROW(batch_norm_eval),
    ROW(layer_norm),
    ROW(max_pool2d),
    ROW(avg_pool2d),
    ROW(adaptive_avg_pool2d),
    ROW(embedding),
    ROW(attention),
    ROW(attention_mask),
    ROW(attention_causal),
    ROW(lstm),
    ROW(lstm_hidden),
    ROW(softmax),
    ROW(log_softmax),
    ROW(cross_entropy),
    ROW(cross_entropy_weights),
    ROW(cross_entropy_smooth),
    ROW(reshape),
    ROW(flatten),
    ROW(unflatten),
    ROW(transpose),
    ROW(permute),
    ROW(unsqueeze),
    ROW(squeeze),
    ROW(expand),
    ROW(expand_as),
    ROW(cat),
    ROW(stack),
    ROW(chunk),
    ROW(narrow),
    ROW(select),
    ROW(index_select),
    ROW(gather),
    ROW(contiguous),
    ROW(channels_last),
    ROW(clone),
};

static void test_ops_table_holds_every_golden_case(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(GOLDEN);
    int golden = 0;
    for (int i = 0; i < dip_safetensors_count(file); i++) {
        const char *name = dip_safetensors_name(file, i);
        golden += strcmp(strrchr(name, '.'), ".out") == 0;
    }
    assert_int_equal(golden, DIP_ARRAY_LEN(cases));
    dip_safetensors_close(file);
}

static int load_inputs(dip_tensor **in, const dip_safetensors *file,
                       const char *name)
{
    for (int i = 0; i < INPUTS_MAX; i++) {
        char which[16];
        (void)snprintf(which, sizeof which, "in%d", i);
        in[i] = golden_find(file, name, which);
        if (in[i] == NULL)
            return i;
    }
    fail_msg("too many inputs of %s", name);
    return 0;
}

/* The scalar that is differentiated: sum(out * w). */
static dip_tensor *weighted(case_fn fn, dip_tensor *const *in,
                            const dip_tensor *w)
{
    return dip_t_sum_all(dip_t_mul(fn(in), w));
}

static void test_ops_values_match_pytorch(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(GOLDEN);
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_scope_open();
        dip_tensor *in[INPUTS_MAX];
        (void)load_inputs(in, file, cases[i].name);
        dip_tensor *out = cases[i].fn(in);
        assert_no_error();
        double off = distance(out, golden_get(file, cases[i].name, "out"));
        if (!(off < 1e-12))
            fail_msg("%s is off by %g", cases[i].name, off);
        dip_scope_close();
    }
    dip_safetensors_close(file);
    assert_int_equal(dip_tensor_live_count(), 0);
}

static void test_ops_gradients_match_pytorch(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(GOLDEN);
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_scope_open();
        dip_tensor *in[INPUTS_MAX];
        int count = load_inputs(in, file, cases[i].name);
        for (int k = 0; k < count; k++)
            dip_tensor_set_requires_grad(in[k], true);
        dip_tensor_backward(
            weighted(cases[i].fn, in, golden_get(file, cases[i].name, "w")));
        assert_no_error();
        for (int k = 0; k < count; k++) {
            char which[16];
            (void)snprintf(which, sizeof which, "grad%d", k);
            double off = distance(dip_tensor_grad(in[k]),
                                  golden_get(file, cases[i].name, which));
            if (!(off < 1e-11))
                fail_msg("gradient %d of %s is off by %g", k, cases[i].name,
                         off);
        }
        dip_scope_close();
    }
    dip_safetensors_close(file);
    assert_int_equal(dip_tensor_live_count(), 0);
}

/* Central difference of the scalar in element `e` of input `k`. */
static double slope(case_fn fn, dip_tensor *const *in, const dip_tensor *w,
                    int k, int64_t e)
{
    const double h = 1e-6;
    double *x = dip_tensor_data(in[k]);
    double at = x[e], value[2];
    for (int side = 0; side < 2; side++) {
        x[e] = side == 0 ? at - h : at + h;
        dip_scope_open();
        value[side] = dip_tensor_item(weighted(fn, in, w));
        dip_scope_close();
    }
    x[e] = at;
    return (value[1] - value[0]) / (2 * h);
}

static void check_slopes(const dip_safetensors *file, const char *name,
                         case_fn fn)
{
    dip_tensor *in[INPUTS_MAX];
    int count = load_inputs(in, file, name);
    dip_tensor *w = golden_get(file, name, "w");
    for (int k = 0; k < count; k++)
        dip_tensor_set_requires_grad(in[k], true);
    dip_tensor_backward(weighted(fn, in, w));
    bool before = dip_tensor_set_grad_mode(false);
    for (int k = 0; k < count; k++) {
        int64_t n = dip_tensor_numel(in[k]);
        dip_tensor *grad = dip_t_contiguous(dip_tensor_grad(in[k]));
        const double *analytic = dip_tensor_data(grad);
        assert_no_error();
        for (int64_t e = 0; e < n; e++) {
            double numeric = slope(fn, in, w, k, e);
            /* The row of padding_idx gets no gradient by definition. */
            bool padding = strcmp(name, "embedding") == 0 && e / 3 == 3;
            double wanted = padding ? 0 : numeric;
            if (!(fabs(analytic[e] - wanted) < 1e-6 * (1 + fabs(wanted))))
                fail_msg("%s, input %d, element %d: %g, not %g", name, k,
                         (int)e, analytic[e], wanted);
        }
    }
    (void)dip_tensor_set_grad_mode(before);
}

static void test_ops_gradients_match_finite_differences(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(GOLDEN);
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_scope_open();
        check_slopes(file, cases[i].name, cases[i].fn);
        dip_scope_close();
    }
    dip_safetensors_close(file);
}

static void test_ops_comparisons_give_bool(void **state)
{
    (void)state;
    dip_scope_open();
    const double nan_row[] = {1, NAN, INFINITY};
    dip_tensor *a = triple(1, 2, 3), *b = triple(1, 0, 3);
    dip_tensor *equal = dip_t_eq(a, b);
    assert_int_equal(dip_tensor_dtype(equal), DIP_BOOL);
    assert_tensor(equal, 1, 0, 1);
    assert_tensor(dip_t_ne_scalar(a, 2), 1, 0, 1);
    assert_tensor(dip_t_gt_scalar(a, 2), 0, 0, 1);
    assert_tensor(dip_t_logical_not(equal), 0, 1, 0);
    assert_tensor(dip_t_logical_and(equal, dip_t_gt_scalar(a, 2)), 0, 0, 1);
    assert_tensor(dip_t_isfinite(dip_tensor_from(nan_row, DIP_F64, SIZES(3))),
                  1, 0, 0);
    assert_tensor(dip_t_argmax(b, 0, false), 2);
    assert_tensor(dip_t_zeros_like(a), 0, 0, 0);
    dip_scope_close();
}

static void test_ops_batch_norm_updates_running_statistics(void **state)
{
    (void)state;
    dip_scope_open();
    const float data[] = {1, 3, 5, 7}; /* mean 4, unbiased variance 20/3 */
    dip_tensor *x = dip_tensor_from(data, DIP_F32, SIZES(4, 1));
    dip_tensor *mean = dip_tensor_full(0, DIP_F32, SIZES(1));
    dip_tensor *var = dip_tensor_full(1, DIP_F32, SIZES(1));
    (void)dip_t_batch_norm(x, NULL, NULL, mean, var, true, 0.1, 1e-5);
    assert_tensor(mean, 0.4);
    assert_tensor(var, 0.9 + 2.0 / 3);
    (void)dip_t_batch_norm(x, NULL, NULL, mean, var, false, 0.1, 1e-5);
    assert_tensor(mean, 0.4);
    dip_scope_close();
}

static void test_ops_dropout_is_identity_unless_training(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *x = dip_tensor_full(1, DIP_F32, SIZES(10000));
    assert_ptr_equal(dip_tensor_data(dip_t_dropout(x, 0.5, false)),
                     dip_tensor_data(x));
    assert_ptr_equal(dip_tensor_data(dip_t_dropout(x, 0, true)),
                     dip_tensor_data(x));
    dip_tensor *dropped = dip_t_dropout(x, 0.25, true);
    double zeros = 10000 - dip_tensor_item(dip_t_sum_all(dip_t_to_dtype(
                               dip_t_gt_scalar(dropped, 0), DIP_F32)));
    assert_in_range((int)zeros, 2300, 2700);
    assert_near(dip_tensor_item(dip_t_amax(dropped, 0, false)), 1 / 0.75, 1e-6);
    assert_no_error();
    dip_scope_close();
}

static void test_ops_cross_entropy_of_no_row_is_zero(void **state)
{
    (void)state;
    const int64_t ignored[] = {-1, -1};
    for (int smooth = 0; smooth < 2; smooth++) {
        dip_scope_open();
        dip_tensor *x = dip_tensor_full(0.5, DIP_F32, SIZES(2, 3));
        dip_tensor_set_requires_grad(x, true);
        dip_tensor *y = dip_tensor_from(ignored, DIP_I64, SIZES(2));
        dip_tensor *loss = dip_t_cross_entropy(x, y, NULL, -1, 0.1 * smooth);
        assert_tensor(loss, 0);
        dip_tensor_backward(loss);
        assert_tensor(dip_tensor_grad(x), 0, 0, 0, 0, 0, 0);
        dip_scope_close();
    }
}

static void test_ops_normalize_of_zero_is_zero(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *x = dip_tensor_full(0, DIP_F32, SIZES(1, 3));
    dip_tensor_set_requires_grad(x, true);
    dip_tensor *unit = dip_t_normalize(x, 1);
    assert_tensor(unit, 0, 0, 0);
    dip_tensor_backward(dip_t_sum_all(unit));
    assert_no_error();
    assert_true(isfinite(dip_tensor_item(dip_t_norm_all(dip_tensor_grad(x)))));
    dip_scope_close();
}

static void test_ops_layout_changes_copy_only_when_needed(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *x = dip_tensor_full(1, DIP_F32, SIZES(2, 3, 4, 5));
    const void *data = dip_tensor_data(x);
    assert_ptr_equal(dip_tensor_data(dip_t_contiguous(x)), data);
    assert_ptr_equal(dip_tensor_data(dip_t_to_dtype(x, DIP_F32)), data);
    assert_ptr_equal(dip_tensor_data(dip_t_to_device(x, DIP_CPU)), data);
    dip_tensor *last = dip_t_channels_last(x);
    assert_null(dip_tensor_data(last)); /* no longer row-major */
    assert_error("data: the tensor is not contiguous");
    dip_tensor *rows_of = dip_t_permute(last, SIZES(0, 2, 3, 1));
    dip_tensor *again =
        dip_t_permute(dip_t_channels_last(last), SIZES(0, 2, 3, 1));
    assert_ptr_equal(dip_tensor_data(again), dip_tensor_data(rows_of));
    dip_scope_close();
}

/* The kernel that attention takes on the CPU, by its number in libtorch's
 * enum SDPBackend: 1 is flash, 0 the one that makes the T x T matrix. */
static void test_ops_attention_takes_the_flash_kernel_in_training(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *q = dip_tensor_full(0.1, DIP_F32, SIZES(2, 4, 16, 8));
    dip_tensor_set_requires_grad(q, true);
    dip_arg args[] = {{.kind = DIP_ARG_TENSOR, .as.tensor = q},
                      {.kind = DIP_ARG_TENSOR, .as.tensor = q},
                      {.kind = DIP_ARG_TENSOR, .as.tensor = q}};
    dip_tensor *choice, *flash[2];
    dip_tensor_call(&choice, 1, "aten::_fused_sdp_choice", "", args, 3);
    assert_tensor(choice, 1);
    dip_tensor_call(flash, 2,
                    "aten::_scaled_dot_product_flash_attention_for_cpu", "",
                    args, 3);
    dip_tensor *ours = dip_t_attention(q, q, q, NULL, 0, false);
    assert_true(dip_tensor_requires_grad(ours));
    assert_true(distance(ours, flash[0]) == 0);
    assert_no_error();
    dip_scope_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ops_table_holds_every_golden_case),
        cmocka_unit_test(test_ops_values_match_pytorch),
        cmocka_unit_test(test_ops_gradients_match_pytorch),
        cmocka_unit_test(test_ops_gradients_match_finite_differences),
        cmocka_unit_test(test_ops_comparisons_give_bool),
        cmocka_unit_test(test_ops_batch_norm_updates_running_statistics),
        cmocka_unit_test(test_ops_dropout_is_identity_unless_training),
        cmocka_unit_test(test_ops_cross_entropy_of_no_row_is_zero),
        cmocka_unit_test(test_ops_normalize_of_zero_is_zero),
        cmocka_unit_test(test_ops_layout_changes_copy_only_when_needed),
        cmocka_unit_test(test_ops_attention_takes_the_flash_kernel_in_training),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
