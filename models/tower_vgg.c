/* VGG networks (Simonyan & Zisserman, arXiv 1409.1556), with and without batch
 * norm, named and computed as torchvision's. The features are the mean over all
 * places, or what the two hidden layers of the classifier make of 7 x 7. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "models/options.h"
#include "models/towers.h"

#define STAGES     5
#define CONVS_MAX  16
#define POOLED     7 /* height and width of what the classifier sees */
#define REDUCTION  32
#define HIDDEN_STD 0.01

typedef struct {
    dip_conv_bn unit; /* bn.weight NULL without batch norm */
    bool pool;        /* afterwards */
} layer;

typedef struct {
    dip_image_tower base;
    layer layers[CONVS_MAX];
    int layer_count;
    dip_linear hidden[2]; /* weights NULL without the classifier */
    double dropout;
} vgg;

static const char *const OPTIONS[] = {
    "width", "depth", "batch_norm", "pooling", "features", "dropout", NULL};
static const char *const POOLINGS[] = {"mean", "classifier", NULL};

/* Convolutions of each stage. */
static const struct {
    int64_t depth;
    int convs[STAGES];
} DEPTHS[] = {
    {11, {1, 1, 2, 2, 2}},
    {13, {2, 2, 2, 2, 2}},
    {16, {2, 2, 3, 3, 3}},
    {19, {2, 2, 4, 4, 4}},
};

/* NULL for an unknown depth. */
static const int *convs_of(int64_t depth)
{
    for (size_t i = 0; i < DIP_ARRAY_LEN(DEPTHS); i++)
        if (DEPTHS[i].depth == depth)
            return DEPTHS[i].convs;
    return NULL;
}

static dip_status check_classifier(dip_image_options *o, dip_err *err)
{
    dip_status st =
        dip_option_choice(&o->pooling, POOLINGS, "image.pooling", err);
    if (st != DIP_OK)
        return st;
    bool classifier = dip_option_is(o->pooling, "classifier");
    if (!classifier && o->features != 0)
        return dip_fail(err, DIP_ECONFIG,
                        "image.features: needs image.pooling 'classifier'");
    if (classifier && o->features == 0)
        o->features = 4096;
    return dip_option_int(o->features, 0, 1 << 16, "image.features", err);
}

static dip_status check(dip_image_options *o, dip_err *err)
{
    if (o->depth == 0)
        o->depth = 16;
    if (o->width == 0)
        o->width = 64;
    if (!convs_of(o->depth))
        return dip_fail(err, DIP_ECONFIG,
                        "image.depth: %lld is none of 11, 13, 16, 19",
                        (long long)o->depth);
    dip_status st = dip_option_int(o->width, 1, 1024, "image.width", err);
    if (st == DIP_OK)
        st = dip_option_share(o->dropout, "image.dropout", err);
    if (st == DIP_OK && o->image_size < REDUCTION)
        st = dip_fail(err, DIP_ECONFIG, "image.image_size: %lld is below %d",
                      (long long)o->image_size, REDUCTION);
    return st == DIP_OK ? check_classifier(o, err) : st;
}

/* Adds the convolution at `place` of features, and the norm behind it. */
static void build_layer(layer *l, const dip_maker *features, int place,
                        int64_t in, int64_t out, bool batch_norm)
{
    char conv[16], norm[16];
    (void)snprintf(conv, sizeof conv, "%d", place);
    (void)snprintf(norm, sizeof norm, "%d", place + 1);
    const dip_conv_options options = {
        .in = in, .out = out, .kernel = 3, .padding = 1, .bias = true};
    l->unit.conv = dip_make_conv(features, conv, &options);
    if (batch_norm)
        l->unit.bn = dip_make_batch_norm(features, norm, out, 1.0);
}

static void build_features(vgg *net, const dip_image_options *o,
                           const dip_maker *maker)
{
    dip_maker features = dip_maker_in(maker, "features");
    const int *convs = convs_of(o->depth);
    int64_t in = 3;
    int place = 0; /* of torchvision's list, where ReLU and pooling count */
    for (int stage = 0; stage < STAGES; stage++, place++) {
        int64_t out = o->width << (stage < 3 ? stage : 3);
        for (int i = 0; i < convs[stage]; i++) {
            layer *l = &net->layers[net->layer_count++];
            build_layer(l, &features, place, in, out, o->batch_norm);
            l->pool = i + 1 == convs[stage];
            place += o->batch_norm ? 3 : 2;
            in = out;
        }
    }
    net->base.features = net->base.token_features = in;
}

static dip_image_tower *build(const dip_image_options *o,
                              const dip_maker *maker)
{
    vgg *net = dip_calloc(1, sizeof *net);
    if (!net)
        return NULL;
    net->base.kind = &dip_image_vgg;
    net->dropout = o->dropout;
    build_features(net, o, maker);
    if (o->features > 0) {
        dip_maker inner = dip_maker_in(maker, "classifier");
        int64_t places = POOLED * POOLED * net->base.features;
        net->hidden[0] = dip_make_linear_normal(&inner, "0", places,
                                                o->features, true, HIDDEN_STD);
        net->hidden[1] = dip_make_linear_normal(&inner, "3", o->features,
                                                o->features, true, HIDDEN_STD);
        net->base.features = o->features;
    }
    return &net->base;
}

static dip_tensor *forward_layer(const layer *l, const dip_tensor *x,
                                 bool training)
{
    dip_scope_open();
    dip_tensor *y = l->unit.bn.weight
                        ? dip_conv_bn_forward(&l->unit, x, true, training)
                        : dip_relu_over(dip_conv_forward(&l->unit.conv, x));
    y = dip_tensor_return(l->pool ? dip_t_max_pool2d(y, 2, 2, 0) : y);
    dip_scope_close();
    return y;
}

static dip_tensor *forward(const dip_image_tower *tower,
                           const dip_tensor *images, dip_tensor **tokens,
                           bool training)
{
    const vgg *net = (const vgg *)tower;
    dip_tensor *x = dip_tensor_alias(images);
    for (int i = 0; i < net->layer_count; i++)
        x = forward_layer(&net->layers[i], x, training);
    if (tokens)
        *tokens = dip_grid_tokens(x);
    bool classifier = net->hidden[0].weight != NULL;
    int64_t side = classifier ? POOLED : 1;
    x = dip_t_flatten(dip_t_adaptive_avg_pool2d(x, side, side), 1, -1);
    for (int i = 0; classifier && i < 2; i++) {
        x = dip_t_relu(dip_linear_forward(&net->hidden[i], x));
        x = dip_t_dropout(x, net->dropout, training);
    }
    return classifier ? x : dip_t_dropout(x, net->dropout, training);
}

static void release(dip_image_tower *tower)
{
    free(tower);
}

const dip_image_kind dip_image_vgg = {
    .name = "vgg",
    .summary = "VGG network with torchvision's parameter names",
    .options = OPTIONS,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
