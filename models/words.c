#include "models/words.h"

#include "base/mem.h"
#include "models/options.h"

#define MULTIPLIER  116049371
#define NGRAMS_MAX  5
#define BUCKETS_MAX (1 << 24) /* MULTIPLIER times as much is below 2^63 */
#define BUCKETS     131072
#define STD         .02

/* What only towers with n-grams take; their defaults. */
static dip_status check_ngrams(dip_text_options *o, dip_err *err)
{
    const char *without = o->ngram_buckets != 0      ? "ngram_buckets"
                          : o->ngram_vocabulary != 0 ? "ngram_vocabulary"
                          : o->ngram_dropout > 0     ? "ngram_dropout"
                                                     : NULL;
    if (o->ngrams <= 1 && without != NULL)
        return dip_fail(err, DIP_ECONFIG, "text.%s: needs ngrams of 2 or more",
                        without);
    if (o->ngrams <= 1)
        return DIP_OK;
    if (o->ngram_buckets == 0)
        o->ngram_buckets = BUCKETS;
    dip_status st = dip_option_int(o->ngram_buckets, 1, BUCKETS_MAX,
                                   "text.ngram_buckets", err);
    if (st == DIP_OK && o->ngram_vocabulary != 0)
        st = dip_option_int(o->ngram_vocabulary, 1, o->ngram_buckets,
                            "text.ngram_vocabulary", err);
    return st;
}

dip_status dip_words_check(dip_text_options *o, dip_err *err)
{
    dip_status st = DIP_OK;
    if (o->token_std <= 0)
        o->token_std = STD;
    if (o->ngrams != 0) /* which stays: not every tower takes a number */
        st = dip_option_int(o->ngrams, 1, NGRAMS_MAX, "text.ngrams", err);
    if (st == DIP_OK)
        st = dip_option_share(o->token_dropout, "text.token_dropout", err);
    if (st == DIP_OK)
        st = dip_option_share(o->ngram_dropout, "text.ngram_dropout", err);
    return st == DIP_OK ? check_ngrams(o, err) : st;
}

static dip_tensor *make_table(const dip_maker *maker, const char *name,
                              dip_param_kind kind, double std, int64_t rows,
                              int64_t width)
{
    dip_maker inner = dip_maker_in(maker, name);
    return dip_make_normal(&inner, "weight", kind, std, 2,
                           (int64_t[]){rows, width});
}

static void make_ngrams(dip_words *words, const dip_maker *maker,
                        const dip_text_options *o, dip_param_kind kind)
{
    int64_t known = o->ngram_vocabulary, first = 0;
    words->ngram_table =
        make_table(maker, "ngram_embedding", kind, o->token_std,
                   known > 0 ? known + 1 : o->ngram_buckets, o->token_width);
    if (known == 0)
        return;
    dip_tensor_put_rows(
        words->ngram_table, dip_tensor_from(&first, DIP_I64, 1, (int64_t[]){1}),
        dip_tensor_full(0, DIP_F32, 2, (int64_t[]){1, o->token_width}));
    dip_maker inner = dip_maker_in(maker, "ngram_embedding");
    dip_maker rows = dip_maker_in(&inner, "rows");
    words->ngram_rows = dip_params_add(
        rows.params, rows.path, DIP_PARAM_BUFFER,
        dip_tensor_full(0, DIP_I64, 2, (int64_t[]){o->ngram_buckets, 1}));
}

dip_words dip_make_words(const dip_maker *maker, const dip_text_options *o,
                         int64_t width)
{
    dip_param_kind kind = o->sparse ? DIP_PARAM_SPARSE : DIP_PARAM_WEIGHT;
    dip_words words = {
        .table = make_table(maker, "token_embedding",
                            o->frozen_tokens ? DIP_PARAM_BUFFER : kind,
                            o->token_std, o->vocabulary, o->token_width),
        .ngrams = o->ngrams > 1 ? o->ngrams : 1,
        .buckets = o->ngram_buckets,
        .dropout = o->token_dropout,
        .ngram_dropout = o->ngram_dropout,
        .sparse = o->sparse,
    };
    if (o->ngrams > 1)
        make_ngrams(&words, maker, o, kind);
    if (o->token_width != width)
        words.projection = dip_make_linear(maker, "token_projection",
                                           o->token_width, width, false);
    return words;
}

