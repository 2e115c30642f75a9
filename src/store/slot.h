/* A slot: memory for one block, and the life of what is in it.
 *
 * The thread that calls the store alone changes slots (docs/adr/0004). The bytes need no
 * lock: the drive writes them while LOADING or DOOMED, nobody does while READY.
 *
 *                              failed
 *           +-----------------------------------------+
 *           v         claim                           |   whole read
 *         FREE ----------------------------------> LOADING ------------> READY
 *          ^ ^                                        | cancel             |
 *          | |      completion, whatever it says      v                    |
 *          | +------------------------------------ DOOMED                  |
 *          |                   evict, n_pins == 0                          |
 *          +---------------------------------------------------------------+
 *
 * A DOOMED slot still belongs to its read: it is FREE only after the completion, so no
 * read ends in memory given to somebody else. `generation` counts claims; a completion
 * that carries another one is a duplicate and is dropped. A cancelled slot of whose
 * requests none is in flight fails at once, without being DOOMED. */
#ifndef HYPURA_STORE_SLOT_H
#define HYPURA_STORE_SLOT_H

#include "store/blocks.h"

#define SLOT_NO_BLOCK UINT32_MAX

typedef enum SlotState { SLOT_FREE, SLOT_LOADING, SLOT_READY, SLOT_DOOMED } SlotState;

/* Why a block is read: its place in the queue, and what its bytes count as. */
typedef enum MovePurpose {
    MOVE_DEMAND, // absent when a pass asked for it
    MOVE_AHEAD,  // streamed; missed when a pass takes it, wasted when none does
    MOVE_LOAD,   // trunk and first filling
    MOVE_GUESS,  // may be asked for later: never where a demand could wait for it; counts as LOAD
    MOVE_PURPOSES
} MovePurpose;

typedef struct Slot Slot;

/* The read of a LOADING or DOOMED slot. The mover's own, but for `extents`. */
typedef struct SlotRead {
    const Extent
        *extents; // borrowed; they say where the payload lies for as long as the slot is READY
    uint32_t n_extents;
    uint32_t next_extent;      // the first of which requests have still to be made
    uint64_t next_span_bytes;  // of it, already requested
    uint64_t next_place_bytes; // where it begins in the slot
    uint64_t payload_bytes;    // landed, and not yet counted under its purpose
    uint64_t failed_offset_bytes;
    uint32_t failed_file;
    int32_t failure;   // errno, or a mover's own reason; 0: none
    uint32_t n_open;   // requests made and not finished
    MovePurpose queue; // whose queue it waits in
    bool is_queued;    // requests have still to be made
    MovePurpose purpose;
    Slot *previous, *next; // in the queue
} SlotRead;

struct Slot {
    uint8_t *data;       // its memory, aligned; the same for all its life
    uint32_t block;      // what its owner keeps in it; SLOT_NO_BLOCK: nothing
    uint32_t generation; // claims so far
    uint32_t n_pins;     // users of a READY slot's bytes
    SlotState state;
    SlotRead read;
};

/* The one place where a state changes; an illegal move is an assertion. */
void slot_move(Slot *slot, SlotState next);

/* READY only. Pinned bytes stay. */
void slot_pin(Slot *slot);
void slot_unpin(Slot *slot);

/* Where the payload of extent `index` lies. */
const uint8_t *slot_payload(const Slot *slot, uint32_t index, uint32_t alignment);

#endif
