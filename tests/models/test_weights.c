#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/models/helper.h"

static dip_params *make_params(int count, const char *const *names,
                               const int64_t (*shapes)[2], double value)
{
    dip_params *params = NULL;
    dip_err err = {0};
    assert_ok(dip_params_create(&params, &err), &err);
    for (int i = 0; i < count; i++)
        dip_params_add(params, names[i], DIP_PARAM_WEIGHT,
                       dip_tensor_full(value + i, DIP_F32, 2, shapes[i]));
    assert_no_error();
    return params;
}

static const char *const NAMES[] = {"image.a", "image.b.weight", "text.a"};
static const int64_t SHAPES[][2] = {{2, 3}, {1, 4}, {5, 1}};

static void temporary(char path[64])
{
    (void)snprintf(path, 64, "/tmp/diptych-test-weights-XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
}

static double value_of(const dip_params *params, int i)
{
    return dip_tensor_item(dip_t_mean_all(dip_params_tensor(params, i)));
}

static void test_weights_come_back(void **state)
{
    (void)state;
    char path[64];
    dip_err err = {0};
    temporary(path);
    dip_params *saved = make_params(3, NAMES, SHAPES, 1.0);
    assert_ok(dip_weights_save(saved, path, NULL, 0, &err), &err);
    dip_params *other = make_params(3, NAMES, SHAPES, 50.0);
    assert_ok(dip_weights_load(other, "", path, &err), &err);
    for (int i = 0; i < 3; i++)
        assert_near(value_of(other, i), 1.0 + i, 0);
    assert_true(dip_tensor_requires_grad(dip_params_tensor(other, 0)));
    dip_params_free(saved);
    dip_params_free(other);
    unlink(path);
}

/* A file of one tower, by the tower's own names, into the whole model. */
static void test_weights_load_below_a_prefix(void **state)
{
    (void)state;
    static const char *const TOWER[] = {"a", "b.weight"};
    char path[64];
    dip_err err = {0};
    temporary(path);
    dip_params *tower = make_params(2, TOWER, SHAPES, 7.0);
    assert_ok(dip_weights_save(tower, path, NULL, 0, &err), &err);
    dip_params *model = make_params(3, NAMES, SHAPES, 0.0);
    assert_ok(dip_weights_load(model, "image.", path, &err), &err);
    assert_near(value_of(model, 0), 7.0, 0);
    assert_near(value_of(model, 1), 8.0, 0);
    assert_near(value_of(model, 2), 2.0, 0); /* as it was */
    dip_params_free(tower);
    dip_params_free(model);
    unlink(path);
}

static void assert_load_fails(dip_params *params, const char *path,
                              dip_status code, const char *words)
{
    dip_err err = {0};
    assert_int_equal(dip_weights_load(params, "", path, &err), code);
    if (!strstr(err.msg, words))
        fail_msg("'%s' does not hold '%s'", err.msg, words);
    if (!strstr(err.msg, path))
        fail_msg("'%s' does not name the file", err.msg);
}

static void test_weights_that_do_not_fit_change_nothing(void **state)
{
    (void)state;
    static const char *const OTHERS[] = {"image.a", "image.c", "text.b"};
    static const int64_t TURNED[][2] = {{2, 3}, {4, 1}, {5, 1}};
    char path[64];
    dip_err err = {0};
    temporary(path);
    dip_params *model = make_params(3, NAMES, SHAPES, 0.0);

    dip_params *other = make_params(3, OTHERS, SHAPES, 9.0);
    assert_ok(dip_weights_save(other, path, NULL, 0, &err), &err);
    assert_load_fails(model, path, DIP_EDATA,
                      "missing: image.b.weight, text.a; "
                      "unexpected: image.c, text.b");
    dip_params_free(other);

    other = make_params(3, NAMES, TURNED, 9.0);
    assert_ok(dip_weights_save(other, path, NULL, 0, &err), &err);
    assert_load_fails(model, path, DIP_EDATA,
                      "wrong shape of 'image.b.weight'");
    assert_load_fails(model, path, DIP_EDATA,
                      "the file has [4, 1], the model has [1, 4]");
    dip_params_free(other);
    unlink(path);
    assert_load_fails(model, "/nonexistent/x", DIP_ENOTFOUND, "");
    for (int i = 0; i < 3; i++)
        assert_near(value_of(model, i), i, 0);
    dip_params_free(model);
}

static void test_weights_message_counts_what_it_does_not_list(void **state)
{
    (void)state;
    static const char *const MANY[] = {"p0", "p1", "p2", "p3", "p4",
                                       "p5", "p6", "p7", "p8", "p9"};
    static const char *const ONE[] = {"p0"};
    static const int64_t UNITS[10][2] = {{1, 1}, {1, 1}, {1, 1}, {1, 1},
                                         {1, 1}, {1, 1}, {1, 1}, {1, 1},
                                         {1, 1}, {1, 1}};
    char path[64];
    dip_err err = {0};
    temporary(path);
    dip_params *one = make_params(1, ONE, UNITS, 0);
    assert_ok(dip_weights_save(one, path, NULL, 0, &err), &err);
    dip_params *many = make_params(10, MANY, UNITS, 0);
    assert_load_fails(many, path, DIP_EDATA, "p8 and 1 more; unexpected: none");
    dip_params_free(one);
    dip_params_free(many);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_weights_come_back),
        MODEL_TEST(test_weights_load_below_a_prefix),
        MODEL_TEST(test_weights_that_do_not_fit_change_nothing),
        MODEL_TEST(test_weights_message_counts_what_it_does_not_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
