/* Pretrained word vectors, read for the words of a vocabulary.
 *
 * Formats, told apart by their first bytes:
 *   word2vec         text: a line "words width", then lines "word x1 ... xD";
 *                    fastText's .vec files are the same
 *   glove            text: the lines without the first
 *   word2vec_binary  the line "words width", then each word, a blank, and D
 *                    little-endian floats
 *   fasttext         the .bin model of fastText: a word's vector is the mean of
 *                    its own row and those of its subwords, and a word that the
 *                    model has not seen gets the mean of its subwords'
 *                    (Bojanowski et al., arXiv 1607.04606). Quantised models
 *                    are refused.
 *
 * Files are untrusted: counts of the header, width, number of fields, every
 * number, lengths and offsets are checked; messages name the line or the word.
 * A text file must end in a newline, so that a cut last number is noticed. */
#ifndef DIP_DATA_VECTORS_H
#define DIP_DATA_VECTORS_H

#include <stdint.h>

#include "base/status.h"
#include "data/catalog.h"

#define DIP_VECTORS_WIDTH_MAX 8192

/* How a word of the vocabulary got its vector, the better the larger. */
typedef enum {
    DIP_VECTOR_NONE,
    DIP_VECTOR_SUBWORDS, /* fasttext: from its parts alone */
    DIP_VECTOR_FOLDED,   /* the file has it in other capitals, or otherwise the
                            same once normalised as the tokenizer `word` does:
                            the first one counts */
    DIP_VECTOR_EXACT,
} dip_vector_source;

typedef struct {
    const char *format; /* static */
    int64_t count, width;
    float *values;              /* [count, width]; zeros where there is none */
    dip_vector_source *sources; /* [count] */
    int64_t file_words;         /* in the file */
    int64_t duplicates; /* of words of the vocabulary; the first one counts */
    int64_t malformed;  /* words of the file that are no UTF-8: passed over */
} dip_vectors;

/* Vectors for `count` distinct words. The caller ends *out with
 * dip_vectors_free(). */
dip_status dip_vectors_read(dip_vectors *out, const char *path,
                            const dip_bytes *words, int64_t count,
                            dip_err *err) DIP_MUST_CHECK;
void dip_vectors_free(dip_vectors *vectors); /* leaves zeros */

#endif
