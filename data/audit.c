#include "data/audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "data/audit_sets.h"
#include "data/words.h"

enum { CAPTION_ROWS = 20 }; /* rows for each distinct text of a caption */

static const struct {
    dip_audit_severity severity;
    const char *name, *words;
} kinds[DIP_AUDIT_KINDS] = {
#define DIP_AUDIT_ROW(kind, level, name, words)                                \
    {DIP_AUDIT_##level, name, words},
    DIP_AUDIT_TABLE(DIP_AUDIT_ROW)
#undef DIP_AUDIT_ROW
};

const char *dip_audit_name(dip_audit_kind kind)
{
    return kinds[kind].name;
}

const char *dip_audit_words(dip_audit_kind kind)
{
    return kinds[kind].words;
}

dip_audit_severity dip_audit_severity_of(dip_audit_kind kind)
{
    return kinds[kind].severity;
}

const char *dip_audit_severity_name(dip_audit_severity severity)
{
    static const char *const names[] = {"note", "warning", "error"};
    return names[severity];
}

dip_audit_options dip_audit_defaults(void)
{
    return (dip_audit_options){.context = 32, .rare_rows = 10};
}

void dip_audit_free(dip_audit *audit)
{
    free(audit->findings);
    *audit = (dip_audit){0};
}

static void note_example(dip_finding *finding, int64_t first, int64_t second)
{
    finding->count++;
    if (finding->example_count == DIP_AUDIT_EXAMPLES)
        return;
    int64_t *example = finding->examples[finding->example_count++];
    example[0] = first;
    example[1] = second;
}

/* ---- groups -------------------------------------------------------------- */

static dip_status audit_groups(dip_audit *audit, const dip_catalog *catalog,
                               dip_audit_key *keys, dip_err *err)
{
    int64_t rows = dip_catalog_rows(catalog);
    for (int64_t i = 0; i < rows; i++)
        keys[i] = (dip_audit_key){
            .key = {(uint64_t)dip_catalog_group(catalog, i), 0}, .row = i};
    return dip_audit_sets(audit, NULL, keys, (size_t)rows, catalog, NULL,
                          DIP_AUDIT_GROUP_LEAK, DIP_AUDIT_KINDS, err);
}

/* ---- texts --------------------------------------------------------------- */

static dip_status count_word(void *user, dip_bytes word, dip_err *err)
{
    (void)word;
    (void)err;
    ++*(int64_t *)user;
    return DIP_OK;
}

static dip_status audit_text_lengths(dip_audit *audit,
                                     const dip_catalog *catalog, int column,
                                     int64_t context, dip_err *err)
{
    const char *name = dip_catalog_column(catalog, column)->name;
    dip_finding empty = {.kind = DIP_AUDIT_TEXT_EMPTY, .column = name};
    dip_finding overlong = {.kind = DIP_AUDIT_TEXT_LONG, .column = name};
    for (int64_t i = 0; i < dip_catalog_rows(catalog); i++) {
        int64_t words = 0;
        dip_status st = dip_words_each(dip_catalog_text(catalog, column, i),
                                       false, count_word, &words, err);
        if (st != DIP_OK)
            return st;
        if (words == 0)
            note_example(&empty, i, -1);
        if (words > context)
            note_example(&overlong, i, -1);
    }
    dip_status st = dip_audit_add(audit, &empty, err);
    return st == DIP_OK ? dip_audit_add(audit, &overlong, err) : st;
}

/* The keys of the rows that have a text; *count is their number. */
static dip_status key_titles(dip_audit_key *keys, size_t *count,
                             const dip_catalog *catalog, int column,
                             dip_err *err)
{
    *count = 0;
    for (int64_t i = 0; i < dip_catalog_rows(catalog); i++) {
        dip_bytes text = dip_catalog_text(catalog, column, i);
        char *plain;
        dip_status st = dip_utf8_normalise(&plain, text.data, text.len, err);
        if (st != DIP_OK)
            return dip_fail_context(err, "text of row %lld", (long long)i);
        dip_audit_key *key = &keys[*count];
        *key = (dip_audit_key){.row = i};
        st = dip_audit_hash(key->key, plain, strlen(plain), err);
        *count += plain[0] != '\0';
        free(plain);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

static dip_status audit_titles(dip_audit *audit, const dip_catalog *catalog,
                               int column, dip_audit_key *keys, dip_err *err)
{
    const char *name = dip_catalog_column(catalog, column)->name;
    size_t count;
    int64_t distinct;
    size_t before = audit->count;
    dip_status st = key_titles(keys, &count, catalog, column, err);
    if (st == DIP_OK)
        st = dip_audit_sets(audit, &distinct, keys, count, catalog, name,
                            DIP_AUDIT_TEXT_LEAK, DIP_AUDIT_TEXT_SAME, err);
    if (st != DIP_OK || distinct * CAPTION_ROWS >= (int64_t)count)
        return st;
    audit->count = before; /* a caption says nothing about products */
    dip_finding caption = {
        .kind = DIP_AUDIT_TEXT_CAPTION, .column = name, .count = distinct};
    return dip_audit_add(audit, &caption, err);
}

/* ---- labels -------------------------------------------------------------- */

static dip_status audit_label(dip_audit *audit, const dip_catalog *catalog,
                              int column, int64_t rare_rows, dip_err *err)
{
    const dip_column *about = dip_catalog_column(catalog, column);
    int64_t *counts = dip_calloc((size_t)about->classes, sizeof *counts);
    if (counts == NULL)
        return dip_no_memory(err);
    dip_finding missing = {.kind = DIP_AUDIT_LABEL_MISSING,
                           .column = about->name};
    dip_finding unseen = {.kind = DIP_AUDIT_CLASS_UNSEEN,
                          .column = about->name};
    dip_finding rare = {.kind = DIP_AUDIT_CLASS_RARE, .column = about->name};
    for (int64_t i = 0; i < dip_catalog_rows(catalog); i++) {
        int32_t value = dip_catalog_label(catalog, column, i);
        if (value < 0)
            note_example(&missing, i, -1);
        else
            counts[value] += dip_catalog_split(catalog, i) == DIP_SPLIT_TRAIN;
    }
    for (int64_t i = 0; i < about->classes; i++) {
        if (counts[i] == 0)
            note_example(&unseen, i, 0);
        else if (counts[i] < rare_rows)
            note_example(&rare, i, counts[i]);
    }
    free(counts);
    dip_status st = dip_audit_add(audit, &missing, err);
    if (st == DIP_OK)
        st = dip_audit_add(audit, &unseen, err);
    return st == DIP_OK ? dip_audit_add(audit, &rare, err) : st;
}

/* ---- the whole ----------------------------------------------------------- */

/* The column of the titles; -1 when there is no text at all. */
static dip_status find_title(int *column, const dip_catalog *catalog,
                             const char *name, dip_err *err)
{
    if (name != NULL)
        return dip_catalog_find(catalog, DIP_COLUMN_TEXT, name, column, err);
    if (dip_catalog_find(catalog, DIP_COLUMN_TEXT, "title", column, NULL) ==
        DIP_OK)
        return DIP_OK;
    *column = -1;
    for (int i = dip_catalog_column_count(catalog) - 1; i >= 0; i--) {
        if (dip_catalog_column(catalog, i)->kind == DIP_COLUMN_TEXT)
            *column = i;
    }
    return DIP_OK;
}

static dip_status audit_column(dip_audit *audit, const dip_catalog *catalog,
                               int column, const dip_audit_options *options,
                               dip_err *err)
{
    switch (dip_catalog_column(catalog, column)->kind) {
    case DIP_COLUMN_IMAGE:
        return dip_audit_images(audit, catalog, column, options, err);
    case DIP_COLUMN_TEXT:
        return audit_text_lengths(audit, catalog, column, options->context,
                                  err);
    case DIP_COLUMN_LABEL:
        return audit_label(audit, catalog, column, options->rare_rows, err);
    case DIP_COLUMN_NUMBER:
        break;
    }
    return DIP_OK;
}

/* Errors first; the kinds are in the order of their table. */
static void sort_findings(dip_audit *audit)
{
    for (size_t i = 1; i < audit->count; i++) {
        dip_finding moved = audit->findings[i];
        dip_audit_severity severity = kinds[moved.kind].severity;
        size_t j = i;
        for (; j > 0; j--) {
            const dip_finding *before = &audit->findings[j - 1];
            dip_audit_severity other = kinds[before->kind].severity;
            if (other > severity ||
                (other == severity && before->kind <= moved.kind))
                break;
            audit->findings[j] = *before;
        }
        audit->findings[j] = moved;
    }
}

dip_status dip_audit_run(dip_audit *out, const dip_catalog *catalog,
                         const dip_audit_options *options, dip_err *err)
{
    *out = (dip_audit){0};
    dip_audit_key *keys =
        dip_calloc((size_t)dip_catalog_rows(catalog), sizeof *keys);
    if (keys == NULL)
        return dip_no_memory(err);
    int title;
    dip_status st = find_title(&title, catalog, options->title, err);
    if (st == DIP_OK)
        st = audit_groups(out, catalog, keys, err);
    if (st == DIP_OK && title >= 0)
        st = audit_titles(out, catalog, title, keys, err);
    for (int i = 0; i < dip_catalog_column_count(catalog) && st == DIP_OK; i++)
        st = audit_column(out, catalog, i, options, err);
    free(keys);
    if (st == DIP_OK)
        sort_findings(out);
    else
        dip_audit_free(out);
    return st;
}
