#include <string.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "base/utf8.h"

#define SIGMA       0x3A3
#define SIGMA_SMALL 0x3C3
#define SIGMA_FINAL 0x3C2
#define I_DOTTED    0x130

/* Case_Ignorable but for modifiers and marks: Word_Break = MidLetter,
 * MidNumLet, Single_Quote (Unicode 15). */
static bool is_inner_punctuation(int32_t code)
{
    static const int32_t codes[] = {
        '\'',   '.',    ':',    0xB7,   0x387,  0x55F,  0x5F4,  0x2018, 0x2019,
        0x2024, 0x2027, 0xFE13, 0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A};
    for (size_t i = 0; i < DIP_ARRAY_LEN(codes); i++) {
        if (code == codes[i])
            return true;
    }
    return false;
}

static bool is_ignorable(int32_t code)
{
    switch (utf8proc_category(code)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return is_inner_punctuation(code);
    }
}

/* Lowercase, Uppercase or a title letter (DerivedCoreProperties, Unicode 15);
 * modifiers are ignorable before they are this. */
static bool is_cased(int32_t code)
{
    static const int32_t others[][2] = {
        {0xAA, 0xAA},       {0xBA, 0xBA},       {0x2160, 0x217F},
        {0x24B6, 0x24E9},   {0x1F130, 0x1F149}, {0x1F150, 0x1F169},
        {0x1F170, 0x1F189},
    };
    utf8proc_category_t category = utf8proc_category(code);
    if (category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
        category == UTF8PROC_CATEGORY_LT)
        return true;
    for (size_t i = 0; i < DIP_ARRAY_LEN(others); i++) {
        if (code >= others[i][0] && code <= others[i][1])
            return true;
    }
    return false;
}

/* Whether a sigma that ends at text[at] ends a word, too: cased letters stand
 * before it and none behind it. `cased` says the former. */
static bool is_final(const char *text, size_t n, size_t at, bool cased)
{
    while (cased && at < n) {
        int32_t code = dip_utf8_next(text, n, &at);
        if (!is_ignorable(code))
            return !is_cased(code);
    }
    return cased;
}

static bool lower_ascii(char *text, size_t n)
{
    unsigned char all = 0;
    for (size_t i = 0; i < n; i++)
        all |= (unsigned char)text[i];
    if (all >= 0x80)
        return false;
    for (size_t i = 0; i < n; i++)
        text[i] = (char)(text[i] | (text[i] >= 'A' && text[i] <= 'Z') << 5);
    return true;
}

void dip_utf8_lower(dip_str *text, size_t begin)
{
    size_t n = text->len - begin;
    if (n == 0 || text->failed || lower_ascii(text->data + begin, n))
        return;
    dip_str capital = {0};
    dip_str_add_n(&capital, text->data + begin, n);
    text->failed = text->failed || capital.failed;
    text->len = begin;
    bool cased = false;
    for (size_t at = 0; !capital.failed && at < n;) {
        int32_t code = dip_utf8_next(capital.data, n, &at);
        int32_t small = utf8proc_tolower(code);
        if (code == SIGMA)
            small = is_final(capital.data, n, at, cased) ? SIGMA_FINAL
                                                         : SIGMA_SMALL;
        dip_utf8_add(text, small);
        if (code == I_DOTTED) /* keeps its dot, as a mark */
            dip_utf8_add(text, 0x307);
        if (!is_ignorable(code))
            cased = is_cased(code);
    }
    dip_str_free(&capital);
}
