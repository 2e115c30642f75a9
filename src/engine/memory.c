/* The division of one budget. The program itself (code, vocabulary, stacks) is measured, state
 * and scratch follow from the shape, and the weights get the rest. */
#include "engine/memory.h"

#include <inttypes.h>

#include "sys/process.h"

#define GRAIN_BYTES          (1ull << 20)  // the program's own part differs by less from run to run
#define MARGIN_BYTES         (6ull << 20)  // what libraries and the kernel may still take for us
#define WORKER_BYTES         (64ull << 10) // touched part of a worker's stack
#define RESERVE_BYTES_MIN    (1ull << 30)
#define MEMORY_UNKNOWN_BYTES (4ull << 30) // where the machine does not say how much it has

static uint64_t reserve_bytes(const Budget *reserve, uint64_t available)
{
    uint64_t n_bytes = available / 8 > RESERVE_BYTES_MIN ? available / 8 : RESERVE_BYTES_MIN;

    // A small machine or container is shared evenly rather than refused.
    if (n_bytes > available / 2) n_bytes = available / 2;
    if (reserve->unit == BUDGET_BYTES) n_bytes = reserve->n_bytes;
    if (reserve->unit == BUDGET_PERCENT)
        n_bytes = (uint64_t)((double)available * reserve->percent / 100);
    return n_bytes;
}

static bool limit_of(const Budget *memory, const Budget *reserve, uint64_t *limit, Error *err)
{
    uint64_t total = machine_memory();
    // What the process holds already is part of its budget.
    uint64_t available = machine_available_memory() + process_memory();

    switch (memory->unit) {
    case BUDGET_BYTES: *limit = memory->n_bytes; return true;
    case BUDGET_PERCENT:
        *limit =
            (uint64_t)((double)(total > 0 ? total : MEMORY_UNKNOWN_BYTES) * memory->percent / 100);
        return true;
    case BUDGET_MIN:
    case BUDGET_ALL: return error_set(err, ERROR_USAGE, "--memory takes a size or a percentage");
    case BUDGET_DEFAULT: break;
    }
    if (machine_available_memory() == 0) available = MEMORY_UNKNOWN_BYTES;
    uint64_t kept = reserve_bytes(reserve, available);
    *limit = available > kept ? available - kept : 0;
    return true;
}

bool memory_plan(MemoryPlan *out, const Budget *memory, const Budget *reserve,
    const MemoryNeeds *needs, Error *err)
{
    MemoryPlan plan = {.is_stated = memory->unit != BUDGET_DEFAULT, .state = needs->state};
    ScratchSizes scratch = needs->scratch;
    uint32_t n_rows_min = needs->n_sequences > 0 ? needs->n_sequences : 1;
    char limit_text[24];

    if (!limit_of(memory, reserve, &plan.limit, err)) return false;
    uint64_t held = process_memory();
    plan.unbooked = held > ledger_total() ? held - ledger_total() : 0;
    // What a model before this one booked and has not touched yet, it will touch.
    if (plan.unbooked < needs->unbooked_min) {
        plan.unbooked = needs->unbooked_min;
        held = plan.unbooked + ledger_total();
    }
    plan.process = size_align_up(held, GRAIN_BYTES) + MARGIN_BYTES + needs->store_tables
                   + scratch.n_workers * WORKER_BYTES;
    for (;; scratch.n_rows = scratch.n_rows / 2 > n_rows_min ? scratch.n_rows / 2 : n_rows_min) {
        plan.scratch = scratch_bytes(needs->shape, &scratch);
        uint64_t fixed = plan.process + plan.state + plan.scratch + needs->beside;
        if (plan.limit >= fixed && plan.limit - fixed >= needs->weights_min) {
            plan.room = plan.limit - fixed;
            plan.n_rows = scratch.n_rows;
            *out = plan;
            return true;
        }
        if (scratch.n_rows == n_rows_min) {
            // One grain more, so that the number does in the next run, too.
            uint64_t need = size_align_up(fixed + needs->weights_min, GRAIN_BYTES) + GRAIN_BYTES;
            return error_set(err, ERROR_BUDGET,
                "%s of memory do not do; %" PRIu64 "M would (weights %" PRIu64
                " bytes, keys and values %" PRIu64 ", a pass %" PRIu64 ", the program %" PRIu64
                "); a smaller --ctx%s takes less",
                size_format(plan.limit, limit_text), need >> 20, needs->weights_min, plan.state,
                plan.scratch, plan.process, n_rows_min > 1 ? " or --parallel" : "");
        }
    }
}
