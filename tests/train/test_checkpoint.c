#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/resource.h>

#include "tests/tensor/scope.h"
#include "tests/train/small_params.h"

static const dip_train_state a_state = {.step = 12,
                                        .epoch = 3,
                                        .batch = 1,
                                        .samples = 96,
                                        .seconds = 1.5,
                                        .cpu_seconds = 2.5,
                                        .peak_bytes = 1LL << 33,
                                        .seed = UINT64_C(18446744073709551615),
                                        .threads = 2,
                                        .has_best = true,
                                        .best = 0.1 + 0.2,
                                        .best_step = 8,
                                        .without_gain = 1};

#define PARTS(s)                                                               \
    &(dip_checkpoint_parts)                                                    \
    {                                                                          \
        .params = (s).params, .optimizer = (s).optimizer                       \
    }
#define WEIGHTS(s)                                                             \
    &(dip_checkpoint_parts)                                                    \
    {                                                                          \
        .params = (s).params                                                   \
    }

static void write_step(const small_params *s, int64_t step, int64_t keep_last,
                       bool best)
{
    dip_err err = {0};
    const dip_checkpoints checkpoints = {s->dir, keep_last};
    dip_train_state state = a_state;
    state.step = step;
    if (dip_checkpoint_write(&checkpoints, &state, PARTS(*s), best, &err) !=
        DIP_OK)
        fail_msg("%s", err.msg);
}

