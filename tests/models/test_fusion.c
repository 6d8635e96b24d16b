#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"
#include "tests/models/helper.h"

#define GOLDEN "tests/golden/models/"
#define FIELDS 3
#define DIM    6

typedef struct {
    dip_params *params;
    dip_fusion *fusion;
} made;

static const dip_fusion_fields LAYOUT = {
    .count = FIELDS,
    .modality = {DIP_MODALITY_IMAGE, DIP_MODALITY_TEXT, DIP_MODALITY_ATTRIBUTE},
    .dim = DIM,
    .token_features = {5, 4, 0},
};

static made make(const char *kind)
{
    made m = {0};
    dip_err err = {0};
    dip_fusion_options o = {.kind = kind};
    assert_ok(dip_params_create(&m.params, &err), &err);
    dip_maker maker = {.params = m.params, .seed = 9};
    assert_ok(dip_fusion_create(&m.fusion, &o, &LAYOUT, &maker, &err), &err);
    return m;
}

static void end(made *m)
{
    dip_fusion_free(m->fusion);
    dip_params_free(m->params);
}

/* Tokens and fields, which get gradients, of a case that may have them. */
static void golden_fields(dip_encoded fields[FIELDS],
                          const dip_safetensors *file)
{
    for (int f = 0; f < FIELDS; f++) {
        char name[24];
        (void)snprintf(name, sizeof name, "field%d", f);
        fields[f] = (dip_encoded){.embedding = golden_get(file, "in", name)};
        dip_tensor_set_requires_grad(fields[f].embedding, true);
        (void)snprintf(name, sizeof name, "tokens%d", f);
        fields[f].tokens.rows = golden_find(file, "in", name);
        (void)snprintf(name, sizeof name, "mask%d", f);
        fields[f].tokens.mask = golden_find(file, "in", name);
    }
}

static void compare_gradients(const dip_fusion *fusion,
                              const dip_params *params,
                              const dip_encoded fields[FIELDS],
                              const dip_safetensors *file)
{
    for (int i = 0; i < dip_params_count(params); i++) {
        const char *name = dip_params_name(params, i);
        double gap = relative(dip_tensor_grad(dip_params_tensor(params, i)),
                              golden_get(file, "grad", name));
        if (!(gap <= TOLERANCE))
            fail_msg("%s: gradient of %s is %g away", fusion->kind->name, name,
                     gap);
    }
    for (int f = 0; f < fusion->fields.count; f++) {
        char name[24];
        (void)snprintf(name, sizeof name, "field%d", f);
        dip_tensor *wanted = golden_find(file, "grad", name);
        if (wanted)
            assert_true(relative(dip_tensor_grad(fields[f].embedding),
                                 wanted) <= TOLERANCE);
    }
}

static void check_golden(const char *kind)
{
    made m = make(kind);
    char path[128];
    dip_err err = {0};
    (void)snprintf(path, sizeof path, GOLDEN "%s.weights.safetensors", kind);
    assert_ok(dip_weights_load(m.params, "", path, &err), &err);
    (void)snprintf(path, sizeof path, GOLDEN "%s.safetensors", kind);
    dip_safetensors *file = golden_open(path);
    dip_encoded fields[FIELDS];
    golden_fields(fields, file);
    dip_tensor *out = dip_fusion_forward(
        m.fusion, fields, golden_get(file, "in", "present"), false);
    assert_rows(out, golden_get(file, "out", "eval"), TOLERANCE);

    dip_tensor *w =
        dip_safetensors_tensor(file, dip_safetensors_find(file, "w"));
    dip_tensor_backward(dip_t_sum_all(dip_t_mul(out, w)));
    compare_gradients(m.fusion, m.params, fields, file);
    dip_safetensors_close(file);
    end(&m);
}

static void test_fusion_equals_the_row_by_row_formula(void **state)
{
    (void)state;
    for (int k = 0; k < dip_fusion_kind_count(); k++)
        check_golden(dip_fusion_kind_at(k)->name);
}

static dip_tensor *presence(const unsigned char *bits)
{
    return dip_tensor_from(bits, DIP_BOOL, SIZES(4, FIELDS));
}

static void unit_fields(dip_encoded fields[FIELDS])
{
    dip_tensor *all = dip_t_normalize(pattern(SIZES(FIELDS, 4, DIM)), 2);
    for (int i = 0; i < FIELDS; i++)
        fields[i] = (dip_encoded){.embedding = dip_t_select(all, 0, i)};
}

/* Token counts of the image and the text field; those of the attribute are its
 * embedding. */
static void token_fields(dip_encoded fields[FIELDS])
{
    static const unsigned char WORDS[] = {1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 0, 0};
    unit_fields(fields);
    fields[0].tokens.rows = pattern(SIZES(4, 4, 5));
    fields[1].tokens.rows = pattern(SIZES(4, 3, 4));
    fields[1].tokens.mask = dip_tensor_from(WORDS, DIP_BOOL, SIZES(4, 3));
}

