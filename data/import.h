/* From tables and folders of images to a catalog.
 *
 * Rows that cannot be taken are collected in the report. If there are any and
 * `skip_bad` is not set, the import fails with DIP_EDATA once all rows are
 * checked, and nothing is left behind. */
#ifndef DIP_DATA_IMPORT_H
#define DIP_DATA_IMPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/import_report.h"

/* Names of columns of the table. */
typedef struct {
    const char *const *names;
    int count;
} dip_import_names;

typedef struct {
    const char *table;
    const char *format;    /* csv, tsv, jsonl; NULL: by the extension */
    const char *image;     /* template of the path; NULL: no images */
    const char *image_dir; /* NULL: the folder of the table */
    const char *id;        /* NULL: the number of the row, from 0 */
    dip_import_names texts, labels, numbers;
    const char *split; /* NULL: by split_ratio */
    /* Parts of train, val and test, dealt by the first 8 bytes (big-endian) of
     * the SHA-256 of the group, or of the id of a row without a group. All 0:
     * every row is for training. */
    int split_ratio[DIP_SPLIT_COUNT];
    const char *group; /* NULL: every row a group alone */

    const char *out;
    int64_t shard_rows; /* 0: one file */
    /* 0: image files are kept as found. Else they are decoded, the shorter
     * side is resized to this many pixels (bicubic), the centre is cut out,
     * and [side, side, 3] uint8 are stored. */
    int pixels;
    int64_t max_pixels;    /* of an image; 0: DIP_DECODE_MAX_PIXELS */
    bool keep_orientation; /* do not apply EXIF when pixels are made */
    bool skip_bad;
    dip_import_progress progress;
} dip_import_options;

/* Every image is decoded, whether pixels are stored or not, so that training
 * meets no broken one. The catalog does not depend on the number of threads.
 * `report` is the caller's, filled in on failure too. */
dip_status dip_import_table(dip_import_report *report,
                            const dip_import_options *options,
                            dip_err *err) DIP_MUST_CHECK;

/* A decimal number, all of the field: no blanks, no thousands separators, no
 * "inf", "nan" or hexadecimals; DIP_EDATA, or DIP_ERANGE beyond a float. */
dip_status dip_import_number(double *out, dip_bytes field,
                             dip_err *err) DIP_MUST_CHECK;

/* A path made of data: relative, and with no part "..". DIP_EDATA. */
dip_status dip_import_check_path(const char *path, dip_err *err) DIP_MUST_CHECK;

/* ---- search logs and behaviour of a catalog that exists ------------------ */

typedef struct {
    const char *table, *format;
    const char *into;  /* the catalog */
    const char *owner; /* column of the query text or the user */
    const char *id;    /* column of the item's id */
    const char *value; /* column of the grade or weight; NULL: 1 */
    const char *time;  /* column, interactions only; NULL: 0 */
    const char *split; /* column; NULL: the split of the item's row */
    const struct dip_click_options *clicks; /* clicks only (data/clicks.h) */
    bool skip_bad;
    dip_import_progress progress;
} dip_import_log_options;

/* A (query, id) that comes twice is a bad row. Grades and weights are finite
 * and not negative; times are whole seconds. Replaces what the catalog has. */
dip_status dip_import_judgements(dip_import_report *report,
                                 const dip_import_log_options *options,
                                 dip_err *err) DIP_MUST_CHECK;
/* Rows are events, of which a (query, id) may have any number: `value` is how
 * often (NULL: once). One judgement comes of each pair of a split, as
 * data/clicks.h says; the report counts judgements. DIP_EDATA when none is
 * left. */
dip_status dip_import_clicks(dip_import_report *report,
                             const dip_import_log_options *options,
                             dip_err *err) DIP_MUST_CHECK;
dip_status dip_import_interactions(dip_import_report *report,
                                   const dip_import_log_options *options,
                                   dip_err *err) DIP_MUST_CHECK;

#endif
