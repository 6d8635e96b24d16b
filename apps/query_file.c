#include "apps/query_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "data/interner.h"

#define FILE_LIMIT ((size_t)1 << 30)

static dip_status make_room(dip_query_file *q, int64_t most, dip_err *err)
{
    q->ids = dip_calloc((size_t)most, sizeof *q->ids);
    q->texts = dip_calloc((size_t)most, sizeof *q->texts);
    return q->ids != NULL && q->texts != NULL ? DIP_OK : dip_no_memory(err);
}

static void take_line(dip_query_file *q, const char *line, size_t length)
{
    const char *tab = memchr(line, '\t', length);
    size_t id = tab != NULL ? (size_t)(tab - line) : length;
    size_t skipped = tab != NULL ? id + 1 : 0;
    q->ids[q->count] = (dip_bytes){line, id};
    q->texts[q->count++] = (dip_bytes){line + skipped, length - skipped};
}

static dip_status check_line(const dip_query_file *q, dip_interner *seen,
                             const char *path, int64_t number, dip_err *err)
{
    dip_bytes id = q->ids[q->count - 1], text = q->texts[q->count - 1];
    int64_t at;
    if (!dip_utf8_valid(id.data, id.len, NULL) ||
        !dip_utf8_valid(text.data, text.len, NULL))
        return dip_fail(err, DIP_EFORMAT, "line %lld of '%s' is not UTF-8",
                        (long long)number, path);
    dip_status st = dip_interner_add(&at, seen, id, err);
    if (st == DIP_OK && at != q->count - 1)
        st = dip_fail(err, DIP_EFORMAT,
                      "id '%.*s' a second time in line %lld of '%s'",
                      (int)(id.len < 100 ? id.len : 100), id.data,
                      (long long)number, path);
    return st;
}

static dip_status take_lines(dip_query_file *q, size_t length, const char *path,
                             dip_err *err)
{
    dip_interner *seen = NULL;
    const char *end = q->bytes + length;
    int64_t number = 0;
    dip_status st = dip_interner_create(&seen, err);
    for (const char *line = q->bytes; line < end && st == DIP_OK; number++) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        const char *next = stop != NULL ? stop + 1 : end;
        size_t n = (size_t)((stop != NULL ? stop : end) - line);
        n -= n > 0 && line[n - 1] == '\r';
        if (n > 0) {
            take_line(q, line, n);
            st = check_line(q, seen, path, number + 1, err);
        }
        line = next;
    }
    dip_interner_free(seen);
    if (st == DIP_OK && q->count == 0)
        st = dip_fail(err, DIP_EDATA, "no query in '%s'", path);
    return st;
}

dip_status dip_query_file_read(dip_query_file *out, const char *path,
                               dip_err *err)
{
    size_t length;
    int64_t lines = 1;
    *out = (dip_query_file){0};
    dip_status st = dip_file_read(&out->bytes, &length, path, FILE_LIMIT, err);
    for (size_t i = 0; st == DIP_OK && i < length; i++)
        lines += out->bytes[i] == '\n';
    if (st == DIP_OK)
        st = make_room(out, lines, err);
    return st == DIP_OK ? take_lines(out, length, path, err) : st;
}

dip_status dip_query_file_judged(dip_query_file *out,
                                 const dip_catalog *catalog, dip_err *err)
{
    int64_t count = dip_catalog_query_count(catalog);
    *out = (dip_query_file){0};
    if (count == 0)
        return dip_fail(err, DIP_EDATA, "no judged query in '%s'",
                        dip_catalog_path(catalog));
    dip_status st = make_room(out, count, err);
    for (; st == DIP_OK && out->count < count; out->count++) {
        out->texts[out->count] = dip_catalog_query(catalog, out->count);
        out->ids[out->count] = out->texts[out->count];
    }
    return st;
}

void dip_query_file_free(dip_query_file *q)
{
    free(q->bytes);
    free(q->ids);
    free(q->texts);
    *q = (dip_query_file){0};
}
