#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "tests/tensor/golden.h"
#include "tests/tensor/scope.h"
#include "train/optimizer.h"

#define UPDATES 5
#define FILE_OF "tests/golden/train/optimizer.safetensors"

static const dip_optimizer_options adamw = {.kind = DIP_OPTIMIZER_ADAMW,
                                            .weight_decay = .3,
                                            .beta1 = .8,
                                            .beta2 = .95,
                                            .eps = 1e-6};
static const dip_optimizer_options sgd = {
    .kind = DIP_OPTIMIZER_SGD, .weight_decay = .3, .momentum = .9};
static const dip_optimizer_options nesterov = {.kind = DIP_OPTIMIZER_SGD,
                                               .weight_decay = .3,
                                               .momentum = .9,
                                               .nesterov = true};

/* The golden parameters under an optimizer. The bias and a buffer stand before
 * the weight: groups are made by kind, not by place. */
typedef struct {
    dip_safetensors *golden;
    dip_params *params;
    dip_tensor *weight, *bias, *buffer; /* borrowed */
    dip_optimizer *optimizer;
    double lr[UPDATES];
} fixture;

static dip_tensor *named(const dip_safetensors *file, const char *name)
{
    int i = dip_safetensors_find(file, name);
    if (i < 0)
        fail_msg("no golden '%s'", name);
    return dip_safetensors_tensor(file, i);
}

static void begin_with(fixture *f, const dip_optimizer_options *options,
                       dip_param_kind kind)
{
    dip_err err = {0};
    *f = (fixture){.golden = golden_open(FILE_OF)};
    assert_int_equal(dip_params_create(&f->params, &err), DIP_OK);
    f->bias = dip_params_add(f->params, "bias", DIP_PARAM_NO_DECAY,
                             named(f->golden, "bias"));
    f->buffer = dip_params_add(f->params, "mean", DIP_PARAM_BUFFER,
                               dip_tensor_full(7, DIP_F32, SIZES(2)));
    f->weight =
        dip_params_add(f->params, "weight", kind, named(f->golden, "weight"));
    dip_tensor_read(named(f->golden, "lr"), DIP_F64, f->lr, sizeof f->lr);
    assert_no_error();
    if (dip_optimizer_create(&f->optimizer, f->params, options, &err) != DIP_OK)
        fail_msg("%s", err.msg);
}

static void begin(fixture *f, const dip_optimizer_options *options)
{
    begin_with(f, options, DIP_PARAM_WEIGHT);
}

static void end(fixture *f)
{
    dip_optimizer_free(f->optimizer);
    dip_params_free(f->params);
    dip_safetensors_close(f->golden);
}

static void set_grads(const fixture *f, int update)
{
    char group[32];
    (void)snprintf(group, sizeof group, "grad.%d", update);
    dip_tensor_set_grad(f->weight, golden_get(f->golden, group, "weight"));
    dip_tensor_set_grad(f->bias, golden_get(f->golden, group, "bias"));
}

/* Update `update`, counted from 0, with the golden gradients and rate. */
static double run_update(const fixture *f, int update, double clip)
{
    dip_err err = {0};
    double norm = NAN;
    set_grads(f, update);
    if (dip_optimizer_step(f->optimizer, update + 1, f->lr[update], clip, &norm,
                           &err) != DIP_OK)
        fail_msg("%s", err.msg);
    return norm;
}

static void assert_at(const fixture *f, const char *name, int update)
{
    char group[64];
    (void)snprintf(group, sizeof group, "%s.%d", name, update);
    assert_true(distance(f->weight, golden_get(f->golden, group, "weight")) <=
                1e-6);
    assert_true(distance(f->bias, golden_get(f->golden, group, "bias")) <=
                1e-6);
}

