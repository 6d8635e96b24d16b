#include "data/damage.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "data/interner.h"
#include "data/streams.h"
#include "data/words.h"

/* Words of the values of one label column. */
struct column_words {
    int column;
    int64_t *offsets; /* [classes + 1] */
    int64_t *stems;   /* [offsets[classes]] numbers of the interner */
    size_t capacity;
};

struct dip_damage {
    dip_damage_options options; /* .labels is not kept */
    const dip_catalog *catalog;
    dip_interner *stems;
    struct column_words *columns; /* [label_count] */
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next word of text[*at, len): its begin, with *at moved behind it. False
 * when there is none. */
static bool next_word(const char *text, size_t len, size_t *at, size_t *start)
{
    while (*at < len && is_blank(text[*at]))
        ++*at;
    *start = *at;
    while (*at < len && !is_blank(text[*at]))
        ++*at;
    return *at > *start;
}

struct stem {
    char text[DIP_WORD_MAX_BYTES];
    size_t len;
};

static dip_status stem_add(void *user, dip_bytes word, dip_err *err)
{
    (void)err;
    struct stem *stem = user;
    if (word.data == NULL || word.len > sizeof stem->text - stem->len)
        return DIP_OK;
    memcpy(stem->text + stem->len, word.data, word.len);
    stem->len += word.len;
    return DIP_OK;
}

static bool ends_in(const struct stem *stem, const char *ending)
{
    size_t n = strlen(ending);
    return stem->len > n && memcmp(stem->text + stem->len - n, ending, n) == 0;
}

/* The letters and digits of a word, folded, without "s" or "es" of a plural:
 * "T-Shirts" is "tshirt", "Dresses" is "dress" as "Dress" is. */
static dip_status find_stem(struct stem *out, const char *word, size_t len,
                            dip_err *err)
{
    static const char *const hissing[] = {"sses", "ches", "shes", "xes"};
    out->len = 0;
    dip_status st =
        dip_words_each((dip_bytes){word, len}, false, stem_add, out, err);
    if (st != DIP_OK)
        return st;
    for (size_t i = 0; i < DIP_ARRAY_LEN(hissing); i++) {
        if (ends_in(out, hissing[i])) {
            out->len -= 2;
            return DIP_OK;
        }
    }
    if (ends_in(out, "s") && !ends_in(out, "ss"))
        out->len--;
    return DIP_OK;
}

/* Appends the stems of a label's name to those of the column. */
static dip_status add_name(dip_damage *damage, struct column_words *words,
                           int64_t *count, dip_bytes name, dip_err *err)
{
    size_t at = 0, start;
    while (next_word(name.data, name.len, &at, &start)) {
        struct stem stem;
        int64_t number;
        dip_status st = find_stem(&stem, name.data + start, at - start, err);
        if (st == DIP_OK && stem.len == 0)
            continue;
        if (st == DIP_OK)
            st = dip_interner_add(&number, damage->stems,
                                  (dip_bytes){stem.text, stem.len}, err);
        if (st == DIP_OK)
            st = dip_reserve(&words->stems, &words->capacity,
                             (size_t)*count + 1, sizeof *words->stems, err);
        if (st != DIP_OK)
            return st;
        words->stems[(*count)++] = number;
    }
    return DIP_OK;
}

static dip_status add_column(dip_damage *damage, struct column_words *words,
                             int column, dip_err *err)
{
    int64_t classes = dip_catalog_column(damage->catalog, column)->classes;
    words->column = column;
    words->offsets = dip_calloc((size_t)classes + 1, sizeof *words->offsets);
    if (words->offsets == NULL)
        return dip_no_memory(err);
    int64_t count = 0;
    for (int64_t c = 0; c < classes; c++) {
        dip_bytes name =
            dip_catalog_label_name(damage->catalog, column, (int32_t)c);
        dip_status st = add_name(damage, words, &count, name, err);
        if (st != DIP_OK)
            return st;
        words->offsets[c + 1] = count;
    }
    return DIP_OK;
}

static dip_status fill(dip_damage *damage, const int *labels, dip_err *err)
{
    int count = damage->options.label_count;
    damage->columns = dip_calloc((size_t)count, sizeof *damage->columns);
    if (damage->columns == NULL)
        return dip_no_memory(err);
    dip_status st = dip_interner_create(&damage->stems, err);
    for (int i = 0; st == DIP_OK && i < count; i++)
        st = add_column(damage, &damage->columns[i], labels[i], err);
    return st;
}

dip_status dip_damage_create(dip_damage **out,
                             const dip_damage_options *options,
                             const dip_catalog *catalog, dip_err *err)
{
    *out = NULL;
    if (!(options->p >= 0 && options->p <= 1))
        return dip_fail(err, DIP_ERANGE, "probability is not in 0..1: %g",
                        options->p);
    if (options->first_words < 0)
        return dip_fail(err, DIP_ERANGE, "first_words is negative: %d",
                        options->first_words);
    dip_damage *damage = dip_calloc(1, sizeof *damage);
    if (damage == NULL)
        return dip_no_memory(err);
    damage->options = *options;
    damage->options.labels = NULL;
    damage->catalog = catalog;
    dip_status st = fill(damage, options->labels, err);
    if (st != DIP_OK) {
        dip_damage_free(damage);
        return st;
    }
    *out = damage;
    return DIP_OK;
}

void dip_damage_free(dip_damage *damage)
{
    if (damage == NULL)
        return;
    for (int i = 0; damage->columns != NULL && i < damage->options.label_count;
         i++) {
        free(damage->columns[i].offsets);
        free(damage->columns[i].stems);
    }
    free(damage->columns);
    dip_interner_free(damage->stems);
    free(damage);
}

/* Whether the word stands in a value that the row has. */
static bool is_in_labels(const dip_damage *damage, int64_t row, int64_t stem)
{
    for (int i = 0; i < damage->options.label_count; i++) {
        const struct column_words *words = &damage->columns[i];
        int32_t value = dip_catalog_label(damage->catalog, words->column, row);
        if (value < 0)
            continue;
        for (int64_t k = words->offsets[value]; k < words->offsets[value + 1];
             k++) {
            if (words->stems[k] == stem)
                return true;
        }
    }
    return false;
}

/* Sets *failed when memory is out. */
static bool may_go(const dip_damage *damage, int64_t row, const char *word,
                   size_t len, int64_t index, bool *failed)
{
    if (index < damage->options.first_words)
        return true;
    if (damage->options.label_count == 0)
        return false;
    struct stem stem;
    if (find_stem(&stem, word, len, NULL) != DIP_OK) {
        *failed = true;
        return false;
    }
    int64_t number =
        dip_interner_find(damage->stems, (dip_bytes){stem.text, stem.len});
    return number >= 0 && is_in_labels(damage, row, number);
}

/* Moves a word to the end of what is kept, behind a blank. */
static size_t keep_word(char *text, size_t kept, size_t start, size_t end)
{
    if (kept > 0)
        text[kept++] = ' ';
    memmove(text + kept, text + start, end - start);
    return kept + (end - start);
}

static void cut(dip_str *text, size_t len)
{
    if (text->data != NULL)
        text->data[len] = '\0';
    text->len = len;
}

void dip_damage_apply(const dip_damage *damage, dip_str *text, int64_t row)
{
    size_t at = 0, start, kept = 0;
    for (int64_t i = 0; next_word(text->data, text->len, &at, &start); i++) {
        dip_rng rng = dip_rng_stream(damage->options.seed, DIP_STREAM_DAMAGE,
                                     (uint64_t)row, (uint64_t)i);
        bool hit = dip_rng_uniform(&rng) < damage->options.p &&
                   may_go(damage, row, text->data + start, at - start, i,
                          &text->failed);
        if (!hit)
            kept = keep_word(text->data, kept, start, at);
    }
    cut(text, kept);
}

void dip_word_dropout(dip_str *text, double p, dip_rng *rng)
{
    size_t at = 0, start, kept = 0, first_end = 0;
    while (next_word(text->data, text->len, &at, &start)) {
        if (first_end == 0) {
            /* Nothing was kept yet, so that moving it to the front is safe. */
            memmove(text->data, text->data + start, at - start);
            first_end = at - start;
            kept = dip_rng_uniform(rng) < p ? 0 : first_end;
            continue;
        }
        if (dip_rng_uniform(rng) >= p)
            kept = keep_word(text->data, kept, start, at);
    }
    cut(text, kept > 0 ? kept : first_end);
}
