/* Every tower takes a training step in bf16. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "losses/loss.h"
#include "tests/models/helper.h"
#include "tests/models/small.h"
#include "train/optimizer.h"

/* bf16 has 8 bits of a number, so that an operation rounds by up to 2^-9. The
 * deepest tower rounds some 60 times in a row, and its last batch norms, which
 * see a single place of each photo here, magnify that; errors of rows partly
 * cancel in the mean that is a loss. */
#define ROUNDING   (1.0 / 512)
#define ROWS       16
#define CONTEXT    6
#define VOCABULARY 11

static dip_model *make(const char *image, const char *text)
{
    const dip_model_config config = {
        .image = small_image(image),
        .text = {.kind = text,
                 .vocabulary = VOCABULARY,
                 .context = CONTEXT,
                 .width = 16,
                 .depth = strcmp(text, "cnn") == 0 ? 0 : 2},
        .embed_dim = 12,
        .temperature = .1,
        .fixed_temperature = true,
        .seed = 3,
    };
    dip_model *model;
    dip_err err = {0};
    assert_ok(dip_model_create(&model, &config, &err), &err);
    return model;
}

static dip_tensor *ids(void)
{
    int64_t values[ROWS * CONTEXT];
    for (int64_t i = 0; i < ROWS * CONTEXT; i++)
        values[i] = 1 + i * i % (VOCABULARY - 1);
    return dip_tensor_from(values, DIP_I64, SIZES(ROWS, CONTEXT));
}

typedef struct {
    dip_tensor *image, *text; /* embeddings */
    double loss;
} pass;

static pass forward(const dip_model *model, bool bf16)
{
    dip_tensor *images = pattern(SIZES(ROWS, 3, SMALL_SIDE, SMALL_SIDE));
    dip_tensor *lengths = dip_tensor_full(CONTEXT, DIP_I64, SIZES(ROWS));
    const dip_loss_kind *kind = dip_loss_kind_find("infonce");
    bool before = dip_tensor_set_autocast(DIP_CPU, bf16);
    pass p = {
        .image = dip_model_encode_image(model, images, true).embedding,
        .text = dip_model_encode_text(model, ids(), lengths, true).embedding,
    };
    const dip_loss_input pairs = {
        .queries = p.text, .items = p.image, .scale = dip_model_scale(model)};
    dip_tensor *loss = kind->fn(&pairs, &kind->defaults);
    (void)dip_tensor_set_autocast(DIP_CPU, before);
    p.loss = dip_tensor_item(loss);
    dip_tensor_backward(loss);
    return p;
}

/* Takes the update of a pass in bf16; weights stay F32 and become others. */
static void check_update(dip_model *model, const char *name)
{
    dip_params *params = dip_model_params(model);
    dip_err err = {0};
    dip_optimizer *optimizer;
    double norm;
    const dip_optimizer_options options = {
        .beta1 = .9, .beta2 = .999, .eps = 1e-8};
    assert_ok(dip_optimizer_create(&optimizer, params, &options, &err), &err);
    assert_ok(dip_optimizer_step(optimizer, 1, .01, 0, &norm, &err), &err);
    if (!(norm > 0))
        fail_msg("%s: gradients of length %g", name, norm);
    for (int i = 0; i < dip_params_count(params); i++) {
        dip_tensor *p = dip_params_tensor(params, i);
        if (dip_params_kind(params, i) == DIP_PARAM_BUFFER)
            continue;
        assert_int_equal(dip_tensor_dtype(p), DIP_F32);
        assert_true(isfinite(dip_tensor_item(dip_t_norm_all(p))));
    }
    dip_optimizer_free(optimizer);
}

/* `of_image`: the tower is that of the photos. */
static void check_tower(const char *image, const char *text, bool of_image)
{
    const char *name = of_image ? image : text;
    dip_model *plain = make(image, text), *model = make(image, text);
    pass wanted = forward(plain, false), found = forward(model, true);
    double gap = of_image ? relative(found.image, wanted.image)
                          : relative(found.text, wanted.text);
    if (!(gap > 1e-5 && gap < 64 * ROUNDING))
        fail_msg("%s: embeddings in bf16 are %g away", name, gap);
    if (!(fabs(found.loss - wanted.loss) < 8 * ROUNDING * wanted.loss))
        fail_msg("%s: a loss of %g in bf16, not %g", name, found.loss,
                 wanted.loss);
    assert_gradients(dip_model_params(model), of_image ? "image." : "text.");
    check_update(model, name);
    assert_no_error();
    dip_model_free(plain);
    dip_model_free(model);
}

static void test_precision_every_image_tower_trains_in_bf16(void **state)
{
    (void)state;
    for (int i = 0; i < dip_image_kind_count(); i++)
        check_tower(dip_image_kind_at(i)->name, "bag", true);
}

static void test_precision_every_text_tower_trains_in_bf16(void **state)
{
    (void)state;
    for (int i = 0; i < dip_text_kind_count(); i++)
        check_tower("cnn", dip_text_kind_at(i)->name, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_precision_every_image_tower_trains_in_bf16),
        MODEL_TEST(test_precision_every_text_tower_trains_in_bf16),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
