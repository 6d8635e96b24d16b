#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "losses/loss.h"
#include "tests/models/helper.h"
#include "tests/models/small.h"

static dip_model_config small_config(void)
{
    return (dip_model_config){
        .image = {.kind = "vit",
                  .image_size = SMALL_SIDE,
                  .patch = 8,
                  .width = 16,
                  .depth = 2,
                  .heads = 2},
        .text = {.kind = "transformer",
                 .vocabulary = 11,
                 .context = 5,
                 .width = 16,
                 .depth = 2,
                 .heads = 2},
        .embed_dim = 8,
        .fields = {"image", "title", "brand"},
        .field_count = 3,
        .heads = {{"kind", 4, DIP_HEAD_PRODUCT},
                  {"colour", 3, DIP_HEAD_IMAGE_FEATURES}},
        .head_count = 2,
        .seed = 3,
    };
}

static dip_model *make(const dip_model_config *config)
{
    dip_model *model = NULL;
    dip_err err = {0};
    assert_ok(dip_model_create(&model, config, &err), &err);
    return model;
}

static const int64_t IDS[3][5] = {
    {4, 2, 7, 1, 3}, {9, 10, 0, 0, 0}, {0, 0, 0, 0, 0}};
static const int64_t LENGTHS[3] = {5, 2, 0};

static dip_tensor *ids(void)
{
    return dip_tensor_from(IDS, DIP_I64, SIZES(3, 5));
}

static dip_tensor *lengths(void)
{
    return dip_tensor_from(LENGTHS, DIP_I64, SIZES(3));
}

/* Loss of one step with all parts: fusion, InfoNCE, heads. */
static dip_tensor *step_loss(const dip_model *model, const dip_tensor *images,
                             bool training)
{
    static const unsigned char PRESENT[] = {1, 1, 1, 1, 1, 0, 1, 0, 0};
    static const int64_t LABELS[] = {1, -1, 0};
    dip_encoded image = dip_model_encode_image_field(model, images, training);
    dip_encoded text =
        dip_model_encode_text_field(model, ids(), lengths(), training);
    const dip_encoded fields[] = {image, text, text};
    dip_tensor *product = dip_model_fuse(
        model, fields, dip_tensor_from(PRESENT, DIP_BOOL, SIZES(3, 3)),
        training);
    assert_unit_rows(image.embedding);
    assert_unit_rows(dip_t_narrow(text.embedding, 0, 0, 2));
    assert_unit_rows(product);
    const dip_loss_options options = {0};
    dip_loss_input in = {.queries = text.embedding,
                         .items = product,
                         .scale = dip_model_scale(model)};
    dip_tensor *loss = dip_loss_infonce(&in, &options);
    for (int i = 0; i < dip_model_head_count(model); i++) {
        const dip_tensor *input =
            dip_model_head_input(model, i) == DIP_HEAD_PRODUCT ? product
                                                               : image.features;
        dip_tensor *logits = dip_model_head_logits(model, i, input);
        assert_int_equal(dip_tensor_size(logits, 1),
                         dip_model_head_classes(model, i));
        loss = dip_t_add(
            loss,
            dip_loss_cross_entropy(
                logits, dip_tensor_from(LABELS, DIP_I64, SIZES(3)), NULL, 0));
    }
    return loss;
}

static dip_text_options small_text(const char *kind)
{
    bool has_depth = strcmp(kind, "cnn") != 0;
    return (dip_text_options){.kind = kind,
                              .vocabulary = 11,
                              .context = 5,
                              .width = 16,
                              .depth = has_depth ? 2 : 0};
}

