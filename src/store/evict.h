/* What a cached expert is worth: how often it was used lately against how long until its
 * layer comes again.
 *
 *   value = (uses + 0.3) / (0.5 + distance / n_layers)
 *
 * `uses` loses a twentieth with each pass; `distance` counts layers until the block can be
 * asked for next, in the fixed cycle of the layers. On recorded routing of two models this
 * hits more than LRU and LFU at every cache size (traces, one cache over all layers). */
#ifndef HYPURA_STORE_EVICT_H
#define HYPURA_STORE_EVICT_H

#include "base/mem.h"

typedef struct Evict {
    float *uses;     // [n_layers * n_expert], in units of `unit`
    float *nearness; // [n_layers + 1]: 1 / (0.5 + distance / n_layers)
    uint32_t n_layers, n_expert;
    float unit; // what one use counts now; grows with each pass instead of decaying all uses
} Evict;

CHECKED bool evict_init(Evict *evict, uint32_t n_layers, uint32_t n_expert, Error *err);
void evict_destroy(Evict *evict);

void evict_begin_pass(Evict *evict);

/* A pass uses this block. However many of its rows do, it counts once: a prompt that touches
 * every expert raises all alike and does not change their order. (Counting the rows of the
 * recorded prompts cost 1 to 4 points of the hit rate of the tokens after them.) */
void evict_use(Evict *evict, uint32_t block);

/* As if the block had long been used by this share of the passes, 0 to 1. */
void evict_warm(Evict *evict, uint32_t block, float share);

/* The value of a block while `layer` is computed; of layers at the same distance the more used
 * one is worth more. A block of `layer` itself comes again a whole cycle later. */
float evict_value(const Evict *evict, uint32_t block, uint32_t layer);

#endif
