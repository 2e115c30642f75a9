/* The governor: gives cache memory back while memory is short, and takes it again when it no
 * longer is. It has no thread: whoever computes asks it between layers, and it looks at the
 * kernel's figures a few times a second (sys/pressure.h). Tokens stay the same. */
#ifndef HYPURA_ENGINE_GOVERNOR_H
#define HYPURA_ENGINE_GOVERNOR_H

#include "store/store.h"
#include "sys/pressure.h"

/* What is decided from; in bytes. */
typedef struct GovernorView {
    uint64_t room;  // that can still be had where it is least, as the kernel counts
    uint64_t limit; // of that place
    uint64_t owed;  // booked by this process and not touched yet: part of `room`, and spoken for
    uint64_t cache; // held now
    uint64_t cache_all; // by the budget: never more
    bool is_stalling;
    uint64_t now_ns;
} GovernorView;

/* What one look leaves for the next. */
typedef struct GovernorMemory {
    uint64_t fall;       // of the free room between two looks lately, by others' doing
    int64_t free_before; // room - owed at the last look
    bool knows_before;
    uint64_t pressed_at_ns; // when room was last too small; 0: never
} GovernorMemory;

typedef struct Governor {
    Pressure pressure;
    Store *store;            // borrowed; NULL: there is nothing to govern
    uint64_t unbooked_bytes; // of the process, beside what the ledger books
    uint64_t cache_all;
    uint64_t next_look_ns;
    uint64_t given_back_bytes, taken_again_bytes; // of the cache, since governor_init
    GovernorMemory memory;
} Governor;

/*
 * How much the cache may hold, from what is seen; it changes `memory` alone.
 *
 * Less than a margin of the limit left: the cache shrinks until there is that and a quarter.
 * The margin is a thirty-second of the limit, at least 16 MiB and at most 512, so that a limit of
 * the budget and 5 % (or 32 MiB) is no pressure by itself; it doubles while tasks stall, and
 * grows by twice what others have lately taken between two looks: they may take as much again
 * before the next one. More than that left for two seconds: the cache grows, a sixteenth at a
 * look.
 */
uint64_t governor_decide(GovernorMemory *memory, const GovernorView *view);

/*
 * Until the next look: a quarter of a second; a fortieth while less than twice the margin is left,
 * and while more than the margin is booked and not touched yet, which others take for free.
 */
uint64_t governor_pause_ns(const GovernorMemory *memory, const GovernorView *view);

/* Opens what there is to look at below `root` ("": the machine). `unbooked` is what the process
 * holds beside the ledger's bookings. The store outlives the governor's use. */
void governor_init(Governor *governor, Store *store, uint64_t unbooked_bytes, const char *root);
void governor_close(Governor *governor); // a zeroed one is fine

/* Looks, if it is time to, and acts. Only where store_set_cache_limit is allowed. */
void governor_poll(Governor *governor);

#endif
