#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "models/initial.h"
#include "tests/models/helper.h"

#define GOLDEN "tests/golden/models/"

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
    dip_model_finish(model);
    assert_true(relative(embed(model), before) <= 1e-6);
    assert_int_equal(dip_params_count(dip_model_params(model)),
                     dip_params_count(dip_model_params(plain)));
    dip_model_finish(model); /* nothing any more */
    assert_true(relative(embed(model), before) <= 1e-6);
    dip_model_free(plain);
    dip_model_free(model);
}

/* Towers of timm and transformers with adapters of peft's
 * (tests/parity/gen_lora.py). */
static dip_model *make_golden(void)
{
    const dip_model_config config = {
        .image = {.kind = "siglip",
                  .image_size = 24,
                  .patch = 8,
                  .width = 16,
                  .depth = 2,
                  .heads = 2},
        .text = {.kind = "bert",
                 .vocabulary = 32,
                 .context = 8,
                 .positions = 10,
                 .width = 12,
                 .depth = 2,
                 .heads = 3,
                 .mlp_ratio = 2,
                 .pooling = "pooler"},
        .embed_dim = 6,
        .lora = {.rank = 3, .alpha = 6},
        .seed = 5,
    };
    dip_model *model;
    dip_initial_report report = {0};
    dip_err err = {0};
    assert_ok(dip_model_create(&model, &config, &err), &err);
    assert_ok(dip_initial_load(&report, dip_model_params(model),
                               DIP_INITIAL_MODEL, NULL,
                               GOLDEN "lora.weights.safetensors", &err),
              &err);
    assert_int_equal(report.unexpected.count, 0);
    for (size_t i = 0; i < report.missing.count; i++)
        assert_int_equal(is_adapter(report.missing.items[i]), 0);
    dip_initial_report_free(&report);
    return model;
}

static dip_tensor *weighed(const dip_safetensors *file, const char *weights,
                           const dip_tensor *rows)
{
    return dip_t_mul(golden_get(file, "in", weights), rows);
}

/* Embeddings, and the gradients of a mean of theirs. */
static void compare_pass(const dip_model *model, const dip_safetensors *file)
{
    dip_tensor *image =
        dip_model_encode_image(model, golden_get(file, "in", "images"), false)
            .embedding;
    dip_tensor *text =
        dip_model_encode_text(model, golden_get(file, "in", "ids"),
                              golden_get(file, "in", "lengths"), false)
            .embedding;
    assert_rows(image, golden_get(file, "out", "image"), TOLERANCE);
    assert_rows(text, golden_get(file, "out", "text"), TOLERANCE);
    dip_tensor_backward(dip_t_mean_all(dip_t_add(
        weighed(file, "w_image", image), weighed(file, "w_text", text))));
}

static void compare_gradients(const dip_params *params,
                              const dip_safetensors *file)
{
    int compared = 0;
    for (int i = 0; i < dip_params_count(params); i++) {
        const char *name = dip_params_name(params, i);
        dip_tensor *found = dip_tensor_grad(dip_params_tensor(params, i));
        dip_tensor *wanted = golden_find(file, "grad", name);
        assert_int_equal(found != NULL, wanted != NULL);
        if (wanted == NULL)
            continue;
        double gap = relative(found, wanted);
        if (!(gap <= TOLERANCE))
            fail_msg("gradient of %s is %g away", name, gap);
        compared++;
    }
    assert_int_equal(compared, 2 * (8 + 5 + 13) + 2);
}

static void test_lora_equals_peft(void **state)
{
    (void)state;
    dip_model *model = make_golden();
    dip_safetensors *file = golden_open(GOLDEN "lora.safetensors");
    compare_pass(model, file);
    compare_gradients(dip_model_params(model), file);
    dip_model_finish(model);
    const dip_params *params = dip_model_params(model);
    int merged = 0;
    for (int i = 0; i < dip_params_count(params); i++) {
        dip_tensor *wanted =
            golden_find(file, "merged", dip_params_name(params, i));
        if (wanted == NULL)
            continue;
        assert_rows(dip_params_tensor(params, i), wanted, 1e-6);
        merged++;
    }
    assert_int_equal(merged, 8 + 5 + 13);
    dip_safetensors_close(file);
    dip_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_lora_starts_as_the_model_without),
        MODEL_TEST(test_lora_adds_the_product_to_the_matrix),
        MODEL_TEST(test_lora_trains_nothing_else_of_the_towers),
        MODEL_TEST(test_lora_merges),
        MODEL_TEST(test_lora_equals_peft),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
