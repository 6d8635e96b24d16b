#include "report/html_text.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

#define REPLACEMENT 0xfffd

/* Controls but tabs and line ends, and noncharacters, may not stand in HTML. */
static bool is_forbidden(int32_t code)
{
    return (code >= 0x7f && code < 0xa0) || (code & 0xfffe) == 0xfffe ||
           (code >= 0xfdd0 && code <= 0xfdef);
}

void dip_html_text(dip_str *out, const char *text)
{
    size_t n = strlen(text);
    for (size_t at = 0; at < n;) {
        int32_t code = dip_utf8_next(text, n, &at);
        switch (code) {
        case '&':
            dip_str_add(out, "&amp;");
            break;
        case '<':
            dip_str_add(out, "&lt;");
            break;
        case '>':
            dip_str_add(out, "&gt;");
            break;
        case '"':
            dip_str_add(out, "&quot;");
            break;
        case '\'':
            dip_str_add(out, "&#39;");
            break;
        default:
            if (code < ' ')
                code = ' ';
            dip_utf8_add(out, is_forbidden(code) ? REPLACEMENT : code);
        }
    }
}

void dip_html_name(dip_str *out, const char *text)
{
    dip_str_add(out, "<bdi>");
    dip_html_text(out, text);
    dip_str_add(out, "</bdi>");
}

void dip_html_number(dip_str *out, double value, int decimals)
{
    if (!isfinite(value))
        dip_str_add(out, "–");
    else if (fabs(value) >= 1e12)
        dip_str_addf(out, "%.3g", value);
    else
        dip_str_addf(out, "%.*f", decimals, value);
}

void dip_html_base64(dip_str *out, const void *bytes, size_t n)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *in = bytes;
    for (size_t i = 0; i < n; i += 3) {
        size_t left = n - i;
        uint32_t bits = (uint32_t)in[i] << 16;
        bits |= left > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        bits |= left > 2 ? (uint32_t)in[i + 2] : 0;
        char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                        left > 1 ? digits[bits >> 6 & 63] : '=',
                        left > 2 ? digits[bits & 63] : '='};
        dip_str_add_n(out, four, sizeof four);
    }
}
