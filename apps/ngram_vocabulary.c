#include "apps/ngram_vocabulary.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "models/words.h"

#define ROWS "text.ngram_embedding.rows"

typedef struct {
    int64_t bucket, count;
} tally;

typedef struct {
    const dip_tokenizer *tokenizer;
    int64_t *ids, *hashes; /* [context] */
    int64_t context, ngrams, buckets;
    tally *tallies; /* [buckets] */
} counter;

/* hashes[t] becomes that of one token more, which ends at t as before. */
static void lengthen(const counter *c, int64_t length)
{
    for (int64_t t = length - 1; t >= 0; t--) {
        int64_t before = t > 0 ? c->hashes[t - 1] : 0;
        c->hashes[t] = dip_words_hash(before, c->ids[t], c->buckets);
        c->tallies[c->hashes[t]].count++;
    }
}

static dip_status count_text(void *user, dip_bytes text, dip_err *err)
{
    counter *c = user;
    int64_t needed;
    dip_status st = dip_tokenizer_encode(&needed, c->ids, c->context,
                                         c->tokenizer, text, err);
    if (st != DIP_OK)
        return st;
    int64_t length = needed < c->context ? needed : c->context;
    for (int64_t t = 0; t < length; t++)
        c->hashes[t] = c->ids[t];
    for (int64_t n = 2; n <= c->ngrams; n++)
        lengthen(c, length);
    return DIP_OK;
}

static void free_counter(counter *c)
{
    free(c->ids);
    free(c->hashes);
    free(c->tallies);
}

static dip_status make_counter(counter *out, const dip_settings *s,
                               const dip_tokenizer *tokenizer, int64_t buckets,
                               dip_err *err)
{
    *out = (counter){.tokenizer = tokenizer,
                     .context = s->context,
                     .ngrams = s->model.text.ngrams,
                     .buckets = buckets};
    out->ids = dip_calloc((size_t)s->context, sizeof *out->ids);
    out->hashes = dip_calloc((size_t)s->context, sizeof *out->hashes);
    out->tallies = dip_calloc((size_t)buckets, sizeof *out->tallies);
    if (out->ids == NULL || out->hashes == NULL || out->tallies == NULL) {
        free_counter(out);
        return dip_no_memory(err);
    }
    for (int64_t b = 0; b < out->buckets; b++)
        out->tallies[b].bucket = b;
    return DIP_OK;
}

static int more_frequent(const void *left, const void *right)
{
    const tally *a = left, *b = right;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    return (a->bucket > b->bucket) - (a->bucket < b->bucket);
}

/* Sorts the tallies and gives rows to the first `room`. */
static dip_status fill_rows(json_t **report, dip_tensor *rows, counter *c,
                            int64_t room, dip_err *err)
{
    qsort(c->tallies, (size_t)c->buckets, sizeof *c->tallies, more_frequent);
    int64_t *values = dip_calloc((size_t)c->buckets, sizeof *values);
    if (values == NULL)
        return dip_no_memory(err);
    int64_t used = 0, kept = 0;
    while (used < c->buckets && c->tallies[used].count > 0) {
        if (used < room)
            values[c->tallies[used].bucket] = ++kept;
        used++;
    }
    dip_scope_open();
    dip_tensor_assign(
        rows, dip_tensor_from(values, DIP_I64, 2, (int64_t[]){c->buckets, 1}));
    dip_scope_close();
    free(values);
    *report =
        json_pack("{s:I, s:I, s:I}", "buckets_used", (json_int_t)used, "kept",
                  (json_int_t)kept, "least_count",
                  (json_int_t)(kept > 0 ? c->tallies[kept - 1].count : 0));
    if (*report == NULL)
        return dip_no_memory(err);
    return dip_tensor_status(err);
}

dip_status dip_ngram_vocabulary_apply(json_t **report, const dip_corpus *corpus,
                                      const dip_tokenizer *tokenizer,
                                      dip_model *model, dip_err *err)
{
    dip_params *params = dip_model_params(model);
    int at = dip_params_find(params, ROWS);
    counter c;
    *report = NULL;
    if (at < 0)
        return DIP_OK;
    dip_tensor *rows = dip_params_tensor(params, at);
    dip_status st = make_counter(&c, corpus->settings, tokenizer,
                                 dip_tensor_size(rows, 0), err);
    if (st != DIP_OK)
        return st;
    st = dip_corpus_each_text(corpus, count_text, &c, err);
    if (st == DIP_OK)
        st = fill_rows(report, rows, &c,
                       corpus->settings->model.text.ngram_vocabulary, err);
    free_counter(&c);
    return st;
}

static long long number(const json_t *report, const char *name)
{
    return (long long)json_integer_value(json_object_get(report, name));
}

void dip_ngram_vocabulary_print(const json_t *report)
{
    if (report == NULL)
        return;
    (void)fprintf(stderr,
                  "n-grams: %lld of %lld buckets in use have vectors, those "
                  "that texts hit at least %lld times\n",
                  number(report, "kept"), number(report, "buckets_used"),
                  number(report, "least_count"));
}
