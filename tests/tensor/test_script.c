#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/tensor/golden.h"

/* A small tower: convolution, tokens with a class token, attention, LSTM,
 * projection. Every step keeps the batch size out of the graph. */
enum { CONV_W, CONV_B, CLASS, LSTM, HEAD = LSTM + 8, COUNT };

static const struct {
    const char *name;
    int ndim;
    int64_t sizes[4];
} layout[COUNT] = {
    {"visual.conv.weight", 4, {8, 3, 3, 3}},
    {"visual.conv.bias", 1, {8}},
    {"visual.class_token", 3, {1, 1, 8}},
    {"rnn.weight_ih_l0", 2, {16, 8}},
    {"rnn.weight_hh_l0", 2, {16, 4}},
    {"rnn.bias_ih_l0", 1, {16}},
    {"rnn.bias_hh_l0", 1, {16}},
    {"rnn.weight_ih_l0_reverse", 2, {16, 8}},
    {"rnn.weight_hh_l0_reverse", 2, {16, 4}},
    {"rnn.bias_ih_l0_reverse", 1, {16}},
    {"rnn.bias_hh_l0_reverse", 1, {16}},
    {"head", 2, {5, 8}},
};

typedef struct {
    dip_tensor *w[COUNT];
} net;

static dip_tensor *random_tensor(int ndim, const int64_t *sizes)
{
    dip_tensor *out;
    const dip_arg args[] = {
        {.kind = DIP_ARG_INT_LIST, .as.ints = {sizes, ndim}}};
    dip_tensor_call(&out, 1, "aten::randn", "", args, 1);
    return dip_t_mul_scalar(out, 0.3);
}

static void net_init(net *n, dip_named_tensor *parameters)
{
    dip_tensor_seed(11);
    for (int i = 0; i < COUNT; i++) {
        n->w[i] = random_tensor(layout[i].ndim, layout[i].sizes);
        dip_tensor_set_requires_grad(n->w[i], i != HEAD);
        parameters[i] = (dip_named_tensor){
            .name = layout[i].name, .tensor = n->w[i], .is_buffer = i == HEAD};
    }
}

/* images [B, 3, 8, 8] -> unit rows [B, 5] and the last state [2, B, 4] */
static void net_forward(void *user, dip_tensor *const *inputs,
                        dip_tensor **outputs)
{
    const net *n = user;
    static const float scale[] = {1, 2, 3, 4, 5};
    dip_tensor *maps = dip_t_relu(
        dip_t_conv2d(inputs[0], n->w[CONV_W], n->w[CONV_B], 2, 1, 1));
    dip_tensor *tokens = dip_t_transpose(dip_t_flatten(maps, 2, 3), 1, 2);
    dip_tensor *class_tokens =
        dip_t_expand_as(n->w[CLASS], dip_t_narrow(tokens, 1, 0, 1));
    tokens = dip_t_cat((dip_tensor *[]){class_tokens, tokens}, 2, 1);
    dip_tensor *heads =
        dip_t_transpose(dip_t_unflatten(tokens, 2, SIZES(2, 4)), 1, 2);
    dip_tensor *mixed = dip_t_attention(heads, heads, heads, NULL, 0, false);
    mixed = dip_t_flatten(dip_t_transpose(mixed, 1, 2), 2, 3);
    dip_tensor *states =
        dip_t_lstm(mixed, n->w + LSTM, 8, 1, 0, false, true, &outputs[1]);
    dip_tensor *pooled = dip_t_mean(states, 1, false);
    dip_tensor *rows = dip_t_linear(pooled, n->w[HEAD], NULL);
    rows = dip_t_mul(rows, dip_tensor_from(scale, DIP_F32, SIZES(5)));
    outputs[0] = dip_t_normalize(rows, 1);
}

