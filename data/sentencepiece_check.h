/* What the SentencePiece library takes on trust of a model file. */
#ifndef DIP_DATA_SENTENCEPIECE_CHECK_H
#define DIP_DATA_SENTENCEPIECE_CHECK_H

#include <stddef.h>

#include "base/status.h"

/* DIP_EFORMAT if the `n` bytes could make the library read outside of its
 * memory, or ask for it without measure: it follows the trie of the rules that
 * change characters without a look at its bounds, counts rules and symbols
 * that begin alike into arrays of a fixed size, and puts texts of any length in
 * the place of a character. That a model is complete and consistent, the
 * library finds itself. */
dip_status dip_sentencepiece_check(const void *bytes, size_t n,
                                   dip_err *err) DIP_MUST_CHECK;

#endif
