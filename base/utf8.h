/* UTF-8 text: checking, walking, normalising, and its width on a terminal. */
#ifndef DIP_BASE_UTF8_H
#define DIP_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"

/* Whether `n` bytes are well-formed UTF-8 (no surrogates, no overlong forms,
 * nothing above U+10FFFF). When not, *bad (may be NULL) is the offset of the
 * first byte that starts no character. */
bool dip_utf8_valid(const char *text, size_t n, size_t *bad);

/* The code point at text[*at], with *at moved behind it; *at < n. A byte that
 * starts no character counts as U+FFFD and is passed alone. */
int32_t dip_utf8_next(const char *text, size_t n, size_t *at);

/* Appends the UTF-8 form of a code point. */
void dip_utf8_add(dip_str *out, int32_t code);

/* White_Space of the Unicode character database. */
bool dip_utf8_is_space(int32_t code);

/* Makes well-formed text from text->data[begin] on lower case by the full
 * mapping of Unicode: a capital sigma that ends a word becomes a final one, an
 * I with a dot keeps it. */
void dip_utf8_lower(dip_str *text, size_t begin);

/* The normalised form by which titles are compared: compatibility
 * normalisation (NFKC), full case folding, runs of white space made one
 * blank, none at the ends. Malformed UTF-8 is DIP_EFORMAT and names the byte.
 * The caller frees *out, a NUL-terminated string. */
dip_status dip_utf8_normalise(char **out, const char *text, size_t n,
                              dip_err *err) DIP_MUST_CHECK;

/* Columns that `n` bytes fill on a terminal, as dip_utf8_fit() would write
 * them without a limit: two for wide East Asian characters, none for
 * combining marks. */
size_t dip_utf8_width(const char *text, size_t n);

/* Appends `n` bytes cut to at most `width` columns, the last of them an
 * ellipsis if anything is missing. Control characters become blanks and bad
 * bytes U+FFFD, so that foreign text cannot drive the terminal. Returns the
 * columns that were filled. */
size_t dip_utf8_fit(dip_str *out, const char *text, size_t n, size_t width);

#endif
