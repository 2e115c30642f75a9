/* How a memory budget is divided before anything large is allocated. */
#ifndef HYPURA_ENGINE_MEMORY_H
#define HYPURA_ENGINE_MEMORY_H

#include "base/size.h"
#include "model/scratch.h"

/* What a model asks for; all in bytes. */
typedef struct MemoryNeeds {
    uint64_t state;        // keys and values of all sequences
    uint64_t weights_min;  // the least that runs
    uint64_t store_tables; // bookkeeping of blocks
    uint64_t beside;       // kept for another model that comes after this one
    uint64_t unbooked_min; // of the process, beside the ledger, where a model came before it
    const Shape *shape;
    ScratchSizes scratch; // for the rows wanted
    uint32_t n_sequences; // a pass has a row for each, at least
} MemoryNeeds;

typedef struct MemoryPlan {
    uint64_t limit;          // whole process
    bool is_stated;          // by the user
    uint64_t unbooked;       // held by the process now, beside what the ledger books
    uint64_t process;        // held before the weights: program, vocabulary, stacks, and a margin
    uint64_t state, scratch; // booked
    uint64_t room;           // left for weights
    uint32_t n_rows;         // rows of a pass: as wanted, or fewer where the budget asks for it
} MemoryPlan;

/*
 * `memory`: bytes, percent of physical memory, or default: what is available now less
 * `reserve` (default: the larger of 1 GiB and an eighth, but no more than half). Fewer rows a
 * pass are tried before giving up (a row's bits do not depend on it). BUDGET: names the number
 * that would do.
 */
CHECKED bool memory_plan(MemoryPlan *out, const Budget *memory, const Budget *reserve,
    const MemoryNeeds *needs, Error *err);

#endif
