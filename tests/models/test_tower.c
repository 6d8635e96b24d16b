#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/models/small.h"
#include "tests/models/tower_case.h"

static void test_tower_resnet_basic_equals_torchvision(void **state)
{
    (void)state;
    const dip_image_options o = {.kind = "resnet",
                                 .image_size = 12,
                                 .layers = {2, 1},
                                 .layer_count = 2,
                                 .width = 8,
                                 .stem = "small"};
    check_image_case("resnet_basic", &o, true);
}

static void test_tower_resnet_bottleneck_equals_torchvision(void **state)
{
    (void)state;
    const dip_image_options o = {.kind = "resnet",
                                 .image_size = 32,
                                 .layers = {1, 2},
                                 .layer_count = 2,
                                 .width = 4,
                                 .block = "bottleneck"};
    check_image_case("resnet_bottleneck", &o, true);
}

static void test_tower_vit_equals_open_clip(void **state)
{
    (void)state;
    dip_image_options o = {.kind = "vit",
                           .image_size = 16,
                           .patch = 8,
                           .width = 16,
                           .depth = 2,
                           .heads = 2,
                           .mlp_ratio = 3.0};
    check_image_case("vit_cls", &o, false);
    o.pooling = "mean";
    o.activation = "quick_gelu";
    check_image_case("vit_mean", &o, false);
}

static void test_tower_transformer_equals_open_clip(void **state)
{
    (void)state;
    dip_text_options o = {.kind = "transformer",
                          .vocabulary = 32,
                          .context = 8,
                          .width = 16,
                          .depth = 2,
                          .heads = 2};
    check_text_case("transformer_last", &o);
    o.pooling = "cls";
    check_text_case("transformer_causal_cls", &o);
    o.bidirectional = true;
    check_text_case("transformer_cls", &o);
    o.pooling = "mean";
    check_text_case("transformer_mean", &o);
}

static void test_tower_lstm_equals_packed_sequences(void **state)
{
    (void)state;
    dip_text_options o = {.kind = "lstm",
                          .vocabulary = 32,
                          .context = 8,
                          .width = 6,
                          .depth = 2,
                          .bidirectional = true};
    check_text_case("lstm_mean", &o);
    o.pooling = "last";
    check_text_case("lstm_last", &o);
    o.pooling = "max";
    o.bidirectional = false;
    check_text_case("lstm_max", &o);
}

static void test_tower_bag_equals_embedding_bag(void **state)
{
    (void)state;
    const dip_text_options o = {
        .kind = "bag", .vocabulary = 32, .context = 8, .width = 10, .depth = 2};
    check_text_case("bag", &o);
}

static void test_tower_presets_have_the_peers_names_and_shapes(void **state)
{
    (void)state;
    const int64_t depths[] = {18, 34, 50};
    for (size_t i = 0; i < DIP_ARRAY_LEN(depths); i++) {
        dip_image_options o = {
            .kind = "resnet", .image_size = 224, .depth = depths[i]};
        tower t = make_image(&o, 0);
        char name[16];
        (void)snprintf(name, sizeof name, "resnet%d", (int)depths[i]);
        compare_names(t.params, "names.json", name);
        end(&t);
    }
    dip_image_options vit = {.kind = "vit", .image_size = 224, .patch = 32};
    tower t = make_image(&vit, 0);
    compare_names(t.params, "names.json", "vit_b_32");
    end(&t);
    dip_text_options text = {
        .kind = "transformer", .vocabulary = 49408, .context = 77};
    t = make_text(&text, 0);
    compare_names(t.params, "names.json", "text_b_32");
    end(&t);
}

static dip_text_options small_text(const char *kind)
{
    dip_text_options o = {
        .kind = kind, .vocabulary = 11, .context = 6, .width = 16};
    if (strcmp(kind, "cnn") == 0)
        o.token_width = 6;
    else if (strcmp(kind, "bag") != 0)
        o.depth = 2;
    return o;
}

/* Ids of four texts of 6, 2, 0 and 4 tokens. */
static const int64_t IDS[4][6] = {{3, 9, 4, 1, 5, 2},
                                  {7, 2, 0, 0, 0, 0},
                                  {0, 0, 0, 0, 0, 0},
                                  {5, 10, 6, 2, 0, 0}};
static const int64_t LENGTHS[4] = {6, 2, 0, 4};

static dip_tensor *ids(void)
{
    return dip_tensor_from(IDS, DIP_I64, SIZES(4, 6));
}

static dip_tensor *lengths(void)
{
    return dip_tensor_from(LENGTHS, DIP_I64, SIZES(4));
}

