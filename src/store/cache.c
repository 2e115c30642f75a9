/* Experts in slots.
 *
 * Invariants, checked by tests/store/test_cache.c after every operation:
 * - slot_of[b] is s exactly when slots[s].block is b;
 * - a slot with a block is LOADING, READY, or FREE with a failure; an empty one FREE or DOOMED;
 * - wanted slots hold blocks of the call under way; of these a wave pins READY ones.
 *
 * Misses are asked for expert by expert, in the order of the file, so that the first whole
 * expert arrives early and computing starts while the others fly. */
#include "store/cache.h"

#include <assert.h>

#include "base/mem.h"

#define CACHE_FIND_MAX 64 // slots found in one look over a class
// A token's share of filling. Pages that are touched first are cleared on the thread that submits,
// 0.2 to 0.3 ms a MiB: without a limit that showed in the slowest token.
#define FILL_BYTES_TOKEN ((uint64_t)32 << 20)
#define QUEUE_BLOCKS     24 // blocks under way keep the drive busy: each is some requests

/* ---- life ---- */

static void lay_out_slots(Cache *cache, const Residency *plan, Places *places)
{
    uint32_t slot = 0;

    cache->n_classes = plan->n_classes;
    for (uint32_t i = 0; i < plan->n_classes; i++) {
        const ExpertClass *size_class = &plan->classes[i];
        cache->classes[i] = (CacheClass){.slot_bytes = size_class->slot_bytes,
            .first_slot = slot,
            .n_slots = size_class->n_slots,
            .n_slots_placed = size_class->n_slots};
        for (uint32_t k = 0; k < size_class->n_slots; k++, slot++)
            cache->slots[slot] =
                (Slot){.data = places_take(places, size_class->slot_bytes), .block = SLOT_NO_BLOCK};
    }
}

bool cache_init(
    Cache *cache, const BlockMap *map, const Residency *plan, Places *places, Error *err)
{
    uint32_t n_experts = blocks_n_experts(map);

    *cache = (Cache){.map = map, .alignment = plan->alignment};
    for (uint32_t i = 0; i < plan->n_classes; i++) cache->n_slots += plan->classes[i].n_slots;
    if (n_experts == 0) return true;

    if (!evict_init(&cache->evict, map->n_expert_layers, map->n_expert, err)) goto fail;
    if (!heat_init(&cache->heat, map->n_expert_layers, map->n_expert, err)) goto fail;
    cache->fill = mem_alloc_array(MEM_OTHER, n_experts, sizeof(uint32_t), err);
    if (!cache->fill) goto fail;
    cache->slots = mem_alloc_array(MEM_OTHER, cache->n_slots, sizeof(Slot), err);
    if (!cache->slots) goto fail;
    cache->is_wanted = mem_alloc_array(MEM_OTHER, cache->n_slots, sizeof(bool), err);
    if (!cache->is_wanted) goto fail;
    cache->slot_of = mem_alloc_array(MEM_OTHER, n_experts, sizeof(uint32_t), err);
    if (!cache->slot_of) goto fail;
    cache->wants = mem_alloc_array(MEM_OTHER, map->n_expert, sizeof(CacheWant), err);
    if (!cache->wants) goto fail;
    cache->order = mem_alloc_array(MEM_OTHER, map->n_expert, sizeof(uint32_t), err);
    if (!cache->order) goto fail;

    for (uint32_t i = 0; i < n_experts; i++) cache->slot_of[i] = CACHE_NO_SLOT;
    lay_out_slots(cache, plan, places);
    return true;

fail:
    cache_destroy(cache);
    return false;
}

void cache_destroy(Cache *cache)
{
    evict_destroy(&cache->evict);
    heat_destroy(&cache->heat);
    mem_free(MEM_OTHER, cache->fill);
    mem_free(MEM_OTHER, cache->slots);
    mem_free(MEM_OTHER, cache->is_wanted);
    mem_free(MEM_OTHER, cache->slot_of);
    mem_free(MEM_OTHER, cache->wants);
    mem_free(MEM_OTHER, cache->order);
    *cache = (Cache){0};
}

