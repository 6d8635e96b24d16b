/* Which wrong answers a row is to meet in training, as a file says: a line for
 * each row, its id and those of others, the nearest first, between tabs. */
#ifndef DIP_DATA_HARD_NEGATIVES_H
#define DIP_DATA_HARD_NEGATIVES_H

#include <stdint.h>

#include "base/status.h"
#include "data/catalog.h"

typedef struct {
    int64_t rows;    /* of the catalog */
    int64_t width;   /* of the longest line */
    int64_t *values; /* [rows, width] rows of the catalog; -1: no more */
} dip_hard_negatives;

/* Reads a file, which is untrusted: DIP_EDATA names the line of an id that the
 * catalog has not, that leads two lines, or that is its own wrong answer. The
 * caller ends *out with dip_hard_negatives_free() in any case. */
dip_status dip_hard_negatives_read(dip_hard_negatives *out,
                                   const dip_catalog *catalog, const char *path,
                                   dip_err *err) DIP_MUST_CHECK;
void dip_hard_negatives_free(dip_hard_negatives *negatives);

#endif
