/* What to expect of a model on a machine within a budget: bytes a token, speeds as intervals, and
 * what bounds them (docs/tiers.md). Pure: numbers in, numbers out; plan_model.c finds the numbers
 * of a model that is open. A pass computes a token of each of the prompts that share it. */
#ifndef HYPURA_ENGINE_PLAN_H
#define HYPURA_ENGINE_PLAN_H

#include "engine/facts.h"
#include "hypura/hypura.h"

#define PLAN_PROMPT_DEFAULT 512 // tokens

/* What passes consist of; of the file alone. By type, since compute depends on it. */
typedef struct PlanModel {
    double body_bytes[QUANT_TYPES_END];   // matrices outside experts and head, routers included
    double head_bytes[QUANT_TYPES_END];   // needed by rows that want logits
    double expert_bytes[QUANT_TYPES_END]; // all experts of all layers
    uint64_t row_bytes;                   // of the embedding; 0: its rows are the head's
    uint64_t position_bytes;              // keys and values of one position
    uint32_t n_layer, n_expert_layers, n_expert, n_expert_used;
} PlanModel;

/* Where the budget leaves it. Payload, without places' padding. */
typedef struct PlanPlaces {
    uint64_t resident_bytes, streamed_bytes; // of dense blocks
    uint32_t stream_read_bytes;              // of one read, on average
    uint32_t stream_depth;
    uint32_t n_expert_slots;
    uint32_t expert_read_bytes, n_expert_reads; // an expert is so many reads
    double widening; // bytes that reads move for each byte of payload, 1 or more; 0: 1
    bool rows_are_resident;
} PlanPlaces;

#define PLAN_POPULARITY_MAX 65

/* Of the most used `share` of all experts, `mass` of all choices; from 0, 0 to 1, 1. */
typedef struct PlanPopularity {
    double share[PLAN_POPULARITY_MAX], mass[PLAN_POPULARITY_MAX];
    uint32_t n; // points; 0: nothing is known
} PlanPopularity;

/* What the machine does. What is given (not 0) goes before the facts, and these before a guess. */
typedef struct PlanMachine {
    const Facts *facts; // NULL: profile never ran here
    uint32_t n_threads, n_ubatch;
    hypura_plan_options given;
    hypura_range heat_hits; // of experts, by a heat map; expected 0: there is none
    PlanPopularity heat;    // by the same
} PlanMachine;

/* Fills what follows from these: everything but budgets and tiers. */
void plan_make(const PlanModel *model, const PlanPlaces *places, const PlanMachine *machine,
    hypura_plan *plan);

#endif
