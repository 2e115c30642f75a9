/* The value function of the expert cache. Choosing is left to cache.c, which knows what may go.
 *
 * Scores of all layers change with each call. A look computes those of the layer under way and of
 * LOOKS others in turn: on recorded routing that is as good as all of them. */
#include "store/evict.h"

#include <assert.h>
#include <math.h>

#define USES_DECAY    0.95f
#define USES_FLOOR    0.3f  // passes that are taken as seen, in which all were used alike
#define UNIT_MAX      1e15f // float32 keeps sums of units exact enough far beyond
#define LOOKS         10
#define NEXT_FREQUENT 0.2f // the frequency in `next`, against 1 of the past
#define LATER_LIKELY  0.4f // `next` in `later`, the rest is frequency
#define LIKELY_MIN    0.4f // of the mean: no expert is expected less in later turns
#define HORIZON_SHARE 0.4f // the least valuable leave sooner than the mean block
#define HORIZON_MIN   1.0f // a shorter one would prefer near layers to busy experts
#define MISSED_FADES  0.9f

uint64_t evict_table_bytes(uint32_t n_layers, uint32_t n_expert)
{
    uint64_t set_bytes = (uint64_t)((n_expert + 63) / 64) * sizeof(uint64_t) + sizeof(uint32_t);
    uint64_t block_bytes = 2 * (uint64_t)n_expert * sizeof(float);

    return n_layers * (block_bytes + set_bytes * (PAST_PASSES + 1) + sizeof(float))
           + (uint64_t)(n_expert + 1) * sizeof(float);
}

/* ---- horizon ---- */

/* How far ahead to look, from how fast misses turn the cache over. */
static void set_horizon(Evict *evict, uint64_t n_slots, uint64_t n_misses)
{
    float n_missed = (float)(n_misses - evict->n_misses_before);

    evict->n_misses_before = n_misses;
    evict->n_missed = evict->n_missed > 0
                          ? MISSED_FADES * evict->n_missed + (1 - MISSED_FADES) * n_missed
                          : n_missed;
    float horizon = HORIZON_SHARE * (float)n_slots / fmaxf(evict->n_missed, 1);
    float rate = -1 / fmaxf(horizon, HORIZON_MIN);
    float forgets = expf(rate);
    evict->later = forgets / fmaxf(1 - forgets, 1e-6f);
    for (uint32_t i = 0; i <= evict->n_layers; i++)
        evict->nearness[i] = expf(rate * (float)i / (float)evict->n_layers);
}

/* ---- life ---- */

bool evict_init(Evict *evict, uint32_t n_layers, uint32_t n_expert, Error *err)
{
    size_t n_blocks = (size_t)n_layers * n_expert;

    *evict = (Evict){.n_layers = n_layers, .n_expert = n_expert, .unit = 1};
    if (n_layers == 0) return true;
    evict->uses = mem_alloc_array(MEM_OTHER, n_blocks, sizeof(float), err);
    if (!evict->uses) goto fail;
    evict->score = mem_alloc_array(MEM_OTHER, n_blocks, sizeof(float), err);
    if (!evict->score) goto fail;
    evict->chance = mem_alloc_array(MEM_OTHER, n_expert, sizeof(float), err);
    if (!evict->chance) goto fail;
    evict->nearness = mem_alloc_array(MEM_OTHER, (size_t)n_layers + 1, sizeof(float), err);
    if (!evict->nearness) goto fail;
    if (!past_init(&evict->past, n_layers, n_expert, err)) goto fail;
    set_horizon(evict, 0, 0);
    return true;

fail:
    evict_destroy(evict);
    return false;
}

void evict_destroy(Evict *evict)
{
    mem_free(MEM_OTHER, evict->uses);
    mem_free(MEM_OTHER, evict->score);
    mem_free(MEM_OTHER, evict->chance);
    mem_free(MEM_OTHER, evict->nearness);
    past_destroy(&evict->past);
    *evict = (Evict){0};
}

/* ---- passes ---- */

void evict_begin_pass(Evict *evict, uint64_t n_slots, uint64_t n_misses)
{
    set_horizon(evict, n_slots, n_misses);
    evict->holds_all = n_slots >= (uint64_t)evict->n_layers * evict->n_expert;
    if (!evict->holds_all) past_begin_pass(&evict->past);
    evict->unit /= USES_DECAY;
    evict->n_seen = evict->n_seen * USES_DECAY + 1;
    if (evict->unit < UNIT_MAX) return;
    for (size_t i = 0; i < (size_t)evict->n_layers * evict->n_expert; i++)
        evict->uses[i] /= evict->unit;
    evict->unit = 1;
}

/* The scores of a layer, seen from the call of layer `now`. `share`: of the experts, that a call
 * uses. */
static void look(Evict *evict, uint32_t now, uint32_t layer, float share)
{
    const float *uses = evict->uses + (size_t)layer * evict->n_expert;
    float *score = evict->score + (size_t)layer * evict->n_expert;

    past_expect(&evict->past, now, layer, evict->chance);
    for (uint32_t i = 0; i < evict->n_expert; i++) {
        float frequency =
            (uses[i] / evict->unit + USES_FLOOR * share) / (evict->n_seen + USES_FLOOR);
        float next = (evict->chance[i] + NEXT_FREQUENT * frequency) / (1 + NEXT_FREQUENT);
        float likely = fmaxf(frequency, LIKELY_MIN * share);
        score[i] = next + (LATER_LIKELY * next + (1 - LATER_LIKELY) * likely) * evict->later;
    }
}

void evict_call(Evict *evict, uint32_t layer, const uint32_t *experts, uint32_t n)
{
    float *uses = evict->uses + (size_t)layer * evict->n_expert;

    for (uint32_t i = 0; i < n; i++) uses[experts[i]] += evict->unit;
    evict->n_used = n;
    if (!evict->holds_all) past_call(&evict->past, layer, experts, n);
}

void evict_look(Evict *evict, uint32_t layer)
{
    float share = (float)evict->n_used / (float)evict->n_expert;

    past_weigh(&evict->past);
    look(evict, layer, layer, share);
    for (uint32_t i = 0; i < LOOKS && i < evict->n_layers; i++) {
        look(evict, layer, evict->next_look, share);
        evict->next_look = (evict->next_look + 1) % evict->n_layers;
    }
}

void evict_look_at_all(Evict *evict, uint32_t layer)
{
    float share = (float)evict->n_used / (float)evict->n_expert;

    past_weigh(&evict->past);
    for (uint32_t i = 0; i < evict->n_layers; i++) look(evict, layer, i, share);
}

void evict_warm(Evict *evict, uint32_t block, float share)
{
    evict->n_seen = 1 / (1 - USES_DECAY);
    evict->uses[block] = evict->unit * share * evict->n_seen;
    evict->score[block] = share * (1 + evict->later);
}

float evict_value(const Evict *evict, uint32_t block, uint32_t layer)
{
    uint32_t home = block / evict->n_expert;
    uint32_t distance = home > layer ? home - layer : home + evict->n_layers - layer;

    assert(layer < evict->n_layers);
    return evict->score[block] * evict->nearness[distance];
}
