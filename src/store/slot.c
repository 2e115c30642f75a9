/* The moves of a slot, as slot.h draws them: a table, and one function that follows it. */
#include "store/slot.h"

#include <assert.h>

#define TO(state) (1u << SLOT_##state)
static const unsigned slot_moves[] = {
    [SLOT_FREE] = TO(LOADING),
    [SLOT_LOADING] = TO(READY) | TO(DOOMED) | TO(FREE),
    [SLOT_READY] = TO(FREE),
    [SLOT_DOOMED] = TO(FREE),
};
#undef TO

void slot_move(Slot *slot, SlotState next)
{
    assert(slot_moves[slot->state] & (1u << next));
    assert(slot->n_pins == 0);
    if (slot->state == SLOT_FREE) slot->generation++;
    slot->state = next;
}

void slot_pin(Slot *slot)
{
    assert(slot->state == SLOT_READY);
    slot->n_pins++;
}

void slot_unpin(Slot *slot)
{
    assert(slot->n_pins > 0);
    slot->n_pins--;
}

const uint8_t *slot_payload(const Slot *slot, uint32_t index, uint32_t alignment)
{
    const Extent *extents = slot->read.extents;
    uint64_t place_bytes = 0;

    assert(index < slot->read.n_extents);
    for (uint32_t i = 0; i < index; i++) place_bytes += extent_span_bytes(&extents[i], alignment);
    return slot->data + place_bytes + extents[index].offset_bytes % alignment;
}
