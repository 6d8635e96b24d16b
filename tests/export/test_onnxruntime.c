#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "export/onnxruntime.h"
#include "tests/export/helper.h"

#define FOLDER "tests/golden/onnx/"

static dip_ort *open_model(const char *path)
{
    dip_ort *session = NULL;
    dip_err err = {0};
    assert_ok(dip_ort_open(&session, path, 1, &err), &err);
    return session;
}

static dip_tensor *run(dip_ort *session, const char *const *names,
                       dip_tensor *const *inputs, int count, const char *output)
{
    dip_tensor *out = NULL;
    dip_err err = {0};
    assert_ok(dip_ort_run(session, names, inputs, count, output, &out, &err),
              &err);
    return out;
}

static void assert_fails(dip_status got, dip_status wanted, const dip_err *err,
                         const char *words)
{
    if (got != wanted || err->code != wanted || strstr(err->msg, words) == NULL)
        fail_msg("%s: '%s' does not hold '%s'", dip_status_name(got), err->msg,
                 words);
}

/* Each golden model gives the rows of the reference evaluator, in its dtype,
 * for all rows and for the first alone. */
static void test_onnxruntime_gives_the_reference_outputs(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *inputs[3], *output;
        dip_dtype dtype;
    } cases[] = {
        {"linear", {"x"}, "y", DIP_F32},
        {"linear", {"x"}, "s", DIP_F32},
        {"masked", {"ids", "present"}, "rows", DIP_F32},
        {"half", {"x"}, "y", DIP_F16},
        {"bytes", {"pixels"}, "y", DIP_I8},
    };
    dip_safetensors *golden = golden_open(FOLDER "cases.safetensors");
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        char path[64];
        dip_tensor *inputs[2], *first[2];
        int count = 0;
        for (; cases[i].inputs[count] != NULL; count++) {
            inputs[count] =
                golden_get(golden, cases[i].name, cases[i].inputs[count]);
            first[count] = dip_t_narrow(inputs[count], 0, 0, 1);
        }
        (void)snprintf(path, sizeof path, FOLDER "%s.onnx", cases[i].name);
        dip_ort *session = open_model(path);
        dip_tensor *all =
            run(session, cases[i].inputs, inputs, count, cases[i].output);
        dip_tensor *row =
            run(session, cases[i].inputs, first, count, cases[i].output);
        dip_tensor *wanted = golden_get(golden, cases[i].name, cases[i].output);
        assert_int_equal(dip_tensor_dtype(all), cases[i].dtype);
        assert_true(distance(all, wanted) < 1e-6);
        assert_true(distance(row, dip_t_narrow(wanted, 0, 0, 1)) < 1e-6);
        dip_ort_close(session);
    }
    dip_safetensors_close(golden);
}

static void test_onnxruntime_names_inputs_and_outputs(void **state)
{
    (void)state;
    dip_ort *masked = open_model(FOLDER "masked.onnx");
    assert_int_equal(dip_ort_input_count(masked), 2);
    assert_string_equal(dip_ort_input_name(masked, 0), "ids");
    assert_string_equal(dip_ort_input_name(masked, 1), "present");
    assert_null(dip_ort_input_name(masked, 2));
    assert_null(dip_ort_input_name(masked, -1));
    dip_ort_close(masked);
    dip_ort *linear = open_model(FOLDER "linear.onnx");
    assert_int_equal(dip_ort_output_count(linear), 2);
    assert_string_equal(dip_ort_output_name(linear, 0), "y");
    assert_string_equal(dip_ort_output_name(linear, 1), "s");
    assert_null(dip_ort_output_name(linear, 2));
    dip_ort_close(linear);
    dip_ort_close(NULL);
}

/* In any order, of two sessions at once, transposed, or with no rows. */
static void test_onnxruntime_takes_inputs_as_they_lie(void **state)
{
    (void)state;
    static const char *const x[] = {"x"}, *const turned[] = {"present", "ids"};
    dip_safetensors *golden = golden_open(FOLDER "cases.safetensors");
    dip_ort *linear = open_model(FOLDER "linear.onnx");
    dip_ort *masked = open_model(FOLDER "masked.onnx");
    dip_tensor *rows = golden_get(golden, "linear", "x");
    dip_tensor *strided =
        dip_t_transpose(dip_t_contiguous(dip_t_transpose(rows, 0, 1)), 0, 1);
    dip_tensor *none = dip_t_narrow(rows, 0, 0, 0);
    assert_true(distance(run(linear, x, &strided, 1, "y"),
                         golden_get(golden, "linear", "y")) < 1e-6);
    assert_int_equal(dip_tensor_size(run(linear, x, &none, 1, "y"), 0), 0);
    dip_tensor *inputs[] = {golden_get(golden, "masked", "present"),
                            golden_get(golden, "masked", "ids")};
    assert_true(distance(run(masked, turned, inputs, 2, "rows"),
                         golden_get(golden, "masked", "rows")) < 1e-6);
    dip_ort_close(masked);
    dip_ort_close(linear);
    dip_safetensors_close(golden);
}

