#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tests/models/tower_case.h"

static void check_recurrent(const char *kind, const char *pooling, bool two)
{
    const dip_text_options o = {.kind = kind,
                                .vocabulary = 32,
                                .context = 8,
                                .width = 6,
                                .token_width = 7,
                                .depth = 2,
                                .bidirectional = two,
                                .pooling = pooling};
    char name[32];
    (void)snprintf(name, sizeof name, "%s_%s", kind, pooling);
    check_text_case(name, &o);
}

static void test_text_tower_gru_equals_packed_sequences(void **state)
{
    (void)state;
    check_recurrent("gru", "mean", true);
    check_recurrent("gru", "max", false);
    check_recurrent("gru", "last", true);
    check_recurrent("gru", "attention", true);
}

static void test_text_tower_lstm_attends_as_its_equation(void **state)
{
    (void)state;
    check_recurrent("lstm", "attention", true);
}

static void test_text_tower_cnn_equals_conv1d(void **state)
{
    (void)state;
    const dip_text_options o = {.kind = "cnn",
                                .vocabulary = 32,
                                .context = 8,
                                .width = 4,
                                .token_width = 6,
                                .windows = {1, 3, 4},
                                .window_count = 3};
    check_text_case("text_cnn", &o);
}

static void test_text_tower_bag_projects_vectors_of_other_widths(void **state)
{
    (void)state;
    const dip_text_options o = {.kind = "bag",
                                .vocabulary = 32,
                                .context = 8,
                                .width = 9,
                                .token_width = 5};
    check_text_case("bag_projected", &o);
}

static void test_text_tower_adds_hashed_ngrams(void **state)
{
    (void)state;
    const dip_text_options o = {.kind = "bag",
                                .vocabulary = 32,
                                .context = 8,
                                .width = 9,
                                .token_width = 5,
                                .ngrams = 3,
                                .ngram_buckets = 11};
    check_text_case("bag_ngrams", &o);
}

static void test_text_tower_bert_equals_transformers(void **state)
{
    (void)state;
    dip_text_options o = {.kind = "bert",
                          .vocabulary = 32,
                          .context = 8,
                          .positions = 10,
                          .width = 12,
                          .depth = 2,
                          .heads = 3,
                          .mlp_ratio = 2};
    check_text_case("bert_cls", &o);
    o.pooling = "mean";
    check_text_case("bert_mean", &o);
    o.pooling = "pooler";
    check_text_case("bert_pooler", &o);
}

static void test_text_tower_transformer_equals_siglip(void **state)
{
    (void)state;
    const dip_text_options o = {.kind = "transformer",
                                .vocabulary = 32,
                                .context = 8,
                                .width = 16,
                                .depth = 2,
                                .heads = 2,
                                .bidirectional = true,
                                .norm_eps = 1e-6};
    check_text_case("transformer_siglip", &o);
}

/* Kinds with a table of words of their own. */
static const char *const WORDED[] = {"bag", "cnn", "lstm", "gru",
                                     "transformer"};

static dip_text_options small(const char *kind)
{
    return (dip_text_options){
        .kind = kind, .vocabulary = 11, .context = 6, .width = 8};
}

static void test_text_tower_frozen_words_are_not_trained(void **state)
{
    (void)state;
    for (size_t i = 0; i < DIP_ARRAY_LEN(WORDED); i++) {
        dip_text_options o = small(WORDED[i]);
        o.token_width = 5;
        o.frozen_tokens = true;
        tower t = make_text(&o, 1);
        int at = dip_params_find(t.params, "token_embedding.weight");
        assert_int_equal(dip_params_kind(t.params, at), DIP_PARAM_BUFFER);
        const dip_tensor *table = dip_params_tensor(t.params, at);
        assert_false(dip_tensor_requires_grad(table));
        assert_int_equal(dip_tensor_size(table, 1), 5);
        end(&t);
    }
}

static void refused(const dip_text_options *o, const char *message)
{
    dip_err err = {0};
    dip_text_options checked = *o;
    assert_int_equal(dip_text_options_check(&checked, &err), DIP_ECONFIG);
    assert_string_equal(err.msg, message);
}

