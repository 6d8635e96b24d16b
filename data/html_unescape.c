#include "data/html_unescape.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "data/html_entities.h"

#define NAME_MAX_BYTES   32 /* html.unescape() looks no further */
#define REPAIR_MAX_BYTES 24 /* nor ftfy */
#define REPLACEMENT      0xFFFD
#define CODE_MAX         0x10FFFF

static bool in_range(int32_t code, int32_t first, int32_t last)
{
    return code >= first && code <= last;
}

int32_t dip_windows_1252(int32_t code)
{
    static const uint16_t table[] = {
        0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021,
        0x2C6,  0x2030, 0x160,  0x2039, 0x152,  0x8D,   0x17D,  0x8F,
        0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
        0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178,
    };
    return in_range(code, 0x80, 0x9F) ? table[code - 0x80] : code;
}

/* Appends what HTML 5 takes the number of a character for; nothing for those
 * that it forbids. */
static void add_number(dip_str *out, int32_t code)
{
    int32_t mapped = dip_windows_1252(code);
    if (code == 0 || code > CODE_MAX || in_range(code, 0xD800, 0xDFFF))
        mapped = REPLACEMENT;
    bool forbidden = in_range(code, 1, 8) || code == 0xB ||
                     in_range(code, 0xE, 0x1F) || code == 0x7F ||
                     in_range(code, 0xFDD0, 0xFDEF) ||
                     (code & 0xFFFE) == 0xFFFE;
    if (!forbidden || mapped == REPLACEMENT)
        dip_utf8_add(out, mapped);
}

/* Digits at text[at]: their number (a large one stands for all too large), and
 * *at moved behind them. */
static int32_t read_number(dip_bytes text, size_t *at, int base)
{
    static const char digits[] = "0123456789abcdef";
    int32_t code = 0;
    for (; *at < text.len; ++*at) {
        char c = text.data[*at];
        c = c >= 'A' && c <= 'F' ? (char)(c | 0x20) : c;
        const char *digit = c != '\0' ? memchr(digits, c, (size_t)base) : NULL;
        if (digit == NULL)
            break;
        code = code > CODE_MAX ? code : code * base + (int32_t)(digit - digits);
    }
    return code;
}

/* Takes the "&#..." at *at; false when it is none. */
static bool take_number(dip_str *out, dip_bytes text, size_t *at, bool strict)
{
    size_t first = *at + 2, end;
    bool hex = first < text.len && (text.data[first] | 0x20) == 'x';
    first += hex;
    end = first;
    int32_t code = read_number(text, &end, hex ? 16 : 10);
    bool closed = end < text.len && text.data[end] == ';';
    bool fits = end - *at - 2 <= REPAIR_MAX_BYTES;
    if (end == first || (strict && !(closed && fits)))
        return false;
    add_number(out, code);
    *at = end + closed;
    return true;
}

static size_t name_length(dip_bytes text, size_t at)
{
    size_t n = 0;
    while (at + n < text.len && n < 4 * NAME_MAX_BYTES &&
           memchr("\t\n\f <&#;", text.data[at + n], 8) == NULL)
        n++;
    return n;
}

/* Takes the "&name" at *at; false when it is none. Without a semicolon only the
 * old names (Latin-1) count, and the longest that begins the text. */
static bool take_name(dip_str *out, dip_bytes text, size_t *at, bool strict)
{
    const char *name = text.data + *at + 1;
    size_t n = name_length(text, *at + 1);
    bool closed = *at + 1 + n < text.len && name[n] == ';';
    int32_t code = closed ? dip_html_entity(name, n) : -1;
    if (code >= 0) {
        dip_utf8_add(out, code);
        *at += n + 2;
        return true;
    }
    for (; !strict && n > 1; n--) {
        code = dip_html_entity(name, n);
        if (code < 0 || code > 0xFF || code == '\'')
            continue;
        dip_utf8_add(out, code);
        *at += n + 1;
        return true;
    }
    return false;
}

void dip_html_unescape(dip_str *out, dip_bytes text, bool strict)
{
    size_t at = 0;
    while (at < text.len) {
        const char *mark = memchr(text.data + at, '&', text.len - at);
        size_t stop = mark != NULL ? (size_t)(mark - text.data) : text.len;
        dip_str_add_n(out, text.data + at, stop - at);
        at = stop;
        if (mark == NULL)
            return;
        bool number = at + 1 < text.len && text.data[at + 1] == '#';
        if (number ? take_number(out, text, &at, strict)
                   : take_name(out, text, &at, strict))
            continue;
        dip_str_add(out, "&");
        at++;
    }
}
