#include "base/utf8.h"

#include <stdlib.h>
#include <utf8proc.h>

#include "base/mem.h"

#define REPLACEMENT 0xFFFD
#define ELLIPSIS    "\xe2\x80\xa6" /* U+2026 */

/* The code point at text[at] or -1; *length is that of its bytes. */
static int32_t decode(const char *text, size_t n, size_t at, size_t *length)
{
    utf8proc_int32_t code = -1;
    size_t left = n - at < 4 ? n - at : 4;
    utf8proc_ssize_t used = utf8proc_iterate(
        (const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)left, &code);
    *length = used > 0 ? (size_t)used : 1;
    return used > 0 ? code : -1;
}

bool dip_utf8_valid(const char *text, size_t n, size_t *bad)
{
    size_t length;
    for (size_t at = 0; at < n; at += length) {
        if (decode(text, n, at, &length) < 0) {
            if (bad != NULL)
                *bad = at;
            return false;
        }
    }
    return true;
}

int32_t dip_utf8_next(const char *text, size_t n, size_t *at)
{
    size_t length;
    int32_t code = decode(text, n, *at, &length);
    *at += length;
    return code < 0 ? REPLACEMENT : code;
}

void dip_utf8_add(dip_str *out, int32_t code)
{
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t n = utf8proc_encode_char(code, bytes);
    if (n == 0)
        n = utf8proc_encode_char(REPLACEMENT, bytes);
    dip_str_add_n(out, bytes, (size_t)n);
}

bool dip_utf8_is_space(int32_t code)
{
    if ((code >= '\t' && code <= '\r') || code == 0x85)
        return true;
    utf8proc_category_t category = utf8proc_category(code);
    return category == UTF8PROC_CATEGORY_ZS ||
           category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

/* Makes runs of white space one blank and drops those at the ends. */
static void collapse_space(dip_str *out, const char *text, size_t n)
{
    bool pending = false;
    size_t at = 0;
    while (at < n) {
        size_t start = at;
        if (dip_utf8_is_space(dip_utf8_next(text, n, &at))) {
            pending = out->len > 0;
            continue;
        }
        if (pending)
            dip_str_add(out, " ");
        pending = false;
        dip_str_add_n(out, text + start, at - start);
    }
}

dip_status dip_utf8_normalise(char **out, const char *text, size_t n,
                              dip_err *err)
{
    *out = NULL;
    size_t bad;
    if (!dip_utf8_valid(text, n, &bad))
        return dip_fail(err, DIP_EFORMAT, "malformed utf-8 at byte %zu", bad);
    utf8proc_uint8_t *folded = NULL;
    utf8proc_ssize_t length = utf8proc_map(
        (const utf8proc_uint8_t *)text, (utf8proc_ssize_t)n, &folded,
        (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE |
                            UTF8PROC_COMPAT | UTF8PROC_CASEFOLD));
    if (length < 0)
        return dip_fail(err, DIP_EFORMAT, "cannot normalise text: %s",
                        utf8proc_errmsg(length));
    dip_str collapsed = {0};
    dip_str_add(&collapsed, ""); /* an empty title is "", not NULL */
    collapse_space(&collapsed, (const char *)folded, (size_t)length);
    free(folded);
    dip_status st = dip_str_status(&collapsed, err);
    if (st != DIP_OK) {
        dip_str_free(&collapsed);
        return st;
    }
    *out = collapsed.data;
    return DIP_OK;
}

/* What is shown for a code point: no control character reaches a terminal. */
static int32_t shown(int32_t code)
{
    bool control = code < 0x20 || (code >= 0x7f && code < 0xa0) ||
                   code == 0x2028 || code == 0x2029 ||
                   (code >= 0x202a && code <= 0x202e) || /* bidi overrides */
                   (code >= 0x2066 && code <= 0x2069);
    return control ? ' ' : code;
}

static size_t code_width(int32_t code)
{
    int width = utf8proc_charwidth(code);
    return width > 0 ? (size_t)width : 0;
}

size_t dip_utf8_width(const char *text, size_t n)
{
    size_t width = 0;
    size_t at = 0;
    while (at < n)
        width += code_width(shown(dip_utf8_next(text, n, &at)));
    return width;
}

size_t dip_utf8_fit(dip_str *out, const char *text, size_t n, size_t width)
{
    if (width == 0)
        return 0;
    size_t full = dip_utf8_width(text, n);
    bool cut = full > width;
    size_t room = cut ? width - 1 : width;
    size_t used = 0;
    size_t at = 0;
    while (at < n) {
        int32_t code = shown(dip_utf8_next(text, n, &at));
        if (used + code_width(code) > room)
            break;
        used += code_width(code);
        dip_utf8_add(out, code);
    }
    if (!cut)
        return used;
    dip_str_add(out, ELLIPSIS);
    return used + 1;
}
