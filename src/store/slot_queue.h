/* Slots that wait for requests to be made: a queue for each purpose, first come, first served. */
#ifndef HYPURA_STORE_SLOT_QUEUE_H
#define HYPURA_STORE_SLOT_QUEUE_H

#include "store/slot.h"

typedef struct SlotQueue {
    Slot *first, *last;
} SlotQueue;

/* Puts a slot that is in none at the end of queues[queue]. */
void slot_queue_push(SlotQueue *queues, Slot *slot, MovePurpose queue);

/* Takes a slot out of the one that it is in; nothing where it is in none. */
void slot_queue_remove(SlotQueue *queues, Slot *slot);

#endif
