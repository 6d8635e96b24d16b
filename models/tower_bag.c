/* Bag of words: the mean of the tokens' embeddings, then an optional MLP. */
#include <stdlib.h>

#include "base/mem.h"
#include "models/options.h"
#include "models/towers.h"
#include "models/words.h"

#define LAYERS_MAX 8

typedef struct {
    dip_text_tower base;
    dip_words words;
    dip_linear layers[LAYERS_MAX];
    int64_t depth;
    double dropout;
} bag;

static const char *const OPTIONS[] = {
    "width", "depth", "dropout", DIP_WORDS_OPTIONS, DIP_NGRAM_OPTIONS, NULL};

static dip_status check(dip_text_options *o, dip_err *err)
{
    if (o->width == 0)
        o->width = 256;
    if (o->token_width == 0)
        o->token_width = o->width;
    dip_status st = dip_words_check(o, err);
    if (st == DIP_OK)
        st = dip_option_int(o->width, 1, 8192, "text.width", err);
    if (st == DIP_OK)
        st = dip_option_int(o->depth, 0, LAYERS_MAX, "text.depth", err);
    if (st == DIP_OK)
        st = dip_option_share(o->dropout, "text.dropout", err);
    return st;
}

static dip_text_tower *build(const dip_text_options *o, const dip_maker *maker)
{
    bag *net = dip_calloc(1, sizeof *net);
    if (!net)
        return NULL;
    net->base.kind = &dip_text_bag;
    net->base.features = o->width;
    net->depth = o->depth;
    net->dropout = o->dropout;
    net->words = dip_make_words(maker, o, o->width);
    for (int64_t i = 0; i < o->depth; i++) {
        dip_maker mlp = dip_maker_in(maker, "mlp");
        char name[8] = {(char)('0' + i)};
        net->layers[i] = dip_make_linear(&mlp, name, o->width, o->width, true);
    }
    return &net->base;
}

static dip_tensor *forward(const dip_text_tower *tower, const dip_tensor *ids,
                           const dip_tensor *lengths, dip_tensor **tokens,
                           bool training)
{
    const bag *net = (const bag *)tower;
    dip_tensor *x = dip_words_forward(&net->words, ids, 0, training);
    if (tokens)
        *tokens = x;
    x = dip_pool_mean(x, dip_token_mask(ids, lengths));
    for (int64_t i = 0; i < net->depth; i++) {
        x = dip_t_gelu(dip_linear_forward(&net->layers[i], x));
        x = dip_t_dropout(x, net->dropout, training);
    }
    return x;
}

static void release(dip_text_tower *tower)
{
    free(tower);
}

const dip_text_kind dip_text_bag = {
    .name = "bag",
    .summary = "mean of word embeddings, optionally through an MLP",
    .options = OPTIONS,
    .check = check,
    .build = build,
    .forward = forward,
    .free = release,
};
