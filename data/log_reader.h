/* Reading a log whose rows name items of a catalog by their ids, and who asked
 * for them or had them. Bad rows go into the report and are passed over. */
#ifndef DIP_DATA_LOG_READER_H
#define DIP_DATA_LOG_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/catalog.h"
#include "data/import.h"

typedef struct dip_log_reader dip_log_reader;

/* A row that is good as far as it can be told alone. */
typedef struct {
    dip_bytes owner; /* query or user; borrowed until the next row */
    int64_t row;     /* of the catalog */
    double value;    /* finite, 0 or more */
    int64_t time;
    dip_split split;
    int event;    /* index of the kinds of clicks; 0 without a column of it */
    int64_t rank; /* 1 or more; 1 without a column of it */
} dip_log_entry;

/* Borrows all but `out`. The caller ends *out with dip_log_reader_close(). */
dip_status dip_log_reader_open(dip_log_reader **out,
                               const dip_import_log_options *options,
                               const dip_catalog *catalog,
                               dip_import_report *report,
                               dip_err *err) DIP_MUST_CHECK;
void dip_log_reader_close(dip_log_reader *reader); /* NULL allowed */

/* The next good row; *more is false at the end of the table. */
dip_status dip_log_reader_next(dip_log_entry *out, dip_log_reader *reader,
                               bool *more, dip_err *err) DIP_MUST_CHECK;
/* Counts the row that was read last among the bad ones after all. */
dip_status dip_log_reader_refuse(dip_log_reader *reader, dip_bad_row reason,
                                 const char *words,
                                 dip_err *err) DIP_MUST_CHECK;

#endif
