#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/tensor/golden.h"

static dip_tensor *ones(int64_t rows, int64_t columns)
{
    return dip_tensor_full(1, DIP_F32, SIZES(rows, columns));
}

/* ---- scopes ------------------------------------------------------------- */

static void test_context_scope_frees_its_temporaries(void **state)
{
    (void)state;
    assert_int_equal(dip_tensor_live_count(), 0);
    dip_scope_open();
    dip_tensor *a = ones(2, 2);
    dip_scope_open();
    for (int i = 0; i < 100; i++)
        a = dip_t_add(a, a);
    assert_int_equal(dip_tensor_live_count(), 101);
    dip_scope_close();
    assert_int_equal(dip_tensor_live_count(), 1);
    dip_scope_close();
    assert_int_equal(dip_tensor_live_count(), 0);
    assert_no_error();
}

static void test_context_keep_outlives_all_scopes(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *first = ones(1, 1);
    dip_tensor *kept = dip_tensor_keep(ones(2, 3));
    (void)dip_t_neg(kept);
    assert_non_null(dip_tensor_keep(first)); /* not the last of the scope */
    dip_scope_close();
    assert_int_equal(dip_tensor_live_count(), 2);
    dip_scope_open();
    assert_near(dip_tensor_item(dip_t_sum_all(kept)), 6, 0);
    assert_null(dip_tensor_keep(kept));
    assert_error("keep: the tensor is kept already");
    dip_scope_close();
    dip_tensor_free(kept);
    dip_tensor_free(first);
    dip_tensor_free(NULL);
    assert_int_equal(dip_tensor_live_count(), 0);
}

static void test_context_return_hands_to_the_enclosing_scope(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *outer = ones(1, 2);
    dip_scope_open();
    dip_tensor *returned = dip_tensor_return(ones(2, 2));
    (void)ones(3, 3);
    assert_ptr_equal(dip_tensor_return(outer), outer); /* stays there */
    dip_scope_close();
    assert_int_equal(dip_tensor_live_count(), 2);
    assert_int_equal(dip_tensor_numel(returned), 4);
    dip_scope_close();
    assert_int_equal(dip_tensor_live_count(), 0);
}

static void test_context_free_takes_a_tensor_out_of_its_scope(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *a = ones(2, 2);
    (void)ones(2, 2);
    dip_tensor_free(a);
    assert_int_equal(dip_tensor_live_count(), 1);
    dip_scope_close();
    assert_int_equal(dip_tensor_live_count(), 0);
}

static void test_context_training_step_leaks_nothing(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *w = ones(4, 3);
    dip_tensor_set_requires_grad(w, true);
    w = dip_tensor_keep(w);
    dip_scope_close();
    for (int step = 0; step < 3; step++) {
        dip_scope_open();
        dip_tensor_backward(
            dip_t_mean_all(dip_t_relu(dip_t_linear(ones(5, 3), w, NULL))));
        dip_tensor_clear_grad(w);
        dip_scope_close();
        assert_int_equal(dip_tensor_live_count(), 1);
    }
    dip_tensor_free(w);
    assert_no_error();
}

/* ---- errors ------------------------------------------------------------- */

static void test_context_first_error_sticks_with_its_message(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *x = ones(2, 3);
    dip_tensor *bad = dip_t_matmul(x, x);
    assert_null(bad);
    assert_true(dip_tensor_failed());
    assert_null(dip_t_add(x, x)); /* fine by itself */
    assert_null(dip_t_softmax(dip_t_reshape(bad, SIZES(7)), 9));
    assert_int_equal(dip_tensor_size(x, 0), 0);
    assert_true(isnan(dip_tensor_item(bad)));
    dip_err err = {0};
    assert_int_equal(dip_tensor_status(&err), DIP_ETENSOR);
    assert_string_equal(err.msg, "matmul: mat1 and mat2 shapes cannot be "
                                 "multiplied (2x3 and 2x3)");
    assert_int_equal(dip_tensor_status(&err), DIP_OK); /* asked once */
    assert_non_null(dip_t_add(x, x));
    dip_scope_close();
    assert_int_equal(dip_tensor_live_count(), 0);
}