static void test_tower_every_image_kind_trains(void **state)
{
    (void)state;
    assert_true(dip_image_kind_count() >= 3);
    for (int i = 0; i < dip_image_kind_count(); i++) {
        const dip_image_kind *kind = dip_image_kind_at(i);
        assert_ptr_equal(dip_image_kind_find(kind->name), kind);
        assert_true(strlen(kind->summary) > 0);
        dip_image_options o = small_image(kind->name);
        tower t = make_image(&o, 1);
        dip_tensor *out = dip_image_tower_forward(
            t.image, pattern(SIZES(5, 3, 32, 32)), true);
        assert_int_equal(dip_tensor_size(out, 0), 5);
        assert_int_equal(dip_tensor_size(out, 1), t.image->features);
        dip_tensor_backward(dip_t_sum_all(
            dip_t_mul(out, pattern(SIZES(5, t.image->features)))));
        assert_gradients(t.params, "");
        assert_no_error();
        end(&t);
    }
}

static void test_tower_every_text_kind_trains(void **state)
{
    (void)state;
    assert_true(dip_text_kind_count() >= 3);
    for (int i = 0; i < dip_text_kind_count(); i++) {
        const dip_text_kind *kind = dip_text_kind_at(i);
        assert_ptr_equal(dip_text_kind_find(kind->name), kind);
        assert_true(strlen(kind->summary) > 0);
        dip_text_options o = small_text(kind->name);
        tower t = make_text(&o, 1);
        dip_tensor *out =
            dip_text_tower_forward(t.text, ids(), lengths(), true);
        assert_int_equal(dip_tensor_size(out, 1), t.text->features);
        dip_tensor_backward(
            dip_t_sum_all(dip_t_mul(out, pattern(SIZES(4, t.text->features)))));
        assert_gradients(t.params, "");
        assert_no_error();
        end(&t);
    }
}

static void assert_tokens(const dip_tokens *tokens, int64_t rows, int64_t width)
{
    assert_int_equal(dip_tensor_ndim(tokens->rows), 3);
    assert_int_equal(dip_tensor_size(tokens->rows, 0), rows);
    assert_int_equal(dip_tensor_size(tokens->rows, 2), width);
    if (tokens->mask)
        assert_int_equal(dip_tensor_size(tokens->mask, 1),
                         dip_tensor_size(tokens->rows, 1));
}

/* Tokens come beside the features that come without them, and are computed of
 * the same parameters; an empty text has none. */
static void test_tower_every_kind_gives_tokens(void **state)
{
    (void)state;
    dip_tokens tokens;
    dip_tensor *images = pattern(SIZES(5, 3, 32, 32));
    for (int i = 0; i < dip_image_kind_count(); i++) {
        dip_image_options o = small_image(dip_image_kind_at(i)->name);
        tower t = make_image(&o, 1);
        assert_rows(
            dip_image_tower_forward_tokens(t.image, images, &tokens, false),
            dip_image_tower_forward(t.image, images, false), TOLERANCE);
        assert_tokens(&tokens, 5, t.image->token_features);
        dip_tensor_backward(dip_t_mean_all(tokens.rows));
        assert_no_error();
        end(&t);
    }
    for (int i = 0; i < dip_text_kind_count(); i++) {
        dip_text_options o = small_text(dip_text_kind_at(i)->name);
        tower t = make_text(&o, 1);
        assert_rows(dip_text_tower_forward_tokens(t.text, ids(), lengths(),
                                                  &tokens, false),
                    dip_text_tower_forward(t.text, ids(), lengths(), false),
                    TOLERANCE);
        assert_tokens(&tokens, 4, t.text->token_features);
        assert_near(
            dip_tensor_item(dip_t_sum_all(dip_t_select(tokens.mask, 0, 2))), 0,
            0);
        dip_tensor_backward(dip_t_mean_all(tokens.rows));
        assert_no_error();
        end(&t);
    }
}

/* The features of towers that pool by a mean, which stand against their peers
 * above, are the mean of their tokens; so the tokens are what is pooled. */
