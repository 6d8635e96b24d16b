/* CLIP's residual networks (arXiv 2103.00020, section 2.4), named and computed
 * as open_clip's ModifiedResNet: a stem of three convolutions, a mean before
 * each strided convolution (anti-aliasing), and in place of the mean over all
 * places an attention whose one query is that mean. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "models/options.h"
#include "models/towers.h"

#define STAGES    4
#define EXPANSION 4
#define REDUCTION 32 /* pixels of an image per place of the last grid */

typedef struct {
    dip_conv_bn units[3];
    dip_conv_bn down; /* weight NULL where the shortcut is the identity */
    int64_t stride;
    double drop_path;
} block;

typedef struct {
    dip_tensor *positions; /* [1 + places, E] */
    dip_linear query, key, value, out;
    int64_t heads;
} attention_pool;

typedef struct {
    dip_image_tower base;
    dip_conv_bn stem[3];
    attention_pool pool;
    int64_t block_count;
    block blocks[]; /* all stages in a row */
} clip_resnet;

static const char *const CONVS[] = {"conv1", "conv2", "conv3"};
static const char *const NORMS[] = {"bn1", "bn2", "bn3"};
static const char *const OPTIONS[] = {
    "layers",    "width", "heads", "features", "zero_init_residual",
    "drop_path", NULL};

/* RN50 without anything said. */
static void fill_defaults(dip_image_options *o)
{
    if (o->layer_count == 0) {
        memcpy(o->layers, (int64_t[STAGES]){3, 4, 6, 3},
               STAGES * sizeof o->layers[0]);
        o->layer_count = STAGES;
    }
    if (o->width == 0)
        o->width = 64;
    if (o->heads == 0)
        o->heads = o->width < 2 ? 1 : o->width / 2; /* of 64 channels each */
    if (o->features == 0)
        o->features = o->width * 8 * EXPANSION;
}

static dip_status check_sizes(const dip_image_options *o, dip_err *err)
{
    int64_t channels = o->width * 8 * EXPANSION;
    if (o->layer_count != STAGES)
        return dip_fail(err, DIP_ECONFIG, "image.layers: %d stages, not %d",
                        o->layer_count, STAGES);
    if (o->width % 2 != 0)
        return dip_fail(err, DIP_ECONFIG, "image.width: %lld is odd",
                        (long long)o->width);
    if (channels % o->heads != 0)
        return dip_fail(err, DIP_ECONFIG,
                        "image.heads: %lld does not divide the %lld channels "
                        "of the last stage",
                        (long long)o->heads, (long long)channels);
    if (o->image_size % REDUCTION != 0)
        return dip_fail(err, DIP_ECONFIG,
                        "image.image_size: %lld is no multiple of %d",
                        (long long)o->image_size, REDUCTION);
    return DIP_OK;
}

static dip_status check(dip_image_options *o, dip_err *err)
{
    fill_defaults(o);
    dip_status st = dip_option_int(o->width, 2, 1024, "image.width", err);
    for (int i = 0; st == DIP_OK && i < o->layer_count; i++)
        st = dip_option_int(o->layers[i], 1, 256, "image.layers", err);
    if (st == DIP_OK)
        st = dip_option_int(o->heads, 1, 1024, "image.heads", err);
    if (st == DIP_OK)
        st = dip_option_int(o->features, 1, 1 << 16, "image.features", err);
    if (st == DIP_OK)
        st = dip_option_share(o->drop_path, "image.drop_path", err);
    return st == DIP_OK ? check_sizes(o, err) : st;
}

/* Convolution `i` of a block or the stem, with its norm: torch.nn's start,
 * unlike torchvision's. */
static dip_conv_bn make_unit(const dip_maker *maker, int i, int64_t in,
                             int64_t out, int64_t kernel, int64_t stride,
                             double scale)
{
    const dip_conv_options options = {.in = in,
                                      .out = out,
                                      .kernel = kernel,
                                      .stride = stride,
                                      .padding = kernel / 2,
                                      .start = DIP_CONV_TORCH};
    return dip_make_conv_bn(maker, CONVS[i], NORMS[i], &options, scale);
}

static void build_stem(clip_resnet *net, const dip_maker *maker, int64_t width)
{
    net->stem[0] = make_unit(maker, 0, 3, width / 2, 3, 2, 1.0);
    net->stem[1] = make_unit(maker, 1, width / 2, width / 2, 3, 1, 1.0);
    net->stem[2] = make_unit(maker, 2, width / 2, width, 3, 1, 1.0);
}

static void build_block(block *b, const dip_maker *maker, int64_t in,
                        int64_t width, int64_t stride, bool zero_last)
{
    int64_t out = width * EXPANSION;
    b->stride = stride;
    b->units[0] = make_unit(maker, 0, in, width, 1, 1, 1.0);
    b->units[1] = make_unit(maker, 1, width, width, 3, 1, 1.0);
    b->units[2] = make_unit(maker, 2, width, out, 1, 1, zero_last ? 0.0 : 1.0);
    const dip_conv_options down = {
        .in = in, .out = out, .kernel = 1, .start = DIP_CONV_TORCH};
    if (stride > 1 || in != out)
        b->down =
            dip_make_conv_bn(maker, "downsample.0", "downsample.1", &down, 1.0);
}

