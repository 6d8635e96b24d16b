#include "data/clean.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "data/html_unescape.h"

/* ftfy repairs until nothing changes; this many times undo every escaping that
 * is not there to cost time. */
#define REPAIRS_MAX 16

static const char *const names[DIP_CLEAN_COUNT] = {
#define CLEAN_NAME(name, word) word,
    DIP_CLEAN_TABLE(CLEAN_NAME)
#undef CLEAN_NAME
};

const char *dip_clean_name(dip_clean clean)
{
    return names[clean];
}

dip_status dip_clean_from_name(dip_clean *out, const char *name, dip_err *err)
{
    for (int i = 0; i < DIP_CLEAN_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (dip_clean)i;
            return DIP_OK;
        }
    }
    return dip_fail(err, DIP_ENOTFOUND,
                    "no way to clean texts '%s': it is one of %s, %s, %s, %s",
                    name, names[0], names[1], names[2], names[3]);
}

static bool in_range(int32_t code, int32_t first, int32_t last)
{
    return code >= first && code <= last;
}

static dip_bytes bytes_of(const dip_str *s)
{
    return (dip_bytes){dip_str_text(s), s->len};
}

/* ---- repairs: one function a step, from `text` to the empty `out` ---- */

/* Latin ligatures and digraphs, full- and half-width forms: those whose
 * compatibility form is wanted. */
static bool has_plain_form(int32_t code)
{
    return in_range(code, 0xFF01, 0xFFEF) || code == 0x132 || code == 0x133 ||
           code == 0x149 || in_range(code, 0x1C4, 0x1CC) ||
           in_range(code, 0x1F1, 0x1F3) || in_range(code, 0xFB00, 0xFB06);
}

static int32_t straighten(int32_t code)
{
    if (code == 0x2BC || in_range(code, 0x2018, 0x201B))
        return '\'';
    if (in_range(code, 0x201C, 0x201F))
        return '"';
    return code == 0x3000 ? ' ' : code;
}

static void replace_characters(dip_str *out, dip_bytes text)
{
    size_t at = 0;
    while (at < text.len) {
        int32_t parts[8];
        int boundary = 0;
        int32_t code =
            dip_windows_1252(dip_utf8_next(text.data, text.len, &at));
        if (code == 0xFB05) { /* long s, t: not taken for s, t */
            dip_str_add(out, "\xc5\xbft");
            continue;
        }
        utf8proc_ssize_t n = 1;
        parts[0] = code;
        if (has_plain_form(code))
            n = utf8proc_decompose_char(code, parts, (int)DIP_ARRAY_LEN(parts),
                                        UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT,
                                        &boundary);
        for (utf8proc_ssize_t i = 0; i < n; i++)
            dip_utf8_add(out, straighten(parts[i]));
    }
}

/* Bytes of the escape sequence of a terminal at text[at], 0 if there is none.
 */
static size_t escape_length(dip_bytes text, size_t at)
{
    size_t n = 2;
    if (text.len - at < 3 || memcmp(text.data + at, "\033[", 2) != 0)
        return 0;
    while (at + n < text.len &&
           (in_range(text.data[at + n], '0', '9') || text.data[at + n] == ';'))
        n++;
    bool ends =
        at + n < text.len && in_range(text.data[at + n] | 0x20, 'a', 'z');
    return ends ? n + 1 : 0;
}

static bool is_control(int32_t code)
{
    return in_range(code, 0, 8) || code == 0xB || in_range(code, 0xE, 0x1F) ||
           code == 0x7F || in_range(code, 0x206A, 0x206F) || code == 0xFEFF ||
           in_range(code, 0xFFF9, 0xFFFC);
}

static void remove_controls(dip_str *out, dip_bytes text)
{
    size_t at = 0;
    while (at < text.len) {
        size_t start = at, escape = escape_length(text, at);
        if (escape > 0)
            at += escape;
        else if (!is_control(dip_utf8_next(text.data, text.len, &at)))
            dip_str_add_n(out, text.data + start, at - start);
    }
}

