#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/export/helper.h"

typedef struct {
    const dip_part *part;
    const dip_model *model;
} ears;

/* Fuses all fields, whatever is said to be present. */
static dip_tensor *fuse_deaf(void *user, dip_tensor *const *inputs)
{
    const ears *e = user;
    dip_tensor *all[] = {inputs[0], dip_t_logical_not(dip_t_ne_scalar(
                                        dip_t_zeros_like(inputs[1]), 0))};
    return dip_part_compute(e->part, e->model, all);
}

/* Right for three tokens, and for all that are shorter. */
static dip_tensor *encode_short(void *user, dip_tensor *const *inputs)
{
    const ears *e = user;
    int64_t tokens = dip_tensor_size(inputs[0], 1);
    dip_tensor *cut[] = {dip_t_narrow(inputs[0], 1, 0, tokens < 3 ? tokens : 3),
                         dip_t_to_dtype(dip_t_clamp(inputs[1], 0, 3), DIP_I64)};
    return dip_part_compute(e->part, e->model, cut);
}

static dip_part find_part(const dip_model *model, const dip_samples *samples,
                          const char *name)
{
    dip_part parts[DIP_PARTS_MAX];
    int count = dip_part_list(parts, model, samples);
    for (int i = 0; i < count; i++)
        if (strcmp(parts[i].name, name) == 0)
            return parts[i];
    fail_msg("no part '%s'", name);
    return parts[0];
}

static void assert_caught(const char *name, dip_gate_encode encode,
                          const char *words)
{
    dip_model_config c = config_of(0);
    dip_model *model = make_model(&c);
    dip_samples samples = {0};
    dip_gate_report report = {0};
    dip_err err = {0};
    fill_samples(&samples, model);
    memset(samples.field_present, 1, ROWS * 3);
    dip_part part = find_part(model, &samples, name);
    ears e = {&part, model};
    assert_int_equal(dip_part_verify(&report, &part, model, "x.pt",
                                     &(dip_gate_side){encode, &e},
                                     DIP_GATE_FP32, &err),
                     DIP_EVERIFY);
    if (strstr(err.msg, words) == NULL)
        fail_msg("'%s' does not hold '%s'", err.msg, words);
    assert_int_equal(report.count, 4); /* a whole pass before it */
    dip_gate_report_free(&report);
    dip_samples_free(&samples);
    dip_model_free(model);
}

static void test_part_fusion_that_ignores_presence_is_caught(void **state)
{
    (void)state;
    assert_caught("fusion", fuse_deaf, "some fields hidden");
}

static void test_part_texts_are_verified_beyond_three_tokens(void **state)
{
    (void)state;
    assert_caught("text_encoder", encode_short, "6 tokens");
}

static void test_part_names_fit_into_files(void **state)
{
    (void)state;
    static const char *const names[] = {
        "image_encoder",  "text_encoder",      "fusion",
        "scorer",         "head_0_of_product", "head_1_of_image",
        "head_2_of_text", "head_3_of_photo",   "head_4_of_words",
        "match"};
    dip_model_config c = config_of(0);
    dip_model *model = make_model(&c);
    dip_samples samples = {0};
    dip_part parts[DIP_PARTS_MAX];
    fill_samples(&samples, model);
    assert_int_equal(dip_part_list(parts, model, &samples), 10);
    for (int i = 0; i < 10; i++)
        assert_string_equal(parts[i].name, names[i]);
    dip_samples_free(&samples);
    dip_model_free(model);
}

/* One head's name begins as the other's. */
static void test_part_needs_its_own_weights_only(void **state)
{
    (void)state;
    dip_model_config c = config_of(0);
    c.heads[0].name = "colour";
    c.heads[1].name = "colour2";
    c.head_count = 2;
    dip_model *model = make_model(&c);
    dip_samples samples = {0};
    fill_samples(&samples, model);
    dip_part image = find_part(model, &samples, "image_encoder");
    dip_part head = find_part(model, &samples, "head_0_colour");
    assert_true(dip_part_needs(&image, model, "image.x"));
    assert_true(dip_part_needs(&image, model, "image_projection.weight"));
    assert_false(dip_part_needs(&image, model, "image_other.weight"));
    assert_false(dip_part_needs(&image, model, "text.x"));
    assert_false(dip_part_needs(&image, model, "logit_scale"));
    assert_true(dip_part_needs(&head, model, "heads.colour.weight"));
    assert_false(dip_part_needs(&head, model, "heads.colour2.weight"));
    assert_false(dip_part_needs(&head, model, "fusion.x"));
    dip_part match = find_part(model, &samples, "match");
    assert_true(dip_part_needs(&match, model, "match.hidden.weight"));
    assert_false(dip_part_needs(&match, model, "fusion.x"));
    dip_samples_free(&samples);
    dip_model_free(model);
}

/* The pairs in the other order, which the classifier must tell apart. */
static dip_tensor *match_swapped(void *user, dip_tensor *const *inputs)
{
    const ears *e = user;
    return dip_part_compute(e->part, e->model,
                            (dip_tensor *[]){inputs[1], inputs[0]});
}

static dip_tensor *match_as_it_is(void *user, dip_tensor *const *inputs)
{
    const ears *e = user;
    return dip_t_sigmoid(
        dip_t_unsqueeze(dip_model_match(e->model, inputs[0], inputs[1]), 1));
}

static void test_part_match_takes_queries_and_products(void **state)
{
    (void)state;
    dip_model_config c = config_of(0);
    dip_model *model = make_model(&c);
    dip_samples samples = {0};
    dip_gate_report report = {0};
    dip_err err = {0};
    fill_samples(&samples, model);
    dip_part part = find_part(model, &samples, "match");
    ears e = {&part, model};
    assert_ok(dip_part_verify(&report, &part, model, "x.pt",
                              &(dip_gate_side){match_as_it_is, &e},
                              DIP_GATE_FP32, &err),
              &err);
    assert_int_equal(report.count, 3); /* batch sizes */
    assert_int_equal(dip_part_verify(&report, &part, model, "x.pt",
                                     &(dip_gate_side){match_swapped, &e},
                                     DIP_GATE_FP32, &err),
                     DIP_EVERIFY);
    dip_gate_report_free(&report);
    dip_samples_free(&samples);
    dip_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_part_fusion_that_ignores_presence_is_caught),
        MODEL_TEST(test_part_texts_are_verified_beyond_three_tokens),
        MODEL_TEST(test_part_names_fit_into_files),
        MODEL_TEST(test_part_needs_its_own_weights_only),
        MODEL_TEST(test_part_match_takes_queries_and_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
