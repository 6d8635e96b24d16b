#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/export/helper.h"

enum { IN = 4, OUT = 3, COUNT = 70 };

/* A linear map and how it goes wrong. */
typedef struct {
    dip_tensor *weight; /* [OUT, IN] */
    bool bake;          /* reads the size of the batch while it is traced */
} net;

static dip_tensor *apply(void *user, dip_tensor *const *inputs)
{
    return dip_t_linear(inputs[0], ((net *)user)->weight, NULL);
}

static void trace_fn(void *user, dip_tensor *const *inputs,
                     dip_tensor **outputs)
{
    net *n = user;
    int64_t sizes[2] = {dip_tensor_size(inputs[0], 0), OUT};
    outputs[0] = apply(user, inputs);
    if (n->bake)
        outputs[0] = dip_t_reshape(outputs[0], 2, sizes);
}

static dip_tensor *run_script(void *user, dip_tensor *const *inputs)
{
    dip_tensor *out = NULL;
    dip_script_run(user, inputs, 1, &out, 1);
    return out;
}

/* The map, traced at batch size 2. */
static dip_script *trace(net *n)
{
    dip_script *script = NULL;
    dip_err err = {0};
    const dip_named_tensor weight = {.name = "w", .tensor = n->weight};
    dip_tensor *example = dip_tensor_full(1, DIP_F32, SIZES(2, IN));
    assert_ok(dip_script_trace(&script, trace_fn, n, &example, 1, 1, &weight, 1,
                               &err),
              &err);
    return script;
}

static dip_status check(dip_gate_report *report, int64_t rows,
                        const dip_gate_side *artefact,
                        const dip_gate_side *live, dip_err *err)
{
    dip_tensor *inputs[] = {pattern(SIZES(rows, IN))};
    const dip_gate_case c = {"artefact.pt", "",   inputs, 1, 0,
                             DIP_GATE_FP32, NULL, 0};
    return dip_gate_check(report, &c, artefact, live, err);
}

/* Fails with DIP_EVERIFY and a message that holds all of the words. */
static void assert_caught(dip_gate_encode encode, void *user, net *live,
                          const char *const *words)
{
    dip_gate_report report = {0};
    dip_err err = {0};
    const dip_gate_side artefact = {encode, user}, model = {apply, live};
    assert_int_equal(check(&report, COUNT, &artefact, &model, &err),
                     DIP_EVERIFY);
    assert_int_equal(err.code, DIP_EVERIFY);
    for (; *words != NULL; words++)
        if (strstr(err.msg, *words) == NULL)
            fail_msg("'%s' does not hold '%s'", err.msg, *words);
    dip_gate_report_free(&report);
}

/* Rows of a table by their numbers. */
static dip_tensor *pick_rows(void *user, dip_tensor *const *inputs)
{
    return dip_t_index_select(user, 0, inputs[0]);
}

#define WORDS_OF(...) ((const char *const[]){__VA_ARGS__, NULL})

static net make_net(void)
{
    return (net){.weight = pattern(SIZES(OUT, IN))};
}

static void test_gate_passes_a_faithful_trace(void **state)
{
    (void)state;
    static const int64_t batches[] = {1, 7, 64};
    net n = make_net();
    dip_script *script = trace(&n);
    dip_gate_report report = {0};
    dip_err err = {0};
    const dip_gate_side artefact = {run_script, script}, live = {apply, &n};
    assert_ok(check(&report, COUNT, &artefact, &live, &err), &err);
    assert_int_equal(report.count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(report.lines[i].batch, batches[i]);
        assert_int_equal(report.lines[i].rows, COUNT);
        assert_true(report.lines[i].mean <= report.lines[i].max);
        assert_true(report.lines[i].max < 1e-6);
    }
    dip_gate_report_free(&report);
    dip_script_free(script);
}

static void test_gate_catches_one_changed_weight(void **state)
{
    (void)state;
    net live = make_net(), other = make_net();
    ((float *)dip_tensor_data(other.weight))[5] += 1e-3f;
    dip_script *script = trace(&other);
    assert_caught(run_script, script, &live,
                  WORDS_OF("'artefact.pt'", "batch size 1:", "e-0", "1e-05"));
    dip_script_free(script);
}

static void test_gate_catches_a_baked_in_batch_size(void **state)
{
    (void)state;
    net n = make_net();
    n.bake = true;
    dip_script *script = trace(&n);
    assert_caught(run_script, script, &n,
                  WORDS_OF("'artefact.pt' fails at batch size 1", "forward"));
    dip_script_free(script);
}

