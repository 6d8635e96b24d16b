/* tests/golden/models/attributes.safetensors is torch's, of values that
 * scikit-learn has scaled or put into buckets (tests/parity/gen_attributes.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "models/attribute.h"
#include "tests/models/helper.h"

#define GOLDEN "tests/golden/models/attributes.safetensors"
#define DIM    6

typedef struct {
    dip_params *params;
    dip_attribute *attribute;
} made;

static made make(const dip_attribute_options *options)
{
    made m = {0};
    dip_err err = {0};
    assert_ok(dip_attribute_options_check(options, "x", &err), &err);
    assert_ok(dip_params_create(&m.params, &err), &err);
    dip_maker maker = {.params = m.params, .seed = 4};
    assert_ok(dip_attribute_create(&m.attribute, options, DIM, &maker, &err),
              &err);
    return m;
}

static void end(made *m)
{
    dip_attribute_free(m->attribute);
    dip_params_free(m->params);
}

/* The options that the golden file's statistics belong to. */
static dip_attribute_options options_of(const dip_safetensors *file,
                                        dip_attribute_kind kind)
{
    dip_attribute_options o = {.kind = kind, .names = 4, .hidden = 5};
    if (kind == DIP_ATTRIBUTE_STANDARDISED) {
        o.mean = dip_tensor_item(golden_get(file, "standardised", "mean"));
        o.deviation =
            dip_tensor_item(golden_get(file, "standardised", "deviation"));
    } else if (kind == DIP_ATTRIBUTE_BUCKETISED) {
        dip_tensor *edges = golden_get(file, "bucketised", "edges");
        o.edge_count = (int)dip_tensor_size(edges, 0);
        dip_tensor_read(edges, DIP_F64, o.edges, sizeof o.edges);
    }
    return o;
}

static dip_tensor *values_of(const dip_safetensors *file,
                             dip_attribute_kind kind)
{
    return golden_get(file, "in",
                      kind == DIP_ATTRIBUTE_LABEL ? "labels" : "numbers");
}

/* "label.embedding.weight" for the parameter "embedding.weight". */
static dip_tensor *golden_of(const dip_safetensors *file, const char *group,
                             dip_attribute_kind kind, const char *name)
{
    char full[64];
    (void)snprintf(full, sizeof full, "%s%s%s%s%s", group, *group ? "." : "",
                   dip_attribute_kind_name(kind), *name ? "." : "", name);
    int i = dip_safetensors_find(file, full);
    return i < 0 ? NULL : dip_safetensors_tensor(file, i);
}

static void check_kind(const dip_safetensors *file, dip_attribute_kind kind)
{
    dip_attribute_options o = options_of(file, kind);
    made m = make(&o);
    for (int i = 0; i < dip_params_count(m.params); i++) {
        if (dip_params_kind(m.params, i) != DIP_PARAM_BUFFER)
            dip_tensor_assign(
                dip_params_tensor(m.params, i),
                dip_t_to_dtype(
                    golden_of(file, "", kind, dip_params_name(m.params, i)),
                    DIP_F32));
    }
    dip_tensor *present = NULL;
    dip_tensor *out =
        dip_attribute_forward(m.attribute, values_of(file, kind), &present);
    assert_true(distance(out, golden_of(file, "out", kind, "")) <= 1e-5);
    dip_tensor_backward(dip_t_sum_all(
        dip_t_mul(out, dip_t_to_dtype(golden_get(file, "in", "w"), DIP_F32))));
    for (int i = 0; i < dip_params_count(m.params); i++) {
        const char *name = dip_params_name(m.params, i);
        if (dip_params_kind(m.params, i) == DIP_PARAM_BUFFER)
            continue;
        double gap = distance(dip_tensor_grad(dip_params_tensor(m.params, i)),
                              golden_of(file, "grad", kind, name));
        if (!(gap <= 1e-5))
            fail_msg("gradient of %s.%s is %g away",
                     dip_attribute_kind_name(kind), name, gap);
    }
    end(&m);
}

static void test_attribute_equals_torch_and_scikit_learn(void **state)
{
    (void)state;
    dip_safetensors *file = golden_open(GOLDEN);
    for (int k = DIP_ATTRIBUTE_LABEL; k < DIP_ATTRIBUTE_COUNT; k++)
        check_kind(file, (dip_attribute_kind)k);
    dip_safetensors_close(file);
}

static void test_attribute_says_what_is_missing(void **state)
{
    (void)state;
    const int64_t labels[] = {0, -1, 4};
    const float numbers[] = {0, NAN, -INFINITY};
    const struct {
        dip_attribute_options options;
        dip_tensor *values;
        double present[3];
    } cases[] = {
        {{.kind = DIP_ATTRIBUTE_LABEL, .names = 4},
         dip_tensor_from(labels, DIP_I64, SIZES(3)),
         {1, 0, 1}},
        {{.kind = DIP_ATTRIBUTE_STANDARDISED, .deviation = 2},
         dip_tensor_from(numbers, DIP_F32, SIZES(3)),
         {1, 0, 0}},
        {{.kind = DIP_ATTRIBUTE_BUCKETISED, .edges = {1}, .edge_count = 1},
         dip_tensor_from(numbers, DIP_F32, SIZES(3)),
         {1, 0, 0}},
    };
    for (size_t c = 0; c < DIP_ARRAY_LEN(cases); c++) {
        made m = make(&cases[c].options);
        dip_tensor *present = NULL;
        dip_tensor *out =
            dip_attribute_forward(m.attribute, cases[c].values, &present);
        assert_elements(present, 3, cases[c].present);
        for (int i = 0; i < 3; i++)
            assert_int_equal(
                dip_tensor_item(dip_t_norm_all(dip_t_select(out, 0, i))) > 0,
                cases[c].present[i] > 0);
        end(&m);
    }
}

static void test_attribute_options_are_checked(void **state)
{
    (void)state;
    const struct {
        dip_attribute_options options;
        const char *message;
    } cases[] = {
        {{.kind = DIP_ATTRIBUTE_LABEL, .names = -1},
         "fields.x: -1 names are not in 0..16777215"},
        {{.kind = DIP_ATTRIBUTE_STANDARDISED, .hidden = 4},
         "fields.x: no mean, deviation or hidden width: 0, 0, 4"},
        {{.kind = DIP_ATTRIBUTE_BUCKETISED, .edges = {2, 2}, .edge_count = 2},
         "fields.x: edge 1 does not ascend"},
        {{.kind = DIP_ATTRIBUTE_BUCKETISED, .edge_count = 256},
         "fields.x: 256 edges are not in 0..255"},
    };
    for (size_t c = 0; c < DIP_ARRAY_LEN(cases); c++) {
        dip_err err = {0};
        assert_int_equal(
            dip_attribute_options_check(&cases[c].options, "x", &err),
            DIP_ECONFIG);
        assert_string_equal(err.msg, cases[c].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MODEL_TEST(test_attribute_equals_torch_and_scikit_learn),
        MODEL_TEST(test_attribute_says_what_is_missing),
        MODEL_TEST(test_attribute_options_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
