/* Files that may be compressed by gzip (RFC 1952). */
#ifndef DIP_BASE_GZIP_H
#define DIP_BASE_GZIP_H

#include <stddef.h>

#include "base/status.h"

/* Reads all of `path`, unpacked if it begins as gzip does. At most `limit`
 * bytes, packed and unpacked (DIP_ERANGE: more would fill the memory); a file
 * that ends early or fails its checksum is DIP_EFORMAT. The caller frees *out,
 * which carries a NUL after its *len bytes. */
dip_status dip_gzip_read(char **out, size_t *len, const char *path,
                         size_t limit, dip_err *err) DIP_MUST_CHECK;

#endif
