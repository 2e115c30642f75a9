/* What the measurements of a machine have in common: a budget of time, and a way to end early. */
#ifndef HYPURA_ENGINE_MEASURE_H
#define HYPURA_ENGINE_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

/* Called after each window. False ends the measurement; what it has by then is its result. */
typedef bool MeasureProgress(void *context, uint32_t n_done, uint32_t n_total);

typedef struct MeasureOptions {
    uint64_t budget_ns;        // that all windows share
    MeasureProgress *progress; // NULL: goes on
    void *context;
} MeasureOptions;

static inline bool measure_goes_on(const MeasureOptions *options, uint32_t n_done, uint32_t n_total)
{
    return !options->progress || options->progress(options->context, n_done, n_total);
}

#endif