static void test_tower_tokens_are_what_is_pooled(void **state)
{
    (void)state;
    static const char *const IMAGES[] = {"cnn", "resnet", "vit"};
    static const char *const TEXTS[] = {"bag", "lstm", "transformer"};
    static const int64_t COUNTS[] = {4, 16, 16};
    dip_tensor *images = pattern(SIZES(5, 3, 32, 32));
    dip_tokens tokens;
    for (size_t i = 0; i < DIP_ARRAY_LEN(IMAGES); i++) {
        dip_image_options o = small_image(IMAGES[i]);
        o.pooling = strcmp(IMAGES[i], "vit") == 0 ? "mean" : NULL;
        tower t = make_image(&o, 1);
        dip_tensor *features =
            dip_image_tower_forward_tokens(t.image, images, &tokens, false);
        assert_int_equal(dip_tensor_size(tokens.rows, 1), COUNTS[i]);
        assert_rows(dip_t_mean(tokens.rows, 1, false), features, TOLERANCE);
        end(&t);
    }
    for (size_t i = 0; i < DIP_ARRAY_LEN(TEXTS); i++) {
        dip_text_options o = small_text(TEXTS[i]);
        o.pooling = strcmp(TEXTS[i], "bag") == 0 ? NULL : "mean";
        tower t = make_text(&o, 1);
        dip_tensor *features = dip_text_tower_forward_tokens(
            t.text, ids(), lengths(), &tokens, false);
        assert_int_equal(dip_tensor_size(tokens.rows, 1), 6);
        assert_rows(dip_pool_mean(tokens.rows, tokens.mask), features,
                    TOLERANCE);
        end(&t);
    }
}

/* Features of a text do not depend on what else is in the batch, on the order,
 * or on padding; the empty text has zeros. */
static void check_text_rows(const dip_text_options *o)
{
    tower t = make_text(o, 5);
    dip_tensor *all = dip_text_tower_forward(t.text, ids(), lengths(), false);
    assert_near(dip_tensor_item(dip_t_norm_all(dip_t_select(all, 0, 2))), 0, 0);

    const int64_t order[] = {3, 0, 2, 1};
    dip_tensor *at = dip_tensor_from(order, DIP_I64, SIZES(4));
    dip_tensor *moved =
        dip_text_tower_forward(t.text, dip_t_index_select(ids(), 0, at),
                               dip_t_index_select(lengths(), 0, at), false);
    assert_rows(moved, dip_t_index_select(all, 0, at), TOLERANCE);

    dip_tensor *one =
        dip_text_tower_forward(t.text, dip_t_narrow(ids(), 0, 3, 1),
                               dip_t_narrow(lengths(), 0, 3, 1), false);
    assert_rows(one, dip_t_narrow(all, 0, 3, 1), TOLERANCE);

    dip_tensor *cut = dip_t_narrow(dip_t_narrow(ids(), 0, 3, 1), 1, 0, 4);
    dip_tensor *tight = dip_text_tower_forward(
        t.text, cut, dip_t_narrow(lengths(), 0, 3, 1), false);
    assert_rows(tight, dip_t_narrow(all, 0, 3, 1), TOLERANCE);
    end(&t);
}

static void test_tower_text_rows_stand_alone(void **state)
{
    (void)state;
    static const char *const POOLINGS[] = {"last", "mean",      "max",
                                           "cls",  "attention", "pooler"};
    for (int i = 0; i < dip_text_kind_count(); i++)
        for (int two = 0; two < 2; two++)
            for (size_t k = 0; k < DIP_ARRAY_LEN(POOLINGS); k++) {
                dip_text_options o = small_text(dip_text_kind_at(i)->name);
                o.bidirectional = two != 0;
                o.pooling = POOLINGS[k];
                dip_text_options checked = o;
                if (dip_text_options_check(&checked, NULL) == DIP_OK)
                    check_text_rows(&o);
            }
    dip_text_options bag = small_text("bag"), cnn = small_text("cnn");
    check_text_rows(&bag);
    check_text_rows(&cnn);
}

static void test_tower_image_rows_stand_alone_in_eval(void **state)
{
    (void)state;
    for (int i = 0; i < dip_image_kind_count(); i++) {
        dip_image_options o = small_image(dip_image_kind_at(i)->name);
        tower t = make_image(&o, 5);
        dip_tensor *images = pattern(SIZES(3, 3, 32, 32));
        dip_tensor *all = dip_image_tower_forward(t.image, images, false);
        dip_tensor *one = dip_image_tower_forward(
            t.image, dip_t_narrow(images, 0, 1, 1), false);
        assert_rows(one, dip_t_narrow(all, 0, 1, 1), TOLERANCE);
        dip_params_channels_last(t.params);
        dip_tensor *last = dip_image_tower_forward(
            t.image, dip_t_channels_last(images), false);
        assert_rows(last, all, TOLERANCE);
        end(&t);
    }
}

