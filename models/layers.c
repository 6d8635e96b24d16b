#include "models/layers.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/rng.h"

#define PURPOSE_INIT  0x696e6974u /* "init" */
#define NORM_EPS      1e-5
#define NORM_MOMENTUM 0.1

/* Writes path.name into `out`; a name that does not fit sticks as an error,
 * since a cut name could meet another. */
static void join(char out[DIP_MAKER_PATH_MAX], const char *path,
                 const char *name)
{
    int n = snprintf(out, DIP_MAKER_PATH_MAX, "%s%s%s", path, *path ? "." : "",
                     name);
    if (n < 0 || n >= DIP_MAKER_PATH_MAX)
        dip_tensor_fail(DIP_ERANGE, "parameter name is too long: '%s.%s'", path,
                        name);
}

dip_maker dip_maker_in(const dip_maker *maker, const char *name, ...)
{
    dip_maker inner = {.params = maker->params, .seed = maker->seed};
    char last[DIP_MAKER_PATH_MAX];
    va_list args;
    va_start(args, name);
    int n = vsnprintf(last, sizeof last, name, args);
    va_end(args);
    if (n < 0 || n >= (int)sizeof last)
        dip_tensor_fail(DIP_ERANGE, "parameter name is too long: '%s'", last);
    join(inner.path, maker->path, last);
    return inner;
}

/* FNV-1a (Fowler, Noll, Vo), 64 bits. */
static uint64_t hash_name(const char *name)
{
    uint64_t hash = 14695981039346656037u;
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 1099511628211u;
    return hash;
}

static void seed_for(const dip_maker *maker, const char *full_name)
{
    dip_rng rng =
        dip_rng_stream(maker->seed, PURPOSE_INIT, hash_name(full_name), 0);
    dip_tensor_seed(dip_rng_u64(&rng));
}

/* Fills a new tensor by `fill`, one of libtorch's random functions with two
 * numbers, and stores it. */
static dip_tensor *make_random(const dip_maker *maker, const char *name,
                               dip_param_kind kind, const char *fill, double a,
                               double b, int ndim, const int64_t *sizes)
{
    char full[DIP_MAKER_PATH_MAX];
    join(full, maker->path, name);
    dip_scope_open();
    dip_tensor *t = dip_tensor_empty(DIP_F32, ndim, sizes);
    seed_for(maker, full);
    dip_arg args[] = {
        {.kind = DIP_ARG_TENSOR, .as.tensor = t},
        {.kind = DIP_ARG_FLOAT, .as.f = a},
        {.kind = DIP_ARG_FLOAT, .as.f = b},
    };
    dip_tensor *filled = NULL;
    dip_tensor_call(&filled, 1, fill, "", args, 3);
    dip_tensor *stored = dip_params_add(maker->params, full, kind, filled);
    dip_scope_close();
    return stored;
}

dip_tensor *dip_make_normal(const dip_maker *maker, const char *name,
                            dip_param_kind kind, double std, int ndim,
                            const int64_t *sizes)
{
    return make_random(maker, name, kind, "aten::normal_", 0.0, std, ndim,
                       sizes);
}

dip_tensor *dip_make_uniform(const dip_maker *maker, const char *name,
                             dip_param_kind kind, double bound, int ndim,
                             const int64_t *sizes)
{
    return make_random(maker, name, kind, "aten::uniform_", -bound, bound, ndim,
                       sizes);
}

dip_tensor *dip_make_full(const dip_maker *maker, const char *name,
                          dip_param_kind kind, double value, int ndim,
                          const int64_t *sizes)
{
    char full[DIP_MAKER_PATH_MAX];
    join(full, maker->path, name);
    dip_scope_open();
    dip_tensor *stored =
        dip_params_add(maker->params, full, kind,
                       dip_tensor_full(value, DIP_F32, ndim, sizes));
    dip_scope_close();
    return stored;
}