/* The folder of a link; freed by the caller. */
static char *found(const small_params *s, const char *name)
{
    char *path;
    dip_err err = {0};
    if (dip_checkpoint_find(&path, s->dir, name, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    return path;
}

static void update_once(const small_params *s)
{
    dip_err err = {0};
    double norm;
    dip_tensor_set_grad(s->weight, dip_tensor_full(.25, DIP_F32, SIZES(2, 3)));
    dip_tensor_set_grad(s->bias, dip_tensor_full(-2, DIP_F32, SIZES(2)));
    assert_int_equal(dip_optimizer_step(s->optimizer, 1, .1, 0, &norm, &err),
                     DIP_OK);
}

static void test_checkpoint_brings_back_all_that_it_holds(void **state)
{
    (void)state;
    small_params s;
    dip_err err = {0};
    dip_train_state got;
    small_params_begin(&s);
    update_once(&s);
    write_step(&s, 12, 3, true);
    dip_tensor *weight = dip_t_clone(s.weight);
    dip_tensor *moment =
        dip_t_clone(dip_optimizer_state(s.optimizer, 0).tensor);
    update_once(&s);
    small_params_set(&s, 9);
    char *path = found(&s, "latest");
    assert_int_equal(dip_checkpoint_read_state(&got, path, &err), DIP_OK);
    assert_int_equal(got.step, a_state.step);
    assert_int_equal(got.epoch, a_state.epoch);
    assert_int_equal(got.batch, a_state.batch);
    assert_int_equal(got.samples, a_state.samples);
    assert_near(got.seconds, a_state.seconds, 0);
    assert_near(got.cpu_seconds, a_state.cpu_seconds, 0);
    assert_int_equal(got.peak_bytes, a_state.peak_bytes);
    assert_true(got.seed == a_state.seed);
    assert_int_equal(got.threads, a_state.threads);
    assert_true(got.has_best);
    assert_true(got.best == a_state.best); /* to the last bit */
    assert_int_equal(got.best_step, a_state.best_step);
    assert_int_equal(got.without_gain, a_state.without_gain);
    assert_int_equal(dip_checkpoint_read(path, PARTS(s), &err), DIP_OK);
    assert_true(distance(s.weight, weight) <= 0);
    assert_tensor(s.mean, 3, 3);
    assert_true(distance(dip_optimizer_state(s.optimizer, 0).tensor, moment) <=
                0);
    free(path);
    small_params_end(&s);
}

static void test_checkpoint_reads_weights_alone(void **state)
{
    (void)state;
    small_params s;
    dip_err err = {0};
    small_params_begin(&s);
    write_step(&s, 1, 3, false);
    small_params_set(&s, 9);
    char *path = found(&s, "step-00000001");
    assert_int_equal(dip_checkpoint_read(path, WEIGHTS(s), &err), DIP_OK);
    assert_tensor(s.bias, -1, -1);
    free(path);
    small_params_end(&s);
}

/* ---- links and old ones -------------------------------------------------- */

static void test_checkpoint_links_latest_and_best(void **state)
{
    (void)state;
    small_params s;
    char target[64];
    small_params_begin(&s);
    write_step(&s, 5, 3, false);
    assert_string_equal(small_link(target, s.dir, "latest"), "step-00000005");
    assert_string_equal(small_link(target, s.dir, "best"), "");
    write_step(&s, 10, 3, true);
    write_step(&s, 15, 3, false);
    assert_string_equal(small_link(target, s.dir, "latest"), "step-00000015");
    assert_string_equal(small_link(target, s.dir, "best"), "step-00000010");
    small_params_end(&s);
}

static void test_checkpoint_keeps_the_last_and_the_best(void **state)
{
    (void)state;
    small_params s;
    char **names;
    size_t count;
    small_params_begin(&s);
    write_step(&s, 1, 2, true);
    for (int64_t step = 2; step <= 5; step++)
        write_step(&s, step, 2, false);
    assert_int_equal(dip_dir_list(&names, &count, s.dir, NULL), DIP_OK);
    static const char *const wanted[] = {"best", "latest", "step-00000001",
                                         "step-00000004", "step-00000005"};
    assert_int_equal(count, DIP_ARRAY_LEN(wanted));
    for (size_t i = 0; i < count; i++)
        assert_string_equal(names[i], wanted[i]);
    dip_dir_list_free(names, count);
    small_params_end(&s);
}

/* A run that goes on from an older checkpoint meets newer ones of before. */
static void
test_checkpoint_of_an_older_step_is_not_removed_at_once(void **state)
{
    (void)state;
    small_params s;
    char target[64];
    small_params_begin(&s);
    write_step(&s, 7, 1, false);
    write_step(&s, 3, 1, false);
    assert_string_equal(small_link(target, s.dir, "latest"), "step-00000003");
    assert_true(small_exists(s.dir, "step-00000003"));
    small_params_end(&s);
}

static void test_checkpoint_removes_what_a_killed_process_left(void **state)
{
    (void)state;
    small_params s;
    small_params_begin(&s);
    write_step(&s, 1, 2, false);
    char *left = dip_path_join(s.dir, "step-00000009.tmp-1f00");
    assert_int_equal(dip_dir_make(left, NULL), DIP_OK);
    write_step(&s, 2, 2, false);
    assert_false(dip_file_exists(left));
    assert_true(small_exists(s.dir, "step-00000001")); /* it took no place */
    assert_true(small_exists(s.dir, "step-00000002"));
    free(left);
    small_params_end(&s);
}

static void test_checkpoint_of_a_step_is_written_anew(void **state)
{
    (void)state;
    small_params s;
    dip_err err = {0};
    small_params_begin(&s);
    write_step(&s, 4, 3, false);
    small_params_set(&s, 8);
    write_step(&s, 4, 3, false);
    small_params_set(&s, 9);
    char *path = found(&s, "latest");
    assert_int_equal(dip_checkpoint_read(path, WEIGHTS(s), &err), DIP_OK);
    assert_tensor(s.bias, 8, 8);
    free(path);
    small_params_end(&s);
}

/* ---- what cannot be written ---------------------------------------------- */

/* A disk that is full, as far as files above `bytes` are concerned. */
static void limit_file_size(rlim_t bytes, struct rlimit *before)
{
    assert_int_equal(getrlimit(RLIMIT_FSIZE, before), 0);
    struct rlimit limit = *before;
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_checkpoint_that_fails_leaves_the_old_one(void **state)
{
    (void)state;
    small_params s;
    char target[64], **names;
    size_t count;
    dip_err err = {0};
    struct rlimit before;
    small_params_begin(&s);
    write_step(&s, 5, 1, true);
    const dip_checkpoints checkpoints = {s.dir, 1};
    dip_train_state next = a_state;
    next.step = 10;
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    limit_file_size(64, &before);
    dip_status st =
        dip_checkpoint_write(&checkpoints, &next, PARTS(s), true, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(st, DIP_EIO);
    assert_non_null(strstr(err.msg, "File too large"));
    assert_string_equal(small_link(target, s.dir, "latest"), "step-00000005");
    assert_string_equal(small_link(target, s.dir, "best"), "step-00000005");
    assert_int_equal(dip_dir_list(&names, &count, s.dir, NULL), DIP_OK);
    assert_int_equal(count, 3); /* nothing half-written beside the old */
    dip_dir_list_free(names, count);
    char *path = found(&s, "latest");
    assert_int_equal(dip_checkpoint_read(path, PARTS(s), &err), DIP_OK);
    free(path);
    small_params_end(&s);
}

/* ---- what is damaged ----------------------------------------------------- */

static void test_checkpoint_that_is_not_there_is_named(void **state)
{
    (void)state;
    small_params s;
    char *path, wanted[128];
    dip_err err = {0};
    small_params_begin(&s);
    assert_int_equal(dip_checkpoint_find(&path, s.dir, "best", &err),
                     DIP_ENOTFOUND);
    assert_null(path);
    (void)snprintf(wanted, sizeof wanted, "no checkpoint 'best' in '%s'",
                   s.dir);
    assert_string_equal(err.msg, wanted);
    small_params_end(&s);
}

/* What reading says of a state.json, without the folder's name. */
static const char *complaint(const small_params *s, const char *text,
                             dip_err *err)
{
    dip_train_state got;
    small_write(s->dir, "state.json", text);
    *err = (dip_err){0};
    dip_status st = dip_checkpoint_read_state(&got, s->dir, err);
    assert_int_equal(st, DIP_EFORMAT);
    char *at = strstr(err->msg, s->dir);
    if (at == NULL)
        fail_msg("no file named: '%s'", err->msg);
    memmove(at, at + strlen(s->dir), strlen(at + strlen(s->dir)) + 1);
    return err->msg;
}

#define STATE(step, seed, best, threads)                                       \
    "{\"schema\": \"diptych-checkpoint/1\", \"step\": " step                   \
    ", \"epoch\": 0, \"batch\": 0, \"samples\": 0, \"seconds\": 0, "           \
    "\"cpu_seconds\": 0, \"seed\": " seed ", \"threads\": " threads            \
    ", \"has_best\": false, \"best\": " best                                   \
    ", \"best_step\": 0, \"without_gain\": 0, \"model_sha256\": \"\"}"

static void test_checkpoint_names_the_fault_of_its_state(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"{\"schema\": \"diptych-checkpoint/2\"}",
         "unknown schema 'diptych-checkpoint/2' in '/state.json'"},
        {"{\"step\": 1", "/state.json:1:10: '}' expected near end of file"},
        {"{}", "no key 'schema' in '/state.json'"},
        {STATE("1.5", "\"1\"", "\"0\"", "1"),
         "key 'step' is not an integer in '/state.json'"},
        {STATE("-1", "\"1\"", "\"0\"", "1"),
         "negative 'step' in '/state.json'"},
        {STATE("1", "\"x1\"", "\"0\"", "1"),
         "'seed' is no number in '/state.json'"},
        {STATE("1", "\"-1\"", "\"0\"", "1"),
         "'seed' is no number in '/state.json'"},
        {STATE("1", "\"99999999999999999999\"", "\"0\"", "1"),
         "'seed' is no number in '/state.json'"},
        {STATE("1", "\"1\"", "\"0.5x\"", "1"),
         "'best' is no number in '/state.json'"},
        {STATE("1", "\"1\"", "\"0\"", "3000000000"),
         "'threads' is too large in '/state.json'"},
    };
    small_params s;
    dip_err err;
    small_params_begin(&s);
    for (size_t i = 0; i < DIP_ARRAY_LEN(cases); i++)
        assert_string_equal(complaint(&s, cases[i].text, &err),
                            cases[i].wanted);
    dip_train_state got;
    small_write(s.dir, "state.json", STATE("1", "\"1\"", "\"0\"", "1"));
    assert_int_equal(dip_checkpoint_read_state(&got, s.dir, &err), DIP_OK);
    small_params_end(&s);
}

static void test_checkpoint_refuses_weights_that_were_changed(void **state)
{
    (void)state;
    small_params s;
    char wanted[160], *weights;
    dip_err err = {0};
    small_params_begin(&s);
    write_step(&s, 2, 3, false);
    char *path = found(&s, "step-00000002");
    small_params_set(&s, 9);
    weights = dip_path_join(path, "model.safetensors");
    FILE *file = fopen(weights, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, -1, SEEK_END), 0);
    assert_int_equal(fputc(0x41, file), 0x41);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(dip_checkpoint_read(path, WEIGHTS(s), &err), DIP_EFORMAT);
    (void)snprintf(wanted, sizeof wanted,
                   "weights are not those of state.json: '%s'", weights);
    assert_string_equal(err.msg, wanted);
    assert_tensor(s.bias, 9, 9);
    free(weights);
    free(path);
    small_params_end(&s);
}

/* Any second set of parameters of the same names will do for averages. */
static void test_checkpoint_keeps_averages_beside_the_weights(void **state)
{
    (void)state;
    small_params s, other;
    dip_err err = {0};
    char wanted[200];
    small_params_begin(&s);
    small_params_begin(&other);
    small_params_set(&s, 1);
    small_params_set(&other, 2);
    const dip_checkpoints checkpoints = {s.dir, 3};
    const dip_checkpoint_parts all = {
        .params = s.params, .averages = other.params, .optimizer = s.optimizer};
    dip_train_state next = a_state;
    next.step = 7;
    assert_int_equal(
        dip_checkpoint_write(&checkpoints, &next, &all, false, &err), DIP_OK);
    small_params_set(&s, 9);
    small_params_set(&other, 9);
    char *path = found(&s, "latest");
    const dip_checkpoint_parts averages = {.averages = other.params};
    assert_int_equal(dip_checkpoint_read(path, &averages, &err), DIP_OK);
    assert_tensor(other.bias, 2, 2);
    assert_tensor(s.bias, 9, 9);
    assert_int_equal(dip_checkpoint_read(path, &all, &err), DIP_OK);
    assert_tensor(s.bias, 1, 1);
    assert_tensor(s.mean, 1, 1);

    char *file = dip_path_join(path, "ema.safetensors");
    FILE *stream = fopen(file, "r+b");
    assert_non_null(stream);
    assert_int_equal(fseek(stream, -1, SEEK_END), 0);
    assert_int_equal(fputc(0x41, stream), 0x41);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(dip_checkpoint_read(path, &averages, &err), DIP_EFORMAT);
    (void)snprintf(wanted, sizeof wanted,
                   "weights are not those of state.json: '%s'", file);
    assert_string_equal(err.msg, wanted);
    free(file);
    free(path);
    small_params_end(&other);
    small_params_end(&s);
}

/* Nor is it taken for granted: a run without earlier rows has no such file. */
static void test_checkpoint_keeps_rows_of_earlier_batches(void **state)
{
    (void)state;
    small_params s, other;
    dip_err err = {0};
    small_params_begin(&s);
    small_params_begin(&other);
    small_params_set(&other, 2);
    const dip_checkpoints checkpoints = {s.dir, 3};
    const dip_checkpoint_parts memory = {.memory = other.params};
    const dip_checkpoint_parts all = {.params = s.params,
                                      .memory = other.params};
    write_step(&s, 6, 3, false);
    char *path = found(&s, "latest");
    assert_false(small_exists(path, "memory.safetensors"));
    assert_int_not_equal(dip_checkpoint_read(path, &memory, &err), DIP_OK);
    free(path);
    dip_train_state next = a_state;
    next.step = 7;
    assert_int_equal(
        dip_checkpoint_write(&checkpoints, &next, &all, false, &err), DIP_OK);
    small_params_set(&other, 9);
    path = found(&s, "latest");
    assert_int_equal(dip_checkpoint_read(path, WEIGHTS(s), &err), DIP_OK);
    assert_tensor(other.bias, 9, 9);
    assert_int_equal(dip_checkpoint_read(path, &memory, &err), DIP_OK);
    assert_tensor(other.bias, 2, 2);
    free(path);
    small_params_end(&other);
    small_params_end(&s);
}

static void test_checkpoint_without_averages_says_so(void **state)
{
    (void)state;
    small_params s;
    dip_err err = {0};
    char wanted[160];
    small_params_begin(&s);
    write_step(&s, 2, 3, false);
    char *path = found(&s, "latest");
    const dip_checkpoint_parts averages = {.averages = s.params};
    assert_int_equal(dip_checkpoint_read(path, &averages, &err), DIP_ENOTFOUND);
    (void)snprintf(wanted, sizeof wanted,
                   "checkpoint '%s' has no averaged weights", path);
    assert_string_equal(err.msg, wanted);
    free(path);
    small_params_end(&s);
}

static void test_checkpoint_names_the_file_that_is_missing(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        dip_status status;
    } files[] = {{"state.json", DIP_EIO},
                 {"model.safetensors", DIP_EIO},
                 {"optimizer.safetensors", DIP_ENOTFOUND}};
    for (size_t i = 0; i < DIP_ARRAY_LEN(files); i++) {
        small_params s;
        dip_err err = {0};
        small_params_begin(&s);
        write_step(&s, 2, 3, false);
        char *path = found(&s, "latest");
        char *file = dip_path_join(path, files[i].name), wanted[200];
        assert_int_equal(unlink(file), 0);
        assert_int_equal(dip_checkpoint_read(path, PARTS(s), &err),
                         files[i].status);
        (void)snprintf(wanted, sizeof wanted,
                       "cannot open '%s': No such file or directory", file);
        assert_string_equal(err.msg, wanted);
        free(file);
        free(path);
        small_params_end(&s);
    }
}

