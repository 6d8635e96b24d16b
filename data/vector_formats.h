/* Between data/vectors.c and the formats: a format is a file and a row. */
#ifndef DIP_DATA_VECTOR_FORMATS_H
#define DIP_DATA_VECTOR_FORMATS_H

#include <stdbool.h>
#include <stddef.h>

#include "data/interner.h"
#include "data/vectors.h"

typedef struct {
    const char *path; /* for messages */
    const char *data;
    size_t size;
} dip_vector_file;

typedef struct {
    dip_vectors *out;
    const dip_interner *words; /* those that are asked for */
} dip_vector_sink;

typedef struct {
    const char *name;
    bool (*probe)(const dip_vector_file *file);
    dip_status (*read)(dip_vector_sink *sink, const dip_vector_file *file,
                       dip_err *err);
} dip_vector_format;

extern const dip_vector_format dip_vectors_word2vec;
extern const dip_vector_format dip_vectors_word2vec_binary;
extern const dip_vector_format dip_vectors_glove;
extern const dip_vector_format dip_vectors_fasttext;

/* To be called once, before any word: checks the width and makes room. */
dip_status dip_vector_start(dip_vector_sink *sink, int64_t width,
                            const dip_vector_file *file,
                            dip_err *err) DIP_MUST_CHECK;
/* Whether a word of the file gives a vector to one that was asked for: *number
 * is that one, or -1. Counts what is to be counted. A later better source takes
 * the place of an earlier one. */
dip_status dip_vector_match(int64_t *number, dip_vector_sink *sink,
                            dip_bytes word, dip_err *err) DIP_MUST_CHECK;
/* Borrowed: where the vector of word `number` stands, [width]. */
float *dip_vector_row(dip_vector_sink *sink, int64_t number);

/* The header "words width" of both forms of word2vec; *at gets behind it.
 * False when the file does not begin so. */
bool dip_vector_header(int64_t *words, int64_t *width, size_t *at,
                       const dip_vector_file *file);
/* Whether what follows the header is text. */
bool dip_vector_is_text(const dip_vector_file *file, size_t at);

#endif
