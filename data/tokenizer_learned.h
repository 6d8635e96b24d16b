/* What the kinds that are built of training texts have in common: a vocabulary
 * of the most frequent words, whatever a word is to them. */
#ifndef DIP_DATA_TOKENIZER_LEARNED_H
#define DIP_DATA_TOKENIZER_LEARNED_H

#include "data/tokenizer_kind.h"

#define DIP_LEARNED_MEMBERS 3 /* punctuation, eos, tokens */

extern const char *const dip_learned_options[];

dip_status dip_learned_encode(dip_token_ids *out,
                              const dip_tokenizer *tokenizer, dip_bytes text,
                              dip_err *err) DIP_MUST_CHECK;
json_t *dip_learned_describe(const dip_tokenizer *tokenizer);
dip_status dip_learned_restore(dip_tokenizer **out,
                               const dip_tokenizer_ops *ops, const json_t *root,
                               const char *path, dip_err *err) DIP_MUST_CHECK;

#endif
