#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/models/helper.h"
#include "train/masked.h"

#define ROWS       6
#define CONTEXT    40
#define VOCABULARY 20
#define WIDTH      4
#define F          (2 * WIDTH) /* what a tower has for a token */

enum { UNK = 1, EOS = 2, FIRST = 3 };

typedef struct {
    int64_t ids[ROWS * CONTEXT], lengths[ROWS];
    dip_batch_text text;
    dip_batch batch;
    dip_model *model;
    dip_masking how;
} fixture;

/* Lengths so different that the texts are encoded in groups; one is empty, and
 * each ends in the end token. */
static void begin_with(fixture *f, double probability,
                       const dip_text_options *text)
{
    static const int64_t lengths[ROWS] = {40, 3, 0, 5, 38, 4};
    dip_err err = {0};
    memset(f, 0, sizeof *f);
    for (int i = 0; i < ROWS; i++) {
        f->lengths[i] = lengths[i];
        for (int64_t t = 0; t < lengths[i]; t++)
            f->ids[i * CONTEXT + t] = FIRST + (i * 5 + t * t) % 17;
        if (lengths[i] > 0)
            f->ids[i * CONTEXT + lengths[i] - 1] = EOS;
    }
    f->text = (dip_batch_text){
        .context = CONTEXT, .ids = f->ids, .lengths = f->lengths};
    f->batch =
        (dip_batch){.epoch = 1, .index = 2, .size = ROWS, .texts = &f->text};
    const dip_model_config config = {
        .towers = DIP_TOWERS_TEXT,
        .text = *text,
        .tells_masked = true,
        .seed = 7,
    };
    assert_ok(dip_model_create(&f->model, &config, &err), &err);
    f->how = (dip_masking){.model = f->model,
                           .probability = probability,
                           .mask = UNK,
                           .special = {0, UNK, -1, EOS},
                           .seed = 3};
}

static const dip_text_options lstm = {.kind = "lstm",
                                      .vocabulary = VOCABULARY,
                                      .context = CONTEXT,
                                      .width = WIDTH,
                                      .token_width = 5,
                                      .token_std = 1,
                                      .bidirectional = true,
                                      .pooling = "max"};

static void begin(fixture *f, double probability)
{
    begin_with(f, probability, &lstm);
}

static double loss_of(fixture *f)
{
    dip_tensor *loss = NULL;
    dip_err err = {0};
    dip_scope_open();
    assert_ok(dip_masked_loss(&loss, &f->how, &f->batch, &err), &err);
    double value = dip_tensor_item(loss);
    dip_tensor_backward(loss);
    dip_scope_close();
    assert_no_error();
    return value;
}

static void test_masked_tokens_are_a_share_of_the_words(void **state)
{
    (void)state;
    fixture f;
    int64_t masked[ROWS * CONTEXT], again[ROWS * CONTEXT], hits = 0, words = 0;
    begin(&f, .3);
    for (int64_t index = 0; index < 200; index++) {
        f.batch.index = index;
        dip_mask_tokens(masked, &f.how, &f.batch, &f.text);
        for (int i = 0; i < ROWS * CONTEXT; i++) {
            words += f.ids[i] >= FIRST;
            hits += masked[i] != f.ids[i];
            if (masked[i] != f.ids[i])
                assert_true(masked[i] == UNK && f.ids[i] >= FIRST);
        }
    }
    assert_near((double)hits / (double)words, .3, .01); /* 3 deviations */
    dip_mask_tokens(again, &f.how, &f.batch, &f.text);
    assert_memory_equal(masked, again, sizeof again);
    f.batch.epoch++;
    dip_mask_tokens(again, &f.how, &f.batch, &f.text);
    assert_memory_not_equal(masked, again, sizeof again);
    dip_model_free(f.model);
}

/* ---- the same by hand, in double precision ------------------------------- */

static void read_weight(const fixture *f, const char *name, float *out,
                        size_t size)
{
    dip_params *params = dip_model_params(f->model);
    int i = dip_params_find(params, name);
    assert_true(i >= 0);
    dip_tensor_read(dip_params_tensor(params, i), DIP_F32, out, size);
}

