/* A pass over dense blocks. A wave never waits but for its first block, and never takes more
 * than a quarter of the ring: what it pins comes back early, and the drive is given new reads
 * before the caller computes and again after it. */
#include "store/dense.h"

#include <assert.h>

#include "base/mem.h"

#define SPARE_RING_SLOTS 8u // of a ring made of residents' places
#define SPARE_RING_SHARE 4  // such a ring takes no more of these places than one in so many

/* The bits of i, which has n of them, in reverse: in this order any first numbers are spread
 * evenly (van der Corput 1935). */
static uint32_t reverse_bits(uint32_t i, uint32_t n)
{
    uint32_t reversed = 0;

    for (uint32_t bit = 0; bit < n; bit++) reversed |= (i >> bit & 1) << (n - 1 - bit);
    return reversed;
}

static uint64_t place_bytes(const Dense *dense, uint32_t block)
{
    uint64_t n_bytes = extent_place_bytes(&dense->map->dense[block].extent, dense->alignment);

    return size_align_up(n_bytes, places_unit_bytes(dense->alignment));
}

static void place_resident(Dense *dense, uint32_t index, uint32_t block, Places *cache)
{
    uint64_t n_bytes = place_bytes(dense, block);
    uint8_t *data = places_take(cache, n_bytes);

    dense->residents[index] = (Slot){.data = data, .block = block};
    dense->position[block] = index;
    dense->places_end = data + n_bytes;
}

/* Gives the residents their places. `stream` lists them in the order of the pass meanwhile. */
static void place_residents(Dense *dense, Places *cache)
{
    uint32_t n = 0, n_bits = 0;

    for (uint32_t i = 0; i < dense->map->n_dense; i++)
        if (dense->is_resident[i]) dense->stream[n++] = i;
    while (n > 1u << n_bits) n_bits++;
    for (uint32_t i = 0, index = 0; index < n; i++) {
        uint32_t k = reverse_bits(i, n_bits);
        if (k < n) place_resident(dense, index++, dense->stream[k], cache);
    }
    dense->n_kept = n;
}

/* Lists what streams; returns how many blocks do. */
static uint32_t list_stream(Dense *dense)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < dense->map->n_dense; i++) {
        if (dense->is_resident[i]) continue;
        dense->stream[n] = i;
        dense->position[i] = n++;
    }
    return n;
}

/* How many slots a ring of residents' places gets; 0: they are too few. */
static uint32_t count_spare_slots(const Dense *dense)
{
    uint64_t all_bytes = 0;

    for (uint32_t i = 0; i < dense->n_residents; i++)
        all_bytes += place_bytes(dense, dense->residents[i].block);
    uint64_t n = all_bytes / SPARE_RING_SHARE / dense->ring_slot_bytes;
    if (n < 2) return 0;
    return n < SPARE_RING_SLOTS ? (uint32_t)n : SPARE_RING_SLOTS;
}

/* The last residents whose places together hold such a ring. */
static void choose_spare(Dense *dense)
{
    uint64_t wanted = count_spare_slots(dense) * dense->ring_slot_bytes;
    uint64_t n_bytes = 0;

    while (dense->n_spare < dense->n_residents && (wanted == 0 || n_bytes < wanted)) {
        dense->n_spare++;
        n_bytes += place_bytes(dense, dense->residents[dense->n_residents - dense->n_spare].block);
    }
}

bool dense_init(Dense *dense, const BlockMap *map, const Residency *plan, Places *cache,
    Places *ring, Error *err)
{
    *dense =
        (Dense){.map = map, .alignment = plan->alignment, .ring_slot_bytes = plan->ring_slot_bytes};
    for (uint32_t i = 0; i < map->n_dense; i++) dense->n_residents += plan->dense_is_resident[i];
    dense->residents = mem_alloc_array(MEM_OTHER, dense->n_residents, sizeof(Slot), err);
    if (!dense->residents) goto fail;
    dense->is_resident = mem_alloc_array(MEM_OTHER, map->n_dense, sizeof(bool), err);
    if (!dense->is_resident) goto fail;
    dense->position = mem_alloc_array(MEM_OTHER, map->n_dense, sizeof(uint32_t), err);
    if (!dense->position) goto fail;
    dense->stream = mem_alloc_array(MEM_OTHER, map->n_dense, sizeof(uint32_t), err);
    if (!dense->stream) goto fail;

    for (uint32_t i = 0; i < map->n_dense; i++) dense->is_resident[i] = plan->dense_is_resident[i];
    place_residents(dense, cache);
    if (plan->n_ring_slots == 0) choose_spare(dense);
    ring_init(&dense->ring, map, dense->stream, list_stream(dense), ring, plan->ring_slot_bytes,
        plan->n_ring_slots);
    return true;

fail:
    dense_destroy(dense);
    return false;
}

