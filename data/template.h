/* Texts with the values of a row in them: "{gender} {title}", "{id}.jpg". A
 * name in braces stands for the column of that name; "{{" and "}}" are
 * braces. */
#ifndef DIP_DATA_TEMPLATE_H
#define DIP_DATA_TEMPLATE_H

#include "base/status.h"
#include "base/str.h"
#include "data/catalog.h"

typedef struct dip_template dip_template;

/* `names` are the columns that there are; they are not kept. An unknown one is
 * DIP_ENOTFOUND, broken braces DIP_EDATA. The caller ends *out with
 * dip_template_free(). */
dip_status dip_template_parse(dip_template **out, const char *text,
                              const char *const *names, int name_count,
                              dip_err *err) DIP_MUST_CHECK;
void dip_template_free(dip_template *template); /* NULL allowed */

/* The columns that it names, as indices of `names`, in their order. */
int dip_template_column_count(const dip_template *template);
int dip_template_column(const dip_template *template, int i);

/* Appends the text; values[i] stands for dip_template_column(template, i). */
void dip_template_render(dip_str *out, const dip_template *template,
                         const dip_bytes *values);

#endif
