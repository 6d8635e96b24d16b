#include "data/words.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "base/utf8.h"

enum char_class {
    CLASS_SPACE, /* separates, and nothing else: white space, controls */
    CLASS_LETTER,
    CLASS_DIGIT,
    CLASS_MARK,
    CLASS_SYLLABLE, /* a word alone: Han, Kana, Hangul */
    CLASS_APOSTROPHE,
    CLASS_PUNCTUATION,
    CLASS_IGNORED,
    CLASS_BAD, /* stands for malformed bytes */
};

struct walk {
    char word[DIP_WORD_MAX_BYTES];
    size_t len;
    bool overlong;
    bool ends_in_letter;
    bool punctuation;
    dip_word_fn fn;
    void *user;
};

static bool in_range(int32_t code, int32_t first, int32_t last)
{
    return code >= first && code <= last;
}

/* The letters of these scripts (Unicode 15, Scripts.txt and the sound mark
 * U+30FC); what else is in the ranges is no letter and was sorted out by its
 * category. */
static bool is_syllable(int32_t code)
{
    static const int32_t ranges[][2] = {
        {0x3005, 0x30FF},   /* ideographic marks, Hiragana, Katakana */
        {0x31F0, 0x31FF},   /* Katakana extensions */
        {0x3400, 0x4DBF},   /* Han extension A */
        {0x4E00, 0x9FFF},   /* Han */
        {0xAC00, 0xD7A3},   /* Hangul syllables */
        {0xF900, 0xFAFF},   /* Han compatibility */
        {0x1AFF0, 0x1B16F}, /* Kana extensions and supplement */
        {0x20000, 0x3FFFF}, /* Han on the planes 2 and 3 */
    };
    for (size_t i = 0; i < DIP_ARRAY_LEN(ranges); i++) {
        if (in_range(code, ranges[i][0], ranges[i][1]))
            return true;
    }
    return false;
}

static enum char_class classify_ascii(int32_t code)
{
    if (in_range(code | 0x20, 'a', 'z'))
        return CLASS_LETTER;
    if (in_range(code, '0', '9'))
        return CLASS_DIGIT;
    if (code == '\'')
        return CLASS_APOSTROPHE;
    return in_range(code, 0x21, 0x7E) ? CLASS_PUNCTUATION : CLASS_SPACE;
}

static enum char_class classify_category(int32_t code)
{
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return is_syllable(code) ? CLASS_SYLLABLE : CLASS_LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return is_syllable(code) ? CLASS_SYLLABLE : CLASS_DIGIT;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return CLASS_MARK;
    case UTF8PROC_CATEGORY_CF:
        return CLASS_IGNORED;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO:
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK:
    case UTF8PROC_CATEGORY_SO:
        return CLASS_PUNCTUATION;
    default: /* separators, controls, private use, unassigned */
        return CLASS_SPACE;
    }
}

static enum char_class classify(int32_t code)
{
    if (code < 0x80)
        return classify_ascii(code);
    if (code == 0xFFFD)
        return CLASS_BAD;
    if (code == 0x2019)
        return CLASS_APOSTROPHE;
    if (in_range(code, 0xFE00, 0xFE0F) || in_range(code, 0xE0100, 0xE01EF))
        return CLASS_IGNORED; /* variation selectors */
    return classify_category(code);
}

static enum char_class next_class(dip_bytes text, size_t *at)
{
    unsigned char byte = (unsigned char)text.data[*at];
    if (byte < 0x80) {
        ++*at;
        return classify_ascii(byte);
    }
    return classify(dip_utf8_next(text.data, text.len, at));
}

/* Whether the apostrophe before text[at] has a letter on both sides. */
static bool is_inner(const struct walk *walk, dip_bytes text, size_t at)
{
    if (!walk->ends_in_letter)
        return false;
    enum char_class cls = CLASS_IGNORED;
    while (at < text.len && cls == CLASS_IGNORED)
        cls = next_class(text, &at);
    return cls == CLASS_LETTER;
}

/* The text is folded already but for ASCII that took the short way. */
static void extend(struct walk *walk, const char *bytes, size_t n)
{
    if (walk->overlong || n > sizeof walk->word - walk->len) {
        walk->overlong = true;
        return;
    }
    char *end = walk->word + walk->len;
    for (size_t i = 0; i < n; i++)
        end[i] = (char)(bytes[i] | (bytes[i] >= 'A' && bytes[i] <= 'Z') << 5);
    walk->len += n;
}

static dip_status finish_word(struct walk *walk, dip_err *err)
{
    walk->ends_in_letter = false;
    if (walk->len == 0)
        return DIP_OK;
    dip_bytes word = {walk->overlong ? NULL : walk->word, walk->len};
    walk->len = 0;
    walk->overlong = false;
    return walk->fn(walk->user, word, err);
}

