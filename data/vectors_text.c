/* Word vectors as text: word2vec with its header, GloVe without. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/vector_formats.h"

#define NUMBER_MAX 64 /* characters of a number */
#define DIGITS_MAX 18 /* that fit an int64_t */
#define EXACT_TENS 22 /* 10^22 is the last power that a double has exactly */

/* ---- numbers ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* [+-]digits[.digits][(e|E)[+-]digits], with a digit before or behind the
 * point: what strtod() takes, without its words and hexadecimals. */
typedef struct {
    bool negative;
    int digits;       /* of the mantissa, leading zeros left out */
    int64_t mantissa; /* of the first DIGITS_MAX of them */
    int exponent;     /* of ten, for the mantissa as an integer */
} decimal;

static const char *scan_digits(decimal *d, const char *at, const char *end,
                               int shift, bool *any)
{
    for (; at < end && is_digit(*at); at++) {
        *any = true;
        d->exponent -= shift;
        if (d->mantissa == 0 && *at == '0')
            continue;
        if (d->digits++ < DIGITS_MAX)
            d->mantissa = d->mantissa * 10 + (*at - '0');
    }
    return at;
}

static bool scan_exponent(decimal *d, const char *at, const char *end)
{
    if (at == end)
        return true;
    if (*at != 'e' && *at != 'E')
        return false;
    at++;
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    int value = 0;
    if (at == end)
        return false;
    for (; at < end && is_digit(*at); at++)
        value = value < 1000 ? value * 10 + (*at - '0') : value;
    d->exponent += negative ? -value : value;
    return at == end;
}

static bool scan_decimal(decimal *d, const char *at, const char *end)
{
    bool any = false;
    *d = (decimal){.negative = at < end && *at == '-'};
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    at = scan_digits(d, at, end, 0, &any);
    if (at < end && *at == '.')
        at = scan_digits(d, at + 1, end, 1, &any);
    return any && scan_exponent(d, at, end);
}

/* Vectors are millions of short decimals, for which one division of exact
 * numbers is right and many times faster than strtod(). */
