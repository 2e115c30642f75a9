/* What this machine can do at most, measured between the runs that are compared with it. */
#ifndef HYPURA_BENCH_ENGINE_CEILINGS_H
#define HYPURA_BENCH_ENGINE_CEILINGS_H

#include "sys/read.h"

/* Reads random ranges of `read_bytes` of a file at `depth` for about `seconds`, past the page
 * cache, into huge pages, with the engine's own backend. Bytes per second; 0: failed, and a
 * line on stderr says why. */
double ceiling_drive(
    const char *path, uint32_t read_bytes, uint32_t depth, double seconds, uint64_t seed);

/* Bytes per second that `n_threads` read from memory: 4 far streams a thread over 512 MiB, best
 * of a few passes. */
double ceiling_memory(uint32_t n_threads);

#endif