/* ---- slots ---- */

static uint32_t class_of(const Cache *cache, uint32_t block)
{
    uint64_t n_bytes = expert_place_bytes(&cache->map->experts[block], cache->alignment);

    for (uint32_t i = 0; i < cache->n_classes; i++)
        if (cache->classes[i].slot_bytes >= n_bytes) return i;
    assert(false && "an expert larger than every class");
    return 0;
}

static void empty_slot(Cache *cache, Slot *slot)
{
    cache->slot_of[slot->block] = CACHE_NO_SLOT;
    slot->block = SLOT_NO_BLOCK;
}

/* What giving a slot to another block costs: nothing where it is empty or what was in it failed.
 * Negative: it can't be given, being wanted or a read's. */
static float slot_value(const Cache *cache, uint32_t index)
{
    const Slot *slot = &cache->slots[index];

    if (cache->is_wanted[index]) return -1; // pinned ones are wanted too
    if (slot->state == SLOT_FREE) return 0;
    return slot->state == SLOT_READY ? evict_value(&cache->evict, slot->block, cache->layer) : -1;
}

/* Up to n slots of the class for other blocks, the least valuable first; of equal ones the lower
 * index. One look at each slot, whatever n is. Returns how many. */
static uint32_t find_slots(
    const Cache *cache, const CacheClass *size_class, uint32_t n, uint32_t *found)
{
    float values[CACHE_FIND_MAX];
    uint32_t n_found = 0;

    for (uint32_t i = size_class->first_slot; i < size_class->first_slot + size_class->n_slots;
         i++) {
        float value = slot_value(cache, i);
        if (value < 0 || (n_found == n && value >= values[n - 1])) continue;
        uint32_t k = n_found < n ? n_found++ : n - 1;
        for (; k > 0 && values[k - 1] > value; k--) {
            values[k] = values[k - 1];
            found[k] = found[k - 1];
        }
        values[k] = value;
        found[k] = i;
    }
    return n_found;
}

static void fill_slot(
    Cache *cache, Mover *mover, uint32_t index, uint32_t block, MovePurpose purpose)
{
    const ExpertBlock *expert = &cache->map->experts[block];
    Slot *slot = &cache->slots[index];

    if (slot->state == SLOT_READY) slot_move(slot, SLOT_FREE);
    if (slot->block != SLOT_NO_BLOCK) empty_slot(cache, slot);
    slot->block = block;
    cache->slot_of[block] = index;
    mover_read(mover, slot, expert->extents, expert->n_extents, purpose);
}

void cache_load_all(Cache *cache, Mover *mover)
{
    uint32_t next[RESIDENCY_CLASSES_MAX] = {0};

    for (uint32_t block = 0; block < blocks_n_experts(cache->map); block++) {
        uint32_t size_class = class_of(cache, block);
        const CacheClass *slots = &cache->classes[size_class];
        if (cache->slot_of[block] != CACHE_NO_SLOT) continue;
        while (cache->slots[slots->first_slot + next[size_class]].block != SLOT_NO_BLOCK)
            next[size_class]++;
        assert(next[size_class] < slots->n_slots);
        fill_slot(cache, mover, slots->first_slot + next[size_class], block, MOVE_LOAD);
    }
}

/* Smaller where it comes first: more used, then earlier in the pass. */
static bool is_hotter(const Heat *heat, uint32_t a, uint32_t b)
{
    return heat->uses[a] > heat->uses[b] || (heat->uses[a] == heat->uses[b] && a < b);
}

/* Lets the block at `index` sink to where it belongs among fill[0 .. n), a heap whose top is the
 * coldest. */
