#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/models/helper.h"
#include "train/classification.h"

#define ROWS    4
#define SIDE    8
#define PIXELS  (3 * SIDE * SIDE)
#define CONTEXT 5
#define HEADS   2

static const int64_t classes[HEADS] = {3, 2};
static const double weights[HEADS] = {1, .5};
static const float class_weights[3] = {.5f, 2, 1};

/* Row 3 has no first label. */
typedef struct {
    int64_t rows[ROWS], labels[HEADS][ROWS], *label_list[HEADS];
    float images[ROWS * PIXELS];
    uint8_t present[ROWS];
    int64_t ids[ROWS * CONTEXT], lengths[ROWS];
    dip_batch_text text;
    dip_batch batch;
    dip_model *model;
    dip_head_target targets[HEADS];
    double terms[HEADS];
    dip_classification recipe;
} fixture;

static void fill_batch(fixture *f, bool photos)
{
    static const int64_t labels[HEADS][ROWS] = {{0, 2, 1, -1}, {1, 1, 0, 0}};
    static const int64_t lengths[ROWS] = {5, 2, 3, 1};
    for (int i = 0; i < ROWS * PIXELS; i++)
        f->images[i] = (float)sin(.37 * i + i / PIXELS);
    for (int i = 0; i < ROWS; i++) {
        f->rows[i] = i;
        f->present[i] = 1;
        f->lengths[i] = lengths[i];
        for (int64_t t = 0; t < lengths[i]; t++)
            f->ids[i * CONTEXT + t] = 3 + (i * 5 + t * 2) % 17;
    }
    memcpy(f->labels, labels, sizeof labels);
    for (int h = 0; h < HEADS; h++)
        f->label_list[h] = f->labels[h];
    f->text = (dip_batch_text){
        .context = CONTEXT, .ids = f->ids, .lengths = f->lengths};
    f->batch = (dip_batch){.epoch = 2,
                           .index = 1,
                           .size = ROWS,
                           .rows = f->rows,
                           .images = photos ? f->images : NULL,
                           .present = photos ? f->present : NULL,
                           .texts = photos ? NULL : &f->text,
                           .labels = f->label_list};
}

static void begin(fixture *f, bool photos)
{
    dip_err err = {0};
    memset(f, 0, sizeof *f);
    fill_batch(f, photos);
    dip_head_input input =
        photos ? DIP_HEAD_IMAGE_FEATURES : DIP_HEAD_TEXT_FEATURES;
    const dip_model_config config = {
        .towers = photos ? DIP_TOWERS_IMAGE : DIP_TOWERS_TEXT,
        .image = {.kind = "cnn",
                  .image_size = SIDE,
                  .widths = {4, 6},
                  .width_count = 2},
        .text = {.kind = "bag",
                 .vocabulary = 20,
                 .context = CONTEXT,
                 .width = 6,
                 .depth = 1},
        .heads = {{"type", classes[0], input}, {"colour", classes[1], input}},
        .head_count = HEADS,
        .seed = 4,
    };
    assert_ok(dip_model_create(&f->model, &config, &err), &err);
    f->targets[0].class_weights = class_weights;
    f->targets[1].label_smoothing = .2;
    f->recipe = (dip_classification){.model = f->model,
                                     .text_count = !photos,
                                     .head_weights = weights,
                                     .head_targets = f->targets,
                                     .terms = f->terms,
                                     .image_size = SIDE};
}

/* ---- the same by hand, in double precision ------------------------------- */

/* The cross-entropy of the labels of the rows `shift` before. */
static double cross_entropy(const fixture *f, const float *logits, int h,
                            int shift)
{
    double sum = 0, total = 0, smooth = f->targets[h].label_smoothing;
    for (int i = 0; i < ROWS; i++) {
        int64_t label = f->labels[h][(i + ROWS - shift) % ROWS];
        const float *row = logits + i * classes[h];
        double exponentials = 0, mean = 0;
        if (label < 0)
            continue;
        for (int c = 0; c < classes[h]; c++)
            exponentials += exp(row[c]);
        for (int c = 0; c < classes[h]; c++)
            mean += (log(exponentials) - row[c]) / (double)classes[h];
        double weight = h == 0 ? class_weights[label] : 1;
        sum += weight * ((1 - smooth) * (log(exponentials) - row[label]) +
                         smooth * mean);
        total += weight;
    }
    return sum / total;
}

static double loss_by_hand(fixture *f, const float *images, double share)
{
    double loss = 0;
    dip_scope_open();
    dip_encoded encoded =
        images != NULL
            ? dip_model_encode_image(
                  f->model,
                  dip_tensor_from(images, DIP_F32, 4,
                                  (int64_t[]){ROWS, 3, SIDE, SIDE}),
                  true)
            : dip_model_encode_text(
                  f->model,
                  dip_tensor_from(f->ids, DIP_I64, 2,
                                  (int64_t[]){ROWS, CONTEXT}),
                  dip_tensor_from(f->lengths, DIP_I64, 1, (int64_t[]){ROWS}),
                  true);
    for (int h = 0; h < HEADS; h++) {
        float logits[ROWS * 3];
        dip_tensor_read(dip_model_head_logits(f->model, h, encoded.features),
                        DIP_F32, logits,
                        (size_t)(ROWS * classes[h]) * sizeof *logits);
        loss += weights[h] * (share * cross_entropy(f, logits, h, 0) +
                              (1 - share) * cross_entropy(f, logits, h, 1));
    }
    dip_scope_close();
    return loss;
}