static void test_gate_catches_a_number_that_is_not_finite(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY};
    for (int i = 0; i < 2; i++) {
        net live = make_net(), other = make_net();
        ((float *)dip_tensor_data(other.weight))[5] = bad[i];
        dip_script *script = trace(&other);
        assert_caught(run_script, script, &live,
                      WORDS_OF("'artefact.pt'", "batch size 1", "inf away"));
        /* A model that is broken itself verifies nothing. */
        assert_caught(run_script, script, &other, WORDS_OF("inf away"));
        dip_script_free(script);
    }
}

/* Right for a single row, but rows of a batch reach each other. */
static dip_tensor *mix_rows(void *user, dip_tensor *const *inputs)
{
    dip_tensor *rows = apply(user, inputs);
    dip_tensor *mean = dip_t_mean(rows, 0, true);
    return dip_t_add(rows, dip_t_mul_scalar(dip_t_sub(mean, rows), 1e-3));
}

static dip_tensor *transposed(void *user, dip_tensor *const *inputs)
{
    return dip_t_transpose(apply(user, inputs), 0, 1);
}

static void test_gate_catches_rows_that_depend_on_the_batch(void **state)
{
    (void)state;
    net n = make_net();
    assert_caught(mix_rows, &n, &n, WORDS_OF("batch size 7: row"));
}

static void test_gate_catches_another_shape(void **state)
{
    (void)state;
    net n = make_net();
    assert_caught(transposed, &n, &n, WORDS_OF("is not [1, 3]"));
}

static dip_tensor *constant(void *user, dip_tensor *const *inputs)
{
    (void)inputs;
    return dip_tensor_from(user, DIP_F32, SIZES(1, 2));
}

/* The distance of `a` from `b`, two numbers each, as the gate measures it. */
static double measured(float *a, float *b)
{
    dip_gate_report report = {0};
    dip_err err = {0};
    const dip_gate_side artefact = {constant, a}, live = {constant, b};
    dip_status st = check(&report, 1, &artefact, &live, &err);
    assert_int_equal(report.count, 1);
    double max = report.lines[0].max;
    assert_int_equal(st, max <= DIP_GATE_FP32 ? DIP_OK : DIP_EVERIFY);
    assert_true(report.lines[0].mean == max);
    dip_gate_report_free(&report);
    return max;
}

static void test_gate_measures_distances_relative_to_the_model(void **state)
{
    (void)state;
    const float step = 1.0f / 32768.0f;
    float wanted[] = {3, 4}, near[] = {3, 4 + step}, far[] = {3 + 2 * step, 4};
    float zero[] = {0, 0}, tiny[] = {0, 1e-3f};
    assert_near(measured(wanted, wanted), 0, 0);
    assert_near(measured(near, wanted), (double)step / 5, 1e-12);
    assert_near(measured(far, wanted), (double)step * 2 / 5, 1e-12);
    assert_near(measured(tiny, zero), 1e-3, 1e-9); /* a row without a text */
    assert_near(measured(zero, zero), 0, 0);
    assert_near(measured(zero, tiny), 1, 1e-9);
}

static void test_gate_uses_batches_for_which_there_are_rows(void **state)
{
    (void)state;
    net n = make_net();
    const dip_gate_side side = {apply, &n};
    static const struct {
        int64_t rows;
        size_t lines;
        int64_t last;
    } cases[] = {{1, 1, 1}, {5, 2, 5}, {7, 2, 7}, {9, 3, 9}, {64, 3, 64}};
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_gate_report report = {0};
        dip_err err = {0};
        assert_ok(check(&report, cases[i].rows, &side, &side, &err), &err);
        assert_int_equal(report.count, cases[i].lines);
        assert_int_equal(report.lines[report.count - 1].batch, cases[i].last);
        dip_gate_report_free(&report);
    }
}

/* Rows against a matrix that stays whole, whatever the batch. */
static dip_tensor *against(void *user, dip_tensor *const *inputs)
{
    assert_int_equal(dip_tensor_size(inputs[1], 0), *(int *)user);
    return dip_t_linear(inputs[0], inputs[1], NULL);
}

static void test_gate_keeps_inputs_whole_that_are_not_batched(void **state)
{
    (void)state;
    int products = 90; /* more than rows: they could not be cut alike */
    const dip_gate_side side = {against, &products};
    dip_tensor *inputs[] = {pattern(SIZES(COUNT, IN)),
                            pattern(SIZES(products, IN))};
    const dip_gate_case c = {"scorer",      "",   inputs, 2, 1,
                             DIP_GATE_FP32, NULL, 0};
    dip_gate_report report = {0};
    dip_err err = {0};
    assert_ok(dip_gate_check(&report, &c, &side, &side, &err), &err);
    assert_int_equal(report.count, 3);
    dip_gate_report_free(&report);
}