/* Each pair of towers, with the fusions in turn. */
static void test_model_every_combination_trains_all_parameters(void **state)
{
    (void)state;
    int f = 0;
    for (int i = 0; i < dip_image_kind_count(); i++)
        for (int t = 0; t < dip_text_kind_count(); t++, f++) {
            dip_model_config c = small_config();
            c.image = small_image(dip_image_kind_at(i)->name);
            c.text = small_text(dip_text_kind_at(t)->name);
            c.fusion.kind =
                dip_fusion_kind_at(f % dip_fusion_kind_count())->name;
            dip_model *model = make(&c);
            dip_tensor *loss = step_loss(
                model, pattern(SIZES(3, 3, SMALL_SIDE, SMALL_SIDE)), true);
            assert_true(isfinite(dip_tensor_item(loss)));
            dip_tensor_backward(loss);
            assert_gradients(dip_model_params(model), "");
            assert_no_error();
            dip_model_free(model);
        }
    assert_true(f >= dip_fusion_kind_count());
}

static void test_model_trains_under_autocast(void **state)
{
    (void)state;
    dip_model_config c = small_config();
    c.image_projection = (dip_projection_options){.hidden = 12, .dropout = 0.1};
    c.text_projection.hidden = 12;
    dip_model *model = make(&c);
    dip_tensor *images = pattern(SIZES(3, 3, SMALL_SIDE, SMALL_SIDE));
    double exact = dip_tensor_item(step_loss(model, images, false));
    bool before = dip_tensor_set_autocast(DIP_CPU, true);
    dip_tensor *loss = step_loss(model, images, false);
    dip_tensor_set_autocast(DIP_CPU, before);
    dip_tensor_backward(loss);
    assert_int_equal(dip_tensor_dtype(loss), DIP_F32);
    assert_near(dip_tensor_item(loss), exact, 0.1);
    assert_gradients(dip_model_params(model), "");
    dip_model_free(model);
}

static void test_model_has_the_promised_names(void **state)
{
    (void)state;
    static const char *const NAMES[] = {
        "image.conv1.weight",      "text.token_embedding.weight",
        "image_projection.weight", "text_projection.weight",
        "fusion.log_weights",      "heads.kind.weight",
        "heads.colour.bias",       "logit_scale",
        "text.ln_final.weight",    "image.class_embedding",
    };
    dip_model_config c = small_config();
    dip_model *model = make(&c);
    for (size_t i = 0; i < DIP_ARRAY_LEN(NAMES); i++)
        if (dip_params_find(dip_model_params(model), NAMES[i]) < 0)
            fail_msg("no %s", NAMES[i]);
    assert_int_equal(dip_model_field_count(model), 3);
    assert_true(dip_model_field_is_image(model, 0));
    assert_false(dip_model_field_is_image(model, 1));
    assert_string_equal(dip_model_field_name(model, 2), "brand");
    assert_string_equal(dip_model_head_name(model, 1), "colour");
    assert_int_equal(dip_model_embed_dim(model), 8);
    dip_model_free(model);
}

/* Norms, biases, positions and the temperature are not decayed; matrices are.
 */
static void test_model_decays_matrices_only(void **state)
{
    (void)state;
    dip_model_config c = small_config();
    dip_model *model = make(&c);
    const dip_params *params = dip_model_params(model);
    for (int i = 0; i < dip_params_count(params); i++) {
        const char *name = dip_params_name(params, i);
        bool matrix = dip_tensor_ndim(dip_params_tensor(params, i)) > 1 &&
                      !strstr(name, "positional");
        assert_int_equal(dip_params_kind(params, i),
                         matrix ? DIP_PARAM_WEIGHT : DIP_PARAM_NO_DECAY);
    }
    dip_model_free(model);
}

static void test_model_leaves_the_generator_as_it_was(void **state)
{
    (void)state;
    dip_model_config c = small_config();
    dip_tensor_seed(5);
    dip_tensor *before = dip_tensor_rng_state();
    dip_model *model = make(&c);
    assert_near(relative(dip_t_to_dtype(dip_tensor_rng_state(), DIP_F32),
                         dip_t_to_dtype(before, DIP_F32)),
                0, 0);
    dip_model_free(model);
}

static void test_model_empty_text_has_no_direction(void **state)
{
    (void)state;
    dip_model_config c = small_config();
    c.text_projection.hidden = 6; /* whose biases could give one */
    dip_model *model = make(&c);
    dip_encoded text = dip_model_encode_text(model, ids(), lengths(), false);
    assert_near(
        dip_tensor_item(dip_t_norm_all(dip_t_select(text.embedding, 0, 2))), 0,
        0);
    dip_model_free(model);
}