static void sift_down(Cache *cache, uint32_t index, uint32_t n)
{
    uint32_t *fill = cache->fill;

    for (uint32_t child = 2 * index + 1; child < n; child = 2 * index + 1) {
        if (child + 1 < n && is_hotter(&cache->heat, fill[child], fill[child + 1])) child++;
        if (!is_hotter(&cache->heat, fill[index], fill[child])) return;
        uint32_t moved = fill[index];
        fill[index] = fill[child];
        fill[child] = moved;
        index = child;
    }
}

/* The blocks of fill, the hottest first: a heap sort, since nothing may be allocated here. */
static void sort_fill(Cache *cache)
{
    for (uint32_t i = cache->n_fill / 2; i > 0; i--) sift_down(cache, i - 1, cache->n_fill);
    for (uint32_t n = cache->n_fill; n > 1; n--) {
        uint32_t coldest = cache->fill[0];
        cache->fill[0] = cache->fill[n - 1];
        cache->fill[n - 1] = coldest;
        sift_down(cache, 0, n - 1);
    }
}

void cache_warm(Cache *cache)
{
    cache->n_fill = cache->n_fill_done = 0;
    for (uint32_t block = 0; block < blocks_n_experts(cache->map); block++) {
        float share = heat_share(&cache->heat, block);
        evict_warm(&cache->evict, block, share);
        if (share > 0) cache->fill[cache->n_fill++] = block;
    }
    sort_fill(cache);
}

static uint32_t count_queued(const SlotQueue *queue)
{
    uint32_t n = 0;

    for (const Slot *slot = queue->first; slot && n < QUEUE_BLOCKS; slot = slot->read.next) n++;
    return n;
}

/* The next slot of the class with nothing in it. Each is looked at once. */
static bool find_empty(const Cache *cache, CacheClass *size_class, uint32_t *index)
{
    while (size_class->n_looked_at < size_class->n_slots) {
        *index = size_class->first_slot + size_class->n_looked_at++;
        if (cache->slots[*index].state == SLOT_FREE && !cache->is_wanted[*index]) return true;
    }
    return false;
}

void cache_fill(Cache *cache, Mover *mover)
{
    MovePurpose purpose = cache->is_token ? MOVE_GUESS : MOVE_LOAD;

    if (cache->n_fill_done == cache->n_fill) return;
    for (uint32_t n = count_queued(&mover->queues[purpose]); n < QUEUE_BLOCKS;) {
        if (cache->n_fill_done == cache->n_fill) return;
        if (cache->is_token && cache->fill_bytes >= FILL_BYTES_TOKEN) return;
        uint32_t index, block = cache->fill[cache->n_fill_done++];
        if (cache->slot_of[block] != CACHE_NO_SLOT) continue;
        if (!find_empty(cache, &cache->classes[class_of(cache, block)], &index)) continue;
        fill_slot(cache, mover, index, block, purpose);
        cache->fill_bytes += expert_payload_bytes(&cache->map->experts[block]);
        n++;
    }
}

void cache_begin_pass(Cache *cache)
{
    uint64_t n_slots = 0;

    cache->fill_bytes = 0;
    for (uint32_t i = 0; i < cache->n_classes; i++) n_slots += cache->classes[i].n_slots;
    if (cache->n_slots > 0) evict_begin_pass(&cache->evict, n_slots, cache->n_misses);
}

/* ---- a call ---- */

static uint32_t count_unplaced(const Cache *cache, uint32_t size_class)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < cache->n_wants; i++)
        n += cache->wants[i].slot == CACHE_NO_SLOT && cache->wants[i].size_class == size_class;
    return n < CACHE_FIND_MAX ? n : CACHE_FIND_MAX;
}

/* Wants that have a slot and were not given yet: on their way, or there. */
static uint32_t count_under_way(const Cache *cache)
{
    return cache->n_wants - cache->n_given - cache->n_unplaced;
}

/* The scan guard. A prompt wants most experts of every layer, and each of them once: it gets what
 * is worth less than what it brings, and beyond that as many slots as keep the drive busy, over
 * and over. A token's call is never that large. */
