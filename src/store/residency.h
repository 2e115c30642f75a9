/* The plan: how a budget for weights becomes memory. What stays, what streams, and how
 * many slots experts get. Made once, before anything is allocated. */
#ifndef HYPURA_STORE_RESIDENCY_H
#define HYPURA_STORE_RESIDENCY_H

#include "base/size.h"
#include "store/blocks.h"

#define RESIDENCY_CLASSES_MAX 16

/* Experts whose places have one size. Layers of one model differ: their types do. */
typedef struct ExpertClass {
    uint64_t slot_bytes;
    uint32_t n_blocks;
    uint32_t n_slots;
} ExpertClass;

/* All bytes are of places: payload, widening, tail. */
typedef struct Residency {
    uint32_t alignment;
    uint64_t allowed_bytes; // what the budget came to
    uint64_t minimum_bytes; // the least that runs
    uint64_t all_bytes;     // everything resident
    uint64_t trunk_bytes;
    uint64_t dense_all_bytes;                   // every dense block
    uint64_t dense_bytes;                       // the resident ones
    bool *dense_is_resident;                    // [n_dense], owned
    uint64_t ring_slot_bytes;                   // holds any dense block
    uint32_t n_ring_slots;                      // 0: nothing streams
    ExpertClass classes[RESIDENCY_CLASSES_MAX]; // ascending slot_bytes
    uint32_t n_classes;
    uint64_t expert_bytes; // of all slots
    // The row table, where it is not among the dense blocks: an image of its span of the file.
    uint64_t rows_all_bytes;
    uint64_t rows_bytes; // rows_all_bytes or 0
} Residency;

/*
 * Divides the budget, in this order: trunk; two ring slots if anything must stream; slots
 * for one layer's used experts, or for what fits of them; dense blocks, since every pass
 * touches them, spread evenly over the pass by bytes; more experts.
 *
 * room_bytes caps the budget (0: no cap). BUDGET names the number that would do. On failure
 * nothing is held; else residency_destroy ends the plan.
 */
CHECKED bool residency_plan(Residency *plan, const BlockMap *map, uint32_t alignment,
    const Budget *budget, uint64_t room_bytes, Error *err);
void residency_destroy(Residency *plan);

/* Bytes of the cache: resident dense blocks, row table, expert slots. */
uint64_t residency_cache_bytes(const Residency *plan);

#endif
