#include "report/escape.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

/* An underscore within a word is plain (GitHub's rules), and names are full of
 * them; one at its edge begins or ends emphasis. */
static bool is_inner(const char *text, size_t at, size_t n)
{
    return at > 0 && at + 1 < n && isalnum((unsigned char)text[at - 1]) &&
           isalnum((unsigned char)text[at + 1]);
}

void dip_escape_markdown(dip_str *out, const char *text)
{
    size_t n = text != NULL ? strlen(text) : 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < ' ' || c == 0x7f)
            dip_str_add(out, " ");
        else if (strchr("\\`*[]<>|~#&$!", c) != NULL ||
                 (c == '_' && !is_inner(text, i, n)))
            dip_str_addf(out, "\\%c", c);
        else
            dip_str_addf(out, "%c", c);
    }
}

/* NULL: the character stands for itself. */
static const char *latex_of(char c)
{
    static const struct {
        char c;
        const char *latex;
    } words[] = {{'\\', "\\textbackslash{}"},  {'~', "\\textasciitilde{}"},
                 {'^', "\\textasciicircum{}"}, {'<', "\\textless{}"},
                 {'>', "\\textgreater{}"},     {'|', "\\textbar{}"}};
    for (size_t i = 0; i < DIP_ARRAY_LEN(words); i++) {
        if (words[i].c == c)
            return words[i].latex;
    }
    return NULL;
}

void dip_escape_latex(dip_str *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < ' ' || c == 0x7f)
            dip_str_add(out, " ");
        else if (latex_of(*text) != NULL)
            dip_str_add(out, latex_of(*text));
        else if (strchr("&%$#_{}", c) != NULL)
            dip_str_addf(out, "\\%c", c);
        else
            dip_str_add_n(out, text, 1);
    }
}

void dip_escape_csv(dip_str *out, const char *text)
{
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    if (quoted)
        dip_str_add(out, "\"");
    for (; *text != '\0'; text++)
        dip_str_add_n(out, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    if (quoted)
        dip_str_add(out, "\"");
}