#define READ(f, name, out) read_weight((f), (name), (out), sizeof(out))

typedef struct {
    float hidden[F * F], hidden_bias[F], norm[F], norm_bias[F];
    float out[VOCABULARY * F], out_bias[VOCABULARY];
} head;

static void read_head(const fixture *f, head *h)
{
    READ(f, "masked.hidden.weight", h->hidden);
    READ(f, "masked.hidden.bias", h->hidden_bias);
    READ(f, "masked.norm.weight", h->norm);
    READ(f, "masked.norm.bias", h->norm_bias);
    READ(f, "masked.out.weight", h->out);
    READ(f, "masked.out.bias", h->out_bias);
}

/* -log of the softmax at `target`, of what the tower has for a token. */
static double surprise(const head *h, const float *token, int64_t target)
{
    double x[F], mean = 0, variance = 0, sum = 0, wanted = 0;
    for (int i = 0; i < F; i++) {
        x[i] = h->hidden_bias[i];
        for (int j = 0; j < F; j++)
            x[i] += (double)h->hidden[i * F + j] * token[j];
        x[i] *= .5 * (1 + erf(x[i] / sqrt(2)));
        mean += x[i] / F;
    }
    for (int i = 0; i < F; i++)
        variance += (x[i] - mean) * (x[i] - mean) / F;
    for (int v = 0; v < VOCABULARY; v++) {
        double logit = h->out_bias[v];
        for (int i = 0; i < F; i++)
            logit += h->out[v * F + i] *
                     ((x[i] - mean) / sqrt(variance + 1e-5) * h->norm[i] +
                      h->norm_bias[i]);
        sum += exp(logit);
        wanted = v == target ? logit : wanted;
    }
    return log(sum) - wanted;
}

/* All texts at once, of full length. */
static double loss_by_hand(fixture *f)
{
    int64_t masked[ROWS * CONTEXT], count = 0;
    float tokens[ROWS * CONTEXT * F];
    double sum = 0;
    head h;
    read_head(f, &h);
    dip_mask_tokens(masked, &f->how, &f->batch, &f->text);
    dip_scope_open();
    dip_tensor_read(
        dip_model_text_tokens(
            f->model,
            dip_tensor_from(masked, DIP_I64, 2, (int64_t[]){ROWS, CONTEXT}),
            dip_tensor_from(f->lengths, DIP_I64, 1, (int64_t[]){ROWS}), true),
        DIP_F32, tokens, sizeof tokens);
    dip_scope_close();
    for (int i = 0; i < ROWS * CONTEXT; i++) {
        if (masked[i] == f->ids[i])
            continue;
        sum += surprise(&h, tokens + (size_t)i * F, f->ids[i]);
        count++;
    }
    return sum / (double)count;
}

static void assert_formula(const dip_text_options *text)
{
    fixture f;
    begin_with(&f, .4, text);
    for (f.batch.index = 0; f.batch.index < 5; f.batch.index++)
        assert_near(loss_of(&f), loss_by_hand(&f), 1e-5);
    dip_model_free(f.model);
}

static void test_masked_loss_is_that_of_its_formula(void **state)
{
    (void)state;
    const dip_text_options plain = {.vocabulary = VOCABULARY,
                                    .context = CONTEXT,
                                    .width = F,
                                    .depth = 1,
                                    .token_std = 1};
    dip_text_options gru = lstm, bag = plain, cnn = plain, bert = plain;
    gru.kind = "gru";
    bag.kind = "bag";
    cnn.kind = "cnn";
    cnn.depth = 0;
    cnn.windows[0] = 1;
    cnn.windows[1] = 3;
    cnn.window_count = 2;
    cnn.width = WIDTH;
    bert.kind = "bert";
    bert.heads = 2;
    bert.token_std = 0;
    dip_text_options causal = bert;
    causal.kind = "transformer";
    bert.positions = CONTEXT;
    dip_text_options both_ways = causal;
    both_ways.bidirectional = true;
    const dip_text_options *all[] = {&lstm, &gru,    &bag,      &cnn,
                                     &bert, &causal, &both_ways};
    for (size_t i = 0; i < DIP_ARRAY_LEN(all); i++)
        assert_formula(all[i]);
}