static void test_model_scale_starts_and_stays_in_range(void **state)
{
    (void)state;
    dip_model_config c = small_config();
    dip_model *model = make(&c);
    dip_params *params = dip_model_params(model);
    dip_tensor *log_scale =
        dip_params_tensor(params, dip_params_find(params, "logit_scale"));
    assert_near(dip_tensor_item(dip_model_scale(model)), 1 / 0.07, 1e-4);
    assert_true(dip_tensor_requires_grad(log_scale));
    dip_tensor_assign(log_scale, dip_tensor_scalar(7.0, DIP_F32));
    dip_model_constrain(model);
    assert_near(dip_tensor_item(dip_model_scale(model)), 100.0, 1e-3);
    dip_tensor_assign(log_scale, dip_tensor_scalar(-1.0, DIP_F32));
    dip_model_constrain(model);
    assert_near(dip_tensor_item(dip_model_scale(model)), 1.0, 0);
    dip_model_free(model);

    c.fixed_temperature = true;
    c.temperature = 0.05;
    model = make(&c);
    params = dip_model_params(model);
    int i = dip_params_find(params, "logit_scale");
    assert_int_equal(dip_params_kind(params, i), DIP_PARAM_BUFFER);
    assert_near(dip_tensor_item(dip_model_scale(model)), 20.0, 1e-4);
    dip_model_free(model);
}

/* The same weights: cosines see the directions of what distances see. */
static void test_model_of_distances_leaves_rows_as_they_are(void **state)
{
    (void)state;
    dip_model_config c = small_config();
    dip_model *cosine = make(&c);
    c.similarity = DIP_SIMILARITY_EUCLIDEAN;
    dip_model *euclidean = make(&c);
    const unsigned char bits[] = {0, 1, 1, 0, 1, 0, 0, 0, 0};
    dip_tensor *rows[2];
    for (int i = 0; i < 2; i++) {
        dip_model *model = i == 0 ? cosine : euclidean;
        dip_encoded text =
            dip_model_encode_text(model, ids(), lengths(), false);
        const dip_encoded fields[] = {text, text, text};
        rows[i] = dip_model_fuse(
            model, fields, dip_tensor_from(bits, DIP_BOOL, SIZES(3, 3)), false);
        assert_near(
            dip_tensor_item(dip_t_norm_all(dip_t_select(text.embedding, 0, 2))),
            0, 0);
    }
    dip_tensor *first = dip_t_narrow(rows[1], 0, 0, 2);
    assert_rows(dip_t_normalize(first, 1), dip_t_narrow(rows[0], 0, 0, 2),
                TOLERANCE);
    assert_true(
        fabs(dip_tensor_item(dip_t_norm_all(dip_t_select(first, 0, 0))) - 1) >
        0.01);

    dip_params *params = dip_model_params(euclidean);
    dip_tensor *log_scale =
        dip_params_tensor(params, dip_params_find(params, "logit_scale"));
    assert_near(dip_tensor_item(dip_model_scale(euclidean)), 1.0, 0);
    dip_tensor_assign(log_scale, dip_tensor_scalar(-7.0, DIP_F32));
    dip_model_constrain(euclidean);
    assert_near(dip_tensor_item(dip_model_scale(euclidean)), 0.01, 1e-6);
    dip_model_free(euclidean);
    dip_model_free(cosine);
}

static void test_model_without_fields_cannot_fuse(void **state)
{
    (void)state;
    dip_model_config c = small_config();
    c.field_count = c.head_count = 0;
    dip_model *model = make(&c);
    const dip_encoded none[1] = {0};
    assert_null(dip_model_fuse(model, none, NULL, false));
    assert_error("the model has no fields to fuse");
    dip_model_free(model);
}

/* ---- wrong configs ------------------------------------------------------- */

