/* What the readers of foreign layouts share: ids of rows that have none, texts
 * and labels that are decoded into memory. */
#ifndef DIP_DATA_LAYOUT_COMMON_H
#define DIP_DATA_LAYOUT_COMMON_H

#include "base/str.h"
#include "data/layout_table.h"

/* Gives every row of the part the id "<split>-<row of the file>" and the
 * input's split. */
dip_status dip_layout_number_rows(dip_catalog *catalog, dip_part *part,
                                  const dip_layout_input *input,
                                  dip_err *err) DIP_MUST_CHECK;
/* The group of the part's row `at`: that of all rows with this value, over all
 * files of the catalog. An empty value makes a group of its own. */
dip_status dip_layout_set_group(dip_catalog *catalog, const dip_part *part,
                                const dip_layout_input *input, int64_t at,
                                dip_bytes value, dip_err *err) DIP_MUST_CHECK;

/* The texts of a column while they are collected, row by row; start as {0}. */
typedef struct {
    dip_str bytes;
    int64_t *offsets;
    size_t capacity;
    int64_t rows;
} dip_layout_texts;

/* What was added to `bytes` since the last call is the next row's text. */
dip_status dip_layout_end_text(dip_layout_texts *texts,
                               dip_err *err) DIP_MUST_CHECK;
/* Hands the texts over to the column; there must be one for each row. */
void dip_layout_set_texts(dip_part *part, int column, dip_layout_texts *texts);
void dip_layout_free_texts(dip_layout_texts *texts);

/* Pixels [N, H, W, C], or [N, C, H, W] when planar, as the column "image". Sets
 * the rows of the part from N. */
dip_status dip_layout_add_pixels(dip_catalog *catalog, dip_part *part,
                                 const char *dataset, bool planar,
                                 dip_err *err) DIP_MUST_CHECK;

#endif
