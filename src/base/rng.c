/*
 * Two generators, both from their papers and checked against the authors' vectors:
 *   a stream      xoshiro256**, Blackman and Vigna 2018, arXiv:1805.01407; seeded by
 *                 splitmix64, so that similar seeds give unlike streams
 *   a function    Philox 4x32 with 10 rounds, Salmon et al. 2011, "Parallel random
 *                 numbers: as easy as 1, 2, 3", section 3
 * Neither is for secrets.
 */
#include "base/rng.h"

#include <assert.h>
#include <string.h>

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t rotate_left(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

Rng rng_seeded(uint64_t seed)
{
    Rng rng = {0};

    for (int i = 0; i < 4; i++) rng.state[i] = splitmix64(&seed);
    return rng;
}

uint64_t rng_next(Rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

/* Values below 2^64 mod n are drawn again: the rest is a whole number of n's. */
uint64_t rng_below(Rng *rng, uint64_t n)
{
    assert(n > 0);
    uint64_t n_rejected = (0 - n) % n;
    uint64_t value;

    do value = rng_next(rng);
    while (value < n_rejected);
    return value % n;
}

float rng_unit(Rng *rng)
{
    return (float)(rng_next(rng) >> 40) * 0x1p-24f;
}

void rng_fill(Rng *rng, void *data, size_t n_bytes)
{
    unsigned char *out = data;

    while (n_bytes > 0) {
        uint64_t value = rng_next(rng);
        size_t n = n_bytes < sizeof(value) ? n_bytes : sizeof(value);
        for (size_t i = 0; i < n; i++) out[i] = (unsigned char)(value >> (8 * i));
        out += n;
        n_bytes -= n;
    }
}

void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t x[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xd2511f53u * x[0];
        uint64_t p1 = (uint64_t)0xcd9e8d57u * x[2];
        uint32_t x1 = x[1], x3 = x[3];
        x[0] = (uint32_t)(p1 >> 32) ^ x1 ^ k0;
        x[1] = (uint32_t)p1;
        x[2] = (uint32_t)(p0 >> 32) ^ x3 ^ k1;
        x[3] = (uint32_t)p0;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    memcpy(out, x, sizeof(x));
}

uint64_t rng_at(uint64_t seed, uint64_t counter)
{
    const uint32_t words[4] = {(uint32_t)counter, (uint32_t)(counter >> 32), 0, 0};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t out[4];

    rng_philox(words, key, out);
    return (uint64_t)out[1] << 32 | out[0];
}
