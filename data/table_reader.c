#include "data/table_reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/closest.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/table_formats.h"

static const dip_table_format *const formats[] = {
    &dip_table_csv, &dip_table_tsv, &dip_table_jsonl};

dip_status dip_table_fail(const dip_table_reader *reader, dip_err *err,
                          const char *fmt, ...)
{
    char words[DIP_ERR_SIZE];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(words, sizeof words, fmt, args);
    va_end(args);
    return dip_fail(err, DIP_EFORMAT, "%s:%lld: %s", reader->path,
                    (long long)reader->row_line, words);
}

/* ---- what the formats share ---------------------------------------------- */

int dip_table_getc(dip_table_reader *reader)
{
    int c = getc_unlocked(reader->file);
    if (c == '\n')
        reader->next_line++;
    return c;
}

void dip_table_start_row(dip_table_reader *reader)
{
    dip_str_clear(&reader->row);
    reader->field_count = 0;
    reader->row_line = reader->next_line;
}

dip_status dip_table_add(dip_table_reader *reader, const void *bytes, size_t n,
                         dip_err *err)
{
    if (n > DIP_TABLE_MAX_ROW - reader->row.len)
        return dip_table_fail(reader, err, "row is longer than %zu MiB",
                              DIP_TABLE_MAX_ROW >> 20);
    dip_str_add_n(&reader->row, bytes, n);
    return dip_str_status(&reader->row, err);
}

dip_status dip_table_end_field(dip_table_reader *reader, dip_err *err)
{
    if (reader->field_count == DIP_TABLE_MAX_COLUMNS)
        return dip_table_fail(reader, err, "more than %d fields",
                              DIP_TABLE_MAX_COLUMNS);
    dip_status st =
        dip_reserve(&reader->ends, &reader->end_capacity,
                    reader->field_count + 1, sizeof *reader->ends, err);
    if (st == DIP_OK)
        reader->ends[reader->field_count++] = reader->row.len;
    return st;
}

dip_status dip_table_add_column(dip_table_reader *reader, const char *name,
                                size_t len, dip_err *err)
{
    if (reader->column_count == DIP_TABLE_MAX_COLUMNS)
        return dip_table_fail(reader, err, "more than %d columns",
                              DIP_TABLE_MAX_COLUMNS);
    dip_status st =
        dip_reserve(&reader->columns, &reader->column_capacity,
                    reader->column_count + 1, sizeof *reader->columns, err);
    if (st != DIP_OK)
        return st;
    char *copy = dip_strndup(name, len);
    if (copy == NULL)
        return dip_no_memory(err);
    reader->columns[reader->column_count++] = copy;
    return DIP_OK;
}

dip_status dip_table_read_line(dip_table_reader *reader, bool *more,
                               dip_err *err)
{
    int c;
    do {
        dip_table_start_row(reader);
        for (c = dip_table_getc(reader); c != EOF && c != '\n';
             c = dip_table_getc(reader)) {
            dip_status st = dip_table_add(reader, &(char){(char)c}, 1, err);
            if (st != DIP_OK)
                return st;
        }
        dip_str *row = &reader->row;
        if (row->len > 0 && row->data[row->len - 1] == '\r')
            row->len--;
    } while (reader->row.len == 0 && c != EOF);
    *more = reader->row.len > 0;
    return DIP_OK;
}

static dip_status refuse_repeated_columns(const dip_table_reader *reader,
                                          dip_err *err)
{
    for (size_t i = 0; i < reader->column_count; i++) {
        const char *name = reader->columns[i];
        for (size_t j = 0; j < i && name[0] != '\0'; j++) {
            if (strcmp(name, reader->columns[j]) == 0)
                return dip_table_fail(reader, err, "two columns are named '%s'",
                                      name);
        }
    }
    return DIP_OK;
}

dip_status dip_table_read_header(dip_table_reader *reader, dip_err *err)
{
    bool more;
    dip_status st = reader->format->read_row(reader, &more, err);
    if (st != DIP_OK)
        return st;
    if (!more)
        return dip_fail(err, DIP_EFORMAT, "no line of column names in '%s'",
                        reader->path);
    size_t start = 0;
    for (size_t i = 0; i < reader->field_count; i++) {
        st = dip_table_add_column(reader, dip_str_text(&reader->row) + start,
                                  reader->ends[i] - start, err);
        if (st != DIP_OK)
            return st;
        start = reader->ends[i];
    }
    return refuse_repeated_columns(reader, err);
}

/* ---- opening ------------------------------------------------------------- */

static dip_status find_format(const dip_table_format **out, const char *path,
                              const char *name, dip_err *err)
{
    for (size_t i = 0; i < DIP_ARRAY_LEN(formats); i++) {
        *out = formats[i];
        if (name != NULL) {
            if (strcmp(name, formats[i]->name) == 0)
                return DIP_OK;
            continue;
        }
        for (const char *const *e = formats[i]->extensions; *e != NULL; e++) {
            if (dip_path_has_suffix(path, *e))
                return DIP_OK;
        }
    }
    if (name != NULL)
        return dip_fail(err, DIP_ENOTFOUND,
                        "unknown table format '%s'; formats: csv, tsv, jsonl",
                        name);
    return dip_fail(err, DIP_ENOTFOUND,
                    "cannot tell the format of '%s' by its extension; name it: "
                    "csv, tsv or jsonl",
                    path);
}

