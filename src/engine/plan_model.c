/* Numbers of a model for plan.c. The residency is made anew by the function that divides the
 * budget for a run, so the two cannot differ. */
#include "engine/plan_model.h"

#include <assert.h>

#include "engine/plan_hits.h"
#include "store/ring.h"
#include "sys/cpu.h"

/* ---- what passes consist of ---- */

static void add_matrix(double bytes[QUANT_TYPES_END], const Matrix *matrix)
{
    if (matrix->tensor) bytes[matrix->type] += (double)matrix->row_bytes * matrix->n_out;
}

static void add_layer(const LayerWeights *layer, uint32_t n_expert, PlanModel *out)
{
    const Matrix *matrices[] = {&layer->q, &layer->k, &layer->v, &layer->o, &layer->gate,
        &layer->up, &layer->down, &layer->router};

    for (size_t i = 0; i < COUNT(matrices); i++) add_matrix(out->body_bytes, matrices[i]);
    for (size_t i = 0; n_expert > 0 && i < EXPERT_PROJECTIONS; i++) {
        const ExpertMatrix *matrix = &layer->experts[i];
        out->expert_bytes[matrix->type] += (double)matrix->expert_bytes * n_expert;
    }
}

void plan_describe_model(
    const Weights *weights, const Shape *shape, const BlockMap *map, KvType kv, PlanModel *out)
{
    KvShape state = {
        .type = kv, .n_head_kv = shape->n_head_kv, .d_k = shape->d_k, .d_v = shape->d_v};
    uint32_t n_positions = 256; // a page

    *out = (PlanModel){.n_layer = shape->n_layer,
        .n_expert_layers = map->n_expert_layers,
        .n_expert = map->n_expert,
        .n_expert_used = map->n_expert > 0 ? map->n_expert_used : 0,
        .row_bytes = map->rows.first_row.n_bytes,
        .position_bytes = state_pool_bytes(&state, shape->n_layer, n_positions, 1) / n_positions};
    for (uint32_t i = 0; i < weights->n_layer; i++)
        add_layer(&weights->layers[i], map->n_expert, out);
    add_matrix(out->head_bytes, &weights->head);
}

/* ---- where they lie ---- */

void plan_describe_places(const BlockMap *map, const Residency *residency, PlanPlaces *out)
{
    uint64_t n_streamed = 0, expert_bytes = 0, n_reads = 0, span_bytes = 0;
    uint32_t n_experts = blocks_n_experts(map);

    *out = (PlanPlaces){.stream_depth = residency->n_ring_slots,
        .rows_are_resident = map->rows.is_dense || residency->rows_bytes > 0};
    for (uint32_t i = 0; i < map->n_dense; i++) {
        bool stays = residency->dense_is_resident[i];
        n_streamed += !stays;
        *(stays ? &out->resident_bytes : &out->streamed_bytes) += map->dense[i].extent.n_bytes;
        span_bytes += extent_span_bytes(&map->dense[i].extent, residency->alignment);
    }
    for (uint32_t i = 0; i < n_experts; i++) {
        expert_bytes += expert_payload_bytes(&map->experts[i]);
        n_reads += map->experts[i].n_extents;
        for (uint32_t k = 0; k < map->experts[i].n_extents; k++)
            span_bytes += extent_span_bytes(&map->experts[i].extents[k], residency->alignment);
    }
    for (uint32_t i = 0; i < residency->n_classes; i++)
        out->n_expert_slots += residency->classes[i].n_slots;
    uint64_t payload_bytes = out->resident_bytes + out->streamed_bytes + expert_bytes;
    out->widening = (double)span_bytes / (double)payload_bytes;
    if (n_streamed > 0) out->stream_read_bytes = (uint32_t)(out->streamed_bytes / n_streamed);
    if (n_streamed == 0 && map->n_dense > 0)
        out->stream_read_bytes = (uint32_t)(out->resident_bytes / map->n_dense);
    if (out->stream_depth == 0) out->stream_depth = RING_SLOTS_MAX;
    if (n_reads == 0) return;
    out->expert_read_bytes = (uint32_t)(expert_bytes / n_reads);
    out->n_expert_reads = (uint32_t)(n_reads / n_experts);
}

static void add_tier(hypura_plan *plan, const char *name, uint64_t n_bytes, uint64_t n_blocks)
{
    if (n_blocks == 0) return;
    assert(plan->n_tiers < HYPURA_TIERS_MAX);
    plan->tiers[plan->n_tiers++] =
        (hypura_tier){.name = name, .n_bytes = n_bytes, .n_blocks = n_blocks};
}

