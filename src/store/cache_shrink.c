/* Slots leave use from the end of their class, so that what is given back is one run of memory:
 * single slots would leave holes of less than a huge page, and these are not free. What was worth
 * more than something that stays takes its place: a copy takes a tenth of the time of a read. */
#include "store/cache_shrink.h"

#include <assert.h>
#include <string.h>

#define VALUE_OF_EMPTY (-1.0f)

/* What is lost when the slot is filled with something else. */
static float value_of(const Cache *cache, uint32_t index)
{
    const Slot *slot = &cache->slots[index];

    if (slot->state == SLOT_FREE) return VALUE_OF_EMPTY;
    return evict_value(&cache->evict, slot->block, cache->layer);
}

/* The slot of least value, of those that can be filled; CACHE_NO_SLOT: none can. */
static uint32_t find_least(const Cache *cache, uint32_t first, uint32_t n)
{
    uint32_t least = CACHE_NO_SLOT;

    for (uint32_t i = first; i < first + n; i++) {
        SlotState state = cache->slots[i].state;
        if (state == SLOT_LOADING || state == SLOT_DOOMED) continue;
        if (least == CACHE_NO_SLOT || value_of(cache, i) < value_of(cache, least)) least = i;
    }
    return least;
}

static void forget(Cache *cache, Slot *slot)
{
    if (slot->block != SLOT_NO_BLOCK) cache->slot_of[slot->block] = CACHE_NO_SLOT;
    slot->block = SLOT_NO_BLOCK;
    if (slot->state == SLOT_READY) slot_move(slot, SLOT_FREE);
}

/* The bytes of a READY slot go to another of the same class, whose own are forgotten. */
static void move_block(Cache *cache, uint32_t from, uint32_t to, uint64_t n_bytes)
{
    Slot *source = &cache->slots[from], *target = &cache->slots[to];

    forget(cache, target);
    memcpy(target->data, source->data, n_bytes);
    slot_move(target, SLOT_LOADING);
    target->read = source->read;
    source->read.payload_bytes = 0; // counted once, in its new slot
    slot_move(target, SLOT_READY);
    target->block = source->block;
    forget(cache, source);
    cache->slot_of[target->block] = to;
}

/* The value of what stays never falls while blocks move, so a block that is worth no more than
 * the least of them was needs no look at all slots. */
static void save_valuable(Cache *cache, const CacheClass *size_class, uint32_t n_kept)
{
    uint32_t first = size_class->first_slot;
    evict_look_at_all(&cache->evict, cache->layer);
    uint32_t least = find_least(cache, first, n_kept);

    for (uint32_t i = first + n_kept; i < first + size_class->n_slots; i++) {
        if (least == CACHE_NO_SLOT) return;
        if (cache->slots[i].state != SLOT_READY) continue;
        if (value_of(cache, i) <= value_of(cache, least)) continue;
        move_block(cache, i, least, size_class->slot_bytes);
        least = find_least(cache, first, n_kept);
    }
}

bool cache_keep(Cache *cache, Mover *mover, CacheClass *size_class, uint32_t n, Error *err)
{
    uint32_t end = size_class->first_slot + size_class->n_slots;

    assert(n >= 1);
    assert(n <= size_class->n_slots_placed);
    assert(cache->n_given == cache->n_wants);
    if (n < size_class->n_slots) save_valuable(cache, size_class, n);
    for (uint32_t i = size_class->first_slot + n; i < end; i++) {
        Slot *slot = &cache->slots[i];
        if (slot->state == SLOT_LOADING) mover_cancel(mover, slot);
        forget(cache, slot);
    }
    for (uint32_t i = size_class->first_slot + n; i < end; i++)
        while (cache->slots[i].state == SLOT_DOOMED)
            if (!mover_wait(mover, err)) return false;
    size_class->n_slots = n;
    return true;
}