static uint32_t guard_from_scan(const Cache *cache, const uint32_t *found, uint32_t n_found)
{
    uint32_t n_under_way = count_under_way(cache), first = 0;

    if (cache->n_wants <= QUEUE_BLOCKS || n_found == 0) return n_found;
    while (cache->wants[first].slot != CACHE_NO_SLOT) first++;
    float worth = evict_value(&cache->evict, cache->wants[first].block, cache->layer);

    while (n_found > 0 && n_found + n_under_way > QUEUE_BLOCKS
           && slot_value(cache, found[n_found - 1]) > worth)
        n_found--;
    return n_found;
}

/* Gives slots of a class to wants that have none, in the order of the file. */
static void place_in_class(Cache *cache, Mover *mover, uint32_t size_class)
{
    uint32_t found[CACHE_FIND_MAX];
    uint32_t n = count_unplaced(cache, size_class);
    uint32_t n_found = n > 0 ? find_slots(cache, &cache->classes[size_class], n, found) : 0;

    n_found = guard_from_scan(cache, found, n_found);
    for (uint32_t i = 0, k = 0; k < n_found; i++) {
        CacheWant *want = &cache->wants[cache->order[i]];
        if (want->slot != CACHE_NO_SLOT || want->size_class != size_class) continue;
        want->slot = found[k++];
        fill_slot(cache, mover, want->slot, want->block, MOVE_DEMAND);
        cache->is_wanted[want->slot] = true;
        cache->n_unplaced--;
    }
}

/* As far as there are slots to give. */
static void place_wants(Cache *cache, Mover *mover)
{
    for (uint32_t size_class = 0; size_class < cache->n_classes && cache->n_unplaced > 0;
         size_class++)
        place_in_class(cache, mover, size_class);
}

static bool lies_before(const ExpertBlock *a, const ExpertBlock *b)
{
    if (a->extents[0].file != b->extents[0].file) return a->extents[0].file < b->extents[0].file;
    return a->extents[0].offset_bytes < b->extents[0].offset_bytes;
}

/* The order of the file, by insertion: callers name experts in ascending order as a rule. */
static void sort_wants(Cache *cache)
{
    const ExpertBlock *experts = cache->map->experts;

    for (uint32_t i = 0; i < cache->n_wants; i++) {
        const ExpertBlock *expert = &experts[cache->wants[i].block];
        uint32_t k = i;
        for (; k > 0; k--) {
            if (!lies_before(expert, &experts[cache->wants[cache->order[k - 1]].block])) break;
            cache->order[k] = cache->order[k - 1];
        }
        cache->order[k] = i;
    }
}

/* What is there of a want's block: READY is a hit, and so is what the first filling brings (it
 * is resident, only not yet; the wait shows as stall). Else LOADING is a miss on its way. */
static void find_want(Cache *cache, Mover *mover, CacheWant *want)
{
    uint32_t index = cache->slot_of[want->block];
    Slot *slot = index != CACHE_NO_SLOT ? &cache->slots[index] : NULL;

    if (slot && slot->state == SLOT_READY) {
        cache->n_hits++;
    } else if (slot && slot->state == SLOT_LOADING && slot->read.purpose != MOVE_DEMAND) {
        cache->n_hits++;
        mover_hurry(mover, slot);
    } else {
        cache->n_misses++;
        // Tried in vain when nobody waited for it: that is no answer to a demand.
        if (slot && slot->state == SLOT_FREE) empty_slot(cache, slot);
        if (slot && slot->state == SLOT_LOADING) mover_hurry(mover, slot);
    }
    want->slot = cache->slot_of[want->block];
    if (want->slot == CACHE_NO_SLOT)
        cache->n_unplaced++;
    else
        cache->is_wanted[want->slot] = true;
}

static uint32_t rows_of(const ExpertCall *call, uint32_t index)
{
    return call->n_rows ? call->n_rows[index] : 1;
}

