/* Doubly linked through the slots themselves, so that nothing allocates and any slot leaves its
 * queue at once, also from the middle: a demand overtakes, a cancelled read is forgotten. */
#include "store/slot_queue.h"

#include <assert.h>

void slot_queue_push(SlotQueue *queues, Slot *slot, MovePurpose queue)
{
    SlotQueue *list = &queues[queue];
    SlotRead *read = &slot->read;

    assert(!read->is_queued);
    read->queue = queue;
    read->is_queued = true;
    read->previous = list->last;
    read->next = NULL;
    if (list->last)
        list->last->read.next = slot;
    else
        list->first = slot;
    list->last = slot;
}

void slot_queue_remove(SlotQueue *queues, Slot *slot)
{
    SlotRead *read = &slot->read;
    SlotQueue *list = &queues[read->queue];

    if (!read->is_queued) return;
    if (read->previous)
        read->previous->read.next = read->next;
    else
        list->first = read->next;
    if (read->next)
        read->next->read.previous = read->previous;
    else
        list->last = read->previous;
    read->is_queued = false;
    read->previous = read->next = NULL;
}
