/* CLIP's byte-level BPE as open_clip's SimpleTokenizer has it: cleaned text is
 * cut into English contractions, runs of letters, single digits and runs of
 * anything else but white space, and each of these is a word to the BPE. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/gzip.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "data/bpe.h"
#include "data/tokenizer_kind.h"

#define DEFAULT_SIZE    49408 /* tokens; further lines of the file are unused */
#define SPECIALS        2
#define TOKEN_MAX_BYTES 1024
#define FILE_MAX_BYTES  ((size_t)64 << 20)
#define USUAL_NAME      "merges.txt"
#define HEADER          "#version"
/* The pattern does not tell cases apart: the one is an s, the other, a mark
 * whose capital is a letter, neither a letter nor anything else. */
#define LONG_S     0x17F
#define IOTA_BELOW 0x345

static const char *const specials[SPECIALS] = {"<start_of_text>",
                                               "<end_of_text>"};

struct clip_bpe {
    dip_tokenizer base;
    dip_clean clean;
    dip_bpe *bpe;
};

/* ---- cutting ---- */

enum char_class { SPACE, LETTER, NUMBER, OTHER };

static enum char_class classify(int32_t code)
{
    if (code < 0x80) {
        int32_t small = code | 0x20;
        if (small >= 'a' && small <= 'z')
            return LETTER;
        if (code >= '0' && code <= '9')
            return NUMBER;
        return code == ' ' || (code >= '\t' && code <= '\r') ? SPACE : OTHER;
    }
    if (code == IOTA_BELOW)
        return SPACE;
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return NUMBER;
    default:
        return dip_utf8_is_space(code) ? SPACE : OTHER;
    }
}

static enum char_class next_class(dip_bytes text, size_t *at)
{
    unsigned char byte = (unsigned char)text.data[*at];
    if (byte >= 0x80)
        return classify(dip_utf8_next(text.data, text.len, at));
    ++*at;
    return classify(byte);
}

/* Bytes of the words of ASCII that the text goes on with, in any case; 0: it
 * does not. */
static size_t match(dip_bytes text, size_t at, const char *words)
{
    size_t n = strlen(words);
    if (text.len - at < n)
        return 0;
    for (size_t i = 0; i < n; i++) {
        char c = text.data[at + i];
        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != words[i])
            return 0;
    }
    return n;
}

static size_t contraction(dip_bytes text, size_t at)
{
    static const char *const endings[] = {"'s", "'t",  "'re", "'ve",
                                          "'m", "'ll", "'d"};
    size_t n = 0, next = at + 1;
    if (text.data[at] != '\'')
        return 0;
    for (size_t i = 0; n == 0 && i < DIP_ARRAY_LEN(endings); i++)
        n = match(text, at, endings[i]);
    bool long_s = n == 0 && next < text.len &&
                  dip_utf8_next(text.data, text.len, &next) == LONG_S;
    return long_s ? next - at : n; /* is an s in another case */
}

/* Bytes of the word at text[at]; *special is the number of the special token
 * that it is, or -1. */
static size_t word_length(dip_bytes text, size_t at, int *special)
{
    *special = -1;
    for (int i = 0; text.data[at] == '<' && i < SPECIALS; i++) {
        size_t n = match(text, at, specials[i]);
        if (n == 0)
            continue;
        if (memcmp(text.data + at, specials[i], n) == 0)
            *special = i;
        return n;
    }
    size_t n = contraction(text, at);
    if (n > 0)
        return n;
    size_t end = at;
    enum char_class cls = next_class(text, &end);
    while (cls != NUMBER && end < text.len) {
        size_t next = end;
        if (next_class(text, &next) != cls)
            break;
        end = next;
    }
    return end - at;
}

static dip_status encode_clean(dip_token_ids *out, const struct clip_bpe *clip,
                               dip_bytes text, dip_err *err)
{
    const int64_t ids[SPECIALS] = {clip->base.special.bos,
                                   clip->base.special.eos};
    dip_status st = DIP_OK;
    for (size_t at = 0; st == DIP_OK && at < text.len;) {
        size_t next = at;
        if (next_class(text, &next) == SPACE) {
            at = next;
            continue;
        }
        int special;
        size_t n = word_length(text, at, &special);
        if (special >= 0)
            dip_token_put(out, ids[special]);
        else
            st = dip_bpe_encode(out, clip->bpe, (dip_bytes){text.data + at, n},
                                err);
        at += n;
    }
    return st;
}

static dip_status encode(dip_token_ids *out, const dip_tokenizer *tokenizer,
                         dip_bytes text, dip_err *err)
{
    const struct clip_bpe *clip = (const struct clip_bpe *)tokenizer;
    dip_str clean = {0};
    dip_status st = dip_clean_text(&clean, text, clip->clean, err);
    if (st == DIP_OK)
        st = encode_clean(out, clip,
                          (dip_bytes){dip_str_text(&clean), clean.len}, err);
    dip_str_free(&clean);
    return st;
}

/* ---- making ---- */

