/* A fast hash for tables and caches in memory, and for files of this machine. */
#ifndef HYPURA_BASE_HASH_H
#define HYPURA_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* 64 bits of n_bytes at `data`. Values differ between builds with and without xxhash:
 * what is written down must say which made it (hash_name). Not for secrets. */
uint64_t hash_bytes(const void *data, size_t n_bytes, uint64_t seed);

/* "xxh3-64", or "mix64" in a build without xxhash. */
const char *hash_name(void);

#endif
