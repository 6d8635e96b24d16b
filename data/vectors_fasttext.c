/* The .bin models of fastText: arguments, dictionary, then the matrix of input
 * rows, those of the words first, behind them those of the buckets into which
 * subwords are hashed (github.com/facebookresearch/fastText, versions 11 and
 * 12 of the format). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "data/vector_formats.h"

#define MAGIC       793712314
#define FIRST       11
#define LAST        12
#define SUPERVISED  3  /* the model, in the arguments */
#define SUBWORD_MAX 64 /* characters */
#define NO_ROW      (-1)

/* A cursor over the file; reading behind its end sticks. */
typedef struct {
    const dip_vector_file *file;
    size_t at;
    bool ended;
} reader;

typedef struct {
    int64_t width, model, buckets, shortest, longest; /* subwords: characters */
    int64_t entries, words, labels;
    const char *matrix; /* [rows, width] little-endian floats */
    int64_t rows;
} model;

static const char *take(reader *r, size_t n)
{
    if (r->ended || r->file->size - r->at < n) {
        r->ended = true;
        return NULL;
    }
    const char *at = r->file->data + r->at;
    r->at += n;
    return at;
}

/* 0 behind the end. */
static int32_t take_i32(reader *r)
{
    int32_t value = 0;
    const char *at = take(r, sizeof value);
    if (at != NULL)
        memcpy(&value, at, sizeof value);
    return value;
}

static int64_t take_i64(reader *r)
{
    int64_t value = 0;
    const char *at = take(r, sizeof value);
    if (at != NULL)
        memcpy(&value, at, sizeof value);
    return value;
}

static bool probe(const dip_vector_file *file)
{
    reader r = {.file = file};
    return take_i32(&r) == MAGIC && !r.ended;
}

static dip_status read_arguments(model *m, reader *r, dip_err *err)
{
    enum { WIDTH = 0, MODEL = 7, BUCKETS = 8, SHORTEST = 9, LONGEST = 10 };
    int32_t arguments[12];
    (void)take_i32(r); /* the magic number */
    int32_t version = take_i32(r);
    for (size_t i = 0; i < DIP_ARRAY_LEN(arguments); i++)
        arguments[i] = take_i32(r);
    (void)take(r, sizeof(double)); /* threshold of sampling */
    if (version < FIRST || version > LAST)
        return dip_fail(err, DIP_EFORMAT,
                        "fastText format of version %d in '%s', not %d or %d",
                        version, r->file->path, FIRST, LAST);
    m->width = arguments[WIDTH];
    m->model = arguments[MODEL];
    m->buckets = arguments[BUCKETS];
    m->shortest = arguments[SHORTEST];
    m->longest = arguments[LONGEST];
    if (version == FIRST && m->model == SUPERVISED)
        m->longest = 0; /* such models had no subwords yet */
    if (m->buckets < 0 || m->shortest < 0 || m->longest > SUBWORD_MAX)
        return dip_fail(err, DIP_EFORMAT,
                        "subwords of %lld to %lld characters in %lld buckets "
                        "in '%s'",
                        (long long)m->shortest, (long long)m->longest,
                        (long long)m->buckets, r->file->path);
    return DIP_OK;
}

static dip_status read_sizes(model *m, reader *r, dip_err *err)
{
    m->entries = take_i32(r);
    m->words = take_i32(r);
    m->labels = take_i32(r);
    (void)take_i64(r); /* tokens of its training */
    int64_t pruned = take_i64(r);
    if (m->words < 0 || m->labels < 0 || m->entries != m->words + m->labels)
        return dip_fail(err, DIP_EFORMAT,
                        "%lld entries of %lld words and %lld labels in '%s'",
                        (long long)m->entries, (long long)m->words,
                        (long long)m->labels, r->file->path);
    if (pruned > 0)
        return dip_fail(err, DIP_EFORMAT,
                        "pruned fastText model, which is not read: '%s'",
                        r->file->path);
    return DIP_OK;
}

