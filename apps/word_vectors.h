/* Pretrained word vectors in a new model's table of words. */
#ifndef DIP_APPS_WORD_VECTORS_H
#define DIP_APPS_WORD_VECTORS_H

#include <jansson.h>

#include "apps/corpus.h"
#include "base/status.h"
#include "data/tokenizer.h"
#include "models/model.h"

/* Reads the vectors of the settings, if any, into the model: words that the
 * file has not start uniform with the variance of the others, as in Kim (arXiv
 * 1408.5882), and padding as zeros. DIP_ECONFIG, naming the right width, unless
 * the file's is that of the table. *report says what was found, for run.json;
 * NULL without vectors; the caller ends it with json_decref(). */
dip_status dip_word_vectors_apply(json_t **report, const dip_corpus *corpus,
                                  const dip_tokenizer *tokenizer,
                                  dip_model *model,
                                  dip_err *err) DIP_MUST_CHECK;
/* Says the same on stderr; nothing for NULL. */
void dip_word_vectors_print(const json_t *report);

#endif
