/* tests/golden/probe.json is by scikit-learn (tests/parity/gen_probe.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "eval/probe.h"

typedef struct {
    json_t *golden;
    float *train, *test;
    int32_t *labels;
    int64_t n, tests, dim, classes;
} fixture;

static float *rows_of(const json_t *rows)
{
    size_t n = json_array_size(rows);
    size_t dim = json_array_size(json_array_get(rows, 0));
    float *out = calloc(n * dim, sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < n * dim; i++)
        out[i] = (float)json_number_value(
            json_array_get(json_array_get(rows, i / dim), i % dim));
    return out;
}

static int load(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->golden = json_load_file("tests/golden/probe.json", 0, NULL);
    assert_non_null(f->golden);
    const json_t *rows = json_object_get(f->golden, "train");
    const json_t *labels = json_object_get(f->golden, "labels");
    const json_t *test = json_object_get(f->golden, "test");
    f->n = (int64_t)json_array_size(rows);
    f->tests = (int64_t)json_array_size(test);
    f->dim = (int64_t)json_array_size(json_array_get(rows, 0));
    f->classes =
        (int64_t)json_integer_value(json_object_get(f->golden, "classes"));
    f->train = rows_of(rows);
    f->test = rows_of(test);
    f->labels = calloc((size_t)f->n, sizeof *f->labels);
    assert_non_null(f->labels);
    for (int64_t i = 0; i < f->n; i++)
        f->labels[i] =
            (int32_t)json_integer_value(json_array_get(labels, (size_t)i));
    *state = f;
    return 0;
}

static int unload(void **state)
{
    fixture *f = *state;
    json_decref(f->golden);
    free(f->labels);
    free(f->train);
    free(f->test);
    free(f);
    return 0;
}

static dip_labelled_rows train_of(const fixture *f)
{
    return (dip_labelled_rows){f->train, f->labels, f->n, f->dim};
}

static dip_labelled_rows test_of(const fixture *f)
{
    return (dip_labelled_rows){f->test, NULL, f->tests, f->dim};
}

static double member(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* The rows' probabilities are those of the case, and the classes their
 * largest. */
static void assert_shares(const fixture *f, const json_t *one,
                          const int32_t *predicted, const float *shares,
                          double tolerance)
{
    const json_t *rows = json_object_get(one, "probabilities");
    assert_int_equal(json_array_size(rows), f->tests);
    for (int64_t i = 0; i < f->tests; i++) {
        const json_t *row = json_array_get(rows, (size_t)i);
        for (int64_t c = 0; c < f->classes; c++) {
            double wanted = json_number_value(json_array_get(row, (size_t)c));
            double got = (double)shares[i * f->classes + c];
            if (!(fabs(got - wanted) <= tolerance))
                fail_msg("row %d, class %d: %.9g is not %.9g", (int)i, (int)c,
                         got, wanted);
            assert_true(shares[i * f->classes + c] <=
                        shares[i * f->classes + predicted[i]]);
        }
    }
}

/* ---- nearest neighbours ---- */

static void test_probe_neighbours_vote_as_in_scikit_learn(void **state)
{
    const fixture *f = *state;
    const dip_labelled_rows train = train_of(f), test = test_of(f);
    int32_t predicted[7];
    float shares[7 * 3];
    size_t i;
    json_t *one;
    json_array_foreach (json_object_get(f->golden, "knn"), i, one) {
        dip_err err = {0};
        const dip_knn_options options = {(int64_t)member(one, "k"),
                                         member(one, "temperature")};
        assert_int_equal(dip_knn_classify(predicted, shares, &test, &train,
                                          f->classes, &options, &err),
                         DIP_OK);
        assert_shares(f, one, predicted, shares, 1e-5);
    }
    assert_int_equal(i, 4);
}

static void test_probe_neighbours_without_a_class_have_no_vote(void **state)
{
    (void)state;
    const float rows[] = {1, 0, 1, 0, 0, 5, 0, 0};
    const int32_t labels[] = {-1, 2, 1, 0}; /* of two classes */
    const float asked[] = {3, 0, 0, 0};
    const dip_labelled_rows train = {rows, labels, 4, 2};
    const dip_labelled_rows test = {asked, NULL, 2, 2};
    const dip_knn_options options = {1, .1};
    int32_t predicted[2];
    float shares[4];
    /* The nearest to the first are of no class, and then a row of zeros ties
     * with one at a right angle, which stands before it; so for zeros. */
    assert_int_equal(
        dip_knn_classify(predicted, shares, &test, &train, 2, &options, NULL),
        DIP_OK);
    assert_int_equal(predicted[0], 1);
    assert_int_equal(predicted[1], 1);
    assert_true(shares[1] == 1 && shares[0] == 0);
    const dip_knn_options many = {100, .1};
    assert_int_equal(
        dip_knn_classify(predicted, shares, &test, &train, 2, &many, NULL),
        DIP_OK);
    assert_int_equal(predicted[0], 0); /* the first of equals */
    assert_true(shares[0] == .5f && shares[1] == .5f);
}

