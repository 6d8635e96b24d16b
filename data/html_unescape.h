/* Characters of HTML written by name or number. */
#ifndef DIP_DATA_HTML_UNESCAPE_H
#define DIP_DATA_HTML_UNESCAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "data/catalog.h"

/* Appends the text with "&eacute;", "&#233;", "&#xe9;" replaced as
 * html.unescape() of Python does it, which follows HTML 5: numbers of 128 to
 * 159 are windows-1252, a semicolon may be missing behind numbers and old
 * names. With `strict` it may not, as ftfy has it. */
void dip_html_unescape(dip_str *out, dip_bytes text, bool strict);

/* The character that the byte has in windows-1252, if the code is that of a C1
 * control; otherwise, and for the five bytes without one, the code itself. */
int32_t dip_windows_1252(int32_t code);

#endif
