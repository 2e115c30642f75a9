/* What a cached expert is worth: how often it is going to be used before it would be evicted
 * anyway.
 *
 *   value = (next + later * g / (1 - g)) * g^distance
 *
 * `next` is the chance that the layer's next turn uses it: mostly what passes like this one used
 * (evict_past.h), a little what is used often. `later`, of each turn after that, leans on how often
 * it was used lately. `distance` is the part of a pass until the next turn. g forgets a turn that
 * comes too late: it follows from the horizon, the passes in which misses fill the whole cache.
 * So a cache smaller than a pass looks at the next turn alone, and a large one at frequencies.
 *
 * It decides speed and never bits: any value is right. docs/adr/0007 has what was tried. */
#ifndef HYPURA_STORE_EVICT_H
#define HYPURA_STORE_EVICT_H

#include "store/evict_past.h"

typedef struct Evict {
    uint32_t n_layers, n_expert;
    float *uses;   // [n_layers * n_expert], in units of `unit`; lose a twentieth a pass
    float *score;  // [n_layers * n_expert] next + later * g / (1 - g), as of its layer's last look
    float *chance; // [n_expert] scratch
    float *nearness; // [n_layers + 1] g^(distance / n_layers)
    float unit;      // what one use counts now; grows with each pass instead of decaying all uses
    float n_seen;    // passes, decayed as uses are
    float later;     // g / (1 - g)
    float n_missed;  // a pass, of late
    uint64_t n_misses_before; // until the pass under way
    uint32_t next_look;       // the layer whose scores are oldest
    uint32_t n_used;          // experts of the last call
    bool holds_all;           // so nothing is evicted: only uses are counted
    Past past;
} Evict;

/* What it allocates. */
uint64_t evict_table_bytes(uint32_t n_layers, uint32_t n_expert);

CHECKED bool evict_init(Evict *evict, uint32_t n_layers, uint32_t n_expert, Error *err);
void evict_destroy(Evict *evict);

/* n_slots of the cache now, and blocks that it missed since it was made. */
void evict_begin_pass(Evict *evict, uint64_t n_slots, uint64_t n_misses);

/* The pass under way uses these experts of a layer. However many of its rows do, each counts
 * once: a prompt that touches every expert raises all alike and does not change their order.
 * (Counting the rows of recorded prompts cost 1 to 4 points of the hit rate after them.) */
void evict_call(Evict *evict, uint32_t layer, const uint32_t *experts, uint32_t n);

/* Before values are asked for, since the call of `layer` misses something: brings scores up to
 * date, those of `layer` and of some others in turn. Costs about 10 us with 128 experts. */
void evict_look(Evict *evict, uint32_t layer);

/* The same for every layer at once, when the cache is about to lose slots between calls. */
void evict_look_at_all(Evict *evict, uint32_t layer);

/* As if the block had long been used by this share of the passes, 0 to 1. For all blocks, or for
 * none. */
void evict_warm(Evict *evict, uint32_t block, float share);

/* The value of a block while `layer` is computed. A block of `layer` itself comes again a whole
 * cycle later. */
float evict_value(const Evict *evict, uint32_t block, uint32_t layer);

#endif