dip_linear dip_make_linear(const dip_maker *maker, const char *name, int64_t in,
                           int64_t out, bool bias)
{
    dip_maker m = dip_maker_in(maker, "%s", name);
    double bound = 1.0 / sqrt((double)in);
    dip_linear layer = {0};
    layer.weight = dip_make_uniform(&m, "weight", DIP_PARAM_WEIGHT, bound, 2,
                                    (int64_t[]){out, in});
    if (bias)
        layer.bias = dip_make_uniform(&m, "bias", DIP_PARAM_NO_DECAY, bound, 1,
                                      (int64_t[]){out});
    return layer;
}

dip_linear dip_make_linear_normal(const dip_maker *maker, const char *name,
                                  int64_t in, int64_t out, bool bias,
                                  double std)
{
    dip_maker m = dip_maker_in(maker, "%s", name);
    dip_linear layer = {0};
    layer.weight = dip_make_normal(&m, "weight", DIP_PARAM_WEIGHT, std, 2,
                                   (int64_t[]){out, in});
    if (bias)
        layer.bias =
            dip_make_uniform(&m, "bias", DIP_PARAM_NO_DECAY,
                             1.0 / sqrt((double)in), 1, (int64_t[]){out});
    return layer;
}

dip_tensor *dip_linear_forward(const dip_linear *layer, const dip_tensor *x)
{
    return dip_t_linear(x, layer->weight, layer->bias);
}

dip_layer_norm dip_make_layer_norm(const dip_maker *maker, const char *name,
                                   int64_t width)
{
    return dip_make_layer_norm_eps(maker, name, width, NORM_EPS);
}

dip_layer_norm dip_make_layer_norm_eps(const dip_maker *maker, const char *name,
                                       int64_t width, double eps)
{
    dip_maker m = dip_maker_in(maker, "%s", name);
    return (dip_layer_norm){
        .weight =
            dip_make_full(&m, "weight", DIP_PARAM_NO_DECAY, 1.0, 1, &width),
        .bias = dip_make_full(&m, "bias", DIP_PARAM_NO_DECAY, 0.0, 1, &width),
        .eps = eps,
    };
}

dip_tensor *dip_layer_norm_forward(const dip_layer_norm *layer,
                                   const dip_tensor *x)
{
    return dip_t_layer_norm(x, layer->weight, layer->bias, layer->eps);
}

dip_batch_norm dip_make_batch_norm(const dip_maker *maker, const char *name,
                                   int64_t channels, double start)
{
    dip_maker m = dip_maker_in(maker, "%s", name);
    return (dip_batch_norm){
        .weight = dip_make_full(&m, "weight", DIP_PARAM_NO_DECAY, start, 1,
                                &channels),
        .bias =
            dip_make_full(&m, "bias", DIP_PARAM_NO_DECAY, 0.0, 1, &channels),
        .running_mean = dip_make_full(&m, "running_mean", DIP_PARAM_BUFFER, 0.0,
                                      1, &channels),
        .running_var = dip_make_full(&m, "running_var", DIP_PARAM_BUFFER, 1.0,
                                     1, &channels),
        .momentum = NORM_MOMENTUM,
        .eps = NORM_EPS,
    };
}

dip_tensor *dip_batch_norm_forward(const dip_batch_norm *layer,
                                   const dip_tensor *x, bool training)
{
    bool frozen = !dip_tensor_requires_grad(layer->weight);
    return dip_t_batch_norm(x, layer->weight, layer->bias, layer->running_mean,
                            layer->running_var, training && !frozen,
                            layer->momentum, layer->eps);
}

