/* Random numbers of our own, the same on every machine. */
#ifndef HYPURA_BASE_RNG_H
#define HYPURA_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* xoshiro256** seeded by splitmix64 (Blackman and Vigna 2018): a stream. */
typedef struct Rng {
    uint64_t state[4];
} Rng;

Rng rng_seeded(uint64_t seed);
uint64_t rng_next(Rng *rng);
/* Uniform in [0, n), n at least 1, without bias. */
uint64_t rng_below(Rng *rng, uint64_t n);
/* Uniform in [0, 1), 24 bits. */
float rng_unit(Rng *rng);
void rng_fill(Rng *rng, void *data, size_t n_bytes);

/* Counter-based (Philox 4x32-10, Salmon et al. 2011): a pure function of seed and
 * counter, so that a token's randomness depends on nothing else. 64 random bits. */
uint64_t rng_at(uint64_t seed, uint64_t counter);

/* The function behind rng_at: all 128 bits, with the whole counter. */
void rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

#endif
