/* Cutting text into the words of the tokenizer kinds `word` and `character`
 * (data/tokenizer.h has the rules). */
#ifndef DIP_DATA_WORDS_H
#define DIP_DATA_WORDS_H

#include <stdbool.h>

#include "base/status.h"
#include "data/catalog.h"

#define DIP_WORD_MAX_BYTES 128

/* Receives each word, normalised; borrowed for the call. data is NULL for what
 * is no word that could be known: bad bytes, or more than DIP_WORD_MAX_BYTES.
 * Another return value than DIP_OK ends the walk. */
typedef dip_status (*dip_word_fn)(void *user, dip_bytes word, dip_err *err);

/* Reentrant; takes memory only for text that is not ASCII. */
dip_status dip_words_each(dip_bytes text, bool punctuation, dip_word_fn fn,
                          void *user, dip_err *err) DIP_MUST_CHECK;
dip_status dip_characters_each(dip_bytes text, bool punctuation, dip_word_fn fn,
                               void *user, dip_err *err) DIP_MUST_CHECK;

#endif