static dip_status open_file(dip_table_reader *reader, dip_err *err)
{
    dip_file_info info;
    dip_status st = dip_file_stat(&info, reader->path, err);
    if (st != DIP_OK)
        return st;
    if (info.is_directory)
        return dip_fail(err, DIP_EIO, "is a folder, not a table: '%s'",
                        reader->path);
    reader->file = fopen(reader->path, "rb");
    if (reader->file == NULL)
        return dip_fail(err, DIP_EIO, "cannot open '%s': %s", reader->path,
                        strerror(errno));
    return DIP_OK;
}

/* Skips the mark of UTF-8; tables in UTF-16 are common enough (Excel writes
 * them) to be told apart from damage. */
static dip_status skip_byte_order_mark(dip_table_reader *reader, dip_err *err)
{
    unsigned char head[3] = {0};
    size_t n = fread(head, 1, sizeof head, reader->file);
    if (n >= 2 && ((head[0] == 0xff && head[1] == 0xfe) ||
                   (head[0] == 0xfe && head[1] == 0xff)))
        return dip_fail(err, DIP_EFORMAT, "'%s' is UTF-16; save it as UTF-8",
                        reader->path);
    bool marked = n == 3 && memcmp(head, "\xef\xbb\xbf", 3) == 0;
    if (fseek(reader->file, marked ? 3 : 0, SEEK_SET) != 0)
        return dip_fail(err, DIP_EIO, "cannot read '%s': %s", reader->path,
                        strerror(errno));
    reader->next_line = 1;
    return DIP_OK;
}

dip_status dip_table_reader_open(dip_table_reader **out, const char *path,
                                 const char *format, dip_err *err)
{
    *out = NULL;
    const dip_table_format *chosen;
    dip_status st = find_format(&chosen, path, format, err);
    if (st != DIP_OK)
        return st;
    dip_table_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return dip_no_memory(err);
    reader->format = chosen;
    reader->path = dip_strdup(path);
    st = reader->path != NULL ? DIP_OK : dip_no_memory(err);
    if (st == DIP_OK)
        st = open_file(reader, err);
    if (st == DIP_OK)
        st = skip_byte_order_mark(reader, err);
    if (st == DIP_OK)
        st = chosen->read_columns(reader, err);
    if (st == DIP_OK) {
        *out = reader;
        reader = NULL; /* now the caller's */
    }
    dip_table_reader_close(reader);
    return st;
}

void dip_table_reader_close(dip_table_reader *reader)
{
    if (reader == NULL)
        return;
    if (reader->file != NULL)
        (void)fclose(reader->file);
    for (size_t i = 0; i < reader->column_count; i++)
        free(reader->columns[i]);
    free(reader->columns);
    free(reader->ends);
    dip_str_free(&reader->row);
    free(reader->path);
    free(reader);
}

/* ---- rows ---------------------------------------------------------------- */

dip_status dip_table_reader_next(dip_table_reader *reader, bool *more,
                                 dip_err *err)
{
    *more = false;
    dip_status st = reader->format->read_row(reader, more, err);
    if (st != DIP_OK)
        return st;
    if (ferror(reader->file))
        return dip_fail(err, DIP_EIO, "cannot read '%s': %s", reader->path,
                        strerror(errno));
    if (!*more)
        return DIP_OK;
    if (memchr(dip_str_text(&reader->row), '\0', reader->row.len) != NULL)
        return dip_table_fail(reader, err, "NUL byte");
    if (reader->field_count != reader->column_count)
        return dip_table_fail(reader, err, "%zu fields where %zu are due",
                              reader->field_count, reader->column_count);
    return DIP_OK;
}

dip_bytes dip_table_reader_field(const dip_table_reader *reader, int column)
{
    size_t start = column > 0 ? reader->ends[column - 1] : 0;
    return (dip_bytes){dip_str_text(&reader->row) + start,
                       reader->ends[column] - start};
}

int64_t dip_table_reader_line(const dip_table_reader *reader)
{
    return reader->row_line;
}

const char *dip_table_reader_path(const dip_table_reader *reader)
{
    return reader->path;
}

int dip_table_reader_column_count(const dip_table_reader *reader)
{
    return (int)reader->column_count;
}

const char *const *dip_table_reader_columns(const dip_table_reader *reader)
{
    return (const char *const *)reader->columns;
}

dip_status dip_table_reader_find(const dip_table_reader *reader,
                                 const char *name, int *column, dip_err *err)
{
    for (size_t i = 0; i < reader->column_count; i++) {
        if (strcmp(reader->columns[i], name) == 0) {
            *column = (int)i;
            return DIP_OK;
        }
    }
    const char *close = dip_closest(name, dip_table_reader_columns(reader),
                                    reader->column_count);
    dip_str columns = {0};
    for (size_t i = 0; i < reader->column_count; i++)
        dip_str_addf(&columns, "%s%s", i > 0 ? ", " : "", reader->columns[i]);
    dip_status st = dip_fail(
        err, DIP_ENOTFOUND, "no column '%s' in '%s'%s%s%s; columns: %s", name,
        reader->path, close != NULL ? " (did you mean '" : "",
        close != NULL ? close : "", close != NULL ? "'?)" : "",
        dip_str_text(&columns));
    dip_str_free(&columns);
    return st;
}
