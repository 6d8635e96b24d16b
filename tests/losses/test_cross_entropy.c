#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "losses/loss.h"
#include "tests/tensor/golden.h"

#define GOLDEN "tests/golden/losses/cross_entropy.safetensors"

static dip_tensor *get(const dip_safetensors *file, const char *name)
{
    int i = dip_safetensors_find(file, name);
    assert_true(i >= 0);
    return dip_safetensors_tensor(file, i);
}

static void check(const dip_safetensors *file, const char *name,
                  double smoothing, bool weighted)
{
    dip_tensor *weights =
        weighted ? dip_t_to_dtype(get(file, "weights"), DIP_F32) : NULL;
    dip_tensor *logits = dip_t_to_dtype(get(file, "logits"), DIP_F32);
    dip_tensor_set_requires_grad(logits, true);
    dip_tensor *loss = dip_loss_cross_entropy(logits, get(file, "targets"),
                                              weights, smoothing);
    dip_tensor_backward(loss);
    assert_true(relative(loss, golden_get(file, name, "loss")) <= 1e-6);
    assert_true(relative(dip_tensor_grad(logits),
                         golden_get(file, name, "logits")) <= 1e-6);
}

static void test_cross_entropy_equals_pytorch(void **state)
{
    (void)state;
    dip_scope_open();
    dip_safetensors *file = golden_open(GOLDEN);
    check(file, "plain", 0.0, false);
    check(file, "smoothed", 0.3, false);
    check(file, "weighted", 0.0, true);
    check(file, "weighted_smoothed", 0.2, true);
    dip_safetensors_close(file);
    dip_scope_close();
}

static void test_cross_entropy_without_labels_is_zero(void **state)
{
    (void)state;
    dip_scope_open();
    const int64_t sizes[] = {3, 4};
    dip_tensor *logits = dip_tensor_full(2.0, DIP_F32, 2, sizes);
    dip_tensor_set_requires_grad(logits, true);
    dip_tensor *loss = dip_loss_cross_entropy(
        logits, dip_tensor_full(-1, DIP_I64, 1, sizes), NULL, 0.0);
    dip_tensor_backward(loss);
    assert_near(dip_tensor_item(loss), 0, 0);
    assert_near(dip_tensor_item(dip_t_norm_all(dip_tensor_grad(logits))), 0, 0);
    assert_no_error();
    dip_scope_close();
}

static void test_cross_entropy_of_bf16_logits_is_f32(void **state)
{
    (void)state;
    dip_scope_open();
    dip_safetensors *file = golden_open(GOLDEN);
    dip_tensor *loss =
        dip_loss_cross_entropy(dip_t_to_dtype(get(file, "logits"), DIP_BF16),
                               get(file, "targets"), NULL, 0.0);
    assert_int_equal(dip_tensor_dtype(loss), DIP_F32);
    dip_safetensors_close(file);
    dip_scope_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cross_entropy_equals_pytorch),
        cmocka_unit_test(test_cross_entropy_without_labels_is_zero),
        cmocka_unit_test(test_cross_entropy_of_bf16_logits_is_f32),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
