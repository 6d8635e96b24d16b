#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/models/helper.h"
#include "train/encode.h"

enum { ROWS = 24, CONTEXT = 12, DIM = 8, TEXTS = 2 };

typedef struct {
    int64_t ids[TEXTS][ROWS * CONTEXT], lengths[TEXTS][ROWS];
    dip_batch_text texts[TEXTS];
    dip_batch batch;
    dip_model *model;
} fixture;

/* Source 0: lengths from 0 to the context; source 1: three short texts that
 * repeat. */
static void begin(fixture *f, const dip_text_options *text, const char *fusion)
{
    dip_err err = {0};
    memset(f, 0, sizeof *f);
    for (int i = 0; i < ROWS; i++) {
        f->lengths[0][i] = i % (CONTEXT + 1);
        f->lengths[1][i] = 2;
        for (int64_t t = 0; t < f->lengths[0][i]; t++)
            f->ids[0][i * CONTEXT + t] = 3 + (i * 5 + t * 3) % 17;
        f->ids[1][i * CONTEXT] = 4 + i % 3;
        f->ids[1][i * CONTEXT + 1] = 5;
    }
    for (int s = 0; s < TEXTS; s++)
        f->texts[s] = (dip_batch_text){
            .context = CONTEXT, .ids = f->ids[s], .lengths = f->lengths[s]};
    f->batch = (dip_batch){.size = ROWS, .texts = f->texts};
    const dip_model_config config = {
        .image = {.kind = "cnn",
                  .image_size = 16,
                  .widths = {8},
                  .width_count = 1},
        .text = *text,
        .embed_dim = DIM,
        .fusion = {.kind = fusion},
        .fields = {"image", "title"},
        .field_count = 2,
        .seed = 4,
    };
    assert_ok(dip_model_create(&f->model, &config, &err), &err);
}

/* The texts of source `s` without encode.c: all of its rows at full width. */
static dip_encoded alone(const fixture *f, int s)
{
    const int64_t sizes[] = {ROWS, CONTEXT};
    return dip_model_encode_text_field(
        f->model, dip_tensor_from(f->ids[s], DIP_I64, 2, sizes),
        dip_tensor_from(f->lengths[s], DIP_I64, 1, sizes), true);
}

/* Numbers that weigh the outputs differently in each row. */
static dip_tensor *weighted(const dip_encoded *first, const dip_encoded *second)
{
    const int64_t sizes[] = {ROWS, DIM};
    float numbers[ROWS * DIM];
    for (int i = 0; i < ROWS * DIM; i++)
        numbers[i] = (float)sin(.7 * i);
    dip_tensor *weights = dip_tensor_from(numbers, DIP_F32, 2, sizes);
    return dip_t_add(
        dip_t_sum_all(dip_t_mul(first->embedding, weights)),
        dip_t_sum_all(dip_t_mul(second->embedding, dip_t_neg(weights))));
}

static void assert_same(const dip_encoded *a, const dip_encoded *b)
{
    assert_near(relative(a->embedding, b->embedding), 0, TOLERANCE);
    assert_near(relative(a->features, b->features), 0, TOLERANCE);
    assert_int_equal(a->tokens.rows != NULL, b->tokens.rows != NULL);
    if (a->tokens.rows == NULL)
        return;
    assert_near(relative(a->tokens.rows, b->tokens.rows), 0, TOLERANCE);
    assert_near(relative(dip_t_to_dtype(a->tokens.mask, DIP_F32),
                         dip_t_to_dtype(b->tokens.mask, DIP_F32)),
                0, TOLERANCE);
}

static void check(const dip_text_options *text, const char *fusion)
{
    fixture f;
    begin(&f, text, fusion);
    dip_params *params = dip_model_params(f.model);
    const dip_encode_options options = {
        .texts = {true, true}, .device = DIP_CPU, .training = true};
    dip_encoded_batch together =
        dip_encode_batch(f.model, &f.batch, TEXTS, &options);
    dip_encoded first = alone(&f, 0), second = alone(&f, 1);
    assert_same(&together.texts[0], &first);
    assert_same(&together.texts[1], &second);

    dip_tensor_backward(weighted(&first, &second));
    int count = dip_params_count(params);
    dip_tensor **wanted = calloc((size_t)count, sizeof(dip_tensor *));
    assert_non_null(wanted);
    for (int i = 0; i < count; i++) {
        dip_tensor *param = dip_params_tensor(params, i);
        dip_tensor *gradient = dip_tensor_grad(param);
        wanted[i] = gradient != NULL ? dip_t_clone(gradient) : NULL;
        dip_tensor_clear_grad(param);
    }
    dip_tensor_backward(weighted(&together.texts[0], &together.texts[1]));
    int compared = 0;
    for (int i = 0; i < count; i++) {
        if (wanted[i] == NULL ||
            dip_tensor_item(dip_t_norm_all(wanted[i])) < 1e-6)
            continue;
        dip_tensor *got = dip_tensor_grad(dip_params_tensor(params, i));
        assert_near(relative(got, wanted[i]), 0, TOLERANCE);
        compared++;
    }
    assert_true(compared >= 2);
    free(wanted);
    dip_model_free(f.model);
}

#define SMALL .vocabulary = 20, .context = CONTEXT, .width = 16

static const dip_text_options transformer = {
    .kind = "transformer", SMALL, .depth = 2, .heads = 2};

static void test_encode_same_as_alone(void **state)
{
    (void)state;
    const dip_text_options towers[] = {
        {.kind = "bag", SMALL, .depth = 1},
        {.kind = "cnn", SMALL},
        {.kind = "lstm", SMALL, .depth = 1},
        {.kind = "bert", SMALL, .depth = 2, .heads = 2},
        transformer,
    };
    for (size_t i = 0; i < sizeof towers / sizeof *towers; i++)
        check(&towers[i], "weighted_average");
}

/* A fusion that reads tokens. */
static void test_encode_tokens_same_as_alone(void **state)
{
    (void)state;
    check(&transformer, "self_attention");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_encode_same_as_alone),
        MODEL_TEST(test_encode_tokens_same_as_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
