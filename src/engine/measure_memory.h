/* The memory's ceiling by threads: the best of several loops that read once through more bytes
 * than caches hold. */
#ifndef HYPURA_ENGINE_MEASURE_MEMORY_H
#define HYPURA_ENGINE_MEASURE_MEMORY_H

#include "engine/facts.h"
#include "engine/measure.h"

/*
 * Fills facts->memory for 1, 2, 3, 4, 6, 8, 12, … threads up to n_threads_max, itself included.
 *
 * n_bytes  read by each pass, all threads together; several times what their caches hold
 *
 * Ended early it holds the numbers of threads that each loop had a turn at. OUT_OF_MEMORY,
 * BUDGET, THREAD: then there are no facts.
 */
CHECKED bool measure_memory(uint32_t n_threads_max, uint64_t n_bytes, const MeasureOptions *options,
    Facts *facts, Error *err);

#endif
