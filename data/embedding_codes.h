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
#define DIP_PRECISION_TABLE(X)                                                 \
    X(FP32, "fp32", 32)                                                        \
    X(FP16, "fp16", 16)                                                        \
    X(INT8, "int8", 8)                                                         \
    X(BINARY, "binary", 1)

typedef enum {
#define DIP_PRECISION_ENUM(name, word, bits) DIP_PRECISION_##name,
    DIP_PRECISION_TABLE(DIP_PRECISION_ENUM)
#undef DIP_PRECISION_ENUM
        DIP_PRECISION_COUNT
} dip_precision;

const char *dip_precision_name(dip_precision precision);
/* False when `name` is none of the table. */
bool dip_precision_parse(dip_precision *out, const char *name);
/* Bytes of the codes of a row. */
size_t dip_precision_bytes(dip_precision precision, int64_t dim);

/* Rows [rows, dim], finite, into codes one behind the other; peaks [rows] are
 * written for int8 only and may be NULL otherwise. fp16 rounds to the nearest,
 * ties to even; what is beyond 65504 becomes infinite. */
void dip_precision_encode(void *codes, float *peaks, dip_precision precision,
                          const float *values, int64_t rows, int64_t dim);
void dip_precision_decode(float *values, dip_precision precision,
                          const void *codes, const float *peaks, int64_t rows,
                          int64_t dim);

#endif