static void test_text_tower_refuses_the_impossible(void **state)
{
    (void)state;
    dip_text_options o = small("bert");
    o.positions = 5;
    refused(&o, "text.positions: 5 is not in 6..65536");
    o = small("bert");
    o.frozen_tokens = true;
    refused(&o, "text.frozen_tokens: not an option of 'bert'");
    o = small("cnn");
    o.windows[0] = 65;
    o.window_count = 1;
    refused(&o, "text.windows: 65 is not in 1..64");
    o = small("gru");
    o.pooling = "cls";
    refused(&o, "text.pooling: 'cls' is none of mean, max, last, attention");
    o = small("bag");
    o.token_width = 8193;
    refused(&o, "text.token_width: 8193 is not in 0..8192");
    o.token_width = 0;
    o.ngrams = 6;
    refused(&o, "text.ngrams: 6 is not in 1..5");
    o.ngrams = 1;
    o.ngram_buckets = 10;
    refused(&o, "text.ngram_buckets: needs ngrams of 2 or more");
    o.ngram_buckets = 0;
    o.ngram_dropout = .5;
    refused(&o, "text.ngram_dropout: needs ngrams of 2 or more");
    o.ngrams = 2;
    o.ngram_dropout = 1;
    refused(&o, "text.ngram_dropout: 1 is not a share from 0 to below 1");
    o.ngram_dropout = 0;
    o.ngram_buckets = 10;
    o.ngram_vocabulary = 11;
    refused(&o, "text.ngram_vocabulary: 11 is not in 1..10");
    o.ngram_vocabulary = 0;
    o.ngram_buckets = (1 << 24) + 1;
    refused(&o, "text.ngram_buckets: 16777217 is not in 1..16777216");
    o = small("transformer");
    o.ngrams = 2;
    refused(&o, "text.ngrams: not an option of 'transformer'");
    o = small("transformer");
    o.norm_eps = 0.5;
    refused(&o, "text.norm_eps: 0.5 is not in 1e-12..0.1");
}

/* What a check has filled in passes the next one: a model checks its config
 * once more. */
static void test_text_tower_takes_what_was_completed(void **state)
{
    (void)state;
    for (int i = 0; i < dip_text_kind_count(); i++) {
        dip_text_options o = small(dip_text_kind_at(i)->name);
        dip_err err = {0};
        for (int times = 0; times < 2; times++)
            assert_ok(dip_text_options_check(&o, &err), &err);
    }
}

static const int64_t IDS[3][6] = {
    {3, 9, 4, 1, 5, 2}, {7, 2, 0, 0, 0, 0}, {0, 0, 0, 0, 0, 0}};
static const int64_t LENGTHS[3] = {6, 2, 0};

static dip_tensor *ids(void)
{
    return dip_tensor_from(IDS, DIP_I64, SIZES(3, 6));
}

static dip_tensor *lengths(void)
{
    return dip_tensor_from(LENGTHS, DIP_I64, SIZES(3));
}

#define PLACES 18
#define WIDTH  8

/* What n-grams add to the tokens' own vectors at each place. */
static void ngram_part(float out[PLACES * WIDTH], const tower *t, bool training)
{
    dip_tensor *tokens = NULL;
    (void)t->text->kind->forward(t->text, ids(), lengths(), &tokens, training);
    const dip_tensor *table = dip_params_tensor(
        t->params, dip_params_find(t->params, "token_embedding.weight"));
    dip_tensor *rest = dip_t_sub(tokens, dip_t_embedding(table, ids(), -1));
    dip_tensor_read(rest, DIP_F32, out, PLACES * WIDTH * sizeof *out);
    assert_no_error();
}

static bool row_is(const float *row, const float *whole, float factor)
{
    for (int i = 0; i < WIDTH; i++) {
        if (fabsf(row[i] - factor * whole[i]) > 1e-6F)
            return false;
    }
    return true;
}

static void test_text_tower_leaves_out_whole_ngrams(void **state)
{
    (void)state;
    dip_text_options o = small("bag");
    o.ngrams = 2;
    o.ngram_buckets = 100;
    o.ngram_dropout = .5;
    tower t = make_text(&o, 4);
    float whole[PLACES * WIDTH], some[PLACES * WIDTH];
    ngram_part(whole, &t, false);
    ngram_part(some, &t, true);
    int kept = 0;
    for (size_t at = 0; at < sizeof whole / sizeof *whole; at += WIDTH) {
        bool keeps = row_is(some + at, whole + at, 2);
        assert_true(keeps || row_is(some + at, whole + at, 0));
        kept += keeps;
    }
    assert_in_range(kept, 1, PLACES - 1);
    end(&t);
}

static dip_tensor *param(const tower *t, const char *name)
{
    return dip_params_tensor(t->params, dip_params_find(t->params, name));
}

#define BUCKETS 100
#define KNOWN   10

