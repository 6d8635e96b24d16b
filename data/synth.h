/* A catalog of made-up products, drawn and described by a program: for tests,
 * for benchmarks of any size, and where no real data are at hand.
 *
 * Images are JPEG; texts `title` (English) and `title_zh` (Chinese); labels
 * type, colour, pattern, print, gender, season and brand; the number `price`.
 * Some products have two or three rows, photos of the same thing, in a group.
 * Products with an equal title are in the same split. Every row is a pure
 * function of (seed, row), so the files do not depend on the number of
 * threads, and a longer catalog begins with the rows of a shorter one. */
#ifndef DIP_DATA_SYNTH_H
#define DIP_DATA_SYNTH_H

#include "base/status.h"
#include "data/import_report.h"

#define DIP_SYNTH_MIN_SIZE 16
#define DIP_SYNTH_MAX_SIZE 2048

typedef struct {
    const char *out;
    int64_t rows;
    uint64_t seed;
    int size;           /* pixels on either side */
    int64_t queries;    /* with graded judgements; 0: none */
    int64_t users;      /* with interactions; 0: none */
    int64_t shard_rows; /* 0: one file */
    dip_import_progress progress;
} dip_synth_options;

/* Rows are drawn in blocks and streamed: memory does not grow with `rows`.
 * DIP_ERANGE when the rows are too few for that many distinct queries. */
dip_status dip_synth_write(dip_import_report *report,
                           const dip_synth_options *options,
                           dip_err *err) DIP_MUST_CHECK;

#endif
