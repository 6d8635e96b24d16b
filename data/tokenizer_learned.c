#include "data/tokenizer_learned.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

_Static_assert(DIP_TOKEN_MAX_BYTES == DIP_WORD_MAX_BYTES,
               "a vocabulary can hold every word");

const char *const dip_learned_options[] = {"punctuation", "eos", "min_count",
                                           "max_size", NULL};

static const char *const specials[DIP_TOKEN_FIRST_WORD] = {
    [DIP_TOKEN_PAD] = "[pad]",
    [DIP_TOKEN_UNK] = "[unk]",
    [DIP_TOKEN_EOS] = "[eos]",
};

struct learned {
    dip_tokenizer base;
    bool punctuation;
};

static dip_status create(dip_tokenizer **out, const dip_tokenizer_ops *ops,
                         bool punctuation, bool eos, dip_err *err)
{
    dip_status st = dip_tokenizer_alloc(out, ops, sizeof(struct learned), err);
    if (st != DIP_OK)
        return st;
    ((struct learned *)*out)->punctuation = punctuation;
    (*out)->special = (dip_special_ids){DIP_TOKEN_PAD, DIP_TOKEN_UNK, -1,
                                        eos ? DIP_TOKEN_EOS : -1};
    return DIP_OK;
}

/* ---- building ---- */

struct dip_tokenizer_builder {
    dip_tokenizer_options options;
    const dip_tokenizer_ops *ops;
    dip_interner *words;
    int64_t *counts; /* [words] */
    size_t counts_capacity;
};

dip_status dip_tokenizer_builder_create(dip_tokenizer_builder **out,
                                        const dip_tokenizer_options *options,
                                        dip_err *err)
{
    *out = NULL;
    const dip_tokenizer_ops *ops = dip_tokenizer_ops_of(options->kind);
    assert(ops->each != NULL);
    if (options->min_count < 0)
        return dip_fail(err, DIP_ERANGE, "min_count is negative: %lld",
                        (long long)options->min_count);
    if (options->max_size != 0 && (options->max_size <= DIP_TOKEN_FIRST_WORD ||
                                   options->max_size > DIP_TOKENIZER_MAX_SIZE))
        return dip_fail(err, DIP_ERANGE, "max_size is not in %d..%d: %lld",
                        DIP_TOKEN_FIRST_WORD + 1, DIP_TOKENIZER_MAX_SIZE,
                        (long long)options->max_size);
    dip_tokenizer_builder *builder = dip_calloc(1, sizeof *builder);
    if (builder == NULL)
        return dip_no_memory(err);
    builder->options = *options;
    builder->ops = ops;
    dip_status st = dip_interner_create(&builder->words, err);
    if (st != DIP_OK) {
        dip_tokenizer_builder_free(builder);
        return st;
    }
    *out = builder;
    return DIP_OK;
}

void dip_tokenizer_builder_free(dip_tokenizer_builder *builder)
{
    if (builder == NULL)
        return;
    dip_interner_free(builder->words);
    free(builder->counts);
    free(builder);
}

static dip_status count_word(void *user, dip_bytes word, dip_err *err)
{
    dip_tokenizer_builder *builder = user;
    if (word.data == NULL)
        return DIP_OK;
    int64_t known = dip_interner_count(builder->words);
    dip_status st =
        dip_reserve(&builder->counts, &builder->counts_capacity,
                    (size_t)known + 1, sizeof *builder->counts, err);
    if (st != DIP_OK)
        return st;
    int64_t number;
    st = dip_interner_add(&number, builder->words, word, err);
    if (st != DIP_OK)
        return st;
    if (number == known)
        builder->counts[number] = 0;
    builder->counts[number]++;
    return DIP_OK;
}

dip_status dip_tokenizer_builder_add(dip_tokenizer_builder *builder,
                                     dip_bytes text, dip_err *err)
{
    const dip_tokenizer_options *options = &builder->options;
    return builder->ops->each(text, options->punctuation, count_word, builder,
                              err);
}

struct counted {
    dip_bytes word;
    int64_t count;
};

/* Falling counts, then rising bytes. */
static int compare_counted(const void *a, const void *b)
{
    const struct counted *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    size_t shorter = x->word.len < y->word.len ? x->word.len : y->word.len;
    int order = memcmp(x->word.data, y->word.data, shorter);
    if (order != 0)
        return order;
    return (x->word.len > y->word.len) - (x->word.len < y->word.len);
}

