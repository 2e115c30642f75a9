/* The plan of a model that is open: its blocks, its budget, what is known of this machine. */
#ifndef HYPURA_ENGINE_PLAN_MODEL_H
#define HYPURA_ENGINE_PLAN_MODEL_H

#include "engine/loaded.h"
#include "engine/plan.h"
#include "store/residency.h"

/* What passes consist of. */
void plan_describe_model(
    const Weights *weights, const Shape *shape, const BlockMap *map, KvType kv, PlanModel *out);

/* Where a residency leaves the blocks. */
void plan_describe_places(const BlockMap *map, const Residency *residency, PlanPlaces *out);

/* Hits when the n_slots blocks that the heat map holds used most are kept; expected 0: it does
 * not know. OUT_OF_MEMORY. */
CHECKED bool plan_heat_hits(
    const Heat *heat, uint32_t n_expert_used, uint32_t n_slots, hypura_range *out, Error *err);

/* `facts` NULL: there are none. BUDGET: the budget does not do. */
CHECKED bool plan_of_loaded(const Loaded *loaded, const Facts *facts,
    const hypura_plan_options *options, hypura_plan *out, Error *err);

#endif
