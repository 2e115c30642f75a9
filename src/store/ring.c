/* Streaming of dense blocks.
 *
 * Invariants: `ahead` holds slots in the order in which they were asked for, which is the
 * order of passes; a slot is in it or pinned by a wave or empty (block SLOT_NO_BLOCK), and
 * only empty FREE ones are claimed. A pass that turns out otherwise than expected (no head,
 * aborted) finds its block further behind, or not at all: what lies before is dropped. */
#include "store/ring.h"

#include <assert.h>

static void count_stream(Ring *ring, uint32_t n_stream)
{
    ring->n_stream = n_stream;
    ring->n_stream_body = 0;
    while (ring->n_stream_body < n_stream
           && !ring->map->dense[ring->stream[ring->n_stream_body]].is_head)
        ring->n_stream_body++;
}

void ring_init(Ring *ring, const BlockMap *map, const uint32_t *stream, uint32_t n_stream,
    Places *places, uint64_t slot_bytes, uint32_t n_slots)
{
    assert(n_slots <= RING_SLOTS_MAX);
    assert(n_stream == 0 || n_slots > 0);
    *ring = (Ring){.map = map, .stream = stream, .n_slots = n_slots};
    count_stream(ring, n_stream);
    for (uint32_t i = 0; i < n_slots; i++)
        ring->slots[i] = (Slot){.data = places_take(places, slot_bytes), .block = SLOT_NO_BLOCK};
}

void ring_expect_head(Ring *ring, uint64_t pass)
{
    ring->head_pass = pass;
}

/* Moves the position over the end of a pass, and over a head that will be skipped. */
static void normalise_position(Ring *ring)
{
    bool skips_head = ring->next_pass < ring->head_pass;
    bool is_at_head = ring->next_position == ring->n_stream_body;

    if (ring->next_position < ring->n_stream && !(is_at_head && skips_head)) return;
    ring->next_pass++;
    ring->next_position = 0;
}

static Slot *find_empty(Ring *ring)
{
    for (uint32_t i = 0; i < ring->n_slots; i++)
        if (ring->slots[i].state == SLOT_FREE && ring->slots[i].block == SLOT_NO_BLOCK)
            return &ring->slots[i];
    return NULL;
}

static void ask_for_next(Ring *ring, Mover *mover, Slot *slot)
{
    slot->block = ring->stream[ring->next_position];
    mover_read(mover, slot, &ring->map->dense[slot->block].extent, 1, MOVE_AHEAD);
    ring->ahead[ring->n_ahead++] = slot;
    ring->next_position++;
    normalise_position(ring);
}

/* How many reads may still be asked for. Drives that report reads in bundles (virtual ones,
 * interrupt coalescing) end all that fly at once: only with as many slots to spare the next
 * bundle flies while this one is computed on (docs/adr/0009). Of less than four all may fly. */
static uint32_t count_room(const Ring *ring)
{
    uint32_t n_max = ring->n_slots < 4 ? ring->n_slots : ring->n_slots / 2;
    uint32_t n_loading = 0;

    for (uint32_t i = 0; i < ring->n_slots; i++) n_loading += ring->slots[i].state == SLOT_LOADING;
    return n_loading < n_max ? n_max - n_loading : 0;
}

void ring_fill(Ring *ring, Mover *mover)
{
    Slot *slot;

    if (ring->n_stream == 0) return;
    normalise_position(ring);
    for (uint32_t n_room = count_room(ring); n_room > 0; n_room--) {
        if ((slot = find_empty(ring)) == NULL) return;
        ask_for_next(ring, mover, slot);
    }
}

/* Drops the first n slots ahead. */
static void drop_ahead(Ring *ring, Mover *mover, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        Slot *slot = ring->ahead[i];
        slot->block = SLOT_NO_BLOCK;
        if (slot->state == SLOT_LOADING) mover_cancel(mover, slot);
        if (slot->state == SLOT_READY) {
            mover_settle_wasted(mover, slot);
            slot_move(slot, SLOT_FREE);
        }
    }
    ring->n_ahead -= n;
    for (uint32_t i = 0; i < ring->n_ahead; i++) ring->ahead[i] = ring->ahead[i + n];
}

void ring_set_stream(Ring *ring, Mover *mover, uint32_t n_stream, uint64_t pass, uint32_t position)
{
    assert(n_stream == 0 || ring->n_slots > 0);
    assert(position <= n_stream);
    drop_ahead(ring, mover, ring->n_ahead);
    count_stream(ring, n_stream);
    ring->next_pass = pass;
    ring->next_position = position;
}

Slot *ring_seek(Ring *ring, Mover *mover, uint64_t pass, uint32_t position)
{
    uint32_t block = ring->stream[position];
    uint32_t n = 0;

    while (n < ring->n_ahead && ring->ahead[n]->block != block) n++;
    if (n > 0) drop_ahead(ring, mover, n);
    if (ring->n_ahead > 0) return ring->ahead[0];

    ring->next_pass = pass;
    ring->next_position = position;
    Slot *slot = find_empty(ring);
    if (!slot) return NULL;
    // Straight to the block, also where it is a head that this pass was to skip.
    ask_for_next(ring, mover, slot);
    ring_fill(ring, mover);
    return slot;
}

Slot *ring_first(const Ring *ring)
{
    return ring->n_ahead > 0 ? ring->ahead[0] : NULL;
}

Slot *ring_take(Ring *ring, Mover *mover)
{
    Slot *slot = ring->ahead[0];

    assert(ring->n_ahead > 0);
    mover_settle_missed(mover, slot);
    slot_pin(slot);
    ring->n_ahead--;
    for (uint32_t i = 0; i < ring->n_ahead; i++) ring->ahead[i] = ring->ahead[i + 1];
    return slot;
}

static void give_slot(Slot *slot)
{
    slot_unpin(slot);
    slot->block = SLOT_NO_BLOCK;
    slot_move(slot, SLOT_FREE);
}

void ring_give(Ring *ring, uint32_t block)
{
    for (uint32_t i = 0; i < ring->n_slots; i++) {
        Slot *slot = &ring->slots[i];
        if (slot->n_pins == 0 || slot->block != block) continue;
        give_slot(slot);
        return;
    }
    assert(false && "a block that was given to nobody");
}

void ring_give_all(Ring *ring)
{
    for (uint32_t i = 0; i < ring->n_slots; i++)
        if (ring->slots[i].n_pins > 0) give_slot(&ring->slots[i]);
}
