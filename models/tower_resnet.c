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
    dip_conv_bn units[3]; /* the third only in bottlenecks */
    int unit_count;
    dip_conv_bn down; /* weight NULL where the shortcut is the identity */
    double drop_path;
} block;

typedef struct {
    dip_image_tower base;
    dip_conv_bn stem;
    bool stem_pool;
    int64_t block_count;
    block blocks[]; /* all stages in a row */
} resnet;

static const char *const CONVS[] = {"conv1", "conv2", "conv3"};
static const char *const NORMS[] = {"bn1", "bn2", "bn3"};
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
    {18, "basic", {2, 2, 2, 2}},        {34, "basic", {3, 4, 6, 3}},
    {50, "bottleneck", {3, 4, 6, 3}},   {101, "bottleneck", {3, 4, 23, 3}},
    {152, "bottleneck", {3, 8, 36, 3}},
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
                    "image.depth: %lld is none of 18, 34, 50, 101, 152; use "
                    "image.layers",
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

static void add_unit(block *b, const dip_maker *maker,
                     const dip_conv_options *conv, double scale)
{
    int i = b->unit_count++;
    b->units[i] = dip_make_conv_bn(maker, CONVS[i], NORMS[i], conv, scale);
}

static void build_block(block *b, const dip_maker *maker, bool bottleneck,
                        int64_t in, int64_t width, int64_t stride,
                        bool zero_last)
{
    int64_t out = bottleneck ? width * BOTTLENECK_EXPANSION : width;
    double last = zero_last ? 0.0 : 1.0;
    const dip_conv_options reduce = {.in = in, .out = width, .kernel = 1};
    const dip_conv_options expand = {.in = width, .out = out, .kernel = 1};
    const dip_conv_options spatial = {.in = bottleneck ? width : in,
                                      .out = width,
                                      .kernel = 3,
                                      .stride = stride,
                                      .padding = 1};
    const dip_conv_options second = {
        .in = width, .out = width, .kernel = 3, .padding = 1};
    const dip_conv_options down = {
        .in = in, .out = out, .kernel = 1, .stride = stride};
    if (bottleneck)
        add_unit(b, maker, &reduce, 1.0);
    add_unit(b, maker, &spatial, 1.0);
    add_unit(b, maker, bottleneck ? &expand : &second, last);
    if (stride != 1 || in != out)
        b->down =
            dip_make_conv_bn(maker, "downsample.0", "downsample.1", &down, 1.0);
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
    dip_conv_options stem = {.in = 3, .out = o->width};
    stem.kernel = small ? 3 : 7;
    stem.stride = small ? 1 : 2;
    stem.padding = small ? 1 : 3;
    net->stem = dip_make_conv_bn(maker, "conv1", "bn1", &stem, 1.0);
    build_stages(net, o, maker);
    return &net->base;
}

static dip_tensor *forward_block(const block *b, const dip_tensor *x,
                                 bool training)
{
    dip_scope_open();
    dip_tensor *y = dip_tensor_alias(x);
    for (int i = 0; i < b->unit_count; i++)
        y = dip_conv_bn_forward(&b->units[i], y, i + 1 < b->unit_count,
                                training);
    y = dip_drop_path(y, b->drop_path, training);
    const dip_tensor *shortcut =
        b->down.conv.weight ? dip_conv_bn_forward(&b->down, x, false, training)
                            : x;
    y = dip_tensor_return(dip_relu_over(dip_add_over(y, shortcut)));
    dip_scope_close();
    return y;
}

static dip_tensor *forward(const dip_image_tower *tower,
                           const dip_tensor *images, dip_tensor **tokens,
                           bool training)
{
    const resnet *net = (const resnet *)tower;
    dip_tensor *x = dip_conv_bn_forward(&net->stem, images, true, training);
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
