/* tests/golden/models/match.safetensors is torch's (tests/parity/gen_match.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "losses/match.h"
#include "tests/models/helper.h"

#define GOLDEN "tests/golden/models/match.safetensors"
#define ROWS   8
#define DIM    5
#define HARD   2

static dip_tensor *get(const dip_safetensors *file, const char *name)
{
    int i = dip_safetensors_find(file, name);
    if (i < 0)
        fail_msg("no golden %s", name);
    return dip_safetensors_tensor(file, i);
}

static dip_tensor *leaf(const dip_safetensors *file, const char *name)
{
    dip_tensor *t = dip_t_to_dtype(get(file, name), DIP_F32);
    dip_tensor_set_requires_grad(t, true);
    return t;
}

static dip_match_pairs golden_pairs(const dip_safetensors *file, int64_t hard)
{
    static float scores[ROWS * ROWS];
    static uint8_t positives[ROWS * ROWS], valid[ROWS];
    static int64_t draws[ROWS];
    static uint64_t unsigned_draws[ROWS];
    dip_tensor_read(get(file, "scores"), DIP_F32, scores, sizeof scores);
    dip_tensor_read(get(file, "positives"), DIP_U8, positives,
                    sizeof positives);
    dip_tensor_read(get(file, "valid"), DIP_U8, valid, sizeof valid);
    dip_tensor_read(get(file, "draws"), DIP_I64, draws, sizeof draws);
    for (int i = 0; i < ROWS; i++)
        unsigned_draws[i] = (uint64_t)draws[i];
    const dip_match_batch batch = {ROWS,  scores,         positives,
                                   valid, unsigned_draws, hard};
    dip_match_pairs pairs;
    dip_err err = {0};
    assert_ok(dip_match_pairs_choose(&pairs, &batch, &err), &err);
    return pairs;
}

static void test_match_takes_the_hardest_and_one_at_random(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(GOLDEN);
    dip_match_pairs pairs = golden_pairs(file, HARD);
    assert_int_equal(pairs.count, dip_tensor_numel(get(file, "pair.query")));
    assert_true(
        distance(dip_tensor_from(pairs.queries, DIP_I64, 1, &pairs.count),
                 get(file, "pair.query")) <= 0);
    assert_true(distance(dip_tensor_from(pairs.items, DIP_I64, 1, &pairs.count),
                         get(file, "pair.item")) <= 0);
    assert_true(
        distance(dip_tensor_from(pairs.targets, DIP_F32, 1, &pairs.count),
                 get(file, "pair.target")) <= 0);
    dip_match_pairs_free(&pairs);

    /* More than there are: all that are wrong, best first. */
    pairs = golden_pairs(file, 100);
    assert_int_equal(pairs.items[0], 0);
    for (int64_t i = 1; i < pairs.count && pairs.queries[i] == 0; i++)
        assert_true(pairs.items[i] != 0 && pairs.items[i] != 3 &&
                    pairs.items[i] != 4);
    dip_match_pairs_free(&pairs);
    dip_safetensors_close(file);
}

static void test_match_of_one_product_has_no_negatives(void **state)
{
    (void)state;
    const float scores[] = {1, 1, 1, 1};
    const uint8_t positives[] = {1, 0, 0, 1}, valid[] = {1, 0};
    const uint64_t draws[] = {5, 6};
    const dip_match_batch batch = {2, scores, positives, valid, draws, 3};
    dip_match_pairs pairs;
    dip_err err = {0};
    assert_ok(dip_match_pairs_choose(&pairs, &batch, &err), &err);
    assert_int_equal(pairs.count, 1);
    dip_match_pairs_free(&pairs);
    int64_t none = 0;
    dip_tensor *empty = dip_tensor_empty(DIP_F32, 1, &none);
    assert_near(dip_tensor_item(dip_loss_match(empty, empty)), 0, 0);
}

static dip_model *make_model(int64_t hidden)
{
    dip_model_config c = {
        .image = {.kind = "cnn",
                  .image_size = 8,
                  .widths = {4},
                  .width_count = 1},
        .text = {.kind = "bag", .vocabulary = 9, .context = 4, .width = 4},
        .embed_dim = DIM,
        .match_hidden = hidden,
    };
    dip_model *model = NULL;
    dip_err err = {0};
    assert_ok(dip_model_create(&model, &c, &err), &err);
    return model;
}

static void test_match_logits_and_gradients_equal_torch(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(GOLDEN);
    dip_model *model = make_model(6);
    dip_params *params = dip_model_params(model);
    for (int i = 0; i < dip_params_count(params); i++) {
        const char *name = dip_params_name(params, i);
        if (strncmp(name, "match.", 6) == 0)
            dip_tensor_assign(dip_params_tensor(params, i),
                              dip_t_to_dtype(get(file, name), DIP_F32));
    }
    dip_tensor *q = leaf(file, "queries"), *p = leaf(file, "products");
    dip_tensor *logits = dip_model_match(
        model, dip_t_index_select(q, 0, get(file, "pair.query")),
        dip_t_index_select(p, 0, get(file, "pair.item")));
    dip_tensor *loss = dip_loss_match(
        logits, dip_t_to_dtype(get(file, "pair.target"), DIP_F32));
    dip_tensor_backward(loss);
    assert_true(distance(logits, get(file, "logits")) <= 1e-5);
    assert_true(distance(loss, get(file, "loss")) <= 1e-5);
    assert_true(distance(dip_tensor_grad(q), get(file, "grad.queries")) <=
                1e-5);
    assert_true(distance(dip_tensor_grad(p), get(file, "grad.products")) <=
                1e-5);
    int compared = 0;
    for (int i = 0; i < dip_params_count(params); i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "grad.%s",
                       dip_params_name(params, i));
        if (strncmp(name, "grad.match.", 11) != 0)
            continue;
        compared++;
        assert_true(distance(dip_tensor_grad(dip_params_tensor(params, i)),
                             get(file, name)) <= 1e-5);
    }
    assert_int_equal(compared, 4);
    dip_model_free(model);
    dip_safetensors_close(file);
}

static void test_match_needs_a_classifier(void **state)
{
    (void)state;
    dip_model *model = make_model(0);
    dip_tensor *rows = dip_tensor_full(1, DIP_F32, SIZES(2, DIM));
    assert_false(dip_model_has_match(model));
    assert_null(dip_model_match(model, rows, rows));
    assert_error("the model has no match classifier");
    dip_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_match_takes_the_hardest_and_one_at_random),
        MODEL_TEST(test_match_of_one_product_has_no_negatives),
        MODEL_TEST(test_match_logits_and_gradients_equal_torch),
        MODEL_TEST(test_match_needs_a_classifier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
