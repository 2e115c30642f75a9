/* What the kernels do by type: matrix products as the forward pass makes them, for one row out of
 * memory and for rows that share a pass. */
#ifndef HYPURA_ENGINE_MEASURE_COMPUTE_H
#define HYPURA_ENGINE_MEASURE_COMPUTE_H

#include "engine/facts.h"
#include "engine/measure.h"
#include "kernels/kernels.h"

/*
 * Fills facts->compute and facts->isa: each type that `kernels` multiplies with, on one thread and
 * on n_threads_max, with 1, 4, 8, 64 and 512 rows of activations. Each has two windows far apart
 * in time; the fact is their mean.
 *
 * n_bytes  of weights, walked through in turn, so that one row finds them in no cache; at least
 *          16 MiB
 *
 * Ended early it holds what was measured. OUT_OF_MEMORY, BUDGET, THREAD: then there are no facts.
 */
CHECKED bool measure_compute(const Kernels *kernels, uint32_t n_threads_max, uint64_t n_bytes,
    const MeasureOptions *options, Facts *facts, Error *err);

#endif
