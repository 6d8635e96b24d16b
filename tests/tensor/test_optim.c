#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/tensor/golden.h"

#define GOLDEN "tests/golden/tensor/optim.safetensors"
#define COUNT  3
#define STEPS  5

/* Parameters of a golden run and two lists of zeros for the optimiser. */
typedef struct {
    dip_safetensors *file;
    const char *name;
    dip_tensor *params[COUNT], *first[COUNT], *second[COUNT], *grads[COUNT];
} run;

static void run_open(run *r, const char *name)
{
    dip_scope_open();
    r->file = golden_open(GOLDEN);
    r->name = name;
    for (int i = 0; i < COUNT; i++) {
        char which[32];
        (void)snprintf(which, sizeof which, "start%d", i);
        r->params[i] = golden_get(r->file, name, which);
        dip_tensor_set_requires_grad(r->params[i], true);
        r->first[i] = dip_t_zeros_like(dip_t_detach(r->params[i]));
        r->second[i] = dip_t_zeros_like(dip_t_detach(r->params[i]));
    }
}

static void run_close(run *r)
{
    assert_no_error();
    dip_safetensors_close(r->file);
    dip_scope_close();
    assert_int_equal(dip_tensor_live_count(), 0);
}

static void load_grads(run *r, int step)
{
    for (int i = 0; i < COUNT; i++) {
        char which[32];
        (void)snprintf(which, sizeof which, "step%d.grad%d", step, i);
        r->grads[i] = golden_get(r->file, r->name, which);
    }
}

static void assert_params(const run *r, int step)
{
    for (int i = 0; i < COUNT; i++) {
        char which[32];
        (void)snprintf(which, sizeof which, "step%d.param%d", step, i);
        double off =
            distance(r->params[i], golden_get(r->file, r->name, which));
        if (!(off < 1e-6))
            fail_msg("%s.%s is off by %g", r->name, which, off);
    }
}

static void adamw_step(run *r, int step)
{
    const dip_adamw_options options = {.lr = 1e-2,
                                       .beta1 = 0.9,
                                       .beta2 = 0.98,
                                       .eps = 1e-6,
                                       .weight_decay = 0.1,
                                       .step = step + 1};
    load_grads(r, step);
    double norm = dip_tensor_clip_grad_norm(r->grads, COUNT, 2.5);
    char which[32];
    (void)snprintf(which, sizeof which, "step%d.norm", step);
    assert_near(norm, dip_tensor_item(golden_get(r->file, r->name, which)),
                1e-5);
    dip_tensor_adamw(r->params, r->grads, r->first, r->second, COUNT, &options);
    assert_params(r, step);
}

static void test_optim_clipped_adamw_matches_pytorch(void **state)
{
    (void)state;
    run r;
    run_open(&r, "adamw");
    for (int step = 0; step < STEPS; step++)
        adamw_step(&r, step);
    run_close(&r);
}

/* The fused kernel ignores strides: a parameter that went to channels_last in
 * the middle of a run must not be paired with state in the old order. */
static void test_optim_adamw_survives_a_change_of_layout(void **state)
{
    (void)state;
    run r;
    run_open(&r, "adamw");
    for (int step = 0; step < STEPS; step++) {
        if (step == 2)
            dip_tensor_rebind(r.params[0], dip_t_channels_last(r.params[0]));
        adamw_step(&r, step);
    }
    run_close(&r);
}

static void test_optim_sgd_with_nesterov_matches_pytorch(void **state)
{
    (void)state;
    run r;
    run_open(&r, "sgd");
    for (int step = 0; step < STEPS; step++) {
        const dip_sgd_options options = {.lr = 1e-2,
                                         .momentum = 0.9,
                                         .weight_decay = 0.05,
                                         .nesterov = true,
                                         .first = step == 0};
        load_grads(&r, step);
        dip_tensor_sgd(r.params, r.grads, r.first, COUNT, &options);
        assert_params(&r, step);
    }
    run_close(&r);
}

static void test_optim_sgd_without_momentum_needs_no_buffers(void **state)
{
    (void)state;
    run r;
    run_open(&r, "plain");
    for (int step = 0; step < STEPS; step++) {
        const dip_sgd_options options = {.lr = 1e-2, .weight_decay = 0.05};
        load_grads(&r, step);
        dip_tensor_sgd(r.params, r.grads, NULL, COUNT, &options);
        assert_params(&r, step);
    }
    run_close(&r);
}

static void test_optim_clip_without_limit_only_measures(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *grads[] = {dip_tensor_full(3, DIP_F32, SIZES(1)),
                           dip_tensor_full(4, DIP_F32, SIZES(1, 1))};
    assert_near(dip_tensor_clip_grad_norm(grads, 2, 0), 5, 1e-6);
    assert_near(dip_tensor_clip_grad_norm(grads, 2, 100), 5, 1e-6);
    assert_tensor(grads[0], 3);
    assert_near(dip_tensor_clip_grad_norm(grads, 2, 2.5), 5, 1e-6);
    assert_tensor(grads[0], 1.5);
    assert_tensor(grads[1], 2);
    assert_near(dip_tensor_clip_grad_norm(NULL, 0, 1), 0, 0);
    grads[0] = dip_tensor_full(NAN, DIP_F32, SIZES(1));
    assert_true(isnan(dip_tensor_clip_grad_norm(grads, 2, 1)));
    assert_no_error();
    dip_scope_close();
}

static void test_optim_lerp_averages(void **state)
{
    (void)state;
    dip_scope_open();
    dip_tensor *average = dip_tensor_full(1, DIP_F32, SIZES(2));
    dip_tensor *weight = dip_tensor_full(3, DIP_F32, SIZES(2));
    dip_tensor_set_requires_grad(weight, true);
    dip_tensor_lerp(&average, &weight, 1, 0.75);
    assert_tensor(average, 1.5, 1.5);
    assert_false(dip_tensor_requires_grad(average));
    dip_scope_close();
}

static void test_optim_missing_gradient_is_named(void **state)
{
    (void)state;
    dip_scope_open();
    const dip_sgd_options options = {.lr = 1};
    dip_tensor *param = dip_tensor_full(1, DIP_F32, SIZES(2));
    dip_tensor *grad = NULL;
    dip_tensor_sgd(&param, &grad, NULL, 1, &options);
    assert_error("sgd: input 2 is NULL");
    grad = dip_tensor_full(1, DIP_F32, SIZES(3));
    dip_tensor_sgd(&param, &grad, NULL, 1, &options);
    assert_error("sgd: shape [3] beside a parameter of shape [2]");
    assert_tensor(param, 1, 1);
    dip_scope_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optim_clipped_adamw_matches_pytorch),
        cmocka_unit_test(test_optim_adamw_survives_a_change_of_layout),
        cmocka_unit_test(test_optim_sgd_with_nesterov_matches_pytorch),
        cmocka_unit_test(test_optim_sgd_without_momentum_needs_no_buffers),
        cmocka_unit_test(test_optim_clip_without_limit_only_measures),
        cmocka_unit_test(test_optim_lerp_averages),
        cmocka_unit_test(test_optim_missing_gradient_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