/* Notes in chosen[] the file's word that each word asked for is to have. */
static dip_status read_entry(dip_bytes *words, int64_t *chosen, int64_t row,
                             dip_vector_sink *sink, const model *m, reader *r,
                             dip_err *err)
{
    const char *start = r->file->data + r->at;
    const char *end = memchr(start, '\0', r->file->size - r->at);
    if (end == NULL) {
        r->ended = true;
        return DIP_OK;
    }
    dip_bytes word = {start, (size_t)(end - start)};
    int64_t number;
    (void)take(r, word.len + 1);
    (void)take_i64(r); /* count */
    const char *type = take(r, 1);
    if (type == NULL)
        return DIP_OK;
    if ((*type == 0) != (row < m->words)) /* labels follow the words */
        return dip_fail(err, DIP_EFORMAT,
                        "entry %lld of '%s' is not of the kind that its place "
                        "says",
                        (long long)row + 1, r->file->path);
    if (*type != 0)
        return DIP_OK;
    dip_status st = dip_vector_match(&number, sink, word, err);
    if (st == DIP_OK && number >= 0) {
        words[number] = word;
        chosen[number] = row;
    }
    return st;
}

/* One of the two matrices that end the file: input rows, then output rows. */
static dip_status read_matrix(const char **cells, int64_t *rows, const model *m,
                              reader *r, dip_err *err)
{
    const char *quantised = take(r, 1);
    *rows = take_i64(r);
    int64_t columns = take_i64(r);
    size_t count, bytes;
    if (quantised != NULL && *quantised != 0)
        return dip_fail(err, DIP_EFORMAT,
                        "quantised fastText model, which is not read: '%s'",
                        r->file->path);
    if (!r->ended && (columns != m->width || *rows < 0))
        return dip_fail(err, DIP_EFORMAT,
                        "a matrix of %lld x %lld for vectors of width %lld in "
                        "'%s'",
                        (long long)*rows, (long long)columns,
                        (long long)m->width, r->file->path);
    if (!r->ended &&
        (dip_mul_overflows((size_t)*rows, (size_t)columns, &count) ||
         dip_mul_overflows(count, sizeof(float), &bytes)))
        r->ended = true;
    *cells = r->ended ? NULL : take(r, bytes);
    if (r->ended)
        return dip_fail(err, DIP_EFORMAT, "fastText model '%s' is cut off",
                        r->file->path);
    return DIP_OK;
}

static dip_status read_matrices(model *m, reader *r, dip_err *err)
{
    const char *output;
    int64_t outputs, least = m->words + (m->longest > 0 ? m->buckets : 0);
    dip_status st = read_matrix(&m->matrix, &m->rows, m, r, err);
    if (st == DIP_OK && m->rows < least)
        st = dip_fail(err, DIP_EFORMAT,
                      "%lld rows for %lld words and subwords "
                      "in '%s'",
                      (long long)m->rows, (long long)least, r->file->path);
    if (st == DIP_OK)
        st = read_matrix(&output, &outputs, m, r, err);
    if (st == DIP_OK && r->at != r->file->size)
        st = dip_fail(err, DIP_EFORMAT, "%zu bytes behind the model in '%s'",
                      r->file->size - r->at, r->file->path);
    return st;
}

static void add_row(float *sum, int64_t *count, const model *m, int64_t row)
{
    const char *at = m->matrix + (size_t)(row * m->width) * sizeof(float);
    for (int64_t i = 0; i < m->width; i++) {
        float value;
        memcpy(&value, at + (size_t)i * sizeof value, sizeof value);
        sum[i] += value;
    }
    (*count)++;
}

/* FNV-1a over bytes that are extended as signed ones: an old slip of fastText's
 * that all its models rest on. */
static uint32_t hash(const char *text, size_t n)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++) {
        int32_t extended = (signed char)text[i];
        h = (h ^ (uint32_t)extended) * 16777619u;
    }
    return h;
}

static bool continues(char c)
{
    return ((unsigned char)c & 0xC0u) == 0x80u;
}

/* The subwords of `text`, "<word>", that begin at `start`; "<" and ">" alone
 * are none. */