/* Texts that are the same, or are so once masked, all count. */
static void test_masked_loss_counts_texts_that_became_the_same(void **state)
{
    (void)state;
    fixture f;
    begin(&f, .4);
    f.lengths[0] = f.lengths[4] = 38;
    memcpy(f.ids + 4 * CONTEXT, f.ids, sizeof(int64_t) * CONTEXT);
    f.ids[37] = f.ids[4 * CONTEXT + 37] = EOS;
    assert_near(loss_of(&f), loss_by_hand(&f), 1e-5);
    for (int i = 0; i < ROWS; i++) {
        f.lengths[i] = 2;
        f.ids[i * CONTEXT] = FIRST + i % 4;
        f.ids[i * CONTEXT + 1] = EOS;
    }
    f.how.probability = .8;
    for (f.batch.index = 0; f.batch.index < 5; f.batch.index++)
        assert_near(loss_of(&f), loss_by_hand(&f), 1e-5);
    dip_model_free(f.model);
}

static void test_masked_loss_reaches_all_but_temperature(void **state)
{
    (void)state;
    fixture f;
    begin(&f, .4);
    (void)loss_of(&f);
    dip_params *params = dip_model_params(f.model);
    for (int i = 0; i < dip_params_count(params); i++) {
        dip_scope_open();
        dip_tensor *grad = dip_tensor_grad(dip_params_tensor(params, i));
        if (strcmp(dip_params_name(params, i), "logit_scale") == 0)
            assert_null(grad);
        else
            assert_true(dip_tensor_item(dip_t_sum_all(dip_t_abs(grad))) > 0);
        dip_scope_close();
    }
    dip_model_free(f.model);
}

/* Neither special tokens nor what is the mask already are targets: nothing to
 * learn from. */
static void test_masked_loss_of_no_token_is_zero(void **state)
{
    (void)state;
    fixture f;
    begin(&f, .9);
    for (int i = 0; i < ROWS * CONTEXT; i++)
        f.ids[i] = f.ids[i] >= FIRST ? UNK : f.ids[i];
    assert_near(loss_of(&f), 0, 0);
    dip_model_free(f.model);
}

static void test_a_model_without_the_head_tells_no_tokens(void **state)
{
    (void)state;
    fixture f;
    dip_err err = {0};
    dip_tensor *loss = NULL;
    begin(&f, .4);
    dip_model_free(f.model);
    const dip_model_config plain = {
        .towers = DIP_TOWERS_TEXT,
        .text = {.kind = "bag", .vocabulary = VOCABULARY, .context = CONTEXT}};
    assert_ok(dip_model_create(&f.model, &plain, &err), &err);
    f.how.model = f.model;
    dip_scope_open();
    assert_int_equal(dip_masked_loss(&loss, &f.how, &f.batch, &err),
                     DIP_ECONFIG);
    dip_scope_close();
    assert_string_equal(err.msg, "the model tells no masked tokens");
    dip_model_free(f.model);
}

/* A model that is trained needs the head no more, and has none. */
static void test_a_finished_model_has_no_head_for_tokens(void **state)
{
    (void)state;
    fixture f;
    begin(&f, .4);
    const dip_params *params = dip_model_params(f.model);
    int before = dip_params_count(params);
    dip_model_finish(f.model);
    assert_int_equal(dip_params_count(params), before - 6);
    assert_int_equal(dip_params_find(params, "masked.out.weight"), -1);
    assert_true(dip_params_find(params, "text.token_embedding.weight") >= 0);
    assert_false(dip_model_tells_masked(f.model));
    dip_model_free(f.model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_masked_tokens_are_a_share_of_the_words),
        MODEL_TEST(test_masked_loss_is_that_of_its_formula),
        MODEL_TEST(test_masked_loss_counts_texts_that_became_the_same),
        MODEL_TEST(test_masked_loss_reaches_all_but_temperature),
        MODEL_TEST(test_masked_loss_of_no_token_is_zero),
        MODEL_TEST(test_a_finished_model_has_no_head_for_tokens),
        MODEL_TEST(test_a_model_without_the_head_tells_no_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