static void assert_refused(const dip_model_config *config, const char *message)
{
    dip_model *model = NULL;
    dip_err err = {0};
    assert_int_equal(dip_model_create(&model, config, &err), DIP_ECONFIG);
    assert_null(model);
    assert_string_equal(err.msg, message);
}

#define REFUSED(change, message)                                               \
    do {                                                                       \
        dip_model_config c = small_config();                                   \
        change;                                                                \
        assert_refused(&c, message);                                           \
    } while (0)

/* The message begins so, and then names every kind. */
static void refuse_image_kind(const char *kind, const char *message)
{
    dip_model_config c = small_config();
    c.image.kind = kind;
    dip_err err = {0};
    assert_int_equal(dip_model_config_check(&c, &err), DIP_ECONFIG);
    assert_memory_equal(err.msg, message, strlen(message));
    for (int i = 0; i < dip_image_kind_count(); i++)
        assert_non_null(strstr(err.msg, dip_image_kind_at(i)->name));
}

static void test_model_refuses_wrong_image_options(void **state)
{
    (void)state;
    refuse_image_kind("swin", "image.tower: 'swin' is none of ");
    refuse_image_kind(NULL, "image.tower: '' is none of ");
    REFUSED(c.image.image_size = 0, "image.image_size: 0 is not in 1..4096");
    REFUSED(c.image.image_size = 20,
            "image.patch: 8 does not divide image_size 20");
    REFUSED(c.image.heads = 3, "image.heads: 3 does not divide width 16");
    REFUSED(c.image.width = -1, "image.width: -1 is not in 1..8192");
    REFUSED(c.image.dropout = (double)NAN,
            "image.dropout: nan is not a share from 0 to below 1");
    REFUSED(c.image.pooling = "max",
            "image.pooling: 'max' is none of cls, mean");
    REFUSED(c.image.mlp_ratio = 100, "image.mlp_ratio: 100 is not in 0.25..16");
    REFUSED(c.image.stem = "small", "image.stem: not an option of 'vit'");
    REFUSED(c.image = ((dip_image_options){
                .kind = "resnet", .image_size = 32, .depth = 20}),
            "image.depth: 20 is none of 18, 34, 50, 101, 152; "
            "use image.layers");
    REFUSED(c.image = ((dip_image_options){.kind = "resnet",
                                           .image_size = 32,
                                           .depth = 18,
                                           .layers = {1},
                                           .layer_count = 1}),
            "image.depth: cannot stand beside image.layers");
    REFUSED(c.image = ((dip_image_options){.kind = "resnet",
                                           .image_size = 32,
                                           .layers = {1, 0},
                                           .layer_count = 2}),
            "image.layers: 0 is not in 1..256");
    REFUSED(c.image = ((dip_image_options){.kind = "cnn", .image_size = 8}),
            "image.widths: 4 stages need an image_size of 16, not 8");
}

static void test_model_refuses_wrong_text_options(void **state)
{
    (void)state;
    REFUSED(c.text.kind = "word2vec",
            "text.tower: 'word2vec' is none of bag, cnn, lstm, gru, "
            "transformer, bert");
    REFUSED(c.text.vocabulary = 0, "text.vocabulary: 0 is not in 1..16777216");
    REFUSED(c.text.context = 0, "text.context: 0 is not in 1..65536");
    REFUSED(c.text.heads = 5, "text.heads: 5 does not divide width 16");
    REFUSED(c.text.pooling = "max",
            "text.pooling: 'max' is none of last, mean, cls");
    REFUSED(c.text.kind = "lstm", "text.heads: not an option of 'lstm'");
    REFUSED(c.text.activation = "relu",
            "text.activation: 'relu' is none of gelu, quick_gelu, "
            "gelu_tanh");
}