static void test_context_caller_can_make_an_error_stick(void **state)
{
    (void)state;
    dip_tensor_fail(DIP_ERANGE, "row %d is bad", 7);
    dip_tensor_fail(DIP_EIO, "later");
    assert_int_equal(dip_tensor_status(NULL), DIP_ERANGE);
    dip_tensor_fail(DIP_OK, "no code");
    assert_int_equal(dip_tensor_status(NULL), DIP_FAIL);
}

static void test_context_modes_are_handed_back_despite_an_error(void **state)
{
    (void)state;
    bool grad = dip_tensor_set_grad_mode(false);
    bool cast = dip_tensor_set_autocast(DIP_CPU, true);
    dip_tensor_fail(DIP_FAIL, "something");
    assert_false(dip_tensor_set_grad_mode(grad));
    assert_true(dip_tensor_set_autocast(DIP_CPU, cast));
    assert_int_equal(dip_tensor_status(NULL), DIP_FAIL);
    assert_true(dip_tensor_set_grad_mode(true));
    assert_false(dip_tensor_set_autocast(DIP_CPU, false));
}

/* Every entry point that takes a tensor, given x wherever it wants one. */
typedef void (*entry_fn)(dip_tensor *x);

#define ENTRY(name, call)                                                      \
    static void entry_##name(dip_tensor *x)                                    \
    {                                                                          \
        (void)(call);                                                          \
    }
#define VOID_ENTRY(name, call) ENTRY(name, (call, 0))

static const dip_adamw_options adamw = {0.1, 0.9, 0.99, 1e-8, 0, 1};
static const dip_sgd_options sgd = {0.1, 0.9, 0, false, true};

static dip_arg tensor_arg(const dip_tensor *x)
{
    return (dip_arg){.kind = DIP_ARG_TENSOR, .as.tensor = x};
}

#define LIST ((dip_tensor *[]){x, x, x, x})

