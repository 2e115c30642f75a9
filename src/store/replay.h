/* Recorded accesses through cache policies at other budgets, so that policy is measured and not
 * argued. The simulated cache is that of cache.h: one pool of slots over all layers, a call's
 * experts needed together, and what a call needs never evicted by it. */
#ifndef HYPURA_STORE_REPLAY_H
#define HYPURA_STORE_REPLAY_H

#include "store/trace.h"

// clang-format off
#define REPLAY_POLICIES(X) \
    X(HYPURA,           "hypura")           /* evict.h, the cache's own */ \
    X(LRU,              "lru")              /* least recently used */ \
    X(LFU,              "lfu")              /* least often used, cached or not */ \
    X(DECAYED,          "lfu-decayed")      /* counts lose a twentieth a pass */ \
    X(DECAYED_DISTANCE, "decayed-distance") /* against the layers until its own comes again */ \
    X(BELADY,           "belady")           /* farthest next use: the optimum, knows what comes */ \
    X(STATIC,           "static")           /* the best fixed set, filled beforehand */
// clang-format on

#define X(id, name) REPLAY_##id,
typedef enum ReplayPolicy { REPLAY_POLICIES(X) REPLAY_POLICIES_END } ReplayPolicy;
#undef X

typedef struct ReplayResult {
    uint64_t n_slots; // budget / mean bytes of an expert
    uint64_t n_uses;  // experts of decode calls
    uint64_t n_hits;
    uint64_t missed_bytes;
} ReplayResult;

const char *replay_policy_name(ReplayPolicy policy);

/* The least budget that holds the experts of every decode call. */
uint64_t replay_minimum_bytes(const Trace *trace);

/* Decode calls alone, from a cold cache of budget_bytes. BUDGET: it can't hold the experts of
 * every call; the message says what would. */
CHECKED bool replay_run(
    const Trace *trace, ReplayPolicy policy, uint64_t budget_bytes, ReplayResult *out, Error *err);

#endif
