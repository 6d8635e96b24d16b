#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/tensor/scope.h"
#include "tests/train/small_params.h"
#include "train/soup.h"

/* Three sets of parameters whose elements are all 1, 4 and 7. */
typedef struct {
    small_params sets[3];
    dip_soup *soup;
} fixture;

static void begin(fixture *f)
{
    dip_err err = {0};
    for (int i = 0; i < 3; i++) {
        small_params_begin(&f->sets[i]);
        small_params_set(&f->sets[i], 1 + 3 * i);
    }
    assert_int_equal(dip_soup_create(&f->soup, f->sets[0].params, &err),
                     DIP_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(dip_soup_add(f->soup, f->sets[i].params, &err),
                         DIP_OK);
}

static void end(fixture *f)
{
    dip_soup_free(f->soup);
    for (int i = 0; i < 3; i++)
        small_params_end(&f->sets[i]);
}

static void test_soup_is_the_weighted_sum(void **state)
{
    (void)state;
    static const double weights[3] = {.25, .25, .5}, last[3] = {0, 0, 1};
    fixture f;
    dip_err err = {0};
    begin(&f);
    assert_int_equal(dip_soup_count(f.soup), 3);
    assert_int_equal(dip_soup_pour(f.soup, weights, &err), DIP_OK);
    const small_params *got = &f.sets[0];
    assert_tensor(got->weight, 4.75, 4.75, 4.75, 4.75, 4.75, 4.75);
    assert_tensor(got->bias, 4.75, 4.75);
    assert_tensor(got->mean, 4.75, 4.75); /* buffers, too */
    assert_true(dip_tensor_requires_grad(got->weight));
    /* Ingredients are copies: the first pouring has not changed them. */
    assert_int_equal(dip_soup_pour(f.soup, last, &err), DIP_OK);
    assert_tensor(got->bias, 7, 7);
    end(&f);
}

/* A NaN in a run that is not taken must not reach the soup. */
static void test_soup_leaves_out_what_weighs_nothing(void **state)
{
    (void)state;
    static const double weights[4] = {.5, .5, 0, 0};
    fixture f;
    dip_err err = {0};
    begin(&f);
    small_params_set(&f.sets[1], NAN);
    assert_int_equal(dip_soup_add(f.soup, f.sets[1].params, &err), DIP_OK);
    assert_int_equal(dip_soup_pour(f.soup, weights, &err), DIP_OK);
    assert_tensor(f.sets[0].bias, 2.5, 2.5);
    end(&f);
}

static void refuse(fixture *f, const char *name, const char *second, int64_t n,
                   const char *words)
{
    dip_err err = {0};
    dip_params *other;
    assert_int_equal(dip_params_create(&other, &err), DIP_OK);
    (void)dip_params_add(other, "weight", DIP_PARAM_WEIGHT,
                         dip_tensor_full(0, DIP_F32, SIZES(2, 3)));
    (void)dip_params_add(other, "mean", DIP_PARAM_BUFFER,
                         dip_tensor_full(0, DIP_F32, SIZES(2)));
    (void)dip_params_add(other, name, DIP_PARAM_NO_DECAY,
                         dip_tensor_full(0, DIP_F32, SIZES(n)));
    if (second != NULL)
        (void)dip_params_add(other, second, DIP_PARAM_WEIGHT,
                             dip_tensor_full(0, DIP_F32, SIZES(1)));
    assert_int_equal(dip_soup_add(f->soup, other, &err), DIP_EDATA);
    assert_string_equal(err.msg, words);
    assert_int_equal(dip_soup_count(f->soup), 3);
    dip_params_free(other);
}

static void test_soup_refuses_another_architecture(void **state)
{
    (void)state;
    fixture f;
    begin(&f);
    refuse(&f, "offset", NULL, 2, "no parameter 'bias'");
    refuse(&f, "bias", NULL, 3, "another shape of 'bias'");
    refuse(&f, "bias", "offset", 2, "one more parameter, 'offset'");
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_soup_is_the_weighted_sum),
        CASE(test_soup_leaves_out_what_weighs_nothing),
        CASE(test_soup_refuses_another_architecture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
