#include "eval/trec.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

#define MOST_BYTES  ((size_t)1 << 34)
#define MOST_FIELDS 6
#define BEST_GRADE  1000

/* A kind of file. */
typedef struct {
    int fields;
    int value; /* the field of the number; query and document are 0 and 2 */
    const char *number;
} layout;

static const layout run_layout = {6, 4, "score"};
static const layout qrels_layout = {4, 3, "grade"};

typedef struct {
    int64_t query, document;
    double value;
    int64_t line;
} record;

typedef struct {
    const char *path;
    const layout *layout;
    record *records;
    size_t capacity;
    int64_t count;
} table;

/* ---- lines ---- */

/* The fields of a line, which ends at `end`; returns how many there are, of
 * which the first MOST_FIELDS are kept. */
static int split(dip_bytes fields[MOST_FIELDS], const char *at, const char *end)
{
    int count = 0;
    while (at < end) {
        while (at < end && isspace((unsigned char)*at))
            at++;
        const char *start = at;
        while (at < end && !isspace((unsigned char)*at))
            at++;
        if (at == start)
            break;
        if (count < MOST_FIELDS)
            fields[count] = (dip_bytes){start, (size_t)(at - start)};
        count++;
    }
    return count;
}

/* A plain decimal number, whole. */
static bool parse(double *out, dip_bytes field)
{
    char text[64], *end;
    if (field.len >= sizeof text)
        return false;
    memcpy(text, field.data, field.len);
    text[field.len] = '\0';
    if (strspn(text, "+-.0123456789eE") != field.len)
        return false;
    errno = 0;
    *out = strtod(text, &end);
    return end == text + field.len && isfinite(*out);
}

static dip_status add_line(table *t, dip_trec *trec, const dip_bytes *fields,
                           int count, int64_t line, dip_err *err)
{
    record r = {.line = line};
    if (count != t->layout->fields)
        return dip_fail(err, DIP_EFORMAT,
                        "'%s' line %" PRId64 " has %d fields, not %d", t->path,
                        line, count, t->layout->fields);
    if (!parse(&r.value, fields[t->layout->value]))
        return dip_fail(err, DIP_EFORMAT,
                        "'%s' line %" PRId64 ": the %s '%.*s' is no number",
                        t->path, line, t->layout->number,
                        (int)fields[t->layout->value].len,
                        fields[t->layout->value].data);
    if (t->layout == &qrels_layout && !(r.value >= 0 && r.value <= BEST_GRADE))
        return dip_fail(err, DIP_EFORMAT,
                        "'%s' line %" PRId64 ": grade %g is outside 0 to %d",
                        t->path, line, r.value, BEST_GRADE);
    dip_status st = dip_interner_add(&r.query, trec->queries, fields[0], err);
    if (st == DIP_OK)
        st = dip_interner_add(&r.document, trec->documents, fields[2], err);
    if (st == DIP_OK)
        st = dip_reserve(&t->records, &t->capacity, (size_t)t->count + 1,
                         sizeof *t->records, err);
    if (st == DIP_OK)
        t->records[t->count++] = r;
    return st;
}

static dip_status read_lines(table *t, dip_trec *trec, const char *text,
                             size_t n, dip_err *err)
{
    dip_status st = DIP_OK;
    int64_t line = 0;
    for (const char *at = text, *end = text + n; at < end && st == DIP_OK;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        dip_bytes fields[MOST_FIELDS];
        if (stop == NULL)
            stop = end;
        int count = split(fields, at, stop);
        line++;
        if (count > 0)
            st = add_line(t, trec, fields, count, line, err);
        if (st == DIP_OK && count > 0 && t->layout == &run_layout &&
            trec->tag[0] == '\0')
            (void)snprintf(trec->tag, sizeof trec->tag, "%.*s",
                           (int)(fields[5].len < sizeof trec->tag
                                     ? fields[5].len
                                     : sizeof trec->tag),
                           fields[5].data);
        at = stop + 1;
    }
    return st;
}

/* ---- tables ---- */