/* ---- linear classifier ---- */

static void test_probe_linear_fits_as_scikit_learn(void **state)
{
    const fixture *f = *state;
    const dip_labelled_rows train = train_of(f), test = test_of(f);
    int32_t predicted[7];
    float shares[7 * 3];
    size_t i;
    json_t *one;
    json_array_foreach (json_object_get(f->golden, "linear"), i, one) {
        dip_linear_probe probe;
        const dip_linear_options options = {
            json_is_true(json_object_get(one, "standardise")), 1000, 1e-8};
        assert_int_equal(dip_linear_probe_fit(&probe, &train, f->classes,
                                              member(one, "c"), &options, NULL),
                         DIP_OK);
        assert_true(fabs(probe.objective - member(one, "objective")) < 1e-6);
        assert_int_equal(probe.rows, f->n);
        assert_int_equal(
            dip_linear_probe_classify(predicted, shares, &probe, &test, NULL),
            DIP_OK);
        assert_shares(f, one, predicted, shares, 1e-3);
        dip_linear_probe_free(&probe);
    }
    assert_int_equal(i, 4);
}

static void test_probe_linear_passes_over_rows_without_a_class(void **state)
{
    const fixture *f = *state;
    const dip_labelled_rows train = train_of(f);
    const dip_linear_options options = {true, 1000, 1e-8};
    float *rows = calloc((size_t)((f->n + 2) * f->dim), sizeof *rows);
    int32_t *labels = calloc((size_t)f->n + 2, sizeof *labels);
    assert_true(rows != NULL && labels != NULL);
    memcpy(rows + 2 * f->dim, f->train, (size_t)(f->n * f->dim) * sizeof *rows);
    memcpy(labels + 2, f->labels, (size_t)f->n * sizeof *labels);
    rows[0] = 1e3f;
    rows[f->dim] = -1e6f;
    labels[0] = -1;
    labels[1] = 3; /* of three classes */
    const dip_labelled_rows more = {rows, labels, f->n + 2, f->dim};
    dip_linear_probe a, b;
    assert_int_equal(
        dip_linear_probe_fit(&a, &train, f->classes, 1, &options, NULL),
        DIP_OK);
    assert_int_equal(
        dip_linear_probe_fit(&b, &more, f->classes, 1, &options, NULL), DIP_OK);
    assert_memory_equal(a.weights, b.weights,
                        (size_t)(a.classes * a.dim) * sizeof *a.weights);
    assert_int_equal(b.rows, f->n);
    dip_linear_probe_free(&b);
    dip_linear_probe_free(&a);
    free(labels);
    free(rows);
}

static double accuracy_of(const dip_linear_probe *probe,
                          const dip_labelled_rows *rows)
{
    int32_t *predicted = calloc((size_t)rows->n, sizeof *predicted);
    float *shares = calloc((size_t)(rows->n * probe->classes), sizeof *shares);
    assert_true(predicted != NULL && shares != NULL);
    assert_int_equal(
        dip_linear_probe_classify(predicted, shares, probe, rows, NULL),
        DIP_OK);
    double right = 0;
    for (int64_t i = 0; i < rows->n; i++)
        right += predicted[i] == rows->labels[i];
    free(shares);
    free(predicted);
    return right / (double)rows->n;
}

/* Few rows of many dimensions, of which one tells something: they need much of
 * a penalty. */
static void test_probe_linear_takes_the_penalty_of_best_accuracy(void **state)
{
    (void)state;
    enum { N = 40, MORE = 400, DIM = 30 };
    static float rows[(N + MORE) * DIM];
    static int32_t labels[N + MORE];
    uint32_t seed = 7;
    for (int i = 0; i < (N + MORE) * DIM; i++) {
        seed = seed * 1664525u + 1013904223u;
        rows[i] = (float)(seed >> 8) / (float)(1 << 24) - .5f;
    }
    for (int i = 0; i < N + MORE; i++) {
        labels[i] = i % 2;
        rows[(ptrdiff_t)i * DIM + 3] += (float)(i % 2);
    }
    const dip_labelled_rows train = {rows, labels, N, DIM};
    const dip_labelled_rows validation = {rows + (ptrdiff_t)N * DIM, labels + N,
                                          MORE, DIM};
    const dip_linear_options options = {false, 1000, 1e-6};
    dip_linear_probe chosen, other;
    assert_int_equal(dip_linear_probe_choose(&chosen, &train, &validation, 2,
                                             &options, NULL),
                     DIP_OK);
    assert_true(accuracy_of(&chosen, &validation) ==
                chosen.validation_accuracy);
    double worst = 1;
    for (int power = -6; power <= 6; power++) {
        assert_int_equal(dip_linear_probe_fit(&other, &train, 2, pow(10, power),
                                              &options, NULL),
                         DIP_OK);
        double accuracy = accuracy_of(&other, &validation);
        assert_true(isnan(other.validation_accuracy));
        if (power % 2 == 0) /* the search looked at it, from another start */
            assert_true(accuracy <= chosen.validation_accuracy + 1.5 / MORE);
        worst = fmin(worst, accuracy);
        dip_linear_probe_free(&other);
    }
    assert_true(chosen.validation_accuracy > worst + .02);
    double eighths = log10(chosen.c) * 8;
    assert_true(fabs(eighths - round(eighths)) < 1e-6);
    dip_linear_probe_free(&chosen);
}

