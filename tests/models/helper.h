/* What the tests of models share. Each test runs in an open scope and must
 * leave neither an error nor a handle. */
#ifndef DIP_TESTS_MODELS_HELPER_H
#define DIP_TESTS_MODELS_HELPER_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/model.h"
#include "models/weights.h"
#include "tests/tensor/golden.h"

#define TOLERANCE 1e-5

#define MODEL_TEST(fn) cmocka_unit_test_setup_teardown(fn, open_test, end_test)

static inline int open_test(void **state)
{
    (void)state;
    dip_scope_open();
    return 0;
}

static inline int end_test(void **state)
{
    (void)state;
    dip_scope_close();
    dip_err err = {0};
    return dip_tensor_status(&err) == DIP_OK && dip_tensor_live_count() == 0
               ? 0
               : -1;
}

static inline void assert_ok(dip_status st, const dip_err *err)
{
    if (st != DIP_OK)
        fail_msg("%s: %s", dip_status_name(st), err->msg);
}

/* Each row of a [B, D] is within `tolerance` of b's, relative to its length. */
static inline void assert_rows(const dip_tensor *a, const dip_tensor *b,
                               double tolerance)
{
    assert_no_error();
    assert_int_equal(dip_tensor_size(a, 0), dip_tensor_size(b, 0));
    for (int64_t i = 0; i < dip_tensor_size(b, 0); i++) {
        double gap = relative(dip_t_select(a, 0, i), dip_t_select(b, 0, i));
        if (!(gap <= tolerance))
            fail_msg("row %d is %g away", (int)i, gap);
    }
}

/* Every row of x [B, D] has length 1. */
static inline void assert_unit_rows(const dip_tensor *x)
{
    for (int64_t i = 0; i < dip_tensor_size(x, 0); i++)
        assert_near(dip_tensor_item(dip_t_norm_all(dip_t_select(x, 0, i))), 1.0,
                    1e-5);
}

/* Every trained parameter below `prefix` has a finite gradient that is not
 * zero, and no buffer has any. */
static inline void assert_gradients(const dip_params *params,
                                    const char *prefix)
{
    for (int i = 0; i < dip_params_count(params); i++) {
        const char *name = dip_params_name(params, i);
        if (strncmp(name, prefix, strlen(prefix)) != 0)
            continue;
        dip_tensor *grad = dip_tensor_grad(dip_params_tensor(params, i));
        if (dip_params_kind(params, i) == DIP_PARAM_BUFFER) {
            assert_null(grad);
            continue;
        }
        double norm =
            grad ? dip_tensor_item(dip_t_norm_all(grad)) : (double)NAN;
        if (!(norm > 0.0 && isfinite(norm)))
            fail_msg("gradient of %s has length %g", name, norm);
    }
}

/* A fixed sequence in [-1, 1), F32. */
static inline dip_tensor *pattern(int ndim, const int64_t *sizes)
{
    dip_tensor *t = dip_tensor_empty(DIP_F32, ndim, sizes);
    float *at = dip_tensor_data(t);
    uint32_t x = 1;
    for (int64_t i = 0; i < dip_tensor_numel(t); i++) {
        x = x * 1664525u + 1013904223u;
        at[i] = (float)(x >> 8) / 8388608.0f - 1.0f;
    }
    return t;
}

#endif
