/* One row of a table on its way into a catalog. */
#ifndef DIP_DATA_IMPORT_ROW_H
#define DIP_DATA_IMPORT_ROW_H

#include "base/status.h"
#include "base/str.h"
#include "data/catalog_writer.h"
#include "data/import.h"
#include "data/import_image.h"
#include "data/table_reader.h"
#include "data/template.h"

/* Where the values of a row stand in the table; -1: nowhere. */
typedef struct {
    const dip_import_options *options;
    char *image_dir;
    dip_template *image; /* NULL: no images */
    int id, split, group;
    dip_column *schema; /* of the catalog; the image first */
    int *columns;       /* in the table, for each of the schema; image: -1 */
    int column_count;
} dip_import_plan;

/* DIP_ENOTFOUND for columns that the table does not have, DIP_EUSAGE for one
 * that is listed twice. The caller ends *out with dip_import_plan_free(). */
dip_status dip_import_plan_make(dip_import_plan *out,
                                const dip_import_options *options,
                                const dip_table_reader *reader,
                                dip_err *err) DIP_MUST_CHECK;
void dip_import_plan_free(dip_import_plan *plan);

/* Start it as {0}; end it with dip_import_row_free(). */
typedef struct {
    int64_t line, number; /* of the file, from 1; of the rows, from 0 */
    dip_str text;         /* copies of all fields */
    size_t *ends;         /* of each field in `text` */
    size_t end_capacity;
    char own_id[24]; /* when the table has none */
    char *image;     /* file or pixels; owned */
    dip_bytes id;
    dip_row row; /* what the catalog gets */
    dip_value *values;
    bool good;
    dip_bad_row reason; /* when not good */
    dip_err fault;
} dip_import_row;

/* Copies the reader's row. */
dip_status dip_import_row_load(dip_import_row *row,
                               const dip_table_reader *reader,
                               const dip_import_plan *plan, int64_t number,
                               dip_err *err) DIP_MUST_CHECK;
/* Makes the values, reads and checks the image; a fault of the row is told in
 * the row, only what ends the import (no memory) is an error. Good from any
 * thread, each with its number in the team. */
dip_status dip_import_row_prepare(dip_import_row *row,
                                  const dip_import_plan *plan,
                                  dip_image_team *team, int thread,
                                  dip_err *err) DIP_MUST_CHECK;
/* Gives the image back; keeps the rest for the next row. */
void dip_import_row_clear(dip_import_row *row);
void dip_import_row_free(dip_import_row *row);

#endif
