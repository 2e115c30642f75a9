/* The ring: dense blocks that are not resident stream through a few slots, in the cyclic
 * order in which passes need them, for ever and across the boundary of passes. Half of the
 * slots fly, as long as so many are free, and the other half is computed on; a block is dropped
 * as soon as it was used once, since under a scan nothing else helps (docs/streaming.md). */
#ifndef HYPURA_STORE_RING_H
#define HYPURA_STORE_RING_H

#include "store/mover.h"
#include "store/places.h"

#define RING_SLOTS_MAX 32

typedef struct Ring {
    const BlockMap *map; // borrowed
    const uint32_t
        *stream; // [n_stream] dense blocks that are not resident, in pass order; borrowed
    uint32_t n_stream;
    uint32_t n_stream_body; // of these, before the head
    Slot slots[RING_SLOTS_MAX];
    uint32_t n_slots;
    Slot *ahead[RING_SLOTS_MAX]; // asked for and not yet taken, in the order of passes
    uint32_t n_ahead;
    uint64_t next_pass;     // the pass that the next block to ask for belongs to
    uint32_t next_position; // its place in `stream`
    uint64_t head_pass;     // passes before this one skip the head
} Ring;

/* Slots of slot_bytes each in `places`. Nothing streams (n_stream 0): no slots. */
void ring_init(Ring *ring, const BlockMap *map, const uint32_t *stream, uint32_t n_stream,
    Places *places, uint64_t slot_bytes, uint32_t n_slots);

/* Other blocks stream from now on: the first n_stream of the same array, which has changed. The
 * next to ask for is the one at `position`, of pass number `pass`. What was asked for and not
 * taken is dropped. Nothing is pinned. */
void ring_set_stream(Ring *ring, Mover *mover, uint32_t n_stream, uint64_t pass, uint32_t position);

/* Passes before `pass` skip the head, all others need it. */
void ring_expect_head(Ring *ring, uint64_t pass);

/* Asks for the next blocks, until half of the slots are on their way or none is free. */
void ring_fill(Ring *ring, Mover *mover);

/* The slot of the block at `position` of the stream, which pass number `pass` needs now:
 * LOADING, READY, or FREE after a failure. Whatever was asked for before it and not taken is
 * dropped. NULL: all slots still belong to others' reads or pins; wait and ask again. */
Slot *ring_seek(Ring *ring, Mover *mover, uint64_t pass, uint32_t position);

/* The first slot ahead, whatever it holds; NULL: none. */
Slot *ring_first(const Ring *ring);

/* Takes the first READY slot: pinned, and counted as missed. */
Slot *ring_take(Ring *ring, Mover *mover);

/* Gives back the slot that was taken with this block: it is free for the next. */
void ring_give(Ring *ring, uint32_t block);

/* Gives back all that were taken. */
void ring_give_all(Ring *ring);

#endif
