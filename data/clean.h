/* Cleaning of texts as open_clip does it before it cuts them into tokens.
 *
 * All but `none` begin with the repairs of ftfy.fix_text() that change what a
 * text says in other characters: HTML entities, C1 controls read as
 * windows-1252, Latin ligatures, full- and half-width forms, curly quotes,
 * escape sequences of terminals, control characters, NFC. ftfy's guess that a
 * text was decoded wrongly ("Ã©" for "é") is not made. Then html.unescape() of
 * Python, twice, with the named entities of HTML 4; white space is made single
 * blanks. Malformed bytes are U+FFFD each. */
#ifndef DIP_DATA_CLEAN_H
#define DIP_DATA_CLEAN_H

#include "base/status.h"
#include "base/str.h"
#include "data/catalog.h"

/* kind, name in configs (open_clip's) */
#define DIP_CLEAN_TABLE(X)                                                     \
    X(NONE, "none")                                                            \
    X(WHITESPACE, "whitespace")                                                \
    X(LOWER, "lower")               /* and lower case */                       \
    X(CANONICALIZE, "canonicalize") /* and no ASCII punctuation; SigLIP's */

typedef enum {
#define DIP_CLEAN_ENUM(name, word) DIP_CLEAN_##name,
    DIP_CLEAN_TABLE(DIP_CLEAN_ENUM)
#undef DIP_CLEAN_ENUM
        DIP_CLEAN_COUNT
} dip_clean;

/* Borrowed, static. */
const char *dip_clean_name(dip_clean clean);
/* DIP_ENOTFOUND, listing the right names, when `name` is none. */
dip_status dip_clean_from_name(dip_clean *out, const char *name,
                               dip_err *err) DIP_MUST_CHECK;

/* Appends the cleaned text, which is well-formed UTF-8, to *out. */
dip_status dip_clean_text(dip_str *out, dip_bytes text, dip_clean clean,
                          dip_err *err) DIP_MUST_CHECK;

#endif
