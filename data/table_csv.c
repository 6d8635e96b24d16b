/* CSV by RFC 4180 and TSV without quoting. */
#include <string.h>

#include "data/table_formats.h"

static bool ends_field(int c)
{
    return c == ',' || c == '\n' || c == '\r' || c == EOF;
}

/* Reads what follows an opening quote. *after is the byte behind the closing
 * one. */
static dip_status read_quoted(dip_table_reader *reader, int *after,
                              dip_err *err)
{
    for (;;) {
        int c = dip_table_getc(reader);
        if (c == EOF)
            return dip_table_fail(reader, err, "quote is not closed");
        if (c == '"') {
            c = dip_table_getc(reader);
            if (c != '"') {
                *after = c;
                return DIP_OK;
            }
        }
        dip_status st = dip_table_add(reader, &(char){(char)c}, 1, err);
        if (st != DIP_OK)
            return dip_fail_context(err, "in a quoted field");
    }
}

static dip_status read_plain(dip_table_reader *reader, int first, int *after,
                             dip_err *err)
{
    int c = first;
    for (; !ends_field(c); c = dip_table_getc(reader)) {
        if (c == '"')
            return dip_table_fail(reader, err,
                                  "quote inside a field that is not quoted");
        dip_status st = dip_table_add(reader, &(char){(char)c}, 1, err);
        if (st != DIP_OK)
            return st;
    }
    *after = c;
    return DIP_OK;
}

/* Makes CRLF and a lone CR a line feed. */
static int join_line_end(dip_table_reader *reader, int c)
{
    if (c != '\r')
        return c;
    int next = dip_table_getc(reader);
    if (next == '\n')
        return next;
    reader->next_line++;
    if (next != EOF)
        (void)ungetc(next, reader->file);
    return '\n';
}

/* Reads a field; *end is ',', '\n' or EOF, whichever followed it. */
static dip_status read_field(dip_table_reader *reader, int *end, bool *quoted,
                             dip_err *err)
{
    int c = dip_table_getc(reader);
    *quoted = c == '"';
    dip_status st =
        *quoted ? read_quoted(reader, &c, err) : read_plain(reader, c, &c, err);
    if (st != DIP_OK)
        return st;
    if (!ends_field(c))
        return dip_table_fail(reader, err, "text after a closing quote");
    *end = join_line_end(reader, c);
    return dip_table_end_field(reader, err);
}

static dip_status read_csv_row(dip_table_reader *reader, bool *more,
                               dip_err *err)
{
    int end = EOF;
    bool empty;
    do {
        dip_table_start_row(reader);
        bool quoted;
        do {
            dip_status st = read_field(reader, &end, &quoted, err);
            if (st != DIP_OK)
                return st;
        } while (end == ',');
        empty = reader->field_count == 1 && reader->row.len == 0 && !quoted;
    } while (empty && end != EOF);
    *more = !empty;
    return DIP_OK;
}

static dip_status read_tsv_row(dip_table_reader *reader, bool *more,
                               dip_err *err)
{
    dip_status st = dip_table_read_line(reader, more, err);
    if (st != DIP_OK || !*more)
        return st;
    /* Close up the row: the tabs go, the ends stay. */
    dip_str *row = &reader->row;
    size_t kept = 0, len = row->len;
    for (size_t i = 0; i <= len; i++) {
        if (i < len && row->data[i] != '\t') {
            row->data[kept++] = row->data[i];
            continue;
        }
        row->len = kept;
        st = dip_table_end_field(reader, err);
        if (st != DIP_OK)
            return st;
    }
    return DIP_OK;
}

static const char *const csv_extensions[] = {".csv", NULL};
static const char *const tsv_extensions[] = {".tsv", ".tab", NULL};

const dip_table_format dip_table_csv = {"csv", csv_extensions,
                                        dip_table_read_header, read_csv_row};
const dip_table_format dip_table_tsv = {"tsv", tsv_extensions,
                                        dip_table_read_header, read_tsv_row};
