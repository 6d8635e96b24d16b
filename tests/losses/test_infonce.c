#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/mem.h"
#include "losses/loss.h"
#include "tests/tensor/golden.h"
#include "tests/tensor/scope.h"

#define GOLDEN "tests/golden/losses/infonce.safetensors"

static dip_tensor *get(const dip_safetensors *file, const char *name)
{
    int i = dip_safetensors_find(file, name);
    assert_true(i >= 0);
    return dip_safetensors_tensor(file, i);
}

/* A trained F32 copy. */
static dip_tensor *leaf(const dip_safetensors *file, const char *name)
{
    dip_tensor *t = dip_t_to_dtype(get(file, name), DIP_F32);
    dip_tensor_set_requires_grad(t, true);
    return t;
}

typedef struct {
    const char *name;
    dip_loss_options options;
    bool positives, valid, weights;
} loss_case;

static const loss_case CASES[] = {
    {"clip", {0}, false, false, false},
    {"smoothed", {.label_smoothing = 0.2}, false, false, false},
    {"supcon", {.positives = DIP_POSITIVES_UNIFORM}, true, false, false},
    {"uniform", {.positives = DIP_POSITIVES_UNIFORM}, true, false, false},
    {"sum", {.positives = DIP_POSITIVES_SUM}, true, false, false},
    {"exclude", {.positives = DIP_POSITIVES_EXCLUDE}, true, false, false},
    {"uniform_smoothed",
     {.positives = DIP_POSITIVES_UNIFORM, .label_smoothing = 0.1},
     true,
     false,
     false},
    {"exclude_smoothed",
     {.positives = DIP_POSITIVES_EXCLUDE, .label_smoothing = 0.1},
     true,
     false,
     false},
    {"weighted", {.positives = DIP_POSITIVES_UNIFORM}, true, false, true},
    {"weighted_diagonal",
     {.positives = DIP_POSITIVES_UNIFORM},
     false,
     false,
     true},
    {"valid_sum", {.positives = DIP_POSITIVES_SUM}, true, true, false},
    {"valid_diagonal",
     {.positives = DIP_POSITIVES_UNIFORM},
     false,
     true,
     false},
    {"valid_weighted_exclude",
     {.positives = DIP_POSITIVES_EXCLUDE},
     true,
     true,
     true},
};

static void compare_gradient(const dip_safetensors *file, const char *name,
                             const char *input, const dip_tensor *t)
{
    dip_tensor *wanted = golden_find(file, name, input);
    if (!wanted) { /* the peer of this one has a fixed temperature */
        assert_string_equal(name, "supcon");
        assert_string_equal(input, "scale");
        return;
    }
    double gap = relative(dip_tensor_grad(t), wanted);
    if (!(gap <= 1e-5))
        fail_msg("%s: gradient of %s is %g away", name, input, gap);
}

static void check_case(const dip_safetensors *file, const loss_case *c)
{
    dip_tensor *queries = leaf(file, "queries");
    dip_tensor *items = leaf(file, "items");
    dip_tensor *scale = leaf(file, "scale");
    dip_loss_input in = {
        .queries = queries,
        .items = items,
        .scale = scale,
        .positives = c->positives ? get(file, "positives") : NULL,
        .valid = c->valid ? get(file, "valid") : NULL,
        .weights =
            c->weights ? dip_t_to_dtype(get(file, "weights"), DIP_F32) : NULL,
    };
    dip_tensor *loss = dip_loss_kind_find("infonce")->fn(&in, &c->options);
    dip_tensor_backward(loss);
    assert_no_error();
    double gap = relative(loss, golden_get(file, c->name, "loss"));
    if (!(gap <= 1e-5))
        fail_msg("%s is %g away", c->name, gap);
    compare_gradient(file, c->name, "queries", queries);
    compare_gradient(file, c->name, "items", items);
    compare_gradient(file, c->name, "scale", scale);
}

static void test_infonce_equals_the_peers(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(GOLDEN);
    for (size_t i = 0; i < DIP_ARRAY_LEN(CASES); i++)
        check_case(file, &CASES[i]);
    dip_safetensors_close(file);
}