static void build_stages(clip_resnet *net, const dip_image_options *o,
                         const dip_maker *maker)
{
    int64_t in = o->width;
    int64_t at = 0;
    for (int stage = 0; stage < STAGES; stage++) {
        int64_t width = o->width << stage;
        for (int64_t i = 0; i < o->layers[stage]; i++, at++) {
            block *b = &net->blocks[at];
            dip_maker inner =
                dip_maker_in(maker, "layer%d.%lld", stage + 1, (long long)i);
            build_block(b, &inner, in, width, stage > 0 && i == 0 ? 2 : 1,
                        o->zero_init_residual);
            b->drop_path =
                o->drop_path * (double)at / (double)(net->block_count - 1);
            in = width * EXPANSION;
        }
    }
}

static void build_pool(attention_pool *pool, const dip_image_options *o,
                       const dip_maker *maker)
{
    dip_maker inner = dip_maker_in(maker, "attnpool");
    int64_t width = o->width * 8 * EXPANSION;
    int64_t side = o->image_size / REDUCTION;
    double std = 1.0 / sqrt((double)width);
    pool->heads = o->heads;
    pool->positions =
        dip_make_normal(&inner, "positional_embedding", DIP_PARAM_NO_DECAY, std,
                        2, (int64_t[]){side * side + 1, width});
    pool->key =
        dip_make_linear_normal(&inner, "k_proj", width, width, true, std);
    pool->query =
        dip_make_linear_normal(&inner, "q_proj", width, width, true, std);
    pool->value =
        dip_make_linear_normal(&inner, "v_proj", width, width, true, std);
    pool->out =
        dip_make_linear_normal(&inner, "c_proj", width, o->features, true, std);
}

static dip_image_tower *build(const dip_image_options *o,
                              const dip_maker *maker)
{
    int64_t count = 0;
    for (int i = 0; i < STAGES; i++)
        count += o->layers[i];
    clip_resnet *net =
        dip_calloc(1, sizeof *net + (size_t)count * sizeof net->blocks[0]);
    if (!net)
        return NULL;
    net->base.kind = &dip_image_clip_resnet;
    net->base.features = o->features;
    net->base.token_features = o->width * 8 * EXPANSION;
    net->block_count = count;
    build_stem(net, maker, o->width);
    build_stages(net, o, maker);
    build_pool(&net->pool, o, maker);
    return &net->base;
}

static dip_tensor *forward_block(const block *b, const dip_tensor *x,
                                 bool training)
{
    dip_scope_open();
    dip_tensor *y = dip_conv_bn_forward(&b->units[0], x, true, training);
    y = dip_conv_bn_forward(&b->units[1], y, true, training);
    const dip_tensor *shortcut = x;
    if (b->stride > 1) {
        y = dip_t_avg_pool2d(y, b->stride, b->stride, 0);
        shortcut = dip_t_avg_pool2d(x, b->stride, b->stride, 0);
    }
    y = dip_conv_bn_forward(&b->units[2], y, false, training);
    y = dip_drop_path(y, b->drop_path, training);
    if (b->down.conv.weight)
        shortcut = dip_conv_bn_forward(&b->down, shortcut, false, training);
    y = dip_tensor_return(dip_relu_over(dip_add_over(y, shortcut)));
    dip_scope_close();
    return y;
}

/* The last feature map [B, C, H, W]. */
static dip_tensor *forward_map(const clip_resnet *net, const dip_tensor *images,
                               bool training)
{
    dip_tensor *x = dip_tensor_alias(images);
    for (int i = 0; i < 3; i++)
        x = dip_conv_bn_forward(&net->stem[i], x, true, training);
    x = dip_t_avg_pool2d(x, 2, 2, 0);
    for (int64_t i = 0; i < net->block_count; i++)
        x = forward_block(&net->blocks[i], x, training);
    return x;
}

/* Places of the map, and their mean before them: [B, 1 + HW, C]. */
static dip_tensor *pool_tokens(const attention_pool *pool,
                               const dip_tensor *map)
{
    dip_tensor *x = dip_grid_tokens(map);
    dip_tensor *mean = dip_t_mean(x, 1, true);
    x = dip_t_cat((dip_tensor *[]){mean, x}, 2, 1);
    return dip_t_add(x, pool->positions);
}

static dip_tensor *forward(const dip_image_tower *tower,
                           const dip_tensor *images, dip_tensor **tokens,
                           bool training)
{
    const clip_resnet *net = (const clip_resnet *)tower;
    const attention_pool *pool = &net->pool;
    dip_tensor *map = forward_map(net, images, training);
    if (tokens)
        *tokens = dip_grid_tokens(map);
    dip_tensor *x = pool_tokens(pool, map);
    dip_tensor *query =
        dip_linear_forward(&pool->query, dip_t_narrow(x, 1, 0, 1));
    dip_tensor *seen = dip_attend(query, dip_linear_forward(&pool->key, x),
                                  dip_linear_forward(&pool->value, x),
                                  pool->heads, NULL, 0.0, false);
    seen = dip_t_squeeze(seen, 1);
    return dip_linear_forward(&pool->out, seen);
}

static void release(dip_image_tower *tower)
{
    free(tower);
}

const dip_image_kind dip_image_clip_resnet = {
    .name = "clip_resnet",
    .summary = "CLIP's residual network with open_clip's parameter names",
    .options = OPTIONS,
    .positions = "attnpool.positional_embedding",
    .positions_before = 1,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
