#include "data/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "data/interner.h"
#include "data/words.h"

#define FILE_FORMAT    "diptych-tokenizer"
#define FILE_VERSION   1
#define FILE_MAX_BYTES ((size_t)256 << 20)

_Static_assert(DIP_TOKEN_MAX_BYTES == DIP_WORD_MAX_BYTES,
               "a vocabulary can hold every word");

/* How a kind cuts text; the one thing in which kinds differ. */
typedef dip_status (*each_fn)(dip_bytes text, bool punctuation, dip_word_fn fn,
                              void *user, dip_err *err);

static const struct {
    const char *name;
    each_fn each;
} kinds[DIP_TOKENIZER_COUNT] = {
    [DIP_TOKENIZER_WORD] = {"word", dip_words_each},
};

static const char *const specials[DIP_TOKEN_FIRST_WORD] = {
    [DIP_TOKEN_PAD] = "[pad]",
    [DIP_TOKEN_UNK] = "[unk]",
    [DIP_TOKEN_EOS] = "[eos]",
};

struct dip_tokenizer {
    dip_tokenizer_kind kind;
    bool punctuation, eos;
    dip_interner *tokens; /* number = id */
};

const char *dip_tokenizer_kind_name(dip_tokenizer_kind kind)
{
    return kinds[kind].name;
}

dip_status dip_tokenizer_kind_from_name(dip_tokenizer_kind *out,
                                        const char *name, dip_err *err)
{
    dip_str names = {0};
    for (int i = 0; i < DIP_TOKENIZER_COUNT; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            *out = (dip_tokenizer_kind)i;
            dip_str_free(&names);
            return DIP_OK;
        }
        dip_str_addf(&names, "%s%s", i > 0 ? ", " : "", kinds[i].name);
    }
    dip_status st =
        dip_fail(err, DIP_ENOTFOUND, "no tokenizer '%s': it is one of %s", name,
                 dip_str_text(&names));
    dip_str_free(&names);
    return st;
}

static dip_bytes bytes_of(const char *text)
{
    return (dip_bytes){text, strlen(text)};
}

static dip_status create(dip_tokenizer **out, dip_tokenizer_kind kind,
                         bool punctuation, bool eos, dip_err *err)
{
    *out = NULL;
    dip_tokenizer *tokenizer = dip_calloc(1, sizeof *tokenizer);
    if (tokenizer == NULL)
        return dip_no_memory(err);
    tokenizer->kind = kind;
    tokenizer->punctuation = punctuation;
    tokenizer->eos = eos;
    dip_status st = dip_interner_create(&tokenizer->tokens, err);
    if (st != DIP_OK) {
        dip_tokenizer_free(tokenizer);
        return st;
    }
    *out = tokenizer;
    return DIP_OK;
}

void dip_tokenizer_free(dip_tokenizer *tokenizer)
{
    if (tokenizer == NULL)
        return;
    dip_interner_free(tokenizer->tokens);
    free(tokenizer);
}

/* ---- building ---- */

struct dip_tokenizer_builder {
    dip_tokenizer_options options;
    dip_interner *words;
    int64_t *counts; /* [words] */
    size_t counts_capacity;
};