/* The first layer tells how many rows the pass has: each chooses as many experts. */
static void begin_rows(Cache *cache, const ExpertCall *call)
{
    uint32_t n_choices = 0;

    if (call->layer != 0) return;
    for (uint32_t i = 0; i < call->n; i++) n_choices += rows_of(call, i);
    heat_begin_rows(&cache->heat, n_choices / cache->map->n_expert_used);
    cache->is_token = n_choices <= cache->map->n_expert_used;
}

void cache_begin(Cache *cache, Mover *mover, const ExpertCall *call)
{
    assert(cache->n_given == cache->n_wants); // the call before was taken to its end, or aborted
    assert(call->n <= cache->map->n_expert);
    cache->layer = call->layer;
    cache->n_wants = call->n;
    cache->n_given = cache->n_unplaced = 0;
    begin_rows(cache, call);
    evict_call(&cache->evict, call->layer, call->experts, call->n);
    for (uint32_t i = 0; i < call->n; i++) {
        uint32_t block = blocks_expert_index(cache->map, call->layer, call->experts[i]);
        cache->wants[i] = (CacheWant){.block = block, .size_class = class_of(cache, block)};
        heat_use(&cache->heat, block, rows_of(call, i));
        find_want(cache, mover, &cache->wants[i]);
    }
    if (cache->n_unplaced > 0) evict_look(&cache->evict, call->layer);
    sort_wants(cache);
    place_wants(cache, mover);
}

static void give_want(Cache *cache, uint32_t index, ExpertWave *wave)
{
    CacheWant *want = &cache->wants[index];
    Slot *slot = &cache->slots[want->slot];
    uint32_t k = wave->n_blocks++;

    slot_pin(slot);
    want->is_given = true;
    cache->n_given++;
    wave->which[k] = index;
    wave->slot[k] = want->slot;
    for (uint32_t i = 0; i < slot->read.n_extents; i++)
        wave->data[k][i] = slot_payload(slot, i, cache->alignment);
}

/* Fills the wave with what is there; false when a block that was asked for has failed. */
static bool collect_wave(Cache *cache, const Mover *mover, ExpertWave *wave, Error *err)
{
    for (uint32_t i = 0; i < cache->n_wants && wave->n_blocks < WAVE_BLOCKS_MAX; i++) {
        const CacheWant *want = &cache->wants[i];
        if (want->is_given || want->slot == CACHE_NO_SLOT) continue;
        const Slot *slot = &cache->slots[want->slot];
        if (slot->state == SLOT_READY) give_want(cache, i, wave);
        if (slot->state == SLOT_FREE) return mover_failure(mover, slot, err);
    }
    return true;
}

bool cache_next(Cache *cache, Mover *mover, ExpertWave *wave, Error *err)
{
    wave->n_blocks = 0;
    while (cache->n_given < cache->n_wants) {
        if (!mover_poll(mover, err)) return false;
        place_wants(cache, mover);
        if (!mover_submit(mover, err)) return false;
        if (!collect_wave(cache, mover, wave, err)) return false;
        if (wave->n_blocks > 0) break;
        if (!mover_wait(mover, err)) return false;
    }
    return true;
}

void cache_done(Cache *cache, const ExpertWave *wave)
{
    for (uint32_t i = 0; i < wave->n_blocks; i++) {
        slot_unpin(&cache->slots[wave->slot[i]]);
        cache->is_wanted[wave->slot[i]] = false;
    }
}

void cache_abort(Cache *cache, Mover *mover)
{
    for (uint32_t i = 0; i < cache->n_slots; i++) {
        Slot *slot = &cache->slots[i];
        if (slot->state == SLOT_LOADING && slot->read.purpose == MOVE_DEMAND) {
            empty_slot(cache, slot);
            mover_cancel(mover, slot);
        }
        slot->n_pins = 0;
        cache->is_wanted[i] = false;
    }
    cache->n_wants = cache->n_given = cache->n_unplaced = 0;
}
