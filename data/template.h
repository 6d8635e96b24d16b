/* Texts made of a row's columns: "{gender} {baseColour} {articleType}".
 *
 * A name in braces is a text, label or number column (looked up in this
 * order) or "id". "{{" and "}}" are braces. A template without any brace is a
 * field's name: "title" means "{title}". A missing value renders as nothing;
 * then runs of blanks become one, and none stand at the ends. */
#ifndef DIP_DATA_TEMPLATE_H
#define DIP_DATA_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/str.h"
#include "data/catalog.h"

typedef struct dip_template dip_template;

/* Borrows the catalog, which must outlive *out. An unknown name is
 * DIP_ENOTFOUND and lists the columns; broken braces are DIP_ECONFIG and name
 * the byte. */
dip_status dip_template_compile(dip_template **out, const char *text,
                                const dip_catalog *catalog,
                                dip_err *err) DIP_MUST_CHECK;
void dip_template_free(dip_template *format);

/* Replaces the content of `out`; out of memory sticks there. */
void dip_template_render(dip_str *out, const dip_template *format, int64_t row);

/* The text that was compiled; borrowed. */
const char *dip_template_text(const dip_template *format);
/* The distinct names that it uses, in the order of their first use. */
int dip_template_name_count(const dip_template *format);
const char *dip_template_name(const dip_template *format, int i);
bool dip_template_uses(const dip_template *format, const char *name);

#endif
