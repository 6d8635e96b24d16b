/* How the numbers of embeddings are stored: 4, 2 or 1 bytes each, or one bit.
 *
 * int8 is c = round(127 x / peak), where peak is the largest |x| of the row, so
 * that x is about c peak / 127; encoding what was decoded gives the same codes.
 * A row needs nothing of other rows, and one alone may be encoded anew. binary
 * is the bit x > 0, the first number in the highest bit of the first byte, as
 * numpy.packbits() has it; it decodes to 1 and -1. */
#ifndef DIP_DATA_EMBEDDING_CODES_H
#define DIP_DATA_EMBEDDING_CODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* name, word on command lines and in files, bits of a number */
#define DIP_CODES_TABLE(X)                                                     \
    X(FP32, "fp32", 32)                                                        \
    X(FP16, "fp16", 16)                                                        \
    X(INT8, "int8", 8)                                                         \
    X(BINARY, "binary", 1)

typedef enum {
#define DIP_CODES_ENUM(name, word, bits) DIP_CODES_##name,
    DIP_CODES_TABLE(DIP_CODES_ENUM)
#undef DIP_CODES_ENUM
        DIP_CODES_COUNT
} dip_codes;

const char *dip_codes_name(dip_codes precision);
/* False when `name` is none of the table. */
bool dip_codes_parse(dip_codes *out, const char *name);
/* Bytes of the codes of a row. */
size_t dip_codes_bytes(dip_codes precision, int64_t dim);

/* Rows [rows, dim], finite, into codes one behind the other; peaks [rows] are
 * written for int8 only and may be NULL otherwise. fp16 rounds to the nearest,
 * ties to even; what is beyond 65504 becomes infinite. */
void dip_codes_encode(void *codes, float *peaks, dip_codes precision,
                      const float *values, int64_t rows, int64_t dim);
void dip_codes_decode(float *values, dip_codes precision, const void *codes,
                      const float *peaks, int64_t rows, int64_t dim);

#endif