ENTRY(keep, dip_tensor_keep(x))
ENTRY(return_, dip_tensor_return(x))
ENTRY(alias, dip_tensor_alias(x))
ENTRY(ndim, dip_tensor_ndim(x))
ENTRY(size, dip_tensor_size(x, 5))
ENTRY(numel, dip_tensor_numel(x))
ENTRY(dtype, dip_tensor_dtype(x))
ENTRY(device, dip_tensor_device(x))
ENTRY(item, dip_tensor_item(x))
VOID_ENTRY(read, dip_tensor_read(x, DIP_F32, NULL, 0))
ENTRY(data, dip_tensor_data(x))
VOID_ENTRY(assign, dip_tensor_assign(x, x))
VOID_ENTRY(rebind, dip_tensor_rebind(x, x))
VOID_ENTRY(set_requires_grad, dip_tensor_set_requires_grad(x, true))
ENTRY(requires_grad, dip_tensor_requires_grad(x))
VOID_ENTRY(backward, dip_tensor_backward(x))
ENTRY(grad, dip_tensor_grad(x))
VOID_ENTRY(set_grad, dip_tensor_set_grad(x, x))
VOID_ENTRY(clear_grad, dip_tensor_clear_grad(x))
VOID_ENTRY(set_rng_state, dip_tensor_set_rng_state(x))
ENTRY(add, dip_t_add(x, x))
ENTRY(sub, dip_t_sub(x, x))
ENTRY(mul, dip_t_mul(x, x))
ENTRY(div, dip_t_div(x, x))
ENTRY(maximum, dip_t_maximum(x, x))
ENTRY(add_scalar, dip_t_add_scalar(x, 1))
ENTRY(mul_scalar, dip_t_mul_scalar(x, 1))
ENTRY(pow_scalar, dip_t_pow_scalar(x, 2))
ENTRY(clamp, dip_t_clamp(x, 0, 1))
ENTRY(neg, dip_t_neg(x))
ENTRY(exp, dip_t_exp(x))
ENTRY(log, dip_t_log(x))
ENTRY(sqrt, dip_t_sqrt(x))
ENTRY(abs, dip_t_abs(x))
ENTRY(relu, dip_t_relu(x))
ENTRY(gelu, dip_t_gelu(x))
ENTRY(gelu_tanh, dip_t_gelu_tanh(x))
ENTRY(quick_gelu, dip_t_quick_gelu(x))
ENTRY(silu, dip_t_silu(x))
ENTRY(sigmoid, dip_t_sigmoid(x))
ENTRY(log_sigmoid, dip_t_log_sigmoid(x))
ENTRY(tanh, dip_t_tanh(x))
ENTRY(softplus, dip_t_softplus(x))
ENTRY(eq, dip_t_eq(x, x))
ENTRY(ne_scalar, dip_t_ne_scalar(x, 1))
ENTRY(gt_scalar, dip_t_gt_scalar(x, 1))
ENTRY(logical_not, dip_t_logical_not(x))
ENTRY(logical_and, dip_t_logical_and(x, x))
ENTRY(isfinite, dip_t_isfinite(x))
ENTRY(masked_fill, dip_t_masked_fill(x, x, 1))
ENTRY(where, dip_t_where(x, x, x))
ENTRY(sum, dip_t_sum(x, 7, false))
ENTRY(mean, dip_t_mean(x, 7, false))
ENTRY(amax, dip_t_amax(x, 7, false))
ENTRY(argmax, dip_t_argmax(x, 7, false))
ENTRY(logsumexp, dip_t_logsumexp(x, 7, false))
ENTRY(sum_all, dip_t_sum_all(x))
ENTRY(mean_all, dip_t_mean_all(x))
ENTRY(norm_all, dip_t_norm_all(x))
ENTRY(normalize, dip_t_normalize(x, 7))
ENTRY(matmul, dip_t_matmul(x, x))
ENTRY(linear, dip_t_linear(x, dip_t_transpose(x, 0, 1), x))
ENTRY(conv2d, dip_t_conv2d(x, x, x, 0, -1, 0))
ENTRY(batch_norm, dip_t_batch_norm(x, x, x, x, x, false, 0, 0))
ENTRY(layer_norm, dip_t_layer_norm(x, x, x, 1e-5))
ENTRY(max_pool2d, dip_t_max_pool2d(x, 0, 0, -1))
ENTRY(avg_pool2d, dip_t_avg_pool2d(x, 0, 0, -1))
ENTRY(adaptive_avg_pool2d, dip_t_adaptive_avg_pool2d(x, -1, -1))
ENTRY(dropout, dip_t_dropout(x, 2, true))
ENTRY(embedding, dip_t_embedding(x, x, 99))
ENTRY(embedding_sparse, dip_t_embedding_sparse(x, x, 99))
VOID_ENTRY(grad_rows, dip_tensor_grad_rows(x, &(dip_tensor *){NULL},
                                           &(dip_tensor *){NULL}))