static void test_fusion_every_kind_gives_unit_rows_or_zeros(void **state)
{
    (void)state;
    static const unsigned char BITS[] = {1, 1, 1, 0, 1, 0, 0, 0, 0, 1, 0, 1};
    assert_true(dip_fusion_kind_count() >= 9);
    for (int k = 0; k < dip_fusion_kind_count(); k++) {
        const dip_fusion_kind *kind = dip_fusion_kind_at(k);
        assert_ptr_equal(dip_fusion_kind_find(kind->name), kind);
        made m = make(kind->name);
        dip_encoded fields[FIELDS];
        token_fields(fields);
        dip_tensor_set_requires_grad(fields[0].embedding, true);
        dip_tensor *out =
            dip_fusion_forward(m.fusion, fields, presence(BITS), true);
        assert_unit_rows(dip_t_narrow(out, 0, 0, 2));
        assert_unit_rows(dip_t_narrow(out, 0, 3, 1));
        assert_near(dip_tensor_item(dip_t_norm_all(dip_t_select(out, 0, 2))), 0,
                    0);
        dip_tensor_backward(
            dip_t_sum_all(dip_t_mul(out, pattern(SIZES(4, DIM)))));
        assert_gradients(m.params, "");
        end(&m);
    }
}

static dip_tensor *not_a_number(int ndim, const int64_t *sizes)
{
    dip_tensor *t = dip_tensor_full((double)NAN, DIP_F32, ndim, sizes);
    dip_tensor_set_requires_grad(t, true);
    return t;
}

static void assert_no_gradient(const dip_tensor *t)
{
    dip_tensor *grad = dip_tensor_grad(t);
    if (grad)
        assert_near(dip_tensor_item(dip_t_norm_all(grad)), 0, 0);
}

/* NaN in an absent field or behind the words changes nothing, and gets no
 * gradient. */
static void test_fusion_absent_fields_have_no_influence(void **state)
{
    (void)state;
    static const unsigned char BITS[] = {1, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0};
    for (int k = 0; k < dip_fusion_kind_count(); k++) {
        made m = make(dip_fusion_kind_at(k)->name);
        dip_encoded fields[FIELDS];
        token_fields(fields);
        dip_tensor *clean =
            dip_fusion_forward(m.fusion, fields, presence(BITS), false);
        assert_near(dip_tensor_item(dip_t_norm_all(dip_t_select(clean, 0, 3))),
                    0, 0);
        dip_tensor *guess = not_a_number(SIZES(4, DIM));
        dip_tensor *words = not_a_number(SIZES(4, 3, 4));
        dip_tensor_set_requires_grad(fields[0].embedding, true);
        fields[1].embedding = guess;
        fields[1].tokens.rows = words;
        dip_tensor *out =
            dip_fusion_forward(m.fusion, fields, presence(BITS), false);
        assert_rows(out, clean, 0);
        dip_tensor_backward(
            dip_t_sum_all(dip_t_mul(out, pattern(SIZES(4, DIM)))));
        assert_no_gradient(guess);
        assert_no_gradient(words);
        for (int i = 0; i < dip_params_count(m.params); i++) {
            dip_tensor *grad = dip_tensor_grad(dip_params_tensor(m.params, i));
            assert_true(!grad ||
                        isfinite(dip_tensor_item(dip_t_norm_all(grad))));
        }
        end(&m);
    }
}

/* What stands behind the words of a text that is there. */
static void test_fusion_masked_tokens_have_no_influence(void **state)
{
    (void)state;
    static const unsigned char BITS[] = {1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 0};
    for (int k = 0; k < dip_fusion_kind_count(); k++) {
        made m = make(dip_fusion_kind_at(k)->name);
        dip_encoded fields[FIELDS];
        token_fields(fields);
        dip_tensor *clean =
            dip_fusion_forward(m.fusion, fields, presence(BITS), false);
        dip_tensor *rows = fields[1].tokens.rows;
        fields[1].tokens.rows =
            dip_t_where(dip_t_unsqueeze(fields[1].tokens.mask, 2), rows,
                        dip_tensor_full((double)NAN, DIP_F32, SIZES(4, 3, 4)));
        assert_rows(dip_fusion_forward(m.fusion, fields, presence(BITS), false),
                    clean, 0);
        /* Another word that counts does change the kinds that read words. */
        fields[1].tokens.rows = dip_t_neg(rows);
        double gap = relative(
            dip_fusion_forward(m.fusion, fields, presence(BITS), false), clean);
        assert_true(m.fusion->kind->reads_tokens ? gap > 1e-4 : gap == 0);
        end(&m);
    }
}

