/* The feed-forward mixture of one layer: router, experts as their bytes arrive, sum in rank
 * order. */
#ifndef HYPURA_MODEL_EXPERTS_H
#define HYPURA_MODEL_EXPERTS_H

#include "model/forward.h"

/* scratch.normed -> scratch.delta. */
CHECKED bool experts_run(Forward *forward, uint32_t layer, uint32_t n_rows, Error *err);

#endif