dip_status dip_tokenizer_builder_create(dip_tokenizer_builder **out,
                                        const dip_tokenizer_options *options,
                                        dip_err *err)
{
    *out = NULL;
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
    return kinds[options->kind].each(text, options->punctuation, count_word,
                                     builder, err);
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
        dip_status st = dip_interner_add(&id, tokenizer->tokens,
                                         bytes_of(specials[i]), err);
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
        options->max_size > 0 ? options->max_size : DIP_TOKENIZER_MAX_SIZE;
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
    dip_status st = create(&tokenizer, options->kind, options->punctuation,
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
    int64_t *ids;
    int64_t context;
    int64_t needed;
};

static dip_status put_word(void *user, dip_bytes word, dip_err *err)
{
    (void)err;
    struct encoding *encoding = user;
    if (encoding->needed < encoding->context) {
        int64_t id = word.data != NULL
                         ? dip_interner_find(encoding->tokens, word)
                         : DIP_TOKEN_UNK;
        encoding->ids[encoding->needed] = id < 0 ? DIP_TOKEN_UNK : id;
    }
    encoding->needed++;
    return DIP_OK;
}

dip_status dip_tokenizer_encode(int64_t *needed, int64_t *ids, int64_t context,
                                const dip_tokenizer *tokenizer, dip_bytes text,
                                dip_err *err)
{
    struct encoding encoding = {tokenizer->tokens, ids, context, 0};
    dip_status st = kinds[tokenizer->kind].each(text, tokenizer->punctuation,
                                                put_word, &encoding, err);
    if (st != DIP_OK)
        return st;
    if (tokenizer->eos) {
        int64_t at = encoding.needed < context ? encoding.needed : context - 1;
        ids[at] = DIP_TOKEN_EOS;
        encoding.needed++;
    }
    for (int64_t i = encoding.needed; i < context; i++)
        ids[i] = DIP_TOKEN_PAD;
    *needed = encoding.needed;
    return DIP_OK;
}

int64_t dip_tokenizer_size(const dip_tokenizer *tokenizer)
{
    return dip_interner_count(tokenizer->tokens);
}

dip_tokenizer_kind dip_tokenizer_kind_of(const dip_tokenizer *tokenizer)
{
    return tokenizer->kind;
}

bool dip_tokenizer_has_eos(const dip_tokenizer *tokenizer)
{
    return tokenizer->eos;
}

dip_bytes dip_tokenizer_token(const dip_tokenizer *tokenizer, int64_t id)
{
    return dip_interner_get(tokenizer->tokens, id);
}

/* ---- files ---- */

static bool add_token(json_t *list, dip_bytes token)
{
    return json_array_append_new(list, json_stringn(token.data, token.len)) ==
           0;
}

/* NULL when memory is out, which the JSON functions tell. */
static json_t *to_json(const dip_tokenizer *tokenizer)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (int64_t i = 0; ok && i < dip_tokenizer_size(tokenizer); i++)
        ok = add_token(list, dip_tokenizer_token(tokenizer, i));
    if (!ok) {
        json_decref(list);
        return NULL;
    }
    return json_pack("{s:s, s:i, s:s, s:b, s:b, s:o}", "format", FILE_FORMAT,
                     "version", FILE_VERSION, "kind",
                     kinds[tokenizer->kind].name, "punctuation",
                     (int)tokenizer->punctuation, "eos", (int)tokenizer->eos,
                     "tokens", list);
}

dip_status dip_tokenizer_save(const dip_tokenizer *tokenizer, const char *path,
                              dip_err *err)
{
    json_t *root = to_json(tokenizer);
    dip_status st = dip_json_write(path, root, DIP_JSON_AS_BUILT, err);
    json_decref(root);
    return st;
}

dip_status dip_tokenizer_digest(char hex[DIP_DIGEST_SIZE],
                                const dip_tokenizer *tokenizer, dip_err *err)
{
    json_t *root = to_json(tokenizer);
    dip_str text = {0};
    dip_status st = dip_json_dump(&text, root, DIP_JSON_AS_BUILT, err);
    if (st == DIP_OK)
        st = dip_digest_bytes(hex, text.data, text.len, err);
    dip_str_free(&text);
    json_decref(root);
    return st;
}

