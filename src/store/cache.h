/* The expert cache: slots in size classes, shared by all layers. A hit is a slot that is
 * READY when the router has spoken; all misses are asked for at once, and blocks are handed
 * out as they arrive, hits first.
 *
 * One call at a time: cache_begin says what is needed, cache_next hands it out wave by
 * wave, cache_done takes a wave back. A block that the call needs and has not given back is
 * `wanted` and never evicted; what is evicted is the least valuable of the others (evict.h). */
#ifndef HYPURA_STORE_CACHE_H
#define HYPURA_STORE_CACHE_H

#include "store/evict.h"
#include "store/heat.h"
#include "store/mover.h"
#include "store/places.h"
#include "store/residency.h"
#include "store/store.h"

#define CACHE_NO_SLOT UINT32_MAX

typedef struct CacheClass {
    uint64_t slot_bytes;
    uint32_t first_slot;
    uint32_t n_slots;        // in use, the first of
    uint32_t n_slots_placed; // those that have a place (cache_shrink.h)
    uint32_t n_looked_at;    // slots that cache_fill has passed
} CacheClass;

/* One expert of the call under way. */
typedef struct CacheWant {
    uint32_t block;
    uint32_t size_class;
    uint32_t slot; // CACHE_NO_SLOT: waits for one
    bool is_given;
} CacheWant;

typedef struct Cache {
    const BlockMap *map; // borrowed
    uint32_t alignment;
    Slot *slots;      // [n_slots]
    bool *is_wanted;  // [n_slots] by the call under way
    uint32_t n_slots; // with a place
    CacheClass classes[RESIDENCY_CLASSES_MAX];
    uint32_t n_classes;
    uint32_t *slot_of; // [all experts]
    Evict evict;
    Heat heat;
    uint32_t *fill; // [n_fill] blocks to have before they are asked for, the most used first
    uint32_t n_fill, n_fill_done;
    uint64_t fill_bytes; // of them, begun in this pass
    bool is_token;       // the last call was of a pass of one row
    CacheWant *wants;    // [n_expert]; the call under way, in the caller's order
    uint32_t *order;     // [n_expert] wants in the order of the file
    uint32_t n_wants, n_given, n_unplaced;
    uint32_t layer;
    uint64_t n_hits, n_misses;
} Cache;

/* Slots in `places` as the plan says. On failure nothing is held. */
CHECKED bool cache_init(
    Cache *cache, const BlockMap *map, const Residency *plan, Places *places, Error *err);
void cache_destroy(Cache *cache);

/* Where every expert has a slot of its own: starts reading those that are in none, in the order
 * of a pass. */
void cache_load_all(Cache *cache, Mover *mover);

/* The heat has come from elsewhere: values follow it, and cache_fill begins. */
void cache_warm(Cache *cache);

/* Starts reading what the heat map puts first into slots that nobody has used yet, a few blocks
 * ahead of the drive: as MOVE_GUESS while tokens are made, so that none waits for it, and as
 * MOVE_LOAD before and during prompts. Cheap when there is nothing to do. */
void cache_fill(Cache *cache, Mover *mover);

void cache_begin_pass(Cache *cache);

/* The contract of store_experts_begin, _next and _done (store.h). */
void cache_begin(Cache *cache, Mover *mover, const ExpertCall *call);
CHECKED bool cache_next(Cache *cache, Mover *mover, ExpertWave *wave, Error *err);
void cache_done(Cache *cache, const ExpertWave *wave);

/* Ends the call under way: nothing is wanted or pinned, reads that were demanded are cancelled. */
void cache_abort(Cache *cache, Mover *mover);

#endif
