#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/models/helper.h"
#include "train/optimizer.h"
#include "train/retrieval.h"

/* Ten rows in parts, of 4, 4 and 2 say. The reference keeps the graphs of the
 * parts and calls backward once. */
#define ROWS    10
#define DIM     8
#define SIDE    16
#define CONTEXT 6
#define CLASSES 3

enum { TITLE, QUERY, TEXTS };                   /* text sources */
enum { IMAGE_FIELD, TITLE_FIELD, PRICE_FIELD }; /* fields of the model */
enum { HEADS = 2 };

typedef struct {
    int64_t rows[ROWS], labels[HEADS][ROWS], *label_list[HEADS];
    float images[ROWS * 3 * SIDE * SIDE], prices[ROWS];
    uint8_t present[ROWS];
    int64_t ids[TEXTS][ROWS * CONTEXT], lengths[TEXTS][ROWS];
    dip_batch_text texts[TEXTS];
    dip_batch_attribute attributes[1];
    dip_batch batch;
    int64_t key_values[ROWS];
    dip_row_keys keys;
    dip_retrieval_task tasks[2];
    int field_text[3];
    double head_weights[HEADS];
    dip_model *model;
    dip_grad_cache *cache;
    int64_t part;         /* rows of the cache's parts */
    dip_retrieval recipe; /* without the cache */
} fixture;

/* Row 1 has no photo, row 3 no title, row 5 no price and no label; rows 0 and 9
 * are the same thing. The longest texts are not in the first part. */
static void fill_batch(fixture *f)
{
    for (int i = 0; i < ROWS * 3 * SIDE * SIDE; i++)
        f->images[i] = (float)sin(.37 * i + i / (3 * SIDE * SIDE));
    for (int i = 0; i < ROWS; i++) {
        f->rows[i] = 100 - 3 * i;
        f->key_values[i] = i % 9;
        f->present[i] = i != 1;
        f->prices[i] = i == 5 ? NAN : (float)(i % 4);
        for (int h = 0; h < HEADS; h++)
            f->labels[h][i] = i == 5 ? -1 : (i + h) % CLASSES;
        for (int s = 0; s < TEXTS; s++) {
            f->lengths[s][i] = s == TITLE && i == 3 ? 0 : 1 + (i / 2 + s) % 5;
            for (int64_t t = 0; t < f->lengths[s][i]; t++)
                f->ids[s][i * CONTEXT + t] = 3 + (i * 5 + s * 7 + t * 2) % 17;
        }
    }
    memset(f->images + 3 * SIDE * SIDE, 0,
           3 * SIDE * SIDE * sizeof f->images[0]);
    for (int s = 0; s < TEXTS; s++)
        f->texts[s] = (dip_batch_text){
            .context = CONTEXT, .ids = f->ids[s], .lengths = f->lengths[s]};
    for (int h = 0; h < HEADS; h++)
        f->label_list[h] = f->labels[h];
    f->attributes[0].numbers = f->prices;
    f->batch = (dip_batch){.epoch = 2,
                           .size = ROWS,
                           .rows = f->rows,
                           .images = f->images,
                           .present = f->present,
                           .texts = f->texts,
                           .labels = f->label_list,
                           .attributes = f->attributes};
}

/* Keys go by rows of a catalog. */
static int64_t catalog_keys[101];

static void fill_recipe(fixture *f)
{
    for (int i = 0; i < ROWS; i++)
        catalog_keys[f->rows[i]] = f->key_values[i];
    f->keys = (dip_row_keys){101, 1, catalog_keys};
    f->tasks[0] = (dip_retrieval_task){.query = TITLE,
                                       .fields = {[IMAGE_FIELD] = true},
                                       .weight = 1,
                                       .keys = &f->keys};
    f->tasks[1] = (dip_retrieval_task){
        .query = QUERY, .fields = {true, true, true}, .weight = .5};
    f->tasks[1].keys = &f->keys;
    f->field_text[IMAGE_FIELD] = DIP_SOURCE_IMAGE;
    f->field_text[TITLE_FIELD] = TITLE;
    f->field_text[PRICE_FIELD] = DIP_SOURCE_ATTRIBUTE(PRICE_FIELD);
    f->head_weights[0] = .25;
    f->head_weights[1] = .5;
    f->recipe = (dip_retrieval){.model = f->model,
                                .tasks = f->tasks,
                                .task_count = 2,
                                .text_count = TEXTS,
                                .field_text = f->field_text,
                                .head_weights = f->head_weights,
                                .loss = dip_loss_kind_find("infonce"),
                                .field_dropout = .3,
                                .seed = 9,
                                .image_size = SIDE,
                                .device = DIP_CPU};
}

