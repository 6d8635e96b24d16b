#include "data/vectors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "data/vector_formats.h"
#include "data/words.h"

static const dip_vector_format *const FORMATS[] = {
    &dip_vectors_fasttext,
    &dip_vectors_word2vec_binary,
    &dip_vectors_word2vec,
    &dip_vectors_glove,
};

/* ---- what the formats call ---- */

dip_status dip_vector_start(dip_vector_sink *sink, int64_t width,
                            const dip_vector_file *file, dip_err *err)
{
    dip_vectors *v = sink->out;
    size_t cells;
    if (width < 1 || width > DIP_VECTORS_WIDTH_MAX)
        return dip_fail(err, DIP_EFORMAT, "vectors of width %lld in '%s'",
                        (long long)width, file->path);
    if (dip_mul_overflows((size_t)v->count, (size_t)width, &cells))
        return dip_no_memory(err);
    v->width = width;
    v->values = dip_calloc(cells, sizeof *v->values);
    return v->values != NULL ? DIP_OK : dip_no_memory(err);
}

/* A word that the tokenizer would cut is none of its words. */
typedef struct {
    const dip_interner *words;
    int64_t number;
    int pieces;
} folding;

static dip_status fold(void *user, dip_bytes word, dip_err *err)
{
    (void)err;
    folding *f = user;
    if (f->pieces++ == 0 && word.data != NULL)
        f->number = dip_interner_find(f->words, word);
    return DIP_OK;
}

static dip_status find_folded(int64_t *number, const dip_vector_sink *sink,
                              dip_bytes word, dip_err *err)
{
    folding f = {sink->words, -1, 0};
    dip_status st = dip_words_each(word, true, fold, &f, err);
    *number = f.pieces == 1 ? f.number : -1;
    return st;
}

dip_status dip_vector_match(int64_t *number, dip_vector_sink *sink,
                            dip_bytes word, dip_err *err)
{
    dip_vectors *v = sink->out;
    dip_vector_source source = DIP_VECTOR_EXACT;
    v->file_words++;
    *number = dip_interner_find(sink->words, word);
    if (*number < 0) {
        if (!dip_utf8_valid(word.data, word.len, NULL)) {
            v->malformed++;
            return DIP_OK;
        }
        source = DIP_VECTOR_FOLDED;
        dip_status st = find_folded(number, sink, word, err);
        if (st != DIP_OK || *number < 0)
            return st;
    }
    if (v->sources[*number] < source) {
        v->sources[*number] = source;
        return DIP_OK;
    }
    v->duplicates += source == DIP_VECTOR_EXACT;
    *number = -1;
    return DIP_OK;
}

float *dip_vector_row(dip_vector_sink *sink, int64_t number)
{
    return sink->out->values + number * sink->out->width;
}

/* ---- reading ---- */

static dip_status map_file(dip_vector_file *out, const char *path, dip_err *err)
{
    struct stat info;
    *out = (dip_vector_file){.path = path};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return dip_fail(err, DIP_EIO, "cannot open '%s': %s", path,
                        strerror(errno));
    dip_status st = DIP_OK;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        st = dip_fail(err, DIP_EIO, "not a regular file: '%s'", path);
    } else if (info.st_size == 0) {
        st = dip_fail(err, DIP_EFORMAT, "no word vectors in '%s': it is empty",
                      path);
    } else {
        size_t size = (size_t)info.st_size;
        void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map == MAP_FAILED)
            st = dip_fail(err, DIP_EIO, "cannot map '%s': %s", path,
                          strerror(errno));
        else
            *out = (dip_vector_file){path, map, size};
    }
    (void)close(fd);
    return st;
}

static dip_status read_format(dip_vector_sink *sink,
                              const dip_vector_file *file, dip_err *err)
{
    for (size_t i = 0; i < DIP_ARRAY_LEN(FORMATS); i++) {
        if (!FORMATS[i]->probe(file))
            continue;
        sink->out->format = FORMATS[i]->name;
        return FORMATS[i]->read(sink, file, err);
    }
    return dip_fail(err, DIP_EFORMAT,
                    "neither word2vec, GloVe nor fastText (unpacked): '%s'",
                    file->path);
}

static dip_status add_words(dip_interner *interner, const dip_bytes *words,
                            int64_t count, dip_err *err)
{
    dip_status st = DIP_OK;
    for (int64_t i = 0; i < count && st == DIP_OK; i++) {
        int64_t number;
        st = dip_interner_add(&number, interner, words[i], err);
        if (st == DIP_OK && number != i)
            st = dip_fail(err, DIP_EDATA, "word '%.*s' stands twice",
                          (int)words[i].len, words[i].data);
    }
    return st;
}

dip_status dip_vectors_read(dip_vectors *out, const char *path,
                            const dip_bytes *words, int64_t count, dip_err *err)
{
    *out = (dip_vectors){.count = count};
    dip_vector_file file;
    dip_interner *interner = NULL;
    dip_status st = map_file(&file, path, err);
    if (st != DIP_OK)
        return st;
    out->sources = dip_calloc((size_t)count, sizeof *out->sources);
    st = out->sources != NULL ? dip_interner_create(&interner, err)
                              : dip_no_memory(err);
    if (st == DIP_OK)
        st = add_words(interner, words, count, err);
    if (st == DIP_OK) {
        dip_vector_sink sink = {out, interner};
        st = read_format(&sink, &file, err);
    }
    dip_interner_free(interner);
    (void)munmap((void *)file.data, file.size);
    if (st != DIP_OK)
        dip_vectors_free(out);
    return st;
}

void dip_vectors_free(dip_vectors *vectors)
{
    free(vectors->values);
    free(vectors->sources);
    *vectors = (dip_vectors){0};
}
