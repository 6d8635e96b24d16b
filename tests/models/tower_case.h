/* A tower, and its comparison with the golden files of a peer. */
#ifndef DIP_TESTS_MODELS_TOWER_CASE_H
#define DIP_TESTS_MODELS_TOWER_CASE_H

#include <stdio.h>

#include "base/json.h"
#include "tests/models/helper.h"

#define GOLDEN "tests/golden/models/"

/* Either modality: what a case needs. */
typedef struct {
    dip_params *params;
    dip_image_tower *image;
    dip_text_tower *text;
} tower;

static inline tower make_image(const dip_image_options *o, uint64_t seed)
{
    tower t = {0};
    dip_err err = {0};
    assert_ok(dip_params_create(&t.params, &err), &err);
    dip_maker maker = {.params = t.params, .seed = seed};
    assert_ok(dip_image_tower_create(&t.image, o, &maker, &err), &err);
    assert_no_error();
    return t;
}

static inline tower make_text(const dip_text_options *o, uint64_t seed)
{
    tower t = {0};
    dip_err err = {0};
    assert_ok(dip_params_create(&t.params, &err), &err);
    dip_maker maker = {.params = t.params, .seed = seed};
    assert_ok(dip_text_tower_create(&t.text, o, &maker, &err), &err);
    assert_no_error();
    return t;
}

static inline void end(tower *t)
{
    dip_image_tower_free(t->image);
    dip_text_tower_free(t->text);
    dip_params_free(t->params);
}

static inline void load(tower *t, const char *name)
{
    char path[128];
    dip_err err = {0};
    (void)snprintf(path, sizeof path, GOLDEN "%s.weights.safetensors", name);
    assert_ok(dip_weights_load(t->params, "", path, &err), &err);
}

static inline dip_safetensors *open_case(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, GOLDEN "%s.safetensors", name);
    return golden_open(path);
}

/* Compares all gradients, and statistics after the pass, that the file has. */
static inline void compare_rest(const tower *t, const dip_safetensors *file,
                                int at_least)
{
    int compared = 0;
    for (int i = 0; i < dip_params_count(t->params); i++) {
        const char *name = dip_params_name(t->params, i);
        dip_tensor *p = dip_params_tensor(t->params, i);
        dip_tensor *grad = golden_find(file, "grad", name);
        dip_tensor *after = golden_find(file, "after", name);
        double gap = grad ? relative(dip_tensor_grad(p), grad) : 0.0;
        if (after)
            gap = relative(p, after);
        if (!(gap <= TOLERANCE))
            fail_msg("%s is %g away", name, gap);
        compared += grad || after;
    }
    assert_true(compared >= at_least);
}

static inline void backward(const dip_tensor *out, const dip_safetensors *file)
{
    int w = dip_safetensors_find(file, "w");
    assert_true(w >= 0);
    dip_tensor_backward(
        dip_t_sum_all(dip_t_mul(out, dip_safetensors_tensor(file, w))));
}

static inline void check_image_case(const char *name,
                                    const dip_image_options *o, bool train)
{
    tower t = make_image(o, 3);
    load(&t, name);
    dip_safetensors *file = open_case(name);
    dip_tensor *images = golden_get(file, "in", "images");
    dip_tensor *out = dip_image_tower_forward(t.image, images, false);
    assert_rows(out, golden_get(file, "out", "eval"), TOLERANCE);
    dip_tokens tokens;
    assert_rows(dip_image_tower_forward_tokens(t.image, images, &tokens, false),
                golden_get(file, "out", "eval"), TOLERANCE);
    if (train) {
        out = dip_image_tower_forward(t.image, images, true);
        assert_rows(out, golden_get(file, "out", "train"), TOLERANCE);
    }
    backward(out, file);
    compare_rest(&t, file, 3);
    dip_safetensors_close(file);
    end(&t);
}

static inline void check_text_case(const char *name, const dip_text_options *o)
{
    tower t = make_text(o, 3);
    load(&t, name);
    dip_safetensors *file = open_case(name);
    dip_tensor *out =
        dip_text_tower_forward(t.text, golden_get(file, "in", "ids"),
                               golden_get(file, "in", "lengths"), false);
    assert_rows(out, golden_get(file, "out", "eval"), TOLERANCE);
    dip_tokens tokens;
    assert_rows(dip_text_tower_forward_tokens(
                    t.text, golden_get(file, "in", "ids"),
                    golden_get(file, "in", "lengths"), &tokens, false),
                golden_get(file, "out", "eval"), TOLERANCE);
    backward(out, file);
    compare_rest(&t, file, 2);
    dip_safetensors_close(file);
    end(&t);
}

/* Names and shapes of our parameters are those that `file` has of the peer, all
 * of them. */
static inline void compare_names(const dip_params *params, const char *file,
                                 const char *peer)
{
    json_t *all = NULL;
    dip_err err = {0};
    char path[128];
    (void)snprintf(path, sizeof path, GOLDEN "%s", file);
    assert_ok(dip_json_load(&all, path, 1 << 20, &err), &err);
    json_t *shapes = json_object_get(all, peer);
    assert_int_equal(json_object_size(shapes), dip_params_count(params));
    for (int i = 0; i < dip_params_count(params); i++) {
        const dip_tensor *t = dip_params_tensor(params, i);
        json_t *shape = json_object_get(shapes, dip_params_name(params, i));
        if (!shape)
            fail_msg("%s has no %s", peer, dip_params_name(params, i));
        assert_int_equal(json_array_size(shape), dip_tensor_ndim(t));
        for (int k = 0; k < dip_tensor_ndim(t); k++)
            assert_int_equal(
                json_integer_value(json_array_get(shape, (size_t)k)),
                dip_tensor_size(t, k));
    }
    json_decref(all);
}

#endif
