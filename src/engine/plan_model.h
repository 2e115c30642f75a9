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

/* `facts` NULL: there are none. BUDGET: the budget does not do. */
CHECKED bool plan_of_loaded(const Loaded *loaded, const Facts *facts,
    const hypura_plan_options *options, hypura_plan *out, Error *err);

#endif