/* Seed 4 for both: the second knows KNOWN buckets, of which some share rows
 * here, and the first has the same vectors, one for each bucket. */
static void make_pair(tower *all, tower *some, bool sparse)
{
    int64_t rows[BUCKETS];
    for (int64_t b = 0; b < BUCKETS; b++)
        rows[b] = b * 7 % (KNOWN + 1);
    dip_text_options o = small("bag");
    o.ngrams = 3;
    o.ngram_buckets = BUCKETS;
    *all = make_text(&o, 4);
    o.ngram_vocabulary = KNOWN;
    o.sparse = sparse;
    *some = make_text(&o, 4);
    dip_tensor *of = param(some, "ngram_embedding.rows");
    assert_int_equal(dip_tensor_item(dip_t_sum_all(of)), 0); /* none known */
    dip_tensor_assign(of, dip_tensor_from(rows, DIP_I64, SIZES(BUCKETS, 1)));
    dip_tensor *table = dip_t_detach(param(some, "ngram_embedding.weight"));
    dip_tensor_assign(
        param(all, "ngram_embedding.weight"),
        dip_t_index_select(table, 0,
                           dip_tensor_from(rows, DIP_I64, SIZES(BUCKETS))));
    dip_tensor_assign(param(all, "token_embedding.weight"),
                      dip_t_detach(param(some, "token_embedding.weight")));
}

static void test_text_tower_knows_some_ngrams(void **state)
{
    (void)state;
    tower all, some;
    make_pair(&all, &some, false);
    assert_rows(dip_text_tower_forward(some.text, ids(), lengths(), false),
                dip_text_tower_forward(all.text, ids(), lengths(), false), 0);
    end(&all);
    end(&some);
}

/* An n-gram of no row adds nothing, before training and after. */
static void test_text_tower_does_not_train_unknown_ngrams(void **state)
{
    (void)state;
    for (int sparse = 0; sparse < 2; sparse++) {
        tower all, some;
        make_pair(&all, &some, sparse);
        dip_tensor *out =
            dip_text_tower_forward(some.text, ids(), lengths(), true);
        dip_tensor_backward(dip_t_sum_all(out));
        dip_tensor *table = param(&some, "ngram_embedding.weight");
        assert_tensor(dip_t_norm_all(dip_t_narrow(table, 0, 0, 1)), 0);
        dip_tensor *rows = NULL, *values = NULL;
        if (sparse) {
            dip_tensor_grad_rows(table, &rows, &values);
            assert_true(dip_tensor_item(dip_t_select(rows, 0, 0)) > 0);
        } else {
            values = dip_tensor_grad(table);
            assert_tensor(dip_t_norm_all(dip_t_narrow(values, 0, 0, 1)), 0);
        }
        assert_true(dip_tensor_item(dip_t_norm_all(values)) > 0);
        end(&all);
        end(&some);
    }
}

static void trace(void *user, dip_tensor *const *inputs, dip_tensor **outputs)
{
    const tower *t = user;
    outputs[0] = dip_text_tower_forward(t->text, inputs[0], inputs[1], false);
}

static bool takes(const dip_text_kind *kind, const char *option)
{
    for (const char *const *o = kind->options; *o != NULL; o++) {
        if (strcmp(*o, option) == 0)
            return true;
    }
    return false;
}

/* A trace of two texts of three tokens, run on three of six. */
static void test_text_tower_traces_with_free_batch_and_length(void **state)
{
    (void)state;
    for (int i = 0; i < dip_text_kind_count(); i++) {
        dip_text_options o = small(dip_text_kind_at(i)->name);
        o.ngrams = takes(dip_text_kind_at(i), "ngrams") ? 3 : 0;
        tower t = make_text(&o, 4);
        dip_named_tensor *list = NULL;
        dip_script *script = NULL;
        dip_err err = {0};
        assert_ok(dip_weights_list(&list, t.params, &err), &err);
        const int64_t three[2] = {3, 2};
        dip_tensor *example[2] = {
            dip_t_narrow(dip_t_narrow(ids(), 0, 0, 2), 1, 0, 3),
            dip_tensor_from(three, DIP_I64, SIZES(2))};
        assert_ok(dip_script_trace(&script, trace, &t, example, 2, 1, list,
                                   dip_params_count(t.params), &err),
                  &err);
        dip_tensor *inputs[2] = {ids(), lengths()}, *theirs = NULL;
        dip_script_run(script, inputs, 2, &theirs, 1);
        dip_tensor *ours =
            dip_text_tower_forward(t.text, inputs[0], inputs[1], false);
        assert_rows(theirs, ours, TOLERANCE);
        dip_script_free(script);
        free(list);
        end(&t);
    }
}