static int by_query_and_document(const void *a, const void *b)
{
    const record *x = a, *y = b;
    if (x->query != y->query)
        return x->query < y->query ? -1 : 1;
    return (x->document > y->document) - (x->document < y->document);
}

static dip_status check_twice(const table *t, const dip_trec *trec,
                              dip_err *err)
{
    for (int64_t i = 1; i < t->count; i++) {
        const record *a = &t->records[i - 1], *b = &t->records[i];
        if (a->query != b->query || a->document != b->document)
            continue;
        dip_bytes query = dip_interner_get(trec->queries, a->query);
        dip_bytes document = dip_interner_get(trec->documents, a->document);
        return dip_fail(err, DIP_EFORMAT,
                        "'%s' has document '%.*s' twice for query '%.*s', in "
                        "lines %" PRId64 " and %" PRId64,
                        t->path, (int)document.len, document.data,
                        (int)query.len, query.data,
                        a->line < b->line ? a->line : b->line,
                        a->line < b->line ? b->line : a->line);
    }
    return DIP_OK;
}

static dip_status read_table(table *t, dip_trec *trec, dip_err *err)
{
    char *text = NULL;
    size_t n;
    dip_status st = dip_file_read(&text, &n, t->path, MOST_BYTES, err);
    if (st == DIP_OK)
        st = read_lines(t, trec, text, n, err);
    free(text);
    if (st == DIP_OK && t->count == 0)
        st = dip_fail(err, DIP_EFORMAT, "'%s' is empty", t->path);
    if (st == DIP_OK) {
        qsort(t->records, (size_t)t->count, sizeof *t->records,
              by_query_and_document);
        st = check_twice(t, trec, err);
    }
    return st;
}

/* Where the records of each query begin, [queries + 1]; NULL without memory. */
static int64_t *index_queries(const table *t, int64_t queries)
{
    int64_t *offsets = dip_calloc((size_t)queries + 1, sizeof *offsets);
    if (offsets == NULL)
        return NULL;
    for (int64_t i = 0; i < t->count; i++)
        offsets[t->records[i].query + 1]++;
    for (int64_t q = 0; q < queries; q++)
        offsets[q + 1] += offsets[q];
    return offsets;
}

static dip_status take_run(dip_trec *trec, const table *t, int64_t queries,
                           dip_err *err)
{
    int64_t *offsets = index_queries(t, queries);
    int64_t *rows = dip_calloc((size_t)t->count, sizeof *rows);
    double *scores = dip_calloc((size_t)t->count, sizeof *scores);
    trec->run = (dip_run){queries, NULL, offsets, rows, scores};
    if (offsets == NULL || rows == NULL || scores == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < t->count; i++) {
        rows[i] = t->records[i].document;
        scores[i] = t->records[i].value;
    }
    return DIP_OK;
}

static dip_status take_judgements(dip_relevance *r, const table *t,
                                  int64_t queries, dip_err *err)
{
    *r = (dip_relevance){.queries = queries,
                         .lists = queries,
                         .offsets = index_queries(t, queries),
                         .rows = dip_calloc((size_t)t->count, sizeof *r->rows),
                         .grades =
                             dip_calloc((size_t)t->count, sizeof *r->grades)};
    if (r->offsets == NULL || r->rows == NULL || r->grades == NULL)
        return dip_no_memory(err);
    for (int64_t i = 0; i < t->count; i++) {
        r->rows[i] = t->records[i].document;
        r->grades[i] = (float)t->records[i].value;
    }
    return DIP_OK;
}

static bool has_grades(const table *t)
{
    bool graded = false;
    for (int64_t i = 0; i < t->count; i++)
        graded |= t->records[i].value != 0 && t->records[i].value != 1;
    return graded;
}