VOID_ENTRY(put_rows, dip_tensor_put_rows(x, x, x))
ENTRY(attention, dip_t_attention(x, x, x, x, 0, true))
ENTRY(lstm, dip_t_lstm(x, LIST, 4, 1, 0, false, false, NULL))
ENTRY(softmax, dip_t_softmax(x, 7))
ENTRY(log_softmax, dip_t_log_softmax(x, 7))
ENTRY(cross_entropy, dip_t_cross_entropy(x, x, x, 0, 7))
ENTRY(reshape, dip_t_reshape(x, SIZES(-1, -1)))
ENTRY(flatten, dip_t_flatten(x, 7, 9))
ENTRY(unflatten, dip_t_unflatten(x, 0, SIZES(7, 7)))
ENTRY(transpose, dip_t_transpose(x, 7, 8))
ENTRY(permute, dip_t_permute(x, -3, NULL))
ENTRY(unsqueeze, dip_t_unsqueeze(x, 7))
ENTRY(squeeze, dip_t_squeeze(x, 7))
ENTRY(expand, dip_t_expand(x, 3, NULL))
ENTRY(expand_as, dip_t_expand_as(x, dip_t_transpose(x, 0, 1)))
ENTRY(zeros_like, dip_t_zeros_like(x))
ENTRY(cat, dip_t_cat(LIST, 2, 7))
ENTRY(stack, dip_t_stack(LIST, 2, 7))
VOID_ENTRY(chunk, dip_t_chunk(LIST, x, 4, 0))
ENTRY(narrow, dip_t_narrow(x, 0, 5, 5))
ENTRY(select, dip_t_select(x, 0, 9))
ENTRY(index_select, dip_t_index_select(x, 0, x))
ENTRY(gather, dip_t_gather(x, 0, x))
ENTRY(contiguous, dip_t_contiguous(x))
ENTRY(channels_last, dip_t_channels_last(x))
ENTRY(to_dtype, dip_t_to_dtype(x, DIP_DTYPE_COUNT))
ENTRY(to_device, dip_t_to_device(x, DIP_CPU))
ENTRY(clone, dip_t_clone(x))
ENTRY(detach, dip_t_detach(x))
VOID_ENTRY(call, dip_tensor_call(LIST, 1, "aten::det", "",
                                 (dip_arg[]){tensor_arg(x)}, 1))
VOID_ENTRY(adamw,
           dip_tensor_adamw(LIST, LIST, LIST,
                            (dip_tensor *[]){dip_t_sum_all(x)}, 1, &adamw))
VOID_ENTRY(sgd, dip_tensor_sgd(LIST, LIST, (dip_tensor *[]){dip_t_sum_all(x)},
                               1, &sgd))
ENTRY(clip_grad_norm, dip_tensor_clip_grad_norm(LIST, 2, 0))
VOID_ENTRY(lerp,
           dip_tensor_lerp((dip_tensor *[]){dip_t_sum_all(x)}, LIST, 1, 0.5))
VOID_ENTRY(script_run, dip_script_run(NULL, LIST, 1, LIST, 1))