/* The tower of seed 4 behind its backward pass. */
static tower trained(const dip_text_options *o)
{
    tower t = make_text(o, 4);
    dip_tensor *out = dip_text_tower_forward(t.text, ids(), lengths(), true);
    dip_tensor_backward(
        dip_t_sum_all(dip_t_mul(out, pattern(SIZES(3, t.text->features)))));
    return t;
}

/* Both gradients of a table are the same, and some rows have none. */
static void compare_gradients(const tower *dense, const tower *sparse,
                              const char *table)
{
    dip_tensor *all = dip_tensor_grad(dip_params_tensor(
        dense->params, dip_params_find(dense->params, table)));
    int at = dip_params_find(sparse->params, table);
    assert_int_equal(dip_params_kind(sparse->params, at), DIP_PARAM_SPARSE);
    dip_tensor *rows, *values;
    dip_tensor_grad_rows(dip_params_tensor(sparse->params, at), &rows, &values);
    dip_tensor *whole = dip_t_zeros_like(all);
    assert_in_range(dip_tensor_size(rows, 0), 1, dip_tensor_size(all, 0) - 1);
    dip_tensor_put_rows(whole, rows, values);
    assert_true(dip_tensor_item(dip_t_norm_all(whole)) > 0);
    assert_rows(whole, all, TOLERANCE);
}

static void test_text_tower_has_the_same_gradients_sparse(void **state)
{
    (void)state;
    int compared = 0;
    for (int i = 0; i < dip_text_kind_count(); i++) {
        const dip_text_kind *kind = dip_text_kind_at(i);
        if (!takes(kind, "sparse"))
            continue;
        dip_text_options o = small(kind->name);
        o.ngrams = takes(kind, "ngrams") ? 2 : 0;
        o.ngram_buckets = o.ngrams ? 100 : 0;
        tower dense = trained(&o);
        o.sparse = true;
        tower sparse = trained(&o);
        compare_gradients(&dense, &sparse, "token_embedding.weight");
        if (o.ngrams)
            compare_gradients(&dense, &sparse, "ngram_embedding.weight");
        end(&dense);
        end(&sparse);
        compared++;
    }
    assert_int_equal(compared, 5);
}

/* Values stay near those of fp32, gradients stay finite. */
static void test_text_tower_works_under_bf16_autocast(void **state)
{
    (void)state;
    for (int i = 0; i < dip_text_kind_count(); i++) {
        dip_text_options o = small(dip_text_kind_at(i)->name);
        tower t = make_text(&o, 6);
        dip_tensor *exact =
            dip_text_tower_forward(t.text, ids(), lengths(), false);
        bool before = dip_tensor_set_autocast(DIP_CPU, true);
        dip_tensor *out =
            dip_text_tower_forward(t.text, ids(), lengths(), true);
        (void)dip_tensor_set_autocast(DIP_CPU, before);
        out = dip_t_to_dtype(out, DIP_F32);
        assert_rows(out, exact, 0.05);
        dip_tensor_backward(
            dip_t_sum_all(dip_t_mul(out, pattern(SIZES(3, t.text->features)))));
        assert_gradients(t.params, "");
        end(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_text_tower_gru_equals_packed_sequences),
        MODEL_TEST(test_text_tower_lstm_attends_as_its_equation),
        MODEL_TEST(test_text_tower_cnn_equals_conv1d),
        MODEL_TEST(test_text_tower_bag_projects_vectors_of_other_widths),
        MODEL_TEST(test_text_tower_takes_what_was_completed),
        MODEL_TEST(test_text_tower_adds_hashed_ngrams),
        MODEL_TEST(test_text_tower_bert_equals_transformers),
        MODEL_TEST(test_text_tower_transformer_equals_siglip),
        MODEL_TEST(test_text_tower_frozen_words_are_not_trained),
        MODEL_TEST(test_text_tower_refuses_the_impossible),
        MODEL_TEST(test_text_tower_leaves_out_whole_ngrams),
        MODEL_TEST(test_text_tower_knows_some_ngrams),
        MODEL_TEST(test_text_tower_does_not_train_unknown_ngrams),
        MODEL_TEST(test_text_tower_traces_with_free_batch_and_length),
        MODEL_TEST(test_text_tower_has_the_same_gradients_sparse),
        MODEL_TEST(test_text_tower_works_under_bf16_autocast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
