#include "apps/word_vectors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/vectors.h"

#define PURPOSE_UNKNOWN 0x76656374u /* "vect" */
#define TABLE           "text.token_embedding.weight"

/* ---- how many are without ---- */

typedef struct {
    const dip_tokenizer *tokenizer;
    const dip_vectors *vectors; /* of the tokens from DIP_TOKEN_FIRST_WORD on */
    int64_t *ids, context;
    int64_t tokens, missing;
} token_count;

/* The end of a text is no word; an unknown word has no vector. */
static dip_status count_text(void *user, dip_bytes text, dip_err *err)
{
    token_count *c = user;
    int64_t needed;
    dip_status st = dip_tokenizer_encode(&needed, c->ids, c->context,
                                         c->tokenizer, text, err);
    for (int64_t i = 0; st == DIP_OK && i < needed && i < c->context; i++) {
        int64_t word = c->ids[i] - DIP_TOKEN_FIRST_WORD;
        if (c->ids[i] == DIP_TOKEN_EOS)
            continue;
        c->tokens++;
        c->missing += word < 0 || c->vectors->sources[word] == DIP_VECTOR_NONE;
    }
    return st;
}

static dip_status count_tokens(token_count *out, const dip_corpus *corpus,
                               const dip_tokenizer *tokenizer,
                               const dip_vectors *vectors, dip_err *err)
{
    *out = (token_count){.tokenizer = tokenizer,
                         .vectors = vectors,
                         .context = corpus->settings->context};
    out->ids = dip_calloc((size_t)out->context, sizeof *out->ids);
    if (out->ids == NULL)
        return dip_no_memory(err);
    dip_status st = dip_corpus_each_text(corpus, count_text, out, err);
    free(out->ids);
    return st;
}

static double share(int64_t part, int64_t all)
{
    return all > 0 ? (double)part / (double)all : 0.0;
}

static dip_status make_report(json_t **out, const char *path,
                              const dip_vectors *v, const token_count *tokens,
                              dip_err *err)
{
    int64_t by[DIP_VECTOR_EXACT + 1] = {0};
    for (int64_t i = 0; i < v->count; i++)
        by[v->sources[i]]++;
    *out = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "path",
        path, "format", v->format, "width", (json_int_t)v->width, "file_words",
        (json_int_t)v->file_words, "duplicates", (json_int_t)v->duplicates,
        "malformed", (json_int_t)v->malformed, "vocabulary",
        (json_int_t)v->count, "exact", (json_int_t)by[DIP_VECTOR_EXACT],
        "folded", (json_int_t)by[DIP_VECTOR_FOLDED], "subwords",
        (json_int_t)by[DIP_VECTOR_SUBWORDS], "missing_words",
        dip_json_real(share(by[DIP_VECTOR_NONE], v->count)), "missing_tokens",
        dip_json_real(share(tokens->missing, tokens->tokens)));
    return *out != NULL ? DIP_OK : dip_no_memory(err);
}

void dip_word_vectors_print(const json_t *report)
{
    if (report == NULL)
        return;
    (void)fprintf(
        stderr,
        "word vectors of '%s' (%s): %.2f %% of the vocabulary and %.2f %% of "
        "the training tokens have none\n",
        json_string_value(json_object_get(report, "path")),
        json_string_value(json_object_get(report, "format")),
        100 * json_real_value(json_object_get(report, "missing_words")),
        100 * json_real_value(json_object_get(report, "missing_tokens")));
}

/* ---- the table ---- */

/* Half the width of the uniform distribution that has the variance of all
 * vectors that were found. */
static double unknown_bound(const dip_vectors *v)
{
    double sum = 0, squares = 0, count = 0;
    for (int64_t i = 0; i < v->count; i++) {
        if (v->sources[i] == DIP_VECTOR_NONE)
            continue;
        count += (double)v->width;
        for (int64_t k = 0; k < v->width; k++) {
            double x = v->values[i * v->width + k];
            sum += x;
            squares += x * x;
        }
    }
    if (count == 0)
        return 0.02 * sqrt(3.0); /* as a table without vectors starts */
    double mean = sum / count;
    return sqrt(3.0 * fmax(squares / count - mean * mean, 0.0));
}