static void begin_parts(fixture *f, int64_t part,
                        const dip_image_options *image, const char *fusion,
                        double dropout, bool bf16)
{
    dip_err err = {0};
    memset(f, 0, sizeof *f);
    f->part = part;
    fill_batch(f);
    dip_model_config config = {
        .image = *image,
        .text = {.kind = "transformer",
                 .vocabulary = 20,
                 .context = CONTEXT,
                 .width = 16,
                 .depth = 2,
                 .heads = 2,
                 .dropout = dropout,
                 .attention_dropout = dropout},
        .embed_dim = DIM,
        .image_projection = {.hidden = 16, .dropout = dropout},
        .fusion = {.kind = fusion, .dropout = dropout},
        .fields = {"image", "title", "price"},
        .field_count = 3,
        .heads = {{"type", CLASSES, DIP_HEAD_IMAGE_FEATURES},
                  {"colour", CLASSES, DIP_HEAD_PRODUCT}},
        .head_count = HEADS,
        .seed = 4,
    };
    config.attributes[PRICE_FIELD] = (dip_attribute_options){
        .kind = DIP_ATTRIBUTE_STANDARDISED, .mean = 1, .deviation = 2};
    assert_ok(dip_model_create(&f->model, &config, &err), &err);
    fill_recipe(f);
    const dip_grad_cache_options options = {
        .rows = part, .seed = 9, .bf16 = bf16};
    assert_ok(dip_grad_cache_create(&f->cache, f->model, &options, &err), &err);
}

static void begin(fixture *f, const dip_image_options *image,
                  const char *fusion, double dropout, bool bf16)
{
    begin_parts(f, 4, image, fusion, dropout, bf16);
}

static void end(fixture *f)
{
    dip_grad_cache_free(f->cache);
    dip_model_free(f->model);
}

static dip_image_options vit(double dropout)
{
    return (dip_image_options){.kind = "vit",
                               .image_size = SIDE,
                               .patch = 8,
                               .width = 16,
                               .depth = 2,
                               .heads = 2,
                               .dropout = dropout,
                               .attention_dropout = dropout,
                               .drop_path = dropout};
}

/* The one with batch norms. */
static const dip_image_options cnn = {.kind = "cnn",
                                      .image_size = SIDE,
                                      .widths = {8, 16},
                                      .width_count = 2,
                                      .dropout = .3};

/* ---- the reference ---- */

static dip_encoded_batch encode_part(const fixture *f, int64_t first)
{
    dip_batch part = f->batch;
    dip_batch_text texts[TEXTS];
    dip_batch_attribute price = {.numbers = f->attributes[0].numbers + first};
    dip_encode_options options = {.image = true,
                                  .texts = {true, true},
                                  .image_size = SIDE,
                                  .training = true,
                                  .text_tokens = 5};
    part.size = first + f->part > ROWS ? ROWS - first : f->part;
    part.rows += first;
    part.images += first * 3 * SIDE * SIDE;
    part.present += first;
    for (int s = 0; s < TEXTS; s++)
        texts[s] = (dip_batch_text){.context = CONTEXT,
                                    .ids = f->texts[s].ids + first * CONTEXT,
                                    .lengths = f->texts[s].lengths + first};
    part.texts = texts;
    part.attributes = &price;
    dip_tensor_seed(dip_grad_cache_seed(f->cache, &f->batch, first));
    return dip_encode_batch(f->model, &part, TEXTS, &options);
}