static void test_probe_linear_does_not_depend_on_threads(void **state)
{
    const fixture *f = *state;
    const dip_labelled_rows train = train_of(f);
    const dip_linear_options options = {false, 1000, 1e-8};
    dip_linear_probe a, b;
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    assert_int_equal(
        dip_linear_probe_fit(&a, &train, f->classes, 1, &options, NULL),
        DIP_OK);
    omp_set_num_threads(3);
    assert_int_equal(
        dip_linear_probe_fit(&b, &train, f->classes, 1, &options, NULL),
        DIP_OK);
    omp_set_num_threads(threads);
    assert_memory_equal(a.weights, b.weights,
                        (size_t)(a.classes * a.dim) * sizeof *a.weights);
    assert_memory_equal(a.bias, b.bias, (size_t)a.classes * sizeof *a.bias);
    dip_linear_probe_free(&b);
    dip_linear_probe_free(&a);
}

/* ---- refusals ---- */

static void test_probe_refuses_what_teaches_nothing(void **state)
{
    (void)state;
    const float rows[] = {1, 2, 3, 4};
    const float bad[] = {1, 2, (float)NAN, 4};
    const int32_t none[] = {-1, 2}, labels[] = {0, 1};
    const dip_labelled_rows nothing = {rows, none, 2, 2};
    const dip_labelled_rows good = {rows, labels, 2, 2};
    const dip_labelled_rows holed = {bad, labels, 2, 2};
    const dip_knn_options knn = {1, .1}, no_k = {0, .1}, cold = {1, 0};
    const dip_linear_options linear = {false, 10, 1e-4};
    int32_t predicted[2];
    float shares[4];
    dip_linear_probe probe;
    dip_err err = {0};
    assert_int_equal(
        dip_knn_classify(predicted, shares, &good, &nothing, 2, &knn, &err),
        DIP_EDATA);
    assert_string_equal(err.msg, "no training row has a class");
    assert_int_equal(
        dip_knn_classify(predicted, shares, &good, &good, 2, &no_k, &err),
        DIP_ERANGE);
    assert_int_equal(
        dip_knn_classify(predicted, shares, &good, &good, 2, &cold, &err),
        DIP_ERANGE);
    assert_int_equal(
        dip_knn_classify(predicted, shares, &good, &holed, 2, &knn, &err),
        DIP_ENUMERIC);
    assert_string_equal(err.msg, "training row 1 holds NaN at dimension 0");
    assert_int_equal(
        dip_linear_probe_fit(&probe, &nothing, 2, 1, &linear, &err), DIP_EDATA);
    assert_null(probe.weights);
    assert_int_equal(dip_linear_probe_fit(&probe, &holed, 2, 1, &linear, &err),
                     DIP_ENUMERIC);
    assert_int_equal(dip_linear_probe_fit(&probe, &good, 2, 0, &linear, &err),
                     DIP_ERANGE);
    assert_int_equal(
        dip_linear_probe_choose(&probe, &good, &nothing, 2, &linear, &err),
        DIP_EDATA);
    assert_string_equal(err.msg, "no validation row has a class");
    assert_null(probe.weights);
    dip_linear_probe_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probe_neighbours_vote_as_in_scikit_learn),
        cmocka_unit_test(test_probe_neighbours_without_a_class_have_no_vote),
        cmocka_unit_test(test_probe_linear_fits_as_scikit_learn),
        cmocka_unit_test(test_probe_linear_passes_over_rows_without_a_class),
        cmocka_unit_test(test_probe_linear_takes_the_penalty_of_best_accuracy),
        cmocka_unit_test(test_probe_linear_does_not_depend_on_threads),
        cmocka_unit_test(test_probe_refuses_what_teaches_nothing),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