static void test_model_refuses_wrong_heads_and_fields(void **state)
{
    (void)state;
    REFUSED(c.embed_dim = -4, "embed_dim: -4 is not in 1..65536");
    REFUSED(c.temperature = 2.0, "temperature: 2 is not in 0.01..1");
    REFUSED((c.similarity = DIP_SIMILARITY_EUCLIDEAN, c.temperature = 200.0),
            "temperature: 200 is not in 0.01..100");
    REFUSED(c.fields[2] = "title", "fields: 'title' stands twice");
    REFUSED(c.fields[1] = "", "fields: number 2 has no name");
    REFUSED(c.heads[1].name = "kind", "heads: 'kind' stands twice");
    REFUSED(c.heads[1].name = "a.b",
            "heads: number 2 needs a name without dots");
    REFUSED(c.heads[0].classes = 0,
            "heads.kind.classes: 0 is not in 1..16777216");
    REFUSED(c.field_count = 0,
            "heads.kind.input: 'product' needs fields to fuse");
    REFUSED((c.field_count = 1, c.heads[1].input = DIP_HEAD_TEXT),
            "heads.colour.input: 'text' needs a text field");
    REFUSED(c.text_projection.dropout = 0.1,
            "text_projection.dropout: a linear projection has no hidden layer "
            "to drop");
    REFUSED(c.fusion.kind = "tucker",
            "fusion.kind: 'tucker' is none of weighted_average, maximum, "
            "concat_mlp, gated, bilinear, lstm, gru, self_attention, "
            "cross_attention");
    for (int i = 0; i < DIP_HEAD_INPUT_COUNT; i++)
        assert_int_equal(
            dip_head_input_find(dip_head_input_name((dip_head_input)i)), i);
    assert_int_equal(dip_head_input_find("video"), -1);
}

/* ---- TorchScript --------------------------------------------------------- */

static void trace_image(void *user, dip_tensor *const *inputs,
                        dip_tensor **outputs)
{
    outputs[0] = dip_model_encode_image(user, inputs[0], false).embedding;
}

static void trace_text(void *user, dip_tensor *const *inputs,
                       dip_tensor **outputs)
{
    outputs[0] =
        dip_model_encode_text(user, inputs[0], inputs[1], false).embedding;
}

static void trace_fusion(void *user, dip_tensor *const *inputs,
                         dip_tensor **outputs)
{
    const dip_encoded fields[] = {{.embedding = inputs[0]},
                                  {.embedding = inputs[1]},
                                  {.embedding = inputs[2]}};
    outputs[0] = dip_model_fuse(user, fields, inputs[3], false);
}

/* Inputs of any number of rows. */
typedef void (*input_fn)(dip_tensor **inputs, int64_t rows);

static void image_inputs(dip_tensor **inputs, int64_t rows)
{
    inputs[0] = pattern(SIZES(rows, 3, SMALL_SIDE, SMALL_SIDE));
}

static void text_inputs(dip_tensor **inputs, int64_t rows)
{
    inputs[0] = dip_tensor_full(0, DIP_I64, SIZES(rows, 5));
    inputs[1] = dip_tensor_full(0, DIP_I64, SIZES(rows));
    int64_t *id = dip_tensor_data(inputs[0]);
    int64_t *n = dip_tensor_data(inputs[1]);
    for (int64_t i = 0; i < rows; i++) {
        n[i] = i % 6;
        for (int64_t k = 0; k < n[i]; k++)
            id[5 * i + k] = 1 + (3 * i + 7 * k) % 10;
    }
}

static void fusion_inputs(dip_tensor **inputs, int64_t rows)
{
    for (int i = 0; i < 3; i++)
        inputs[i] = dip_t_normalize(
            dip_t_add_scalar(pattern(SIZES(rows, 8)), 0.1 * i), 1);
    inputs[3] = dip_t_gt_scalar(pattern(SIZES(rows, 3)), 0.0);
}

