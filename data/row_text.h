/* Texts made of a catalog's columns: "{gender} {baseColour} {articleType}".
 *
 * A template (data/template.h) whose names are text, label or number columns,
 * looked up in this order, or "id". One without any brace is a field's name:
 * "title" means "{title}". A missing value gives nothing; then runs of blanks
 * become one, and none stand at the ends. */
#ifndef DIP_DATA_ROW_TEXT_H
#define DIP_DATA_ROW_TEXT_H

#include <stdint.h>

#include "base/status.h"
#include "base/str.h"
#include "data/catalog.h"

typedef struct dip_row_text dip_row_text;

/* Borrows the catalog, which must outlive *out. An unknown name is
 * DIP_ENOTFOUND and lists the columns. */
dip_status dip_row_text_compile(dip_row_text **out, const char *text,
                                const dip_catalog *catalog,
                                dip_err *err) DIP_MUST_CHECK;
void dip_row_text_free(dip_row_text *text);

/* Replaces the content of `out`; out of memory sticks there. Good from any
 * number of threads. */
void dip_row_text_render(dip_str *out, const dip_row_text *text, int64_t row);

#endif