static bool parse_number(float *out, const char *at, size_t n)
{
    static const double TENS[EXACT_TENS + 1] = {
        1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    decimal d;
    double value;
    if (n == 0 || n >= NUMBER_MAX || !scan_decimal(&d, at, at + n))
        return false;
    if (d.mantissa <= (int64_t)1 << 53 && d.digits <= DIGITS_MAX &&
        abs(d.exponent) <= EXACT_TENS) {
        value = d.exponent < 0 ? (double)d.mantissa / TENS[-d.exponent]
                               : (double)d.mantissa * TENS[d.exponent];
        value = d.negative ? -value : value;
    } else {
        char text[NUMBER_MAX];
        memcpy(text, at, n);
        text[n] = '\0';
        value = strtod(text, NULL);
    }
    *out = (float)value;
    return isfinite(*out);
}

/* ---- the header ---- */

/* A positive integer up to the blank or the end of the line. */
static bool scan_count(int64_t *out, size_t *at, const dip_vector_file *file)
{
    int64_t value = 0;
    size_t start = *at;
    for (; *at < file->size && is_digit(file->data[*at]); (*at)++) {
        if (*at - start >= DIGITS_MAX)
            return false;
        value = value * 10 + (file->data[*at] - '0');
    }
    *out = value;
    return *at > start;
}

bool dip_vector_header(int64_t *words, int64_t *width, size_t *at,
                       const dip_vector_file *file)
{
    *at = 0;
    if (!scan_count(words, at, file) || *at == file->size ||
        file->data[*at] != ' ')
        return false;
    (*at)++;
    if (!scan_count(width, at, file))
        return false;
    while (*at < file->size && is_blank(file->data[*at]))
        (*at)++;
    return *at < file->size && file->data[(*at)++] == '\n';
}

bool dip_vector_is_text(const dip_vector_file *file, size_t at)
{
    const size_t looked_at = 64;
    const char *data = file->data;
    /* A line of binary may begin with the newline of the one before. */
    while (at < file->size && data[at] != ' ' && data[at] != '\t')
        at++;
    for (size_t i = 0; i < looked_at && at < file->size; i++, at++) {
        if (data[at] == '\n')
            break;
        if (!is_blank(data[at]) && !is_digit(data[at]) &&
            memchr("+-.eEinfaINFA", data[at], 13) == NULL)
            return false;
    }
    return true;
}

/* ---- lines ---- */

typedef struct {
    const dip_vector_file *file;
    size_t at;
    int64_t number; /* of the line, counted from 1 */
} line_reader;

/* The next line without its end and the blanks before it; false at the end of
 * the file. */
static bool next_line(dip_bytes *line, line_reader *r)
{
    const char *start = r->file->data + r->at;
    size_t left = r->file->size - r->at;
    if (left == 0)
        return false;
    const char *end = memchr(start, '\n', left);
    size_t n = end != NULL ? (size_t)(end - start) : left;
    r->at += n + (end != NULL);
    r->number++;
    while (n > 0 && is_blank(start[n - 1]))
        n--;
    *line = (dip_bytes){start, n};
    return true;
}

/* Takes the last field off the line; false when nothing would be left. */
static bool take_last(dip_bytes *field, dip_bytes *line)
{
    size_t n = line->len;
    while (n > 0 && !is_blank(line->data[n - 1]))
        n--;
    if (n == 0)
        return false;
    *field = (dip_bytes){line->data + n, line->len - n};
    while (n > 0 && is_blank(line->data[n - 1]))
        n--;
    line->len = n;
    return n > 0;
}

/* Numbers are counted from the end, since words of GloVe may hold blanks. */
static dip_status read_line(float *row, dip_bytes *word, dip_bytes line,
                            int64_t width, const line_reader *r, dip_err *err)
{
    *word = line;
    for (int64_t i = width - 1; i >= 0; i--) {
        dip_bytes field;
        if (!take_last(&field, word))
            return dip_fail(err, DIP_EFORMAT,
                            "line %lld of '%s' has not a word and %lld numbers",
                            (long long)r->number, r->file->path,
                            (long long)width);
        if (!parse_number(&row[i], field.data, field.len))
            return dip_fail(err, DIP_EFORMAT,
                            "'%.*s' in line %lld of '%s' is no finite number",
                            (int)(field.len < 32 ? field.len : 32), field.data,
                            (long long)r->number, r->file->path);
    }
    return DIP_OK;
}

static dip_status take_line(dip_vector_sink *sink, float *row, dip_bytes line,
                            const line_reader *r, dip_err *err)
{
    dip_bytes word;
    int64_t number, width = sink->out->width;
    dip_status st = read_line(row, &word, line, width, r, err);
    if (st == DIP_OK)
        st = dip_vector_match(&number, sink, word, err);
    if (st == DIP_OK && number >= 0)
        memcpy(dip_vector_row(sink, number), row, (size_t)width * sizeof *row);
    return st;
}

/* Lines from `r` on, exactly `words` of them unless that is -1. */
static dip_status read_lines(dip_vector_sink *sink, line_reader *r,
                             int64_t width, int64_t words, dip_err *err)
{
    dip_bytes line;
    dip_status st = dip_vector_start(sink, width, r->file, err);
    if (st != DIP_OK)
        return st;
    float *row = dip_calloc((size_t)width, sizeof *row);
    if (row == NULL)
        return dip_no_memory(err);
    while (st == DIP_OK && next_line(&line, r))
        st = take_line(sink, row, line, r, err);
    free(row);
    if (st != DIP_OK)
        return st;
    if (words >= 0 && sink->out->file_words != words)
        return dip_fail(
            err, DIP_EFORMAT, "%lld words in '%s', its first line says %lld",
            (long long)sink->out->file_words, r->file->path, (long long)words);
    if (r->file->data[r->file->size - 1] != '\n')
        return dip_fail(err, DIP_EFORMAT, "last line of '%s' has no end",
                        r->file->path);
    return DIP_OK;
}

/* ---- the two formats ---- */

static bool probe_word2vec(const dip_vector_file *file)
{
    int64_t words, width;
    size_t at;
    return dip_vector_header(&words, &width, &at, file) &&
           dip_vector_is_text(file, at);
}

static dip_status read_word2vec(dip_vector_sink *sink,
                                const dip_vector_file *file, dip_err *err)
{
    int64_t words, width;
    line_reader r = {.file = file, .number = 1};
    (void)dip_vector_header(&words, &width, &r.at, file);
    return read_lines(sink, &r, width, words, err);
}

/* Numbers at the end of the line, after its first word. */
static int64_t count_numbers(dip_bytes line)
{
    int64_t count = 0;
    dip_bytes field;
    float number;
    while (take_last(&field, &line) &&
           parse_number(&number, field.data, field.len))
        count++;
    return count;
}

static bool probe_glove(const dip_vector_file *file)
{
    line_reader r = {.file = file};
    dip_bytes line;
    return next_line(&line, &r) && count_numbers(line) > 0;
}

static dip_status read_glove(dip_vector_sink *sink, const dip_vector_file *file,
                             dip_err *err)
{
    line_reader first = {.file = file}, r = {.file = file};
    dip_bytes line;
    (void)next_line(&line, &first);
    return read_lines(sink, &r, count_numbers(line), -1, err);
}

const dip_vector_format dip_vectors_word2vec = {
    .name = "word2vec", .probe = probe_word2vec, .read = read_word2vec};
const dip_vector_format dip_vectors_glove = {
    .name = "glove", .probe = probe_glove, .read = read_glove};