static void
test_tower_empty_texts_alone_give_zeros_and_finite_gradients(void **state)
{
    (void)state;
    for (int i = 0; i < dip_text_kind_count(); i++) {
        dip_text_options o = small_text(dip_text_kind_at(i)->name);
        tower t = make_text(&o, 2);
        dip_tensor *out = dip_text_tower_forward(
            t.text, dip_tensor_full(0, DIP_I64, SIZES(2, 6)),
            dip_tensor_full(0, DIP_I64, SIZES(2)), true);
        assert_near(dip_tensor_item(dip_t_norm_all(out)), 0, 0);
        dip_tensor_backward(dip_t_sum_all(out));
        for (int k = 0; k < dip_params_count(t.params); k++) {
            dip_tensor *grad = dip_tensor_grad(dip_params_tensor(t.params, k));
            if (grad)
                assert_near(dip_tensor_item(dip_t_norm_all(grad)), 0, 0);
        }
        end(&t);
    }
}

/* Random in training by libtorch's generator alone, and silent otherwise. */
static void check_image_noise(const char *kind, double dropout,
                              double attention_dropout, double drop_path)
{
    dip_image_options o = small_image(kind);
    o.dropout = dropout;
    o.attention_dropout = attention_dropout;
    o.drop_path = drop_path;
    tower t = make_image(&o, 2);
    dip_tensor *images = pattern(SIZES(4, 3, 32, 32));
    dip_tensor *quiet = dip_image_tower_forward(t.image, images, false);
    assert_rows(dip_image_tower_forward(t.image, images, false), quiet, 0);
    dip_tensor_seed(1);
    dip_tensor *first = dip_image_tower_forward(t.image, images, true);
    dip_tensor *second = dip_image_tower_forward(t.image, images, true);
    assert_true(relative(second, first) > 1e-3);
    dip_tensor_seed(1);
    assert_rows(dip_image_tower_forward(t.image, images, true), first, 0);
    end(&t);
}

static void check_text_noise(const char *kind, double dropout,
                             double attention_dropout, double token_dropout)
{
    dip_text_options o = small_text(kind);
    if (strcmp(kind, "cnn") != 0)
        o.depth = 2;
    o.dropout = dropout;
    o.attention_dropout = attention_dropout;
    o.token_dropout = token_dropout;
    tower t = make_text(&o, 2);
    dip_tensor *first = dip_text_tower_forward(t.text, ids(), lengths(), false);
    assert_rows(dip_text_tower_forward(t.text, ids(), lengths(), false), first,
                0);
    dip_tensor_seed(1);
    first = dip_text_tower_forward(t.text, ids(), lengths(), true);
    dip_tensor *second = dip_text_tower_forward(t.text, ids(), lengths(), true);
    assert_true(relative(second, first) > 1e-3);
    end(&t);
}

static void test_tower_dropout_acts_in_training_only(void **state)
{
    (void)state;
    check_image_noise("vit", 0.3, 0.0, 0.0);
    check_image_noise("vit", 0.0, 0.3, 0.0);
    check_image_noise("vit", 0.0, 0.0, 0.5);
    check_image_noise("siglip", 0.0, 0.3, 0.0);
    check_image_noise("resnet", 0.0, 0.0, 0.5);
    check_image_noise("cnn", 0.3, 0.0, 0.0);
    for (int i = 0; i < dip_text_kind_count(); i++) {
        const char *kind = dip_text_kind_at(i)->name;
        check_text_noise(kind, 0.3, 0.0, 0.0);
        if (strcmp(kind, "bert") != 0)
            check_text_noise(kind, 0.0, 0.0, 0.3);
    }
    check_text_noise("transformer", 0.0, 0.3, 0.0);
    check_text_noise("bert", 0.0, 0.3, 0.0);
}

static void test_tower_drop_path_keeps_the_mean(void **state)
{
    (void)state;
    dip_tensor_seed(4);
    dip_tensor *x = dip_tensor_full(1, DIP_F32, SIZES(20000, 2));
    dip_tensor *y = dip_drop_path(x, 0.25, true);
    assert_near(dip_tensor_item(dip_t_mean_all(y)), 1.0, 0.02);
    /* Rows are dropped whole, or scaled by 4 / 3. */
    dip_tensor *columns[2] = {0};
    dip_t_chunk(columns, y, 2, 1);
    assert_near(relative(columns[0], columns[1]), 0, 0);
    assert_near(dip_tensor_item(dip_t_amax(dip_t_flatten(y, 0, 1), 0, false)),
                4.0 / 3.0, 1e-6);
}

