/* Self-attention of one layer over paged keys and values. */
#ifndef HYPURA_MODEL_ATTENTION_H
#define HYPURA_MODEL_ATTENTION_H

#include "model/forward.h"

/* scratch.normed -> scratch.delta: q, k, v; norms and rope; keys and values into their pages;
 * scores; output. */
CHECKED bool attention_run(
    Forward *forward, uint32_t layer, const Row *rows, uint32_t n_rows, Error *err);

#endif
