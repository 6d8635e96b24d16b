#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/tensor/golden.h"
#include "tests/tensor/scope.h"
#include "train/ema.h"

#define UPDATES 6
#define FILE_OF "tests/golden/train/ema.safetensors"

/* The weights of the golden file, averaged. */
typedef struct {
    dip_safetensors *golden;
    dip_params *params;
    dip_tensor *weight, *mean; /* borrowed */
    dip_ema *ema;
} fixture;

static dip_tensor *golden_of(const fixture *f, const char *group, int update,
                             const char *name)
{
    char full[64];
    (void)snprintf(full, sizeof full, "%s.%d", group, update);
    return golden_get(f->golden, full, name);
}

/* What stands there before the first update must not count. */
static void begin(fixture *f, double decay, bool warmup)
{
    dip_err err = {0};
    const dip_ema_options options = {decay, warmup};
    *f = (fixture){.golden = golden_open(FILE_OF)};
    assert_int_equal(dip_params_create(&f->params, &err), DIP_OK);
    f->mean = dip_params_add(f->params, "mean", DIP_PARAM_BUFFER,
                             dip_tensor_full(7, DIP_F32, SIZES(3)));
    f->weight = dip_params_add(f->params, "weight", DIP_PARAM_WEIGHT,
                               dip_tensor_full(-5, DIP_F32, SIZES(3, 4)));
    assert_no_error();
    if (dip_ema_create(&f->ema, f->params, &options, &err) != DIP_OK)
        fail_msg("%s", err.msg);
}

static void end(fixture *f)
{
    dip_ema_free(f->ema);
    dip_params_free(f->params);
    dip_safetensors_close(f->golden);
}

/* Takes in the golden weights of update `update`, counted from 0. */
static void take_in(const fixture *f, int update)
{
    dip_err err = {0};
    dip_tensor_assign(f->weight, golden_of(f, "weights", update, "weight"));
    dip_tensor_assign(f->mean, golden_of(f, "weights", update, "mean"));
    if (dip_ema_update(f->ema, update + 1, &err) != DIP_OK)
        fail_msg("%s", err.msg);
}

static dip_tensor *average_of(const fixture *f, const char *name)
{
    const dip_params *averages = dip_ema_params(f->ema);
    return dip_params_tensor(averages, dip_params_find(averages, name));
}

static void compare(const char *peer, double decay, bool warmup)
{
    fixture f;
    begin(&f, decay, warmup);
    for (int u = 0; u < UPDATES; u++) {
        take_in(&f, u);
        for (int n = 0; n < 2; n++) {
            const char *name = n == 0 ? "weight" : "mean";
            double gap =
                distance(average_of(&f, name), golden_of(&f, peer, u, name));
            if (!(gap <= 1e-7))
                fail_msg("%s: %s after update %d is off by %g", peer, name,
                         u + 1, gap);
        }
    }
    end(&f);
}

static void test_ema_is_that_of_timm(void **state)
{
    (void)state;
    compare("plain", .9, false);
    compare("warm", .6, true);
}

static void test_ema_is_that_of_swa_utils(void **state)
{
    (void)state;
    compare("swa", .9, false);
}

static void test_ema_decay_climbs(void **state)
{
    (void)state;
    const dip_ema_options plain = {.999, false}, warm = {.999, true};
    assert_near(dip_ema_decay(&plain, 1), 0, 0);
    assert_near(dip_ema_decay(&plain, 2), .999, 0);
    assert_near(dip_ema_decay(&warm, 1), 0, 0);
    assert_near(dip_ema_decay(&warm, 8), .75, 1e-15);
    assert_near(dip_ema_decay(&warm, 1000), .99, 1e-15);
    assert_near(dip_ema_decay(&warm, 1000000), .999, 0);
}

static void test_ema_swap_gives_the_model_the_averages_and_back(void **state)
{
    (void)state;
    fixture f;
    dip_err err = {0};
    begin(&f, .9, false);
    for (int u = 0; u < UPDATES; u++)
        take_in(&f, u);
    dip_tensor *weights = golden_of(&f, "weights", UPDATES - 1, "weight");
    dip_tensor *averages = golden_of(&f, "plain", UPDATES - 1, "weight");
    assert_int_equal(dip_ema_swap(f.ema, &err), DIP_OK);
    assert_near(distance(f.weight, averages), 0, 1e-7);
    assert_near(distance(average_of(&f, "weight"), weights), 0, 0);
    assert_true(dip_tensor_requires_grad(f.weight));
    assert_int_equal(dip_ema_swap(f.ema, &err), DIP_OK);
    assert_near(distance(f.weight, weights), 0, 0);
    assert_near(distance(average_of(&f, "weight"), averages), 0, 1e-7);
    assert_true(dip_tensor_requires_grad(f.weight));
    assert_false(dip_tensor_requires_grad(average_of(&f, "weight")));
    end(&f);
}

/* Where the weights go after the update is nothing to the averages. */
static void test_ema_holds_copies(void **state)
{
    (void)state;
    fixture f;
    begin(&f, .9, false);
    take_in(&f, 0);
    dip_tensor_assign(f.weight, dip_tensor_full(99, DIP_F32, SIZES(3, 4)));
    assert_near(distance(average_of(&f, "weight"),
                         golden_of(&f, "weights", 0, "weight")),
                0, 0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_ema_is_that_of_timm),
        CASE(test_ema_is_that_of_swa_utils),
        CASE(test_ema_decay_climbs),
        CASE(test_ema_swap_gives_the_model_the_averages_and_back),
        CASE(test_ema_holds_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