static dip_status fill_table(dip_tensor *table, const dip_vectors *v,
                             uint64_t seed, dip_err *err)
{
    int64_t rows = v->count + DIP_TOKEN_FIRST_WORD;
    double bound = unknown_bound(v);
    float *values = dip_calloc((size_t)rows, (size_t)v->width * sizeof *values);
    if (values == NULL)
        return dip_no_memory(err);
    for (int64_t i = DIP_TOKEN_PAD + 1; i < rows; i++) {
        int64_t word = i - DIP_TOKEN_FIRST_WORD;
        float *row = values + i * v->width;
        if (word >= 0 && v->sources[word] != DIP_VECTOR_NONE) {
            memcpy(row, v->values + word * v->width,
                   (size_t)v->width * sizeof *row);
            continue;
        }
        dip_rng rng = dip_rng_stream(seed, PURPOSE_UNKNOWN, (uint64_t)i, 0);
        for (int64_t k = 0; k < v->width; k++)
            row[k] = (float)(bound * (2 * dip_rng_uniform(&rng) - 1));
    }
    dip_scope_open();
    dip_tensor_assign(table, dip_tensor_from(values, DIP_F32, 2,
                                             (int64_t[]){rows, v->width}));
    dip_scope_close();
    free(values);
    return dip_tensor_status(err);
}

static dip_status read_vectors(dip_vectors *out, const char *path,
                               const dip_tokenizer *tokenizer, dip_err *err)
{
    int64_t count = dip_tokenizer_size(tokenizer) - DIP_TOKEN_FIRST_WORD;
    dip_bytes *words = dip_calloc((size_t)count, sizeof *words);
    *out = (dip_vectors){0};
    if (words == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < count; i++)
        words[i] = dip_tokenizer_token(tokenizer, i + DIP_TOKEN_FIRST_WORD);
    dip_status st = dip_vectors_read(out, path, words, count, err);
    free(words);
    return st;
}

static dip_status check_table(dip_tensor **table, dip_model *model,
                              const dip_vectors *v, const char *path,
                              dip_err *err)
{
    dip_params *params = dip_model_params(model);
    int at = dip_params_find(params, TABLE);
    if (at < 0)
        return dip_fail(err, DIP_ECONFIG,
                        "model.text.vectors: the tower has no table of words");
    *table = dip_params_tensor(params, at);
    if (dip_tensor_size(*table, 1) != v->width)
        return dip_fail(err, DIP_ECONFIG,
                        "model.text.token_width is %lld, the vectors in '%s' "
                        "have %lld numbers",
                        (long long)dip_tensor_size(*table, 1), path,
                        (long long)v->width);
    return DIP_OK;
}

dip_status dip_word_vectors_apply(json_t **report, const dip_corpus *corpus,
                                  const dip_tokenizer *tokenizer,
                                  dip_model *model, dip_err *err)
{
    const dip_settings *s = corpus->settings;
    dip_vectors vectors;
    token_count tokens;
    dip_tensor *table = NULL;
    *report = NULL;
    if (s->vectors == NULL)
        return DIP_OK;
    dip_status st = read_vectors(&vectors, s->vectors, tokenizer, err);
    if (st == DIP_OK)
        st = check_table(&table, model, &vectors, s->vectors, err);
    if (st == DIP_OK)
        st = count_tokens(&tokens, corpus, tokenizer, &vectors, err);
    if (st == DIP_OK)
        st = fill_table(table, &vectors, s->seed, err);
    if (st == DIP_OK)
        st = make_report(report, s->vectors, &vectors, &tokens, err);
    dip_vectors_free(&vectors);
    return st;
}
