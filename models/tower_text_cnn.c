/* Convolutions over words (Kim 2014, arXiv 1408.5882): filters over windows of
 * several widths, ReLU, the maximum over time, dropout. As in Kim's code
 * windows reach over both ends of the text into zeros, so that a text may be
 * shorter than a window; padding behind it counts as such zeros and the windows
 * within it do not count. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "models/options.h"
#include "models/towers.h"
#include "models/words.h"

#define WINDOW_MAX 64 /* words */

/* weight [filters, token_width, window], bias [filters]: torch.nn.Conv1d's */
typedef struct {
    dip_tensor *weight, *bias;
    int64_t window;
} filters;

typedef struct {
    dip_text_tower base;
    dip_words words; /* of token_width */
    filters filters[DIP_TOWER_STAGES_MAX];
    int window_count;
    double dropout;
} cnn;

static const char *const OPTIONS[] = {
    "width", "windows", "dropout", DIP_WORDS_OPTIONS, DIP_NGRAM_OPTIONS, NULL};

static dip_status check(dip_text_options *o, dip_err *err)
{
    static const int64_t KIM[] = {3, 4, 5};
    if (o->width == 0)
        o->width = 100;
    if (o->token_width == 0)
        o->token_width = 300;
    if (o->window_count == 0) {
        memcpy(o->windows, KIM, sizeof KIM);
        o->window_count = (int)DIP_ARRAY_LEN(KIM);
    }
    dip_status st = dip_words_check(o, err);
    if (st == DIP_OK)
        st = dip_option_int(o->width, 1, 8192, "text.width", err);
    for (int i = 0; st == DIP_OK && i < o->window_count; i++)
        st = dip_option_int(o->windows[i], 1, WINDOW_MAX, "text.windows", err);
    if (st == DIP_OK)
        st = dip_option_share(o->dropout, "text.dropout", err);
    return st;
}

/* As torch.nn.Conv1d starts. */
static filters make_filters(const dip_maker *maker, int number, int64_t in,
                            int64_t out, int64_t window)
{
    dip_maker inner = dip_maker_in(maker, "convs.%d", number);
    double bound = 1.0 / sqrt((double)(in * window));
    return (filters){
        .weight = dip_make_uniform(&inner, "weight", DIP_PARAM_WEIGHT, bound, 3,
                                   (int64_t[]){out, in, window}),
        .bias = dip_make_uniform(&inner, "bias", DIP_PARAM_NO_DECAY, bound, 1,
                                 &out),
        .window = window,
    };
}

static dip_text_tower *build(const dip_text_options *o, const dip_maker *maker)
{
    cnn *net = dip_calloc(1, sizeof *net);
    if (!net)
        return NULL;
    net->base.kind = &dip_text_cnn;
    net->base.features = o->width * o->window_count;
    net->dropout = o->dropout;
    net->window_count = o->window_count;
    net->words = dip_make_words(maker, o, o->token_width);
    for (int i = 0; i < o->window_count; i++)
        net->filters[i] =
            make_filters(maker, i, o->token_width, o->width, o->windows[i]);
    return &net->base;
}

/* All windows of x [B, in, T] that touch it: [B, T + window - 1, out], the one
 * that ends at token t standing at t. */
static dip_tensor *convolve(const filters *f, const dip_tensor *x)
{
    dip_arg args[] = {
        {.kind = DIP_ARG_TENSOR, .as.tensor = x},
        {.kind = DIP_ARG_TENSOR, .as.tensor = f->weight},
        {.kind = DIP_ARG_TENSOR, .as.tensor = f->bias},
        {.kind = DIP_ARG_INT, .as.i = 1},             /* stride */
        {.kind = DIP_ARG_INT, .as.i = f->window - 1}, /* padding */
    };
    dip_tensor *out = NULL;
    dip_tensor_call(&out, 1, "aten::conv1d", "", args,
                    (int)DIP_ARRAY_LEN(args));
    return dip_t_transpose(dip_t_relu(out), 1, 2);
}

/* The maximum over the windows that touch the text: [B, out]. */
static dip_tensor *pool(const filters *f, const dip_tensor *y,
                        const dip_tensor *lengths)
{
    dip_tensor *beyond = dip_tensor_scalar((double)(f->window - 1), DIP_I64);
    dip_tensor *count = dip_t_add(lengths, beyond);
    return dip_pool_max(y, dip_token_mask(dip_t_select(y, 2, 0), count));
}

/* y [B, T + window - 1, out] without the windows that end behind the tokens;
 * counted from the end, since a size would stay in a trace. */
static dip_tensor *ending_at_tokens(const filters *f, dip_tensor *y)
{
    if (f->window == 1)
        return y;
    dip_arg args[] = {
        {.kind = DIP_ARG_TENSOR, .as.tensor = y},
        {.kind = DIP_ARG_INT, .as.i = 1},             /* dim */
        {.kind = DIP_ARG_INT, .as.i = 0},             /* start */
        {.kind = DIP_ARG_INT, .as.i = 1 - f->window}, /* end */
    };
    dip_tensor *out = NULL;
    dip_tensor_call(&out, 1, "aten::slice", "Tensor", args,
                    (int)DIP_ARRAY_LEN(args));
    return out;
}

static dip_tensor *forward(const dip_text_tower *tower, const dip_tensor *ids,
                           const dip_tensor *lengths, dip_tensor **tokens,
                           bool training)
{
    const cnn *net = (const cnn *)tower;
    dip_tensor *mask = dip_token_mask(ids, lengths);
    dip_tensor *x = dip_words_forward(&net->words, ids, 0, training);
    x = dip_t_masked_fill(x, dip_t_unsqueeze(dip_t_logical_not(mask), 2), 0.0);
    x = dip_t_transpose(x, 1, 2);
    dip_tensor *tops[DIP_TOWER_STAGES_MAX] = {0};
    dip_tensor *rows[DIP_TOWER_STAGES_MAX] = {0};
    for (int i = 0; i < net->window_count; i++) {
        dip_tensor *y = convolve(&net->filters[i], x);
        tops[i] = pool(&net->filters[i], y, lengths);
        if (tokens)
            rows[i] = ending_at_tokens(&net->filters[i], y);
    }
    if (tokens)
        *tokens = dip_t_cat(rows, net->window_count, -1);
    return dip_t_dropout(dip_t_cat(tops, net->window_count, -1), net->dropout,
                         training);
}

static void release(dip_text_tower *tower)
{
    free(tower);
}

const dip_text_kind dip_text_cnn = {
    .name = "cnn",
    .summary = "convolutions over words, maximum over time (Kim)",
    .options = OPTIONS,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
