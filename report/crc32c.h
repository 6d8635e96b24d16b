/* CRC-32C (Castagnoli, as in RFC 3720, appendix B.4). */
#ifndef DIP_REPORT_CRC32C_H
#define DIP_REPORT_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Of the nine bytes "123456789" it is e3069283. */
uint32_t dip_crc32c(const void *bytes, size_t n);

#endif
