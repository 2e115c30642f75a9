/* How many of a mixture's choices fall on experts that are in memory, and how many experts several
 * rows of a pass choose together: both follow from how unequal the choices are. */
#ifndef HYPURA_ENGINE_PLAN_HITS_H
#define HYPURA_ENGINE_PLAN_HITS_H

#include "engine/plan.h"
#include "store/heat.h"

/* Of published traces, for a model whose tokens use that share of its experts. */
void plan_published_popularity(const PlanModel *model, PlanPopularity *out);

/* The share of experts asked for that is in memory, when n_slots of all n experts are kept and
 * nothing is known of the choices but published traces. low: choices without skew. */
hypura_range plan_published_hits(const PlanModel *model, uint32_t n_slots);

/* What a heat map says: the hits when the n_slots experts that it holds used most are kept, and
 * the popularity of all. expected 0, n 0: it does not know. OUT_OF_MEMORY. */
CHECKED bool plan_heat_hits(const Heat *heat, uint32_t n_expert_used, uint32_t n_slots,
    hypura_range *hits, PlanPopularity *popularity, Error *err);

/* Of all experts, the share that n_rows rows choose together, each by itself a share of `used`;
 * and of all experts, those among these that are not of the most used `kept`. */
typedef struct PlanUnion {
    double touched, missed;
} PlanUnion;
PlanUnion plan_union(const PlanPopularity *popularity, double used, double n_rows, double kept);

#endif
