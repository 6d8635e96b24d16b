#include "base/rng.h"

#include <math.h>

static uint32_t mulhilo(uint32_t a, uint32_t b, uint32_t *low)
{
    uint64_t product = (uint64_t)a * b;
    *low = (uint32_t)product;
    return (uint32_t)(product >> 32);
}

void dip_philox(uint32_t out[4], const uint32_t counter[4],
                const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1];
    uint32_t c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint32_t low0, low1;
        uint32_t high0 = mulhilo(0xD2511F53u, c0, &low0);
        uint32_t high1 = mulhilo(0xCD9E8D57u, c2, &low1);
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* One block keyed by the seed turns (purpose, a, b) into a key of the stream,
 * and leaves the whole counter to the stream itself. */
dip_rng dip_rng_stream(uint64_t seed, uint32_t purpose, uint64_t a, uint64_t b)
{
    uint32_t seed_key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t counter[4] = {(uint32_t)a, (uint32_t)(a >> 32), (uint32_t)b,
                           (uint32_t)(b >> 32)};
    uint32_t mixed[4];
    dip_philox(mixed, counter, seed_key);
    return (dip_rng){
        .key = {mixed[0], mixed[1]},
        .counter = {0, purpose, mixed[2], mixed[3]},
        .used = 4,
    };
}

uint32_t dip_rng_u32(dip_rng *rng)
{
    if (rng->used == 4) {
        dip_philox(rng->block, rng->counter, rng->key);
        rng->counter[0]++;
        rng->used = 0;
    }
    return rng->block[rng->used++];
}

uint64_t dip_rng_u64(dip_rng *rng)
{
    uint64_t high = dip_rng_u32(rng);
    return (high << 32) | dip_rng_u32(rng);
}

double dip_rng_uniform(dip_rng *rng)
{
    return (double)(dip_rng_u64(rng) >> 11) * 0x1p-53;
}

/* Rejects the incomplete last copy of [0, n) in the range of 64 bits. */
uint64_t dip_rng_below(dip_rng *rng, uint64_t n)
{
    uint64_t excess = (0 - n) % n; /* 2^64 mod n */
    uint64_t x = dip_rng_u64(rng);
    while (x < excess)
        x = dip_rng_u64(rng);
    return x % n;
}

double dip_rng_normal(dip_rng *rng)
{
    const double two_pi = 6.283185307179586476925286766559;
    double radius = sqrt(-2.0 * log(1.0 - dip_rng_uniform(rng)));
    return radius * cos(two_pi * dip_rng_uniform(rng));
}

void dip_rng_shuffle(dip_rng *rng, int64_t *items, int64_t n)
{
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)dip_rng_below(rng, (uint64_t)i + 1);
        int64_t item = items[i];
        items[i] = items[j];
        items[j] = item;
    }
}