static dip_script *trace(net *n, const dip_named_tensor *parameters)
{
    dip_err err = {0};
    dip_script *script;
    dip_tensor *image = random_tensor(SIZES(2, 3, 8, 8));
    if (dip_script_trace(&script, net_forward, n, &image, 1, 2, parameters,
                         COUNT, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    return script;
}

static void assert_agrees(dip_script *script, net *n)
{
    static const int64_t batches[] = {1, 7, 64, 2};
    for (size_t i = 0; i < DIP_ARRAY_LEN(batches); i++) {
        dip_scope_open();
        dip_tensor *image = random_tensor(SIZES(batches[i], 3, 8, 8));
        dip_tensor *live[2], *traced[2];
        net_forward(n, &image, live);
        dip_script_run(script, &image, 1, traced, 2);
        assert_no_error();
        assert_true(distance(traced[0], live[0]) < 1e-6);
        assert_true(distance(traced[1], live[1]) < 1e-6);
        dip_scope_close();
    }
}

static void test_script_trace_agrees_at_other_batch_sizes(void **state)
{
    (void)state;
    dip_scope_open();
    net n;
    dip_named_tensor parameters[COUNT];
    net_init(&n, parameters);
    dip_script *script = trace(&n, parameters);
    assert_true(dip_tensor_set_grad_mode(true)); /* as it was */
    assert_agrees(script, &n);
    dip_script_free(script);
    dip_scope_close();
    assert_int_equal(dip_tensor_live_count(), 0);
}

static void test_script_shares_its_parameters(void **state)
{
    (void)state;
    dip_scope_open();
    net n;
    dip_named_tensor parameters[COUNT];
    net_init(&n, parameters);
    dip_script *script = trace(&n, parameters);
    for (int i = 0; i < COUNT; i++)
        dip_tensor_assign(n.w[i], dip_t_mul_scalar(n.w[i], 1.5));
    assert_agrees(script, &n); /* none of them was baked in */
    dip_script_free(script);
    dip_scope_close();
}

static void test_script_saved_file_agrees(void **state)
{
    (void)state;
    dip_scope_open();
    char path[] = "/tmp/dip-script-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    net n;
    dip_named_tensor parameters[COUNT];
    net_init(&n, parameters);
    dip_script *script = trace(&n, parameters);
    dip_err err = {0};
    assert_int_equal(dip_script_save(script, path, &err), DIP_OK);
    dip_script_free(script);
    dip_script *loaded;
    if (dip_script_load(&loaded, path, DIP_CPU, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    assert_agrees(loaded, &n);
    dip_script_free(loaded);
    dip_script_free(NULL);
    (void)close(fd);
    (void)unlink(path);
    dip_scope_close();
}

static void multiply(void *user, dip_tensor *const *inputs,
                     dip_tensor **outputs)
{
    outputs[0] = dip_t_matmul(inputs[0], user);
}

static void test_script_file_holds_a_weight_once(void **state)
{
    (void)state;
    dip_scope_open();
    char path[] = "/tmp/dip-script-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    dip_tensor *w = random_tensor(SIZES(512, 512)); /* 1 MiB */
    dip_tensor *x = random_tensor(SIZES(2, 512));
    const dip_named_tensor weight = {.name = "w", .tensor = w};
    dip_script *script;
    assert_int_equal(
        dip_script_trace(&script, multiply, w, &x, 1, 1, &weight, 1, NULL),
        DIP_OK);
    assert_int_equal(dip_script_save(script, path, NULL), DIP_OK);
    struct stat info;
    assert_int_equal(fstat(fd, &info), 0);
    assert_in_range(info.st_size, 1 << 20, (1 << 20) + (1 << 16));
    dip_script_free(script);
    (void)close(fd);
    (void)unlink(path);
    dip_scope_close();
}

/* ---- faults ------------------------------------------------------------- */

static void wrong_shape(void *user, dip_tensor *const *inputs,
                        dip_tensor **outputs)
{
    (void)user;
    outputs[0] = dip_t_matmul(inputs[0], inputs[0]);
}

static void no_output(void *user, dip_tensor *const *inputs,
                      dip_tensor **outputs)
{
    (void)user;
    (void)inputs;
    outputs[0] = NULL;
}

static void negate(void *user, dip_tensor *const *inputs, dip_tensor **outputs)
{
    (void)user;
    outputs[0] = dip_t_neg(inputs[0]);
}

static void assert_trace_fails(dip_trace_fn fn,
                               const dip_named_tensor *parameters, int count,
                               const char *words)
{
    dip_err err = {0};
    dip_script *script;
    dip_tensor *x = dip_tensor_full(1, DIP_F32, SIZES(2, 3));
    assert_int_equal(
        dip_script_trace(&script, fn, NULL, &x, 1, 1, parameters, count, &err),
        DIP_ETENSOR);
    assert_null(script);
    if (strstr(err.msg, words) == NULL)
        fail_msg("'%s' does not hold '%s'", err.msg, words);
    assert_no_error();
}

static void test_script_faults_while_tracing_are_reported(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *t = dip_tensor_full(1, DIP_F32, SIZES(1));
    assert_trace_fails(wrong_shape, NULL, 0, "matmul: mat1 and mat2 shapes");
    assert_trace_fails(no_output, NULL, 0, "trace: the traced function left");
    const dip_named_tensor twice[] = {{.name = "a.w", .tensor = t},
                                      {.name = "a.w", .tensor = t}};
    assert_trace_fails(negate, twice, 2, "two parameters named 'a.w'");
    const dip_named_tensor dots[] = {{.name = "a..w", .tensor = t}};
    assert_trace_fails(negate, dots, 1, "empty part in the name 'a..w'");
    const dip_named_tensor clash[] = {{.name = "a", .tensor = t},
                                      {.name = "a.w", .tensor = t}};
    assert_trace_fails(negate, clash, 2, "trace: ");
    const dip_named_tensor absent[] = {{.name = "a"}};
    assert_trace_fails(negate, absent, 1, "a parameter or its name is NULL");
    /* Tracing was abandoned: operations run as before. */
    assert_tensor(dip_t_neg(t), -1);
    dip_scope_close();
    assert_int_equal(dip_tensor_live_count(), 0);
}

static void test_script_faults_while_running_are_reported(void **state)
{
    (void)state;
    dip_scope_open();
    dip_err err = {0};
    dip_script *script;
    dip_tensor *x = dip_tensor_full(1, DIP_F32, SIZES(2)), *outs[2];
    assert_int_equal(
        dip_script_trace(&script, negate, NULL, &x, 1, 1, NULL, 0, &err),
        DIP_OK);
    dip_script_run(script, &x, 1, outs, 1);
    assert_tensor(outs[0], -1, -1);
    dip_script_run(script, &x, 1, outs, 2);
    assert_error("forward: 1 outputs, not 2");
    dip_script_run(script, (dip_tensor *[]){x, x}, 2, outs, 1);
    assert_error("forward: ");
    assert_null(outs[0]);
    assert_int_equal(dip_script_save(script, "/tmp/no/such/folder/x.pt", &err),
                     DIP_ETENSOR);
    dip_script_free(script);
    assert_int_equal(
        dip_script_load(&script, "/tmp/no/such/x.pt", DIP_CPU, &err),
        DIP_ETENSOR);
    assert_non_null(strstr(err.msg, "load: "));
    assert_null(script);
    assert_no_error();
    dip_scope_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_script_trace_agrees_at_other_batch_sizes),
        cmocka_unit_test(test_script_shares_its_parameters),
        cmocka_unit_test(test_script_saved_file_agrees),
        cmocka_unit_test(test_script_file_holds_a_weight_once),
        cmocka_unit_test(test_script_faults_while_tracing_are_reported),
        cmocka_unit_test(test_script_faults_while_running_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
