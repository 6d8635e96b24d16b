/* The named characters of HTML 4 (HTML 4.01, section 24), AMP, LT, GT, QUOT,
 * COPY, REG and apos of HTML 5, with the code points of the latter. */
#ifndef DIP_DATA_HTML_ENTITIES_H
#define DIP_DATA_HTML_ENTITIES_H

#include <stddef.h>
#include <stdint.h>

/* The code point of the name ("eacute", without & and ;), -1 if there is none.
 */
int32_t dip_html_entity(const char *name, size_t n);

#endif