/* Every mode is open_clip's loss when only the diagonal is positive. */
static void test_infonce_modes_agree_on_the_diagonal(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(GOLDEN);
    dip_loss_input in = {.queries = leaf(file, "queries"),
                         .items = leaf(file, "items"),
                         .scale = leaf(file, "scale")};
    in.positives =
        dip_t_gt_scalar(dip_tensor_eye(dip_tensor_size(in.queries, 0)), 0.5);
    for (int mode = 0; mode < DIP_POSITIVES_COUNT; mode++) {
        assert_int_equal(
            dip_positives_find(dip_positives_name((dip_positives)mode)), mode);
        dip_loss_options o = {.positives = (dip_positives)mode};
        dip_tensor *loss = dip_loss_infonce(&in, &o);
        assert_true(relative(loss, golden_get(file, "clip", "loss")) <= 1e-5);
    }
    assert_int_equal(dip_positives_find("evenly"), -1);
    dip_safetensors_close(file);
}

static void test_infonce_without_valid_rows_is_zero(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(GOLDEN);
    dip_tensor *queries = leaf(file, "queries");
    int64_t rows = dip_tensor_size(queries, 0);
    dip_loss_input in = {
        .queries = queries,
        .items = leaf(file, "items"),
        .scale = leaf(file, "scale"),
        .positives = get(file, "positives"),
        .valid = dip_tensor_full(0, DIP_BOOL, 1, &rows),
    };
    const dip_loss_options o = {0};
    dip_tensor *loss = dip_loss_infonce(&in, &o);
    dip_tensor_backward(loss);
    assert_near(dip_tensor_item(loss), 0, 0);
    assert_near(dip_tensor_item(dip_t_norm_all(dip_tensor_grad(queries))), 0,
                0);

    in.valid = NULL;
    in.weights = dip_tensor_full(0, DIP_F32, 1, &rows);
    assert_near(dip_tensor_item(dip_loss_infonce(&in, &o)), 0, 0);
    dip_safetensors_close(file);
}

/* bf16 products would be off by about 1e-3. */
static void test_infonce_is_exact_under_autocast(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(GOLDEN);
    dip_loss_input in = {.queries = leaf(file, "queries"),
                         .items = leaf(file, "items"),
                         .scale = leaf(file, "scale")};
    const dip_loss_options o = {0};
    bool before = dip_tensor_set_autocast(DIP_CPU, true);
    dip_tensor *loss = dip_loss_infonce(&in, &o);
    bool still = dip_tensor_set_autocast(DIP_CPU, before);
    assert_true(still);
    assert_int_equal(dip_tensor_dtype(loss), DIP_F32);
    assert_true(relative(loss, golden_get(file, "clip", "loss")) <= 1e-6);
    dip_safetensors_close(file);
}

static void test_infonce_of_bf16_embeddings_is_f32(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(GOLDEN);
    dip_loss_input in = {.queries =
                             dip_t_to_dtype(get(file, "queries"), DIP_BF16),
                         .items = dip_t_to_dtype(get(file, "items"), DIP_BF16),
                         .scale = get(file, "scale")};
    const dip_loss_options o = {0};
    dip_tensor *loss = dip_loss_infonce(&in, &o);
    assert_int_equal(dip_tensor_dtype(loss), DIP_F32);
    assert_int_equal(dip_tensor_ndim(loss), 0);
    assert_near(dip_tensor_item(loss),
                dip_tensor_item(golden_get(file, "clip", "loss")), 0.05);
    dip_safetensors_close(file);
}

static void test_infonce_every_row_of_the_table_is_found(void **state)
{
    (void)state;
    assert_true(dip_loss_kind_count() >= 1);
    for (int i = 0; i < dip_loss_kind_count(); i++) {
        const dip_loss_kind *kind = dip_loss_kind_at(i);
        assert_ptr_equal(dip_loss_kind_find(kind->name), kind);
        assert_non_null(kind->fn);
        assert_true(strlen(kind->summary) > 0);
    }
    assert_null(dip_loss_kind_find("infonces"));
}

#define LOSS_TEST(fn) cmocka_unit_test_setup_teardown(fn, open_test, end_test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOSS_TEST(test_infonce_equals_the_peers),
        LOSS_TEST(test_infonce_modes_agree_on_the_diagonal),
        LOSS_TEST(test_infonce_without_valid_rows_is_zero),
        LOSS_TEST(test_infonce_is_exact_under_autocast),
        LOSS_TEST(test_infonce_of_bf16_embeddings_is_f32),
        LOSS_TEST(test_infonce_every_row_of_the_table_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
