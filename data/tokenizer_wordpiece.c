/* WordPiece as transformers' BertTokenizerFast has it: a text is cleaned,
 * lower-cased and stripped of accents (uncased models), cut at white space,
 * punctuation and around Chinese characters; a word becomes the longest pieces
 * of the vocabulary from left to right, those after the first beginning with
 * "##", or [UNK] as a whole. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "data/tokenizer_kind.h"

#define WORD_MAX_CHARS  100 /* a longer word is [UNK] */
#define PIECE_MAX_BYTES 1024
#define FILE_MAX_BYTES  ((size_t)64 << 20)
#define USUAL_NAME      "vocab.txt"
#define PREFIX          2 /* bytes of "##" */

/* [MASK] may be missing, the others not. */
static const char *const specials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]",
                                       "[MASK]"};
enum { PAD, UNK, CLS, SEP, MASK };

struct wordpiece {
    dip_tokenizer base;
    bool lowercase;
    size_t longest; /* bytes of a piece, "##" included */
    int64_t mask;   /* id of [MASK], or -1 */
};

/* ---- characters ---- */

enum char_class { LETTER, SPACE, PUNCTUATION, CHINESE, REMOVED };

static enum char_class classify_ascii(int32_t code)
{
    if (code == ' ' || code == '\t' || code == '\n' || code == '\r')
        return SPACE;
    if (code < ' ' || code == 0x7f)
        return REMOVED;
    bool word = (code >= '0' && code <= '9') || (code >= 'A' && code <= 'Z') ||
                (code >= 'a' && code <= 'z');
    return word ? LETTER : PUNCTUATION;
}

/* What BERT takes for Chinese, but for the gap that the fast tokenizer has in
 * extension E. */
static bool is_chinese(int32_t code)
{
    static const int32_t ranges[][2] = {
        {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xF900, 0xFAFF},
        {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F}, {0x2B740, 0x2B81F},
        {0x2B920, 0x2CEAF}, {0x2F800, 0x2FA1F},
    };
    if (code < ranges[0][0])
        return false;
    for (size_t i = 0; i < DIP_ARRAY_LEN(ranges); i++) {
        if (code >= ranges[i][0] && code <= ranges[i][1])
            return true;
    }
    return false;
}

static enum char_class classify(int32_t code)
{
    if (code < 0x80)
        return classify_ascii(code);
    if (is_chinese(code))
        return CHINESE;
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
        return REMOVED;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return SPACE;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
        return PUNCTUATION;
    default:
        return code == 0xFFFD ? REMOVED : LETTER;
    }
}

/* ---- words to pieces ---- */

struct walk {
    const struct wordpiece *pieces;
    dip_token_ids *out;
    size_t len; /* bytes of the word after the room for "##" */
    int chars;
    char word[PREFIX + 4 * WORD_MAX_CHARS];
};

/* The longest piece that begins the word at `at`, which is behind the room for
 * "##"; -1: none. *n are its bytes of the word. */
static int64_t longest_piece(struct walk *walk, size_t at, size_t *n)
{
    const struct wordpiece *pieces = walk->pieces;
    size_t before = at > PREFIX ? PREFIX : 0;
    memset(walk->word + at - before, '#', before);
    size_t left = PREFIX + walk->len - at;
    size_t most = pieces->longest - before;
    for (*n = left < most ? left : most; *n > 0; --*n) {
        bool whole =
            *n == left || ((unsigned char)walk->word[at + *n] & 0xC0) != 0x80;
        if (!whole)
            continue; /* would cut a character */
        dip_bytes piece = {walk->word + at - before, before + *n};
        int64_t id = dip_interner_find(pieces->base.tokens, piece);
        if (id >= 0)
            return id;
    }
    return -1;
}

static void finish_word(struct walk *walk)
{
    if (walk->chars == 0)
        return;
    int64_t before = walk->out->count, id = -1;
    size_t n;
    bool known = walk->chars <= WORD_MAX_CHARS;
    for (size_t at = PREFIX; known && at < PREFIX + walk->len; at += n) {
        id = longest_piece(walk, at, &n);
        known = id >= 0;
        if (known)
            dip_token_put(walk->out, id);
    }
    if (!known) {
        walk->out->count = before;
        dip_token_put(walk->out, walk->pieces->base.special.unk);
    }
    walk->len = 0;
    walk->chars = 0;
}

