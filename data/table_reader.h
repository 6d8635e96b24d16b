/* Reading rows of text from a table, one at a time: CSV (RFC 4180), TSV and
 * JSON Lines.
 *
 *   CSV   fields may be quoted; a quote inside is doubled; quoted fields may
 *         span lines. LF, CRLF or CR end a row.
 *   TSV   fields are what stands between tabs: no quoting, no escapes.
 *   JSONL an object per line with strings, numbers, booleans and null; the
 *         columns are the keys that any line has, in the order of their
 *         appearance, and a missing key or null is an empty field.
 *
 * The first line of CSV and TSV names the columns. A byte order mark is
 * skipped; empty lines are too. Rows with a wrong number of fields, broken
 * quoting, NUL bytes and rows over the size limit are errors that name the file
 * and the line. Whether fields are UTF-8 is for the caller to check. */
#ifndef DIP_DATA_TABLE_READER_H
#define DIP_DATA_TABLE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "data/catalog.h"

#define DIP_TABLE_MAX_ROW     ((size_t)16 << 20) /* bytes of a row */
#define DIP_TABLE_MAX_COLUMNS 4096

typedef struct dip_table_reader dip_table_reader;

/* `format` is "csv", "tsv" or "jsonl"; NULL takes it from the extension (.csv,
 * .tsv, .tab, .jsonl, .ndjson). The columns are known afterwards; no row is
 * read yet. The caller ends *out with dip_table_reader_close(). */
dip_status dip_table_reader_open(dip_table_reader **out, const char *path,
                                 const char *format,
                                 dip_err *err) DIP_MUST_CHECK;
void dip_table_reader_close(dip_table_reader *reader); /* NULL allowed */

const char *dip_table_reader_path(const dip_table_reader *reader);
int dip_table_reader_column_count(const dip_table_reader *reader);
/* Borrowed: the names, dip_table_reader_column_count() of them. */
const char *const *dip_table_reader_columns(const dip_table_reader *reader);
/* Index of the column, or DIP_ENOTFOUND with a close spelling when there is
 * one and the names of all. */
dip_status dip_table_reader_find(const dip_table_reader *reader,
                                 const char *name, int *column,
                                 dip_err *err) DIP_MUST_CHECK;

/* Reads the next row; *more is false at the end of the file. After an error
 * the reader is only good for dip_table_reader_close(). */
dip_status dip_table_reader_next(dip_table_reader *reader, bool *more,
                                 dip_err *err) DIP_MUST_CHECK;
/* A field of the row, borrowed until the next dip_table_reader_next(). */
dip_bytes dip_table_reader_field(const dip_table_reader *reader, int column);
/* The line, from 1, on which the row starts. */
int64_t dip_table_reader_line(const dip_table_reader *reader);

#endif