static dip_status compose(dip_str *out, dip_bytes text, dip_err *err)
{
    utf8proc_uint8_t *composed = NULL;
    utf8proc_ssize_t n = utf8proc_map(
        (const utf8proc_uint8_t *)text.data, (utf8proc_ssize_t)text.len,
        &composed, (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    if (n < 0)
        return dip_fail(err, DIP_EFORMAT, "cannot normalise text: %s",
                        utf8proc_errmsg(n));
    dip_str_add_n(out, composed, (size_t)n);
    free(composed);
    return DIP_OK;
}

/* One round; entities stay where a line that came before has a "<" in it. */
static dip_status repair_once(dip_str *text, dip_str *spare, bool unescape,
                              dip_err *err)
{
    dip_str_clear(spare);
    if (unescape)
        dip_html_unescape(spare, bytes_of(text), true);
    else
        dip_str_add_n(spare, dip_str_text(text), text->len);
    dip_str_clear(text);
    replace_characters(text, bytes_of(spare));
    dip_str_clear(spare);
    remove_controls(spare, bytes_of(text));
    dip_str_clear(text);
    dip_status st = compose(text, bytes_of(spare), err);
    return st == DIP_OK ? dip_str_status(text, err) : st;
}

/* ftfy.fix_text(), line by line. */
static dip_status repair(dip_str *out, dip_bytes text, dip_err *err)
{
    dip_str line = {0}, before = {0}, spare = {0};
    bool unescape = true;
    dip_status st = DIP_OK;
    for (size_t at = 0; st == DIP_OK && at < text.len;) {
        const char *end = memchr(text.data + at, '\n', text.len - at);
        size_t n =
            end != NULL ? (size_t)(end - text.data) + 1 - at : text.len - at;
        unescape = unescape && memchr(text.data + at, '<', n) == NULL;
        dip_str_clear(&line);
        dip_str_add_n(&line, text.data + at, n);
        for (int i = 0; st == DIP_OK && i < REPAIRS_MAX; i++) {
            dip_str_clear(&before);
            dip_str_add_n(&before, dip_str_text(&line), line.len);
            st = repair_once(&line, &spare, unescape, err);
            if (st == DIP_OK && before.len == line.len &&
                memcmp(before.data, line.data, line.len) == 0)
                break;
        }
        dip_str_add_n(out, dip_str_text(&line), line.len);
        at += n;
    }
    dip_str_free(&line);
    dip_str_free(&before);
    dip_str_free(&spare);
    return st == DIP_OK ? dip_str_status(out, err) : st;
}

/* ---- all together ---- */

/* What no repair changes: ASCII without controls and entities. */
static bool is_plain(dip_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool space = c == '\t' || c == '\n' || c == '\r';
        if (c >= 0x7F || c == '&' || (c < ' ' && !space))
            return false;
    }
    return true;
}

static void add_well_formed(dip_str *out, dip_bytes text)
{
    size_t at = 0;
    while (at < text.len)
        dip_utf8_add(out, dip_utf8_next(text.data, text.len, &at));
}

static bool is_ascii_punctuation(int32_t code)
{
    return in_range(code, '!', '/') || in_range(code, ':', '@') ||
           in_range(code, '[', '`') || in_range(code, '{', '~');
}

/* Single blanks, none at the ends; of punctuation only what stays. */
static void add_words(dip_str *out, dip_bytes text, bool punctuation)
{
    size_t at = 0, begin = out->len;
    bool blank = false;
    while (at < text.len) {
        size_t start = at;
        int32_t code = (unsigned char)text.data[at];
        if (code < 0x80)
            at++;
        else
            code = dip_utf8_next(text.data, text.len, &at);
        if (dip_utf8_is_space(code) || (code == '_' && !punctuation)) {
            blank = out->len > begin;
            continue;
        }
        if (is_ascii_punctuation(code) && !punctuation)
            continue;
        if (blank)
            dip_str_add_n(out, " ", 1);
        blank = false;
        dip_str_add_n(out, text.data + start, at - start);
    }
}

static dip_status clean_hard(dip_str *out, dip_bytes text, bool punctuation,
                             dip_err *err)
{
    dip_str clean = {0}, fixed = {0};
    add_well_formed(&clean, text);
    dip_status st = dip_str_status(&clean, err);
    if (st == DIP_OK)
        st = repair(&fixed, bytes_of(&clean), err);
    if (st == DIP_OK) {
        for (int i = 0; i < 2; i++) {
            dip_str_clear(&clean);
            dip_html_unescape(&clean, bytes_of(&fixed), false);
            dip_str_clear(&fixed);
            dip_str_add_n(&fixed, dip_str_text(&clean), clean.len);
        }
        add_words(out, bytes_of(&fixed), punctuation);
        st = dip_str_status(&fixed, err);
    }
    dip_str_free(&clean);
    dip_str_free(&fixed);
    return st;
}

dip_status dip_clean_text(dip_str *out, dip_bytes text, dip_clean clean,
                          dip_err *err)
{
    if (clean == DIP_CLEAN_NONE) {
        add_well_formed(out, text);
        return dip_str_status(out, err);
    }
    bool punctuation = clean != DIP_CLEAN_CANONICALIZE;
    size_t begin = out->len;
    dip_status st = DIP_OK;
    if (is_plain(text))
        add_words(out, text, punctuation);
    else
        st = clean_hard(out, text, punctuation, err);
    if (st == DIP_OK && clean != DIP_CLEAN_WHITESPACE)
        dip_utf8_lower(out, begin);
    return st == DIP_OK ? dip_str_status(out, err) : st;
}
