/* tests/golden/losses/euclidean.safetensors is torch's, over squared distances
 * (tests/parity/gen_similarity.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "losses/lift.h"
#include "losses/loss.h"
#include "tests/tensor/golden.h"
#include "tests/tensor/scope.h"

#define GOLDEN "tests/golden/losses/euclidean.safetensors"

/* A trained F32 copy. */
static dip_tensor *leaf(const dip_safetensors *file, const char *name)
{
    int i = dip_safetensors_find(file, name);
    assert_true(i >= 0);
    dip_tensor *t = dip_t_to_dtype(dip_safetensors_tensor(file, i), DIP_F32);
    dip_tensor_set_requires_grad(t, true);
    return t;
}

static void test_lift_makes_distances_of_dot_products(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(GOLDEN);
    dip_tensor *logits = dip_t_matmul(
        dip_t_mul(dip_lift_queries(leaf(file, "queries")), leaf(file, "scale")),
        dip_t_transpose(dip_lift_items(leaf(file, "items")), 0, 1));
    assert_true(distance(logits, golden_get(file, "clip", "logits")) <= 1e-5);
    dip_safetensors_close(file);
}

static void test_lift_gives_infonce_the_gradients_of_distances(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(GOLDEN);
    dip_tensor *queries = leaf(file, "queries"), *items = leaf(file, "items");
    dip_tensor *scale = leaf(file, "scale");
    dip_loss_input in = {.queries = dip_lift_queries(queries),
                         .items = dip_lift_items(items),
                         .scale = scale};
    dip_tensor *loss = dip_loss_infonce(&in, &(dip_loss_options){0});
    dip_tensor_backward(loss);
    assert_no_error();
    const struct {
        const char *name;
        const dip_tensor *got;
    } parts[] = {{"loss", loss},
                 {"queries", dip_tensor_grad(queries)},
                 {"items", dip_tensor_grad(items)},
                 {"scale", dip_tensor_grad(scale)}};
    for (size_t i = 0; i < DIP_ARRAY_LEN(parts); i++) {
        double gap =
            relative(parts[i].got, golden_get(file, "clip", parts[i].name));
        if (!(gap <= 1e-5))
            fail_msg("%s is %g away", parts[i].name, gap);
    }
    dip_safetensors_close(file);
}

#define LIFT_TEST(fn) cmocka_unit_test_setup_teardown(fn, open_test, end_test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFT_TEST(test_lift_makes_distances_of_dot_products),
        LIFT_TEST(test_lift_gives_infonce_the_gradients_of_distances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