static void follow(const char *name, const dip_optimizer_options *options,
                   double clip)
{
    fixture f;
    double norms[UPDATES];
    begin(&f, options);
    dip_tensor_read(golden_get(f.golden, name, "norm"), DIP_F64, norms,
                    sizeof norms);
    for (int update = 0; update < UPDATES; update++) {
        assert_near(run_update(&f, update, clip), norms[update], 1e-5);
        assert_at(&f, name, update);
        assert_null(dip_tensor_grad(f.weight)); /* used up */
    }
    assert_tensor(f.buffer, 7, 7);
    end(&f);
}

static void test_optimizer_adamw_follows_torch(void **state)
{
    (void)state;
    follow("adamw", &adamw, 0);
    follow("adamw_clipped", &adamw, 1);
}

/* The golden gradient but for a row, another each time, as a look-up leaves it:
 * each row in two halves, the last first. */
static void backward_without_a_row(const fixture *f, int update)
{
    int64_t ids[4];
    int count = 0;
    for (int row = 2; row >= 0; row--) {
        if (row != update % 3)
            ids[count] = ids[2 + count] = row, count++;
    }
    char group[32];
    (void)snprintf(group, sizeof group, "grad.%d", update);
    dip_tensor *rows = dip_tensor_from(ids, DIP_I64, SIZES(4));
    dip_tensor *half = dip_t_mul_scalar(
        dip_t_index_select(golden_get(f->golden, group, "weight"), 0, rows),
        .5);
    dip_tensor *seen = dip_t_embedding_sparse(f->weight, rows, -1);
    dip_tensor_backward(dip_t_sum_all(dip_t_mul(seen, half)));
}

static void step_without_a_row(const fixture *f, int update)
{
    dip_err err = {0};
    double norm;
    dip_scope_open();
    backward_without_a_row(f, update);
    dip_scope_close();
    if (dip_optimizer_step(f->optimizer, update + 1, f->lr[update], 0, &norm,
                           &err) != DIP_OK)
        fail_msg("%s", err.msg);
}

/* SparseAdam adds eps to the root before its bias correction. */
static void test_optimizer_updates_rows_with_sparse_gradients(void **state)
{
    (void)state;
    dip_optimizer_options options = adamw;
    options.eps = 1e-12;
    fixture f;
    begin_with(&f, &options, DIP_PARAM_SPARSE);
    for (int update = 0; update < UPDATES; update++) {
        char group[64];
        (void)snprintf(group, sizeof group, "rows.%d", update);
        step_without_a_row(&f, update);
        assert_true(distance(f.weight, golden_get(f.golden, group, "weight")) <=
                    1e-6);
    }
    end(&f);
}

/* Momentum of 0 leaves a row that is not looked up alone under SGD, too. */
static void test_optimizer_of_rows_may_be_sgd(void **state)
{
    (void)state;
    fixture f;
    begin_with(&f, &sgd, DIP_PARAM_SPARSE);
    dip_tensor *before = dip_t_clone(dip_t_narrow(f.weight, 0, 0, 1));
    step_without_a_row(&f, 0);
    assert_true(distance(dip_t_narrow(f.weight, 0, 0, 1), before) <= 0);
    dip_tensor *moved = dip_t_mul_scalar(
        dip_t_add(golden_get(f.golden, "grad.0", "weight"),
                  dip_t_mul_scalar(named(f.golden, "weight"), .3)),
        -f.lr[0]);
    dip_tensor *expected = dip_t_add(named(f.golden, "weight"), moved);
    assert_true(distance(dip_t_narrow(f.weight, 0, 1, 2),
                         dip_t_narrow(expected, 0, 1, 2)) <= 1e-6);
    end(&f);
}

static void test_optimizer_of_rows_needs_no_gradient(void **state)
{
    (void)state;
    fixture f;
    dip_err err = {0};
    double norm;
    begin_with(&f, &adamw, DIP_PARAM_SPARSE);
    assert_int_equal(dip_optimizer_step(f.optimizer, 1, .1, 1, &norm, &err),
                     DIP_OK);
    assert_near(norm, 0, 0);
    assert_true(distance(f.weight, named(f.golden, "weight")) <= 0);
    end(&f);
}

