/* The simulated cache, and the policies as one row each: what a use changes, and what a cached
 * block is worth. The least valuable goes first; of equals, the one that came first.
 *
 * A budget buys slots of the mean expert's size, and hits are counted in blocks: so figures are
 * comparable between models, and with those published. Other policies see one use after the
 * other, as is usual in the literature. Ours is held to what the cache does: all uses of a call
 * at once, and what the call needs stays until it ends. Holding costs Belady up to 0.4 points. */
#include "store/replay.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "store/evict.h"

#define NONE  UINT32_MAX
#define NEVER UINT64_MAX
#define DECAY 0.95
#define FLOOR 0.3

typedef struct Replay {
    const Trace *trace;
    uint32_t n_blocks;
    uint32_t *slots;     // [n_slots] the block in it
    uint64_t *filled_at; // [n_slots] the use that brought it
    uint32_t *slot_of;   // [n_blocks]
    uint64_t n_slots, n_filled;
    uint64_t *wanted_by; // [n_blocks] the last call that needs it, plus 1
    double *score;       // [n_blocks] the policy's own: last use, count, next use
    uint64_t *next_call; // [trace->n_experts] of the use's block; NEVER. Belady's alone
    Evict evict;         // REPLAY_HYPURA's
    double unit;         // what a use counts now: grows, instead of decaying every score
    uint64_t call;       // under way
    uint32_t layer;      // of it
} Replay;

/* ---- policies ---- */

static void use_last(Replay *replay, uint32_t block, uint64_t use)
{
    replay->score[block] = (double)use;
}

static void use_count(Replay *replay, uint32_t block, uint64_t use)
{
    (void)use;
    replay->score[block] += replay->unit;
}

static void use_next(Replay *replay, uint32_t block, uint64_t use)
{
    uint64_t next = replay->next_call[use];
    replay->score[block] = next == NEVER ? -HUGE_VAL : -(double)next;
}

static double value_of_score(const Replay *replay, uint32_t block)
{
    return replay->score[block];
}

static void decay(Replay *replay)
{
    replay->unit /= DECAY;
    if (replay->unit < 1e200) return;
    for (uint32_t i = 0; i < replay->n_blocks; i++) replay->score[i] /= replay->unit;
    replay->unit = 1;
}

static double value_against_distance(const Replay *replay, uint32_t block)
{
    uint32_t n_layers = replay->trace->n_layers, home = block / replay->trace->n_expert;
    uint32_t distance =
        home > replay->layer ? home - replay->layer : home + n_layers - replay->layer;
    return (replay->score[block] / replay->unit + FLOOR) / (0.5 + (double)distance / n_layers);
}

static double value_own(const Replay *replay, uint32_t block)
{
    return (double)evict_value(&replay->evict, block, replay->layer);
}

#define X(id, text) [REPLAY_##id] = text,
static const char *const names[] = {REPLAY_POLICIES(X)};
#undef X

// clang-format off
static const struct {
    void (*begin_pass)(Replay *replay); // NULL: nothing
    void (*use)(Replay *replay, uint32_t block, uint64_t use);
    double (*value)(const Replay *replay, uint32_t block);
} policies[] = {
    [REPLAY_HYPURA]           = {NULL,      NULL,      value_own},
    [REPLAY_LRU]              = {NULL,      use_last,  value_of_score},
    [REPLAY_LFU]              = {NULL,      use_count, value_of_score},
    [REPLAY_DECAYED]          = {decay,     use_count, value_of_score},
    [REPLAY_DECAYED_DISTANCE] = {decay,     use_count, value_against_distance},
    [REPLAY_BELADY]           = {NULL,      use_next,  value_of_score},
    [REPLAY_STATIC]           = {NULL,      use_count, value_of_score},
};
// clang-format on

const char *replay_policy_name(ReplayPolicy policy)
{
    return names[policy];
}

/* ---- life ---- */