static dip_status add_specials(dip_tokenizer *tokenizer, dip_err *err)
{
    for (int i = 0; i < DIP_TOKEN_FIRST_WORD; i++) {
        int64_t id;
        dip_bytes token = {specials[i], strlen(specials[i])};
        dip_status st = dip_interner_add(&id, tokenizer->tokens, token, err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

static dip_status add_words(dip_tokenizer *tokenizer,
                            const struct counted *sorted, int64_t count,
                            const dip_tokenizer_options *options, dip_err *err)
{
    int64_t limit =
        options->max_size > 0 ? options->max_size : DIP_TOKENIZER_LEARNED_SIZE;
    for (int64_t i = 0; i < count && i + DIP_TOKEN_FIRST_WORD < limit &&
                        sorted[i].count >= options->min_count;
         i++) {
        int64_t id;
        dip_status st =
            dip_interner_add(&id, tokenizer->tokens, sorted[i].word, err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

dip_status dip_tokenizer_builder_finish(dip_tokenizer **out,
                                        const dip_tokenizer_builder *builder,
                                        dip_err *err)
{
    *out = NULL;
    const dip_tokenizer_options *options = &builder->options;
    dip_tokenizer *tokenizer;
    dip_status st = create(&tokenizer, builder->ops, options->punctuation,
                           options->eos, err);
    if (st != DIP_OK)
        return st;
    int64_t count = dip_interner_count(builder->words);
    struct counted *sorted = dip_calloc((size_t)count, sizeof *sorted);
    if (sorted == NULL) {
        st = dip_no_memory(err);
        goto free_tokenizer;
    }
    for (int64_t i = 0; i < count; i++)
        sorted[i] = (struct counted){dip_interner_get(builder->words, i),
                                     builder->counts[i]};
    qsort(sorted, (size_t)count, sizeof *sorted, compare_counted);
    st = add_specials(tokenizer, err);
    if (st == DIP_OK)
        st = add_words(tokenizer, sorted, count, options, err);
    if (st == DIP_OK) {
        *out = tokenizer;
        tokenizer = NULL; /* now the caller's */
    }
    free(sorted);
free_tokenizer:
    dip_tokenizer_free(tokenizer);
    return st;
}

/* ---- using ---- */

struct encoding {
    const dip_interner *tokens;
    dip_token_ids *out;
};

static dip_status put_word(void *user, dip_bytes word, dip_err *err)
{
    (void)err;
    const struct encoding *encoding = user;
    int64_t id = word.data != NULL ? dip_interner_find(encoding->tokens, word)
                                   : DIP_TOKEN_UNK;
    dip_token_put(encoding->out, id < 0 ? DIP_TOKEN_UNK : id);
    return DIP_OK;
}

dip_status dip_learned_encode(dip_token_ids *out,
                              const dip_tokenizer *tokenizer, dip_bytes text,
                              dip_err *err)
{
    struct encoding encoding = {tokenizer->tokens, out};
    bool punctuation = ((const struct learned *)tokenizer)->punctuation;
    return tokenizer->ops->each(text, punctuation, put_word, &encoding, err);
}

/* ---- files ---- */

json_t *dip_learned_describe(const dip_tokenizer *tokenizer)
{
    const struct learned *learned = (const struct learned *)tokenizer;
    json_t *tokens = dip_tokenizer_tokens_json(tokenizer);
    if (tokens == NULL)
        return NULL;
    return json_pack("{s:b, s:b, s:o}", "punctuation",
                     (int)learned->punctuation, "eos",
                     (int)dip_tokenizer_has_eos(tokenizer), "tokens", tokens);
}

static dip_status check_specials(const dip_tokenizer *tokenizer,
                                 const char *path, dip_err *err)
{
    for (int i = 0; i < DIP_TOKEN_FIRST_WORD; i++) {
        dip_bytes token = dip_tokenizer_token(tokenizer, i);
        if (token.len != strlen(specials[i]) ||
            memcmp(token.data, specials[i], token.len) != 0)
            return dip_fail(err, DIP_EFORMAT, "token %d is not '%s' in '%s'", i,
                            specials[i], path);
    }
    return DIP_OK;
}

dip_status dip_learned_restore(dip_tokenizer **out,
                               const dip_tokenizer_ops *ops, const json_t *root,
                               const char *path, dip_err *err)
{
    bool punctuation, eos;
    dip_status st =
        dip_json_get_bool(&punctuation, root, "punctuation", path, err);
    if (st == DIP_OK)
        st = dip_json_get_bool(&eos, root, "eos", path, err);
    if (st == DIP_OK)
        st = create(out, ops, punctuation, eos, err);
    if (st != DIP_OK)
        return st;
    st = dip_tokenizer_tokens_read(*out, root, DIP_TOKEN_FIRST_WORD,
                                   DIP_TOKEN_MAX_BYTES, path, err);
    if (st == DIP_OK)
        st = check_specials(*out, path, err);
    if (st != DIP_OK) {
        dip_tokenizer_free(*out);
        *out = NULL;
    }
    return st;
}
