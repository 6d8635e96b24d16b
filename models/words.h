/* What a text tower makes of words before it looks at their order: a vector for
 * each token, and for each few tokens in a row. */
#ifndef DIP_MODELS_WORDS_H
#define DIP_MODELS_WORDS_H

#include "models/layers.h"
#include "models/tower.h"

/* What towers over words take of dip_text_options, and those with n-grams. */
#define DIP_WORDS_OPTIONS                                                      \
    "token_width", "frozen_tokens", "token_std", "token_dropout", "sparse"
#define DIP_NGRAM_OPTIONS                                                      \
    "ngrams", "ngram_buckets", "ngram_vocabulary", "ngram_dropout"

/* token_embedding.weight [vocabulary, token_width], normal with a deviation of
 * options.token_std; a buffer where the options freeze it.
 *
 * With options.ngrams of 2 or more: ngram_embedding.weight [ngram_buckets,
 * token_width], whose rows are added to that of the token in which an n-gram of
 * 2 up to `ngrams` tokens ends. A row is found by hashing (Joulin et al., "Bag
 * of Tricks for Efficient Text Classification", EACL 2017), so n-grams may
 * share it: h1 = token, hn = (116049371 h(n-1) of the place before + token) mod
 * ngram_buckets, and tokens 0 stand before the text. The multiplier is that of
 * fastText.
 *
 * With options.ngram_vocabulary the table has that many rows and one, row 0,
 * that stays zero, and ngram_embedding.rows I64 [ngram_buckets, 1] says which
 * row a bucket has: 0 for all of a new model, which does not know the texts.
 *
 * In training a share options.ngram_dropout of the n-grams is left out, each as
 * a whole, and the others count 1 / (1 - share) times.
 *
 * With options.sparse both tables are DIP_PARAM_SPARSE.
 *
 * Only if `width` is not token_width: token_projection.weight [width,
 * token_width] over the sum, of which options.token_dropout is dropped before.
 */
typedef struct {
    dip_tensor *table;
    dip_tensor *ngram_table; /* NULL: none */
    dip_tensor *ngram_rows;  /* NULL: bucket n has row n */
    int64_t ngrams, buckets;
    double dropout, ngram_dropout;
    bool sparse;           /* gradients of the tables */
    dip_linear projection; /* weight NULL: none */
} dip_words;

/* Sets what `options` leaves open of these; DIP_ECONFIG for sizes that
 * cannot be. */
dip_status dip_words_check(dip_text_options *options,
                           dip_err *err) DIP_MUST_CHECK;
dip_words dip_make_words(const dip_maker *maker,
                         const dip_text_options *options, int64_t width);
/* ids [B, T] to [B, T, width]; the row `padding_id` gets no gradient, -1: all
 * get one. */
dip_tensor *dip_words_forward(const dip_words *words, const dip_tensor *ids,
                              int64_t padding_id, bool training);

/* The hash of tokens in a row: of those before the last, 0 for none, and it. */
int64_t dip_words_hash(int64_t before, int64_t token, int64_t buckets);

#endif
