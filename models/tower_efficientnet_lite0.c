/* EfficientNet-lite0 (Tan & Le, arXiv 1905.11946, in its variant without
 * squeeze and swish), named and computed as efficientnet_lite_pytorch's: zeros
 * around an image are divided as TensorFlow's "same" does, with the odd one at
 * the end. The features are the mean over all places of the last map. */
#include <stdlib.h>

#include "base/mem.h"
#include "models/options.h"
#include "models/towers.h"

#define STAGES      7
#define STEM        32
#define HEAD        1280
#define EXPANSION   6
#define BN_EPS      1e-3
#define BN_MOMENTUM 0.01

/* A convolution, its norm, and where its zeros stand. */
typedef struct {
    dip_conv_bn layer;
    int64_t before, after; /* of rows and columns */
} unit;

typedef struct {
    unit expand; /* weight NULL in the first block */
    unit depthwise, project;
    bool shortcut;
    double drop_path;
} block;

typedef struct {
    dip_image_tower base;
    unit stem, head;
    int64_t block_count;
    block blocks[]; /* all stages in a row */
} efficientnet;

static const char *const OPTIONS[] = {"width", "layers", "drop_path", NULL};

static const struct {
    int64_t layers, kernel, stride, out;
} PLAN[STAGES] = {
    {1, 3, 1, 16},  {2, 3, 2, 24},  {2, 5, 2, 40},  {3, 3, 2, 80},
    {3, 5, 1, 112}, {4, 5, 2, 192}, {1, 3, 1, 320},
};

static dip_status check(dip_image_options *o, dip_err *err)
{
    if (o->width == 0)
        o->width = STEM;
    if (o->layer_count == 0) {
        o->layer_count = STAGES;
        for (int i = 0; i < STAGES; i++)
            o->layers[i] = PLAN[i].layers;
    }
    if (o->layer_count != STAGES)
        return dip_fail(err, DIP_ECONFIG, "image.layers: %d stages, not %d",
                        o->layer_count, STAGES);
    dip_status st = dip_option_int(o->width, 1, 1024, "image.width", err);
    for (int i = 0; st == DIP_OK && i < STAGES; i++)
        st = dip_option_int(o->layers[i], 1, 256, "image.layers", err);
    if (st == DIP_OK)
        st = dip_option_share(o->drop_path, "image.drop_path", err);
    return st;
}

/* Channels at this width of the stem: a multiple of 8 that is no more than a
 * tenth below the exact number (EfficientNet's rule). */
static int64_t scaled(int64_t channels, int64_t width)
{
    double exact = (double)(channels * width) / STEM;
    int64_t near = (int64_t)(exact + 4.0) / 8 * 8;
    if (near < 8)
        near = 8;
    return (double)near < 0.9 * exact ? near + 8 : near;
}

/* The unit of these names for maps of *side, which becomes that of its
 * result. */
static unit make_unit(const dip_maker *maker, const char *conv,
                      const char *norm, const dip_conv_options *o,
                      int64_t *side)
{
    int64_t stride = o->stride ? o->stride : 1;
    int64_t out = (*side + stride - 1) / stride;
    int64_t zeros = (out - 1) * stride + o->kernel - *side;
    unit u = {.before = zeros > 0 ? zeros / 2 : 0};
    u.after = zeros > 0 ? zeros - u.before : 0;
    dip_conv_options even = *o;
    if (u.before == u.after) { /* the convolution does it alone */
        even.padding = u.before;
        u.before = u.after = 0;
    }
    u.layer = dip_make_conv_bn(maker, conv, norm, &even, 1.0);
    u.layer.bn.eps = BN_EPS;
    u.layer.bn.momentum = BN_MOMENTUM;
    *side = out;
    return u;
}

static void build_block(block *b, const dip_maker *maker, int64_t in,
                        int64_t out, int64_t kernel, int64_t stride,
                        int64_t expansion, int64_t *side)
{
    int64_t hidden = in * expansion;
    const dip_conv_options expand = {.in = in, .out = hidden, .kernel = 1};
    const dip_conv_options depthwise = {.in = hidden,
                                        .out = hidden,
                                        .kernel = kernel,
                                        .stride = stride,
                                        .groups = hidden};
    const dip_conv_options project = {.in = hidden, .out = out, .kernel = 1};
    if (expansion > 1)
        b->expand = make_unit(maker, "_expand_conv", "_bn0", &expand, side);
    b->depthwise =
        make_unit(maker, "_depthwise_conv", "_bn1", &depthwise, side);
    b->project = make_unit(maker, "_project_conv", "_bn2", &project, side);
}

