/* The document of docs/cli.md, "plan". */
#include "cli/plan_json.h"

#include <math.h>

Json *bound_json(const hypura_bound *bound)
{
    Json *out = json_object();

    json_set_f64(out, "drive_per_s", bound->drive_per_s);
    json_set_f64(out, "memory_per_s", bound->memory_per_s);
    json_set_f64(out, "compute_per_s", bound->compute_per_s);
    json_set_f64(out, "layers_per_s", bound->layers_per_s);
    json_set(out, "name", bound->name ? json_text(view_of(bound->name)) : NULL);
    return out;
}

Json *range_json(const hypura_range *range, double factor)
{
    Json *out = json_object();

    json_set_f64(out, "low", range->low * factor);
    json_set_f64(out, "expected", range->expected * factor);
    json_set_f64(out, "high", range->high * factor);
    return out;
}

Json *budget_json(const hypura_budget *budget)
{
    Json *out = json_object();

    json_set_u64(out, "memory", budget->memory);
    json_set_u64(out, "weights", budget->weights);
    json_set_u64(out, "trunk", budget->trunk);
    json_set_u64(out, "cache", budget->cache);
    json_set_u64(out, "ring", budget->ring);
    json_set_u64(out, "state", budget->state);
    json_set_u64(out, "scratch", budget->scratch);
    return out;
}

static Json *tiers_json(const hypura_plan *plan)
{
    Json *out = json_list();

    for (uint32_t i = 0; i < plan->n_tiers; i++) {
        Json *tier = json_object();
        json_set_text(tier, "name", view_of(plan->tiers[i].name));
        json_set_u64(tier, "bytes", plan->tiers[i].n_bytes);
        json_set_u64(tier, "blocks", plan->tiers[i].n_blocks);
        json_add(out, tier);
    }
    return out;
}

static Json *ceilings_json(const hypura_plan *plan)
{
    Json *out = json_object();

    json_set_f64(out, "drive_bytes_per_s", plan->drive_bytes_per_s);
    json_set_f64(out, "memory_bytes_per_s", plan->memory_bytes_per_s);
    json_set_f64(out, "compute_bytes_per_s", plan->compute_bytes_per_s);
    json_set_bool(out, "drive_is_known", plan->drive_is_known);
    json_set_bool(out, "compute_is_known", plan->compute_is_known);
    return out;
}

void plan_set_json(Json *out, const hypura_plan *plan)
{
    json_set(out, "budget_bytes", budget_json(&plan->budget));
    json_set_u64(out, "weight_bytes", plan->weight_bytes);
    json_set_u64(out, "prompt_tokens", plan->n_prompt);
    json_set_u64(out, "threads", plan->n_threads);
    json_set_u64(out, "parallel", plan->n_parallel);
    json_set_f64(out, "pass_bytes_per_token", plan->pass_bytes_per_token);
    json_set_f64(out, "missing_bytes_per_token", plan->missing_bytes_per_token.expected);
    json_set(out, "missing_bytes_range", range_json(&plan->missing_bytes_per_token, 1));
    json_set(out, "hit_rate", range_json(&plan->hit_rate, 1));
    json_set(out, "prompt_per_s", range_json(&plan->prompt_per_s, 1));
    json_set(out, "generate_per_s", range_json(&plan->generate_per_s, 1));
    json_set(out, "generate_per_s_each", range_json(&plan->generate_per_s, 1.0 / plan->n_parallel));
    json_set(out, "first_token_ns", range_json(&plan->first_token_seconds, 1e9));
    json_set(out, "bound", bound_json(&plan->bound));
    json_set(out, "tiers", tiers_json(plan));
    json_set(out, "ceilings", ceilings_json(plan));
    json_set_bool(out, "experts_are_known", plan->experts_are_known);
}