static void test_optimizer_of_rows_refuses_dense_gradients(void **state)
{
    (void)state;
    fixture f;
    dip_err err = {0};
    double norm;
    begin_with(&f, &adamw, DIP_PARAM_SPARSE);
    set_grads(&f, 0);
    assert_int_equal(dip_optimizer_step(f.optimizer, 1, .1, 1, &norm, &err),
                     DIP_ETENSOR);
    assert_non_null(strstr(err.msg, "not sparse"));
    end(&f);
}

static void test_optimizer_sgd_follows_torch(void **state)
{
    (void)state;
    follow("sgd", &sgd, 0);
    follow("sgd_nesterov", &nesterov, 1);
}

/* ---- state --------------------------------------------------------------- */

static void write_state(const fixture *f, const char *path, int skip)
{
    dip_err err = {0};
    dip_named_tensor items[8];
    int count = 0;
    for (int i = 0; i < dip_optimizer_state_count(f->optimizer); i++) {
        if (i != skip)
            items[count++] = dip_optimizer_state(f->optimizer, i);
    }
    assert_int_equal(dip_safetensors_write(path, items, count, NULL, 0, &err),
                     DIP_OK);
}

static dip_status load_state(const fixture *f, const char *path, dip_err *err)
{
    dip_safetensors *file = golden_open(path);
    dip_status st = dip_optimizer_load(f->optimizer, file, err);
    dip_safetensors_close(file);
    return st;
}