/* The result is the number of channels of the last map. */
static int64_t build_blocks(efficientnet *net, const dip_image_options *o,
                            const dip_maker *maker, int64_t *side)
{
    int64_t in = scaled(STEM, o->width);
    int64_t at = 0;
    for (int stage = 0; stage < STAGES; stage++) {
        int64_t out = scaled(PLAN[stage].out, o->width);
        for (int64_t i = 0; i < o->layers[stage]; i++, at++) {
            block *b = &net->blocks[at];
            dip_maker inner =
                dip_maker_in(maker, "_blocks.%lld", (long long)at);
            build_block(b, &inner, in, out, PLAN[stage].kernel,
                        i == 0 ? PLAN[stage].stride : 1,
                        stage == 0 ? 1 : EXPANSION, side);
            b->shortcut = i > 0; /* the first of a stage changes its input */
            b->drop_path =
                o->drop_path * (double)at / (double)(net->block_count - 1);
            in = out;
        }
    }
    return in;
}

static dip_image_tower *build(const dip_image_options *o,
                              const dip_maker *maker)
{
    int64_t count = 0;
    for (int i = 0; i < STAGES; i++)
        count += o->layers[i];
    efficientnet *net =
        dip_calloc(1, sizeof *net + (size_t)count * sizeof net->blocks[0]);
    if (!net)
        return NULL;
    int64_t side = o->image_size;
    net->base.kind = &dip_image_efficientnet_lite0;
    net->base.features = scaled(HEAD, o->width);
    net->block_count = count;
    const dip_conv_options stem = {
        .in = 3, .out = scaled(STEM, o->width), .kernel = 3, .stride = 2};
    net->stem = make_unit(maker, "_conv_stem", "_bn0", &stem, &side);
    const dip_conv_options head = {.in = build_blocks(net, o, maker, &side),
                                   .out = net->base.features,
                                   .kernel = 1};
    net->head = make_unit(maker, "_conv_head", "_bn1", &head, &side);
    return &net->base;
}

/* Zeros, convolution and norm, then ReLU up to 6 if `relu`. */
static dip_tensor *forward_unit(const unit *u, const dip_tensor *x, bool relu,
                                bool training)
{
    dip_scope_open();
    dip_tensor *padded = NULL;
    if (u->after > 0) {
        const int64_t sides[] = {u->before, u->after, u->before, u->after};
        const dip_arg args[] = {
            {.kind = DIP_ARG_TENSOR, .as.tensor = x},
            {.kind = DIP_ARG_INT_LIST, .as.ints = {sides, 4}},
        };
        dip_tensor_call(&padded, 1, "aten::constant_pad_nd", "", args, 2);
    }
    dip_tensor *y =
        dip_conv_bn_forward(&u->layer, padded ? padded : x, false, training);
    y = dip_tensor_return(relu ? dip_relu6_over(y) : y);
    dip_scope_close();
    return y;
}

static dip_tensor *forward_block(const block *b, const dip_tensor *x,
                                 bool training)
{
    dip_scope_open();
    dip_tensor *y = dip_tensor_alias(x);
    if (b->expand.layer.conv.weight)
        y = forward_unit(&b->expand, y, true, training);
    y = forward_unit(&b->depthwise, y, true, training);
    y = forward_unit(&b->project, y, false, training);
    if (b->shortcut)
        y = dip_add_over(dip_drop_path(y, b->drop_path, training), x);
    y = dip_tensor_return(y);
    dip_scope_close();
    return y;
}

static dip_tensor *forward(const dip_image_tower *tower,
                           const dip_tensor *images, dip_tensor **tokens,
                           bool training)
{
    const efficientnet *net = (const efficientnet *)tower;
    dip_tensor *x = forward_unit(&net->stem, images, true, training);
    for (int64_t i = 0; i < net->block_count; i++)
        x = forward_block(&net->blocks[i], x, training);
    x = forward_unit(&net->head, x, true, training);
    if (tokens)
        *tokens = dip_grid_tokens(x);
    return dip_t_flatten(dip_t_adaptive_avg_pool2d(x, 1, 1), 1, -1);
}

static void release(dip_image_tower *tower)
{
    free(tower);
}

const dip_image_kind dip_image_efficientnet_lite0 = {
    .name = "efficientnet_lite0",
    .summary = "EfficientNet-lite0 with the names of its PyPI package",
    .options = OPTIONS,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