static bool make_tables(Replay *replay, Error *err)
{
    uint32_t n = replay->n_blocks;

    replay->slots = mem_alloc_array(MEM_OTHER, replay->n_slots, sizeof(uint32_t), err);
    if (!replay->slots) return false;
    replay->filled_at = mem_alloc_array(MEM_OTHER, replay->n_slots, sizeof(uint64_t), err);
    if (!replay->filled_at) return false;
    replay->slot_of = mem_alloc_array(MEM_OTHER, n, sizeof(uint32_t), err);
    if (!replay->slot_of) return false;
    replay->wanted_by = mem_alloc_array(MEM_OTHER, n, sizeof(uint64_t), err);
    if (!replay->wanted_by) return false;
    replay->score = mem_alloc_array(MEM_OTHER, n, sizeof(double), err);
    if (!replay->score) return false;
    for (uint32_t i = 0; i < n; i++) replay->slot_of[i] = NONE;
    return evict_init(&replay->evict, replay->trace->n_layers, replay->trace->n_expert, err);
}

static void destroy(Replay *replay)
{
    mem_free(MEM_OTHER, replay->slots);
    mem_free(MEM_OTHER, replay->filled_at);
    mem_free(MEM_OTHER, replay->slot_of);
    mem_free(MEM_OTHER, replay->wanted_by);
    mem_free(MEM_OTHER, replay->score);
    mem_free(MEM_OTHER, replay->next_call);
    evict_destroy(&replay->evict);
}

static uint32_t block_of(const Replay *replay, const TraceCall *call, uint32_t i)
{
    return call->layer * replay->trace->n_expert + replay->trace->experts[call->first + i];
}

/* For each use, the call that uses its block next; walks backwards. */
static bool look_ahead(Replay *replay, Error *err)
{
    const Trace *trace = replay->trace;

    replay->next_call = mem_alloc_array(MEM_OTHER, trace->n_experts, sizeof(uint64_t), err);
    if (!replay->next_call) return false;
    for (uint64_t c = trace->n_calls; c-- > 0;) {
        const TraceCall *call = &trace->calls[c];
        for (uint32_t i = 0; i < call->n && !call->is_prompt; i++) {
            uint64_t *seen = &replay->wanted_by[block_of(replay, call, i)]; // c + 1; 0: never
            replay->next_call[call->first + i] = *seen > 0 ? *seen - 1 : NEVER;
            *seen = c + 1;
        }
    }
    memset(replay->wanted_by, 0, replay->n_blocks * sizeof(uint64_t));
    return true;
}

/* ---- the cache ---- */

static void place(Replay *replay, uint64_t slot, uint32_t block, uint64_t use)
{
    if (slot < replay->n_filled)
        replay->slot_of[replay->slots[slot]] = NONE;
    else
        replay->n_filled++;
    replay->slots[slot] = block;
    replay->filled_at[slot] = use;
    replay->slot_of[block] = (uint32_t)slot;
}

/* A slot that the call under way may take: an empty one, else the least valuable block's. */
static uint64_t find_slot(const Replay *replay, ReplayPolicy policy)
{
    uint64_t found = NEVER;
    double least = HUGE_VAL;

    if (replay->n_filled < replay->n_slots) return replay->n_filled;
    for (uint64_t i = 0; i < replay->n_slots; i++) {
        uint32_t block = replay->slots[i];
        if (replay->wanted_by[block] == replay->call + 1) continue;
        double value = policies[policy].value(replay, block);
        bool is_first = found == NEVER || replay->filled_at[i] < replay->filled_at[found];
        if (found != NEVER && (value > least || (value == least && !is_first))) continue;
        found = i;
        least = value;
    }
    assert(found != NEVER); // n_slots is at least a call's experts
    return found;
}

/* As the cache does it (cache.c). */
static void use_all(Replay *replay, const TraceCall *call)
{
    bool misses = false;

    for (uint32_t i = 0; i < call->n; i++) {
        uint32_t block = block_of(replay, call, i);
        replay->wanted_by[block] = replay->call + 1;
        misses |= replay->slot_of[block] == NONE;
    }
    evict_call(&replay->evict, call->layer, replay->trace->experts + call->first, call->n);
    if (misses) evict_look(&replay->evict, call->layer);
}