/* Joins the parts tensor by tensor, of which an encoded batch consists. */
static dip_encoded_batch encode_with_graph(const fixture *f)
{
    enum { TENSORS = sizeof(dip_encoded_batch) / sizeof(dip_tensor *) };
    dip_tensor *parts[ROWS][TENSORS], *joined[TENSORS], *handles[ROWS];
    int count = 0;
    for (int64_t first = 0; first < ROWS; first += f->part) {
        dip_encoded_batch part = encode_part(f, first);
        memcpy(parts[count++], &part, sizeof part);
    }
    for (int i = 0; i < TENSORS; i++) {
        for (int p = 0; p < count; p++)
            handles[p] = parts[p][i];
        joined[i] = handles[0] != NULL ? dip_t_cat(handles, count, 0) : NULL;
    }
    dip_encoded_batch all;
    memcpy(&all, joined, sizeof all);
    return all;
}

typedef enum { CACHED, WITH_GRAPH, WHOLE } way;

/* The loss; gradients are left with the parameters. */
static double step(const fixture *f, way how, bool bf16)
{
    dip_err err = {0};
    dip_tensor *loss;
    dip_retrieval recipe = f->recipe;
    dip_scope_open();
    bool before = dip_tensor_set_autocast(DIP_CPU, bf16);
    if (how == WITH_GRAPH) {
        dip_encoded_batch encoded = encode_with_graph(f);
        assert_ok(dip_retrieval_encoded_loss(&loss, &recipe, &encoded,
                                             &f->batch, &err),
                  &err);
    } else {
        recipe.grad_cache = how == CACHED ? f->cache : NULL;
        assert_ok(dip_retrieval_loss(&loss, &recipe, &f->batch, &err), &err);
    }
    (void)dip_tensor_set_autocast(DIP_CPU, before);
    double value = dip_tensor_item(loss);
    dip_tensor_backward(loss);
    if (how == CACHED)
        dip_grad_cache_backward(f->cache);
    dip_scope_close();
    assert_no_error();
    return value;
}

/* Takes two steps, each from the same start; losses, gradients and running
 * statistics agree. */
static void assert_same_step(const fixture *f, way reference, bool bf16,
                             double tolerance)
{
    dip_params *params = dip_model_params(f->model);
    int count = dip_params_count(params);
    dip_tensor **start = calloc((size_t)count, sizeof(dip_tensor *));
    dip_tensor **found = calloc((size_t)count, sizeof(dip_tensor *));
    for (int i = 0; i < count; i++) {
        start[i] = dip_t_clone(dip_params_tensor(params, i));
        dip_tensor_clear_grad(dip_params_tensor(params, i));
    }
    double loss = step(f, CACHED, bf16);
    for (int i = 0; i < count; i++) {
        dip_tensor *t = dip_params_tensor(params, i);
        found[i] = dip_params_kind(params, i) == DIP_PARAM_BUFFER
                       ? dip_t_clone(t)
                       : dip_tensor_grad(t);
        dip_tensor_clear_grad(t);
        dip_tensor_assign(t, start[i]);
    }
    assert_near(step(f, reference, bf16), loss, tolerance * loss);
    for (int i = 0; i < count; i++) {
        dip_tensor *t = dip_params_tensor(params, i);
        bool buffer = dip_params_kind(params, i) == DIP_PARAM_BUFFER;
        dip_tensor *wanted = buffer ? t : dip_tensor_grad(t);
        assert_int_equal(found[i] == NULL, wanted == NULL);
        if (wanted == NULL)
            continue;
        double gap =
            dip_tensor_item(dip_t_norm_all(dip_t_sub(found[i], wanted)));
        /* Gradients that are zero but for rounding have no relative gap. */
        double norm = dip_tensor_item(dip_t_norm_all(wanted));
        if (!(gap <= tolerance * (norm + 1e-2)))
            fail_msg("%s is %g away, of length %g", dip_params_name(params, i),
                     gap, norm);
    }
    free(start);
    free(found);
    assert_no_error();
}

/* ---- tests ---- */

static void compare(const dip_image_options *image, const char *fusion,
                    double dropout, way reference)
{
    fixture f;
    begin(&f, image, fusion, dropout, false);
    assert_same_step(&f, reference, false, 1e-5);
    end(&f);
}