/* A row of a batch is fused as it is alone. */
static void test_fusion_rows_stand_alone(void **state)
{
    (void)state;
    static const unsigned char BITS[] = {1, 1, 1, 1, 0, 0, 0, 1, 1, 0, 1, 0};
    for (int k = 0; k < dip_fusion_kind_count(); k++) {
        made m = make(dip_fusion_kind_at(k)->name);
        dip_encoded fields[FIELDS], one[FIELDS];
        token_fields(fields);
        dip_tensor *all =
            dip_fusion_forward(m.fusion, fields, presence(BITS), false);
        for (int64_t i = 0; i < 4; i++) {
            for (int f = 0; f < FIELDS; f++) {
                const dip_tokens *t = &fields[f].tokens;
                one[f] = (dip_encoded){
                    .embedding = dip_t_narrow(fields[f].embedding, 0, i, 1)};
                if (t->rows)
                    one[f].tokens.rows = dip_t_narrow(t->rows, 0, i, 1);
                if (t->mask)
                    one[f].tokens.mask = dip_t_narrow(t->mask, 0, i, 1);
            }
            dip_tensor *present = dip_t_narrow(presence(BITS), 0, i, 1);
            assert_rows(dip_fusion_forward(m.fusion, one, present, false),
                        dip_t_narrow(all, 0, i, 1), TOLERANCE);
        }
        end(&m);
    }
}

static void test_fusion_average_of_one_field_is_that_field(void **state)
{
    (void)state;
    static const unsigned char BITS[] = {0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0};
    made m = make("weighted_average");
    dip_encoded fields[FIELDS];
    unit_fields(fields);
    dip_tensor *out =
        dip_fusion_forward(m.fusion, fields, presence(BITS), false);
    const int from[] = {1, 0, 2, 1};
    for (int i = 0; i < 4; i++)
        assert_near(relative(dip_t_select(out, 0, i),
                             dip_t_select(fields[from[i]].embedding, 0, i)),
                    0, 0);
    end(&m);
}

static void test_fusion_fixed_weights_are_buffers_and_count(void **state)
{
    (void)state;
    dip_params *params = NULL;
    dip_fusion *fusion = NULL;
    dip_err err = {0};
    dip_fusion_options o = {.weights = {0.9, 0.1}, .fixed = true};
    assert_ok(dip_params_create(&params, &err), &err);
    dip_maker maker = {.params = params};
    const dip_fusion_fields two = {.count = 2, .dim = 2};
    assert_ok(dip_fusion_create(&fusion, &o, &two, &maker, &err), &err);
    assert_int_equal(dip_params_trained_numel(params), 0);
    const float x[] = {1, 0}, y[] = {0, 1};
    const unsigned char both[] = {1, 1};
    const dip_encoded fields[] = {
        {.embedding = dip_tensor_from(x, DIP_F32, SIZES(1, 2))},
        {.embedding = dip_tensor_from(y, DIP_F32, SIZES(1, 2))}};
    dip_tensor *out = dip_fusion_forward(
        fusion, fields, dip_tensor_from(both, DIP_BOOL, SIZES(1, 2)), false);
    float got[2] = {0};
    dip_tensor_read(out, DIP_F32, got, sizeof got);
    assert_near(got[0], 0.9 / hypot(0.9, 0.1), 1e-6);
    assert_near(got[1], 0.1 / hypot(0.9, 0.1), 1e-6);
    dip_fusion_free(fusion);
    dip_params_free(params);
}

static void assert_refused(dip_fusion_options o, const char *message)
{
    dip_err err = {0};
    assert_int_equal(dip_fusion_options_check(&o, &LAYOUT, &err), DIP_ECONFIG);
    assert_string_equal(err.msg, message);
}

static void test_fusion_options_are_checked(void **state)
{
    (void)state;
    assert_refused(
        (dip_fusion_options){.kind = "sum"},
        "fusion.kind: 'sum' is none of weighted_average, maximum, concat_mlp, "
        "gated, bilinear, lstm, gru, self_attention, cross_attention");
    assert_refused((dip_fusion_options){.hidden = 8},
                   "fusion.hidden: not an option of 'weighted_average'");
    assert_refused((dip_fusion_options){.kind = "concat_mlp", .fixed = true},
                   "fusion.fixed: not an option of 'concat_mlp'");
    assert_refused((dip_fusion_options){.weights = {1, 1}},
                   "fusion.weights: number 3 of 3 is not positive");
    assert_refused((dip_fusion_options){.weights = {1, 1, 1, 1}},
                   "fusion.weights: more than the 3 fields");
    assert_refused((dip_fusion_options){.kind = "concat_mlp", .dropout = 1.0},
                   "fusion.dropout: 1 is not a share from 0 to below 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_fusion_equals_the_row_by_row_formula),
        MODEL_TEST(test_fusion_every_kind_gives_unit_rows_or_zeros),
        MODEL_TEST(test_fusion_absent_fields_have_no_influence),
        MODEL_TEST(test_fusion_masked_tokens_have_no_influence),
        MODEL_TEST(test_fusion_rows_stand_alone),
        MODEL_TEST(test_fusion_average_of_one_field_is_that_field),
        MODEL_TEST(test_fusion_fixed_weights_are_buffers_and_count),
        MODEL_TEST(test_fusion_options_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
