/*
 * XXH3 where the library is there. Without it a mixer of eight bytes at a step, by the
 * finaliser of splitmix64 (Steele, Lea and Flood 2014): an eighth of the speed, and as good
 * for tables.
 */
#include "base/hash.h"

#if HYPURA_WITH_XXHASH

#    include <xxhash.h>

uint64_t hash_bytes(const void *data, size_t n_bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(data, n_bytes, seed);
}

const char *hash_name(void)
{
    return "xxh3-64";
}

#else

#    include <string.h>

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t hash_bytes(const void *data, size_t n_bytes, uint64_t seed)
{
    const unsigned char *bytes = data;
    uint64_t hash = mix(seed + 0x9e3779b97f4a7c15u * ((uint64_t)n_bytes + 1));

    while (n_bytes > 0) {
        size_t n = n_bytes < 8 ? n_bytes : 8;
        uint64_t word = 0;
        memcpy(&word, bytes, n);
        hash = mix(hash ^ word) + 0x9e3779b97f4a7c15u;
        bytes += n;
        n_bytes -= n;
    }
    return mix(hash);
}

const char *hash_name(void)
{
    return "mix64";
}

#endif