static void fill_tiers(const BlockMap *map, const Residency *residency, hypura_plan *plan)
{
    uint64_t n_resident = 0, streamed_bytes = 0, expert_bytes = 0, n_slots = 0;
    uint32_t n_experts = blocks_n_experts(map);

    for (uint32_t i = 0; i < map->n_dense; i++) {
        n_resident += residency->dense_is_resident[i];
        if (!residency->dense_is_resident[i]) streamed_bytes += map->dense[i].extent.n_bytes;
    }
    for (uint32_t i = 0; i < n_experts; i++) expert_bytes += expert_payload_bytes(&map->experts[i]);
    for (uint32_t i = 0; i < residency->n_classes; i++) n_slots += residency->classes[i].n_slots;
    uint64_t away_bytes = n_experts > 0 ? expert_bytes / n_experts * (n_experts - n_slots) : 0;

    add_tier(plan, "trunk", residency->trunk_bytes, map->n_trunk);
    add_tier(plan, "resident", residency->dense_bytes + residency->rows_bytes, n_resident);
    add_tier(plan, "cache", residency->expert_bytes, n_slots);
    add_tier(plan, "ring", residency->n_ring_slots * residency->ring_slot_bytes,
        residency->n_ring_slots);
    add_tier(plan, "drive", streamed_bytes + away_bytes,
        map->n_dense - n_resident + n_experts - n_slots);
}

/* ---- together ---- */

static void fill_budgets(const Loaded *loaded, const Residency *residency, hypura_plan *plan)
{
    plan->budget.memory = loaded->memory.limit;
    plan->budget.state = loaded->memory.state;
    plan->budget.scratch = loaded->memory.scratch;
    plan->budget.weights = residency->allowed_bytes;
    plan->budget.trunk = residency->trunk_bytes;
    plan->budget.cache = residency_cache_bytes(residency);
    plan->budget.ring = residency->n_ring_slots * residency->ring_slot_bytes;
    plan->weight_bytes = loaded->map.weight_bytes;
}

static bool make_residency(
    const Loaded *loaded, const hypura_plan_options *options, Residency *residency, Error *err)
{
    const BlockMap *map = &loaded->map;
    uint64_t room = loaded->memory.room;

    if (!residency_plan(residency, map, loaded->alignment, &loaded->weights_budget, room, err))
        return false;
    if (options->more_bytes == 0) return true;
    Budget more = {.unit = BUDGET_BYTES, .n_bytes = residency->allowed_bytes + options->more_bytes};
    residency_destroy(residency);
    return residency_plan(residency, map, loaded->alignment, &more, 0, err);
}

bool plan_of_loaded(const Loaded *loaded, const Facts *facts, const hypura_plan_options *options,
    hypura_plan *out, Error *err)
{
    hypura_plan plan = {.size_bytes = sizeof plan};
    PlanModel model;
    PlanPlaces places;
    Residency residency;

    if (options->n_prompt >= loaded->n_ctx)
        return error_set(err, ERROR_CONTEXT_FULL,
            "a prompt of %u tokens; the context has room for %u", options->n_prompt, loaded->n_ctx);
    if (!make_residency(loaded, options, &residency, err)) return false;
    plan_describe_model(&loaded->weights, &loaded->shape, &loaded->map, loaded->kv_type, &model);
    plan_describe_places(&loaded->map, &residency, &places);
    uint32_t n_cores = cpu_usable_cores();
    // More threads than cores compute nothing more.
    PlanMachine machine = {.facts = facts,
        .n_threads = loaded->n_threads < n_cores ? loaded->n_threads : n_cores,
        .n_ubatch = loaded->n_ubatch,
        .given = *options};
    if (machine.given.n_prompt == 0 && loaded->n_ctx <= PLAN_PROMPT_DEFAULT)
        machine.given.n_prompt = loaded->n_ctx > 1 ? loaded->n_ctx - 1 : 1;
    if (!plan_heat_hits(&loaded->heat_found, model.n_expert_used, places.n_expert_slots,
            &machine.heat_hits, &machine.heat, err)) {
        residency_destroy(&residency);
        return false;
    }
    fill_budgets(loaded, &residency, &plan);
    fill_tiers(&loaded->map, &residency, &plan);
    plan_make(&model, &places, &machine, &plan);
    plan.n_threads = loaded->n_threads;
    residency_destroy(&residency);
    *out = plan;
    return true;
}
