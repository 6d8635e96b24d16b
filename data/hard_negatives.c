#include "data/hard_negatives.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

enum { WIDTH_MOST = 1024 };

#define FILE_LIMIT ((size_t)1 << 32)

typedef struct {
    const char *at, *end;
    const char *path;
    int64_t line;
} reader;

/* The next line without its end; false behind the last. */
static bool next_line(dip_bytes *out, reader *r)
{
    if (r->at == r->end)
        return false;
    const char *stop = memchr(r->at, '\n', (size_t)(r->end - r->at));
    const char *next = stop != NULL ? stop + 1 : r->end;
    if (stop == NULL)
        stop = r->end;
    if (stop > r->at && stop[-1] == '\r')
        stop--;
    *out = (dip_bytes){r->at, (size_t)(stop - r->at)};
    r->at = next;
    r->line++;
    return true;
}

/* Cuts off the first field of what is left of a line; false when none is. */
static bool next_field(dip_bytes *out, dip_bytes *line)
{
    if (line->data == NULL)
        return false;
    const char *tab = memchr(line->data, '\t', line->len);
    size_t len = tab != NULL ? (size_t)(tab - line->data) : line->len;
    *out = (dip_bytes){line->data, len};
    *line = tab != NULL ? (dip_bytes){tab + 1, line->len - len - 1}
                        : (dip_bytes){NULL, 0};
    return true;
}

static dip_status find_row(int64_t *row, const dip_catalog *catalog,
                           dip_bytes id, const reader *r, dip_err *err)
{
    *row = dip_catalog_row_of(catalog, id);
    return *row >= 0 ? DIP_OK
                     : dip_fail(err, DIP_EDATA,
                                "no product '%.*s' of line %lld of '%s' in "
                                "'%s'",
                                (int)(id.len < 80 ? id.len : 80), id.data,
                                (long long)r->line, r->path,
                                dip_catalog_path(catalog));
}

static dip_status read_line(dip_hard_negatives *n, bool *led, dip_bytes line,
                            const dip_catalog *catalog, const reader *r,
                            dip_err *err)
{
    dip_bytes id;
    int64_t row, other, count = 0;
    (void)next_field(&id, &line);
    dip_status st = find_row(&row, catalog, id, r, err);
    if (st == DIP_OK && led[row])
        return dip_fail(err, DIP_EDATA,
                        "'%.*s' leads a second line, %lld, of '%s'",
                        (int)(id.len < 80 ? id.len : 80), id.data,
                        (long long)r->line, r->path);
    while (st == DIP_OK && next_field(&id, &line)) {
        st = find_row(&other, catalog, id, r, err);
        if (st == DIP_OK && other == row)
            return dip_fail(err, DIP_EDATA,
                            "'%.*s' is its own wrong answer in line %lld of "
                            "'%s'",
                            (int)(id.len < 80 ? id.len : 80), id.data,
                            (long long)r->line, r->path);
        if (st == DIP_OK)
            n->values[row * n->width + count++] = other;
    }
    if (st == DIP_OK)
        led[row] = true;
    return st;
}

/* How many others the longest line has. */
static dip_status find_width(int64_t *width, reader r, dip_err *err)
{
    dip_bytes line;
    *width = 1;
    while (next_line(&line, &r)) {
        int64_t tabs = 0;
        for (size_t i = 0; i < line.len; i++)
            tabs += line.data[i] == '\t';
        *width = tabs > *width ? tabs : *width;
        if (tabs > WIDTH_MOST)
            return dip_fail(err, DIP_EDATA,
                            "line %lld of '%s' has %lld wrong answers, and %d "
                            "are possible",
                            (long long)r.line, r.path, (long long)tabs,
                            WIDTH_MOST);
    }
    return DIP_OK;
}

static dip_status read_lines(dip_hard_negatives *n, const dip_catalog *catalog,
                             reader r, dip_err *err)
{
    size_t places;
    if (dip_mul_overflows((size_t)n->rows, (size_t)n->width, &places))
        return dip_no_memory(err);
    n->values = dip_calloc(places, sizeof *n->values);
    bool *led = dip_calloc((size_t)n->rows, sizeof *led);
    dip_status st =
        n->values != NULL && led != NULL ? DIP_OK : dip_no_memory(err);
    for (size_t i = 0; i < places && st == DIP_OK; i++)
        n->values[i] = -1;
    dip_bytes line;
    while (st == DIP_OK && next_line(&line, &r))
        st = read_line(n, led, line, catalog, &r, err);
    free(led);
    return st;
}

dip_status dip_hard_negatives_read(dip_hard_negatives *out,
                                   const dip_catalog *catalog, const char *path,
                                   dip_err *err)
{
    char *text = NULL;
    size_t len = 0;
    *out = (dip_hard_negatives){.rows = dip_catalog_rows(catalog)};
    dip_status st = dip_file_read(&text, &len, path, FILE_LIMIT, err);
    if (st != DIP_OK)
        return st;
    reader r = {text, text + len, path, 0};
    st = find_width(&out->width, r, err);
    if (st == DIP_OK)
        st = read_lines(out, catalog, r, err);
    free(text);
    return st;
}

void dip_hard_negatives_free(dip_hard_negatives *negatives)
{
    free(negatives->values);
    *negatives = (dip_hard_negatives){0};
}