static void test_tower_start_is_a_function_of_the_seed(void **state)
{
    (void)state;
    dip_image_options o = small_image("resnet");
    tower a = make_image(&o, 7), b = make_image(&o, 7), c = make_image(&o, 8);
    for (int i = 0; i < dip_params_count(a.params); i++) {
        dip_tensor *p = dip_params_tensor(a.params, i);
        assert_near(relative(dip_params_tensor(b.params, i), p), 0, 0);
        if (dip_tensor_ndim(p) == 4)
            assert_true(relative(dip_params_tensor(c.params, i), p) > 0.1);
    }
    end(&a);
    end(&b);
    end(&c);
}

static dip_tensor *find(const tower *t, const char *name)
{
    int i = dip_params_find(t->params, name);
    assert_true(i >= 0);
    return dip_params_tensor(t->params, i);
}

/* Equal shapes start apart, and a deeper tower starts with the same blocks. */
static void test_tower_start_is_a_function_of_the_name(void **state)
{
    (void)state;
    dip_image_options o = small_image("vit");
    tower two = make_image(&o, 7);
    o.depth = 3;
    tower three = make_image(&o, 7);
    dip_tensor *first = find(&two, "transformer.resblocks.0.mlp.c_fc.weight");
    dip_tensor *second = find(&two, "transformer.resblocks.1.mlp.c_fc.weight");
    assert_true(relative(first, second) > 0.1);
    assert_near(
        relative(find(&three, "transformer.resblocks.1.mlp.c_fc.weight"),
                 second),
        0, 0);
    end(&two);
    end(&three);
}

static double deviation(const dip_params *params, const char *name)
{
    int i = dip_params_find(params, name);
    assert_true(i >= 0);
    const dip_tensor *t = dip_params_tensor(params, i);
    return dip_tensor_item(dip_t_norm_all(t)) /
           sqrt((double)dip_tensor_numel(t));
}

/* The published standard deviations, within sampling noise. */
static void test_tower_start_has_the_published_spread(void **state)
{
    (void)state;
    dip_image_options r = {
        .kind = "resnet", .image_size = 32, .zero_init_residual = true};
    tower t = make_image(&r, 1);
    assert_near(deviation(t.params, "layer2.0.conv1.weight"),
                sqrt(2.0 / (128 * 9)), 5e-4);
    assert_near(deviation(t.params, "layer1.0.bn2.weight"), 0, 0);
    assert_near(deviation(t.params, "layer1.0.bn1.weight"), 1, 0);
    end(&t);
    dip_text_options o = {.kind = "transformer",
                          .vocabulary = 500,
                          .context = 16,
                          .width = 128,
                          .depth = 3};
    t = make_text(&o, 1);
    assert_near(deviation(t.params, "token_embedding.weight"), 0.02, 4e-4);
    assert_near(
        deviation(t.params, "transformer.resblocks.1.attn.in_proj_weight"),
        1 / sqrt(128), 2e-3);
    assert_near(
        deviation(t.params, "transformer.resblocks.1.mlp.c_proj.weight"),
        1 / sqrt(128 * 6), 1e-3);
    assert_near(deviation(t.params, "transformer.resblocks.1.mlp.c_fc.weight"),
                1 / sqrt(256), 1e-3);
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_tower_resnet_basic_equals_torchvision),
        MODEL_TEST(test_tower_resnet_bottleneck_equals_torchvision),
        MODEL_TEST(test_tower_vit_equals_open_clip),
        MODEL_TEST(test_tower_transformer_equals_open_clip),
        MODEL_TEST(test_tower_lstm_equals_packed_sequences),
        MODEL_TEST(test_tower_bag_equals_embedding_bag),
        MODEL_TEST(test_tower_presets_have_the_peers_names_and_shapes),
        MODEL_TEST(test_tower_every_image_kind_trains),
        MODEL_TEST(test_tower_every_text_kind_trains),
        MODEL_TEST(test_tower_every_kind_gives_tokens),
        MODEL_TEST(test_tower_tokens_are_what_is_pooled),
        MODEL_TEST(test_tower_text_rows_stand_alone),
        MODEL_TEST(test_tower_image_rows_stand_alone_in_eval),
        MODEL_TEST(
            test_tower_empty_texts_alone_give_zeros_and_finite_gradients),
        MODEL_TEST(test_tower_dropout_acts_in_training_only),
        MODEL_TEST(test_tower_drop_path_keeps_the_mean),
        MODEL_TEST(test_tower_start_is_a_function_of_the_seed),
        MODEL_TEST(test_tower_start_is_a_function_of_the_name),
        MODEL_TEST(test_tower_start_has_the_published_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