void dense_destroy(Dense *dense)
{
    mem_free(MEM_OTHER, dense->residents);
    mem_free(MEM_OTHER, dense->is_resident);
    mem_free(MEM_OTHER, dense->position);
    mem_free(MEM_OTHER, dense->stream);
    *dense = (Dense){0};
}

static void load_resident(Dense *dense, Mover *mover, Slot *slot)
{
    mover_read(mover, slot, &dense->map->dense[slot->block].extent, 1, MOVE_LOAD);
}

void dense_load(Dense *dense, Mover *mover)
{
    ring_fill(&dense->ring, mover);
    for (uint32_t i = 0; i < dense->map->n_dense; i++) {
        if (!dense->is_resident[i]) continue;
        Slot *slot = &dense->residents[dense->position[i]];
        if (slot->state == SLOT_FREE) load_resident(dense, mover, slot);
    }
}

void dense_expect_headless(Dense *dense, uint32_t n_passes)
{
    ring_expect_head(&dense->ring, dense->n_passes + n_passes);
}

void dense_begin_pass(Dense *dense, bool with_head)
{
    uint64_t pass = dense->n_passes++;

    dense->next_block = 0;
    // What was expected of this pass gives way to what it says.
    if (with_head && pass < dense->ring.head_pass) ring_expect_head(&dense->ring, pass);
    if (!with_head && pass >= dense->ring.head_pass) ring_expect_head(&dense->ring, pass + 1);
}

void dense_abort_pass(Dense *dense)
{
    for (uint32_t i = 0; i < dense->n_residents; i++) dense->residents[i].n_pins = 0;
    ring_give_all(&dense->ring);
}

bool dense_advance(Dense *dense, Mover *mover, Error *err)
{
    if (!mover_poll(mover, err)) return false;
    ring_fill(&dense->ring, mover);
    return mover_submit(mover, err);
}

/* The slot that holds or will hold a block; NULL: all slots of the ring are taken. */
static Slot *find_slot(Dense *dense, Mover *mover, uint32_t block)
{
    uint32_t position = dense->position[block];

    if (dense->is_resident[block]) return &dense->residents[position];
    return ring_seek(&dense->ring, mover, dense->n_passes - 1, position);
}

/* Waits for the block that a pass needs now. */
static bool await_block(Dense *dense, Mover *mover, uint32_t block, Error *err)
{
    Slot *slot;

    if (!dense_advance(dense, mover, err)) return false;
    while ((slot = find_slot(dense, mover, block)) == NULL)
        if (!mover_wait(mover, err)) return false;
    // Not asked for, or asked for in vain when nobody waited: a demand tries for itself.
    if (slot->state == SLOT_FREE) {
        if (dense->is_resident[block])
            load_resident(dense, mover, slot);
        else
            mover_read(mover, slot, &dense->map->dense[block].extent, 1, MOVE_AHEAD);
    }
    return mover_await(mover, slot, err);
}

static bool is_there(const Dense *dense, uint32_t block)
{
    if (dense->is_resident[block]) return dense_find_resident(dense, block) != NULL;
    const Slot *slot = ring_first(&dense->ring);
    return slot && slot->block == block && slot->state == SLOT_READY;
}

static void take_block(Dense *dense, Mover *mover, uint32_t block, DenseWave *wave)
{
    Slot *slot = &dense->residents[dense->position[block]];

    if (dense->is_resident[block])
        slot_pin(slot);
    else
        slot = ring_take(&dense->ring, mover);
    dense->demanded_bytes += dense->map->dense[block].extent.n_bytes;
    wave->data[wave->n_blocks++] = slot_payload(slot, 0, dense->alignment);
}

bool dense_next(
    Dense *dense, Mover *mover, uint32_t first, uint32_t n_wanted, DenseWave *wave, Error *err)
{
    uint32_t n_streamed_max = dense->ring.n_slots >= 8 ? dense->ring.n_slots / 4 : 1;

    assert(n_wanted > 0);
    assert(first < dense->map->n_dense);
    assert(n_wanted <= dense->map->n_dense - first);
    if (n_wanted > WAVE_BLOCKS_MAX) n_wanted = WAVE_BLOCKS_MAX;
    *wave = (DenseWave){.first = first};
    if (!await_block(dense, mover, first, err)) return false;

    for (uint32_t block = first; block < first + n_wanted && is_there(dense, block); block++) {
        if (!dense->is_resident[block] && n_streamed_max-- == 0) break;
        take_block(dense, mover, block, wave);
    }
    // What landed makes room in flight: the drive goes on before the caller computes.
    ring_fill(&dense->ring, mover);
    return mover_submit(mover, err);
}

