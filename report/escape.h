/* Foreign text in a document of another language, so that it reads as itself
 * wherever it stands in a line. Control characters become blanks. */
#ifndef DIP_REPORT_ESCAPE_H
#define DIP_REPORT_ESCAPE_H

#include "base/str.h"

void dip_escape_markdown(dip_str *out, const char *text);
void dip_escape_latex(dip_str *out, const char *text);
/* A whole field of CSV (RFC 4180), in quotes where it needs them. */
void dip_escape_csv(dip_str *out, const char *text);

#endif