static void test_grad_cache_replays_dropout(void **state)
{
    (void)state;
    dip_image_options image = vit(.3);
    const int64_t parts[] = {1, 3, 4, 9, 10, 64};
    for (size_t i = 0; i < DIP_ARRAY_LEN(parts); i++) {
        fixture f;
        begin_parts(&f, parts[i], &image, "concat_mlp", .3, false);
        assert_same_step(&f, WITH_GRAPH, false, 1e-5);
        end(&f);
    }
}

static void test_grad_cache_joins_tokens(void **state)
{
    (void)state;
    dip_image_options image = vit(.3);
    compare(&image, "cross_attention", .3, WITH_GRAPH);
}

static void test_grad_cache_is_the_whole_batch_without_dropout(void **state)
{
    (void)state;
    dip_image_options image = vit(0);
    compare(&image, "concat_mlp", 0, WHOLE);
    compare(&image, "cross_attention", 0, WHOLE);
}

static void test_grad_cache_moves_statistics_once(void **state)
{
    (void)state;
    fixture f;
    begin(&f, &cnn, "concat_mlp", .3, false);
    dip_params *params = dip_model_params(f.model);
    assert_true(dip_grad_cache_splits_norms(params, false));
    assert_same_step(&f, WITH_GRAPH, false, 1e-5);
    for (int i = 0; i < dip_params_count(params); i++) {
        if (strncmp(dip_params_name(params, i), "image.", 6) == 0)
            dip_params_freeze(params, i);
    }
    assert_false(dip_grad_cache_splits_norms(params, true));
    assert_same_step(&f, WITH_GRAPH, false, 1e-5);
    end(&f);
}

/* A tower that waits to be unlocked: its norms use their own statistics first,
 * those of the parts later. */
static void test_grad_cache_goes_with_unlocking(void **state)
{
    (void)state;
    fixture f;
    dip_err err = {0};
    dip_optimizer *optimizer;
    const char *const image[] = {"image"};
    const dip_optimizer_options options = {
        .tuning = {.freeze = image, .freeze_count = 1, .unlock_after = 2}};
    begin(&f, &cnn, "concat_mlp", .3, false);
    dip_params *params = dip_model_params(f.model);
    assert_ok(dip_optimizer_create(&optimizer, params, &options, &err), &err);
    assert_false(dip_grad_cache_splits_norms(params, false));
    assert_true(dip_grad_cache_splits_norms(params, true));
    assert_same_step(&f, WITH_GRAPH, false, 1e-5);
    dip_optimizer_unlock(optimizer, 3);
    assert_true(dip_grad_cache_splits_norms(params, false));
    assert_same_step(&f, WITH_GRAPH, false, 1e-5);
    dip_optimizer_free(optimizer);
    end(&f);
}

static void test_grad_cache_goes_with_autocast(void **state)
{
    (void)state;
    fixture f;
    dip_image_options image = vit(.3);
    begin(&f, &image, "cross_attention", .3, true);
    assert_same_step(&f, WITH_GRAPH, true, 3e-2);
    end(&f);
}

/* Two batches without an update between them: gradients add up. */
static void test_grad_cache_accumulates(void **state)
{
    (void)state;
    fixture f;
    dip_image_options image = vit(.3);
    begin(&f, &image, "concat_mlp", .3, false);
    dip_tensor *weight = dip_params_tensor(
        dip_model_params(f.model),
        dip_params_find(dip_model_params(f.model), "image.conv1.weight"));
    step(&f, CACHED, false);
    dip_tensor *once = dip_t_clone(dip_tensor_grad(weight));
    step(&f, CACHED, false);
    assert_rows(dip_t_flatten(dip_tensor_grad(weight), 1, -1),
                dip_t_flatten(dip_t_mul_scalar(once, 2), 1, -1), 1e-5);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_grad_cache_replays_dropout),
        MODEL_TEST(test_grad_cache_joins_tokens),
        MODEL_TEST(test_grad_cache_is_the_whole_batch_without_dropout),
        MODEL_TEST(test_grad_cache_moves_statistics_once),
        MODEL_TEST(test_grad_cache_goes_with_unlocking),
        MODEL_TEST(test_grad_cache_goes_with_autocast),
        MODEL_TEST(test_grad_cache_accumulates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
