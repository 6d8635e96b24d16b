#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/models/helper.h"

static dip_model *make(int64_t rank)
{
    dip_model_config config = {
        .image = {.kind = "vit",
                  .image_size = 16,
                  .patch = 8,
                  .width = 8,
                  .depth = 2,
                  .heads = 2},
        .text = {.kind = "bag", .vocabulary = 20, .context = 6, .width = 8},
        .embed_dim = 6,
        .lora = {.rank = rank, .alpha = 6},
        .seed = 5,
    };
    dip_model *model;
    dip_err err = {0};
    assert_ok(dip_model_create(&model, &config, &err), &err);
    return model;
}

static dip_tensor *embed(const dip_model *model)
{
    dip_tensor *images = pattern(4, (int64_t[]){2, 3, 16, 16});
    return dip_model_encode_image(model, images, false).embedding;
}

static bool is_adapter(const char *name)
{
    return strstr(name, ".lora_") != NULL;
}

/* Fills the adapters' B with something. */
static void fill(dip_model *model)
{
    dip_params *params = dip_model_params(model);
    for (int i = 0; i < dip_params_count(params); i++)
        if (strstr(dip_params_name(params, i), ".lora_b")) {
            dip_tensor *b = dip_params_tensor(params, i);
            int64_t sizes[2] = {dip_tensor_size(b, 0), dip_tensor_size(b, 1)};
            dip_tensor_assign(b, pattern(2, sizes));
        }
}

static void test_lora_starts_as_the_model_without(void **state)
{
    (void)state;
    dip_model *plain = make(0), *model = make(3);
    assert_true(relative(embed(model), embed(plain)) == 0.0);
    fill(model);
    assert_true(relative(embed(model), embed(plain)) > 1e-2);
    dip_model_free(plain);
    dip_model_free(model);
}

/* W + alpha / rank * B A, put into a model without adapters by hand. */
static void test_lora_adds_the_product_to_the_matrix(void **state)
{
    (void)state;
    dip_model *plain = make(0), *model = make(3);
    fill(model);
    dip_params *from = dip_model_params(model), *to = dip_model_params(plain);
    int summed = 0;
    for (int i = 0; i < dip_params_count(to); i++) {
        char a[160], b[160];
        const char *name = dip_params_name(to, i);
        (void)snprintf(a, sizeof a, "%s.lora_a", name);
        (void)snprintf(b, sizeof b, "%s.lora_b", name);
        if (dip_params_find(from, a) < 0)
            continue;
        dip_tensor *product =
            dip_t_matmul(dip_params_tensor(from, dip_params_find(from, b)),
                         dip_params_tensor(from, dip_params_find(from, a)));
        dip_tensor *w = dip_params_tensor(to, i);
        dip_tensor_assign(
            w, dip_t_add(dip_t_detach(w), dip_t_mul_scalar(product, 2)));
        summed++;
    }
    assert_true(summed >= 8); /* four in each block of the photo's tower */
    assert_true(relative(embed(model), embed(plain)) <= 1e-6);
    dip_model_free(plain);
    dip_model_free(model);
}

static void test_lora_trains_nothing_else_of_the_towers(void **state)
{
    (void)state;
    dip_model *model = make(3);
    dip_params *params = dip_model_params(model);
    fill(model);
    dip_tensor_backward(dip_t_sum_all(embed(model)));
    for (int i = 0; i < dip_params_count(params); i++) {
        const char *name = dip_params_name(params, i);
        dip_tensor *grad = dip_tensor_grad(dip_params_tensor(params, i));
        bool image = strncmp(name, "image", 5) == 0;
        bool trained = image && (is_adapter(name) ||
                                 strcmp(name, "image_projection.weight") == 0);
        assert_int_equal(grad != NULL, trained);
    }
    dip_model_free(model);
}

static void test_lora_merges(void **state)
{
    (void)state;
    dip_model *plain = make(0), *model = make(3);
    fill(model);
    dip_tensor *before = embed(model);
    dip_model_merge_adapters(model);
    assert_true(relative(embed(model), before) <= 1e-6);
    assert_int_equal(dip_params_count(dip_model_params(model)),
                     dip_params_count(dip_model_params(plain)));
    dip_model_merge_adapters(model); /* nothing any more */
    assert_true(relative(embed(model), before) <= 1e-6);
    dip_model_free(plain);
    dip_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_lora_starts_as_the_model_without),
        MODEL_TEST(test_lora_adds_the_product_to_the_matrix),
        MODEL_TEST(test_lora_trains_nothing_else_of_the_towers),
        MODEL_TEST(test_lora_merges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
