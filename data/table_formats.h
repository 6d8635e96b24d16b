/* The inside of the table reader: what the formats share. */
#ifndef DIP_DATA_TABLE_FORMATS_H
#define DIP_DATA_TABLE_FORMATS_H

#include <stdio.h>

#include "base/json.h"
#include "base/str.h"
#include "data/table_reader.h"

typedef struct {
    const char *name;
    const char *const *extensions; /* ends with NULL */
    dip_status (*read_columns)(dip_table_reader *reader, dip_err *err);
    /* Fills the row; *more is false when there was none. */
    dip_status (*read_row)(dip_table_reader *reader, bool *more, dip_err *err);
} dip_table_format;

extern const dip_table_format dip_table_csv, dip_table_tsv, dip_table_jsonl;

struct dip_table_reader {
    const dip_table_format *format;
    FILE *file;
    char *path;

    char **columns;
    size_t column_count, column_capacity;

    dip_str row;  /* the fields of the row, one behind the other */
    size_t *ends; /* of each field in `row` */
    size_t field_count, end_capacity;
    int64_t row_line;  /* on which the row starts, from 1 */
    int64_t next_line; /* on which the next character stands */
};

/* Fails with "file:line: words", the line being that of the row. */
dip_status dip_table_fail(const dip_table_reader *reader, dip_err *err,
                          const char *fmt, ...) DIP_PRINTF(3, 4);

/* The next byte, or EOF. Counts lines by LF. */
int dip_table_getc(dip_table_reader *reader);
void dip_table_start_row(dip_table_reader *reader);
/* Appends to the field that is being read. */
dip_status dip_table_add(dip_table_reader *reader, const void *bytes, size_t n,
                         dip_err *err) DIP_MUST_CHECK;
dip_status dip_table_end_field(dip_table_reader *reader,
                               dip_err *err) DIP_MUST_CHECK;
dip_status dip_table_add_column(dip_table_reader *reader, const char *name,
                                size_t len, dip_err *err) DIP_MUST_CHECK;
/* Reads a line that is not empty into the row, without its end. */
dip_status dip_table_read_line(dip_table_reader *reader, bool *more,
                               dip_err *err) DIP_MUST_CHECK;
/* read_columns of the formats whose first row names the columns. */
dip_status dip_table_read_header(dip_table_reader *reader,
                                 dip_err *err) DIP_MUST_CHECK;

#endif
