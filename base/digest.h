/* SHA-256 (FIPS 180-4) as 64 lower-case hexadecimal digits. */
#ifndef DIP_BASE_DIGEST_H
#define DIP_BASE_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define DIP_DIGEST_SIZE 65 /* with the final NUL */

typedef struct dip_digest dip_digest;

/* The caller ends *out with dip_digest_free(). */
dip_status dip_digest_new(dip_digest **out, dip_err *err) DIP_MUST_CHECK;
dip_status dip_digest_add(dip_digest *digest, const void *bytes, size_t n,
                          dip_err *err) DIP_MUST_CHECK;
/* Adds the length before the bytes, so that two texts are not another two. */
dip_status dip_digest_add_sized(dip_digest *digest, const void *bytes, size_t n,
                                dip_err *err) DIP_MUST_CHECK;
/* Writes the digest of all that was added; nothing may be added after it. */
dip_status dip_digest_end(char hex[DIP_DIGEST_SIZE], dip_digest *digest,
                          dip_err *err) DIP_MUST_CHECK;
/* The same as the first `n` of its 32 bytes. */
dip_status dip_digest_end_bytes(uint8_t *out, size_t n, dip_digest *digest,
                                dip_err *err) DIP_MUST_CHECK;
void dip_digest_free(dip_digest *digest); /* accepts NULL */

dip_status dip_digest_bytes(char hex[DIP_DIGEST_SIZE], const void *bytes,
                            size_t n, dip_err *err) DIP_MUST_CHECK;
dip_status dip_digest_file(char hex[DIP_DIGEST_SIZE], const char *path,
                           dip_err *err) DIP_MUST_CHECK;

#endif