/* Traced with two rows, the script agrees with the model on other numbers. */
static void check_trace(dip_model *model, dip_trace_fn fn, input_fn make_inputs,
                        int input_count)
{
    dip_tensor *inputs[4] = {0};
    dip_script *script = NULL;
    dip_named_tensor *list = NULL;
    dip_err err = {0};
    make_inputs(inputs, 2);
    assert_ok(dip_weights_list(&list, dip_model_params(model), &err), &err);
    assert_ok(dip_script_trace(&script, fn, model, inputs, input_count, 1, list,
                               dip_params_count(dip_model_params(model)), &err),
              &err);
    const int64_t rows[] = {1, 2, 7};
    for (size_t i = 0; i < DIP_ARRAY_LEN(rows); i++) {
        dip_tensor *ours = NULL, *theirs = NULL;
        make_inputs(inputs, rows[i]);
        fn(model, inputs, &ours);
        dip_script_run(script, inputs, input_count, &theirs, 1);
        assert_rows(theirs, ours, 1e-6);
    }
    dip_script_free(script);
    free(list);
}

static void test_model_traces_every_tower_with_a_free_batch(void **state)
{
    (void)state;
    static const char *const POOLINGS[] = {"last",      "mean",   "max", "cls",
                                           "attention", "pooler", NULL};
    for (int i = 0; i < dip_image_kind_count(); i++) {
        dip_model_config c = small_config();
        c.image = small_image(dip_image_kind_at(i)->name);
        dip_model *model = make(&c);
        check_trace(model, trace_image, image_inputs, 1);
        dip_model_free(model);
    }
    int traced = 0;
    for (int i = 0; i < dip_text_kind_count(); i++)
        for (size_t k = 0; k < DIP_ARRAY_LEN(POOLINGS); k++) {
            dip_model_config c = small_config();
            c.text = small_text(dip_text_kind_at(i)->name);
            c.text.pooling = POOLINGS[k];
            c.text.bidirectional = strcmp(c.text.kind, "lstm") == 0;
            dip_model_config checked = c;
            if (dip_model_config_check(&checked, NULL) != DIP_OK)
                continue; /* a pooling that this kind has not */
            dip_model *model = make(&c);
            check_trace(model, trace_text, text_inputs, 2);
            dip_model_free(model);
            traced++;
        }
    assert_true(traced >= 16);
}

static void test_model_traces_every_fusion_with_a_free_batch(void **state)
{
    (void)state;
    for (int i = 0; i < dip_fusion_kind_count(); i++) {
        dip_model_config c = small_config();
        c.fusion.kind = dip_fusion_kind_at(i)->name;
        dip_model *model = make(&c);
        check_trace(model, trace_fusion, fusion_inputs, 4);
        dip_model_free(model);
    }
}

static void freeze_below(dip_model *model, const char *prefix)
{
    dip_params *params = dip_model_params(model);
    for (int i = 0; i < dip_params_count(params); i++)
        if (strncmp(dip_params_name(params, i), prefix, strlen(prefix)) == 0)
            dip_params_freeze(params, i);
}

/* Whether two passes of training give the same, that of evaluation. */
static bool is_steady(const dip_model *model, const dip_tensor *images)
{
    double gap = 0;
    dip_tensor *still = dip_model_encode_image(model, images, false).embedding;
    for (int i = 0; i < 2; i++)
        gap += relative(dip_model_encode_image(model, images, true).embedding,
                        still);
    return gap == 0;
}

static void test_model_frozen_tower_has_no_dropout(void **state)
{
    (void)state;
    dip_model_config c = small_config();
    c.image.dropout = c.text.dropout = 0.5;
    dip_model *model = make(&c);
    dip_tensor *images = dip_tensor_full(
        0.5, DIP_F32, 4, (int64_t[]){2, 3, SMALL_SIDE, SMALL_SIDE});
    assert_true(dip_model_trains(model, "image"));
    assert_false(is_steady(model, images));
    freeze_below(model, "image.ln_");
    assert_false(is_steady(model, images)); /* the rest still learns */
    freeze_below(model, "image.");
    assert_false(dip_model_trains(model, "image"));
    assert_true(dip_model_trains(model, "text"));
    assert_true(is_steady(model, images));
    dip_model_free(model);
}

