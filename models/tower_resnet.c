/* Residual networks (He et al., arXiv 1512.03385), named and computed as
 * torchvision's: the stride of a bottleneck stands at its 3x3 convolution. The
 * features are the mean over all places, before any classifier. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "models/options.h"
#include "models/towers.h"

#define BOTTLENECK_EXPANSION 4

typedef struct {
    dip_conv conv[3]; /* the third only in bottlenecks */
    dip_batch_norm bn[3];
    int conv_count;
    dip_conv down; /* weight NULL where the shortcut is the identity */
    dip_batch_norm down_bn;
    double drop_path;
} block;

typedef struct {
    dip_image_tower base;
    dip_conv stem;
    dip_batch_norm stem_bn;
    bool stem_pool;
    int64_t block_count;
    block blocks[]; /* all stages in a row */
} resnet;

static const char *const OPTIONS[] = {
    "width",     "depth", "layers", "block", "stem", "zero_init_residual",
    "drop_path", NULL};
static const char *const BLOCKS[] = {"basic", "bottleneck", NULL};
static const char *const STEMS[] = {"imagenet", "small", NULL};

static const struct {
    int64_t depth;
    const char *block;
    int64_t layers[4];
} PRESETS[] = {
    {18, "basic", {2, 2, 2, 2}},
    {34, "basic", {3, 4, 6, 3}},
    {50, "bottleneck", {3, 4, 6, 3}},
};

/* Depth 18 without anything said; a depth is refused beside a list. */
static dip_status apply_preset(dip_image_options *o, dip_err *err)
{
    if (o->layer_count > 0) {
        if (o->depth != 0)
            return dip_fail(err, DIP_ECONFIG,
                            "image.depth: cannot stand beside image.layers");
        return DIP_OK;
    }
    int64_t depth = o->depth ? o->depth : 18;
    for (size_t i = 0; i < DIP_ARRAY_LEN(PRESETS); i++) {
        if (PRESETS[i].depth != depth)
            continue;
        if (!o->block)
            o->block = PRESETS[i].block;
        memcpy(o->layers, PRESETS[i].layers, sizeof PRESETS[i].layers);
        o->layer_count = 4;
        o->depth = 0; /* said by the list now */
        return DIP_OK;
    }
    return dip_fail(err, DIP_ECONFIG,
                    "image.depth: %lld is none of 18, 34, 50; use image.layers",
                    (long long)depth);
}

static dip_status check(dip_image_options *o, dip_err *err)
{
    if (o->width == 0)
        o->width = 64;
    dip_status st = apply_preset(o, err);
    if (st == DIP_OK)
        st = dip_option_int(o->layer_count, 1, DIP_TOWER_STAGES_MAX,
                            "image.layers", err);
    for (int i = 0; st == DIP_OK && i < o->layer_count; i++)
        st = dip_option_int(o->layers[i], 1, 256, "image.layers", err);
    if (st == DIP_OK)
        st = dip_option_int(o->width, 1, 1024, "image.width", err);
    if (st == DIP_OK)
        st = dip_option_choice(&o->block, BLOCKS, "image.block", err);
    if (st == DIP_OK)
        st = dip_option_choice(&o->stem, STEMS, "image.stem", err);
    if (st == DIP_OK)
        st = dip_option_share(o->drop_path, "image.drop_path", err);
    return st;
}

/* Adds the convolutions and norms conv1, bn1, conv2, ... of one block. */
static void build_block(block *b, const dip_maker *maker, bool bottleneck,
                        int64_t in, int64_t width, int64_t stride,
                        bool zero_last)
{
    int64_t out = bottleneck ? width * BOTTLENECK_EXPANSION : width;
    double last = zero_last ? 0.0 : 1.0;
    if (bottleneck) {
        b->conv_count = 3;
        b->conv[0] = dip_make_conv(maker, "conv1", in, width, 1, 1, 0);
        b->bn[0] = dip_make_batch_norm(maker, "bn1", width, 1.0);
        b->conv[1] = dip_make_conv(maker, "conv2", width, width, 3, stride, 1);
        b->bn[1] = dip_make_batch_norm(maker, "bn2", width, 1.0);
        b->conv[2] = dip_make_conv(maker, "conv3", width, out, 1, 1, 0);
        b->bn[2] = dip_make_batch_norm(maker, "bn3", out, last);
    } else {
        b->conv_count = 2;
        b->conv[0] = dip_make_conv(maker, "conv1", in, width, 3, stride, 1);
        b->bn[0] = dip_make_batch_norm(maker, "bn1", width, 1.0);
        b->conv[1] = dip_make_conv(maker, "conv2", width, width, 3, 1, 1);
        b->bn[1] = dip_make_batch_norm(maker, "bn2", width, last);
    }
    if (stride != 1 || in != out) {
        b->down = dip_make_conv(maker, "downsample.0", in, out, 1, stride, 0);
        b->down_bn = dip_make_batch_norm(maker, "downsample.1", out, 1.0);
    }
}