static void add_char(struct walk *walk, int32_t code)
{
    if (++walk->chars > WORD_MAX_CHARS)
        return;
    char *end = walk->word + PREFIX + walk->len;
    if (code < 0x80) {
        *end = (char)code;
        walk->len++;
        return;
    }
    walk->len += (size_t)utf8proc_encode_char(code, (utf8proc_uint8_t *)end);
}

static void put_char(struct walk *walk, int32_t code)
{
    enum char_class cls = classify(code);
    if (cls == LETTER) {
        add_char(walk, code);
    } else if (cls != REMOVED) {
        finish_word(walk);
        if (cls == SPACE)
            return;
        add_char(walk, code);
        finish_word(walk);
    }
}

/* Without accents: the parts of the character but for the marks, in small
 * letters. */
static void put_folded(struct walk *walk, int32_t code)
{
    int32_t parts[8];
    int boundary = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char(
        code, parts, (int)DIP_ARRAY_LEN(parts), UTF8PROC_DECOMPOSE, &boundary);
    if (n < 0 || n > (utf8proc_ssize_t)DIP_ARRAY_LEN(parts)) {
        put_char(walk, code);
        return;
    }
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        if (utf8proc_category(parts[i]) != UTF8PROC_CATEGORY_MN)
            put_char(walk, utf8proc_tolower(parts[i]));
    }
}

/* Characters are judged before and after they are taken apart: a Chinese one
 * stands alone whatever its parts are. */
static void take(struct walk *walk, int32_t code)
{
    if (code < 0x80) {
        bool capital = code >= 'A' && code <= 'Z';
        put_char(walk, capital && walk->pieces->lowercase ? code | 0x20 : code);
        return;
    }
    enum char_class cls = classify(code);
    if (cls == REMOVED)
        return;
    if (cls == SPACE || !walk->pieces->lowercase) {
        put_char(walk, code);
        return;
    }
    if (cls == CHINESE)
        finish_word(walk);
    put_folded(walk, code);
    if (cls == CHINESE)
        finish_word(walk);
}

/* ---- texts ---- */

/* The special token whose name begins at text[at], or -1. */
static int special_at(dip_bytes text, size_t at)
{
    for (int i = 0; i < (int)DIP_ARRAY_LEN(specials); i++) {
        size_t n = strlen(specials[i]);
        if (text.len - at >= n && memcmp(text.data + at, specials[i], n) == 0)
            return i;
    }
    return -1;
}

static int64_t special_id(const struct wordpiece *pieces, int special)
{
    const dip_special_ids *ids = &pieces->base.special;
    const int64_t by_name[] = {
        [PAD] = ids->pad, [UNK] = ids->unk,      [CLS] = ids->bos,
        [SEP] = ids->eos, [MASK] = pieces->mask,
    };
    return by_name[special];
}

static dip_status encode(dip_token_ids *out, const dip_tokenizer *tokenizer,
                         dip_bytes text, dip_err *err)
{
    (void)err;
    struct walk walk = {.pieces = (const struct wordpiece *)tokenizer,
                        .out = out};
    for (size_t at = 0; at < text.len;) {
        int special = text.data[at] == '[' ? special_at(text, at) : -1;
        if (special >= 0 && special_id(walk.pieces, special) >= 0) {
            finish_word(&walk);
            dip_token_put(out, special_id(walk.pieces, special));
            at += strlen(specials[special]);
            continue;
        }
        take(&walk, dip_utf8_next(text.data, text.len, &at));
    }
    finish_word(&walk);
    return DIP_OK;
}

/* ---- vocabularies ---- */

