/* Two parameters, a buffer and their optimizer in a folder of their own, for
 * the tests of what keeps or changes them. */
#ifndef DIP_TESTS_TRAIN_SMALL_PARAMS_H
#define DIP_TESTS_TRAIN_SMALL_PARAMS_H

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "tests/tensor/golden.h"
#include "train/checkpoint.h"
#include "train/optimizer.h"

typedef struct {
    char dir[64];
    dip_params *params;
    dip_tensor *weight, *bias, *mean; /* borrowed */
    dip_optimizer *optimizer;
} small_params;

static const dip_optimizer_options small_adamw = {.kind = DIP_OPTIMIZER_ADAMW,
                                                  .weight_decay = .1,
                                                  .beta1 = .9,
                                                  .beta2 = .999,
                                                  .eps = 1e-8};

static inline void small_params_begin(small_params *s)
{
    dip_err err = {0};
    *s = (small_params){0};
    (void)snprintf(s->dir, sizeof s->dir, "/tmp/diptych-train-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    assert_int_equal(dip_params_create(&s->params, &err), DIP_OK);
    s->weight = dip_params_add(s->params, "weight", DIP_PARAM_WEIGHT,
                               dip_tensor_full(.5, DIP_F32, SIZES(2, 3)));
    s->bias = dip_params_add(s->params, "bias", DIP_PARAM_NO_DECAY,
                             dip_tensor_full(-1, DIP_F32, SIZES(2)));
    s->mean = dip_params_add(s->params, "mean", DIP_PARAM_BUFFER,
                             dip_tensor_full(3, DIP_F32, SIZES(2)));
    assert_int_equal(
        dip_optimizer_create(&s->optimizer, s->params, &small_adamw, &err),
        DIP_OK);
}

static inline void small_params_end(small_params *s)
{
    dip_optimizer_free(s->optimizer);
    dip_params_free(s->params);
    assert_int_equal(dip_tree_remove(s->dir, NULL), DIP_OK);
}

/* Sets every element, so that two states can be told apart. */
static inline void small_params_set(const small_params *s, double value)
{
    dip_tensor_assign(s->weight, dip_tensor_full(value, DIP_F32, SIZES(2, 3)));
    dip_tensor_assign(s->bias, dip_tensor_full(value, DIP_F32, SIZES(2)));
    dip_tensor_assign(s->mean, dip_tensor_full(value, DIP_F32, SIZES(2)));
    assert_no_error();
}

static inline bool small_exists(const char *dir, const char *name)
{
    char *path = dip_path_join(dir, name);
    assert_non_null(path);
    struct stat found;
    bool there = lstat(path, &found) == 0;
    free(path);
    return there;
}

/* Replaces the file `dir`/`name`. */
static inline void small_write(const char *dir, const char *name,
                               const char *text)
{
    char *path = dip_path_join(dir, name);
    assert_non_null(path);
    assert_int_equal(dip_file_write(path, text, strlen(text), NULL), DIP_OK);
    free(path);
}

/* The target of the link `dir`/`name`; "" when there is none. */
static inline const char *small_link(char target[64], const char *dir,
                                     const char *name)
{
    char *path = dip_path_join(dir, name);
    assert_non_null(path);
    ssize_t n = readlink(path, target, 63);
    target[n > 0 ? n : 0] = '\0';
    free(path);
    return target;
}

#endif