static dip_status check_missing(const dip_trec *trec, const char *run,
                                const char *qrels, dip_err *err)
{
    for (int64_t q = 0; q < trec->relevance.queries; q++) {
        bool listed = trec->run.offsets[q + 1] > trec->run.offsets[q];
        if (listed || dip_relevance_of(&trec->relevance, q).count == 0)
            continue;
        dip_bytes name = dip_interner_get(trec->queries, q);
        return dip_fail(err, DIP_EDATA,
                        "query '%.*s' of '%s' is missing from the run '%s'",
                        (int)name.len, name.data, qrels, run);
    }
    return DIP_OK;
}

dip_status dip_trec_read(dip_trec *out, const char *run, const char *qrels,
                         dip_err *err)
{
    table lists = {.path = run, .layout = &run_layout};
    table judgements = {.path = qrels, .layout = &qrels_layout};
    *out = (dip_trec){0};
    dip_status st = dip_interner_create(&out->queries, err);
    if (st == DIP_OK)
        st = dip_interner_create(&out->documents, err);
    if (st == DIP_OK)
        st = read_table(&judgements, out, err);
    if (st == DIP_OK)
        st = read_table(&lists, out, err);
    if (st == DIP_OK) {
        int64_t queries = dip_interner_count(out->queries);
        st = take_run(out, &lists, queries, err);
        if (st == DIP_OK)
            st = take_judgements(&out->relevance, &judgements, queries, err);
        out->graded = has_grades(&judgements);
    }
    if (st == DIP_OK)
        st = check_missing(out, run, qrels, err);
    free(lists.records);
    free(judgements.records);
    if (st != DIP_OK)
        dip_trec_free(out);
    return st;
}

dip_status dip_trec_read_seen(dip_relevance *out, dip_trec *trec,
                              const char *path, dip_err *err)
{
    table seen = {.path = path, .layout = &qrels_layout};
    *out = (dip_relevance){0};
    dip_status st = read_table(&seen, trec, err);
    if (st == DIP_OK)
        st =
            take_judgements(out, &seen, dip_interner_count(trec->queries), err);
    free(seen.records);
    if (st != DIP_OK)
        dip_relevance_free(out);
    return st;
}

void dip_trec_free(dip_trec *trec)
{
    if (trec == NULL)
        return;
    free((void *)trec->run.offsets);
    free((void *)trec->run.rows);
    free((void *)trec->run.scores);
    free(trec->relevance.offsets);
    free(trec->relevance.rows);
    free(trec->relevance.grades);
    dip_interner_free(trec->queries);
    dip_interner_free(trec->documents);
    *trec = (dip_trec){0};
}

/* ---- writing ---- */

static void put_name(FILE *stream, dip_bytes name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        if (c <= ' ' || c == '%' || c == 0x7f)
            (void)fprintf(stream, "%%%02X", c);
        else
            (void)putc(c, stream);
    }
    if (name.len == 0)
        (void)putc('%', stream); /* no field at all would shift the others */
}

void dip_trec_put_lists(FILE *stream, const dip_hit *hits, int64_t first,
                        int64_t queries, int64_t k, const dip_trec_names *names)
{
    for (int64_t i = 0; i < queries * k; i++) {
        if (hits[i].row < 0)
            continue;
        put_name(stream, names->query(names->user, first + i / k));
        (void)fputs(" Q0 ", stream);
        put_name(stream, names->document(names->user, hits[i].row));
        (void)fprintf(stream, " %" PRId64 " %.9g ", i % k + 1,
                      (double)hits[i].score);
        put_name(stream, (dip_bytes){names->tag, strlen(names->tag)});
        (void)putc('\n', stream);
    }
}

void dip_trec_put_judgements(FILE *stream, const dip_relevance *relevance,
                             const dip_trec_names *names)
{
    for (int64_t q = 0; q < relevance->queries; q++) {
        dip_judged judged = dip_relevance_of(relevance, q);
        for (int64_t i = 0; i < judged.count; i++) {
            put_name(stream, names->query(names->user, q));
            (void)fputs(" 0 ", stream);
            put_name(stream, names->document(names->user, judged.rows[i]));
            (void)fprintf(stream, " %.9g\n",
                          judged.grades == NULL ? 1 : (double)judged.grades[i]);
        }
    }
}