static void add_subwords_at(float *sum, int64_t *count, const model *m,
                            dip_bytes text, size_t start)
{
    size_t end = start;
    for (int64_t n = 1; n <= m->longest && end < text.len; n++) {
        end++;
        while (end < text.len && continues(text.data[end]))
            end++;
        bool border = n == 1 && (start == 0 || end == text.len);
        if (n < m->shortest || border)
            continue;
        uint32_t bucket =
            hash(text.data + start, end - start) % (uint32_t)m->buckets;
        add_row(sum, count, m, m->words + bucket);
    }
}

static dip_status add_subwords(float *sum, int64_t *count, const model *m,
                               dip_bytes word, dip_err *err)
{
    if (m->longest <= 0 || m->buckets == 0)
        return DIP_OK;
    dip_str marked = {0};
    dip_str_add(&marked, "<");
    dip_str_add_n(&marked, word.data, word.len);
    dip_str_add(&marked, ">");
    dip_status st = dip_str_status(&marked, err);
    if (st == DIP_OK) {
        dip_bytes text = {marked.data, marked.len};
        for (size_t i = 0; i < text.len; i++)
            if (!continues(text.data[i]))
                add_subwords_at(sum, count, m, text, i);
    }
    dip_str_free(&marked);
    return st;
}

/* The end of a sentence is a word without subwords. */
static bool has_subwords(dip_bytes word)
{
    return !(word.len == 4 && memcmp(word.data, "</s>", 4) == 0);
}

static dip_status compute(dip_vector_sink *sink, const model *m, int64_t number,
                          dip_bytes word, int64_t row,
                          const dip_vector_file *file, dip_err *err)
{
    float *sum = dip_vector_row(sink, number);
    int64_t count = 0;
    dip_status st = DIP_OK;
    if (row != NO_ROW)
        add_row(sum, &count, m, row);
    if (has_subwords(word))
        st = add_subwords(sum, &count, m, word, err);
    for (int64_t i = 0; i < m->width && count > 0 && st == DIP_OK; i++) {
        sum[i] /= (float)count;
        if (!isfinite(sum[i]))
            st = dip_fail(
                err, DIP_EFORMAT, "vector of '%.*s' in '%s' is not finite",
                (int)(word.len < 64 ? word.len : 64), word.data, file->path);
    }
    if (row == NO_ROW && count > 0)
        sink->out->sources[number] = DIP_VECTOR_SUBWORDS;
    return st;
}

static dip_status read_words(dip_vector_sink *sink, model *m, dip_bytes *words,
                             int64_t *chosen, reader *r, dip_err *err)
{
    dip_status st = DIP_OK;
    for (int64_t i = 0; i < sink->out->count; i++) {
        words[i] = dip_interner_get(sink->words, i);
        chosen[i] = NO_ROW;
    }
    for (int64_t i = 0; i < m->entries && st == DIP_OK && !r->ended; i++)
        st = read_entry(words, chosen, i, sink, m, r, err);
    if (st == DIP_OK)
        st = read_matrices(m, r, err);
    for (int64_t i = 0; i < sink->out->count && st == DIP_OK; i++)
        st = compute(sink, m, i, words[i], chosen[i], r->file, err);
    return st;
}

static dip_status read_model(dip_vector_sink *sink, const dip_vector_file *file,
                             dip_err *err)
{
    reader r = {.file = file};
    model m = {0};
    dip_status st = read_arguments(&m, &r, err);
    if (st == DIP_OK)
        st = read_sizes(&m, &r, err);
    if (st == DIP_OK)
        st = dip_vector_start(sink, m.width, file, err);
    if (st != DIP_OK)
        return st;
    dip_bytes *words = dip_calloc((size_t)sink->out->count, sizeof *words);
    int64_t *chosen = dip_calloc((size_t)sink->out->count, sizeof *chosen);
    st = words != NULL && chosen != NULL
             ? read_words(sink, &m, words, chosen, &r, err)
             : dip_no_memory(err);
    free(words);
    free(chosen);
    return st;
}

const dip_vector_format dip_vectors_fasttext = {
    .name = "fasttext", .probe = probe, .read = read_model};
