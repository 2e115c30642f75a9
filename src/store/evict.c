/* The value function of the expert cache. It decides speed and never bits: any value is
 * right. Choosing is left to cache.c, which knows what may go. */
#include "store/evict.h"

#include <assert.h>

#define USES_DECAY 0.95f
#define USES_FLOOR 0.3f  // what a block never used again is still worth against distance
#define UNIT_MAX   1e15f // float32 keeps sums of units exact enough far beyond

bool evict_init(Evict *evict, uint32_t n_layers, uint32_t n_expert, Error *err)
{
    *evict = (Evict){.n_layers = n_layers, .n_expert = n_expert, .unit = 1};
    if (n_layers == 0) return true;
    evict->uses = mem_alloc_array(MEM_OTHER, (size_t)n_layers * n_expert, sizeof(float), err);
    if (!evict->uses) return false;
    evict->nearness = mem_alloc_array(MEM_OTHER, (size_t)n_layers + 1, sizeof(float), err);
    if (!evict->nearness) {
        evict_destroy(evict);
        return false;
    }
    for (uint32_t i = 0; i <= n_layers; i++)
        evict->nearness[i] = 1 / (0.5f + (float)i / (float)n_layers);
    return true;
}

void evict_destroy(Evict *evict)
{
    mem_free(MEM_OTHER, evict->uses);
    mem_free(MEM_OTHER, evict->nearness);
    *evict = (Evict){0};
}

void evict_begin_pass(Evict *evict)
{
    evict->unit /= USES_DECAY;
    if (evict->unit < UNIT_MAX) return;
    for (size_t i = 0; i < (size_t)evict->n_layers * evict->n_expert; i++)
        evict->uses[i] /= evict->unit;
    evict->unit = 1;
}

void evict_use(Evict *evict, uint32_t block)
{
    evict->uses[block] += evict->unit;
}

void evict_warm(Evict *evict, uint32_t block, float share)
{
    evict->uses[block] = evict->unit * share / (1 - USES_DECAY);
}

float evict_value(const Evict *evict, uint32_t block, uint32_t layer)
{
    uint32_t home = block / evict->n_expert;
    uint32_t distance = home > layer ? home - layer : home + evict->n_layers - layer;

    assert(layer < evict->n_layers);
    return (evict->uses[block] / evict->unit + USES_FLOOR) * evict->nearness[distance];
}
