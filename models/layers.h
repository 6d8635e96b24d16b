/* Layers: parameters with their published initial values, and how they are
 * applied. A maker knows the store, the seed and the path of names so far.
 *
 * Initial values come from libtorch's generator, seeded per parameter by the
 * seed and the name, so that a parameter's start depends on neither the order
 * of building nor on what else the model holds. Making needs an open scope, and
 * changes the state of the generator. */
#ifndef DIP_MODELS_LAYERS_H
#define DIP_MODELS_LAYERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/params.h"
#include "tensor/tensor.h"

#define DIP_MAKER_PATH_MAX 128

typedef struct {
    dip_params *params; /* borrowed */
    uint64_t seed;
    char path[DIP_MAKER_PATH_MAX]; /* "" or "image.layer1.0" */
} dip_maker;

/* The maker for what stands below `name`. */
dip_maker dip_maker_in(const dip_maker *maker, const char *name, ...)
    DIP_PRINTF(2, 3);

/* One parameter `name` under the maker's path; borrowed from the store. */
dip_tensor *dip_make_normal(const dip_maker *maker, const char *name,
                            dip_param_kind kind, double std, int ndim,
                            const int64_t *sizes);
dip_tensor *dip_make_uniform(const dip_maker *maker, const char *name,
                             dip_param_kind kind, double bound, int ndim,
                             const int64_t *sizes);
dip_tensor *dip_make_full(const dip_maker *maker, const char *name,
                          dip_param_kind kind, double value, int ndim,
                          const int64_t *sizes);

/* weight [out, in], bias [out] or NULL */
typedef struct {
    dip_tensor *weight, *bias;
} dip_linear;

/* As torch.nn.Linear starts: both uniform within 1 / sqrt(in). */
dip_linear dip_make_linear(const dip_maker *maker, const char *name, int64_t in,
                           int64_t out, bool bias);
/* The same with normal weights of this standard deviation. */
dip_linear dip_make_linear_normal(const dip_maker *maker, const char *name,
                                  int64_t in, int64_t out, bool bias,
                                  double std);
dip_tensor *dip_linear_forward(const dip_linear *layer, const dip_tensor *x);

typedef struct {
    dip_tensor *weight, *bias;
    double eps;
} dip_layer_norm;

/* With torch's epsilon, 1e-5. */
dip_layer_norm dip_make_layer_norm(const dip_maker *maker, const char *name,
                                   int64_t width);
dip_layer_norm dip_make_layer_norm_eps(const dip_maker *maker, const char *name,
                                       int64_t width, double eps);
dip_tensor *dip_layer_norm_forward(const dip_layer_norm *layer,
                                   const dip_tensor *x);

typedef struct {
    dip_tensor *weight, *bias, *running_mean, *running_var;
    double momentum, eps;
} dip_batch_norm;

/* Scales start at `start`. Momentum .1 and epsilon 1e-5, as
 * torch.nn.BatchNorm2d; a tower of other ones sets them after making. */
dip_batch_norm dip_make_batch_norm(const dip_maker *maker, const char *name,
                                   int64_t channels, double start);
/* One whose scales do not require gradients, being frozen, uses its running
 * statistics in training, too. */
dip_tensor *dip_batch_norm_forward(const dip_batch_norm *layer,
                                   const dip_tensor *x, bool training);

/* weight [out, in / groups, kernel, kernel], bias [out] or NULL */
typedef struct {
    dip_tensor *weight, *bias;
    int64_t stride, padding, groups;
} dip_conv;

typedef enum {
    DIP_CONV_KAIMING, /* normal, fan out (He et al., arXiv 1502.01852), bias 0:
                         torchvision's */
    DIP_CONV_TORCH    /* both uniform within 1 / sqrt(fan in): torch.nn's */
} dip_conv_start;

typedef struct {
    int64_t in, out, kernel;
    int64_t stride; /* 0 = 1 */
    int64_t padding;
    int64_t groups; /* 0 = 1 */
    bool bias;
    dip_conv_start start;
} dip_conv_options;

dip_conv dip_make_conv(const dip_maker *maker, const char *name,
                       const dip_conv_options *options);
dip_tensor *dip_conv_forward(const dip_conv *layer, const dip_tensor *x);

/* A convolution and its norm. */
typedef struct {
    dip_conv conv;
    dip_batch_norm bn;
} dip_conv_bn;

/* The convolution under its name, and a norm of its channels whose scales start
 * at `scale`. */
dip_conv_bn dip_make_conv_bn(const dip_maker *maker, const char *conv,
                             const char *norm, const dip_conv_options *options,
                             double scale);
/* Both in turn, then ReLU if `relu`; what lies between is freed. */
dip_tensor *dip_conv_bn_forward(const dip_conv_bn *layer, const dip_tensor *x,
                                bool relu, bool training);

/* Attention of several heads: queries [B, T, W], keys and values [B, S, W];
 * result [B, T, W]. `mask` as in dip_t_attention(), or NULL; `dropout` is the
 * share of the attention weights that become 0, given in training only. */
dip_tensor *dip_attend(const dip_tensor *queries, const dip_tensor *keys,
                       const dip_tensor *values, int64_t heads,
                       const dip_tensor *mask, double dropout, bool causal);

/* x + y, and ReLU, written over x, which must be a result that no earlier
 * operation needs for its gradient, as those of batch norm and dip_drop_path()
 * are. Both spare memory traffic, the main cost of elementwise work. */
dip_tensor *dip_add_over(dip_tensor *x, const dip_tensor *y);
dip_tensor *dip_relu_over(dip_tensor *x);
dip_tensor *dip_relu6_over(dip_tensor *x); /* the same up to 6 */

/* Drops the whole of x [B, ...] for a share p of the rows, and scales the rest
 * (stochastic depth, arXiv 1603.09382). Identity unless training. */
dip_tensor *dip_drop_path(const dip_tensor *x, double p, bool training);

/* The learned token [W] once for each row of x [B, T, W]: [B, 1, W]. */
dip_tensor *dip_token_like(const dip_tensor *token, const dip_tensor *x);

/* The places of x [B, C, H, W], row by row: [B, H * W, C]. */
dip_tensor *dip_grid_tokens(const dip_tensor *x);

/* The places 0, 1, 2 ... of the tokens of x [B, T], int64 [1, T]; unlike those
 * of dip_tensor_arange() no constant of a trace. */
dip_tensor *dip_token_places(const dip_tensor *x);
/* BOOL [B, T]: token t of row b is text, not padding; for ids [B, T]. */
dip_tensor *dip_token_mask(const dip_tensor *ids, const dip_tensor *lengths);
/* BOOL [B, T]: the tokens that may be attended to. A text without any attends
 * to one padding token, so that its softmax is defined. */
dip_tensor *dip_token_attended(const dip_tensor *ids,
                               const dip_tensor *lengths);
/* mask [B, T] of keys for all heads and queries, as dip_t_attention() takes it:
 * [B, 1, 1, T]. */
dip_tensor *dip_mask_keys(const dip_tensor *mask);
/* x [B, T, W] at the last token of each row, [B, W]; any row where the length
 * is 0. */
dip_tensor *dip_pool_last(const dip_tensor *x, const dip_tensor *lengths);
/* Mean and maximum over the tokens of `mask` [B, T]; zeros where there is
 * none. */
dip_tensor *dip_pool_mean(const dip_tensor *x, const dip_tensor *mask);
dip_tensor *dip_pool_max(const dip_tensor *x, const dip_tensor *mask);

#endif
