/* The binary form of word2vec. Its own program ends each row by a newline,
 * gensim does not. */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "data/vector_formats.h"

#define WORD_MAX 4096 /* bytes */

static bool probe(const dip_vector_file *file)
{
    int64_t words, width;
    size_t at;
    return dip_vector_header(&words, &width, &at, file) &&
           !dip_vector_is_text(file, at);
}

/* Little-endian, as all machines that this runs on. */
static dip_status copy_row(float *row, const char *bytes, int64_t width,
                           int64_t word, const dip_vector_file *file,
                           dip_err *err)
{
    memcpy(row, bytes, (size_t)width * sizeof *row);
    for (int64_t i = 0; i < width; i++)
        if (!isfinite(row[i]))
            return dip_fail(err, DIP_EFORMAT,
                            "number %lld of word %lld in '%s' is not finite",
                            (long long)i + 1, (long long)word, file->path);
    return DIP_OK;
}

static dip_status truncated(int64_t word, int64_t words,
                            const dip_vector_file *file, dip_err *err)
{
    return dip_fail(err, DIP_EFORMAT, "'%s' ends in word %lld of %lld",
                    file->path, (long long)word, (long long)words);
}

/* The word at *at, which gets behind the blank that ends it. */
static dip_status take_word(dip_bytes *word, size_t *at, int64_t number,
                            int64_t words, const dip_vector_file *file,
                            dip_err *err)
{
    while (*at < file->size && file->data[*at] == '\n')
        (*at)++;
    size_t left = file->size - *at;
    size_t most = left < WORD_MAX ? left : WORD_MAX;
    const char *start = file->data + *at;
    const char *end = most > 0 ? memchr(start, ' ', most) : NULL;
    if (end == NULL && left < WORD_MAX)
        return truncated(number, words, file, err);
    if (end == NULL || end == start)
        return dip_fail(err, DIP_EFORMAT, "word %lld of '%s' has %s",
                        (long long)number, file->path,
                        end == start ? "no characters" : "no end");
    *word = (dip_bytes){start, (size_t)(end - start)};
    *at += word->len + 1;
    return DIP_OK;
}

static dip_status take(dip_vector_sink *sink, size_t *at, int64_t number,
                       int64_t words, const dip_vector_file *file, dip_err *err)
{
    dip_bytes word;
    float row[DIP_VECTORS_WIDTH_MAX];
    int64_t width = sink->out->width, found;
    size_t bytes = (size_t)width * sizeof *row;
    dip_status st = take_word(&word, at, number, words, file, err);
    if (st != DIP_OK)
        return st;
    if (file->size - *at < bytes)
        return truncated(number, words, file, err);
    st = copy_row(row, file->data + *at, width, number, file, err);
    *at += bytes;
    if (st == DIP_OK)
        st = dip_vector_match(&found, sink, word, err);
    if (st == DIP_OK && found >= 0)
        memcpy(dip_vector_row(sink, found), row, bytes);
    return st;
}

static dip_status read_binary(dip_vector_sink *sink,
                              const dip_vector_file *file, dip_err *err)
{
    int64_t words, width;
    size_t at;
    (void)dip_vector_header(&words, &width, &at, file);
    dip_status st = dip_vector_start(sink, width, file, err);
    for (int64_t i = 1; i <= words && st == DIP_OK; i++)
        st = take(sink, &at, i, words, file, err);
    while (st == DIP_OK && at < file->size && file->data[at] == '\n')
        at++;
    if (st == DIP_OK && at < file->size)
        st = dip_fail(err, DIP_EFORMAT,
                      "%zu bytes behind the %lld words of '%s'",
                      file->size - at, (long long)words, file->path);
    return st;
}

const dip_vector_format dip_vectors_word2vec_binary = {
    .name = "word2vec_binary", .probe = probe, .read = read_binary};
