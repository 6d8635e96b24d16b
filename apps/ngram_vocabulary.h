/* Which n-grams have vectors: those that the training texts use most. */
#ifndef DIP_APPS_NGRAM_VOCABULARY_H
#define DIP_APPS_NGRAM_VOCABULARY_H

#include <jansson.h>

#include "apps/corpus.h"
#include "base/status.h"
#include "data/tokenizer.h"
#include "models/model.h"

/* Gives rows to the model.text.ngram_vocabulary buckets that n-grams of the
 * training texts fall into most often, the most frequent first and, of equals,
 * the lower bucket; buckets without any get none. *report says how many there
 * are, for run.json; NULL without such a vocabulary; the caller ends it with
 * json_decref(). */
dip_status dip_ngram_vocabulary_apply(json_t **report, const dip_corpus *corpus,
                                      const dip_tokenizer *tokenizer,
                                      dip_model *model,
                                      dip_err *err) DIP_MUST_CHECK;
/* Says the same on stderr; nothing for NULL. */
void dip_ngram_vocabulary_print(const json_t *report);

#endif