static double loss_of(fixture *f)
{
    dip_tensor *loss;
    dip_err err = {0};
    dip_scope_open();
    assert_ok(dip_classification_loss(&loss, &f->recipe, &f->batch, &err),
              &err);
    double value = dip_tensor_item(loss);
    dip_tensor_backward(loss);
    dip_scope_close();
    assert_no_error();
    assert_near(weights[0] * f->terms[0] + weights[1] * f->terms[1], value,
                1e-6);
    return value;
}

static void test_classification_of_photos(void **state)
{
    (void)state;
    fixture f;
    begin(&f, true);
    assert_near(loss_of(&f), loss_by_hand(&f, f.images, 1), 1e-5);
    assert_gradients(dip_model_params(f.model), "image.");
    assert_gradients(dip_model_params(f.model), "heads.");
    dip_model_free(f.model);
}

static void test_classification_of_texts(void **state)
{
    (void)state;
    fixture f;
    begin(&f, false);
    assert_near(loss_of(&f), loss_by_hand(&f, NULL, 1), 1e-5);
    assert_gradients(dip_model_params(f.model), "text.");
    dip_model_free(f.model);
}

/* Classes that weigh nothing are no loss, also where a batch has no others. */
static void test_classification_of_classes_without_weight(void **state)
{
    (void)state;
    static const float nothing[3] = {0, 0, 0}, second[3] = {0, 1, 0};
    fixture f;
    begin(&f, false);
    f.targets[0].class_weights = nothing;
    (void)loss_of(&f);
    assert_near(f.terms[0], 0, 0);
    assert_true(f.terms[1] > .1);
    f.targets[0].class_weights = second;
    f.terms[1] = 0;
    (void)loss_of(&f);
    assert_true(f.terms[0] > .1);
    dip_model_free(f.model);
}

/* The loss of head 0 under a dropout of its input, drawn from seed 8. */
static double dropped(fixture *f, double dropout, dip_tensor *input)
{
    dip_head_target target = {.dropout = dropout};
    dip_tensor_seed(8);
    return dip_tensor_item(
        dip_head_loss(f->model, 0, input, &f->batch, &target, NULL, DIP_CPU));
}

static void test_classification_drops_what_a_head_sees(void **state)
{
    (void)state;
    fixture f;
    begin(&f, false);
    dip_scope_open();
    dip_tensor *input = dip_tensor_full(2, DIP_F32, 2, (int64_t[]){ROWS, 6});
    double whole = dropped(&f, 0, input), part = dropped(&f, .5, input);
    assert_true(fabs(whole - part) > 1e-4);
    dip_tensor_seed(8);
    assert_near(dropped(&f, 0, dip_t_dropout(input, .5, true)), part, 1e-7);
    dip_scope_close();
    assert_no_error();
    dip_model_free(f.model);
}

/* Photos and labels are mixed alike, each row with the one before it. */
static void test_classification_mixes_photos_and_labels(void **state)
{
    (void)state;
    static const dip_mixing mixings[] = {{.mixup = 1, .seed = 3},
                                         {.cutmix = 1, .seed = 3}};
    for (int k = 0; k < 2; k++) {
        fixture f;
        float mixed[ROWS * PIXELS];
        begin(&f, true);
        f.recipe.mixing = mixings[k];
        dip_mix mix =
            dip_mixing_draw(&mixings[k], f.batch.epoch, f.batch.index, SIDE);
        assert_true(mix.share > .05 && mix.share < .95);
        for (int r = 0; r < ROWS; r++) {
            for (int i = 0; i < PIXELS; i++) {
                int64_t x = i % SIDE, y = i / SIDE % SIDE;
                bool inside = x >= mix.left && x < mix.left + mix.width &&
                              y >= mix.top && y < mix.top + mix.height;
                float share = k == 0 ? (float)mix.share : !inside;
                mixed[r * PIXELS + i] =
                    share * f.images[r * PIXELS + i] +
                    (1 - share) * f.images[(r + 3) % ROWS * PIXELS + i];
            }
        }
        assert_near(loss_of(&f), loss_by_hand(&f, mixed, mix.share), 1e-5);
        dip_model_free(f.model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_classification_of_photos),
        MODEL_TEST(test_classification_of_texts),
        MODEL_TEST(test_classification_of_classes_without_weight),
        MODEL_TEST(test_classification_drops_what_a_head_sees),
        MODEL_TEST(test_classification_mixes_photos_and_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