static void test_onnxruntime_refuses_files_that_are_no_models(void **state)
{
    (void)state;
    static const struct {
        const char *path, *words;
        dip_status status;
    } cases[] = {
        {FOLDER "damaged.onnx",
         "'" FOLDER "damaged.onnx': ONNX Runtime: ", DIP_EFORMAT},
        {FOLDER "newer.onnx", "Opset 99", DIP_EFORMAT},
        {FOLDER "cases.safetensors", "ONNX Runtime: ", DIP_EFORMAT},
        {FOLDER "absent.onnx", "absent.onnx", DIP_EIO},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_ort *session = NULL;
        dip_err err = {0};
        dip_status st = dip_ort_open(&session, cases[i].path, 1, &err);
        assert_fails(st, cases[i].status, &err, cases[i].words);
        assert_null(session);
        assert_null(strchr(err.msg, '\n'));
    }
}

/* What the model cannot take is told in the words of the library, and the
 * session still runs. */
static void test_onnxruntime_refuses_inputs_that_do_not_fit(void **state)
{
    (void)state;
    dip_ort *session = open_model(FOLDER "linear.onnx");
    const struct {
        const char *name, *output, *words;
        dip_tensor *input;
        int count;
    } cases[] = {
        {"z", "y", "z", pattern(SIZES(2, 4)), 1},
        {"x", "z", "z", pattern(SIZES(2, 4)), 1},
        {"x", "y", "dimensions", pattern(SIZES(2, 5)), 1},
        {"x", "y", "rank", pattern(SIZES(4)), 1},
        {"x", "y", "type", dip_tensor_full(1, DIP_I64, SIZES(2, 4)), 1},
        {"x", "y", "BF16", dip_tensor_full(1, DIP_BF16, SIZES(2, 4)), 1},
        {"x", "y", "Missing Input: x", NULL, 0},
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++) {
        dip_tensor *out = NULL;
        dip_err err = {0};
        dip_status st =
            dip_ort_run(session, &cases[i].name, &cases[i].input,
                        cases[i].count, cases[i].output, &out, &err);
        assert_fails(st, DIP_ETENSOR, &err, cases[i].words);
        assert_non_null(strstr(err.msg, "linear.onnx"));
        assert_null(out);
    }
    dip_tensor *x = pattern(SIZES(2, 4));
    assert_int_equal(
        dip_tensor_size(run(session, (const char *[]){"x"}, &x, 1, "y"), 1), 3);
    dip_ort_close(session);
}

static void assert_absent(const char *words)
{
    dip_ort *session = NULL;
    dip_err err = {0};
    assert_fails(dip_ort_available(&err), DIP_ENOTFOUND, &err, words);
    assert_null(dip_ort_version());
    err = (dip_err){0};
    assert_fails(dip_ort_open(&session, FOLDER "linear.onnx", 1, &err),
                 DIP_ENOTFOUND, &err, words);
    assert_null(session);
}

/* ONNXRUNTIME names a file or a folder that has it, and nothing else is tried
 * when it holds none. */
static void test_onnxruntime_is_found_where_the_variable_says(void **state)
{
    (void)state;
    char link[64];
    place p = make_place();
    dip_err err = {0};
    const char *given = getenv("ONNXRUNTIME");
    char *before = given != NULL ? dip_strdup(given) : NULL;
    assert_ok(dip_ort_available(&err), &err);
    assert_int_equal(strncmp(dip_ort_version(), "1.", 2), 0);

    assert_int_equal(setenv("ONNXRUNTIME", p.root, 1), 0);
    assert_absent(p.root);
    assert_int_equal(setenv("ONNXRUNTIME", FOLDER "linear.onnx", 1), 0);
    assert_absent("ONNXRUNTIME='" FOLDER "linear.onnx'");
    assert_int_equal(setenv("ONNXRUNTIME", "libcmocka.so.0", 1), 0);
    assert_absent("is none");

    (void)snprintf(link, sizeof link, "%s/lib", p.root);
    assert_ok(dip_dir_make(link, &err), &err);
    (void)snprintf(link, sizeof link, "%s/lib/libonnxruntime.so.1.0", p.root);
    assert_ok(dip_link_replace(link, DIP_ONNXRUNTIME, &err), &err);
    assert_int_equal(setenv("ONNXRUNTIME", p.root, 1), 0);
    assert_ok(dip_ort_available(&err), &err);
    assert_int_equal(setenv("ONNXRUNTIME", link, 1), 0);
    assert_ok(dip_ort_available(&err), &err);

    assert_int_equal(before != NULL ? setenv("ONNXRUNTIME", before, 1)
                                    : unsetenv("ONNXRUNTIME"),
                     0);
    free(before);
    remove_place(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_onnxruntime_gives_the_reference_outputs),
        MODEL_TEST(test_onnxruntime_names_inputs_and_outputs),
        MODEL_TEST(test_onnxruntime_takes_inputs_as_they_lie),
        MODEL_TEST(test_onnxruntime_refuses_files_that_are_no_models),
        MODEL_TEST(test_onnxruntime_refuses_inputs_that_do_not_fit),
        MODEL_TEST(test_onnxruntime_is_found_where_the_variable_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