/* What follows from the tokens. */
static dip_status complete(struct wordpiece *pieces, const char *path,
                           dip_err *err)
{
    dip_tokenizer *base = &pieces->base;
    int64_t *const wanted[] = {[PAD] = &base->special.pad,
                               [UNK] = &base->special.unk,
                               [CLS] = &base->special.bos,
                               [SEP] = &base->special.eos};
    dip_status st = DIP_OK;
    for (size_t i = 0; st == DIP_OK && i < DIP_ARRAY_LEN(wanted); i++)
        st = dip_tokenizer_require(wanted[i], base, specials[i], path, err);
    pieces->mask = dip_interner_find(
        base->tokens, (dip_bytes){specials[MASK], strlen(specials[MASK])});
    pieces->longest = PREFIX + 1;
    for (int64_t i = 0; i < dip_tokenizer_size(base); i++) {
        size_t n = dip_tokenizer_token(base, i).len;
        pieces->longest = n > pieces->longest ? n : pieces->longest;
    }
    return st;
}

/* One token a line; the number of the line, from 0, is its id. */
static dip_status read_lines(dip_tokenizer *tokenizer, const char *text,
                             size_t n, const char *path, dip_err *err)
{
    dip_status st = DIP_OK;
    const char *end = text + n;
    for (int64_t line = 1; st == DIP_OK && text < end; line++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        const char *next = stop != NULL ? stop + 1 : end;
        size_t length = (size_t)((stop != NULL ? stop : end) - text);
        if (length > 0 && text[length - 1] == '\r')
            length--;
        st = dip_tokenizer_add(tokenizer, (dip_bytes){text, length},
                               PIECE_MAX_BYTES, "line", line, path, err);
        text = next;
    }
    return st;
}

static dip_status finish(dip_tokenizer **out, dip_status st, const char *path,
                         dip_err *err)
{
    if (st == DIP_OK)
        st = complete((struct wordpiece *)*out, path, err);
    if (st != DIP_OK) {
        dip_tokenizer_free(*out);
        *out = NULL;
    }
    return st;
}

static dip_status create(dip_tokenizer **out, bool lowercase, dip_err *err)
{
    dip_status st = dip_tokenizer_alloc(out, &dip_tokenizer_wordpiece,
                                        sizeof(struct wordpiece), err);
    if (st == DIP_OK)
        ((struct wordpiece *)*out)->lowercase = lowercase;
    return st;
}

static dip_status read_vocabulary(dip_tokenizer **out,
                                  const dip_tokenizer_options *options,
                                  dip_err *err)
{
    char *text = NULL, *path = NULL;
    size_t n;
    *out = NULL;
    dip_status st = dip_tokenizer_file(&path, options->vocab, USUAL_NAME, err);
    if (st == DIP_OK)
        st = dip_file_read(&text, &n, path, FILE_MAX_BYTES, err);
    if (st == DIP_OK)
        st = create(out, options->lowercase, err);
    if (st == DIP_OK)
        st = finish(out, read_lines(*out, text, n, path, err), path, err);
    free(text);
    free(path);
    return st;
}

static json_t *describe(const dip_tokenizer *tokenizer)
{
    json_t *tokens = dip_tokenizer_tokens_json(tokenizer);
    if (tokens == NULL)
        return NULL;
    return json_pack("{s:b, s:o}", "lowercase",
                     (int)((const struct wordpiece *)tokenizer)->lowercase,
                     "tokens", tokens);
}

static dip_status restore(dip_tokenizer **out, const json_t *root,
                          const char *path, dip_err *err)
{
    bool lowercase;
    dip_status st = dip_json_get_bool(&lowercase, root, "lowercase", path, err);
    if (st == DIP_OK)
        st = create(out, lowercase, err);
    if (st != DIP_OK)
        return st;
    st = dip_tokenizer_tokens_read(*out, root, 1, PIECE_MAX_BYTES, path, err);
    return finish(out, st, path, err);
}

static const char *const options_read[] = {"lowercase", NULL};

const dip_tokenizer_ops dip_tokenizer_wordpiece = {
    .name = "wordpiece",
    .file = "vocab",
    .options = options_read,
    .members = 2,
    .read = read_vocabulary,
    .encode = encode,
    .describe = describe,
    .restore = restore,
};