/* `refuses`: a plain f32 [2, 3] is an error too, by its shape or type. */
static const struct {
    const char *name;
    entry_fn fn;
    bool refuses;
} entries[] = {
    {"keep", entry_keep, false},
    {"return", entry_return_, false},
    {"alias", entry_alias, false},
    {"ndim", entry_ndim, false},
    {"size", entry_size, true},
    {"numel", entry_numel, false},
    {"dtype", entry_dtype, false},
    {"device", entry_device, false},
    {"item", entry_item, true},
    {"read", entry_read, true},
    {"data", entry_data, false},
    {"assign", entry_assign, false},
    {"rebind", entry_rebind, false},
    {"set_requires_grad", entry_set_requires_grad, false},
    {"requires_grad", entry_requires_grad, false},
    {"backward", entry_backward, true},
    {"grad", entry_grad, false},
    {"set_grad", entry_set_grad, false},
    {"clear_grad", entry_clear_grad, false},
    {"set_rng_state", entry_set_rng_state, true},
    {"add", entry_add, false},
    {"sub", entry_sub, false},
    {"mul", entry_mul, false},
    {"div", entry_div, false},
    {"maximum", entry_maximum, false},
    {"add_scalar", entry_add_scalar, false},
    {"mul_scalar", entry_mul_scalar, false},
    {"pow_scalar", entry_pow_scalar, false},
    {"clamp", entry_clamp, false},
    {"neg", entry_neg, false},
    {"exp", entry_exp, false},
    {"log", entry_log, false},
    {"sqrt", entry_sqrt, false},
    {"abs", entry_abs, false},
    {"relu", entry_relu, false},
    {"gelu", entry_gelu, false},
    {"gelu_tanh", entry_gelu_tanh, false},
    {"quick_gelu", entry_quick_gelu, false},
    {"silu", entry_silu, false},
    {"sigmoid", entry_sigmoid, false},
    {"log_sigmoid", entry_log_sigmoid, false},
    {"tanh", entry_tanh, false},
    {"softplus", entry_softplus, false},
    {"eq", entry_eq, false},
    {"ne_scalar", entry_ne_scalar, false},
    {"gt_scalar", entry_gt_scalar, false},
    {"logical_not", entry_logical_not, false},
    {"logical_and", entry_logical_and, false},
    {"isfinite", entry_isfinite, false},
    {"masked_fill", entry_masked_fill, true},
    {"where", entry_where, true},
    {"sum", entry_sum, true},
    {"mean", entry_mean, true},
    {"amax", entry_amax, true},
    {"argmax", entry_argmax, true},
    {"logsumexp", entry_logsumexp, true},
    {"sum_all", entry_sum_all, false},
    {"mean_all", entry_mean_all, false},
    {"norm_all", entry_norm_all, false},
    {"normalize", entry_normalize, true},
    {"matmul", entry_matmul, true},
    {"linear", entry_linear, true},
    {"conv2d", entry_conv2d, true},
    {"batch_norm", entry_batch_norm, true},
    {"layer_norm", entry_layer_norm, true},
    {"max_pool2d", entry_max_pool2d, true},
    {"avg_pool2d", entry_avg_pool2d, true},
    {"adaptive_avg_pool2d", entry_adaptive_avg_pool2d, true},
    {"dropout", entry_dropout, true},
    {"embedding", entry_embedding, true},
    {"embedding_sparse", entry_embedding_sparse, true},
    {"grad_rows", entry_grad_rows, false},
    {"put_rows", entry_put_rows, true},
    {"attention", entry_attention, true},
    {"lstm", entry_lstm, true},
    {"softmax", entry_softmax, true},
    {"log_softmax", entry_log_softmax, true},
    {"cross_entropy", entry_cross_entropy, true},
    {"reshape", entry_reshape, true},
    {"flatten", entry_flatten, true},
    {"unflatten", entry_unflatten, true},
    {"transpose", entry_transpose, true},
    {"permute", entry_permute, true},
    {"unsqueeze", entry_unsqueeze, true},
    {"squeeze", entry_squeeze, true},
    {"expand", entry_expand, true},
    {"expand_as", entry_expand_as, true},
    {"zeros_like", entry_zeros_like, false},
    {"cat", entry_cat, true},
    {"stack", entry_stack, true},
    {"chunk", entry_chunk, true},
    {"narrow", entry_narrow, true},
    {"select", entry_select, true},
    {"index_select", entry_index_select, true},
    {"gather", entry_gather, true},
    {"contiguous", entry_contiguous, false},
    {"channels_last", entry_channels_last, true},
    {"to_dtype", entry_to_dtype, true},
    {"to_device", entry_to_device, false},
    {"clone", entry_clone, false},
    {"detach", entry_detach, false},
    {"aten::det", entry_call, true},
    {"adamw", entry_adamw, true},
    {"sgd", entry_sgd, true},
    {"clip_grad_norm", entry_clip_grad_norm, false},
    {"lerp", entry_lerp, true},
    {"forward", entry_script_run, true},
};

static void test_context_null_is_an_error_that_names_the_operation(void **state)
{
    (void)state;
    dip_scope_open();
    for (size_t i = 0; i < DIP_ARRAY_LEN(entries); i++) {
        dip_scope_open();
        entries[i].fn(NULL);
        dip_scope_close();
        dip_err err = {0};
        dip_status st = dip_tensor_status(&err);
        if (st != DIP_ETENSOR || strstr(err.msg, ": ") == NULL)
            fail_msg("%s(NULL): '%s'", entries[i].name, err.msg);
    }
    dip_scope_close();
    assert_int_equal(dip_tensor_live_count(), 0);
}

