/* Recorded accesses through the prediction of predict.h: what it would have named. */
#ifndef HYPURA_STORE_REPLAY_PREDICT_H
#define HYPURA_STORE_REPLAY_PREDICT_H

#include "store/trace.h"

typedef struct ReplayPrediction {
    uint64_t n_uses;        // experts of decode calls that were guessed at
    uint64_t n_named;       // of these, by as many guesses as the call before has experts
    uint64_t n_named_twice; // by twice as many
    double n_expected;      // what the former guesses' chances add up to
} ReplayPrediction;

/* Decode calls alone, learning as they come. ahead: 1 to PREDICT_AHEAD_MAX; with fewer layers than
 * that nothing is guessed. */
CHECKED bool replay_predict(const Trace *trace, uint32_t ahead, ReplayPrediction *out, Error *err);

#endif
