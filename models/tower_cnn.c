/* A small convolutional network: per stage a 3x3 convolution, batch norm, ReLU
 * and 2x2 pooling; then the mean over all places. */
#include <stdlib.h>

#include "base/mem.h"
#include "models/options.h"
#include "models/towers.h"

typedef struct {
    dip_image_tower base;
    int stage_count;
    dip_conv_bn stages[DIP_TOWER_STAGES_MAX];
    double dropout;
} cnn;

static const char *const OPTIONS[] = {"widths", "dropout", NULL};

static dip_status check(dip_image_options *o, dip_err *err)
{
    if (o->width_count == 0) {
        o->width_count = 4;
        for (int i = 0; i < 4; i++)
            o->widths[i] = 32 << i;
    }
    dip_status st = dip_option_int(o->width_count, 1, DIP_TOWER_STAGES_MAX,
                                   "image.widths", err);
    for (int i = 0; st == DIP_OK && i < o->width_count; i++)
        st = dip_option_int(o->widths[i], 1, 8192, "image.widths", err);
    if (st == DIP_OK && o->image_size < (int64_t)1 << o->width_count)
        st = dip_fail(err, DIP_ECONFIG,
                      "image.widths: %d stages need an image_size of %d, not "
                      "%lld",
                      o->width_count, 1 << o->width_count,
                      (long long)o->image_size);
    if (st == DIP_OK)
        st = dip_option_share(o->dropout, "image.dropout", err);
    return st;
}

static dip_image_tower *build(const dip_image_options *o,
                              const dip_maker *maker)
{
    cnn *net = dip_calloc(1, sizeof *net);
    if (!net)
        return NULL;
    net->base.kind = &dip_image_cnn;
    net->base.features = o->widths[o->width_count - 1];
    net->stage_count = o->width_count;
    net->dropout = o->dropout;
    int64_t in = 3;
    for (int i = 0; i < o->width_count; i++) {
        dip_maker inner = dip_maker_in(maker, "stages.%d", i);
        const dip_conv_options conv = {
            .in = in, .out = o->widths[i], .kernel = 3, .padding = 1};
        net->stages[i] = dip_make_conv_bn(&inner, "conv", "bn", &conv, 1.0);
        in = o->widths[i];
    }
    return &net->base;
}

static dip_tensor *forward_stage(const dip_conv_bn *stage, const dip_tensor *x,
                                 bool training)
{
    dip_scope_open();
    dip_tensor *y = dip_conv_bn_forward(stage, x, true, training);
    y = dip_tensor_return(dip_t_max_pool2d(y, 2, 2, 0));
    dip_scope_close();
    return y;
}

static dip_tensor *forward(const dip_image_tower *tower,
                           const dip_tensor *images, dip_tensor **tokens,
                           bool training)
{
    const cnn *net = (const cnn *)tower;
    dip_tensor *x = dip_tensor_alias(images);
    for (int i = 0; i < net->stage_count; i++)
        x = forward_stage(&net->stages[i], x, training);
    if (tokens)
        *tokens = dip_grid_tokens(x);
    x = dip_t_flatten(dip_t_adaptive_avg_pool2d(x, 1, 1), 1, -1);
    return dip_t_dropout(x, net->dropout, training);
}

static void release(dip_image_tower *tower)
{
    free(tower);
}

const dip_image_kind dip_image_cnn = {
    .name = "cnn",
    .summary = "small stack of convolution, batch norm, ReLU and pooling",
    .options = OPTIONS,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