static void test_checkpoint_refuses_the_state_of_another_optimizer(void **state)
{
    (void)state;
    small_params s;
    dip_err err = {0};
    char wanted[200];
    small_params_begin(&s);
    write_step(&s, 2, 3, false);
    char *path = found(&s, "latest");
    char *file = dip_path_join(path, "optimizer.safetensors");
    const dip_named_tensor other = {.name = "exp_avg.other", .tensor = s.bias};
    assert_int_equal(dip_safetensors_write(file, &other, 1, NULL, 0, &err),
                     DIP_OK);
    assert_int_equal(dip_checkpoint_read(path, PARTS(s), &err), DIP_EFORMAT);
    (void)snprintf(wanted, sizeof wanted,
                   "optimizer is not that of state.json: '%s'", file);
    assert_string_equal(err.msg, wanted);
    free(file);
    free(path);
    small_params_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_checkpoint_brings_back_all_that_it_holds),
        CASE(test_checkpoint_reads_weights_alone),
        CASE(test_checkpoint_links_latest_and_best),
        CASE(test_checkpoint_keeps_the_last_and_the_best),
        CASE(test_checkpoint_of_an_older_step_is_not_removed_at_once),
        CASE(test_checkpoint_removes_what_a_killed_process_left),
        CASE(test_checkpoint_of_a_step_is_written_anew),
        CASE(test_checkpoint_that_fails_leaves_the_old_one),
        CASE(test_checkpoint_that_is_not_there_is_named),
        CASE(test_checkpoint_names_the_fault_of_its_state),
        CASE(test_checkpoint_refuses_weights_that_were_changed),
        CASE(test_checkpoint_keeps_averages_beside_the_weights),
        CASE(test_checkpoint_keeps_rows_of_earlier_batches),
        CASE(test_checkpoint_without_averages_says_so),
        CASE(test_checkpoint_names_the_file_that_is_missing),
        CASE(test_checkpoint_refuses_the_state_of_another_optimizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