/* The tokens of the bytes: themselves where Latin-1 can print them, else the
 * characters from U+0100 on, with "</w>" in the second half. */
static dip_status add_bytes(dip_tokenizer *tokenizer, dip_err *err)
{
    dip_str token = {0};
    dip_status st = DIP_OK;
    for (int32_t i = 0; st == DIP_OK && i < DIP_BPE_FIRST; i++) {
        int32_t code = dip_bpe_byte(i % DIP_BPE_BYTES);
        int32_t printable = 188; /* symbols of these come first */
        if (i % DIP_BPE_BYTES >= printable)
            code = 0x100 + i % DIP_BPE_BYTES - printable;
        dip_str_clear(&token);
        dip_utf8_add(&token, code);
        dip_str_add(&token, i < DIP_BPE_BYTES ? "" : "</w>");
        int64_t id;
        st = dip_str_status(&token, err);
        if (st == DIP_OK)
            st = dip_interner_add(&id, tokenizer->tokens,
                                  (dip_bytes){token.data, token.len}, err);
    }
    dip_str_free(&token);
    return st;
}

static dip_status create(dip_tokenizer **out, dip_clean clean, dip_err *err)
{
    dip_status st = dip_tokenizer_alloc(out, &dip_tokenizer_clip_bpe,
                                        sizeof(struct clip_bpe), err);
    if (st != DIP_OK)
        return st;
    struct clip_bpe *clip = (struct clip_bpe *)*out;
    clip->clean = clean;
    st = dip_bpe_create(&clip->bpe, err);
    if (st == DIP_OK)
        st = add_bytes(&clip->base, err);
    if (st != DIP_OK) {
        dip_tokenizer_free(*out);
        *out = NULL;
    }
    return st;
}

static void free_bpe(dip_tokenizer *tokenizer)
{
    dip_bpe_free(((struct clip_bpe *)tokenizer)->bpe);
}

/* Where a merge stands, for messages. */
struct place {
    const char *what; /* "line" */
    int64_t number;
    const char *file;
};

static dip_status find_part(int32_t *out, const struct clip_bpe *clip,
                            dip_bytes part, const struct place *place,
                            dip_err *err)
{
    int64_t id = dip_interner_find(clip->base.tokens, part);
    *out = (int32_t)id;
    if (id >= 0)
        return DIP_OK;
    int shown = part.len < 40 ? (int)part.len : 40;
    return dip_fail(err, DIP_EFORMAT,
                    "%s %lld merges '%.*s', which nothing before it makes, in "
                    "'%s'",
                    place->what, (long long)place->number, shown, part.data,
                    place->file);
}

/* Adds a merge written as two tokens with a blank between. */
static dip_status add_merge(struct clip_bpe *clip, dip_bytes line,
                            const struct place *place, dip_err *err)
{
    const char *blank = memchr(line.data, ' ', line.len);
    size_t n = blank != NULL ? (size_t)(blank - line.data) : 0;
    if (n == 0 || n + 1 == line.len ||
        memchr(blank + 1, ' ', line.len - n - 1) != NULL)
        return dip_fail(err, DIP_EFORMAT,
                        "%s %lld is not two tokens with a blank between in "
                        "'%s'",
                        place->what, (long long)place->number, place->file);
    dip_bytes parts[2] = {{line.data, n}, {blank + 1, line.len - n - 1}};
    int32_t ids[2] = {0};
    dip_str token = {0};
    dip_status st = DIP_OK;
    for (int i = 0; st == DIP_OK && i < 2; i++) {
        st = find_part(&ids[i], clip, parts[i], place, err);
        dip_str_add_n(&token, parts[i].data, parts[i].len);
    }
    if (st == DIP_OK)
        st = dip_str_status(&token, err);
    if (st == DIP_OK)
        st = dip_tokenizer_add(
            &clip->base, (dip_bytes){dip_str_text(&token), token.len},
            TOKEN_MAX_BYTES, place->what, place->number, place->file, err);
    if (st == DIP_OK)
        st = dip_bpe_add(clip->bpe, ids[0], ids[1], err);
    dip_str_free(&token);
    return st;
}

/* After the last merge; on failure so far, or now, ends *out. */
static dip_status finish(dip_tokenizer **out, dip_status st, const char *path,
                         dip_err *err)
{
    struct clip_bpe *clip = (struct clip_bpe *)*out;
    int64_t first = dip_tokenizer_size(*out);
    for (int i = 0; st == DIP_OK && i < SPECIALS; i++)
        st = dip_tokenizer_add(*out,
                               (dip_bytes){specials[i], strlen(specials[i])},
                               TOKEN_MAX_BYTES, "special token", i, path, err);
    if (st == DIP_OK)
        st = dip_bpe_finish(clip->bpe, err);
    if (st != DIP_OK) {
        dip_tokenizer_free(*out);
        *out = NULL;
        return st;
    }
    clip->base.special = (dip_special_ids){0, -1, first, first + 1};
    return DIP_OK;
}