dip_conv dip_make_conv(const dip_maker *maker, const char *name,
                       const dip_conv_options *o)
{
    dip_maker m = dip_maker_in(maker, "%s", name);
    int64_t groups = o->groups ? o->groups : 1;
    int64_t area = o->kernel * o->kernel;
    int64_t sizes[] = {o->out, o->in / groups, o->kernel, o->kernel};
    dip_conv layer = {.stride = o->stride ? o->stride : 1,
                      .padding = o->padding,
                      .groups = groups};
    bool torch = o->start == DIP_CONV_TORCH;
    double bound = 1.0 / sqrt((double)(sizes[1] * area));
    double std = sqrt(2.0 / (double)(o->out / groups * area));
    layer.weight =
        torch
            ? dip_make_uniform(&m, "weight", DIP_PARAM_WEIGHT, bound, 4, sizes)
            : dip_make_normal(&m, "weight", DIP_PARAM_WEIGHT, std, 4, sizes);
    if (o->bias)
        layer.bias = torch ? dip_make_uniform(&m, "bias", DIP_PARAM_NO_DECAY,
                                              bound, 1, sizes)
                           : dip_make_full(&m, "bias", DIP_PARAM_NO_DECAY, 0.0,
                                           1, sizes);
    return layer;
}

dip_tensor *dip_conv_forward(const dip_conv *layer, const dip_tensor *x)
{
    return dip_t_conv2d(x, layer->weight, layer->bias, layer->stride,
                        layer->padding, layer->groups);
}

dip_conv_bn dip_make_conv_bn(const dip_maker *maker, const char *conv,
                             const char *norm, const dip_conv_options *options,
                             double scale)
{
    return (dip_conv_bn){
        .conv = dip_make_conv(maker, conv, options),
        .bn = dip_make_batch_norm(maker, norm, options->out, scale),
    };
}

dip_tensor *dip_conv_bn_forward(const dip_conv_bn *layer, const dip_tensor *x,
                                bool relu, bool training)
{
    dip_scope_open();
    dip_tensor *y = dip_conv_forward(&layer->conv, x);
    y = dip_batch_norm_forward(&layer->bn, y, training);
    y = dip_tensor_return(relu ? dip_relu_over(y) : y);
    dip_scope_close();
    return y;
}

/* [B, T, W] to [B, heads, T, W / heads] */
static dip_tensor *split_heads(const dip_tensor *x, int64_t heads)
{
    dip_tensor *split = dip_t_unflatten(x, -1, 2, (int64_t[]){heads, -1});
    return dip_t_transpose(split, 1, 2);
}

dip_tensor *dip_attend(const dip_tensor *queries, const dip_tensor *keys,
                       const dip_tensor *values, int64_t heads,
                       const dip_tensor *mask, double dropout, bool causal)
{
    dip_tensor *seen =
        dip_t_attention(split_heads(queries, heads), split_heads(keys, heads),
                        split_heads(values, heads), mask, dropout, causal);
    return dip_t_flatten(dip_t_transpose(seen, 1, 2), 2, 3);
}

dip_tensor *dip_drop_path(const dip_tensor *x, double p, bool training)
{
    if (!training || p <= 0.0)
        return dip_tensor_alias(x);
    int64_t sizes[8] = {dip_tensor_size(x, 0), 1, 1, 1, 1, 1, 1, 1};
    dip_tensor *ones =
        dip_tensor_full(1.0, dip_tensor_dtype(x), dip_tensor_ndim(x), sizes);
    ones = dip_t_to_device(ones, dip_tensor_device(x));
    return dip_t_mul(x, dip_t_dropout(ones, p, true));
}

/* The one result of `name` on the first `count` of two tensors. */
static dip_tensor *call(const char *name, const char *overload, int count,
                        const dip_tensor *a, const dip_tensor *b)
{
    dip_arg args[] = {
        {.kind = DIP_ARG_TENSOR, .as.tensor = a},
        {.kind = DIP_ARG_TENSOR, .as.tensor = b},
    };
    dip_tensor *out = NULL;
    dip_tensor_call(&out, 1, name, overload, args, count);
    return out;
}