static void run_call(Replay *replay, ReplayPolicy policy, const TraceCall *call, ReplayResult *out)
{
    replay->layer = call->layer;
    if (call->begins_pass && policy == REPLAY_HYPURA)
        evict_begin_pass(&replay->evict, replay->n_slots, out->n_uses - out->n_hits);
    if (call->begins_pass && policies[policy].begin_pass) policies[policy].begin_pass(replay);
    if (policy == REPLAY_HYPURA) use_all(replay, call);
    for (uint32_t i = 0; i < call->n; i++) {
        uint32_t block = block_of(replay, call, i);
        if (policies[policy].use) policies[policy].use(replay, block, call->first + i);
        out->n_uses++;
        if (replay->slot_of[block] != NONE) {
            out->n_hits++;
            continue;
        }
        out->missed_bytes += replay->trace->expert_bytes[call->layer];
        place(replay, find_slot(replay, policy), block, call->first + i);
    }
}

/* ---- the fixed set ---- */

typedef struct Counted {
    double score;
    uint32_t block;
} Counted;

static int more_used_first(const void *a, const void *b)
{
    const Counted *x = a, *y = b;

    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->block < y->block ? -1 : x->block > y->block;
}

/* Every use of a block outside of the set is a miss, and each time the bytes are read. */
static bool run_static(Replay *replay, ReplayResult *out, Error *err)
{
    const Trace *trace = replay->trace;
    Counted *counted = mem_alloc_array(MEM_OTHER, replay->n_blocks, sizeof(Counted), err);
    if (!counted) return false;

    for (uint64_t c = 0; c < trace->n_calls; c++)
        for (uint32_t i = 0; i < trace->calls[c].n && !trace->calls[c].is_prompt; i++)
            replay->score[block_of(replay, &trace->calls[c], i)] += 1;
    for (uint32_t i = 0; i < replay->n_blocks; i++)
        counted[i] = (Counted){.score = replay->score[i], .block = i};
    qsort(counted, replay->n_blocks, sizeof(Counted), more_used_first);
    for (uint32_t i = 0; i < replay->n_blocks; i++) {
        uint64_t n_uses = (uint64_t)counted[i].score;
        out->n_uses += n_uses;
        if (i < replay->n_slots)
            out->n_hits += n_uses;
        else
            out->missed_bytes += n_uses * trace->expert_bytes[counted[i].block / trace->n_expert];
    }
    mem_free(MEM_OTHER, counted);
    return true;
}

/* ---- a run ---- */

static double mean_bytes(const Trace *trace)
{
    return (double)trace_all_bytes(trace) / ((double)trace->n_layers * trace->n_expert);
}

uint64_t replay_minimum_bytes(const Trace *trace)
{
    uint32_t n = 1;

    for (uint64_t i = 0; i < trace->n_calls; i++)
        if (!trace->calls[i].is_prompt && trace->calls[i].n > n) n = trace->calls[i].n;
    return (uint64_t)ceil(n * mean_bytes(trace));
}

/* Slots that the budget buys. */
static bool count_slots(Replay *replay, uint64_t budget_bytes, Error *err)
{
    uint64_t minimum_bytes = replay_minimum_bytes(replay->trace);
    double n = floor((double)budget_bytes / mean_bytes(replay->trace) + 1e-6);

    if (budget_bytes < minimum_bytes)
        return error_set(err, ERROR_BUDGET,
            "%" PRIu64 " bytes do not hold the experts of one layer: %" PRIu64 " do", budget_bytes,
            minimum_bytes);
    replay->n_slots = n < replay->n_blocks ? (uint64_t)n : replay->n_blocks;
    return true;
}

bool replay_run(
    const Trace *trace, ReplayPolicy policy, uint64_t budget_bytes, ReplayResult *out, Error *err)
{
    Replay replay = {.trace = trace, .n_blocks = trace->n_layers * trace->n_expert, .unit = 1};
    ReplayResult result = {0};
    bool ok = count_slots(&replay, budget_bytes, err) && make_tables(&replay, err)
              && (policy != REPLAY_BELADY || look_ahead(&replay, err));

    if (ok && policy == REPLAY_STATIC) {
        ok = run_static(&replay, &result, err);
    } else if (ok) {
        for (; replay.call < trace->n_calls; replay.call++)
            if (!trace->calls[replay.call].is_prompt)
                run_call(&replay, policy, &trace->calls[replay.call], &result);
    }
    result.n_slots = replay.n_slots;
    destroy(&replay);
    if (ok) *out = result;
    return ok;
}
