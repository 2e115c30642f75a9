/* A pass over dense blocks. A wave never waits but for its first block, and never takes more
 * than half of the ring, so that the other half flies while kernels run. */
#include "store/dense.h"

#include <assert.h>

#include "base/mem.h"

bool dense_init(Dense *dense, const BlockMap *map, const Residency *plan, Places *cache,
    Places *ring, Error *err)
{
    uint32_t n_stream = 0, n_residents = 0;

    *dense = (Dense){.map = map, .alignment = plan->alignment};
    for (uint32_t i = 0; i < map->n_dense; i++) dense->n_residents += plan->dense_is_resident[i];
    dense->residents = mem_alloc_array(MEM_OTHER, dense->n_residents, sizeof(Slot), err);
    if (!dense->residents) goto fail;
    dense->is_resident = mem_alloc_array(MEM_OTHER, map->n_dense, sizeof(bool), err);
    if (!dense->is_resident) goto fail;
    dense->position = mem_alloc_array(MEM_OTHER, map->n_dense, sizeof(uint32_t), err);
    if (!dense->position) goto fail;
    dense->stream =
        mem_alloc_array(MEM_OTHER, map->n_dense - dense->n_residents, sizeof(uint32_t), err);
    if (!dense->stream) goto fail;

    for (uint32_t i = 0; i < map->n_dense; i++) {
        dense->is_resident[i] = plan->dense_is_resident[i];
        if (!dense->is_resident[i]) {
            dense->stream[n_stream] = i;
            dense->position[i] = n_stream++;
            continue;
        }
        uint64_t n_bytes = extent_place_bytes(&map->dense[i].extent, plan->alignment);
        dense->residents[n_residents] = (Slot){.data = places_take(cache, n_bytes), .block = i};
        dense->position[i] = n_residents++;
    }
    ring_init(&dense->ring, map, dense->stream, n_stream, ring, plan->ring_slot_bytes,
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
    for (uint32_t i = 0; i < dense->n_residents; i++)
        load_resident(dense, mover, &dense->residents[i]);
}

void dense_expect_headless(Dense *dense, uint32_t n_passes)
{
    ring_expect_head(&dense->ring, dense->n_passes + n_passes);
}

void dense_begin_pass(Dense *dense, bool with_head)
{
    uint64_t pass = dense->n_passes++;

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
    uint32_t n_streamed_max = dense->ring.n_slots > 1 ? dense->ring.n_slots / 2 : 1;

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
    return true;
}

void dense_done(Dense *dense, Mover *mover, const DenseWave *wave)
{
    for (uint32_t block = wave->first; block < wave->first + wave->n_blocks; block++) {
        if (dense->is_resident[block])
            slot_unpin(&dense->residents[dense->position[block]]);
        else
            ring_give(&dense->ring, block);
    }
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