/* By expand_as, since a trace would make the batch a constant otherwise. */
dip_tensor *dip_token_like(const dip_tensor *token, const dip_tensor *x)
{
    return call("aten::expand_as", "", 2, token, dip_t_narrow(x, 1, 0, 1));
}

dip_tensor *dip_add_over(dip_tensor *x, const dip_tensor *y)
{
    return call("aten::add_", "Tensor", 2, x, y);
}

dip_tensor *dip_relu_over(dip_tensor *x)
{
    return call("aten::relu_", "", 1, x, NULL);
}

dip_tensor *dip_relu6_over(dip_tensor *x)
{
    return call("aten::relu6_", "", 1, x, NULL);
}

dip_tensor *dip_grid_tokens(const dip_tensor *x)
{
    return dip_t_transpose(dip_t_flatten(x, 2, 3), 1, 2);
}

dip_tensor *dip_token_places(const dip_tensor *x)
{
    dip_tensor *row = dip_t_zeros_like(dip_t_narrow(x, 0, 0, 1));
    dip_tensor *ones =
        dip_t_to_dtype(dip_t_logical_not(row), DIP_I64); /* of a bool, too */
    dip_arg args[] = {
        {.kind = DIP_ARG_TENSOR, .as.tensor = ones},
        {.kind = DIP_ARG_INT, .as.i = 1},
    };
    dip_tensor *count = NULL;
    dip_tensor_call(&count, 1, "aten::cumsum", "", args, 2);
    return dip_t_sub(count, ones);
}

dip_tensor *dip_token_mask(const dip_tensor *ids, const dip_tensor *lengths)
{
    dip_tensor *left =
        dip_t_sub(dip_t_unsqueeze(lengths, 1), dip_token_places(ids));
    return dip_t_gt_scalar(left, 0.0);
}

dip_tensor *dip_token_attended(const dip_tensor *ids, const dip_tensor *lengths)
{
    dip_tensor *one = dip_tensor_scalar(1.0, DIP_I64);
    return dip_token_mask(ids, dip_t_maximum(lengths, one));
}

dip_tensor *dip_mask_keys(const dip_tensor *mask)
{
    return dip_t_unsqueeze(dip_t_unsqueeze(mask, 1), 1);
}

dip_tensor *dip_pool_last(const dip_tensor *x, const dip_tensor *lengths)
{
    /* In integers: a double would turn the index into a float. */
    dip_tensor *one = dip_tensor_scalar(1.0, DIP_I64);
    dip_tensor *last = dip_t_sub(dip_t_maximum(lengths, one), one);
    last = dip_t_unsqueeze(dip_t_unsqueeze(last, 1), 2);
    last = dip_t_expand(last, 3, (int64_t[]){-1, -1, dip_tensor_size(x, 2)});
    return dip_t_squeeze(dip_t_gather(x, 1, last), 1);
}

dip_tensor *dip_pool_mean(const dip_tensor *x, const dip_tensor *mask)
{
    dip_tensor *outside = dip_t_unsqueeze(dip_t_logical_not(mask), 2);
    dip_tensor *sum = dip_t_sum(dip_t_masked_fill(x, outside, 0.0), 1, false);
    dip_tensor *count = dip_t_to_dtype(dip_t_sum(mask, 1, true), DIP_F32);
    return dip_t_div(sum,
                     dip_t_maximum(count, dip_tensor_scalar(1.0, DIP_F32)));
}

dip_tensor *dip_pool_max(const dip_tensor *x, const dip_tensor *mask)
{
    /* Finite: an infinity would reach rows without tokens. */
    const double below_all = -1e30;
    dip_tensor *outside = dip_t_unsqueeze(dip_t_logical_not(mask), 2);
    dip_tensor *top =
        dip_t_amax(dip_t_masked_fill(x, outside, below_all), 1, false);
    dip_tensor *empty =
        dip_t_logical_not(dip_t_gt_scalar(dip_t_sum(mask, 1, true), 0.0));
    return dip_t_masked_fill(top, empty, 0.0);
}