/* The same error passes at the tolerance of one format and not of another. */
static void test_gate_takes_the_tolerance_of_the_case(void **state)
{
    (void)state;
    net live = make_net(), other = make_net();
    ((float *)dip_tensor_data(other.weight))[5] += 1e-3f;
    const dip_gate_side artefact = {apply, &other}, model = {apply, &live};
    dip_tensor *inputs[] = {pattern(SIZES(COUNT, IN))};
    dip_gate_case c = {"half.onnx", "", inputs, 1, 0, 1e-2, NULL, 0};
    dip_gate_report report = {0};
    dip_err err = {0};
    assert_ok(dip_gate_check(&report, &c, &artefact, &model, &err), &err);
    assert_near(report.lines[0].tolerance, 1e-2, 0);
    c.tolerance = report.lines[0].max / 2;
    assert_int_equal(dip_gate_check(&report, &c, &artefact, &model, &err),
                     DIP_EVERIFY);
    dip_gate_report_free(&report);
}

/* Rows near zero are measured by the size that the case gives, longer ones by
 * their own length. */
static void test_gate_measures_small_scores_by_their_size(void **state)
{
    (void)state;
    static const float exact[2][OUT] = {{1e-4f, 0, -1e-4f}, {30, 0, 40}};
    static const float near[2][OUT] = {{1e-4f, 3e-5f, -1e-4f}, {30, 3e-4f, 40}};
    dip_tensor *live = dip_tensor_from(exact, DIP_F32, SIZES(2, OUT));
    dip_tensor *other = dip_tensor_from(near, DIP_F32, SIZES(2, OUT));
    dip_tensor *inputs[] = {dip_tensor_arange(2)};
    const dip_gate_side artefact = {pick_rows, other},
                        model = {pick_rows, live};
    dip_gate_case c = {"scorer", "", inputs, 1, 0, DIP_GATE_FP32, NULL, 0};
    dip_gate_report report = {0};
    dip_err err = {0};
    assert_int_equal(dip_gate_check(&report, &c, &artefact, &model, &err),
                     DIP_EVERIFY);
    assert_non_null(strstr(err.msg, "row 0 is 2.12e-01 away"));
    dip_gate_report_free(&report);
    c.size = 10;
    assert_ok(dip_gate_check(&report, &c, &artefact, &model, &err), &err);
    assert_near(report.lines[0].max, 3e-4 / 50, 1e-8);
    assert_near(report.lines[0].mean, (3e-4 / 50 + 3e-5 / (10 * sqrt(3))) / 2,
                1e-8);
    dip_gate_report_free(&report);
}

static void test_gate_reports_a_table_and_json(void **state)
{
    (void)state;
    dip_gate_line lines[] = {
        {"a.pt", "", 1, 20, 1e-5, 3e-7, 1e-7, {20, .9, .85, .75}},
        {"b.pt", "12 tokens", 64, 20, 1e-2, INFINITY, 0.5, {0}}};
    const dip_gate_report report = {lines, 2, 2};
    dip_str text = {0};
    dip_err err = {0};
    assert_ok(dip_gate_report_table(&text, &report, 0, &err), &err);
    assert_non_null(strstr(text.data, "3.0e-07"));
    assert_non_null(strstr(text.data, "b.pt"));
    assert_non_null(strstr(text.data, "0.850  -0.050   0.750"));
    dip_str_free(&text);
    json_t *json = dip_gate_report_json(&report);
    const json_t *second = json_array_get(json, 1);
    assert_int_equal(json_array_size(json), 2);
    assert_string_equal(json_string_value(json_object_get(second, "inputs")),
                        "12 tokens");
    assert_int_equal(json_integer_value(json_object_get(second, "batch_size")),
                     64);
    assert_true(json_is_null(json_object_get(second, "max")));
    assert_true(json_is_null(json_object_get(second, "recall")));
    const json_t *recall = json_object_get(json_array_get(json, 0), "recall");
    assert_near(json_real_value(json_object_get(recall, "artefact")), .85, 0);
    assert_near(json_real_value(json_object_get(recall, "live")), .9, 0);
    assert_int_equal(json_integer_value(json_object_get(recall, "pairs")), 20);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_gate_passes_a_faithful_trace),
        MODEL_TEST(test_gate_catches_one_changed_weight),
        MODEL_TEST(test_gate_catches_a_baked_in_batch_size),
        MODEL_TEST(test_gate_catches_a_number_that_is_not_finite),
        MODEL_TEST(test_gate_catches_rows_that_depend_on_the_batch),
        MODEL_TEST(test_gate_catches_another_shape),
        MODEL_TEST(test_gate_measures_distances_relative_to_the_model),
        MODEL_TEST(test_gate_uses_batches_for_which_there_are_rows),
        MODEL_TEST(test_gate_keeps_inputs_whole_that_are_not_batched),
        MODEL_TEST(test_gate_takes_the_tolerance_of_the_case),
        MODEL_TEST(test_gate_measures_small_scores_by_their_size),
        MODEL_TEST(test_gate_reports_a_table_and_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
