/* Foreign text and numbers in HTML; for report/ alone. */
#ifndef DIP_REPORT_HTML_TEXT_H
#define DIP_REPORT_HTML_TEXT_H

#include "base/str.h"

/* Appends `text` so that it reads as itself in an element or in a quoted
 * attribute: markup is escaped, control characters become blanks, bytes that
 * are not UTF-8 and what HTML forbids U+FFFD. */
void dip_html_text(dip_str *out, const char *text);

/* The same in an element of its own that keeps its direction of writing to
 * itself. */
void dip_html_name(dip_str *out, const char *text);

/* Appends a number: `decimals` behind the point, "–" for NaN and infinities. */
void dip_html_number(dip_str *out, double value, int decimals);

/* Appends bytes in base64 (RFC 4648). */
void dip_html_base64(dip_str *out, const void *bytes, size_t n);

#endif