/* ---- the origin's file ---- */

/* The first line names the version, as in every such file. */
static dip_status read_lines(struct clip_bpe *clip, dip_bytes text,
                             int64_t merges, const char *path, dip_err *err)
{
    const char *end = text.data + text.len;
    struct place place = {"line", 1, path};
    dip_status st = DIP_OK;
    for (const char *at = text.data; st == DIP_OK && place.number <= merges + 1;
         place.number++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((stop != NULL ? stop : end) - at);
        if (n > 0 && at[n - 1] == '\r')
            n--;
        if (place.number > 1)
            st = add_merge(clip, (dip_bytes){at, n}, &place, err);
        else if (memmem(at, n, HEADER, strlen(HEADER)) == NULL)
            st = dip_fail(err, DIP_EFORMAT, "no '%s' in line 1 of '%s'", HEADER,
                          path);
        if (stop == NULL || stop + 1 == end)
            break;
        at = stop + 1;
    }
    return st;
}

static dip_status read_merges(dip_tokenizer **out,
                              const dip_tokenizer_options *options,
                              dip_err *err)
{
    char *text = NULL, *path = NULL;
    size_t n;
    int64_t size = options->max_size > 0 ? options->max_size : DEFAULT_SIZE;
    *out = NULL;
    if (size < DIP_BPE_FIRST + SPECIALS || size > DIP_TOKENIZER_MAX_SIZE)
        return dip_fail(err, DIP_ERANGE, "max_size is not in %d..%d: %lld",
                        DIP_BPE_FIRST + SPECIALS, DIP_TOKENIZER_MAX_SIZE,
                        (long long)size);
    dip_status st = dip_tokenizer_file(&path, options->merges, USUAL_NAME, err);
    if (st == DIP_OK)
        st = dip_gzip_read(&text, &n, path, FILE_MAX_BYTES, err);
    if (st == DIP_OK)
        st = create(out, options->clean, err);
    if (st == DIP_OK) {
        st = read_lines((struct clip_bpe *)*out, (dip_bytes){text, n},
                        size - DIP_BPE_FIRST - SPECIALS, path, err);
        st = finish(out, st, path, err);
    }
    free(text);
    free(path);
    return st;
}

/* ---- our file ---- */

static bool add_pair(json_t *list, const struct clip_bpe *clip, int64_t i)
{
    int32_t left, right;
    dip_bpe_pair(&left, &right, clip->bpe, i);
    dip_bytes a = dip_tokenizer_token(&clip->base, left);
    dip_bytes b = dip_tokenizer_token(&clip->base, right);
    return json_array_append_new(list,
                                 json_sprintf("%.*s %.*s", (int)a.len, a.data,
                                              (int)b.len, b.data)) == 0;
}

static json_t *describe(const dip_tokenizer *tokenizer)
{
    const struct clip_bpe *clip = (const struct clip_bpe *)tokenizer;
    json_t *list = json_array();
    bool ok = list != NULL;
    for (int64_t i = 0; ok && i < dip_bpe_merges(clip->bpe); i++)
        ok = add_pair(list, clip, i);
    if (ok)
        return json_pack("{s:s, s:o}", "clean", dip_clean_name(clip->clean),
                         "merges", list);
    json_decref(list);
    return NULL;
}

static dip_status restore_merges(struct clip_bpe *clip, const json_t *list,
                                 const char *path, dip_err *err)
{
    struct place place = {"merge", 0, path};
    dip_status st = DIP_OK;
    int64_t count = (int64_t)json_array_size(list);
    for (; st == DIP_OK && place.number < count; place.number++) {
        const json_t *item = json_array_get(list, (size_t)place.number);
        const char *text = json_string_value(item);
        st = add_merge(
            clip,
            (dip_bytes){text != NULL ? text : "", json_string_length(item)},
            &place, err);
    }
    return st;
}

static dip_status restore(dip_tokenizer **out, const json_t *root,
                          const char *path, dip_err *err)
{
    const char *name;
    json_t *list;
    dip_clean clean;
    dip_status st = dip_json_get_string(&name, root, "clean", path, err);
    if (st == DIP_OK)
        st = dip_json_get_array(&list, root, "merges", path, err);
    if (st != DIP_OK)
        return st;
    st = dip_clean_from_name(&clean, name, err);
    if (st != DIP_OK) {
        dip_fail_context(err, "'%s'", path);
        return st;
    }
    st = create(out, clean, err);
    if (st != DIP_OK)
        return st;
    st = restore_merges((struct clip_bpe *)*out, list, path, err);
    return finish(out, st, path, err);
}

static const char *const options_read[] = {"clean", "max_size", NULL};

const dip_tokenizer_ops dip_tokenizer_clip_bpe = {
    .name = "clip_bpe",
    .file = "merges",
    .options = options_read,
    .clean = DIP_CLEAN_LOWER,
    .members = 2,
    .read = read_merges,
    .encode = encode,
    .describe = describe,
    .restore = restore,
    .free = free_bpe,
};