/* Reads all but the tokens, and checks that nothing else is there. */
static dip_status read_head(dip_tokenizer **out, const json_t *root,
                            const char *path, dip_err *err)
{
    const char *format, *kind_name;
    int64_t version;
    bool punctuation, eos;
    dip_status st = dip_json_get_string(&format, root, "format", path, err);
    if (st == DIP_OK)
        st = dip_json_get_int(&version, root, "version", path, err);
    if (st == DIP_OK &&
        (strcmp(format, FILE_FORMAT) != 0 || version != FILE_VERSION))
        st = dip_fail(err, DIP_EFORMAT, "not a %s of version %d: '%s'",
                      FILE_FORMAT, FILE_VERSION, path);
    if (st == DIP_OK)
        st = dip_json_get_string(&kind_name, root, "kind", path, err);
    if (st == DIP_OK)
        st = dip_json_get_bool(&punctuation, root, "punctuation", path, err);
    if (st == DIP_OK)
        st = dip_json_get_bool(&eos, root, "eos", path, err);
    if (st == DIP_OK && json_object_size(root) != 6)
        st = dip_fail(err, DIP_EFORMAT, "unknown keys in '%s'", path);
    if (st != DIP_OK)
        return st;
    dip_tokenizer_kind kind;
    st = dip_tokenizer_kind_from_name(&kind, kind_name, err);
    if (st != DIP_OK) {
        dip_fail_context(err, "'%s'", path);
        return st;
    }
    return create(out, kind, punctuation, eos, err);
}

/* Adds the token with the id `id`, which must be what stands there in every
 * vocabulary, or new. */
static dip_status read_token(dip_tokenizer *tokenizer, const json_t *item,
                             int64_t id, const char *path, dip_err *err)
{
    dip_bytes token = {json_string_value(item), json_string_length(item)};
    if (token.data == NULL || token.len == 0 || token.len > DIP_TOKEN_MAX_BYTES)
        return dip_fail(err, DIP_EFORMAT,
                        "token %lld is no string of 1 to %d bytes in '%s'",
                        (long long)id, DIP_TOKEN_MAX_BYTES, path);
    if (id < DIP_TOKEN_FIRST_WORD && strcmp(token.data, specials[id]) != 0)
        return dip_fail(err, DIP_EFORMAT, "token %lld is not '%s' in '%s'",
                        (long long)id, specials[id], path);
    int64_t number;
    dip_status st = dip_interner_add(&number, tokenizer->tokens, token, err);
    if (st == DIP_OK && number != id)
        st = dip_fail(err, DIP_EFORMAT, "token %lld repeats token %lld in '%s'",
                      (long long)id, (long long)number, path);
    return st;
}

static dip_status read_tokens(dip_tokenizer *tokenizer, const json_t *root,
                              const char *path, dip_err *err)
{
    json_t *list;
    dip_status st = dip_json_get_array(&list, root, "tokens", path, err);
    if (st != DIP_OK)
        return st;
    size_t count = json_array_size(list);
    if (count < DIP_TOKEN_FIRST_WORD || count > DIP_TOKENIZER_MAX_SIZE)
        return dip_fail(err, DIP_ERANGE, "%zu tokens, not %d to %d, in '%s'",
                        count, (int)DIP_TOKEN_FIRST_WORD,
                        DIP_TOKENIZER_MAX_SIZE, path);
    for (size_t i = 0; st == DIP_OK && i < count; i++)
        st = read_token(tokenizer, json_array_get(list, i), (int64_t)i, path,
                        err);
    return st;
}

dip_status dip_tokenizer_load(dip_tokenizer **out, const char *path,
                              dip_err *err)
{
    *out = NULL;
    json_t *root;
    dip_status st = dip_json_load(&root, path, FILE_MAX_BYTES, err);
    if (st != DIP_OK)
        return st;
    dip_tokenizer *tokenizer = NULL;
    st = read_head(&tokenizer, root, path, err);
    if (st == DIP_OK)
        st = read_tokens(tokenizer, root, path, err);
    if (st == DIP_OK) {
        *out = tokenizer;
        tokenizer = NULL; /* now the caller's */
    }
    dip_tokenizer_free(tokenizer);
    json_decref(root);
    return st;
}