int64_t dip_words_hash(int64_t before, int64_t token, int64_t buckets)
{
    return (before * MULTIPLIER + token) % buckets;
}

/* The one result of `name` on integers. */
static dip_tensor *call(const char *name, const char *overload,
                        const dip_tensor *a, dip_arg b)
{
    const dip_arg args[] = {{.kind = DIP_ARG_TENSOR, .as.tensor = a}, b};
    dip_tensor *out = NULL;
    dip_tensor_call(&out, 1, name, overload, args, 2);
    return out;
}

static dip_tensor *call_number(const char *name, const dip_tensor *a, int64_t b)
{
    return call(name, "Scalar", a, (dip_arg){.kind = DIP_ARG_INT, .as.i = b});
}

/* From the hashes of n - 1 tokens, by the place of the last, those of n. */
static dip_tensor *longer(const dip_tensor *hashes, const dip_tensor *ids,
                          int64_t buckets)
{
    static const int64_t BEHIND_A_ZERO[] = {1, -1};
    dip_arg pads = {.kind = DIP_ARG_INT_LIST};
    pads.as.ints.items = BEHIND_A_ZERO;
    pads.as.ints.count = 2;
    dip_tensor *before = call("aten::constant_pad_nd", "", hashes, pads);
    dip_tensor *key =
        dip_t_add(call_number("aten::mul", before, MULTIPLIER), ids);
    return call_number("aten::remainder", key, buckets);
}

/* A frozen table has no gradient, and an export no training. */
static dip_tensor *look_up(const dip_words *words, const dip_tensor *table,
                           const dip_tensor *ids, int64_t padding_id,
                           bool training)
{
    return words->sparse && training
               ? dip_t_embedding_sparse(table, ids, padding_id)
               : dip_t_embedding(table, ids, padding_id);
}

static dip_tensor *look_up_ngrams(const dip_words *words,
                                  const dip_tensor *hashes, bool training)
{
    if (words->ngram_rows == NULL)
        return look_up(words, words->ngram_table, hashes, -1, training);
    dip_tensor *rows =
        dip_t_select(dip_t_embedding(words->ngram_rows, hashes, -1), 2, 0);
    return look_up(words, words->ngram_table, rows, 0, training);
}

/* Leaves out whole rows [B, T] of x [B, T, W]. */
static dip_tensor *drop_rows(dip_tensor *x, double p, bool training)
{
    if (!training || p <= 0)
        return x;
    const dip_arg args[] = {
        {.kind = DIP_ARG_TENSOR, .as.tensor = x},
        {.kind = DIP_ARG_FLOAT, .as.f = p},
        {.kind = DIP_ARG_BOOL, .as.b = true}, /* train */
    };
    dip_tensor *out = NULL;
    dip_tensor_call(&out, 1, "aten::feature_dropout", "", args,
                    (int)DIP_ARRAY_LEN(args));
    return out;
}

dip_tensor *dip_words_forward(const dip_words *words, const dip_tensor *ids,
                              int64_t padding_id, bool training)
{
    dip_tensor *x = look_up(words, words->table, ids, padding_id, training);
    const dip_tensor *hashes = ids;
    for (int64_t n = 2; n <= words->ngrams; n++) {
        hashes = longer(hashes, ids, words->buckets);
        dip_tensor *found = look_up_ngrams(words, hashes, training);
        x = dip_t_add(x, drop_rows(found, words->ngram_dropout, training));
    }
    x = dip_t_dropout(x, words->dropout, training);
    return words->projection.weight ? dip_linear_forward(&words->projection, x)
                                    : x;
}
