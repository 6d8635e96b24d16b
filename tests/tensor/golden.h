/* What the tests of this folder share: literal shapes, tensors of golden files
 * by name, assertions. */
#ifndef DIP_TESTS_TENSOR_GOLDEN_H
#define DIP_TESTS_TENSOR_GOLDEN_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/safetensors.h"
#include "tensor/tensor.h"

/* dip_tensor_full(1, DIP_F32, SIZES(2, 3)) */
#define SIZES(...)                                                             \
    (int)DIP_ARRAY_LEN(((int64_t[]){__VA_ARGS__})), ((int64_t[]){__VA_ARGS__})

static inline dip_safetensors *golden_open(const char *path)
{
    dip_safetensors *file;
    dip_err err = {0};
    if (dip_safetensors_open(&file, path, &err) != DIP_OK)
        fail_msg("%s", err.msg);
    return file;
}

/* NULL when the file has no such tensor. */
static inline dip_tensor *golden_find(const dip_safetensors *file,
                                      const char *group, const char *name)
{
    char full[128];
    (void)snprintf(full, sizeof full, "%s.%s", group, name);
    int i = dip_safetensors_find(file, full);
    return i < 0 ? NULL : dip_safetensors_tensor(file, i);
}

static inline dip_tensor *golden_get(const dip_safetensors *file,
                                     const char *group, const char *name)
{
    dip_tensor *t = golden_find(file, group, name);
    if (t == NULL)
        fail_msg("no golden %s.%s", group, name);
    return t;
}

/* Largest |a - b| / (1 + |b|); infinite when shapes differ or it is NaN. */
static inline double distance(const dip_tensor *a, const dip_tensor *b)
{
    if (a == NULL || b == NULL || dip_tensor_ndim(a) != dip_tensor_ndim(b))
        return INFINITY;
    for (int i = 0; i < dip_tensor_ndim(a); i++) {
        if (dip_tensor_size(a, i) != dip_tensor_size(b, i))
            return INFINITY;
    }
    size_t n = (size_t)dip_tensor_numel(a);
    double *x = calloc(2 * n + 1, sizeof *x);
    assert_non_null(x);
    double *y = x + n, worst = 0;
    dip_tensor_read(a, DIP_F64, x, n * sizeof *x);
    dip_tensor_read(b, DIP_F64, y, n * sizeof *y);
    for (size_t i = 0; i < n; i++) {
        double d = fabs(x[i] - y[i]) / (1 + fabs(y[i]));
        worst = d <= worst ? worst : isnan(d) ? INFINITY : d;
    }
    free(x);
    return worst;
}

/* ‖a - b‖ / ‖b‖ over all elements; infinite when shapes differ. */
static inline double relative(const dip_tensor *a, const dip_tensor *b)
{
    if (!a || !b || dip_tensor_numel(a) != dip_tensor_numel(b))
        return INFINITY;
    double norm = dip_tensor_item(dip_t_norm_all(b));
    double gap = dip_tensor_item(dip_t_norm_all(dip_t_sub(a, b)));
    return norm > 0.0 ? gap / norm : gap;
}

static inline void assert_near(double got, double wanted, double tolerance)
{
    if (!(fabs(got - wanted) <= tolerance))
        fail_msg("%.9g, not %.9g", got, wanted);
}

/* The message of the sticky error, which it clears; "" when there is none. */
static inline const char *error_text(dip_err *err)
{
    *err = (dip_err){0};
    dip_status st = dip_tensor_status(err);
    assert_int_equal(st, err->code);
    return err->msg;
}

#define assert_no_error()                                                      \
    do {                                                                       \
        dip_err err_;                                                          \
        assert_string_equal(error_text(&err_), "");                            \
    } while (0)

#define assert_error(words)                                                    \
    do {                                                                       \
        dip_err err_;                                                          \
        const char *text_ = error_text(&err_);                                 \
        if (strstr(text_, words) == NULL)                                      \
            fail_msg("'%s' does not hold '%s'", text_, words);                 \
    } while (0)

/* Compares the elements of a small tensor, read as doubles. */
static inline void assert_elements(const dip_tensor *t, int n,
                                   const double *wanted)
{
    assert_int_equal(dip_tensor_numel(t), n);
    double got[16];
    dip_tensor_read(t, DIP_F64, got, sizeof got);
    assert_no_error();
    for (int i = 0; i < n; i++)
        assert_near(got[i], wanted[i], 1e-6);
}

#define assert_tensor(t, ...)                                                  \
    assert_elements(t, (int)DIP_ARRAY_LEN(((double[]){__VA_ARGS__})),          \
                    (double[]){__VA_ARGS__})

/* Files of that name which the process has loaded. */
static inline int distinct_libgomps(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    char line[4352], first[4352] = "";
    int distinct = 0;
    while (fgets(line, sizeof line, maps) != NULL) {
        const char *path = strchr(line, '/');
        if (path == NULL || strstr(path, "libgomp") == NULL ||
            strcmp(path, first) == 0)
            continue;
        (void)snprintf(first, sizeof first, "%s", path);
        distinct++;
    }
    (void)fclose(maps);
    return distinct;
}

#endif