static void test_context_wrong_shape_is_an_error_and_no_exception(void **state)
{
    (void)state;
    dip_scope_open();
    for (size_t i = 0; i < DIP_ARRAY_LEN(entries); i++) {
        dip_scope_open();
        dip_tensor *x = ones(2, 3);
        entries[i].fn(x);
        dip_err err = {0};
        dip_status st = dip_tensor_status(&err);
        if ((st != DIP_OK) != entries[i].refuses)
            fail_msg("%s: '%s'", entries[i].name, err.msg);
        if (st != DIP_OK &&
            (strncmp(err.msg, entries[i].name, strlen(entries[i].name)) != 0 ||
             strchr(err.msg, '\n') != NULL))
            fail_msg("%s: '%s'", entries[i].name, err.msg);
        if (entries[i].fn == entry_keep)
            dip_tensor_free(x);
        dip_scope_close();
    }
    dip_scope_close();
    assert_int_equal(dip_tensor_live_count(), 0);
}

static void test_context_impossible_sizes_are_errors(void **state)
{
    (void)state;
    const float value = 1;
    dip_scope_open();
    assert_null(dip_tensor_empty(DIP_F32, SIZES(-1)));
    assert_error("tensor_empty: negative size -1");
    assert_null(dip_tensor_empty(DIP_F32, -1, NULL));
    assert_error("tensor_empty: negative count -1");
    assert_null(dip_tensor_full(0, DIP_F32, 1, NULL));
    assert_error("tensor_full: the list of sizes is NULL");
    assert_null(dip_tensor_from(&value, DIP_DTYPE_COUNT, 0, NULL));
    assert_error("tensor_from: no dtype of number 9");
    assert_null(dip_tensor_from(NULL, DIP_F32, SIZES(2)));
    assert_error("tensor_from: the data are NULL");
    assert_null(dip_tensor_borrow(NULL, DIP_F32, SIZES(2)));
    assert_error("tensor_borrow: the data are NULL");
    assert_null(dip_tensor_empty(DIP_F64, SIZES(INT64_MAX, INT64_MAX)));
    assert_error("tensor_empty: ");
    assert_null(dip_tensor_arange(-1));
    assert_error("tensor_arange: ");
    assert_null(dip_tensor_eye(-1));
    assert_error("tensor_eye: ");
    dip_tensor_set_threads(0);
    assert_error("set_threads: ");
    dip_scope_close();
}

/* ---- the process -------------------------------------------------------- */

static void test_context_loads_one_libgomp(void **state)
{
    (void)state;
    assert_int_equal(distinct_libgomps(), 1);
}

static void test_context_threads_and_version(void **state)
{
    (void)state;
    int before = dip_tensor_threads();
    dip_tensor_set_threads(1);
    assert_int_equal(dip_tensor_threads(), 1);
    dip_tensor_set_threads(before);
    assert_int_equal(dip_tensor_threads(), before);
    assert_non_null(strchr(dip_tensor_torch_version(), '.'));
    assert_no_error();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_context_scope_frees_its_temporaries),
        cmocka_unit_test(test_context_keep_outlives_all_scopes),
        cmocka_unit_test(test_context_return_hands_to_the_enclosing_scope),
        cmocka_unit_test(test_context_free_takes_a_tensor_out_of_its_scope),
        cmocka_unit_test(test_context_training_step_leaks_nothing),
        cmocka_unit_test(test_context_first_error_sticks_with_its_message),
        cmocka_unit_test(test_context_caller_can_make_an_error_stick),
        cmocka_unit_test(test_context_modes_are_handed_back_despite_an_error),
        cmocka_unit_test(
            test_context_null_is_an_error_that_names_the_operation),
        cmocka_unit_test(test_context_wrong_shape_is_an_error_and_no_exception),
        cmocka_unit_test(test_context_impossible_sizes_are_errors),
        cmocka_unit_test(test_context_loads_one_libgomp),
        cmocka_unit_test(test_context_threads_and_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