/* Takes the character text[start, at) of class `cls`. */
static dip_status step(struct walk *walk, enum char_class cls, dip_bytes text,
                       size_t start, size_t at, bool after_bad, dip_err *err)
{
    const char *bytes = text.data + start;
    size_t n = at - start;
    if (cls == CLASS_LETTER || cls == CLASS_DIGIT ||
        (cls == CLASS_MARK && walk->len > 0)) {
        extend(walk, bytes, n);
        walk->ends_in_letter = cls != CLASS_DIGIT;
        return DIP_OK;
    }
    if (cls == CLASS_IGNORED ||
        (cls == CLASS_APOSTROPHE && is_inner(walk, text, at)))
        return DIP_OK;
    dip_status st = finish_word(walk, err);
    if (st != DIP_OK)
        return st;
    if (cls == CLASS_BAD)
        return after_bad ? DIP_OK
                         : walk->fn(walk->user, (dip_bytes){NULL, n}, err);
    bool symbol = cls == CLASS_PUNCTUATION || cls == CLASS_APOSTROPHE;
    if (cls == CLASS_SYLLABLE || (symbol && walk->punctuation))
        return walk->fn(walk->user, (dip_bytes){bytes, n}, err);
    return DIP_OK;
}

static dip_status walk_text(struct walk *walk, dip_bytes text, dip_err *err)
{
    bool after_bad = false;
    size_t at = 0;
    while (at < text.len) {
        size_t start = at;
        enum char_class cls = next_class(text, &at);
        dip_status st = step(walk, cls, text, start, at, after_bad, err);
        if (st != DIP_OK)
            return st;
        if (cls != CLASS_IGNORED)
            after_bad = cls == CLASS_BAD;
    }
    return finish_word(walk, err);
}

static bool is_ascii(dip_bytes text)
{
    unsigned char all = 0;
    for (size_t i = 0; i < text.len; i++)
        all |= (unsigned char)text.data[i];
    return all < 0x80;
}

/* Puts U+FFFD for malformed bytes and a blank for NUL, which would end the
 * normalised string. */
static void add_clean(dip_str *out, dip_bytes text)
{
    size_t at = 0;
    while (at < text.len) {
        int32_t code = dip_utf8_next(text.data, text.len, &at);
        dip_utf8_add(out, code == 0 ? ' ' : code);
    }
}

static dip_status normalise(char **out, dip_bytes text, dip_err *err)
{
    dip_str clean = {0};
    add_clean(&clean, text);
    dip_status st = dip_str_status(&clean, err);
    if (st == DIP_OK)
        st = dip_utf8_normalise(out, clean.data, clean.len, err);
    dip_str_free(&clean);
    return st;
}

dip_status dip_words_each(dip_bytes text, bool punctuation, dip_word_fn fn,
                          void *user, dip_err *err)
{
    struct walk walk = {.punctuation = punctuation, .fn = fn, .user = user};
    if (is_ascii(text))
        return walk_text(&walk, text, err);
    char *normal = NULL;
    dip_status st = normalise(&normal, text, err);
    if (st != DIP_OK)
        return st;
    st = walk_text(&walk, (dip_bytes){normal, strlen(normal)}, err);
    free(normal);
    return st;
}

/* ---- characters ---- */

static dip_status give_character(const struct walk *walk, enum char_class cls,
                                 dip_bytes character, bool *blank,
                                 bool after_bad, dip_err *err)
{
    bool symbol = cls == CLASS_PUNCTUATION || cls == CLASS_APOSTROPHE;
    if (cls == CLASS_IGNORED || (symbol && !walk->punctuation) ||
        (cls == CLASS_BAD && after_bad))
        return DIP_OK;
    dip_status st = DIP_OK;
    if (*blank)
        st = walk->fn(walk->user, (dip_bytes){" ", 1}, err);
    *blank = false;
    if (cls == CLASS_BAD)
        character.data = NULL;
    return st == DIP_OK ? walk->fn(walk->user, character, err) : st;
}

dip_status dip_characters_each(dip_bytes text, bool punctuation, dip_word_fn fn,
                               void *user, dip_err *err)
{
    const struct walk walk = {
        .punctuation = punctuation, .fn = fn, .user = user};
    char *normal = NULL;
    dip_status st = normalise(&normal, text, err);
    if (st != DIP_OK)
        return st;
    dip_bytes left = {normal, strlen(normal)};
    bool begun = false, blank = false, after_bad = false;
    for (size_t at = 0; st == DIP_OK && at < left.len;) {
        size_t start = at;
        enum char_class cls = next_class(left, &at);
        if (cls == CLASS_SPACE) {
            blank = begun;
        } else {
            st = give_character(&walk, cls,
                                (dip_bytes){normal + start, at - start}, &blank,
                                after_bad, err);
            begun = true;
        }
        if (cls != CLASS_IGNORED)
            after_bad = cls == CLASS_BAD;
    }
    free(normal);
    return st;
}
