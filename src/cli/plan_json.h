/* Bounds, ranges and budgets as the JSON of statistics, plan and bench writes them. */
#ifndef HYPURA_CLI_PLAN_JSON_H
#define HYPURA_CLI_PLAN_JSON_H

#include "base/json.h"
#include "hypura/hypura.h"

/* {drive_per_s, memory_per_s, compute_per_s, layers_per_s, name}. */
Json *bound_json(const hypura_bound *bound);

/* {memory, weights, trunk, cache, ring, state, scratch}, in bytes. */
Json *budget_json(const hypura_budget *budget);

/* {low, expected, high}, each times `factor`. */
Json *range_json(const hypura_range *range, double factor);

/* All of a plan, as members of `out`. */
void plan_set_json(Json *out, const hypura_plan *plan);

#endif
