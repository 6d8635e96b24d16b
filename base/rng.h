/* Counter-based random numbers: Philox 4x32-10 (Salmon et al., "Parallel
 * random numbers: as easy as 1, 2, 3", SC 2011). A stream is a pure function
 * of its key, so that what is drawn for (seed, epoch, row) does not depend on
 * the number of threads or on what was drawn before. */
#ifndef DIP_BASE_RNG_H
#define DIP_BASE_RNG_H

#include <stdint.h>

typedef struct {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    int used; /* words of `block` already given out */
} dip_rng;

/* One block of Philox 4x32-10, for tests against the published vectors. */
void dip_philox(uint32_t out[4], const uint32_t counter[4],
                const uint32_t key[2]);

/* The stream of (seed, a, b): say seed, epoch, row. `purpose` separates
 * streams of equal numbers (order, augmentation, initial weights). */
dip_rng dip_rng_stream(uint64_t seed, uint32_t purpose, uint64_t a, uint64_t b);

uint32_t dip_rng_u32(dip_rng *rng);
uint64_t dip_rng_u64(dip_rng *rng);
/* Uniform in [0, 1), 53 bits. */
double dip_rng_uniform(dip_rng *rng);
/* Uniform in [0, n), without bias; n > 0. */
uint64_t dip_rng_below(dip_rng *rng, uint64_t n);
/* Standard normal (Box-Muller). */
double dip_rng_normal(dip_rng *rng);
/* Fisher-Yates over `n` items. */
void dip_rng_shuffle(dip_rng *rng, int64_t *items, int64_t n);

#endif