static char *temp_path(char path[64])
{
    (void)snprintf(path, 64, "/tmp/diptych-optimizer-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    return path;
}

/* Three updates, a save, a load into a new optimizer, two more: as if nothing
 * had happened. */
static void continues(const char *name, const dip_optimizer_options *options,
                      int slots)
{
    char path[64];
    fixture first, second;
    dip_err err = {0};
    begin(&first, options);
    for (int update = 0; update < 3; update++)
        (void)run_update(&first, update, 0);
    assert_int_equal(dip_optimizer_state_count(first.optimizer), 2 * slots);
    write_state(&first, temp_path(path), -1);
    begin(&second, options);
    dip_tensor_assign(second.weight, first.weight);
    dip_tensor_assign(second.bias, first.bias);
    assert_int_equal(load_state(&second, path, &err), DIP_OK);
    for (int update = 3; update < UPDATES; update++) {
        (void)run_update(&second, update, 0);
        assert_at(&second, name, update);
    }
    end(&first);
    end(&second);
    (void)unlink(path);
}

static void test_optimizer_state_goes_on_where_it_was_saved(void **state)
{
    (void)state;
    continues("adamw", &adamw, 2);
    continues("sgd", &sgd, 1);
}

static void test_optimizer_state_is_named_after_parameters(void **state)
{
    (void)state;
    fixture f;
    begin(&f, &adamw);
    static const char *const names[] = {"exp_avg.weight", "exp_avg.bias",
                                        "exp_avg_sq.weight", "exp_avg_sq.bias"};
    for (int i = 0; i < (int)DIP_ARRAY_LEN(names); i++)
        assert_string_equal(dip_optimizer_state(f.optimizer, i).name, names[i]);
    end(&f);
}

static void test_optimizer_refuses_a_missing_state(void **state)
{
    (void)state;
    char path[64];
    fixture f;
    dip_err err = {0};
    begin(&f, &adamw);
    write_state(&f, temp_path(path), 3);
    assert_int_equal(load_state(&f, path, &err), DIP_EDATA);
    assert_string_equal(err.msg, "no optimizer state 'exp_avg_sq.bias'");
    end(&f);
    (void)unlink(path);
}

static void test_optimizer_refuses_a_state_of_another_shape(void **state)
{
    (void)state;
    char path[64];
    fixture f;
    dip_err err = {0};
    begin(&f, &sgd);
    const dip_named_tensor items[] = {
        {.name = "momentum.weight",
         .tensor = dip_tensor_full(1, DIP_F32, SIZES(3, 4))},
        {.name = "momentum.bias",
         .tensor = dip_tensor_full(1, DIP_F32, SIZES(4))},
    };
    assert_int_equal(
        dip_safetensors_write(temp_path(path), items, 2, NULL, 0, &err),
        DIP_OK);
    assert_int_equal(load_state(&f, path, &err), DIP_EDATA);
    assert_string_equal(err.msg,
                        "optimizer state 'momentum.bias' has another shape "
                        "than its parameter");
    assert_no_error();
    end(&f);
    (void)unlink(path);
}

/* ---- gradients that are missing or not finite ---------------------------- */

static void refuses(double bad, const char *message)
{
    fixture f;
    dip_err err = {0};
    double norm = 0;
    begin(&f, &adamw);
    (void)run_update(&f, 0, 1);
    set_grads(&f, 1);
    dip_tensor_set_grad(f.bias, dip_tensor_full(bad, DIP_F32, SIZES(3)));
    assert_int_equal(dip_optimizer_step(f.optimizer, 2, .1, 1, &norm, &err),
                     DIP_ENUMERIC);
    assert_string_equal(err.msg, message);
    assert_at(&f, "adamw_clipped", 0);
    /* The moments are as they were, too: the next update is the second. */
    (void)run_update(&f, 1, 1);
    assert_at(&f, "adamw_clipped", 1);
    end(&f);
}

static void
test_optimizer_leaves_all_alone_when_a_gradient_is_not_finite(void **state)
{
    (void)state;
    refuses((double)NAN, "gradient norm is NaN at step 2");
    refuses(-(double)NAN, "gradient norm is NaN at step 2");
    refuses((double)INFINITY, "gradient norm is infinite at step 2");
}

/* A parameter that the loss does not reach: its decay goes on, nothing else. */
static void test_optimizer_takes_a_missing_gradient_for_zero(void **state)
{
    (void)state;
    fixture f;
    dip_err err = {0};
    double norm = NAN;
    begin(&f, &adamw);
    dip_tensor *decayed =
        dip_t_mul_scalar(named(f.golden, "weight"), 1 - .5 * .3);
    assert_int_equal(dip_optimizer_step(f.optimizer, 1, .5, 1, &norm, &err),
                     DIP_OK);
    assert_near(norm, 0, 0);
    assert_true(distance(f.weight, decayed) <= 1e-6);
    assert_true(distance(f.bias, named(f.golden, "bias")) <= 0);
    end(&f);
}

/* Of two updates for one loss the second reaches the bias alone; those for
 * another are torch's from its first on. */
static void begins_anew(const char *name, const dip_optimizer_options *options)
{
    fixture f;
    dip_err err = {0};
    double norm;
    dip_optimizer_options two = *options;
    two.restart = 2;
    begin(&f, &two);
    (void)run_update(&f, 0, 0);
    assert_at(&f, name, 0);
    dip_tensor *bias = golden_get(f.golden, "grad.0", "bias");
    dip_tensor_set_grad(f.bias, bias);
    assert_int_equal(
        dip_optimizer_step(f.optimizer, 2, f.lr[1], 0, &norm, &err), DIP_OK);
    assert_near(norm * norm,
                dip_tensor_item(dip_t_sum_all(dip_t_mul(bias, bias))), 1e-4);
    char first[32];
    (void)snprintf(first, sizeof first, "%s.0", name);
    assert_true(distance(f.weight, golden_get(f.golden, first, "weight")) <=
                1e-6);
    assert_true(distance(f.bias, golden_get(f.golden, first, "bias")) > 1e-3);
    dip_tensor_assign(f.weight, named(f.golden, "weight"));
    dip_tensor_assign(f.bias, named(f.golden, "bias"));
    for (int update = 0; update < UPDATES; update++) {
        set_grads(&f, update);
        assert_int_equal(dip_optimizer_step(f.optimizer, update + 3,
                                            f.lr[update], 0, &norm, &err),
                         DIP_OK);
        assert_at(&f, name, update);
    }
    end(&f);
}

static void test_optimizer_begins_anew_for_another_loss(void **state)
{
    (void)state;
    begins_anew("adamw", &adamw);
    begins_anew("sgd", &sgd);
}

/* ---- tuning -------------------------------------------------------------- */

/* Two updates that change nothing, then those of torch from the first on. */
static void test_optimizer_unlocks_what_waits(void **state)
{
    (void)state;
    static const char *const all[] = {"*"};
    fixture f;
    dip_err err = {0};
    double norm;
    dip_optimizer_options options = adamw;
    options.tuning = (dip_tuning_options){
        .freeze = all, .freeze_count = 1, .unlock_after = 2};
    begin(&f, &options);
    assert_int_equal(dip_optimizer_state_count(f.optimizer), 4);
    for (int step = 1; step <= 2; step++) {
        dip_optimizer_unlock(f.optimizer, step);
        assert_false(dip_tensor_requires_grad(f.weight));
        assert_int_equal(
            dip_optimizer_step(f.optimizer, step, .5, 1, &norm, &err), DIP_OK);
        assert_true(distance(f.weight, named(f.golden, "weight")) <= 0);
    }
    for (int update = 0; update < UPDATES; update++) {
        dip_optimizer_unlock(f.optimizer, update + 3);
        assert_true(dip_tensor_requires_grad(f.weight));
        set_grads(&f, update);
        assert_int_equal(dip_optimizer_step(f.optimizer, update + 3,
                                            f.lr[update], 0, &norm, &err),
                         DIP_OK);
        assert_at(&f, "adamw", update);
    }
    end(&f);
}

static void test_optimizer_leaves_out_what_is_frozen_for_good(void **state)
{
    (void)state;
    static const char *const weights[] = {"weight"};
    fixture f;
    dip_optimizer_options options = adamw;
    options.tuning = (dip_tuning_options){.freeze = weights, .freeze_count = 1};
    begin(&f, &options);
    assert_int_equal(dip_optimizer_state_count(f.optimizer), 2);
    dip_optimizer_unlock(f.optimizer, 1000);
    assert_false(dip_tensor_requires_grad(f.weight));
    dip_err err = {0};
    double norm;
    dip_tensor_set_grad(f.bias, golden_get(f.golden, "grad.0", "bias"));
    assert_int_equal(
        dip_optimizer_step(f.optimizer, 1, f.lr[0], 0, &norm, &err), DIP_OK);
    assert_true(distance(f.weight, named(f.golden, "weight")) <= 0);
    assert_true(distance(f.bias, golden_get(f.golden, "adamw.0", "bias")) <=
                1e-6);
    end(&f);
}

static void test_optimizer_names_parse(void **state)
{
    (void)state;
    dip_optimizer_kind kind = DIP_OPTIMIZER_COUNT;
    assert_true(dip_optimizer_parse(&kind, "sgd"));
    assert_int_equal(kind, DIP_OPTIMIZER_SGD);
    assert_true(dip_optimizer_parse(&kind, "adamw"));
    assert_int_equal(kind, DIP_OPTIMIZER_ADAMW);
    assert_false(dip_optimizer_parse(&kind, "adam"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_optimizer_adamw_follows_torch),
        CASE(test_optimizer_updates_rows_with_sparse_gradients),
        CASE(test_optimizer_of_rows_may_be_sgd),
        CASE(test_optimizer_of_rows_needs_no_gradient),
        CASE(test_optimizer_of_rows_refuses_dense_gradients),
        CASE(test_optimizer_sgd_follows_torch),
        CASE(test_optimizer_state_goes_on_where_it_was_saved),
        CASE(test_optimizer_state_is_named_after_parameters),
        CASE(test_optimizer_refuses_a_missing_state),
        CASE(test_optimizer_refuses_a_state_of_another_shape),
        CASE(test_optimizer_leaves_all_alone_when_a_gradient_is_not_finite),
        CASE(test_optimizer_takes_a_missing_gradient_for_zero),
        CASE(test_optimizer_begins_anew_for_another_loss),
        CASE(test_optimizer_unlocks_what_waits),
        CASE(test_optimizer_leaves_out_what_is_frozen_for_good),
        CASE(test_optimizer_names_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