/* One tower, heads over its features, and nothing else but the temperature. */
static void test_model_of_one_tower(void **state)
{
    (void)state;
    static const struct {
        dip_model_towers towers;
        dip_head_input input;
        const char *prefix;
    } cases[] = {{DIP_TOWERS_IMAGE, DIP_HEAD_IMAGE_FEATURES, "image."},
                 {DIP_TOWERS_TEXT, DIP_HEAD_TEXT_FEATURES, "text."}};
    for (int k = 0; k < 2; k++) {
        dip_model_config config = small_config();
        config.towers = cases[k].towers;
        config.field_count = 0;
        config.heads[0].input = cases[k].input;
        config.heads[1].input = cases[k].input;
        dip_model *model = make(&config);
        assert_int_equal(dip_model_has_image(model), k == 0);
        assert_int_equal(dip_model_has_text(model), k == 1);
        const dip_params *params = dip_model_params(model);
        for (int i = 0; i < dip_params_count(params); i++) {
            const char *name = dip_params_name(params, i);
            if (strncmp(name, cases[k].prefix, strlen(cases[k].prefix)) != 0 &&
                strncmp(name, "heads.", 6) != 0 &&
                strcmp(name, "logit_scale") != 0)
                fail_msg("%s", name);
        }
        dip_encoded encoded =
            k == 0 ? dip_model_encode_image(
                         model, pattern(SIZES(3, 3, SMALL_SIDE, SMALL_SIDE)),
                         false)
                   : dip_model_encode_text(model, ids(), lengths(), false);
        assert_int_equal(dip_model_embed_dim(model), 16);
        assert_rows(dip_t_narrow(encoded.embedding, 0, 0, 2),
                    dip_t_normalize(dip_t_narrow(encoded.features, 0, 0, 2), 1),
                    1e-6);
        dip_tensor *logits = dip_model_head_logits(model, 0, encoded.features);
        assert_int_equal(dip_tensor_size(logits, 1), 4);
        dip_model_free(model);
    }
}

static void test_model_of_one_tower_refuses_the_other(void **state)
{
    (void)state;
    dip_err err = {0};
    dip_model_config config = small_config();
    config.towers = DIP_TOWERS_IMAGE;
    assert_int_equal(dip_model_config_check(&config, &err), DIP_ECONFIG);
    assert_string_equal(err.msg, "fields: a model of one tower has none");
    config.field_count = 0;
    config.heads[0].input = DIP_HEAD_TEXT_FEATURES;
    assert_int_equal(dip_model_config_check(&config, &err), DIP_ECONFIG);
    assert_string_equal(
        err.msg, "heads.kind.input: 'text_features' needs the other tower");
    config.heads[0].input = DIP_HEAD_IMAGE_FEATURES;
    config.text.kind = "none such"; /* is not looked at */
    dip_model *model = make(&config);
    assert_null(dip_model_encode_text(model, ids(), lengths(), false).features);
    assert_int_equal(dip_tensor_status(&err), DIP_ECONFIG);
    assert_non_null(strstr(err.msg, "the model has no text tower"));
    dip_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_model_of_one_tower),
        MODEL_TEST(test_model_of_one_tower_refuses_the_other),
        MODEL_TEST(test_model_every_combination_trains_all_parameters),
        MODEL_TEST(test_model_trains_under_autocast),
        MODEL_TEST(test_model_has_the_promised_names),
        MODEL_TEST(test_model_decays_matrices_only),
        MODEL_TEST(test_model_leaves_the_generator_as_it_was),
        MODEL_TEST(test_model_empty_text_has_no_direction),
        MODEL_TEST(test_model_scale_starts_and_stays_in_range),
        MODEL_TEST(test_model_of_distances_leaves_rows_as_they_are),
        MODEL_TEST(test_model_without_fields_cannot_fuse),
        MODEL_TEST(test_model_frozen_tower_has_no_dropout),
        MODEL_TEST(test_model_refuses_wrong_image_options),
        MODEL_TEST(test_model_refuses_wrong_text_options),
        MODEL_TEST(test_model_refuses_wrong_heads_and_fields),
        MODEL_TEST(test_model_traces_every_tower_with_a_free_batch),
        MODEL_TEST(test_model_traces_every_fusion_with_a_free_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