static void build_stages(resnet *net, const dip_image_options *o,
                         const dip_maker *maker)
{
    bool bottleneck = dip_option_is(o->block, "bottleneck");
    int64_t in = o->width;
    int64_t at = 0;
    for (int stage = 0; stage < o->layer_count; stage++) {
        int64_t width = o->width << stage;
        for (int64_t i = 0; i < o->layers[stage]; i++, at++) {
            block *b = &net->blocks[at];
            dip_maker inner =
                dip_maker_in(maker, "layer%d.%lld", stage + 1, (long long)i);
            int64_t stride = stage > 0 && i == 0 ? 2 : 1;
            build_block(b, &inner, bottleneck, in, width, stride,
                        o->zero_init_residual);
            if (net->block_count > 1)
                b->drop_path =
                    o->drop_path * (double)at / (double)(net->block_count - 1);
            in = bottleneck ? width * BOTTLENECK_EXPANSION : width;
        }
    }
    net->base.features = in;
}

static dip_image_tower *build(const dip_image_options *o,
                              const dip_maker *maker)
{
    int64_t count = 0;
    for (int i = 0; i < o->layer_count; i++)
        count += o->layers[i];
    resnet *net =
        dip_calloc(1, sizeof *net + (size_t)count * sizeof net->blocks[0]);
    if (!net)
        return NULL;
    bool small = dip_option_is(o->stem, "small");
    net->base.kind = &dip_image_resnet;
    net->block_count = count;
    net->stem_pool = !small;
    net->stem = small ? dip_make_conv(maker, "conv1", 3, o->width, 3, 1, 1)
                      : dip_make_conv(maker, "conv1", 3, o->width, 7, 2, 3);
    net->stem_bn = dip_make_batch_norm(maker, "bn1", o->width, 1.0);
    build_stages(net, o, maker);
    return &net->base;
}

/* Convolution and norm, then ReLU if `relu`; what lies between is freed. */
static dip_tensor *conv_bn(const dip_conv *conv, const dip_batch_norm *bn,
                           const dip_tensor *x, bool relu, bool training)
{
    dip_scope_open();
    dip_tensor *y = dip_conv_forward(conv, x);
    y = dip_batch_norm_forward(bn, y, training);
    y = dip_tensor_return(relu ? dip_relu_over(y) : y);
    dip_scope_close();
    return y;
}

static dip_tensor *forward_block(const block *b, const dip_tensor *x,
                                 bool training)
{
    dip_scope_open();
    dip_tensor *y = dip_tensor_alias(x);
    for (int i = 0; i < b->conv_count; i++)
        y = conv_bn(&b->conv[i], &b->bn[i], y, i + 1 < b->conv_count, training);
    y = dip_drop_path(y, b->drop_path, training);
    const dip_tensor *shortcut =
        b->down.weight ? conv_bn(&b->down, &b->down_bn, x, false, training) : x;
    y = dip_tensor_return(dip_relu_over(dip_add_over(y, shortcut)));
    dip_scope_close();
    return y;
}

static dip_tensor *forward(const dip_image_tower *tower,
                           const dip_tensor *images, dip_tensor **tokens,
                           bool training)
{
    const resnet *net = (const resnet *)tower;
    dip_tensor *x = conv_bn(&net->stem, &net->stem_bn, images, true, training);
    if (net->stem_pool)
        x = dip_t_max_pool2d(x, 3, 2, 1);
    for (int64_t i = 0; i < net->block_count; i++)
        x = forward_block(&net->blocks[i], x, training);
    if (tokens)
        *tokens = dip_grid_tokens(x);
    return dip_t_flatten(dip_t_adaptive_avg_pool2d(x, 1, 1), 1, -1);
}

static void release(dip_image_tower *tower)
{
    free(tower);
}

const dip_image_kind dip_image_resnet = {
    .name = "resnet",
    .summary = "residual network with torchvision's parameter names",
    .options = OPTIONS,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