void dense_done(Dense *dense, Mover *mover, const DenseWave *wave)
{
    for (uint32_t block = wave->first; block < wave->first + wave->n_blocks; block++) {
        if (dense->is_resident[block])
            slot_unpin(&dense->residents[dense->position[block]]);
        else
            ring_give(&dense->ring, block);
    }
    dense->next_block = wave->first + wave->n_blocks;
    ring_fill(&dense->ring, mover);
    // A reader that breaks here stays broken: the next call that can fail says so.
    if (!mover_submit(mover, NULL)) return;
}

const uint8_t *dense_find_resident(const Dense *dense, uint32_t block)
{
    if (!dense->is_resident[block]) return NULL;
    const Slot *slot = &dense->residents[dense->position[block]];
    return slot->state == SLOT_READY ? slot_payload(slot, 0, dense->alignment) : NULL;
}

/* ---- giving memory back ---- */

uint32_t dense_keeps_least(const Dense *dense)
{
    return dense->n_spare == dense->n_residents ? dense->n_residents : 0;
}

uint8_t *dense_places_end(const Dense *dense, uint32_t n)
{
    assert(n <= dense->n_residents);
    return n < dense->n_residents ? dense->residents[n].data : dense->places_end;
}

/* A slot whose bytes nobody wants any more, until no read can write into it. */
static bool await_free(Mover *mover, Slot *slot, Error *err)
{
    while (slot->state == SLOT_DOOMED)
        if (!mover_wait(mover, err)) return false;
    assert(slot->state == SLOT_FREE);
    return true;
}

static bool drop_residents(Dense *dense, Mover *mover, uint32_t n_kept, Error *err)
{
    for (uint32_t i = n_kept; i < dense->n_kept; i++) {
        Slot *slot = &dense->residents[i];
        dense->is_resident[slot->block] = false;
        if (slot->state == SLOT_LOADING) mover_cancel(mover, slot);
        if (slot->state == SLOT_READY) slot_move(slot, SLOT_FREE);
    }
    for (uint32_t i = n_kept; i < dense->n_kept; i++)
        if (!await_free(mover, &dense->residents[i], err)) return false;
    return true;
}

static void take_up_residents(Dense *dense, Mover *mover, uint32_t n_kept)
{
    for (uint32_t i = dense->n_kept; i < n_kept; i++) {
        uint32_t block = dense->residents[i].block;
        dense->is_resident[block] = true;
        dense->position[block] = i;
        load_resident(dense, mover, &dense->residents[i]);
    }
}

/* Ends the ring of spare places: they are to hold residents again. */
static bool end_spare_ring(Dense *dense, Mover *mover, Error *err)
{
    ring_set_stream(&dense->ring, mover, 0, 0, 0);
    for (uint32_t i = 0; i < dense->ring.n_slots; i++)
        if (!await_free(mover, &dense->ring.slots[i], err)) return false;
    dense->ring.n_slots = 0;
    return true;
}

static void begin_spare_ring(Dense *dense)
{
    uint8_t *data = dense->residents[dense->n_residents - dense->n_spare].data;
    Places places = {.alignment = dense->alignment,
        .pages = {.data = data, .n_bytes = (uint64_t)(dense->places_end - data)}};
    uint64_t head_pass = dense->ring.head_pass;

    ring_init(&dense->ring, dense->map, dense->stream, 0, &places, dense->ring_slot_bytes,
        count_spare_slots(dense));
    ring_expect_head(&dense->ring, head_pass);
}

bool dense_keep(Dense *dense, Mover *mover, uint32_t n, Error *err)
{
    uint32_t next_position = 0;

    assert(n >= dense_keeps_least(dense));
    assert(n <= dense->n_residents - dense->n_spare || n == dense->n_residents);
    if (n == dense->n_kept) return true;
    if (!drop_residents(dense, mover, n, err)) return false;
    if (dense->n_spare > 0 && n == dense->n_residents && !end_spare_ring(dense, mover, err))
        return false;
    if (dense->n_spare > 0 && dense->n_kept == dense->n_residents) begin_spare_ring(dense);
    take_up_residents(dense, mover, n);
    dense->n_kept = n;

    uint32_t n_stream = list_stream(dense);
    while (next_position < n_stream && dense->stream[next_position] < dense->next_block)
        next_position++;
    uint64_t pass = dense->n_passes > 0 ? dense->n_passes - 1 : 0;
    ring_set_stream(&dense->ring, mover, n_stream, pass, next_position);
    return true;
}
