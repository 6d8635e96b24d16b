/* What an import did, and the rows that it could not take. */
#ifndef DIP_DATA_IMPORT_REPORT_H
#define DIP_DATA_IMPORT_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/catalog.h"

/* reason, words of the summary */
#define DIP_BAD_ROW_TABLE(X)                                                   \
    X(ID, "empty id")                                                          \
    X(DUPLICATE, "duplicate id")                                               \
    X(UNKNOWN, "unknown id")                                                   \
    X(SPLIT, "wrong split")                                                    \
    X(EVENT, "unknown event")                                                  \
    X(NUMBER, "bad number")                                                    \
    X(EMPTY, "empty field")                                                    \
    X(UTF8, "bad UTF-8")                                                       \
    X(PATH, "refused image path")                                              \
    X(NO_IMAGE, "missing image")                                               \
    X(IMAGE, "undecodable image")                                              \
    X(OTHER, "refused by the catalog")

typedef enum {
#define DIP_BAD_ROW_ENUM(name, words) DIP_BAD_ROW_##name,
    DIP_BAD_ROW_TABLE(DIP_BAD_ROW_ENUM)
#undef DIP_BAD_ROW_ENUM
        DIP_BAD_ROW_COUNT
} dip_bad_row;

#define DIP_BAD_ROWS_SHOWN 20

/* Start it as {0}; end it with dip_import_report_free(). */
typedef struct {
    int64_t rows; /* that the catalog has now; items for search logs */
    int64_t split_rows[DIP_SPLIT_COUNT];
    int64_t image_bytes; /* stored */
    int64_t distinct;    /* queries or users, of search logs and behaviour */
    int64_t rare;        /* pairs of clicks that were seen too seldom */
    int64_t bad[DIP_BAD_ROW_COUNT];
    int64_t bad_total;
    char *messages[DIP_BAD_ROWS_SHOWN]; /* of the first bad rows */
    int message_count;
} dip_import_report;

/* Hears how many of how many rows (0: unknown) are through, on one thread;
 * false asks to stop. */
typedef struct {
    bool (*tick)(void *user, int64_t done, int64_t total); /* may be NULL */
    void *user;
} dip_import_progress;

const char *dip_bad_row_words(dip_bad_row reason);

/* Counts a bad row and keeps its message while there is room. */
void dip_import_report_bad(dip_import_report *report, dip_bad_row reason,
                           const char *message);
/* Counts a row that was taken. */
void dip_import_report_good(dip_import_report *report, dip_split split);
/* DIP_EDATA, saying how many rows are bad, unless none is or they are to be
 * skipped; also when no row is left. */
dip_status dip_import_report_verdict(const dip_import_report *report,
                                     const char *path, bool skip_bad,
                                     dip_err *err) DIP_MUST_CHECK;
void dip_import_report_free(dip_import_report *report);

/* Calls the tick; DIP_EINTERRUPT when it asks to stop. */
dip_status dip_import_tick(const dip_import_progress *progress, int64_t done,
                           int64_t total, dip_err *err) DIP_MUST_CHECK;

#endif
