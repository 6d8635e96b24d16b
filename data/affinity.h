/* How much two products belong together, of how many users had the one, the
 * other, and both. */
#ifndef DIP_DATA_AFFINITY_H
#define DIP_DATA_AFFINITY_H

#include <stdbool.h>
#include <stdint.h>

/* name, word on the command line; with a users of the first product, b of the
 * second, c of both and n of all
 *   cosine      c / sqrt(a b)                 (Deshpande and Karypis, 2004)
 *   jaccard     c / (a + b - c)
 *   confidence  c / a, which is not symmetric
 *   npmi        log(c n / (a b)) / log(n / c), at least 0     (Bouma, 2009)
 * Each is in [0, 1], and 1 for a product and itself. */
#define DIP_AFFINITY_TABLE(X)                                                  \
    X(COSINE, "cosine")                                                        \
    X(JACCARD, "jaccard")                                                      \
    X(CONFIDENCE, "confidence")                                                \
    X(NPMI, "npmi")

typedef enum {
#define DIP_AFFINITY_ENUM(name, word) DIP_AFFINITY_##name,
    DIP_AFFINITY_TABLE(DIP_AFFINITY_ENUM)
#undef DIP_AFFINITY_ENUM
        DIP_AFFINITY_COUNT
} dip_affinity;

typedef struct {
    int64_t first, second, both, all;
} dip_affinity_counts;

/* False when `word` is none of the table. */
bool dip_affinity_parse(dip_affinity *out, const char *word);

/* 1 <= both <= first, second <= all. */
double dip_affinity_of(dip_affinity kind, const dip_affinity_counts *counts);

#endif
